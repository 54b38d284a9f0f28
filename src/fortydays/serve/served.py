"""A model that is in use: a bundle, and the thread that computes for it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.inputs.input import Arrays
from fortydays.registry.contents import Bundle, open_bundle
from fortydays.serve.batching import Batcher
from fortydays.serve.card import card_page
from fortydays.serve.limits import Limits
from fortydays.serve.metrics import Metrics

_TIMES = 5


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """What answers. Requests hold on to the one they began with, so that no answer mixes two.

    Attributes:
        card: the model card, as a page.
        samples: for each class that the bundle has an example of, its place, and the example as a file with its media
            type.
    """

    bundle: Bundle
    batcher: Batcher
    folder: Path
    card: str
    samples: tuple[tuple[int, bytes, str], ...] = ()

    @property
    def reference(self) -> str:
        """NAME@VERSION."""
        return f"{self.bundle.name}@{self.bundle.version}"


def load(folder: Path, limits: Limits, metrics: Metrics, *, threads: int) -> ServedModel:
    """Open a bundle, check it, and warm it up.

    Raises:
        StorageError, DamagedPackageError, UnsafeModelError: see :func:`fortydays.registry.contents.open_bundle`.
    """
    bundle = open_bundle(folder, threads=threads)
    one, many = (_seconds(bundle, size) for size in (1, max(limits.batch, 2)))
    each = max(many - one, 0.0) / (max(limits.batch, 2) - 1)

    def compute(inputs: Arrays) -> NDArray[np.float32]:
        return bundle.model.predict(inputs, at_once=limits.batch)

    batcher = Batcher(compute, limits, seconds=lambda count: one + (count - 1) * each, observe=metrics.batch.observe)
    samples = tuple((place, *_as_file(bundle, place)) for place in bundle.samples)
    return ServedModel(bundle=bundle, batcher=batcher, folder=folder, card=card_page(bundle), samples=samples)


def _as_file(bundle: Bundle, place: int) -> tuple[bytes, str]:
    """The example of a class as a file, and its media type: the text itself, where the bundle has it."""
    if place in bundle.texts:
        return bundle.texts[place].encode(), "text/plain"
    return bundle.input.as_file(bundle.samples[place])


def _seconds(bundle: Bundle, count: int) -> float:
    """How long some examples take, and warm up."""
    examples = bundle.input.blank(count)
    least = float("inf")
    for _ in range(_TIMES):
        began = clock.seconds()
        bundle.model.predict(examples, at_once=count)
        least = min(least, clock.seconds() - began)
    return least

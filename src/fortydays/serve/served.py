"""A model that is in use: a bundle, and the thread that computes for it."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
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
        bundle: what is served.
        batcher: computes.
        folder: where the bundle lies.
        card: the model card, as a page.
        samples: for each class that the bundle has an image of, its place and the image as a PNG file.
    """

    bundle: Bundle
    batcher: Batcher
    folder: Path
    card: str
    samples: tuple[tuple[int, bytes], ...] = ()

    @property
    def reference(self) -> str:
        """NAME@VERSION."""
        return f"{self.bundle.name}@{self.bundle.version}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image, as the model takes it."""
        return self.bundle.model.signature.image


def load(folder: Path, limits: Limits, metrics: Metrics, *, threads: int) -> ServedModel:
    """Open a bundle, check it, and warm it up.

    Raises:
        StorageError, DamagedPackageError, UnsafeModelError: see :func:`fortydays.registry.contents.open_bundle`.
    """
    bundle = open_bundle(folder, threads=threads)
    one, many = (_seconds(bundle, size) for size in (1, max(limits.batch, 2)))
    each = max(many - one, 0.0) / (max(limits.batch, 2) - 1)

    def compute(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return bundle.model.predict(images, at_once=limits.batch)

    batcher = Batcher(compute, limits, seconds=lambda images: one + (images - 1) * each, observe=metrics.batch.observe)
    samples = tuple((place, _png(image)) for place, image in bundle.samples.items())
    return ServedModel(bundle=bundle, batcher=batcher, folder=folder, card=card_page(bundle), samples=samples)


def _png(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image.squeeze(-1) if image.shape[2:] == (1,) else image).save(buffer, "PNG")
    return buffer.getvalue()


def _seconds(bundle: Bundle, images: int) -> float:
    """How long some images take, and warm up."""
    given = np.zeros((images, *bundle.model.signature.image), np.uint8)
    least = float("inf")
    for _ in range(_TIMES):
        began = clock.seconds()
        bundle.model.predict(given, at_once=images)
        least = min(least, clock.seconds() - began)
    return least

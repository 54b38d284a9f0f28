"""A model that is in use: a bundle, and the thread that computes for it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fortydays.base.text import printable
from fortydays.registry.contents import Bundle, open_bundle
from fortydays.serve.batching import Batcher
from fortydays.serve.limits import Limits
from fortydays.serve.metrics import Metrics

_WARM_UP = (1, 8)


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """What answers. Requests hold on to the one they began with, so that no answer mixes two.

    Attributes:
        bundle: what is served.
        batcher: computes.
        folder: where the bundle lies.
    """

    bundle: Bundle
    batcher: Batcher
    folder: Path

    @property
    def reference(self) -> str:
        """NAME@VERSION."""
        return f"{self.bundle.name}@{self.bundle.version}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image, as the model takes it."""
        return self.bundle.model.signature.image

    def label(self, index: int) -> str:
        """The name of a class, safe to show."""
        return printable(self.bundle.classes[index])


def load(folder: Path, limits: Limits, metrics: Metrics, *, threads: int) -> ServedModel:
    """Open a bundle, check it, and warm it up.

    Raises:
        StorageError, DamagedPackageError, UnsafeModelError: see :func:`fortydays.registry.contents.open_bundle`.
    """
    bundle = open_bundle(folder, threads=threads)
    for size in (*_WARM_UP, limits.batch):
        bundle.model.predict(np.zeros((size, *bundle.model.signature.image), np.uint8), at_once=limits.batch)

    def compute(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return bundle.model.predict(images, at_once=limits.batch)

    return ServedModel(bundle=bundle, batcher=Batcher(compute, limits, observe=metrics.batch.observe), folder=folder)

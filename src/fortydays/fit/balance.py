"""How uneven the classes are, and what is done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.text import counted, shown
from fortydays.base.values import fields_as_json

UNEVEN = 1.5
"""From this many times as many photographs in the largest class as in the smallest, photographs are weighted."""


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How many photographs there are to learn from in each class, in the order of the labels.

    Attributes:
        largest: the name of the largest class, the first of several.
        largest_share: share of the photographs that the largest class has: what always naming it would get.
        ratio: how many times as many the largest has as the smallest.
        weights: what the loss of a photograph of each class is multiplied with; 1 where nothing is weighted.
        noun: what one of those that are learned from is called.
    """

    counts: tuple[int, ...]
    largest: str
    smallest: str
    largest_share: float
    ratio: float
    weighted: bool
    weights: tuple[float, ...]
    noun: str = "photograph"

    @property
    def sentence(self) -> str:
        """Both in words."""
        if self.ratio == 1:
            return f"The classes are even: {counted(self.counts[0], self.noun)} of each to learn from."
        times = f"{self.ratio:,.0f}" if self.ratio >= 100 else f"{self.ratio:.3g}"
        said = (
            f"The largest class, {shown(self.largest)}, has {times} times as many {self.noun}s to learn "
            f"from as the smallest, {shown(self.smallest)}"
        )
        if not self.weighted:
            return f"{said}; that is even enough to need nothing done about it."
        return (
            f"{said}; so that small classes count as much as large ones, the loss of a {self.noun} is multiplied with "
            f"{min(self.weights):.2f} in the largest class and up to {max(self.weights):.2f} in the smallest."
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**fields_as_json(self), "sentence": self.sentence}


def balance(labels: NDArray[np.intp], classes: Sequence[str], *, noun: str = "photograph") -> Balance:
    """How uneven some labels are.

    Where the largest class has :data:`UNEVEN` times as many photographs as the smallest or more, each photograph of a
    class with n_c of the n photographs is weighted by n / (k n_c), so that all k classes weigh the same and the mean
    weight is 1 (King and Zeng, 2001).

    Args:
        labels: shape (n,), of the photographs to learn from; of each class at least one.
        classes: names of the labels.
        noun: what one of those that are learned from is called.
    """
    counts = np.bincount(labels, minlength=len(classes))
    ratio = float(counts.max() / counts.min())
    weighted = ratio >= UNEVEN
    weights = len(labels) / (len(classes) * counts) if weighted else np.ones(len(classes))
    return Balance(
        counts=tuple(counts.tolist()),
        largest=classes[int(counts.argmax())],
        smallest=classes[int(counts.argmin())],
        largest_share=float(counts.max() / len(labels)),
        ratio=ratio,
        weighted=weighted,
        weights=tuple(weights.tolist()),
        noun=noun,
    )

"""What a bundle's probabilities say of one image, in the words that every way of asking it has in common."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.text import printable
from fortydays.registry.contents import Bundle


def label(bundle: Bundle, index: int) -> str:
    """The name of a class, safe to show."""
    return printable(bundle.classes[index])


def top(bundle: Bundle, probabilities: NDArray[np.float32], count: int) -> list[Mapping[str, Any]]:
    """The most probable ``count`` classes of one image, as JSON values; of equals, the first.

    Args:
        bundle: which answered.
        probabilities: float32, shape (classes,).
        count: how many.
    """
    order = np.argsort(-probabilities, kind="stable")[:count].tolist()
    return [{"class": label(bundle, i), "index": i, "probability": round(float(probabilities[i]), 6)} for i in order]


def is_unknown(bundle: Bundle, probabilities: NDArray[np.float32]) -> bool | None:
    """Whether an image looks unlike what the model has learned; None where the bundle does not say how to tell.

    Args:
        bundle: which answered.
        probabilities: float32, shape (classes,).
    """
    return None if bundle.unknown_below is None else unknown_among(bundle, probabilities[None]) == 1


def unknown_among(bundle: Bundle, probabilities: NDArray[np.float32]) -> int:
    """How many of some images look unlike what the model has learned; 0 where the bundle does not say how to tell.

    Args:
        bundle: which answered.
        probabilities: float32, shape (images, classes).
    """
    if bundle.unknown_below is None:
        return 0
    # Compared in double precision: rounded to that of the probabilities, the threshold would be another one.
    return int(np.sum(probabilities.max(axis=1).astype(np.float64) < bundle.unknown_below))


def prediction(bundle: Bundle, probabilities: NDArray[np.float32], count: int) -> dict[str, Any]:
    """The answer to one image, as JSON values: {"top"}, and {"unknown"} where the bundle says how to tell.

    Args:
        bundle: which answered.
        probabilities: float32, shape (classes,).
        count: how many classes to name.
    """
    unknown = is_unknown(bundle, probabilities)
    found: dict[str, Any] = {"top": top(bundle, probabilities, count)}
    return found if unknown is None else {**found, "unknown": unknown}

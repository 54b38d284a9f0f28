"""What a compiled program computes, told so that two of them can be compared on any machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW = 16
"""Arrays of at most so many numbers are told number by number."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A traced program.

    Attributes:
        operations: each operation with its inputs and attributes, without the names that a backend makes up.
        constants: the floating-point constants in it, as :func:`fingerprint` tells them. Processors may differ in
            their last digits, so they are compared as numbers and not as text.
    """

    operations: str
    constants: tuple[float, ...] = ()


def fingerprint(arrays: Iterable[NDArray[Any]]) -> tuple[float, ...]:
    """A few numbers that change when a number of some arrays does, or its place.

    Small arrays are told as they are. Of a large one with n numbers two are told: the root of the mean square, and a
    sum with fixed whole weights from -8 to 8 in units of that root times the root of n. The latter is 5 or so, with
    either sign. 64 is added, so that both can be compared by their relative difference.

    Args:
        arrays: of any real type and shape.

    Returns:
        Finite or not, in the order of the arrays.
    """
    told: list[float] = []
    for array in arrays:
        values = np.asarray(array, np.float64).ravel()
        if values.size <= _FEW:
            told += values.tolist()
            continue
        weights = np.random.default_rng(values.size).integers(-8, 9, values.size).astype(np.float64)
        root = float(np.sqrt(np.mean(values**2)))
        told += [root, 64 + float(values @ weights) / (root * np.sqrt(values.size)) if root else 64.0]
    return tuple(told)

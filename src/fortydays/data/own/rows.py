"""Rows of a larger array in an order of their own, read when they are asked for.

The photographs of a split lie scattered over the file in which all were kept as they came. To gather them would take
as much memory as they have pixels; here only what is asked for is read.
"""

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


class Rows:
    """Some rows of an array, to be used in the array's place where rows, or runs of rows, are read.

    Args:
        source: any array, a memory map above all; shape (rows, ...).
        places: which of its rows, in which order: shape (n,).
        file: what the source is a map of; rows are only ever added to it.
    """

    def __init__(self, source: NDArray[Any], places: Sequence[int] | NDArray[np.int64], file: Path) -> None:
        self.source = source
        self.file = file
        self.places = np.asarray(places, np.int64)
        self.dtype = source.dtype
        self.shape = (len(self.places), *source.shape[1:])
        self.ndim = source.ndim

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        # A number gives one row, a slice or an array of numbers gives several, as an array does.
        if isinstance(key, tuple):
            found = self[key[0]]
            return found[(*([slice(None)] if found.ndim == self.ndim else []), *key[1:])]
        found = np.asarray(self.source[self.places[key]])
        forget_pages(self.source)
        return found

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[place] for place in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("rows that are scattered cannot be had without copying them")
        return np.asarray(self[:], dtype=dtype)


def forget_pages(array: NDArray[Any]) -> None:
    """Let go of what a memory map of a file has read: it can be read again, and until then it is no memory of ours.

    Without this, a process that has looked at every photograph once seems to hold all of them.
    """
    mapped: Any = array
    while isinstance(mapped, np.ndarray):
        mapped = mapped.base
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def rows_of(source: NDArray[Any], places: Sequence[int] | NDArray[np.int64], *, file: Path) -> NDArray[Any]:
    """Some rows of an array, gathered when they are read; see :class:`Rows`."""
    return cast(NDArray[Any], Rows(source, places, file))


def scattered(images: object) -> Rows | None:
    """The rows that stand in an array's place, where that is what some images are."""
    return images if isinstance(images, Rows) else None

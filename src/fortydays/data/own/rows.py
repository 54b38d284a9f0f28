"""Files of rows that are only ever added to, and some of their rows in an order of their own.

Beside such a file lies another one with a CRC-32 for each row, so that a byte that the disk has changed is found.

The photographs of a split lie scattered over the file in which all were kept as they came. To gather them would take
as much memory as they have pixels; here only what is asked for is read, and checked.
"""

import mmap
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import StorageError


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
        self._checksums = checksums_in(file)
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
        places = self.places[key]
        found = np.asarray(self.source[places])
        forget_pages(self.source)
        self._check(np.atleast_1d(places), found if found.ndim == self.ndim else found[None])
        return found

    def _check(self, places: NDArray[np.int64], found: NDArray[Any]) -> None:
        # Rows that an earlier version of this program kept have no checksum yet.
        known = places < len(self._checksums)
        damaged = places[known][checksums_of(found[known]) != self._checksums[places[known]]]
        if len(damaged):
            files.write_json(damage_file(self.file), {"rows": damaged.tolist()})
            raise StorageError(
                f"{self.file} is damaged: the disk has changed {len(damaged):,} of its rows.",
                hint="Run the command again. If it is about photographs of your own, have them read anew before: "
                f"forty fit FOLDER --name {self.file.parent.name}",
            )

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


def checksum_file(path: Path) -> Path:
    """The file with the CRC-32 of each row of a file: little-endian, four bytes each."""
    return path.with_name(f".{path.name}.crc32")


def damage_file(path: Path) -> Path:
    """The file that names rows of a file that were found to be damaged."""
    return path.with_name(f".{path.name}.damage.json")


def checksums_of(rows: NDArray[Any]) -> NDArray[np.uint32]:
    """The CRC-32 of each row of an array: uint32, shape (rows,)."""
    return np.array([zlib.crc32(np.ascontiguousarray(row).tobytes()) for row in rows], "<u4")


def checksums_in(path: Path) -> NDArray[np.uint32]:
    """The CRC-32s that are kept of the rows of a file; none where they are missing. Raises StorageError."""
    place = checksum_file(path)
    if not files.is_file(place):
        return np.zeros(0, "<u4")
    with files.storage_errors("read", place):
        content = place.read_bytes()
    return np.frombuffer(content[: len(content) // 4 * 4], "<u4")


def append_checksums(path: Path, rows: NDArray[Any]) -> None:
    """Write down the checksums that a file lacks of its first ``rows``. Raises StorageError."""
    known = len(checksums_in(path))
    if known < len(rows):
        append = checksums_of(rows[known:]).tobytes()
        files.append_bytes(checksum_file(path), after=4 * known, content=append)
        forget_pages(rows)


def append_rows(path: Path, rows: NDArray[Any], *, after: int) -> None:
    """Write rows behind the first ``after`` rows of a file, and then their checksums.

    Raises:
        StorageError: they cannot be written, or one of the files has fewer rows than that.
    """
    files.append_bytes(path, after=after * rows[:1].nbytes, content=rows.tobytes())
    files.append_bytes(checksum_file(path), after=4 * after, content=checksums_of(rows).tobytes())

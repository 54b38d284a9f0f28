"""Arrays in files: weights, predictions, golden images. Nothing in such a file can be executed by reading it."""

import io
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import StorageError


def save_arrays(path: Path, arrays: Sequence[NDArray[Any]]) -> None:
    """Write arrays to one ``.npz`` file, in order, atomically. Raises StorageError."""
    named = {f"{i:05}": array for i, array in enumerate(arrays)}
    files.write_atomically(path, lambda file: np.savez(file, **named))  # type: ignore[arg-type]


def load_arrays(path: Path) -> list[NDArray[Any]]:
    """Read the arrays of :func:`save_arrays`. Raises StorageError: the file is missing or damaged."""
    with files.storage_errors("read", path):
        content = path.read_bytes()
    try:
        return arrays_from(content)
    except ValueError as error:
        raise StorageError(f"{path} is damaged ({error}).") from error


def arrays_from(content: bytes, *, most_bytes: int | None = None) -> list[NDArray[Any]]:
    """The arrays in the bytes of such a file. None is made that says to be larger than it is.

    Args:
        content: the file.
        most_bytes: of all its arrays together.

    Raises:
        ValueError: there are none, or they are larger.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = sorted(archive.infolist(), key=lambda member: member.filename)
            total = sum(member.file_size for member in members)
            if most_bytes is not None and total > most_bytes:
                raise ValueError(f"they have {total:,} bytes; expected at most {most_bytes:,}")
            return [_array_in(archive, member) for member in members]
    except Exception as error:  # whatever the parser stumbles on, the content is what is wrong
        raise ValueError(str(error)) from error


def _array_in(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, columns_first, dtype = read_header[version](file)
        content = file.read(member.file_size)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"{member.filename} has another size than it says")
    array = np.frombuffer(bytearray(content), dtype)  # a copy, which may be written to
    return array.reshape(shape, order="F" if columns_first else "C")

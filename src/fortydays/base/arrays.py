"""Arrays in files: weights, predictions, golden images. Nothing in such a file can be executed by reading it."""

import io
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
    """Read the arrays of :func:`save_arrays`.

    Raises:
        StorageError: the file is missing or damaged.
    """
    with files.storage_errors("read", path):
        content = path.read_bytes()
    try:
        return arrays_from(content)
    except ValueError as error:
        raise StorageError(f"{path} is damaged ({error}).") from error


def arrays_from(content: bytes) -> list[NDArray[Any]]:
    """The arrays in the bytes of such a file. Raises ValueError where there are none."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return [archive[name] for name in sorted(archive.files)]
    except Exception as error:  # whatever the parser stumbles on, the content is what is wrong
        raise ValueError(str(error)) from error

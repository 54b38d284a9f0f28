"""The file with the pixels of a collection: rows of side * side * 3 bytes, which are only ever added."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.images import PREPARATION


def pixel_file(folder: Path, side: int) -> Path:
    """The file with the pixels of a collection: rows of side * side * 3 bytes."""
    return folder / f"{side}.{PREPARATION}.pixels"


def kept_pixels(folder: Path, side: int) -> NDArray[np.uint8]:
    """All whole rows of pixels that a collection has, also those that its index does not speak of yet.

    Rows are only ever added, so what is read here stays as it is while another process adds more.

    Args:
        folder: of the collection.
        side: pixels upwards and sideways.

    Returns:
        A read-only memory map: uint8, shape (rows, side, side, 3).

    Raises:
        StorageError: the file cannot be read.
    """
    path = pixel_file(folder, side)
    rows = 0
    if files.is_file(path):
        with files.storage_errors("read", path):
            rows = path.stat().st_size // (3 * side**2)
    shape = (rows, side, side, 3)
    if not rows:
        return np.zeros(shape, np.uint8)
    with files.storage_errors("read", path):
        return np.memmap(path, np.uint8, "r", shape=shape)

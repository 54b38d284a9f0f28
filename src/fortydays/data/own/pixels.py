"""Where the collections of a reader's photographs lie, and the file with the pixels of each.

The pixels are rows of side * side * 3 bytes, which are only ever added: what is read here stays as it is while another
process adds more.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.images import PREPARATION
from fortydays.base.settings import Settings


def folder_of(name: str, settings: Settings) -> Path:
    """Where the collection of that name is kept, whether it is there or not."""
    return (settings.own or settings.workspace) / "own" / name


def names_kept(settings: Settings) -> tuple[str, ...]:
    """The names of all collections that the workspace has. Raises StorageError."""
    place = folder_of("", settings)
    if not files.is_folder(place):
        return ()
    with files.storage_errors("read", place):
        return tuple(sorted(each.name for each in place.iterdir() if each.is_dir()))


def pixel_file(folder: Path, side: int) -> Path:
    """The file with the pixels of a collection."""
    return folder / f"{side}.{PREPARATION}.pixels"


def kept_pixels(folder: Path, side: int) -> NDArray[np.uint8]:
    """All whole rows of pixels that a collection has, also those that its index does not speak of yet.

    Returns:
        A read-only memory map: uint8, shape (rows, side, side, 3).

    Raises:
        StorageError: the file cannot be read.
    """
    path = pixel_file(folder, side)
    with files.storage_errors("read", path):
        rows = path.stat().st_size // (3 * side**2) if files.is_file(path) else 0
        shape = (rows, side, side, 3)
        return np.memmap(path, np.uint8, "r", shape=shape) if rows else np.zeros(shape, np.uint8)

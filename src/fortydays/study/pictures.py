"""Arrays as the small pictures of exhibits: PNG files in base64, enlarged or reduced, or side by side in a row."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAP_SIDE = 32
"""At least how many pixels high and wide a feature map is drawn."""

GAP = 2
"""Pixels between two pictures of a row; they are transparent."""

GREYS = 32
"""Steps from black to white in a feature map: as many as one sees, and half the bytes of 255."""


def png(image: NDArray[np.uint8], *, transparent: int | None = None, colors: int | None = None) -> str:
    """An image, uint8 of shape (h, w), (h, w, 1) or (h, w, 3), as base64 text of a PNG file.

    Args:
        image: at least one pixel high and wide.
        transparent: a grey value that lets the page through, or None. In color, the grey of that value.
        colors: how many different ones a picture in color keeps, from 2 to 256, or None for all. A photograph with 64
            takes a third of the bytes.
    """
    picture, buffer = _as_pil(image), io.BytesIO()
    if colors is not None and transparent is None:
        picture = picture.convert("RGB").quantize(colors)
    grey = picture.mode == "L"
    options = {} if transparent is None else {"transparency": transparent if grey else (transparent,) * 3}
    picture.save(buffer, format="PNG", optimize=True, **options)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def reduced(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """An image whose shorter side has at least so many pixels, and less than twice as many; a smaller one as it is."""
    factor = min(image.shape[:2]) // side
    return image if factor < 2 else np.asarray(_as_pil(image).reduce(factor))


def enlarged(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Each pixel as a square of so many pixels a side."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def row_of_maps(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Maps, shape (h, w, n), side by side, each on its own scale, with gaps of the grey value 0, which no map has."""
    largest = np.abs(values).max(axis=(0, 1))
    share = values / np.where(largest > 0, largest, 1)
    if (values < 0).any():
        share = (share + 1) / 2
    greys = np.maximum(np.round(np.round(share * GREYS) * (255 / GREYS)), 1).astype(np.uint8)
    # All maps get the same room, so that those of one layer stand under those of the layer before.
    side = max(MAP_SIDE, *values.shape[:2])
    greys = enlarged(greys, side // max(values.shape[:2]))
    height, width, maps = greys.shape
    room = np.zeros((maps, side, side + GAP), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    room[:, top : top + height, left : left + width] = greys.transpose(2, 0, 1)
    return np.concatenate(list(room), axis=1)[:, :-GAP]


def row_of_pictures(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures, shape (n, h, w) or (n, h, w, channels), side by side, with gaps of 0, which no pixel has any more."""
    gap = np.zeros((pictures.shape[1], GAP, *pictures.shape[3:]), np.uint8)
    parts = [part for picture in pictures for part in (np.maximum(picture, 1), gap)]
    return np.concatenate(parts[:-1], axis=1)


def beside(picture: NDArray[np.uint8], row: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture, of shape (h, w), (h, w, 1) or (h, w, 3), and to its right a row of grey maps: uint8, (height, w, 3).

    Both begin at the top. The gap between them, and what is below the shorter one, are 0, which no pixel has any more.
    """
    three = picture if picture.ndim == 3 else picture[..., np.newaxis]
    height, width = max(len(picture), len(row)), picture.shape[1] + GAP + row.shape[1]
    found = np.zeros((height, width, 3), np.uint8)
    found[: len(picture), : picture.shape[1]] = np.maximum(three, 1)
    found[: len(row), -row.shape[1] :] = row[..., np.newaxis]
    return found


def stacked(rows: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Grey rows of one shape below each other, with gaps of 0."""
    gap = np.zeros((GAP, rows[0].shape[1]), np.uint8)
    return np.concatenate([part for row in rows for part in (row, gap)][:-1])


def weights_as_picture(weights: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Weights as grey values or colors: zero is the middle, the largest weight in size is white or black."""
    largest = float(np.abs(weights).max()) or 1.0
    return np.round(127.5 + 127.5 * weights / largest).astype(np.uint8)


def _as_pil(image: NDArray[np.uint8]) -> Any:
    from PIL import Image

    return Image.fromarray(image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image)

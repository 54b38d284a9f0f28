"""A drawing or a photograph of one digit as MNIST shows digits: light on dark, 20 of 28 pixels, centred by its mass.

LeCun, Cortes and Burges describe how MNIST was made: each digit was fitted into 20 x 20 pixels, its proportions kept,
and moved into 28 x 28 so that its centre of mass is in the middle. A network
that was trained on such images has seen no others.
"""

import numpy as np
from numpy.typing import NDArray

_SHARE = 20 / 28
_INK = 0.2
_FAINTEST = 16


def as_strokes(pixels: NDArray[np.uint8], shape: tuple[int, int], *, exact: bool) -> NDArray[np.uint8]:
    """A grey image as a model of strokes takes it.

    Args:
        pixels: uint8, shape (height, width).
        shape: height and width of the result.
        exact: whether the image came in that size; light on dark, it is then taken as it is.

    Returns:
        uint8, of ``shape``: all zeros where there is no drawing to be seen.
    """
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ground = float(np.median(border))
    if exact and ground < 128:
        return np.ascontiguousarray(pixels)
    ink = pixels.astype(np.float32)  # and changed in its place: there may be millions of them
    if ground < 128:
        ink -= ground
    else:
        np.subtract(ground, ink, out=ink)
    np.clip(ink, 0, None, out=ink)
    strongest = float(ink.max(initial=0))
    result = np.zeros(shape, np.uint8)
    if strongest < _FAINTEST:
        return result
    ink /= strongest
    rows, columns = (np.flatnonzero((ink > _INK).any(axis=axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    small = _fitted(cut, (max(1, round(_SHARE * shape[0])), max(1, round(_SHARE * shape[1]))))
    total = small.sum()
    middle = [float((small.sum(axis=1 - axis) * np.arange(small.shape[axis])).sum() / total) for axis in (0, 1)]
    places = []
    for axis in (0, 1):
        start = round((shape[axis] - 1) / 2 - middle[axis])
        places.append(min(max(start, 0), shape[axis] - small.shape[axis]))
    top, left = places
    result[top : top + small.shape[0], left : left + small.shape[1]] = np.rint(255 * small.clip(0, 1))
    return result


def _fitted(cut: NDArray[np.float32], inside: tuple[int, int]) -> NDArray[np.float32]:
    """Made as large as fits, its proportions kept."""
    from PIL import Image

    scale = min(inside[0] / cut.shape[0], inside[1] / cut.shape[1])
    size = [min(max(1, round(cut.shape[i] * scale)), inside[i]) for i in (0, 1)]
    image = Image.fromarray(cut).resize((size[1], size[0]), Image.Resampling.LANCZOS)
    small = np.asarray(image, np.float32)
    return small / max(float(small.max(initial=0)), 1e-6)

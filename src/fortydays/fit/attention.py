"""Where a classifier looks: class activation maps, and how they are laid over a photograph.

For a linear head on features that were averaged over the places of a picture, the map of Grad-CAM (Selvaraju et al.,
2017) is that of CAM (Zhou et al., 2016): the logit of a class is the mean over the places of what each adds to it, so
its gradient by the features of a place is the same weights everywhere, and no gradient need be computed.
"""

import numpy as np
from numpy.typing import NDArray

SHARE = 0.45
"""Of the colours in an overlay; the rest is the photograph."""

_STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_COLOURS = ((14, 8, 46), (94, 20, 110), (190, 55, 84), (245, 132, 31), (252, 247, 170))
"""At these stops: dark where nothing speaks for the class, and lighter the more does, so that grey prints show it."""


def class_activation(maps: NDArray[np.float32], weights: NDArray[np.float32], label: int) -> NDArray[np.float32]:
    """What each place of a picture adds to the logit of a class.

    Args:
        maps: float32, shape (h, w, channels): a backbone's features of one picture before they are averaged.
        weights: float32, shape (channels, classes), of the head.
        label: the class.

    Returns:
        float32, shape (h, w), from 0 to 1: what speaks against the class is 0, the place that speaks most for it 1.
        All are 0 where none does.
    """
    heat = np.maximum(np.asarray(maps, np.float32) @ np.asarray(weights, np.float32)[:, label], np.float32(0))
    most = float(heat.max(initial=0))
    return np.asarray(heat / most if most > 0 else heat, np.float32)


def overlay(picture: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A photograph with a map laid over it in colours.

    Args:
        picture: uint8, shape (height, width, 3).
        heat: from 0 to 1, shape (h, w), of the whole picture; it is enlarged smoothly.

    Returns:
        uint8, shape (height, width, 3).
    """
    from PIL import Image

    height, width = picture.shape[:2]
    small = Image.fromarray(np.asarray(heat, np.float32))
    large = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR)).clip(0, 1)
    colours = np.stack([np.interp(large, _STOPS, channel) for channel in zip(*_COLOURS, strict=True)], axis=-1)
    return np.rint((1 - SHARE) * picture + SHARE * colours).astype(np.uint8)

"""From an image file of a request to the pixels a model takes."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.base.image_parts import is_plain
from fortydays.base.images import (
    Reason,
    UnreadableImageError,
    check_content,
    damaged,
    has_many_scans,
    in_one_scan,
    least_side,
    pixels_at_once,
    prepared,
    read_head,
    upright,
)
from fortydays.serve.digits import as_strokes
from fortydays.serve.errors import RequestError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP")
"""What is decoded; each has a decoder that is fuzzed by its makers."""

_SMALL, _LARGE = 10_000, 2_000_000
_SMALL_FILE = 20_000
_SMALLEST_SIDE = 512
"""A drawing may fill a small part of a photograph: pixels that are left of the shorter side, at least."""
_STATUS = {Reason.UNKNOWN: 415, Reason.TOO_LARGE: 413, Reason.DAMAGED: 422, Reason.RANGE: 422}


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """An image file whose head was read and found to be in order.

    Attributes:
        image: whose pixels are not decoded yet.
        shape: height, width and channels (1 or 3) of what the model takes.
        strokes: whether it takes light strokes on a dark ground.
    """

    image: "Image"
    shape: tuple[int, int, int]
    strokes: bool

    @property
    def is_small(self) -> bool:
        """Whether decoding it takes less time than the way to another thread and back."""
        return self.image.size[0] * self.image.size[1] <= _SMALL

    @property
    def is_large(self) -> bool:
        """Whether it takes much time and memory to decode."""
        return self.image.size[0] * self.image.size[1] > _LARGE

    def pixels(self) -> NDArray[np.uint8]:
        """The pixels for a model.

        An image of the model's own size is taken as it is. Others are turned upright by their EXIF orientation, cut to
        the model's shape around the middle, and made smaller or larger; transparency is seen on white. For a model of
        strokes, the drawing is found, made light on dark, and centred by its mass as MNIST's digits are.

        Returns:
            uint8, shape (height, width), or (height, width, 3) for three channels.

        Raises:
            RequestError: 422, the file is damaged.
        """
        height, width, channels = self.shape
        try:
            if _finds_strokes(self.shape, strokes=self.strokes):
                return _strokes(self.image, (height, width))
            return prepared(self.image, height=height, width=width, mode="L" if channels == 1 else "RGB")
        except UnreadableImageError as error:
            raise _refused(error) from None


def unpack(
    content: bytes,
    shape: tuple[int, int, int],
    *,
    strokes: bool,
    most_pixels: int,
    most_jpeg_pixels: int = 0,
    formats: tuple[str, ...] = FORMATS,
) -> Unpacked:
    """Read the head of an image file.

    Args:
        content: the file; of an animation, the first picture counts.
        shape: height, width and channels (1 or 3) of what the model takes.
        strokes: whether it takes light strokes on a dark ground.
        most_pixels: width times height of what is in memory at once while it is decoded.
        most_jpeg_pixels: width times height of a JPEG of which less is in memory at once, where that may be more.
        formats: what it may be, in Pillow's words.

    Raises:
        RequestError: 415 where it is no such file, 413 where it has too many pixels, 422 where it is damaged.
    """
    expected = f"at most {most_pixels:,} in all"
    if most_jpeg_pixels > most_pixels:
        expected += f", or {most_jpeg_pixels:,} of a JPEG that is not progressive"
    try:
        image = read_head(content, formats=formats, most_pixels=max(most_pixels, most_jpeg_pixels), expected=expected)
        check_content(content, image)
    except UnreadableImageError as error:
        raise _refused(error) from None
    width, height = image.size
    if 2 * width * height > most_pixels:
        _check_memory(content, image, shape, strokes=strokes, most_pixels=most_pixels, expected=expected)
    return Unpacked(image=image, shape=shape, strokes=strokes)


def _check_memory(
    content: bytes, image: "Image", shape: tuple[int, int, int], *, strokes: bool, most_pixels: int, expected: str
) -> None:
    """Refuse an image of which too much is in memory at once."""
    width, height = image.size
    finds = _finds_strokes(shape, strokes=strokes)
    least = _SMALLEST_SIDE if finds else least_side(shape[0], shape[1])
    left = pixels_at_once(content, image, least=least)
    if finds:  # a drawing is looked for in numbers of four bytes
        left = max(left, width * height * 9 // 5 // max(1, min(width, height) // least) ** 2)
    if left <= most_pixels:
        return
    said = f"The image has {width:,} x {height:,} pixels"
    if in_one_scan(content, image):  # which it is told to be, but too long and thin
        said += f", of which {left:,} have to be kept for this model"
    elif width * height <= most_pixels:
        said += f", which take as much memory as {left:,} of a usual PNG"
    raise RequestError(_STATUS[Reason.TOO_LARGE], f"{said}; expected {expected}.")


def decode_if_small(
    content: bytes, shape: tuple[int, int, int], *, strokes: bool, most_pixels: int, most_jpeg_pixels: int = 0
) -> NDArray[np.uint8] | None:
    """The pixels for a model from an image file, at once; None where that could take longer than a moment.

    Raises:
        RequestError: as :func:`unpack` and :meth:`Unpacked.pixels`.
    """
    if len(content) > _SMALL_FILE or not is_plain(content):
        return None
    unpacked = unpack(content, shape, strokes=strokes, most_pixels=most_pixels, most_jpeg_pixels=most_jpeg_pixels)
    if not unpacked.is_small or has_many_scans(content, unpacked.image):
        return None
    return unpacked.pixels()


def decode(
    content: bytes, shape: tuple[int, int, int], *, strokes: bool, most_pixels: int, most_jpeg_pixels: int = 0
) -> NDArray[np.uint8]:
    """Both at once: :func:`unpack`, and its pixels."""
    return unpack(content, shape, strokes=strokes, most_pixels=most_pixels, most_jpeg_pixels=most_jpeg_pixels).pixels()


def _finds_strokes(shape: tuple[int, int, int], *, strokes: bool) -> bool:
    return strokes and shape[2] == 1


def _strokes(image: "Image", size: tuple[int, int]) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            grey = upright(image, mode="L", least=_SMALLEST_SIDE)
            return as_strokes(np.asarray(grey, dtype=np.uint8), size, exact=grey.size == (size[1], size[0]))
    except Exception:  # whatever a decoder stumbles on, the file is what is wrong
        raise damaged() from None


def _refused(error: UnreadableImageError) -> RequestError:
    return RequestError(_STATUS[error.reason], error.message)

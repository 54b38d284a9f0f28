"""From an image file of anyone to the pixels a model takes: bounded, checked, and upright."""

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
_MOST_SCANS = 64
"""Of a JPEG. Each is a pass over the whole image, and forty bytes are enough to ask for one; usual are 1 to 12."""
_START_OF_SCAN = b"\xff\xda"


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """An image file whose head was read and found to be in order.

    Attributes:
        image: whose pixels are not decoded yet.
    """

    image: "Image"

    @property
    def is_small(self) -> bool:
        """Whether decoding it takes less time than the way to another thread and back."""
        return self.image.size[0] * self.image.size[1] <= _SMALL

    @property
    def is_large(self) -> bool:
        """Whether it takes much time and memory to decode."""
        return self.image.size[0] * self.image.size[1] > _LARGE

    def pixels(self, shape: tuple[int, int, int], *, strokes: bool) -> NDArray[np.uint8]:
        """The pixels for a model.

        An image of the model's own size is taken as it is. Others are turned upright by their EXIF orientation, cut to
        the model's shape around the middle, and made smaller or larger; transparency is seen on white. For a model of
        strokes, the drawing is found, made light on dark, and centred by its mass as MNIST's digits are.

        Args:
            shape: height, width and channels (1 or 3) of what the model takes.
            strokes: whether it takes light strokes on a dark ground.

        Returns:
            uint8, shape (height, width), or (height, width, 3) for three channels.

        Raises:
            RequestError: 422, the file is damaged.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _pixels(self.image, shape, strokes=strokes)
        except Exception:  # whatever a decoder stumbles on, the file is what is wrong
            raise _damaged() from None


def unpack(content: bytes, *, most_pixels: int) -> Unpacked:
    """Read the head of an image file.

    Args:
        content: a PNG, JPEG or WebP file; of an animation, the first picture counts.
        most_pixels: width times height of what is decoded at all.

    Raises:
        RequestError: 415 where it is no such file, 413 where it has too many pixels, 422 where it is damaged.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata, and of bombs, which are counted here
            image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError:
        raise RequestError(413, f"The image has far too many pixels; expected at most {most_pixels:,}.") from None
    except UnidentifiedImageError:
        raise RequestError(415, f"This is no image that can be read; expected {_or(FORMATS)}.") from None
    except Exception:  # as above
        raise _damaged() from None
    width, height = image.size
    if width * height > most_pixels or width < 1 or height < 1:
        raise RequestError(
            413, f"The image has {width:,} x {height:,} pixels; expected at most {most_pixels:,} in all."
        )
    if image.format == "JPEG" and content.count(_START_OF_SCAN) > _MOST_SCANS:
        raise RequestError(422, f"The JPEG has too many scans; expected at most {_MOST_SCANS}.")
    return Unpacked(image=image)


def decode_if_small(
    content: bytes, shape: tuple[int, int, int], *, strokes: bool, most_pixels: int
) -> NDArray[np.uint8] | None:
    """The pixels for a model from an image file, at once; None where that could take longer than a moment.

    Raises:
        RequestError: as :func:`unpack` and :meth:`Unpacked.pixels`.
    """
    if len(content) > _SMALL_FILE:
        return None
    unpacked = unpack(content, most_pixels=most_pixels)
    return unpacked.pixels(shape, strokes=strokes) if unpacked.is_small else None


def decode(content: bytes, shape: tuple[int, int, int], *, strokes: bool, most_pixels: int) -> NDArray[np.uint8]:
    """Both at once: :func:`unpack`, and its pixels."""
    return unpack(content, most_pixels=most_pixels).pixels(shape, strokes=strokes)


def _pixels(image: "Image", shape: tuple[int, int, int], *, strokes: bool) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    height, width, channels = shape
    mode = "L" if channels == 1 else "RGB"
    if image.format == "JPEG":
        # Lets the decoder skip detail that would be thrown away: up to eight times smaller, still twice as large.
        side = _SMALLEST_SIDE if strokes else 2 * max(height, width)
        image.draft(None, (side, side))
    if image.size[0] * image.size[1] > _LARGE:
        image = _reduced(image, _SMALLEST_SIDE if strokes else 2 * max(height, width))
    image = ImageOps.exif_transpose(image)
    exact = image.size == (width, height)
    image = _opaque(image).convert(mode)
    if strokes and channels == 1:
        pixels = np.asarray(image, dtype=np.uint8)
        return as_strokes(pixels, (height, width), exact=exact)
    if not exact:
        shrinks = image.size[0] >= 2 * width and image.size[1] >= 2 * height
        image = ImageOps.fit(image, (width, height), Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC)
    return np.array(image, dtype=np.uint8)


def _reduced(image: "Image", side: int) -> "Image":
    """Made smaller by a whole number, by averages, before anything else makes copies: neither side below ``side``."""
    factor = min(image.size) // side
    if factor < 2:
        return image
    info = image.info
    if image.mode in ("P", "PA") or "transparency" in info:
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode.startswith("I"):
        image = image.convert("I")
    small = image.reduce(factor)
    small.info = {name: value for name, value in info.items() if name != "transparency"}
    return small


def _opaque(image: "Image") -> "Image":
    """Without transparency: on white, as paper is. Sixteen bits of grey become eight."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        numbers = np.asarray(image, dtype=np.float64)
        largest = 65535.0 if numbers.max(initial=0) > 255 else 255.0
        return Image.fromarray((numbers * (255 / largest)).clip(0, 255).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image


def _damaged() -> RequestError:
    return RequestError(422, "The image cannot be decoded: it is damaged or cut off.")


def _or(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"

"""From an image file of anyone to upright pixels of one size: bounded, checked, and the same wherever it is done.

A network that is shown other pixels in service than it was shown in training is wrong in ways that nobody sees. So the
service and whoever prepares photographs for training come here, and there is no second way.
"""

import functools
import io
import re
import warnings
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import FortydaysError, Problem, UnreadableContentError
from fortydays.base.image_parts import (
    JPEGS,
    check_parts,
    has_all_boxes,
    orientation_in,
    significant_bits,
    without_ballast,
)

if TYPE_CHECKING:
    from PIL.Image import Image

PREPARATION = 1
"""Number of the way from file to pixels, for whoever keeps pixels: another number, other pixels."""

MOST_SIDE = 65_535
"""Pixels upwards or sideways: for each row, decoders and what follows them hold something beside its pixels."""

_LARGE = 2_000_000
_BAND = 500_000
"""Pixels of a large image that are worked on together."""
_MOST_SCANS = 64
"""Of a JPEG. Each is a pass over the whole image, and forty bytes are enough to ask for one; usual are 1 to 12."""
_START_OF_SCAN = b"\xff\xda"
_HEIF = "HEIF"  # the container, in which telephones write HEIC
_ORIENTATION = 0x0112
_POWERS = tuple(2**bits for bits in range(9, 16))
_LEAST_FILLED = 1 / 16
"""Share of its range that the brightest pixel of an image of fractions reaches; below it, the range is a guess."""


class Reason(Enum):
    """Why a file gives no pixels."""

    UNKNOWN = "it is no image that can be read"
    TOO_LARGE = "it has too many pixels"
    DAMAGED = "it is damaged or cut off"
    RANGE = "its pixel values fill none of the ranges 0 to 1, 0 to 255 and 0 to 65,535"


_PROBLEMS = {Reason.UNKNOWN: Problem.UNKNOWN, Reason.TOO_LARGE: Problem.TOO_LARGE}


class UnreadableImageError(UnreadableContentError):
    """A file that gives no pixels.

    Args:
        reason: why.
        message: the same in words, with what was found.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(_PROBLEMS.get(reason, Problem.DAMAGED), message)
        self.reason = reason


def read_head(content: bytes, *, formats: tuple[str, ...], most_pixels: int, expected: str = "") -> "Image":
    """Open an image file and read its head; its pixels are not decoded yet.

    Args:
        content: the file; of an animation, the first picture counts.
        formats: what it may be, in Pillow's words.
        most_pixels: width times height of what is decoded at all.
        expected: how many pixels there may be, in words, where that is not all there is to say.

    Raises:
        UnreadableImageError: it is none of these, has more pixels or a longer side, or is damaged; or its head asks
            for more memory or time than any camera's.
        FortydaysError: what reads HEIC is not installed, or broken.
    """
    from PIL import Image, UnidentifiedImageError

    possible = formats
    if content[4:8] != b"ftyp":
        possible = tuple(each for each in formats if each != _HEIF)
    elif _HEIF in formats:
        _teach_heif()
    expected = expected or f"at most {most_pixels:,} in all"
    try:
        check_parts(content)
        bits = significant_bits(content)
        content = without_ballast(content)
    except ValueError as error:
        raise UnreadableImageError(Reason.DAMAGED, str(error)) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata, and of bombs, which are counted here
            image = Image.open(io.BytesIO(content), formats=possible)
    except Image.DecompressionBombError:
        raise UnreadableImageError(
            Reason.TOO_LARGE, f"The image has far too many pixels; expected {expected}."
        ) from None
    except UnidentifiedImageError:
        names = ["HEIC" if each == _HEIF else each for each in formats]
        known = f"{', '.join(names[:-1])} or {names[-1]}"
        raise UnreadableImageError(Reason.UNKNOWN, f"This is no image that can be read; expected {known}.") from None
    except Exception:  # whatever a decoder stumbles on, the file is what is wrong
        raise damaged() from None
    width, height = image.size
    if width * height <= most_pixels and min(width, height) >= 1:
        if max(width, height) <= MOST_SIDE:
            image.info["sBIT"] = bits
            return image
        expected = f"at most {MOST_SIDE:,} upwards and sideways"
    raise UnreadableImageError(Reason.TOO_LARGE, f"The image has {width:,} x {height:,} pixels; expected {expected}.")


@functools.cache
def _teach_heif() -> None:
    """Let Pillow open what iPhones write, from here on wherever it is used in this process."""
    try:
        import pi_heif
    except ImportError as error:
        raise FortydaysError(
            f"pi-heif, which reads HEIC files, cannot be loaded: {error}.", hint="Install it again: make setup"
        ) from error
    # What else such a file carries is not looked at, and whoever decodes has threads of their own.
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def check_content(content: bytes, image: "Image") -> None:
    """Refuse what a decoder would take, though no camera or program writes it.

    That is a JPEG that asks for more passes over its pixels than any of them needs, and a HEIF that is cut off: of its
    tiles, the decoder would leave out those that are not there, and say nothing.

    Raises:
        UnreadableImageError: it is such a file.
    """
    if image.format in JPEGS and content.count(_START_OF_SCAN) > _MOST_SCANS:
        raise UnreadableImageError(Reason.DAMAGED, f"The JPEG has too many scans; expected at most {_MOST_SCANS}.")
    if image.format == _HEIF and not has_all_boxes(content):
        raise damaged()


def upright(image: "Image", *, mode: str, least: int) -> "Image":
    """An opened image decoded, turned as its EXIF orientation says, without transparency, in the mode asked for.

    Transparency is seen on white, as paper is. Numbers with more than eight bits become eight. A file of 16 bits, or
    one that says what its black and its white are, or how many bits it uses, is taken at its word. Else numbers run
    from 0 to 1 where they have a fraction, or, where one is larger, to 255 or 65,535.

    Args:
        image: from :func:`read_head`.
        mode: "L" or "RGB".
        least: a large image may be made smaller on the way, as long as neither side becomes shorter than this;
            :func:`least_side` for a network.

    Raises:
        UnreadableImageError: its pixel values are in no range that is known.
        Exception: whatever the decoder stumbles on; :func:`prepared` says that the file is damaged.
    """
    if image.format in JPEGS:
        # Lets the decoder skip detail that would be thrown away: up to eight times smaller.
        image.draft(None, (least, least))
    declared = _declared(image)
    if image.size[0] * image.size[1] > _LARGE:
        image = _reduced(image, least)
    image.load()  # some tell only behind their pixels how they are turned
    turned = 1 if hasattr(image, "tag_v2") else orientation(image)  # a TIFF is turned by its decoder
    if image.size[0] * image.size[1] > _LARGE:
        return _in_bands(image, mode, turned, declared)
    image = _opaque(_turned(image, turned), declared)
    return image if image.mode == mode else image.convert(mode)  # which copies in any case


def orientation(image: "Image") -> int:
    """How an image is turned, as EXIF numbers it: 1 for not at all, 5 to 8 for a quarter."""
    if hasattr(image, "tag_v2"):
        return int(image.tag_v2.get(_ORIENTATION, 1))
    info, found = image.info, None
    raw = info.get("Raw profile type exif")  # as ImageMagick writes it into a PNG
    exif = info.get("exif") or (bytes.fromhex("".join(raw.split("\n")[3:])) if isinstance(raw, str) else None)
    if isinstance(exif, bytes):
        found = orientation_in(exif)
    text = info.get("XML:com.adobe.xmp") or info.get("xmp")
    if found is None and text:
        told = re.search(rb'tiff:Orientation(="|>)([0-9])', text.encode() if isinstance(text, str) else text)
        found = int(told[2]) if told else None
    return found if found is not None and 1 <= found <= 8 else 1


def fitted(image: "Image", *, height: int, width: int) -> NDArray[np.uint8]:
    """The middle of an image, as large as its shape allows, as pixels of one size.

    Returns:
        uint8, shape (height, width) for an image of mode "L", (height, width, 3) for "RGB".
    """
    from PIL import Image, ImageOps

    if image.size != (width, height):
        shrinks = image.size[0] >= 2 * width and image.size[1] >= 2 * height
        image = ImageOps.fit(image, (width, height), Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC)
    return np.array(image, dtype=np.uint8)


def least_side(height: int, width: int) -> int:
    """Pixels that have to be left of the shorter side for an image to be made that small by averages."""
    return 2 * max(height, width)


def prepared(image: "Image", *, height: int, width: int, mode: str) -> NDArray[np.uint8]:
    """Both at once: the pixels that a network gets of an opened image file.

    Raises:
        UnreadableImageError: the file is damaged, or its pixel values are in no range that is known.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fitted(upright(image, mode=mode, least=least_side(height, width)), height=height, width=width)
    except UnreadableImageError:
        raise
    except Exception:  # as above
        raise damaged() from None


def damaged() -> UnreadableImageError:
    """The error for a file whose pixels cannot be had."""
    return UnreadableImageError(Reason.DAMAGED, "The image cannot be decoded: it is damaged or cut off.")


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


def _turned(image: "Image", turned: int) -> "Image":
    if turned == 1:
        return image
    from PIL.Image import Transpose

    way = {
        2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
    }.get(turned)  # fmt: skip
    return image if way is None else image.transpose(way)


def _in_bands(image: "Image", mode: str, turned: int, declared: tuple[float, float] | None) -> "Image":
    """The same as for a small image, a few rows at a time: beside the image, there is only the result in memory."""
    from PIL import Image

    width, height = image.size
    rows = max(1, _BAND // width)
    bands = [(top, min(top + rows, height)) for top in range(0, height, rows)]
    levels = None
    if _has_many_greys(image):
        seen = np.array([_range(np.asarray(image.crop((0, top, width, end)))) for top, end in bands])
        # NumPy's least and most, other than Python's, are not a number where one of them is not.
        levels = _levels(float(seen[:, 0].min()), float(seen[:, 1].max()), image.mode, declared)
    whole = Image.new(mode, (width, height) if turned <= 4 else (height, width))
    for top, end in bands:
        band = _turned(_opaque(image.crop((0, top, width, end)), levels).convert(mode), turned)
        place = top if turned in (1, 2, 5, 8) else height - end
        whole.paste(band, (0, place) if turned <= 4 else (place, 0))
    return whole


def _has_many_greys(image: "Image") -> bool:
    """Whether it has more than 256."""
    return image.mode.startswith("I") or image.mode == "F"


def _range(numbers: NDArray[Any]) -> tuple[float, float]:
    return float(numbers.min()), float(numbers.max())


def _declared(image: "Image") -> tuple[float, float] | None:
    """The pixel values that are black and white, where the format or the file says so."""
    black, white, tags = 0.0, None, getattr(image, "tag_v2", {})
    if image.mode.startswith("I") and (image.format == "PNG" or ";16" in image.mode):
        # TIFF 6.0, section 8: BitsPerSample and MaxSampleValue. The latter may be what is the largest in this one
        # picture. It counts where it is the largest that so many bits can hold.
        most = _number(tags, 281)
        bits = int(image.info.get("sBIT") or _number(tags, 258) or 16)
        if most is not None and most + 1 in _POWERS:
            bits = int(most).bit_length()
        white = 2.0**bits - 1 if 8 < bits < 16 else 65535.0
    # Section 19: SMinSampleValue and SMaxSampleValue.
    least, most = _number(tags, 340), _number(tags, 341)
    black, white = black if least is None else least, white if most is None else most
    return (black, white) if white is not None and -np.inf < black < white < np.inf else None


def _number(tags: Any, tag: int) -> float | None:
    """The first value of a tag of a TIFF; None where there is none that is a number."""
    try:
        return float(np.ravel(tags[tag])[0])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _levels(least: float, most: float, mode: str, declared: tuple[float, float] | None) -> tuple[float, float]:
    """The pixel values that are black and white, for a picture whose values are from ``least`` to ``most``."""
    if declared is not None and declared[0] <= least and most <= declared[1]:
        return declared
    return 0.0, _white(least, most, fraction=mode == "F")


def _white(least: float, most: float, *, fraction: bool) -> float:
    """The pixel value that is white in a file that does not say so."""
    if not (least >= 0 and most <= 65535):  # not a number is neither
        raise UnreadableImageError(
            Reason.RANGE,
            f"The image has pixel values from {least:g} to {most:g}; expected 0 to 1, 0 to 255 or 0 to 65,535.",
        )
    white = 1.0 if fraction and most <= 1 else 255.0 if most <= 255 else 65535.0
    if fraction and white > 1 and most < white * _LEAST_FILLED:  # 0 to 1.0001, or kelvin: it would become black
        raise UnreadableImageError(
            Reason.RANGE,
            f"The image has pixel values up to {most:.7g}, so it is not clear which value is white; expected values "
            "that fill 0 to 1, 0 to 255 or 0 to 65,535.",
        )
    return white


def _opaque(image: "Image", levels: tuple[float, float] | None) -> "Image":
    """Without transparency: on white, as paper is. Numbers of more than eight bits become eight, by their levels."""
    from PIL import Image

    if _has_many_greys(image):
        numbers = np.asarray(image, dtype=np.float64)
        black, white = _levels(*_range(numbers), image.mode, levels)
        return Image.fromarray(((numbers - black) * (255 / (white - black))).clip(0, 255).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image

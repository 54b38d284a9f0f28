"""From an image file of anyone to upright pixels of one size: bounded, checked, and the same wherever it is done.

A network that is shown other pixels in service than it was shown in training is wrong in ways that nobody sees. So the
service and whoever prepares photographs for training come here, and there is no second way.
"""

import functools
import os
import warnings
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import FortydaysError

if TYPE_CHECKING:
    from PIL.Image import Image

PREPARATION = 1
"""Number of the way from file to pixels, for whoever keeps pixels: another number, other pixels."""

_LARGE = 2_000_000
_MOST_SCANS = 64
"""Of a JPEG. Each is a pass over the whole image, and forty bytes are enough to ask for one; usual are 1 to 12."""
_START_OF_SCAN = b"\xff\xda"
_MARKER, _SCAN, _SEQUENTIAL = 0xFF, 0xDA, (0xC0, 0xC1)
_BETWEEN = frozenset((0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)))
"""Tables, comments, and what programs add, such as EXIF: all that comes before the scan of a camera's JPEG."""
_MOST_SEGMENTS = 1_000
"""Before the scan; large ones have one for each 64 KiB of what programs add."""
_HEIF = "HEIF"  # the container, in which telephones write HEIC
_DATA = b"mdat"
_BOXES = frozenset((b"ftyp", b"meta", _DATA))
"""Of a HEIF file, those that its pictures need; without a whole one of each there are none, or parts of them."""
_JPEG = ("JPEG", "MPO")  # Pillow's name for a JPEG that carries further pictures, as many telephones write them


class Reason(Enum):
    """Why a file gives no pixels."""

    UNKNOWN = "it is no image that can be read"
    TOO_LARGE = "it has too many pixels"
    DAMAGED = "it is damaged or cut off"
    RANGE = "its pixel values are not from 0 to 65,535"


class UnreadableImageError(FortydaysError):
    """A file that gives no pixels.

    Args:
        reason: why.
        message: the same in words, with what was found.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read_head(source: Path | IO[bytes], *, formats: tuple[str, ...], most_pixels: int, expected: str = "") -> "Image":
    """Open an image file and read its head; its pixels are not decoded yet.

    Args:
        source: the file; of an animation, the first picture counts.
        formats: what it may be, in Pillow's words.
        most_pixels: width times height of what is decoded at all.
        expected: how many pixels there may be, in words, where that is not all there is to say.

    Raises:
        UnreadableImageError: it is none of these, has more pixels, or is damaged.
        OSError: a path cannot be read.
        FortydaysError: what reads HEIC is not installed, or broken.
    """
    from PIL import Image, UnidentifiedImageError

    possible = formats
    if not _begins_like_heif(source):
        possible = tuple(each for each in formats if each != _HEIF)
    elif _HEIF in formats:
        _teach_heif()
    expected = expected or f"at most {most_pixels:,} in all"
    too_many = UnreadableImageError(Reason.TOO_LARGE, f"The image has far too many pixels; expected {expected}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata, and of bombs, which are counted here
            image = Image.open(source, formats=possible)
    except Image.DecompressionBombError:
        raise too_many from None
    except UnidentifiedImageError:
        names = ["HEIC" if each == _HEIF else each for each in formats]
        known = f"{', '.join(names[:-1])} or {names[-1]}"
        raise UnreadableImageError(Reason.UNKNOWN, f"This is no image that can be read; expected {known}.") from None
    except Exception:  # whatever a decoder stumbles on, the file is what is wrong
        raise damaged() from None
    width, height = image.size
    if width * height > most_pixels or width < 1 or height < 1:
        raise UnreadableImageError(
            Reason.TOO_LARGE, f"The image has {width:,} x {height:,} pixels; expected {expected}."
        )
    return image


def _begins_like_heif(source: Path | IO[bytes]) -> bool:
    if isinstance(source, Path):
        with source.open("rb") as file:  # so that what the system says is not taken for what the decoder says
            head = file.read(8)
    else:
        head = source.read(8)
        source.seek(-len(head), os.SEEK_CUR)
    return head[4:] == b"ftyp"


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

    Args:
        content: the file.
        image: from :func:`read_head`.

    Raises:
        UnreadableImageError: it is such a file.
    """
    if image.format in _JPEG and content.count(_START_OF_SCAN) > _MOST_SCANS:
        raise UnreadableImageError(Reason.DAMAGED, f"The JPEG has too many scans; expected at most {_MOST_SCANS}.")
    if image.format == _HEIF and not _has_all_boxes(content):
        raise damaged()


def _has_all_boxes(content: bytes) -> bool:
    """Whether no box that a HEIF file needs is longer than what there is (ISO/IEC 14496-12, section 4.2)."""
    place, with_data = 0, False
    while place + 8 <= len(content):
        size, kind, head = int.from_bytes(content[place : place + 4]), content[place + 4 : place + 8], 8
        if size == 1:  # a long one has its size behind its name
            size, head = int.from_bytes(content[place + 8 : place + 16]), 16
        if size == 0:  # up to the end
            return True
        if size < head or place + size > len(content):
            return with_data and kind not in _BOXES  # what telephones add at the end is no box
        with_data |= kind == _DATA
        place += size
    return True


def pixels_at_once(content: bytes, image: "Image", *, least: int) -> int:
    """How many pixels are in memory together while an image is decoded, width times height.

    A JPEG that has all its colours in one scan, as those of cameras have, is decoded a few rows at a time, and made
    smaller as :func:`upright` allows before the next rows come. Of any other image there is the whole.

    Args:
        content: the file.
        image: from :func:`read_head`.
        least: as for :func:`upright`.
    """
    width, height = image.size
    if not in_one_scan(content, image):
        return width * height
    factor = next((factor for factor in (8, 4, 2) if min(width, height) // least >= factor), 1)
    return -(-width // factor) * -(-height // factor)


def in_one_scan(content: bytes, image: "Image") -> bool:
    """Whether a JPEG is decoded in one pass: sequential, and its first scan has as many colours as its frame.

    The decoder's own rule, asked before it is. A file that is written otherwise than cameras do, though a decoder may
    take it (ITU-T T.81, annex B), counts as no: were two readers of such a head to see different frames in it, the
    memory that decoding takes would be anyone's guess.

    Args:
        content: the file.
        image: from :func:`read_head`.
    """
    if image.format not in _JPEG or image.info.get("progressive"):
        return False
    colours, place = 0, 2
    for _ in range(_MOST_SEGMENTS):
        if place + 9 >= len(content) or content[place] != _MARKER:
            return False
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4])
        if marker == _SCAN:
            return 0 < colours == content[place + 4] == getattr(image, "layers", 0)
        if marker in _SEQUENTIAL and not colours:
            colours = content[place + 9]
        elif marker not in _BETWEEN:
            return False
        if length < 2:  # its own two bytes are counted
            return False
        place += 2 + length
    return False


def upright(image: "Image", *, mode: str, least: int) -> "Image":
    """An opened image decoded, turned as its EXIF orientation says, without transparency, in the mode asked for.

    Transparency is seen on white, as paper is. Numbers with more than eight bits become eight; those with a fraction
    run from 0 to 1, or, where one is larger, to 255 or 65,535.

    Args:
        image: from :func:`read_head`.
        mode: "L" or "RGB".
        least: a large image may be made smaller on the way, as long as neither side becomes shorter than this;
            :func:`least_side` for a network.

    Raises:
        UnreadableImageError: its pixel values are in no range that is known.
        Exception: whatever the decoder stumbles on; :func:`prepared` says that the file is damaged.
    """
    from PIL import ImageOps

    if image.format in _JPEG:
        # Lets the decoder skip detail that would be thrown away: up to eight times smaller.
        image.draft(None, (least, least))
    if image.size[0] * image.size[1] > _LARGE:
        image = _reduced(image, least)
    return _opaque(ImageOps.exif_transpose(image)).convert(mode)


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


def _opaque(image: "Image") -> "Image":
    """Without transparency: on white, as paper is. Numbers of more than eight bits become eight."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64), fraction=image.mode == "F"))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image


def _eight_bits(numbers: NDArray[np.float64], *, fraction: bool) -> NDArray[np.uint8]:
    """Pixel values of a scientific camera or program as 0 to 255. No file says how far its numbers go."""
    least, most = float(numbers.min(initial=0)), float(numbers.max(initial=0))
    if not (least >= 0 and most <= 65535):  # not a number is neither
        raise UnreadableImageError(
            Reason.RANGE,
            f"The image has pixel values from {least:g} to {most:g}; expected 0 to 1, 0 to 255 or 0 to 65,535.",
        )
    largest = 1.0 if fraction and most <= 1 else 255.0 if most <= 255 else 65535.0
    return (numbers * (255 / largest)).clip(0, 255).astype(np.uint8)

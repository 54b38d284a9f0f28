"""The parts that image files are made of, looked at before any decoder sees them.

A decoder unpacks every text, profile and tag of a file, though no pixel needs them. A few bytes of them can ask for
gigabytes, or for seconds. So their number and their size are bounded here.
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

JPEGS = ("JPEG", "MPO")
"""Formats in Pillow's words; the second is a JPEG that carries further pictures, as many telephones write them."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_PNG_PIXELS = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
_PNG_TEXTS = frozenset((b"tEXt", b"zTXt", b"iTXt"))
_TURNING = frozenset((b"XML:com.adobe.xmp", b"xmp", b"exif", b"Raw profile type exif"))
"""Texts of a PNG in which its orientation can be."""
_MOST_CHUNKS, _MOST_TURNING = 100_000, 8

_START_OF_SCAN, _EXIF, _MULTI = 0xDA, b"Exif\0\0", b"MPF\0"
_ALONE = frozenset((0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)))
"""Markers of a JPEG that the reader takes as two bytes without a segment."""
_MOST_STEPS, _MOST_EXIF, _MOST_PHOTOSHOP = 100_000, 64, 64
_MOST_SEGMENTS = 10_000

_MARK, _SEQUENTIAL = 0xFF, (0xC0, 0xC1)
_BETWEEN = frozenset((0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)))
"""Tables, comments, and what programs add, such as EXIF: all that comes before the scan of a camera's JPEG."""
_MOST_BEFORE_SCAN = 1_000
"""Segments; large ones have one for each 64 KiB of what programs add."""

_MEDIA = b"mdat"
_BOXES = frozenset((b"ftyp", b"meta", _MEDIA))
"""Of a HEIF file, those that its pictures need; without a whole one of each there are none, or parts of them."""

_WEBP_PIXELS = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"))

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each type (TIFF 6.0, section 2, and BigTIFF)."""
_ORIENTATION, _WHOLE_NUMBERS = 0x0112, (3, 4, 8, 9)

_PLAIN_PARTS, _PLAIN_BYTES, _PLAIN_STEPS = 32, 4_000, 200


def without_ballast(content: bytes) -> bytes:
    """A file without what no pixel needs: of a PNG, all texts, profiles and further pictures. Others stay as they are.

    Raises:
        ValueError: it has more parts than any program writes; says which.
    """
    if not content.startswith(_PNG):
        return content
    kept: list[tuple[int, int]] = [(0, len(_PNG))]
    turning = 0
    for number, (name, start, end) in enumerate(_chunks(content)):
        if number >= _MOST_CHUNKS:
            raise ValueError(f"The PNG has too many chunks; expected at most {_MOST_CHUNKS:,}.")
        if _turns(content, name, start):
            turning += 1
        elif name not in _PNG_PIXELS:
            continue
        if kept[-1][1] == start:
            kept[-1] = (kept[-1][0], end)
        else:
            kept.append((start, end))
    if turning > _MOST_TURNING:
        raise ValueError(f"The PNG says too often how it is turned; expected at most {_MOST_TURNING} times.")
    if len(kept) == 1:
        return content
    return b"".join(content[start:end] for start, end in kept)


def significant_bits(content: bytes) -> int:
    """How many bits of a grey pixel a PNG says that it uses (its chunk sBIT); 0 where it does not say."""
    if content.startswith(_PNG):
        for name, start, _ in itertools.islice(_chunks(content), _PLAIN_PARTS):
            if name == b"sBIT":
                return content[start + 8]
            if name == b"IDAT":
                break
    return 0


def check_parts(content: bytes) -> None:
    """Refuse a JPEG or TIFF whose head has more parts, or larger ones, than any camera or program writes.

    Raises:
        ValueError: it is such a file; says what is too much.
    """
    if content.startswith(_JPEG):
        _check_jpeg(content)
    elif content.startswith(_TIFF):
        _check_tags(content)


def _check_jpeg(content: bytes) -> None:
    exif: list[bytes] = []
    photoshop = 0
    for number, (marker, start, end) in enumerate(_segments(content, most_steps=_MOST_STEPS)):
        if marker == 0xE1 and content.startswith(_EXIF, start):
            exif.append(content[start + len(_EXIF) : end])
        elif marker == 0xE2 and content.startswith(_MULTI, start):
            _check_tags(content[start + len(_MULTI) : end])
        photoshop += marker == 0xED
        if number >= _MOST_SEGMENTS or len(exif) > _MOST_EXIF or photoshop > _MOST_PHOTOSHOP:
            raise ValueError(
                f"The JPEG has too many segments before its pixels; expected at most {_MOST_SEGMENTS:,}, and "
                f"{_MOST_EXIF} of a kind."
            )
    _check_tags(b"".join(exif))


def _check_tags(tiff: bytes) -> None:
    # Each value is copied. In an honest file none overlaps another one.
    if sum(_SIZES.get(kind, 0) * count for _, kind, count, _ in _tags(tiff)) > 2 * len(tiff) + 100_000:
        raise ValueError("The image's tags say that they are larger than the file.")


def orientation_in(exif: bytes) -> int | None:
    """The orientation that EXIF data tell, from 1 to 8; None where they tell none.

    Only this tag is read: a few hundred bytes can ask for hundreds of megabytes in the others.
    """
    while exif.startswith(_EXIF):
        exif = exif[len(_EXIF) :]
    found = None
    for tag, kind, count, value in _tags(exif):
        if tag == _ORIENTATION:
            right = kind in _WHOLE_NUMBERS and count == 1
            found = int.from_bytes(value[: _SIZES[kind]], _order(exif)) if right else 1
    return found


def is_plain(content: bytes) -> bool:
    """Whether decoding a file costs what its pixels cost, and next to nothing beside them.

    It has few parts, little that is no pixels, and nothing that has to be unpacked but the pixels.
    """
    parts: list[tuple[bool, int]] = []  # whether it is of the pixels, bytes
    if content.startswith(_PNG):
        for name, start, end in itertools.islice(_chunks(content), _PLAIN_PARTS + 1):
            if name in (b"zTXt", b"iTXt") and _turns(content, name, start):
                return False
            parts.append((name in _PNG_PIXELS, end - start))
    elif content.startswith(_JPEG):
        try:
            found = list(itertools.islice(_segments(content, most_steps=_PLAIN_STEPS), _PLAIN_PARTS + 1))
        except ValueError:
            return False
        parts += [(not (0xE0 <= marker < 0xF0 or marker == 0xFE), end - start) for marker, start, end in found]
    elif content.startswith(b"RIFF"):
        for name, start, end in itertools.islice(_riff_chunks(content), _PLAIN_PARTS + 1):
            parts.append((name in _WEBP_PIXELS, end - start))
    else:
        return False
    return len(parts) <= _PLAIN_PARTS and sum(size for pixels, size in parts if not pixels) <= _PLAIN_BYTES


def has_all_boxes(content: bytes) -> bool:
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
        with_data |= kind == _MEDIA
        place += size
    return True


def pixels_at_once(content: bytes, image: "Image", *, least: int) -> int:
    """How many pixels are in memory together while an image is decoded, width times height.

    A JPEG that has all its colours in one scan, as those of cameras have, is decoded a few rows at a time, and made
    smaller before the next rows come, as long as neither side becomes shorter than ``least``. Of any other image there
    is the whole. Where a decoder needs more memory than that of a PNG, the pixels count for as many more.
    """
    width, height = image.size
    if image.format == "WEBP":
        return width * height * 8 // 5  # its decoder holds four copies
    if image.format not in JPEGS:
        return width * height
    factor = next((factor for factor in (8, 4, 2) if min(width, height) // least >= factor), 1)
    left = -(-width // factor) * -(-height // factor)
    if in_one_scan(content, image):
        return left
    # Of a JPEG of many scans, the decoder holds two bytes for each colour of each pixel.
    return max(width * height, (2 * getattr(image, "layers", 0) * width * height + 4 * left) // 10)


def in_one_scan(content: bytes, image: "Image") -> bool:
    """Whether a JPEG, opened by Pillow, is decoded in one pass: its first scan has as many colours as its frame.

    The decoder's own rule, asked before it is. A file that is written otherwise than cameras do, though a decoder may
    take it (ITU-T T.81, annex B), counts as no: were two readers of such a head to see different frames in it, the
    memory that decoding takes would be anyone's guess.
    """
    if image.format not in JPEGS or image.info.get("progressive"):
        return False
    colours, place = 0, 2
    for _ in range(_MOST_BEFORE_SCAN):
        if place + 9 >= len(content) or content[place] != _MARK:
            return False
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4])
        if marker == _START_OF_SCAN:
            return 0 < colours == content[place + 4] == getattr(image, "layers", 0)
        if marker in _SEQUENTIAL and not colours:
            colours = content[place + 9]
        elif marker not in _BETWEEN:
            return False
        if length < 2:  # its own two bytes are counted
            return False
        place += 2 + length
    return False


def _turns(content: bytes, name: bytes, start: int) -> bool:
    """Whether a chunk of a PNG can say how the picture is turned."""
    if name == b"eXIf":
        return True
    return name in _PNG_TEXTS and content[start + 8 : start + 40].partition(b"\0")[0] in _TURNING


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk of a PNG, up to its last one."""
    place = len(_PNG)
    while place + 8 <= len(content):
        name, end = content[place + 4 : place + 8], place + 12 + int.from_bytes(content[place : place + 4])
        yield name, place, end
        if name == b"IEND":
            return
        place = end


def _riff_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    place = 12
    while place + 8 <= len(content):
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        yield content[place : place + 4], place, place + 8 + size
        place += 8 + size + size % 2


def _segments(content: bytes, *, most_steps: int) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment before the pixels of a JPEG, as Pillow's reader finds them.

    It reads what stands between two segments byte by byte.

    Raises:
        ValueError: that takes more steps.
    """
    place = steps = 2
    while steps <= most_steps:
        found = content.find(b"\xff", place)
        if found < 0 or found + 2 > len(content):
            return
        steps += found - place + 1
        marker = content[found + 1]
        place = found + (1 if marker == 0xFF else 2)
        if marker in (0x00, 0xFF) or marker in _ALONE:
            continue
        end = place + max(2, int.from_bytes(content[place : place + 2]))
        yield marker, place + 2, end
        if marker == _START_OF_SCAN:
            return
        place = end
    raise ValueError(f"The JPEG has too many bytes between its segments; expected at most {most_steps:,}.")


def _order(tiff: bytes) -> Literal["big", "little"]:
    return "big" if tiff.startswith(b"MM") else "little"


def _tags(tiff: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Tag, type, count and value (or where it is) of each entry of the first directory of a TIFF, or of EXIF data."""
    if tiff[:2] not in (b"II", b"MM"):
        return
    order = _order(tiff)
    wide = 43 in tiff[2:4]
    at, number_of, size, head = (slice(8, 16), 8, 20, 12) if wide else (slice(4, 8), 2, 12, 8)
    place = int.from_bytes(tiff[at], order)
    number = int.from_bytes(tiff[place : place + number_of], order)
    for start in range(place + number_of, place + number_of + size * number, size):
        entry = tiff[start : start + size]
        if len(entry) < size:
            return
        tag, kind = (int.from_bytes(entry[i : i + 2], order) for i in (0, 2))
        yield tag, kind, int.from_bytes(entry[4:head], order), entry[head:]

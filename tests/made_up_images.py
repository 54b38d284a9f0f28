"""Made-up image files, honest and hostile, for tests of all rooms."""

import io
import struct
import zlib
from typing import Any

from PIL import Image


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunks(*chunks: bytes, size: tuple[int, int] = (4, 4)) -> bytes:
    """A PNG with further chunks in its head."""
    whole = encoded(Image.new("RGB", size, "red"))
    return whole[:33] + b"".join(chunks) + whole[33:]  # 8 bytes of a signature, 25 of the first chunk


def packed_text(number: int) -> bytes:
    """A million letters in a thousand bytes."""
    return chunk(b"zTXt", b"text %d\0\0" % number + zlib.compress(b"A" * 1_000_000))


def exif_of(values: int, *, bytes_each: int) -> bytes:
    """EXIF data that say in a few bytes that each of many tags has many."""
    entries = b"".join(struct.pack("<HHII", 0x1000 + i, 7, bytes_each, 8) for i in range(values))
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, values) + entries + bytes(bytes_each)


def scans(count: int, *, side: int = 64) -> bytes:
    """A progressive JPEG with a scan repeated, each of which costs a pass over the whole image."""
    content = encoded(Image.new("RGB", (side, side), "red"), "JPEG", progressive=True)
    first = content.index(b"\xff\xda")
    end = content.index(b"\xff", first + 2)
    while content[end + 1] == 0:
        end = content.index(b"\xff", end + 1)
    return content[:first] + content[first:end] * count + content[end:]

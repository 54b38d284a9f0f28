"""What the file of a photograph holds: its bytes, told apart by their SHA-256, its picture and its pixels."""

import contextlib
import dataclasses
import hashlib
import os
import stat
import threading
import warnings
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.base.images import (
    UnreadableImageError,
    check_content,
    damaged,
    fitted,
    orientation,
    read_head,
    upright,
)
from fortydays.data.own.duplicates import HASH_SIDE, SMALL_SIDE, perceptual_hash
from fortydays.data.own.listing import FORMATS, LARGEST_FILE, MOST_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image

# Those of telephones, of 24 megapixels and a little more, are read side by side.
_LARGE_FILE, _LARGE_PICTURE = 16_000_000, 26_000_000
_BLANK = np.zeros((SMALL_SIDE, SMALL_SIDE, 3), np.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """What is known of the bytes of a file.

    Attributes:
        sha256: of the bytes, in hexadecimal.
        reason: why they are no usable image, in words that fit after "because"; "" if they are one.
        width: pixels of the upright picture, sideways; 0 where unknown. ``height`` is the same upwards.
        format: in Pillow's words, such as "JPEG"; ``mode`` likewise, such as "RGB" or "CMYK".
        hash: perceptual hash.
        small: uint8, shape (16, 16, 3).
        row: where its pixels are, or -1.
    """

    sha256: str
    reason: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    hash: int = 0
    small: NDArray[np.uint8] = dataclasses.field(default_factory=lambda: _BLANK)
    row: int = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class FileRead:
    """A file that was read: what it holds, or the reason why it has no content.

    Attributes:
        size: in bytes; -1 where it is not known what the file is, so that it is read anew.
        changed: the number of :func:`status_of`.
        pixels: uint8, shape (side, side, 3), or None.
    """

    path: str
    size: int = -1
    changed: int = -1
    reason: str = ""
    content: Content | None = None
    pixels: NDArray[np.uint8] | None = None


def decoders() -> str:
    """The formats that are decoded, and the versions of what decodes them."""
    return ", ".join([*FORMATS, *map(_installed, ("pillow", "pi-heif"))])


def _installed(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"no {package}"


def status_of(path: Path) -> tuple[int, int] | str:
    """Size of a file, and a number that is another one once the file is; or, in words, why it is none."""
    try:
        status = path.lstat()
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    # Times alone are not enough: archives give all their files the same ones.
    facts = f"{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}:{status.st_dev}"
    return (status.st_size, int.from_bytes(hashlib.blake2b(facts.encode(), digest_size=7).digest(), "big"))


def read_files(root: Path, paths: Sequence[str], *, side: int, workers: int) -> Generator[FileRead, None, None]:
    """Read files and decode them, in the order of their paths; at most a few decoded ones are in memory at once."""
    pending: deque[Future[FileRead]] = deque()
    alone = threading.Semaphore(1)
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        try:
            for path in paths:
                pending.append(pool.submit(_read_file, root, path, side, alone))
                if len(pending) >= 4 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _read_file(root: Path, path: str, side: int, alone: threading.Semaphore) -> FileRead:
    """Read one file, in a thread of its own; a large one only while no other large one is read."""
    before = status_of(root / path)
    if isinstance(before, str):
        return FileRead(path=path, reason=before)
    size, changed = before
    if size > LARGEST_FILE:
        return FileRead(path=path, size=size, changed=changed, reason=f"it has more than {LARGEST_FILE:,} bytes")
    if size == 0:
        return FileRead(path=path, size=size, changed=changed, reason="it is empty")
    with alone if size > _LARGE_FILE else contextlib.nullcontext():
        try:
            content = _bytes_of(root / path, size)
        except OSError as error:
            return FileRead(path=path, reason=f"it cannot be read: {error.strerror or error}")
        if content is None or status_of(root / path) != before:
            return FileRead(path=path, reason="it changed while it was read")
        known, pixels = _look(content, side, alone)
    return FileRead(path=path, size=size, changed=changed, content=known, pixels=pixels)


def _bytes_of(path: Path, size: int) -> bytes | None:
    """The bytes of a file; None where it is none by now, or has another size. Links are not followed."""
    # A pipe that came in its place would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        content = file.read(size + 1)
    return content if len(content) == size else None


def _look(content: bytes, side: int, alone: threading.Semaphore) -> tuple[Content, NDArray[np.uint8] | None]:
    """What an image file is, and its pixels."""
    known = Content(sha256=hashlib.sha256(content).hexdigest())
    try:
        image = read_head(content, formats=FORMATS, most_pixels=MOST_PIXELS)
        check_content(content, image)
        width, height = image.size
        known = dataclasses.replace(known, width=width, height=height, format=str(image.format), mode=image.mode)
        large = width * height > _LARGE_PICTURE
        with alone if large and len(content) <= _LARGE_FILE else contextlib.nullcontext():
            picture, turned = _upright(image, side)
    except UnreadableImageError as error:
        return dataclasses.replace(known, reason=error.reason.value), None
    from PIL import Image

    grey = picture.convert("L").resize((HASH_SIDE, HASH_SIDE), Image.Resampling.BOX)
    small = picture.resize((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BOX)
    known = dataclasses.replace(
        known,
        width=height if turned else width,
        height=width if turned else height,
        hash=perceptual_hash(np.asarray(grey, np.uint8)),
        small=np.asarray(small, np.uint8),
    )
    return known, fitted(picture, height=side, width=side)


def _upright(image: "Image", side: int) -> "tuple[Image, bool]":
    """The picture in RGB, upright, and whether it was turned by a quarter."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            turned = orientation(image)  # a TIFF tells it no more when it is decoded, a PNG perhaps only then
            picture = upright(image, mode="RGB", least=2 * side)
            return picture, max(turned, orientation(image)) >= 5
    except UnreadableImageError:
        raise
    except Exception:  # whatever a decoder stumbles on, the file is what is wrong
        raise damaged() from None

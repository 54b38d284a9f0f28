"""Answers for image files of this machine: few or a hundred thousand, in their order, in bounded memory.

Files are decoded in threads as the service decodes what it is sent, and computed together, many at a time.
"""

import contextlib
import os
import stat
import threading
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UnreadableContentError, UsageError
from fortydays.data.own.listing import ENDINGS, FORMATS, LARGEST_FILE, MOST_PIXELS, LeftOut, walk
from fortydays.inputs.input import Arrays, Bounds, stacked
from fortydays.registry.contents import Bundle
from fortydays.serve.source import is_folder

STANDARD_INPUT = "-"
"""The name of the image that comes on standard input."""

LARGEST_LIST = 200_000_000
"""Bytes of a list of files."""

# Those of telephones, of 24 megapixels and a little more, are read side by side.
_LARGE_FILE, _LARGE = 16_000_000, 26_000_000
_BOUNDS = Bounds(pixels=MOST_PIXELS, formats=FORMATS)
_AT_ONCE = 64
_MOST_BYTES_AT_ONCE = 2**26


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFile:
    """An image that is asked about.

    Attributes:
        name: of the file, as the reader called it or its folder; "-" for standard input.
        content: its bytes, where they were read already.
    """

    name: str
    content: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """All that is asked about, in the order in which it was named, and what else the folders hold."""

    images: tuple[ImageFile, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Answered:
    """What became of one image.

    Attributes:
        name: as of the :class:`ImageFile`.
        probabilities: float32, shape (classes,); None where there is no answer.
        error: why there is none, a sentence; or "".
    """

    name: str
    probabilities: NDArray[np.float32] | None
    error: str = ""


def names_in(source: IO[bytes], *, null: bool) -> list[str]:
    """The files that a list names.

    Args:
        source: the list, one name a line, as any system ends lines; empty lines are passed over. A name that is not
            there is looked for without space around it and with "/" for each backslash.
        null: whether each name ends with a zero byte instead, as ``find -print0`` writes them.

    Raises:
        UsageError: it has more than :data:`LARGEST_LIST` bytes.
    """
    content = source.read(LARGEST_LIST + 1)
    if len(content) > LARGEST_LIST:
        raise UsageError(f"The list of files has more than {LARGEST_LIST:,} bytes.")
    if null:
        names = [os.fsdecode(name) for name in content.split(b"\0") if name]
    else:
        names = [_as_it_is_there(name) for name in _lines(content) if name.strip()]
    return [f"./{name}" if name == STANDARD_INPUT else name for name in names]


def _lines(content: bytes) -> list[str]:
    """The lines of a list; Windows marks its files, and writes some in UTF-16."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", "replace")
    else:
        text = os.fsdecode(content.removeprefix(b"\xef\xbb\xbf"))
    return text.split("\n" if "\n" in text else "\r")


def _as_it_is_there(name: str) -> str:
    """A name as the line has it, or as another system means it, where that is there."""
    plain = name.removesuffix("\r")
    for each in (name, plain, plain.strip(), plain.strip().replace("\\", "/")):
        with contextlib.suppress(OSError, ValueError):
            if os.path.lexists(each):
                return each
    return plain


def find_images(names: Iterable[str], *, endings: tuple[str, ...] = ENDINGS, standard_input: bytes = b"") -> Question:
    """The images that a reader names.

    Args:
        names: of files, which are taken whatever they are called; and of folders, of which all files are taken that
            are called like images. Below a folder, links are not followed and hidden files are passed over.
        endings: of the names of files that are looked for in folders.
        standard_input: the image that "-" means, where it is among the names.

    Raises:
        DataError: a folder holds more than a million files.
        StorageError: a folder cannot be read.
    """
    images: list[ImageFile] = []
    left_out: list[LeftOut] = []
    for name in names:
        if name == STANDARD_INPUT:
            images.append(ImageFile(name=name, content=standard_input))
        elif is_folder(name):
            found, others, _ = walk(Path(name), endings=endings)
            images += [ImageFile(name=str(Path(name, path))) for path in sorted(found)]
            left_out += sorted(
                (LeftOut(path=str(Path(name, each.path)), reason=each.reason) for each in others),
                key=lambda each: each.path,
            )
        else:
            images.append(ImageFile(name=name))
    return Question(images=tuple(images), left_out=tuple(left_out))


def answer(bundle: Bundle, images: Sequence[ImageFile], *, workers: int) -> Generator[Answered, None, None]:
    """Ask a model about images, one answer for each, in their order.

    A file that gives no pixels has an error in the place of an answer, and the others are answered all the same.

    Raises:
        UnsafeModelError: the model fails.
    """
    at_once = max(1, min(_AT_ONCE, _MOST_BYTES_AT_ONCE // bundle.input.numbers))
    reader = _Reader(bundle)
    pending: deque[tuple[ImageFile, Future[Arrays | str]]] = deque()
    waiting = iter(images)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        while True:
            # While one batch is computed, the next one is decoded.
            while len(pending) < at_once + max(at_once, workers) and (image := next(waiting, None)) is not None:
                pending.append((image, pool.submit(reader.arrays, image)))
            if not pending:
                return
            batch = [pending.popleft() for _ in range(min(at_once, len(pending)))]
            yield from _computed(bundle, [(image.name, future.result()) for image, future in batch])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _computed(bundle: Bundle, batch: Sequence[tuple[str, Arrays | str]]) -> list[Answered]:
    inputs = [found for _, found in batch if not isinstance(found, str)]
    answers = iter(bundle.model.predict(stacked(inputs), at_once=len(inputs)) if inputs else ())
    return [
        Answered(name=name, probabilities=None, error=found)
        if isinstance(found, str)
        else Answered(name=name, probabilities=next(answers))
        for name, found in batch
    ]


class _Reader:
    """From a file to what the model takes of it; called from several threads."""

    def __init__(self, bundle: Bundle) -> None:
        self._input = bundle.input
        self._large = threading.Semaphore(1)  # one after the other, so that they cannot take all memory

    def arrays(self, image: ImageFile) -> Arrays | str:
        """What the model takes; or why there is nothing, a sentence."""
        if image.content is not None:
            return self._decoded(image.content, alone=False)
        try:
            # A pipe that nobody writes into would otherwise be waited for.
            descriptor = os.open(image.name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: no name that a file could have
            return "There is no such file."
        except OSError as error:
            return _unreadable(error)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            return "It is no file."
        with os.fdopen(descriptor, "rb") as file:
            large = status.st_size > _LARGE_FILE
            with self._large if large else contextlib.nullcontext():
                try:
                    content = file.read(LARGEST_FILE + 1)
                except OSError as error:
                    return _unreadable(error)
                return self._decoded(content, alone=large)

    def _decoded(self, content: bytes, *, alone: bool) -> Arrays | str:
        if not content:
            return f"It is empty; expected one {self._input.NOUN} file."
        if len(content) > LARGEST_FILE:
            return f"It has more than {LARGEST_FILE:,} bytes."
        try:
            opened = self._input.open(content, _BOUNDS)
            with self._large if opened.weight > _LARGE and not alone else contextlib.nullcontext():
                return opened.arrays()
        except UnreadableContentError as error:
            return error.message


def _unreadable(error: OSError) -> str:
    return f"It cannot be read: {error.strerror or error}."

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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UnreadableContentError, UsageError
from fortydays.base.text import printable
from fortydays.data.own.listing import ENDINGS, FORMATS, LARGEST_FILE, MOST_PIXELS, LeftOut, walk
from fortydays.data.own.texts.columns import LOOKED_AT, text_column
from fortydays.data.own.texts.listing import TABLES, place_of, rows_of_table
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
    """An image, or a text, that is asked about.

    Attributes:
        name: of the file, as the reader called it or its folder; the line of a table; "-" for standard input.
        content: its bytes, where they were read already.
        is_row: whether it is the text of a row of a table.
        error: why its bytes could not be read, a sentence; or "".
    """

    name: str
    content: bytes | None = None
    is_row: bool = False
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Question:
    """All that is asked about, in the order in which it was named, what else the folders hold, and what to say."""

    images: tuple[ImageFile, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Answered:
    """What became of one image.

    Attributes:
        name: as of the :class:`ImageFile`.
        probabilities: float32, shape (classes,); None where there is no answer.
        error: why there is none, a sentence; or "".
        note: what is to be said of how the file was read, a sentence; or "".
    """

    name: str
    probabilities: NDArray[np.float32] | None
    error: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What the model takes of a file, or why there is nothing; and what is to be said of it, or ""."""

    arrays: Arrays | None = None
    error: str = ""
    note: str = ""


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


def find_images(
    names: Iterable["str | ImageFile"], *, endings: tuple[str, ...] = ENDINGS, standard_input: bytes = b""
) -> Question:
    """The images that a reader names.

    Args:
        names: of files, which are taken whatever they are called; and of folders, of which all files are taken that
            are called like images. Below a folder, links are not followed and hidden files are passed over. What was
            read already is taken as it is.
        endings: of the names of files that are looked for in folders.
        standard_input: the image that "-" means, where it is among the names.

    Raises:
        DataError: a folder holds more than a million files.
        StorageError: a folder cannot be read.
    """
    images: list[ImageFile] = []
    left_out: list[LeftOut] = []
    for name in names:
        if isinstance(name, ImageFile):
            images.append(name)
        elif name == STANDARD_INPUT:
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


def rows_of_tables(names: Iterable[str], *, column: str) -> tuple[list[ImageFile | str], list[LeftOut], list[str]]:
    """The same names with the texts of each table in its place, in their order.

    Also the rows that do not fit their table, and sentences about how the tables were read.

    Args:
        names: of files and folders. Files whose names end like a table's are read as tables with a text in each row.
        column: the one that has the texts; "" to find it.

    Raises:
        UsageError: the column cannot be told, or there is none of that name.
        DataError, StorageError: a table cannot be understood or read.
    """
    found: list[ImageFile | str] = []
    left_out: list[LeftOut] = []
    notes: list[str] = []
    for name in names:
        is_table = name.lower().endswith(TABLES) and os.path.lexists(name)  # what is not there is told as of any file
        if name == STANDARD_INPUT or is_folder(name) or not is_table:
            found.append(name)
            continue
        others: list[LeftOut] = []
        said: list[str] = []
        columns, rows = rows_of_table(Path(name), others, said)
        read = list(rows)
        notes += [f"{printable(name)}: {each}" for each in said]
        left_out += [LeftOut(path=f"{name}, {each.path}", reason=each.reason) for each in others]
        text = text_column(columns, [row for _, row in read[:LOOKED_AT]], column, place=printable(Path(name).name))
        found += [
            ImageFile(
                name=f"{name}, {place_of(Path(name))} {line}",
                content=row.get(text, "").encode("utf-8", "replace"),
                is_row=True,
            )
            for line, row in read
        ]
    return found, left_out, notes


def find_question(bundle: Bundle, names: Sequence[str], *, column: str = "", standard_input: bytes = b"") -> Question:
    """All that a reader asks a model about: files, those in folders, and, where it takes texts, the rows of tables.

    Args:
        bundle: of the model.
        names: of files and folders.
        column: of tables, the one that has the texts; "" to find it.
        standard_input: what "-" means, where it is among the names.

    Raises:
        UsageError, DataError, StorageError: as :func:`find_images` and :func:`rows_of_tables`.
    """
    asked, others, notes = rows_of_tables(names, column=column) if bundle.input.of_texts else (list(names), [], [])
    question = find_images(asked, endings=bundle.input.SUFFIXES, standard_input=standard_input)
    return replace(question, left_out=(*others, *question.left_out), notes=tuple(notes))


def computed_at_once(bundle: Bundle) -> int:
    """How many images a model is given together."""
    return max(1, min(_AT_ONCE, _MOST_BYTES_AT_ONCE // bundle.input.numbers))


def answer(bundle: Bundle, images: Sequence[ImageFile], *, workers: int) -> Generator[Answered, None, None]:
    """Ask a model about images, one answer for each, in their order.

    A file that gives no pixels has an error in the place of an answer, and the others are answered all the same.

    Raises:
        UnsafeModelError: the model fails.
    """
    asking = Asking(bundle, workers=workers)
    try:
        yield from asking.ask(images, last=True)
    finally:
        asking.close()


class Asking:
    """Asks a model about images that come a piece after the other.

    Where a piece ends has no part in which images are computed together: the batches are those of all images in a row.

    Args:
        bundle: of the model.
        workers: threads that decode.
    """

    def __init__(self, bundle: Bundle, *, workers: int) -> None:
        self._bundle, self._reader = bundle, _Reader(bundle)
        self._at_once = computed_at_once(bundle)
        self._ahead = max(self._at_once, workers)
        self._pending: deque[tuple[str, Future[_Read]]] = deque()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")

    def ask(self, images: Iterable[ImageFile], *, last: bool) -> Generator[Answered, None, None]:
        """The answers that are known with these images, in the order of the images.

        Args:
            images: that come next.
            last: whether none come after them. If some do, those that make no whole batch wait for them, decoded.

        Raises:
            UnsafeModelError: the model fails.
        """
        pending, waiting = self._pending, iter(images)
        while True:
            # While one batch is computed, the next one is decoded.
            while len(pending) < self._at_once + self._ahead and (image := next(waiting, None)) is not None:
                pending.append((image.name, self._pool.submit(self._reader.arrays, image)))
            if not pending or (len(pending) < self._at_once and not last):
                break
            batch = [pending.popleft() for _ in range(min(self._at_once, len(pending)))]
            yield from _computed(self._bundle, [(name, future.result()) for name, future in batch])
        for _, future in pending:
            future.result()  # so that the bytes of a piece are not kept beside those of the next one

    def close(self) -> None:
        """End the threads. What is not decoded yet is given up."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def with_content(image: ImageFile) -> ImageFile:
    """An image with the bytes of its file, or with the error why there are none; for who answers elsewhere."""
    if image.content is not None:
        return image
    opened = _opened(image.name)
    if isinstance(opened, str):
        return replace(image, error=opened)
    with os.fdopen(opened, "rb") as file:
        try:
            content = file.read(LARGEST_FILE + 1)
        except OSError as error:
            return replace(image, error=_unreadable(error))
    return replace(image, error=_too_large()) if len(content) > LARGEST_FILE else replace(image, content=content)


def _computed(bundle: Bundle, batch: Sequence[tuple[str, _Read]]) -> list[Answered]:
    inputs = [found.arrays for _, found in batch if found.arrays is not None]
    answers = iter(bundle.model.predict(stacked(inputs), at_once=len(inputs)) if inputs else ())
    return [
        Answered(
            name=name,
            probabilities=None if found.arrays is None else next(answers),
            error=found.error,
            note=found.note,
        )
        for name, found in batch
    ]


class _Reader:
    """From a file to what the model takes of it; called from several threads."""

    def __init__(self, bundle: Bundle) -> None:
        self._input = bundle.input
        self._large = threading.Semaphore(1)  # one after the other, so that they cannot take all memory

    def arrays(self, image: ImageFile) -> _Read:
        """What the model takes; or why there is nothing, a sentence."""
        if image.error:
            return _Read(error=image.error)
        if image.is_row and not (image.content or b"").strip():
            return _Read(error="The text of this row is empty.")
        if image.content is not None:
            return self._decoded(image.content, alone=False)
        opened = _opened(image.name)
        if isinstance(opened, str):
            return _Read(error=opened)
        with os.fdopen(opened, "rb") as file:
            large = os.fstat(opened).st_size > _LARGE_FILE
            with self._large if large else contextlib.nullcontext():
                try:
                    content = file.read(LARGEST_FILE + 1)
                except OSError as error:
                    return _Read(error=_unreadable(error))
                return self._decoded(content, alone=large)

    def _decoded(self, content: bytes, *, alone: bool) -> _Read:
        if not content:
            return _Read(error=f"It is empty; expected one {self._input.NOUN} file.")
        if len(content) > LARGEST_FILE:
            return _Read(error=_too_large())
        try:
            opened = self._input.open(content, _BOUNDS)
            with self._large if opened.weight > _LARGE and not alone else contextlib.nullcontext():
                return _Read(arrays=opened.arrays(), note=opened.note)
        except UnreadableContentError as error:
            return _Read(error=error.message)


def _opened(name: str) -> int | str:
    """The descriptor of a file that can be read, or why there is none, a sentence."""
    try:
        # A pipe that nobody writes into would otherwise be waited for.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: no name that a file could have
        return "There is no such file."
    except OSError as error:
        return _unreadable(error)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return "It is no file."
    return descriptor


def _too_large() -> str:
    return f"It has more than {LARGEST_FILE:,} bytes."


def _unreadable(error: OSError) -> str:
    return f"It cannot be read: {error.strerror or error}."

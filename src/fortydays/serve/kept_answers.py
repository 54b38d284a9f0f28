"""Answers of a long question that are kept a part at a time, so that what was interrupted goes on where it was.

A part is as many images in a row as are computed together some times over. So the parts hold the same batches as a
question that is answered at once, and the answers are the same to the bit.
"""

import contextlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays import __version__
from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.registry.contents import Bundle
from fortydays.serve.prediction import Answered, ImageFile, answer, computed_at_once

BATCHES = 16
"""How many batches are a part."""

_LARGEST_PART = 2**28
"""Bytes of a part's file; more is damaged."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptAnswers:
    """The parts of one question, in a folder of the workspace.

    Attributes:
        folder: of the parts; one file for each that is answered.
        images: all that is asked about.
        size: images in a part; the last one may have fewer.
        classes: of the model.
    """

    folder: Path
    images: Sequence[ImageFile]
    size: int
    classes: int

    @property
    def count(self) -> int:
        """How many parts there are."""
        return -(-len(self.images) // self.size)

    def part(self, number: int) -> Sequence[ImageFile]:
        """The images of a part."""
        return self.images[number * self.size : (number + 1) * self.size]

    def has(self, number: int) -> bool:
        """Whether a part was answered."""
        return files.is_file(self._path(number))

    def done(self) -> int:
        """How many images have their answer already."""
        return sum(len(self.part(number)) for number in range(self.count) if self.has(number))

    def keep(self, number: int, answers: Sequence[Answered]) -> None:
        """Write the answers of a part; they are there whole or not at all.

        Raises:
            StorageError: the workspace cannot be written.
        """
        files.write_bytes(self._path(number), packed(answers))

    def keep_packed(self, number: int, content: bytes) -> None:
        """Write the answers of a part that were packed elsewhere.

        Raises:
            FortydaysError: they are no answers to this part.
            StorageError: the workspace cannot be written.
        """
        if unpacked(content, self.part(number), classes=self.classes) is None:
            raise FortydaysError(
                f"What came back for part {number + 1:,} are no answers to its {len(self.part(number)):,} files.",
                hint="Give the same command again: it goes on where it was.",
            )
        files.write_bytes(self._path(number), content)

    def missing(self, damaged: Callable[[str], object]) -> list[int]:
        """The parts that are still to be answered. One whose file is damaged is told, and removed.

        Raises:
            StorageError: a file cannot be read or removed.
        """
        found = []
        for number in range(self.count):
            if self.has(number) and self.read(number) is None:
                damaged(self.damage(number))
                files.remove(self._path(number))
            if not self.has(number):
                found.append(number)
        return found

    def damage(self, number: int) -> str:
        """The sentence about a part whose file is damaged."""
        return f"Kept answers are damaged, and computed again: {self.folder.name[:12]}, part {number + 1}"

    def read(self, number: int) -> list[Answered] | None:
        """The answers of a part as they were kept, or None where its file is damaged.

        Raises:
            StorageError: the file cannot be read.
        """
        path = self._path(number)
        with files.storage_errors("read", path), path.open("rb") as file:
            content = file.read(_LARGEST_PART + 1)
        return unpacked(content, self.part(number), classes=self.classes)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.part"


def packed(answers: Sequence[Answered]) -> bytes:
    """The answers to some images as bytes: a line of JSON with a checksum, then float32 in the order of the images."""
    rows = [each.probabilities for each in answers if each.probabilities is not None]
    numbers = np.stack(rows).astype("<f4").tobytes() if rows else b""
    said = {
        "errors": {str(place): each.error for place, each in enumerate(answers) if each.probabilities is None},
        "notes": {str(place): each.note for place, each in enumerate(answers) if each.note},
    }
    body = json.dumps(said).encode("ascii") + b"\n" + numbers
    return files.sha256_of_bytes(body).encode("ascii") + b"\n" + body


def unpacked(content: bytes, images: Sequence[ImageFile], *, classes: int) -> list[Answered] | None:
    """What :func:`packed` made of the answers to these images; None where it is not that."""
    checksum, _, body = content.partition(b"\n")
    if len(content) > _LARGEST_PART or files.sha256_of_bytes(body).encode("ascii") != checksum:
        return None
    line, _, numbers = body.partition(b"\n")
    said: dict[str, Any] = json.loads(line)
    found = np.frombuffer(numbers, "<f4").reshape(-1, classes)
    errors, notes = said["errors"], said["notes"]
    if len(found) + len(errors) != len(images):  # whole, and of another part
        return None
    rows: Iterator[NDArray[np.float32]] = iter(found)
    return [
        Answered(
            name=image.name,
            probabilities=None if str(place) in errors else next(rows),
            error=errors.get(str(place), ""),
            note=notes.get(str(place), ""),
        )
        for place, image in enumerate(images)
    ]


@contextlib.contextmanager
def keeping(bundle: Bundle, images: Sequence[ImageFile], workspace: Path, *, threads: int) -> Iterator[KeptAnswers]:
    """The kept answers of a question, for as long as it is being answered. They go when all went well.

    They are those of this model with so many threads, these files as they are now, and this version of the program.

    Raises:
        FortydaysError: another process is answering the same question.
        StorageError: the workspace cannot be written.
    """
    place = files.make_folder(workspace / "answers")
    name = _identity(bundle, images, threads=threads)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(place / f"{name}.lock", timeout=0))
        except TimeoutError:
            raise FortydaysError(
                f"Another process is asking {bundle.name} about the same {bundle.input.NOUN}s.",
                hint="Wait until it has ended, or end it: this command then goes on where it was.",
            ) from None
        folder = files.make_folder(place / name)
        files.remove_leftovers(folder)
        size = BATCHES * computed_at_once(bundle)
        yield KeptAnswers(folder=folder, images=images, size=size, classes=len(bundle.classes))
        files.remove(folder)


def answer_in_parts(
    bundle: Bundle, kept: KeptAnswers, *, workers: int, damaged: Callable[[str], object]
) -> Generator[Answered, None, None]:
    """As :func:`fortydays.serve.prediction.answer`, but what is kept is not computed again, and each part is kept.

    Args:
        bundle: of the model.
        kept: the parts.
        workers: threads that decode.
        damaged: is told a sentence about each kept part that is damaged, and so is answered again.

    Raises:
        UnsafeModelError: the model fails.
        StorageError: the workspace cannot be written or read.
    """
    for number in range(kept.count):
        if kept.has(number):
            before = kept.read(number)
            if before is not None:
                yield from before
                continue
            damaged(kept.damage(number))
        found = []
        with contextlib.closing(answer(bundle, kept.part(number), workers=workers)) as answers:
            for each in answers:
                found.append(each)
                yield each
        kept.keep(number, found)


def _identity(bundle: Bundle, images: Sequence[ImageFile], *, threads: int) -> str:
    """What the answers depend on: model, program, threads, and each file's name, size and time of change."""
    asked = [[image.name, _state(image)] for image in images]
    place = str(Path.cwd())  # names may be relative to it
    return files.sha256_of_json([__version__, bundle.manifest.digest, bundle.version, threads, place, asked])


def _state(image: ImageFile) -> object:
    if image.content is not None:
        return files.sha256_of_bytes(image.content)
    try:
        status = os.stat(image.name)  # noqa: PTH116 - a name may be none that a path can have
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ino]

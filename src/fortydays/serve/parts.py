"""Parts of a question that processes elsewhere answer: what is sent to them, and what works there.

A worker computes a part as one machine does: the same batches, and as many threads. It gives back the bytes of the
part's file, and the process of the command alone writes that.
"""

import os
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError
from fortydays.base.text import counted, printable
from fortydays.registry.contents import Bundle, open_bundle
from fortydays.registry.package import MANIFEST, DamagedPackageError, Manifest, read_file
from fortydays.serve.kept_answers import KeptAnswers, packed
from fortydays.serve.prediction import Answered, Asking, ImageFile, with_content

WORKER = "fortydays.serve.parts:PartWorker"
"""The class of what answers, by the names of its module and itself."""

PIECE_BYTES = 2**23
"""Of files that are sent together, unless one alone has more: a part of photographs would be some gigabytes."""

Piece = tuple[tuple[ImageFile, ...], bool, bool]
"""Images of a part, whether they are its first, and whether they are its last."""


def contents_of(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """The files of a bundle by their path in its folder, the manifest included.

    Raises:
        StorageError: one cannot be read.
        DamagedPackageError: one was changed since the bundle was opened.
    """
    found = {name: read_file(folder, manifest, name) for name in manifest.files}
    with files.storage_errors("read", folder / MANIFEST):
        found[MANIFEST] = (folder / MANIFEST).read_bytes()
    return found


class PartWorker:
    """Answers parts of a question, a piece of a part after the other, in a process of its own.

    Args:
        bundle: the files of the model's bundle, by path.
        digest: of its manifest.
        threads: to compute with, and to decode.

    Raises:
        DamagedPackageError: other files have arrived than were sent.
        StorageError: there is no room for them for a moment.
    """

    def __init__(self, bundle: Mapping[str, bytes], digest: str, threads: int) -> None:
        self._bundle, self._threads = _opened(bundle, digest, threads), threads
        self._asking: Asking | None = None
        self._answers: list[Answered] = []

    def do(self, images: Sequence[ImageFile], first: bool, last: bool) -> bytes:
        """Answer the images of a piece, as far as they can be computed without the next one.

        Args:
            images: of the piece. Those without bytes are files that this machine has.
            first: whether a part begins with them.
            last: whether it ends with them.

        Returns:
            The content of the part's file after the last piece, and b"" before.

        Raises:
            UnsafeModelError: the model fails.
        """
        if first or self._asking is None:
            self._end()
            self._asking = Asking(self._bundle, workers=self._threads)
        self._answers += self._asking.ask(images, last=last)
        if not last:
            return b""
        content = packed(self._answers)
        self._end()
        return content

    def _end(self) -> None:
        if self._asking is not None:
            self._asking.close()
        self._asking, self._answers = None, []


def _opened(content: Mapping[str, bytes], digest: str, threads: int) -> Bundle:
    with tempfile.TemporaryDirectory(prefix="forty-bundle-") as temporary:
        folder = Path(temporary) / "bundle"
        for name, each in content.items():
            place = folder / name
            if not place.resolve().is_relative_to(folder.resolve()):
                raise DamagedPackageError(f"{printable(name)[:200]} is no path in a bundle.")
            files.make_folder(place.parent)
            files.write_bytes(place, each)
        bundle = open_bundle(folder, threads=threads)
    if bundle.manifest.digest != digest:
        raise DamagedPackageError(
            f"The bundle that has arrived has the digest {bundle.manifest.digest[:12]}; expected {digest[:12]}.",
            hint="Give the same command again.",
        )
    return bundle


def pieces_of(images: Sequence[ImageFile], *, read_there: bool) -> Iterator[Piece]:
    """What a worker is sent of a part, a piece at a time; a piece is read when it is asked for.

    Args:
        images: of the part.
        read_there: whether the worker can read the files itself, because it works on this machine. Then all are one
            piece, without bytes.
    """
    if read_there:
        here = Path.cwd()
        yield tuple(_absolute(image, here) for image in images), True, True
        return
    piece: list[ImageFile] = []
    size, first = 0, True
    for image in images:
        whole = with_content(image)
        if piece and size + len(whole.content or b"") > PIECE_BYTES:
            yield tuple(piece), first, False
            piece, size, first = [], 0, False
        piece.append(whole)
        size += len(whole.content or b"")
    yield tuple(piece), first, True


def _absolute(image: ImageFile, here: Path) -> ImageFile:
    """An image whose name is the same file for a process that works in another folder."""
    if image.content is not None or not image.name:
        return image
    # The name is not made simpler: behind a link, ".." leads elsewhere.
    return replace(image, name=os.path.join(here, image.name))  # noqa: PTH118


def named(kept: KeptAnswers, number: int, noun: str) -> str:
    """What a part is called where something is said of it."""
    images = kept.part(number)
    start = number * kept.size
    what = f"{noun}s {start + 1:,} to {start + len(images):,}" if len(images) > 1 else f"{noun} {start + 1:,}"
    first, last = printable(images[0].name)[:100], printable(images[-1].name)[:100]
    return f"part {number + 1:,} ({what}: {first}{f' to {last}' if len(images) > 1 else ''})"


def answer_elsewhere(
    kept: KeptAnswers,
    answered: Callable[[Sequence[int]], Generator[tuple[int, bytes], None, None]],
    *,
    damaged: Callable[[str], object],
) -> Generator[Answered, None, None]:
    """As :func:`fortydays.serve.kept_answers.answer_in_parts`, with parts that others answer, in whatever order.

    Args:
        kept: the parts.
        answered: gives the numbers and the files' content of parts, for the numbers of those that are missing.
        damaged: is told a sentence about each kept part that is damaged, and so is answered again.

    Raises:
        FortydaysError: what ``answered`` raises; or it gave no part, or left one out.
        StorageError: the workspace cannot be written or read.
    """
    missing = kept.missing(damaged)
    with closing(answered(missing)) as parts:
        for number in range(kept.count):
            while not kept.has(number):
                found = next(parts, None)
                if found is None:
                    raise FortydaysError(
                        f"What answers has ended without part {number + 1:,} of {counted(kept.count, 'part')}.",
                        hint="Give the same command again: it goes on where it was.",
                    )
                kept.keep_packed(*found)
            answers = kept.read(number)
            if answers is None:
                raise StorageError(
                    f"The disk has changed kept answers: {kept.folder.name[:12]}, part {number + 1:,}.",
                    hint="Give the same command again: the part is answered anew.",
                )
            yield from answers

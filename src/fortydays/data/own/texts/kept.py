"""What is kept of a reader's texts: each content once, in a file that only grows, and the split that it is in.

A collection lies in the workspace, in ``own/NAME/``; the reader's own table or folder is only ever read::

    texts.1.index   of each content its place in the file, and its split
    texts.1.utf8    the contents, one behind the other, in the order in which they were first met

Contents are told apart by the SHA-256 of their words and signs with one space between them, so that a table that was
saved again with other line ends has the same texts.
"""

import contextlib
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.settings import Settings
from fortydays.data.own.dataset import TEXTS
from fortydays.data.own.index import Index
from fortydays.data.own.pixels import folder_of

_INDEX, _CONTENTS = "texts.1.index", "texts.1.utf8"
_AT_ONCE = 2**26


def digest_of(text: str) -> str:
    """The SHA-256, in hexadecimal, by which a text is told apart from others."""
    return files.sha256_of_bytes(" ".join(unicodedata.normalize("NFC", text).split()).encode("utf-8", "replace"))


def holds_texts(folder: Path) -> bool:
    """Whether a folder of the workspace is a collection of texts."""
    return files.is_file(folder / _INDEX)


class TextCollection:
    """The kept texts of one name; from :func:`opened`."""

    kind, side = TEXTS, 0

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder = folder
        self.warning = index.warning
        self._index = index
        self._path = folder / _CONTENTS

    def forget_lost(self) -> None:
        """Let contents be kept anew that the file has lost; the splits stay. Raises StorageError."""
        size = 0
        if files.is_file(self._path):
            with files.storage_errors("read", self._path):
                size = self._path.stat().st_size
        contents = self._index.contents.items()
        lost = {sha256: None for sha256, (start, length, _) in contents if start + length > size}
        if lost:
            self._index.write(contents=lost, facts={"bytes": min(size, self._index.facts.get("bytes", 0))})

    def forget_damaged(self) -> None:
        """Let all contents be kept anew where the disk has changed one; the splits stay. Raises StorageError."""
        try:
            self.texts(list(self._index.contents))
        except StorageError:
            files.remove(self._path)
            self.forget_lost()

    def keep(self, texts: Mapping[str, str]) -> None:
        """Keep texts by their digests; those that are there already stay as they are. Raises StorageError."""
        new = [(sha, text) for sha, text in texts.items() if sha not in self._index.contents]
        place = self._index.facts.get("bytes", 0)
        new.reverse()
        while new:
            contents, known, start = bytearray(), {}, place
            while new and len(contents) < _AT_ONCE:
                sha, text = new.pop()
                content = text.encode("utf-8", "replace")
                known[sha] = [place, len(content), zlib.crc32(content)]
                contents += content
                place += len(content)
            files.append_bytes(self._path, after=start, content=bytes(contents))
            self._index.write(contents=known, facts={"bytes": place})

    def places(self) -> dict[str, int]:
        """Where each content begins in the file, by its digest."""
        return {sha: start for sha, (start, _, _) in self._index.contents.items()}

    def texts(self, digests: Sequence[str]) -> list[str]:
        """The texts of some digests.

        Raises:
            DataError: one is not kept.
            StorageError: the file cannot be read, or the disk has changed it.
        """
        again = f"They are kept again with: forty fit TABLE --name {self.folder.name}"
        found = []
        with files.storage_errors("read", self._path), self._path.open("rb") as file:
            for sha in digests:
                if sha not in self._index.contents:
                    raise DataError(f"{self._path} has not all texts that were used.", hint=again)
                start, length, checksum = self._index.contents[sha]
                file.seek(start)
                content = file.read(length)
                if zlib.crc32(content) != checksum:
                    raise StorageError(
                        f"{self._path} is damaged: the disk has changed it.",
                        hint=f"Remove it and run the command again. {again}",
                    )
                found.append(content.decode("utf-8", "replace"))
        return found

    def owner(self) -> str:
        """The table or folder that the name belongs to, or ""."""
        return str(self._index.facts.get("owner", ""))

    def keep_owner(self, place: str) -> None:
        """Let the name belong to a table or folder. Raises StorageError."""
        self._index.write(facts={"owner": place})

    def is_empty(self) -> bool:
        """Whether no text was looked at yet."""
        return not self._index.contents and not self._index.splits

    def knows(self, sha256: str) -> bool:
        """Whether a content was looked at."""
        return sha256 in self._index.contents or sha256 in self._index.splits

    def splits(self) -> dict[str, str]:
        """The split of every content that has one, by its digest."""
        return dict(self._index.splits)

    def keep_splits(self, splits: Mapping[str, str]) -> None:
        """Write down the splits of contents, by their digests. Raises StorageError."""
        new = {sha: split for sha, split in splits.items() if self._index.splits.get(sha) != split}
        if new:
            self._index.write(splits=new)


@contextlib.contextmanager
def opened(name: str, settings: Settings) -> Iterator[TextCollection]:
    """The collection of a name, made where there is none; held by one process at a time.

    Raises:
        UsageError: the name is that of photographs.
        DataError: another process is at work on it.
        StorageError: it cannot be read or written.
    """
    folder = folder_of(name, settings)
    if files.is_folder(folder) and not holds_texts(folder) and any(folder.glob("*.index")):
        raise UsageError(
            f"The name {name!r} belongs to photographs.", hint="Give the texts a name of their own: --name NAME"
        )
    files.make_folder(folder)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(folder / "lock", timeout=0))
        except TimeoutError:
            raise DataError(
                f"Another process is looking at the texts of {name!r}.", hint="Wait until it is done."
            ) from None
        collection = TextCollection(folder, Index(folder / _INDEX))
        collection.forget_lost()
        yield collection


def kept_texts(folder: Path, digests: Sequence[str]) -> list[str]:
    """The texts of some digests in a collection's folder, which no process need hold. Raises as its ``texts``."""
    return TextCollection(folder, Index(folder / _INDEX)).texts(digests)

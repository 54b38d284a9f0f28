"""Small facts by their keys, in a file that only grows: one line for each change, with a checksum.

A line is the CRC-32 of a JSON object, a space and the object: what changes in each table, ``null`` for a key that is
no more. A line that a killed process left unfinished counts for nothing, and is written over. One that lacks only its
end counts. Where the disk has changed a line, the file is set aside, and a new one is made of those that are right.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fortydays.base import files

Table = dict[str, Any]
_TABLES = {"contents", "files", "splits", "facts"}


class Index:
    """The tables of a file, in memory; all of them are empty where there is no file.

    Attributes:
        contents: what is known of each content, by its SHA-256.
        files: what each file held when it was read, by its path.
        splits: the split of each content that has one, by its SHA-256.
        facts: anything else.
        whole: whether the file was there, and none of it was damaged.
        warning: what to tell the reader of damage, or "".
    """

    def __init__(self, path: Path) -> None:
        self.contents, self.files, self.splits, self.facts = Table(), Table(), Table(), Table()
        self.warning = ""
        self._path, self._length = path, 0
        self.whole = files.is_file(path)
        if self.whole:
            self._read()

    def write(self, **changes: Mapping[str, Any]) -> None:
        """Change tables, in memory and on the disk. Raises StorageError.

        Args:
            changes: new values by key, of each table by its name; None takes a key out.
        """
        text = json.dumps(changes).encode()
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        files.append_bytes(self._path, after=self._length, content=line)
        self._length += len(line)
        self._apply(changes)

    def _apply(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        for name, change in changes.items():
            table: Table = getattr(self, name)
            table.update(change)
            for key in [key for key, value in change.items() if value is None]:
                del table[key]

    def _read(self) -> None:
        with files.storage_errors("read", self._path):
            *lines, last = self._path.read_bytes().split(b"\n")
        # Of the last line the end may be missing, or be another byte now.
        ended = next((line for line in (last, last[:-1]) if _changes_in(line) is not None), None)
        for line in [*lines, ended] if ended else lines:
            changes = _changes_in(line)
            if changes is None:
                self.whole = False
            else:
                self._apply(changes)
                self._length += len(line) + 1
        if not self.whole or (last and not self._length):
            self.make_anew()
        elif ended:
            files.append_bytes(self._path, after=self._length - 1, content=b"\n")

    def make_anew(self) -> None:
        """Set the file aside as damaged, and write a new one of what is known. Raises StorageError."""
        self.whole = False
        aside = files.set_aside(self._path)
        self.warning = f"{self._path} was damaged. It is kept as {aside.name}; what it lacks now is read anew."
        self._length = 0
        self.write(contents=self.contents, files=self.files, splits=self.splits, facts=self.facts)


def _changes_in(line: bytes) -> dict[str, Table] | None:
    """The changes that a line tells of; None where it is damaged or unfinished."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    changes: dict[str, Table] = json.loads(text)
    return changes if changes.keys() <= _TABLES else None

"""What is kept of a reader's photographs: what each file held, and its pixels as a network takes them.

A collection lies in the workspace, in ``own/NAME/``; the reader's own folder is only ever read::

    index.sqlite     what each file held when it was read, and what is known of each content
    224.1.pixels     the pixels of each content at 224 x 224, in the order in which they were first met

Contents are told apart by their SHA-256. A file whose size and time of change are the same is not read again, so that
a second look at a hundred thousand photographs takes seconds, and a look that was stopped goes on where it was. What
is kept after a crash is a whole number of photographs: pixels are on disk before the index speaks of them.
"""

import contextlib
import dataclasses
import os
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fortydays.base import database, files
from fortydays.base.errors import DataError, StorageError
from fortydays.base.images import Reason
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.base.text import counted, size_in_words
from fortydays.data.own.decoding import Content, FileRead, decoders, read_files, status_of
from fortydays.data.own.duplicates import SMALL_SIDE
from fortydays.data.own.listing import Listing
from fortydays.data.own.pixels import kept_pixels, pixel_file
from fortydays.data.own.rows import (
    append_rows,
    checksum_file,
    checksums_in,
    checksums_of,
    damage_file,
    forget_pages,
)

INDEX = "index.sqlite"
_AT_ONCE = 256
_RANGES = "ranges 3"
"""Number of the rule by which pixel values of more than eight bits become eight."""
_SCHEMA = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS contents (
    id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, reason TEXT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, format TEXT NOT NULL, mode TEXT NOT NULL,
    hash BLOB NOT NULL, small BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL, content INTEGER, reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS prepared (side INTEGER NOT NULL, row INTEGER NOT NULL, content INTEGER NOT NULL,
    PRIMARY KEY (side, row), UNIQUE (side, content));
CREATE TABLE IF NOT EXISTS splits (sha256 TEXT PRIMARY KEY, split TEXT NOT NULL);
"""


class Collection:
    """The kept photographs of one name; from :func:`opened`."""

    def __init__(self, folder: Path, side: int, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.side = side
        self._pixel_file = pixel_file(folder, side)
        self._connection = connection

    def read(self, listing: Listing, *, workers: int, progress: Progress = SILENT) -> dict[str, Content | str]:
        """Look at every photograph of a listing, as far as it was not looked at before.

        Args:
            listing: the photographs.
            workers: threads that decode.
            progress: told of the files.

        Returns:
            For each path what its bytes are; or, in words, why they could not be had.

        Raises:
            DataError: the workspace has not enough room for the pixels.
            StorageError: it cannot be written, or pixels that it had are gone.
        """
        self._check_pixels(progress)
        found: dict[str, Content | str] = {}
        known = self._known()
        waiting = []
        for photograph in listing.photographs:
            status = status_of(listing.root / photograph.path)
            before = known.get(photograph.path)
            if before is not None and isinstance(status, tuple) and before[0] == status:
                found[photograph.path] = before[1]
            else:
                waiting.append(photograph.path)
        if waiting:
            self._check_room(len(waiting))
            task, done = "Looking at the photographs", 0
            progress.start(task, total=float(len(waiting)), unit="files")
            most = max(1, min(_AT_ONCE, 2**26 // (3 * self.side**2)))
            with contextlib.closing(read_files(listing.root, waiting, side=self.side, workers=workers)) as reads:
                while batch := list(islice(reads, most)):
                    found.update(self._keep(batch))
                    done += len(batch)
                    progress.advance(task, done=float(done))
            progress.finish(task)
        return {photograph.path: found[photograph.path] for photograph in listing.photographs}

    def pixels(self) -> NDArray[np.uint8]:
        """The pixels of every content that was ever prepared at this side.

        Returns:
            A read-only memory map: uint8, shape (rows, side, side, 3).
        """
        (rows,) = self._connection.execute("SELECT count(*) FROM prepared WHERE side = ?", (self.side,)).fetchone()
        pixels = kept_pixels(self.folder, self.side)
        if len(pixels) < rows:
            raise StorageError(
                f"{self._pixel_file} is shorter than its index says.",
                hint=f"Remove the folder {self.folder} and run the command again.",
            )
        return pixels[:rows]

    def _check_pixels(self, progress: Progress) -> None:
        """Let photographs be read anew whose pixels were found to be damaged; give the others checksums.

        Raises:
            StorageError: the index knows of pixels that are not there: nothing would be read again.
        """
        pixels, known, told = self.pixels(), checksums_in(self._pixel_file), damage_file(self._pixel_file)
        if len(known) < len(pixels):  # an earlier version of this program kept none
            append = checksums_of(pixels[len(known) :]).tobytes()
            files.append_bytes(checksum_file(self._pixel_file), after=4 * len(known), content=append)
            forget_pages(pixels)
        if not files.is_file(told):
            return
        damaged = [int(row) for row in files.read_json(told)["rows"]]
        progress.warn(f"{self._pixel_file} was damaged: {counted(len(damaged), 'photograph')} of it are read anew.")
        with self._storage_errors("write"), self._connection as connection:
            contents = [
                connection.execute(
                    "SELECT content FROM prepared WHERE side = ? AND row = ?", (self.side, row)
                ).fetchone()
                for row in damaged
            ]
            again = [each for each in contents if each is not None]
            connection.executemany("DELETE FROM files WHERE content = ?", again)
            # A row of pixels is never written over: the same bytes get another one.
            connection.executemany("UPDATE contents SET sha256 = sha256 || ' before ' || id WHERE id = ?", again)
        files.remove(told)

    def owner(self) -> str:
        """The folder or table that the name belongs to, or "". Raises StorageError."""
        with self._storage_errors("read"):
            found = self._connection.execute("SELECT value FROM about WHERE key = 'owner'").fetchone()
        return os.fsdecode(found[0]) if found else ""

    def keep_owner(self, place: str) -> None:
        """Let the name belong to a folder or table. Raises StorageError."""
        with self._storage_errors("write"), self._connection:
            self._connection.execute("INSERT OR REPLACE INTO about VALUES ('owner', ?)", (os.fsencode(place),))

    def is_empty(self) -> bool:
        """Whether no photograph was looked at yet. Raises StorageError."""
        with self._storage_errors("read"):
            return not self._connection.execute("SELECT 1 FROM contents LIMIT 1").fetchone()

    def knows(self, sha256: str) -> bool:
        """Whether a content was looked at. Raises StorageError."""
        with self._storage_errors("read"):
            return bool(self._connection.execute("SELECT 1 FROM contents WHERE sha256 = ?", (sha256,)).fetchone())

    def splits(self) -> dict[str, str]:
        """The split of every content that has one, by its SHA-256."""
        with self._storage_errors("read"):
            return dict(self._connection.execute("SELECT sha256, split FROM splits"))

    def keep_splits(self, splits: dict[str, str]) -> None:
        """Write down the splits of contents, by their SHA-256. Raises StorageError."""
        with self._storage_errors("write"), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO splits VALUES (?, ?)", splits.items())

    def forget_unreadable(self) -> None:
        """Let files be looked at again that had no pixels, or wrong ones, where another program reads them now.

        Raises:
            StorageError: the index cannot be written.
        """
        today = f"{decoders()}, {_RANGES}"
        with self._storage_errors("write"), self._connection as connection:
            before = connection.execute("SELECT value FROM about WHERE key = 'decoders'").fetchone() or ("",)
            if before == (today,):
                return
            reasons = (Reason.UNKNOWN.value, Reason.DAMAGED.value)
            connection.execute(
                "DELETE FROM files WHERE content IN (SELECT id FROM contents WHERE contents.reason IN (?, ?))", reasons
            )
            if _RANGES not in before[0]:
                # Their pixels may be black. A row of pixels is never written over: the same bytes get another one.
                connection.execute(
                    "UPDATE contents SET sha256 = sha256 || ' before ' || id"
                    " WHERE (mode = 'F' OR mode LIKE 'I%') AND reason = '' AND sha256 NOT LIKE '% before%'"
                )
                connection.execute(
                    "DELETE FROM files WHERE content IN (SELECT id FROM contents WHERE sha256 LIKE '% before%')"
                )
            # What has a row of pixels after all keeps its number, which the row is given to.
            connection.execute(
                "DELETE FROM contents WHERE reason IN (?, ?) AND id NOT IN (SELECT content FROM prepared)", reasons
            )
            connection.execute("INSERT OR REPLACE INTO about VALUES ('decoders', ?)", (today,))

    # ------------------------------------------------------------------------------------------------------- reading

    def _known(self) -> dict[str, tuple[tuple[int, int], Content | str]]:
        """What is known of each path: its size and time of change then, and what was found."""
        with self._storage_errors("read"):
            rows = self._connection.execute(
                "SELECT path, size, changed, files.reason, sha256, contents.reason, width, height, format, mode, hash,"
                " small, row FROM files LEFT JOIN contents ON contents.id = files.content"
                " LEFT JOIN prepared ON prepared.content = contents.id AND side = ?",
                (self.side,),
            ).fetchall()
        known: dict[str, tuple[tuple[int, int], Content | str]] = {}
        for path, size, changed, reason, *content in rows:
            if content[0] is None:
                known[path] = ((size, changed), reason)
            elif content[1] or content[-1] is not None:  # else its pixels are not there at this side
                known[path] = ((size, changed), _content(content))
        return known

    def _keep(self, batch: Sequence[FileRead]) -> dict[str, Content | str]:
        """Write down what was read: first the pixels, then, when they are on disk, what the index says of them."""
        new: dict[str, NDArray[np.uint8]] = {}
        for each in batch:
            if each.content is not None and each.pixels is not None:
                new.setdefault(each.content.sha256, each.pixels)
        with self._storage_errors("write"), self._connection as connection:
            (rows,) = connection.execute("SELECT count(*) FROM prepared WHERE side = ?", (self.side,)).fetchone()
            there = {sha256: self._row_of(sha256) for sha256 in new}
            added = [sha256 for sha256, row in there.items() if row is None]
            if added:
                # What a process that was killed wrote beyond the rows that the index tells of is written over.
                append_rows(self._pixel_file, np.stack([new[sha256] for sha256 in added]), after=rows)
            for each in batch:
                if each.content is not None:
                    connection.execute(
                        # What a decoder could not read once, another one may.
                        "INSERT INTO contents (sha256, reason, width, height, format, mode, hash, small)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET reason = excluded.reason,"
                        " width = excluded.width, height = excluded.height, format = excluded.format,"
                        " mode = excluded.mode, hash = excluded.hash, small = excluded.small"
                        " WHERE contents.reason != '' AND excluded.reason = ''",
                        _values(each.content),
                    )
            for row, sha256 in enumerate(added, start=rows):
                connection.execute(
                    "INSERT INTO prepared SELECT ?, ?, id FROM contents WHERE sha256 = ?", (self.side, row, sha256)
                )
            for each in batch:
                connection.execute("DELETE FROM files WHERE path = ?", (each.path,))
                if each.size >= 0:
                    connection.execute(
                        "INSERT INTO files SELECT ?, ?, ?, (SELECT id FROM contents WHERE sha256 = ?), ?",
                        (each.path, each.size, each.changed, each.content.sha256 if each.content else "", each.reason),
                    )
            found: dict[str, Content | str] = {}
            for each in batch:
                if each.content is None:
                    found[each.path] = each.reason
                else:
                    kept = self._row_of(each.content.sha256)
                    found[each.path] = dataclasses.replace(each.content, row=-1 if kept is None else kept)
        return found

    def _row_of(self, sha256: str) -> int | None:
        row = self._connection.execute(
            "SELECT row FROM prepared JOIN contents ON contents.id = content WHERE side = ? AND sha256 = ?",
            (self.side, sha256),
        ).fetchone()
        return None if row is None else int(row[0])

    def _check_room(self, count: int) -> None:
        needed = count * 3 * self.side**2
        free = files.free_bytes(self.folder)
        if needed > free:
            raise DataError(
                f"The pixels of {counted(count, 'photograph')} need {size_in_words(needed)} in {self.folder}; "
                f"there is room for {size_in_words(free)}.",
                hint="Make room, or let FORTYDAYS_HOME name a folder on a larger disk.",
            )

    @contextlib.contextmanager
    def _storage_errors(self, action: str) -> Iterator[None]:
        path = self.folder / INDEX
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StorageError(f"Could not {action} {path}: {error}.", hint=_hint(error, self.folder)) from error


def folder_of(name: str, settings: Settings) -> Path:
    """Where the collection of that name is kept, whether it is there or not."""
    return settings.workspace / "own" / name


def names_kept(settings: Settings) -> tuple[str, ...]:
    """The names of all collections that the workspace has.

    Raises:
        StorageError: the workspace cannot be read.
    """
    place = folder_of("", settings)
    if not files.is_folder(place):
        return ()
    with files.storage_errors("read", place):
        return tuple(sorted(each.name for each in place.iterdir() if each.is_dir()))


@contextlib.contextmanager
def opened(name: str, settings: Settings, *, side: int) -> Iterator[Collection]:
    """The collection of a name, made where there is none; held by one process at a time.

    Args:
        name: a checked name: of letters, digits and hyphens.
        settings: where the workspace is.
        side: pixels that the photographs are prepared at, upwards and sideways.

    Raises:
        DataError: another process is at work on it.
        StorageError: it cannot be read or written, or is damaged.
    """
    folder = files.make_folder(folder_of(name, settings))
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(folder / "lock", timeout=0))
        except TimeoutError:
            raise DataError(
                f"Another process is looking at the photographs of {name!r}.", hint="Wait until it is done."
            ) from None
        path = folder / INDEX
        try:
            connection = database.connect(path)
            stack.callback(connection.close)
            connection.executescript(_TABLES)
            with connection:
                connection.execute("INSERT OR IGNORE INTO about VALUES ('schema', ?)", (str(_SCHEMA),))
            (schema,) = connection.execute("SELECT value FROM about WHERE key = 'schema'").fetchone()
        except sqlite3.DatabaseError as error:
            raise StorageError(f"Could not open {path}: {error}.", hint=_hint(error, folder)) from error
        if not connection.execute("SELECT 1 FROM contents LIMIT 1").fetchone():
            # An index that was lost: rows are given out anew, and what was computed of the old ones is of others.
            for path in folder.glob("*.features"):
                files.remove(path)
        if schema != str(_SCHEMA):
            raise StorageError(
                f"{path} has the schema {schema}; this version of fortydays knows {_SCHEMA}.",
                hint=f"Remove {folder}; it is made again from your photographs.",
            )
        collection = Collection(folder, side, connection)
        collection.forget_unreadable()
        yield collection


def _hint(error: sqlite3.DatabaseError, folder: Path) -> str:
    if isinstance(error, sqlite3.OperationalError):
        return "Is the disk full, or read-only?"
    return f"Remove {folder}; all but the splits is made again from your photographs."


def _values(content: Content) -> tuple[object, ...]:
    return (
        content.sha256, content.reason, content.width, content.height, content.format, content.mode,
        content.hash.to_bytes(8, "big"), content.small.tobytes(),
    )  # fmt: skip


def _content(values: Sequence[object]) -> Content:
    sha256, reason, width, height, kind, mode, hashed, small, row = values
    assert isinstance(hashed, bytes)
    assert isinstance(small, bytes)
    return Content(
        sha256=str(sha256),
        reason=str(reason),
        width=int(str(width)),
        height=int(str(height)),
        format=str(kind),
        mode=str(mode),
        hash=int.from_bytes(hashed, "big"),
        small=np.frombuffer(small, np.uint8).reshape(SMALL_SIDE, SMALL_SIDE, 3),
        row=-1 if row is None else int(str(row)),
    )

"""The file of an SQLite tracking store: its damage, its place, and the addresses in it."""

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from fortydays.base import files
from fortydays.base.database import set_journal
from fortydays.base.errors import TrackingError

ARTIFACTS = "mlartifacts"
"""The folder of the workspace that has the pictures and models of its store."""

OUR_EXPERIMENTS = "fortydays/"
"""What the names of the experiments that this program makes begin with."""

LOCATION = re.compile(rf"(file://.*/{ARTIFACTS})/({OUR_EXPERIMENTS}.*|0)")
"""An address in an experiment of ours, or in MLflow's experiment 0: the folder of artifacts, and the rest."""

_HEADER = b"SQLite format 3\0"
_JOURNALS = ("-journal", "-wal", "-shm")


def is_missing(database: Path) -> bool:
    """Whether there is no store, or only the empty file that a killed process left."""
    with files.storage_errors("read", database):
        return not files.exists(database) or database.stat().st_size == 0


def damage(database: Path) -> str:
    """What is wrong with an SQLite file, or ""; leaves it with a rollback journal where that is the safe one."""
    if is_missing(database):
        return ""
    with files.storage_errors("read", database), database.open("rb") as file:
        if file.read(len(_HEADER)) != _HEADER:
            return "it does not begin as an SQLite database does"
    try:
        with _connected(database) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            set_journal(connection)
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else " ".join(found.split())


def set_aside(database: Path) -> Path:
    """Rename a damaged store and its journals. Returns the store's new path."""
    # The journals first: one that is left behind would be played into the next database of this name.
    for suffix in _JOURNALS:
        journal = database.with_name(database.name + suffix)
        if journal.exists():
            files.set_aside(journal)
    return files.set_aside(database)


def put(draft: Path, database: Path) -> None:
    """Rename a new store to where there is none. Raises StorageError."""
    # A journal that was left there is not its own; the draft is what earlier versions of this program left.
    for leftover in (*(database.with_name(database.name + suffix) for suffix in _JOURNALS), files.part_of(database)):
        files.remove(leftover)
    with files.storage_errors("write", database):
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(database)
        files.sync_folder(database.parent)


def former_places(database: Path, artifacts: Path) -> set[str]:
    """The folders of artifacts that a workspace's store names, besides the workspace's own."""
    with _connected(database) as connection:
        return _former_places(connection, artifacts)


def set_right(database: Path, artifacts: Path) -> None:
    """Make every address in a workspace's store one below ``artifacts``, the workspace's folder as it is now.

    A store that cannot be written stays as it is.
    """
    here = artifacts.as_uri()
    with _connected(database) as connection, contextlib.suppress(sqlite3.OperationalError), connection:
        connection.execute("BEGIN IMMEDIATE")
        for former in sorted(_former_places(connection, artifacts)):
            for table, column in _words(connection):
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
                    (here, len(former) + 1, len(former) + 1, f"{former}/"),
                )


def _former_places(connection: sqlite3.Connection, artifacts: Path) -> set[str]:
    try:
        rows = connection.execute(
            "SELECT artifact_location FROM experiments WHERE experiment_id = 0 OR substr(name, 1, ?) = ?",
            (len(OUR_EXPERIMENTS), OUR_EXPERIMENTS),
        ).fetchall()
    except sqlite3.OperationalError:  # no store of MLflow's, which is for MLflow to refuse
        return set()
    found = (LOCATION.fullmatch(str(location)) for (location,) in rows)
    return {match[1] for match in found if match} - {artifacts.as_uri()}


def _words(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every column of text, with its table, both quoted. Which have addresses differs with MLflow's version."""
    tables = [f'"{name}"' for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [
        (table, f'"{column}"')
        for table in tables
        for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})")
        if "CHAR" in kind.upper() or "TEXT" in kind.upper()
    ]


@contextlib.contextmanager
def _connected(database: Path) -> Iterator[sqlite3.Connection]:
    # Opened to write, because a transaction that a killed process left half done is undone on opening.
    address = f"file:{quote(str(database))}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=20)) as connection:
            yield connection
    except sqlite3.OperationalError as error:  # locked, or the disk refuses: no sign of damage
        raise TrackingError(f"The tracking store {database} cannot be read: {error}.") from error

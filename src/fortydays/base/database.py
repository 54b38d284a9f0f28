"""How this program opens its own SQLite files."""

import sqlite3
from pathlib import Path

from fortydays.base import files

SAFE_WRITE_AHEAD = (3, 51, 3)
"""The first SQLite whose write-ahead log cannot damage a database that two connections write to in the same moment."""


def connect(path: Path, *, timeout: float = 5.0) -> sqlite3.Connection:
    """Open an SQLite file that only its owner can read; it is made where there is none.

    It has a rollback journal where this machine's SQLite has a write-ahead log that can damage it. Another
    connection is waited for ``timeout`` seconds.

    Raises:
        StorageError: the file cannot be made.
        sqlite3.Error: it is no such file, or is locked.
    """
    files.make_private_file(path)
    connection = sqlite3.connect(path, timeout=timeout)
    try:
        set_journal(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def set_journal(connection: sqlite3.Connection) -> None:
    """Give a database the journal that is safe with this machine's SQLite.

    Raises:
        sqlite3.Error: it is no database, or another connection holds it.
    """
    if sqlite3.sqlite_version_info >= SAFE_WRITE_AHEAD:
        return
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode == "wal":
        connection.execute("PRAGMA journal_mode=DELETE")

"""The index that earlier versions of this program kept of a reader's photographs, ``index.sqlite``: read once."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from fortydays.base import files
from fortydays.data.own.splitting import SPLITS

_MOST = 10_000_000
"""Splits that are read."""


def old_index(folder: Path) -> Path:
    """Where it lies in a collection's folder."""
    return folder / "index.sqlite"


def taken_over(folder: Path) -> tuple[str, dict[str, str], str]:
    """What cannot be made again of an old index: what the name belongs to, and the splits by SHA-256.

    An index that cannot be read is set aside.

    Returns:
        Owner and splits, empty where there are none; and what to tell the reader of damage, or "".

    Raises:
        StorageError: it cannot be set aside.
    """
    path = old_index(folder)
    if not files.is_file(path):
        return "", {}, ""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            owner = connection.execute("SELECT value FROM about WHERE key = 'owner'").fetchone()
            splits = connection.execute("SELECT sha256, split FROM splits LIMIT ?", (_MOST,)).fetchall()
    except sqlite3.Error as error:
        aside = files.set_aside(path)
        return "", {}, f"{path} cannot be read ({error}). It is kept as {aside.name}; some splits may be decided anew."
    known = {str(sha256): str(split) for sha256, split in splits if split in SPLITS}
    return os.fsdecode(owner[0]) if owner else "", known, ""

"""Whether a reader's folder or table holds texts, or photographs."""

import os
from itertools import islice
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError
from fortydays.data.own.tables import COLUMNS, plain
from fortydays.data.own.texts import listing
from fortydays.data.own.texts.columns import NAMES
from fortydays.inputs.images import Images

_LOOKED_AT = 20
_MOST = 10_000
"""Files of a folder that are looked at."""


def are_texts(source: Path) -> bool:
    """Whether a folder has files of text and no image, or a table has texts in its cells, and no names of files.

    What cannot be read, or is not there, is none: whoever reads it as photographs says what is wrong.
    """
    if files.is_folder(source):
        return _folder_has_texts(source)
    if not files.is_file(source) or source.suffix.lower() not in listing.TABLES:
        return False
    try:
        names, rows = listing.rows_of_table(source)
        first = list(islice((row for _, row in rows), _LOOKED_AT))
    except FortydaysError:
        # What is wrong with a table of unknown kind is told by those who read texts, unless it names files.
        return True
    known = {kind: any(plain(name) in names_of for name in names) for kind, names_of in NAMES.items()}
    named = any(plain(name) in COLUMNS["file"] for name in names)
    named_files = any(
        2 * sum(_is_file(source.parent, row.get(name, "")) for row in first) > len(first) for name in names
    )
    return not named_files and (known["text"] or not named)


def texts_in(folder: Path) -> Path:
    """The only table of a folder without anything else, where it is one of texts; or the folder."""
    if not files.is_folder(folder):
        return folder
    with files.storage_errors("read", folder):
        inside = [each for each in folder.iterdir() if not each.name.startswith(".")]
    return inside[0] if len(inside) == 1 and are_texts(inside[0]) and not files.is_folder(inside[0]) else folder


def _is_file(folder: Path, cell: str) -> bool:
    name = cell.strip()
    if not name or "\0" in name or "\n" in name:
        return False
    if name.lower().endswith(Images.SUFFIXES):
        return True
    try:
        return files.is_file(folder / name)
    except StorageError:  # too long to be the name of a file
        return False


def _folder_has_texts(folder: Path) -> bool:
    found = False
    for count, (_, _, names) in enumerate(os.walk(folder)):
        lowered = [name.lower() for name in names if not name.startswith(".")]
        if any(name.endswith(Images.SUFFIXES) for name in lowered) or count > _MOST:
            return False
        found = found or any(name.endswith(listing.ENDINGS) for name in lowered)
    return found

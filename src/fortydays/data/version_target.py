"""Where a version is checked out to: a folder that is new, or there and empty."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError, UsageError
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.data import version_documents as documents


def find_target(folder: Path, settings: Settings) -> Path:
    """Where a folder really is, if a version can be checked out to it.

    Raises:
        UsageError: it is a file, holds something, or lies in the workspace's own folder of data.
        StorageError: it cannot be read.
    """
    target, own = Path(os.path.realpath(folder)), Path(os.path.realpath(documents.root(settings)))
    if target == own or own in target.parents:
        raise UsageError(f"{printable(str(folder))} lies in the workspace's own folder of data; expected another one.")
    if files.is_folder(target):
        with files.storage_errors("read", target):
            first = next(iter(target.iterdir()), None)
        if first is not None:
            raise UsageError(
                f"{printable(str(folder))} is not empty: it holds {printable(first.name)}; "
                "expected a new or an empty folder.",
                hint="Nothing was changed.",
            )
    elif files.exists(target):
        raise UsageError(f"{printable(str(folder))} is a file; expected a new or an empty folder.")
    return target


@contextlib.contextmanager
def filled_whole(target: Path) -> Iterator[Path]:
    """A temporary folder to fill, the content of which is in ``target`` when the block ends without an error.

    A folder that is there stays the one it is, because it may be a disk of its own or where the reader stands; it is
    empty again where something goes wrong. A new one gets the mode that the process gives to new folders.

    Args:
        target: from :func:`find_target`.

    Raises:
        StorageError: the folder cannot be written, or something else was put into it meanwhile.
    """
    there = files.is_folder(target)
    # On the disk of the target in both cases, so that to rename is enough.
    with files.temporary_folder(target if there else target.parent, "checkout") as scratch:
        building = scratch / "content"
        with files.storage_errors("write", target):
            building.mkdir()
        yield building
        with files.storage_errors("write", target):
            if there:
                _move_into(target, sorted(building.iterdir()))
            else:
                building.replace(target)
            files.sync_folder(target if there else target.parent)


def _move_into(target: Path, entries: Sequence[Path]) -> None:
    begun: list[Path] = []
    try:
        for entry in entries:
            if os.path.lexists(target / entry.name):
                raise StorageError(
                    f"Could not write {printable(str(target / entry.name))}: something was put there meanwhile.",
                    hint="Name another folder.",
                )
            begun.append(entry)
            entry.rename(target / entry.name)
    except BaseException:
        for entry in begun:
            with contextlib.suppress(OSError, FortydaysError):
                if not os.path.lexists(entry):
                    files.remove(target / entry.name)
        raise

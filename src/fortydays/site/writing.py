"""The site on the disk: written beside its place and renamed, and only where nothing of others is."""

import json
from collections.abc import Mapping
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import UsageError

MARK = ".fortydays-site.json"
"""The file that tells a folder with a site: it lists all files of it."""


def write_site(site: Mapping[str, bytes], folder: Path) -> None:
    """Write all files of a site into a folder, in the place of an earlier site.

    Args:
        site: content by address.
        folder: absent, empty, or with an earlier site and nothing else.

    Raises:
        UsageError: the folder has files that are not of a site.
        StorageError: something cannot be written; what was there is still there.
    """
    place = folder.resolve()
    check_place(place)
    with files.temporary_folder(place.parent, place.name) as scratch:
        made = scratch / "made"
        for path, content in {**site, MARK: _mark(site)}.items():
            files.write_bytes(made / path, content)
        before = scratch / "before"
        with files.storage_errors("write", place):
            if files.exists(place):
                place.replace(before)
            try:
                made.replace(place)
            except OSError:
                if before.exists():
                    before.replace(place)
                raise
            files.sync_folder(place.parent)


def check_place(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier site.

    Raises:
        UsageError: it does; the message names a file.
    """
    if not files.exists(folder):
        return
    hint = "Name a folder that is empty, that is not there yet, or that has an earlier site."
    if not files.is_folder(folder):
        raise UsageError(f"{folder} is a file; expected a folder for the site.", hint=hint)
    with files.storage_errors("read", folder):
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    strange = sorted(there - _listed(folder))
    if strange:
        raise UsageError(f"{folder} has files that are not of a site, such as {strange[0]}.", hint=hint)


def _listed(folder: Path) -> set[str]:
    """The files of the site in a folder; none where it has no mark that can be read."""
    if not files.is_file(folder / MARK):
        return set()
    listed = files.read_json(folder / MARK).get("files")
    return {MARK, *(each for each in listed if isinstance(each, str))} if isinstance(listed, list) else set()


def _mark(site: Mapping[str, bytes]) -> bytes:
    return f"{json.dumps({'files': sorted(site)}, indent=0)}\n".encode()

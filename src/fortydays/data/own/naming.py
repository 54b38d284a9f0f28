"""Which photographs a name in the workspace belongs to: index, splits, pages and models go by it."""

import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from fortydays.base import files
from fortydays.base.errors import StorageError, UsageError
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.data.catalog import DATASETS
from fortydays.data.own.listing import LARGEST_FILE, Listing
from fortydays.data.own.pixels import names_kept
from fortydays.data.photographs import PHOTOGRAPHS
from fortydays.data.texts import TEXTS

_BROUGHT_ALONG = frozenset(name.replace("_", "-") for name in (*DATASETS, *PHOTOGRAPHS, *TEXTS))
_LONGEST = 63
_LOOKED_AT = 16


def suggested_name(source: Path) -> str:
    """The name of a folder, or of a table without its ending, as a name for the photographs in it.

    With "my-" before it, where a dataset that the program brings along is called so, or its model is.
    """
    path = Path(os.path.normpath(source.absolute()))
    name = _as_name(path.name if files.is_folder(path) else path.stem) or "photographs"
    return f"my-{name}" if name in _BROUGHT_ALONG else name


def _as_name(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_LONGEST].strip("-")


class Owned(Protocol):
    """What belongs to one folder or table of a reader: a collection of photographs or of texts."""

    folder: Path

    def owner(self) -> str:
        """The folder or table, or ""."""

    def keep_owner(self, place: str) -> None:
        """Let it belong to a folder or table."""

    def is_empty(self) -> bool:
        """Whether nothing was looked at yet."""

    def knows(self, sha256: str) -> bool:
        """Whether a content was looked at."""


def digests_of(listing: Listing) -> Sequence[str]:
    """The SHA-256 of some of the photographs of a listing."""
    looked_at = listing.photographs[:: max(1, len(listing.photographs) // _LOOKED_AT)]
    return [_digest(listing.root / each.path) for each in looked_at]


def check_owner(
    source: Path,
    digests: Callable[[], Sequence[str]],
    collection: Owned,
    settings: Settings,
    *,
    owner: Path | None = None,
    noun: str = "photograph",
) -> None:
    """Let a name belong to one folder or table, and to the same contents where these have moved or were copied.

    The name then belongs to the folder ``owner``, whatever is in it, or to the source where it is None.

    Args:
        source: the folder or table.
        digests: gives the digests of some of what is in it.
        collection: what is kept under the name.
        settings: the workspace.
        owner: see above.
        noun: what one of them is called.

    Raises:
        UsageError: the name is that of others; the hint proposes a free one.
        StorageError: the workspace cannot be read or written.
    """
    here, before = (owner or source).resolve(), collection.owner()
    there = bool(before) and files.exists(Path(before))
    if before == str(here) or (there and here.samefile(before)):
        return
    if not before and collection.is_empty():
        collection.keep_owner(str(here))
        return
    looked_at = digests()
    known = sum(map(collection.knows, looked_at))
    if 2 * known <= len(looked_at):  # what has moved, or is a copy, may have changed since
        name = collection.folder.name
        raise UsageError(
            f"The name {name!r} belongs to {printable(before) or f'other {noun}s'}. "
            f"{printable(str(here))} holds other {noun}s.",
            hint=f"Give these a name of their own: --name {_free_name(name, here, settings)}",
        )
    if owner or not there:
        collection.keep_owner(str(here))


def _digest(path: Path) -> str:
    try:
        if path.lstat().st_size <= LARGEST_FILE:
            return files.sha256_of_file(path)
    except (OSError, StorageError):
        pass  # whoever reads it says what is wrong
    return ""


def _free_name(name: str, path: Path, settings: Settings) -> str:
    """A name that no photographs have, after the folder above or with a number."""
    taken = {each.replace("_", "-") for each in names_kept(settings)} | _BROUGHT_ALONG
    above = _as_name(path.parent.name)
    proposals = [_as_name(f"{above}-{name}")] if above else []
    proposals += [f"{name[: _LONGEST - 5].rstrip('-_')}-{number}" for number in range(2, len(taken) + 3)]
    return next(each for each in proposals if each.replace("_", "-") not in taken)

"""Which photographs a reader has, and what each is of: from a folder for each class, or from a table of files.

Nothing is decoded here, and nothing is followed: a link could lead anywhere, so it is left out and named.
"""

import csv
import io
import json
import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fortydays.base import files
from fortydays.base.errors import DataError
from fortydays.base.text import printable

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".hif")
"""What the name of an image file ends with, capitals or not."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
"""What these files may be, in Pillow's words; which one it is, the file says and not its name."""

MOST_PIXELS = 120_000_000
"""Of a photograph: the largest that telephones take have 108 million."""

LARGEST_FILE = 200_000_000
"""Bytes of a photograph."""

_TABLES = (".csv", ".jsonl")
_PARTS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
_MOST_FILES = 1_000_000
_LARGEST_TABLE = 500_000_000
_SAID = 5


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A file that should be an image.

    Attributes:
        path: below the listing's root, with "/" between its parts.
        label: the name of its class.
    """

    path: str
    label: str


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A file that is not used.

    Attributes:
        path: as for :class:`Photograph`.
        reason: why, in words that fit after "because".
    """

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The photographs of a folder or a table.

    Attributes:
        source: what was named by the reader.
        root: the folder that all paths start from.
        photographs: sorted by path.
        left_out: what else was found, sorted by path.
        notes: what was made of the folder that its reader may not expect, a sentence each.
    """

    source: Path
    root: Path
    photographs: tuple[Photograph, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return tuple(sorted({each.label for each in self.photographs}))


def list_photographs(source: Path) -> Listing:
    """The photographs that a reader names.

    Args:
        source: a folder with one folder for each class, whose folders may hold further ones; or a table with the
            columns ``file`` and ``label``: CSV with a head line, or JSONL with one object a line. The files of a table
            are below the folder that it is in.

    Raises:
        DataError: there is no such folder or table, it names no class or only one, or two classes whose names differ
            in capitals only; or a table cannot be understood, with the line.
        StorageError: it cannot be read.
    """
    place = printable(str(source))
    if not files.exists(source):
        raise DataError(f"There is no {place}.", hint="Name a folder that has one folder for each class.")
    if files.is_folder(source):
        listing = _from_folder(source)
    elif source.suffix.lower() in _TABLES:
        listing = _from_table(source)
    else:
        raise DataError(
            f"{place} is a file; expected a folder with one folder for each class, or a table of files and labels "
            f"({' or '.join(_TABLES)})."
        )
    _check_classes(listing)
    return listing


def _check_classes(listing: Listing) -> None:
    place = printable(str(listing.source))
    classes = listing.classes
    if not classes:
        other = f" It holds {len(listing.left_out):,} other files." if listing.left_out else ""
        raise DataError(
            f"{place} holds no image with a class.{other}",
            hint=f"Put the photographs of each class into a folder of its name. Images end with {', '.join(ENDINGS)}.",
        )
    if len(classes) == 1:
        raise DataError(
            f"{place} has one class only, {printable(classes[0])!r}; expected at least two.",
            hint="A network learns to tell classes apart. Add a folder of photographs that show something else.",
        )
    folded: dict[str, str] = {}
    for name in classes:
        other = folded.setdefault(_folded(name), name)
        if other != name:
            raise DataError(
                f"{place} has two classes whose names differ in capitals or accents' spelling only: "
                f"{printable(other)!r} and {printable(name)!r}.",
                hint="Put their photographs together, or give one another name.",
            )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold()).strip()


# ---------------------------------------------------------------------------------------------------------- a folder


def _from_folder(folder: Path) -> Listing:
    root, notes = folder, []
    found, left_out = walk(root)
    # Archives are often unpacked into a folder of their own.
    while (only := _only_folder(found)) is not None and _depth(found) >= 3:
        root = root / only
        notes.append(f"The classes are the folders in {printable(str(root.relative_to(folder)))}.")
        found, left_out = walk(root)
    firsts = {path.partition("/")[0] for path in found if "/" in path}
    parted = bool(firsts) and all(first.lower() in _PARTS for first in firsts) and _depth(found) >= 3
    if parted:
        parts = ", ".join(printable(first) for first in sorted(firsts))
        notes.append(f"The folders {parts} were put together: which photographs are held out is decided anew.")
    photographs = []
    for path in found:
        steps = path.split("/")
        if len(steps) < (3 if parted else 2):
            left_out.append(LeftOut(path=path, reason="it lies in no folder of a class"))
        else:
            photographs.append(Photograph(path=path, label=steps[1 if parted else 0]))
    return Listing(
        source=folder,
        root=root,
        photographs=tuple(sorted(photographs, key=lambda each: each.path)),
        left_out=tuple(sorted(left_out, key=lambda each: each.path)),
        notes=tuple(notes),
    )


def _only_folder(found: list[str]) -> str | None:
    """The one folder that holds all images, if there is one."""
    firsts = {path.partition("/")[0] if "/" in path else "" for path in found}
    return next(iter(firsts)) or None if len(firsts) == 1 else None


def _depth(found: list[str]) -> int:
    return max((path.count("/") + 1 for path in found), default=0)


def walk(root: Path) -> tuple[list[str], list[LeftOut]]:
    """The files in a folder and all folders below it; hidden ones are passed over, and links are not followed.

    Args:
        root: the folder.

    Returns:
        The paths of those that are called like images, and the others with the reason; in no order.

    Raises:
        DataError: there are more than a million.
        StorageError: a folder cannot be read.
    """
    found: list[str] = []
    left_out: list[LeftOut] = []
    waiting = [""]
    while waiting:
        above = waiting.pop()
        with files.storage_errors("read", root / printable(above)), os.scandir(root / above) as entries:
            for entry in entries:
                path = f"{above}{entry.name}"
                if entry.name.startswith(".") or entry.name in ("__MACOSX", "Thumbs.db", "desktop.ini"):
                    continue
                reason = _problem(entry)
                if reason:
                    left_out.append(LeftOut(path=path, reason=reason))
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{path}/")
                elif not entry.name.lower().endswith(ENDINGS):
                    left_out.append(LeftOut(path=path, reason="its name does not end like an image's"))
                else:
                    found.append(path)
                if len(found) + len(left_out) > _MOST_FILES:
                    raise DataError(f"{printable(str(root))} holds more than {_MOST_FILES:,} files.")
    return found, left_out


def _problem(entry: "os.DirEntry[str]") -> str:
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if entry.is_symlink():
        return "it is a link, and links are not followed"
    if not entry.is_dir(follow_symlinks=False) and not entry.is_file(follow_symlinks=False):
        return "it is neither a file nor a folder"
    return ""


# ----------------------------------------------------------------------------------------------------------- a table


def _from_table(table: Path) -> Listing:
    with files.storage_errors("read", table):
        if table.stat().st_size > _LARGEST_TABLE:
            raise DataError(f"{printable(str(table))} has more than {_LARGEST_TABLE:,} bytes.")
        content = table.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_table(table, f"its byte {error.start:,} is not UTF-8") from None
    rows = _csv_rows(text, table) if table.suffix.lower() == ".csv" else _jsonl_rows(text, table)
    root = table.parent
    labels: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for line, row in rows:
        path, label = _field(row, "file", line, table), _field(row, "label", line, table)
        if labels.setdefault(path, label) != label:
            raise _no_table(
                table, f"line {line:,} says that {printable(path)!r} is {label!r}, and an earlier one {labels[path]!r}"
            )
        if len(labels) > _MOST_FILES:
            raise _no_table(table, f"it names more than {_MOST_FILES:,} files")
        if reason := _problem_below(root, path):
            left_out[path] = reason
    return Listing(
        source=table,
        root=root,
        photographs=tuple(Photograph(path=p, label=labels[p]) for p in sorted(labels) if p not in left_out),
        left_out=tuple(LeftOut(path=p, reason=left_out[p]) for p in sorted(left_out)),
    )


def _csv_rows(text: str, table: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        missing = [name for name in ("file", "label") if name not in (reader.fieldnames or ())]
        if missing:
            found = ", ".join(printable(name) for name in (reader.fieldnames or ())[:_SAID]) or "none"
            raise _no_table(table, f"it has no column {' and no column '.join(missing)}; its columns are {found}")
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise _no_table(table, f"line {reader.line_num + 1:,}: {error}") from None


def _jsonl_rows(text: str, table: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    # Only a line feed ends a line here: a label may hold what Python else takes for one.
    for line, row in enumerate(text.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            value = json.loads(row)
        except (ValueError, RecursionError):
            raise _no_table(table, f"line {line:,} is no JSON") from None
        if not isinstance(value, dict):
            raise _no_table(table, f"line {line:,} is no object")
        yield line, value


def _field(row: Mapping[str, object], name: str, line: int, table: Path) -> str:
    value = row.get(name)
    # Labels are often numbers in JSON.
    if isinstance(value, int) and not isinstance(value, bool) and name == "label":
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise _no_table(table, f"line {line:,} has no {name}")
    if "\0" in value or not _is_utf8(value):
        raise _no_table(table, f"line {line:,} has a {name} that cannot be one: {printable(value)[:60]!r}")
    return value.strip() if name == "label" else str(PurePosixPath(value))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _problem_below(root: Path, path: str) -> str:
    """Why a file that a table names is not taken; "" where it is."""
    parts = PurePosixPath(path).parts
    if PurePosixPath(path).is_absolute() or ".." in parts:
        return "it is not below the table's folder"
    here = root
    for part in parts:
        here = here / part
        if here.is_symlink():
            return "it is a link, and links are not followed"
    if not here.exists():
        return "there is no such file"
    return "" if here.is_file() else "it is no file"


def _no_table(table: Path, why: str) -> DataError:
    return DataError(
        f"{printable(str(table))} cannot be understood: {why}.",
        hint="Expected a CSV file with the columns file and label, or JSONL such as "
        '{"file": "photographs/1.jpg", "label": "daisy"}.',
    )

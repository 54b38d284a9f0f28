"""What is written down of a version of a reader's own data: one small document, checked whenever it is read.

In the workspace::

    data/lock                       held by whoever adds, pushes or pulls
    data/.dvc/                      DVC's own: its settings, and the content of all versions in its cache
    data/versions/NAME/v1/          one folder for each version, which is there whole or not at all
        version.json                the document
        content.dvc                 the same for DVC: what `dvc checkout` needs to bring the files back
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError, UsageError, unknown_name
from fortydays.base.settings import Settings
from fortydays.base.text import shown
from fortydays.data import catalog
from fortydays.data.photographs import PHOTOGRAPHS

TOP_LEVEL = "."
"""The class of the files that lie in no folder. No folder can have this name."""

LARGEST_DOCUMENT = 16 * 2**20
LONGEST_MESSAGE = 1_000

_SCHEMA_VERSION = 1
_DOCUMENT = "version.json"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"v?([1-9][0-9]{0,8})")
_FOLDER = re.compile(r"v[1-9][0-9]{0,8}")
_TREE = re.compile(r"[0-9a-f]{32}\.dir")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class DamagedVersionError(DataError):
    """A version whose document is missing or damaged."""


class NewerVersionError(DataError):
    """A document that a newer fortydays made: right as it may be, it cannot be read, and must not be replaced."""


@dataclass(frozen=True, kw_only=True)
class DataVersion:
    """A version of a reader's own data.

    Attributes:
        name: of the data.
        number: 1 for the first version, and so on.
        created: when it was made, ISO 8601.
        message: what its maker said of it, or "".
        files: how many there are.
        bytes: how many they have together.
        classes: how many files each first folder level holds; those in no folder count for :data:`TOP_LEVEL`.
        md5: DVC's name for the whole: the MD5 of its list of files, followed by ``.dir``.
        digest: SHA-256 over the sorted list of every file's path and SHA-256.
    """

    name: str
    number: int
    created: str
    message: str
    files: int
    bytes: int
    classes: Mapping[str, int]
    md5: str
    digest: str

    @property
    def label(self) -> str:
        """What a reader calls it, such as ``v1``."""
        return f"v{self.number}"


def check_name(name: str, settings: Settings) -> str:
    """The name of a reader's own data, if it is one.

    Raises:
        UsageError: it has another form than 1 to 63 of a-z, 0-9, dashes and underscores, with a letter or a digit at
            each end, or it is new and the name of a dataset that the program brings along.
        StorageError: the workspace cannot be read.
    """
    if not _NAME.fullmatch(name):
        lower = name.lower()
        raise UsageError(
            f"{shown(name)} is no name for data; expected at most 63 of a-z, 0-9, '-' and '_', "
            "with a letter or a digit first and last.",
            hint=f"Did you mean {lower!r}?" if _NAME.fullmatch(lower) else "",
        )
    # A name that was used before the program brought such a dataset stays as good as it was.
    if name in (*catalog.DATASETS, *PHOTOGRAPHS) and not numbers(name, settings):
        raise UsageError(
            f"{name!r} is a dataset that fortydays brings along; your own data needs another name.",
            hint=f"For instance: my-{name}",
        )
    return name


def check_message(message: str) -> str:
    """What a reader says of a version, without white space around it.

    Raises:
        UsageError: it is longer than :data:`LONGEST_MESSAGE` characters, or holds others than text.
    """
    text = message.strip()
    if len(text) > LONGEST_MESSAGE:
        raise UsageError(f"The message has {len(text):,} characters; expected at most {LONGEST_MESSAGE:,}.")
    if not _is_message(text):
        raise UsageError(f"The message {shown(text)} holds characters that cannot be printed.")
    return text


def parse_number(text: str) -> int:
    """Read the number of a version, ``v1`` or ``1``. Raises UsageError."""
    found = _NUMBER.fullmatch(text)
    if not found:
        raise UsageError(f"{shown(text)} is no version; expected a number from 1, such as v1.")
    return int(found[1])


# -------------------------------------------------------------------------------------------------------- documents


def to_document(version: DataVersion) -> dict[str, Any]:
    """The document of a version, as it is written and as it travels."""
    return {
        "schema_version": _SCHEMA_VERSION,
        "name": version.name,
        "number": version.number,
        "created": version.created,
        "message": version.message,
        "files": version.files,
        "bytes": version.bytes,
        "classes": dict(version.classes),
        "md5": version.md5,
        "digest": version.digest,
    }


def to_bytes(version: DataVersion) -> bytes:
    """The text of a version's document, in UTF-8.

    Raises:
        UsageError: it would be too large to be read again, because there are too many classes.
    """
    content = json.dumps(to_document(version), indent=1, ensure_ascii=False).encode() + b"\n"
    if len(content) > LARGEST_DOCUMENT:
        raise UsageError(
            f"The folder has {len(version.classes):,} folders on its first level, each of which counts as a class; "
            f"the list of them would need more than {LARGEST_DOCUMENT // 2**20} MB.",
            hint="Put them into fewer folders.",
        )
    return content


def from_bytes(content: bytes, *, name: str, number: int, place: str) -> DataVersion:
    """The version that a document describes; nothing in it is trusted.

    Args:
        content: the document's text.
        name: of the data that it has to be about.
        number: of the version that it has to be about.
        place: where it was found, for the message.

    Raises:
        NewerVersionError: it has another schema version than this program knows.
        DataError: it is not such a document.
    """
    try:
        if len(content) > LARGEST_DOCUMENT:
            raise ValueError(f"it is larger than {LARGEST_DOCUMENT:,} bytes")
        document = json.loads(content)
        schema = document.get("schema_version") if isinstance(document, dict) else None
        if schema is not None and schema != _SCHEMA_VERSION:
            raise NewerVersionError(
                f"{place} was made by a newer fortydays: its schema_version is {shown(str(schema))}, "
                f"expected {_SCHEMA_VERSION}.",
                hint="Update fortydays. The document was left as it is.",
            )
        return _version(document, name=name, number=number)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is no document of version {number} of {name!r}: {error}.") from error


def _version(document: object, *, name: str, number: int) -> DataVersion:
    if not isinstance(document, dict) or document.get("schema_version") != _SCHEMA_VERSION:
        raise ValueError(f"its schema_version is not {_SCHEMA_VERSION}")
    fields = {
        "name": lambda value: value == name,
        "number": lambda value: _is_count(value) and value == number,
        "created": _matches(_MOMENT),
        "message": _is_message,
        "files": lambda value: _is_count(value) and value > 0,
        "bytes": _is_count,
        "classes": lambda value: isinstance(value, dict) and all(map(_is_count, value.values())),
        "md5": _matches(_TREE),
        "digest": _matches(_DIGEST),
    }
    for field, holds in fields.items():
        if not holds(document.get(field)):
            raise ValueError(f"its field {field!r} is missing or wrong")
    if sum(document["classes"].values()) != document["files"]:
        raise ValueError("its classes do not add up to its files")
    values = {field: document[field] for field in fields}
    return DataVersion(**values | {"classes": MappingProxyType(document["classes"])})


def _is_message(value: object) -> bool:
    return (
        isinstance(value, str) and len(value) <= LONGEST_MESSAGE and all(c.isprintable() or c in "\n\t" for c in value)
    )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _matches(pattern: re.Pattern[str]) -> Any:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


# ---------------------------------------------------------------------------------------------------- in the workspace


def root(settings: Settings) -> Path:
    """The folder of the workspace that holds a reader's own data."""
    return settings.workspace / "data"


def folder(name: str, number: int, settings: Settings) -> Path:
    """The folder of a version, whether it is there or not."""
    return root(settings) / "versions" / name / f"v{number}"


def names(settings: Settings) -> list[str]:
    """The names of a reader's own data that have a version, sorted. Raises StorageError."""
    place = root(settings) / "versions"
    if not files.is_folder(place):
        return []
    with files.storage_errors("read", place):
        found = sorted(entry.name for entry in place.iterdir() if _NAME.fullmatch(entry.name) and entry.is_dir())
    return [name for name in found if numbers(name, settings)]


def numbers(name: str, settings: Settings) -> list[int]:
    """The numbers of the versions of a name, in order; empty where there is none. Raises StorageError."""
    place = root(settings) / "versions" / name
    if not files.is_folder(place):
        return []
    with files.storage_errors("read", place):
        return sorted(int(entry.name[1:]) for entry in place.iterdir() if _FOLDER.fullmatch(entry.name))


def known_numbers(name: str, settings: Settings) -> list[int]:
    """The numbers of the versions of a name that has some.

    Raises:
        UsageError: there is no data of that name.
        StorageError: the workspace cannot be read.
    """
    found = numbers(check_name(name, settings), settings)
    if not found:
        raise unknown_name("data of your own", name, names(settings), hint="Make its first version with: "
                           f"forty data add FOLDER --name {name}")  # fmt: skip
    return found


def read(name: str, number: int, settings: Settings) -> DataVersion:
    """A version that is there.

    Raises:
        NewerVersionError: a newer fortydays made it.
        DamagedVersionError: its document is missing or damaged.
        StorageError: it cannot be read.
    """
    place = folder(name, number, settings)
    path = place / _DOCUMENT
    try:
        with files.storage_errors("read", path), path.open("rb") as file:
            content = file.read(LARGEST_DOCUMENT + 1)
        return from_bytes(content, name=name, number=number, place=str(path))
    except NewerVersionError:
        raise
    except (DataError, StorageError) as error:
        if isinstance(error, StorageError) and not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise DamagedVersionError(
            error.message,
            hint=f"Where it was pushed, get it back with: forty data pull {name} REMOTE (which sets this one aside)",
        ) from error


def find(name: str, number: int | None, settings: Settings) -> DataVersion:
    """A version by its number; the newest without one.

    Raises:
        UsageError: there is no such data, or it has no such version.
        DataError: its document is damaged.
        StorageError: the workspace cannot be read.
    """
    known = known_numbers(name, settings)
    if number is None:
        number = known[-1]
    if number not in known:
        newest = ", ".join(f"v{each}" for each in known[-5:])
        raise UsageError(
            f"{name!r} has no version v{number}.", hint=f"It has {'..., ' if len(known) > 5 else ''}{newest}."
        )
    return read(name, number, settings)


def write(version: DataVersion, place: Path) -> None:
    """Write a version's document into a folder. Raises UsageError, StorageError."""
    files.write_bytes(place / _DOCUMENT, to_bytes(version))

"""What is written down of a version of a reader's own data: one small document, checked whenever it is read.

In the workspace::

    data/lock                       held by whoever adds, pushes or pulls
    data/.dvc/                      DVC's own: its settings, and the content of all versions in its cache
    data/versions/NAME/v1/          one folder for each version, which is there whole or not at all
        version.json                the document
        content.dvc                 the same for DVC: what `dvc checkout` needs to bring the files back
        content/                    the files, once they were needed: links to DVC's cache
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from fortydays.base import files
from fortydays.base.errors import DataError, UsageError, unknown_name
from fortydays.base.settings import Settings
from fortydays.base.text import shown
from fortydays.data import catalog
from fortydays.data.dvc_runner import LARGEST
from fortydays.data.photographs import PHOTOGRAPHS
from fortydays.data.texts import TEXTS

TOP_LEVEL = "."
"""The class of the files that lie in no folder. No folder can have this name."""

_DOCUMENT = "version.json"
_LONGEST_MESSAGE = 1_000
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"v?([1-9][0-9]{0,8})")
_REFERENCE = re.compile(rf"({_NAME.pattern})@{_NUMBER.pattern}")


def check_message(message: str) -> str:
    """What a reader says of a version, without white space around it.

    Raises:
        UsageError: it is longer than a thousand characters, or holds others than text.
    """
    text = message.strip()
    if len(text) > _LONGEST_MESSAGE or not all(c.isprintable() or c in "\n\t" for c in text):
        raise UsageError(
            f"The message {shown(text)} cannot be used; expected at most {_LONGEST_MESSAGE:,} characters of text."
        )
    return text


def _as_message(text: str) -> str:
    try:
        return check_message(text)
    except UsageError as error:
        raise ValueError(error.message) from error


_Count = Annotated[int, Field(ge=0, lt=2**63)]


class DataVersion(BaseModel):
    """A version of a reader's own data.

    Attributes:
        created: when it was made, ISO 8601.
        files: how many there are; ``bytes`` is what they have together.
        classes: how many files each first folder level holds; those in no folder count for :data:`TOP_LEVEL`.
        md5: DVC's name for the whole: the MD5 of its list of files, followed by ``.dir``.
        digest: SHA-256 over the sorted list of every file's path and SHA-256.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=f"^{_NAME.pattern}$")]
    number: Annotated[int, Field(gt=0)]
    created: Annotated[str, Field(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}Z$")]
    message: Annotated[str, AfterValidator(_as_message)]
    files: Annotated[int, Field(gt=0)]
    bytes: _Count
    classes: dict[str, _Count]
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}\.dir$")]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def label(self) -> str:
        """What its name is followed by, such as ``v1``."""
        return f"v{self.number}"

    def __str__(self) -> str:
        return f"{self.name}@{self.label}"


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
    if name in (*catalog.DATASETS, *PHOTOGRAPHS, *TEXTS) and not numbers(name, settings):
        raise UsageError(
            f"{name!r} is a dataset that fortydays brings along; your own data needs another name.",
            hint=f"For instance: my-{name}",
        )
    return name


def parse_number(text: str) -> int:
    """Read the number of a version, ``v1`` or ``1``. Raises UsageError."""
    found = _NUMBER.fullmatch(text)
    if not found:
        raise UsageError(f"{shown(text)} is no version; expected a number from 1, such as v1.")
    return int(found[1])


def parse_reference(text: str) -> tuple[str, int] | None:
    """Name and number in a text such as ``flowers@v2``; None for a text of another form."""
    found = _REFERENCE.fullmatch(text)
    return (found[1], int(found[2])) if found else None


def root(settings: Settings) -> Path:
    """The folder of the workspace that holds a reader's own data."""
    return settings.workspace / "data"


def folder(name: str, number: int, settings: Settings) -> Path:
    """The folder of a version, whether it is there or not."""
    return root(settings) / "versions" / name / f"v{number}"


def names(settings: Settings) -> list[str]:
    """The names of a reader's own data that have a version, sorted. Raises StorageError."""
    return [
        name for name in _entries(root(settings) / "versions") if _NAME.fullmatch(name) and numbers(name, settings)
    ]


def numbers(name: str, settings: Settings) -> list[int]:
    """The numbers of the versions of a name, in order; empty where there is none. Raises StorageError."""
    entries = _entries(root(settings) / "versions" / name)
    return sorted(int(entry[1:]) for entry in entries if entry.startswith("v") and _NUMBER.fullmatch(entry))


def _entries(place: Path) -> list[str]:
    if not files.is_folder(place):
        return []
    with files.storage_errors("read", place):
        return sorted(entry.name for entry in place.iterdir())


def versions(name: str, settings: Settings) -> list[DataVersion]:
    """All versions of a name that has some, oldest first. Raises as :func:`find`."""
    return [read(name, number, settings) for number in known_numbers(name, settings)]


def known_numbers(name: str, settings: Settings) -> list[int]:
    """The numbers of the versions of a name that has some. Raises UsageError where there is no data of that name."""
    found = numbers(check_name(name, settings), settings)
    if not found:
        hint = f"Make its first version with: forty data add FOLDER --name {name}"
        raise unknown_name("data of your own", name, names(settings), hint=hint)
    return found


def find(name: str, number: int | None, settings: Settings) -> DataVersion:
    """A version by its number; the newest without one.

    Raises:
        UsageError: there is no such data, or it has no such version.
        DataError: its document is damaged.
        StorageError: the workspace cannot be read.
    """
    known = known_numbers(name, settings)
    number = number or known[-1]
    if number not in known:
        newest = ", ".join(f"v{each}" for each in known[-5:])
        raise UsageError(
            f"{name!r} has no version v{number}.", hint=f"It has {'..., ' if len(known) > 5 else ''}{newest}."
        )
    return read(name, number, settings)


def read(name: str, number: int, settings: Settings) -> DataVersion:
    """A version that is there. Raises DataError and StorageError as :func:`from_file`."""
    return from_file(folder(name, number, settings) / _DOCUMENT, name, number)


def write(version: DataVersion, place: Path) -> None:
    """Write a version's document into its folder. Raises StorageError."""
    files.write_json(place / _DOCUMENT, version.model_dump())


def from_file(path: Path, name: str, number: int) -> DataVersion:
    """The version that a document describes; nothing in it is trusted.

    Raises:
        DataError: it is not such a document, or a newer fortydays made it.
        StorageError: it cannot be read.
    """
    with files.storage_errors("read", path), path.open("rb") as file:
        content = file.read(LARGEST + 1)
    try:
        version = DataVersion.model_validate_json(content[:LARGEST])
    except ValidationError as error:
        schema = next((each["input"] for each in error.errors() if each["loc"] == ("schema_version",)), None)
        if isinstance(schema, int) and schema > 1:
            raise DataError(
                f"{path} was made by a newer fortydays: its schema_version is {schema}, expected 1.",
                hint="Update fortydays. The document was left as it is.",
            ) from None
    else:
        if (version.name, version.number, sum(version.classes.values())) == (name, number, version.files):
            return version
    raise DataError(
        f"{path} is damaged: it is no document of version {number} of {name!r}.",
        hint=f"Move {path.parent} away. Where it was pushed, get it back with: forty data pull {name} REMOTE",
    )

"""What DVC's cache holds of a version of a reader's data, every byte of it hashed: DVC itself trusts what is there."""

import hashlib
import json
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import DataError
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.data.version_documents import DataVersion, root


def is_order(path: str) -> bool:
    """Whether DVC takes a part of a path for an order about the files beside it."""
    parts = path.split("/")
    return any(part in ("dvc.yaml", "dvc.lock") or part.endswith((".dvc", ".dvcignore")) for part in parts)


def object_path(md5: str, settings: Settings) -> Path:
    """Where DVC's cache holds a content, or would hold it."""
    return root(settings) / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def listing(version: DataVersion, settings: Settings) -> dict[str, str]:
    """The MD5 of each file of a version by its path, as DVC has them written down; nothing in it is trusted.

    Raises:
        DataError: the list is missing or altered, or names a file outside of the version's folder.
        StorageError: it cannot be read.
    """
    path = object_path(version.md5, settings)
    wrong = state(version.md5, settings)
    if wrong:
        raise DataError(f"The list of files of {version} {wrong}.", hint=_pull(version))
    with files.storage_errors("read", path):
        content = path.read_bytes()
    try:
        found = {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(content)}
    except (ValueError, TypeError, KeyError, RecursionError):
        found = {}
    for name, md5 in found.items():
        safe = "\0" not in name and not {"", ".", ".."} & set(name.split("/")) and not is_order(name)
        if not safe or len(md5) != 32 or set(md5) - set("0123456789abcdef"):
            raise DataError(f"The list of files of {version} names a file {printable(name)[:80]!r}; it is not used.")
    if len(found) != version.files:
        raise DataError(f"The list of files of {version} does not name {version.files:,} files.", hint=_pull(version))
    return found


def _pull(version: DataVersion) -> str:
    return f"Where it was pushed, get it back with: forty data pull {version.name} REMOTE"


def problems(version: DataVersion, settings: Settings) -> list[str]:
    """What is wrong with what is kept of a version: a sentence for each file, without its full stop."""
    try:
        states = {path: state(md5, settings) for path, md5 in listing(version, settings).items()}
    except DataError as error:
        return [error.message.rstrip(".")]
    return [f"{printable(path)} ({version.label}) {wrong}" for path, wrong in sorted(states.items()) if wrong]


def require_right(version: DataVersion, settings: Settings) -> None:
    """Raise DataError unless all of a version is in DVC's cache and right."""
    found = problems(version, settings)
    if found:
        more = f", and {len(found) - 1:,} more" if len(found) > 1 else ""
        raise DataError(f"{version} cannot be used: {found[0]}{more}.", hint=_pull(version))


def state(md5: str, settings: Settings) -> str:
    """What is wrong with a content in DVC's cache, in words; "" where nothing is."""
    try:
        with object_path(md5, settings).open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        return "is missing from the cache"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return "" if found == md5.removesuffix(".dir") else "is altered in the cache"

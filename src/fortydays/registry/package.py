"""A folder of files that knows its own content: a model version as it is kept, and the bundle that a service loads.

``manifest.json`` names every file with its size and SHA-256, and ends with the SHA-256 of itself without that line. A
byte that is changed, missing or added anywhere, the manifest included, is found by :func:`check`.
"""

import json
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError
from fortydays.base.text import printable

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1
_LARGEST_MANIFEST = 1_000_000
_LARGEST_FILE = 2**40
_MOST_FILES = 1_000
_SHOWN = 5
_OF_FILE_MANAGERS = frozenset(
    (".ds_store", ".localized", ".directory", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")
)
_BESIDE_FILES = re.compile(r"\._.*|\.nfs[0-9a-f]+|.*~|\..*\.sw[a-p]", re.DOTALL)
_FOLDERS_OF_SYSTEMS = frozenset(
    ("@eadir", "__macosx", ".appledouble", ".spotlight-v100", ".fseventsd", ".trashes", "lost+found")
)
_DIGEST = re.compile(r"[0-9a-f]{64}")


class DamagedPackageError(FortydaysError):
    """The files in a folder are not those its manifest names."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a package says of itself.

    Attributes:
        kind: "version" or "bundle".
        facts: what else was written into it, as JSON values.
        files: the files by their path in the folder, with "/" between folders: SHA-256 and size in bytes.
        digest: SHA-256 of all of the above: equal digests, equal packages.
    """

    kind: str
    facts: Mapping[str, Any]
    files: Mapping[str, tuple[str, int]]
    digest: str


def seal(folder: Path, *, kind: str, facts: Mapping[str, Any]) -> Manifest:
    """Write the manifest of the files that are in a folder now, subfolders included; one that is there is replaced.

    Raises:
        StorageError: a file cannot be read or the manifest not written.
        DamagedPackageError: there is something in the folder that is neither a file nor a folder.
    """
    found = {
        name: {"sha256": files.sha256_of_file(path), "bytes": path.stat().st_size}
        for name, path in _files_in(folder)
        if name != MANIFEST
    }
    content = {"schema_version": SCHEMA_VERSION, "kind": kind, "facts": dict(facts), "files": found}
    files.write_bytes(folder / MANIFEST, _text(content))
    return _manifest(content)


def read(folder: Path) -> Manifest:
    """The manifest of a folder, which must be whole itself; the files are not looked at.

    Raises:
        StorageError: there is none, or it cannot be read.
        DamagedPackageError: it was changed.
    """
    path = folder / MANIFEST
    with files.storage_errors("read", path), path.open("rb") as file:
        content = file.read(_LARGEST_MANIFEST + 1)
    damaged = DamagedPackageError(f"{path} is damaged: its content is not what its own digest says.", hint=_AGAIN)
    if len(content) > _LARGEST_MANIFEST:
        raise damaged
    try:
        document = json.loads(content)
        digest = document.pop("digest")
        # Only the very bytes that were written will do: JSON could be written in other ways that mean the same.
        if content != _text(document) or digest != files.sha256_of_json(document):
            raise damaged
        if document["schema_version"] != SCHEMA_VERSION:
            raise FortydaysError(
                f"{path} has schema version {document['schema_version']!r}; "
                f"this version of fortydays reads {SCHEMA_VERSION}."
            )
        return _manifest(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise damaged from None


def check(folder: Path) -> Manifest:
    """The manifest of a folder, after reading every byte of every file.

    Raises:
        StorageError: it cannot be read.
        DamagedPackageError: something was changed, is missing, or was added; the message names it.
    """
    manifest = read(folder)
    there = dict(_files_in(folder))
    there.pop(MANIFEST, None)
    problems = [f"{name} is missing" for name in manifest.files if name not in there]
    problems += [f"{printable(name)[:200]} does not belong to it" for name in there if name not in manifest.files]
    for name in [name for name in there if name in manifest.files]:
        path, (digest, size) = there[name], manifest.files[name]
        with files.storage_errors("read", path):
            found = path.stat().st_size
        if found != size:
            problems.append(f"{name} has {found:,} bytes instead of {size:,}")
        elif files.sha256_of_file(path) != digest:
            problems.append(f"the content of {name} has changed")
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DamagedPackageError(f"{folder} is damaged: {'; '.join(problems[:_SHOWN])}{more}.", hint=_AGAIN)
    return manifest


def read_file(folder: Path, manifest: Manifest, name: str) -> bytes:
    """The content of one file, which is the one that the manifest names.

    Raises:
        StorageError: it cannot be read.
        DamagedPackageError: it was changed since the folder was checked.
    """
    digest, size = manifest.files[name]
    path = folder / name
    with files.storage_errors("read", path), path.open("rb") as file:
        content = file.read(size + 1)
    if files.sha256_of_bytes(content) != digest:
        raise DamagedPackageError(f"{folder} is damaged: the content of {name} has changed.", hint=_AGAIN)
    return content


def copy(folder: Path, target: Path) -> Manifest:
    """Write the files of a folder, checked, into another one, which is made.

    Raises:
        StorageError: something cannot be read or written.
        DamagedPackageError: as for :func:`check`.
    """
    manifest = check(folder)
    for name in manifest.files:
        files.write_bytes(target / name, read_file(folder, manifest, name))
    path = folder / MANIFEST
    with files.storage_errors("read", path):
        files.write_bytes(target / MANIFEST, path.read_bytes())
    return manifest


_AGAIN = "Make it again from the registry with `forty bundle`, or register the model again."


def _manifest(content: Mapping[str, Any]) -> Manifest:
    listed = {name: (entry["sha256"], entry["bytes"]) for name, entry in content["files"].items()}
    for name, (digest, size) in listed.items():
        if not _DIGEST.fullmatch(digest) or type(size) is not int or not 0 <= size <= _LARGEST_FILE:
            raise ValueError("no digest or no size")
        if not name or Path(name).is_absolute() or set(name.split("/")) & {"", ".", ".."}:
            raise ValueError("a name that leads out of the folder")
    if not isinstance(content["kind"], str) or not isinstance(content["facts"], dict):
        raise ValueError("no kind or no facts")
    return Manifest(
        kind=content["kind"], facts=content["facts"], files=listed, digest=files.sha256_of_json(dict(content))
    )


def _text(content: Mapping[str, Any]) -> bytes:
    whole = {**content, "digest": files.sha256_of_json(dict(content))}
    return (json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def _files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of a folder and its subfolders by name, sorted. A link could lead anywhere, so there may be none.

    What file managers, servers of files and disks leave is passed over.
    """
    if not files.is_folder(folder):
        raise StorageError(f"There is no folder {folder}.")
    waiting, count = [folder], 0
    while waiting:
        current = waiting.pop(0)
        with files.storage_errors("read", current):
            entries = sorted(current.iterdir())
        for path in entries:
            count += 1
            with files.storage_errors("read", path):
                mode = path.lstat().st_mode
            name = path.relative_to(folder).as_posix()
            if count > _MOST_FILES:
                raise DamagedPackageError(f"{folder} holds more than {_MOST_FILES:,} files.")
            if stat.S_ISDIR(mode):
                if path.name.lower() not in _FOLDERS_OF_SYSTEMS:
                    waiting.append(path)
            elif stat.S_ISREG(mode):
                # What systems write into a folder that somebody looks at, and editors and NFS beside a file.
                if not _BESIDE_FILES.fullmatch(path.name) and path.name.lower() not in _OF_FILE_MANAGERS:
                    yield name, path
            else:
                raise DamagedPackageError(
                    f"{folder} is damaged: {printable(name)[:200]} is neither a file nor a folder.", hint=_AGAIN
                )

"""A reader's folder of data: which files it holds, and the digests of their bytes."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import DataError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.text import printable
from fortydays.data.version_documents import TOP_LEVEL

_CHUNK_BYTES = 2**20
DVCS_OWN = ".dvcignore"
"""DVC takes a file of this name as an order about the files beside it, and keeps no folder that holds one."""


@dataclass(frozen=True, kw_only=True)
class FileDigests:
    """What identifies the bytes of a file.

    Attributes:
        md5: in hexadecimal; the name under which DVC keeps them.
        sha256: in hexadecimal; what a version's own digest is made of.
        size: bytes.
    """

    md5: str
    sha256: str
    size: int


def digests_of_file(path: Path, report: Callable[[int], None] | None = None) -> FileDigests:
    """Read a file once and take both of its digests.

    Args:
        path: the file.
        report: told of the bytes of each piece that was read.

    Raises:
        OSError: it cannot be read.
    """
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
            if report:
                report(len(chunk))
    return FileDigests(md5=md5.hexdigest(), sha256=sha256.hexdigest(), size=size)


def digests_of_folder(folder: Path, *, task: str, progress: Progress = SILENT) -> dict[str, FileDigests]:
    """Read every file below a folder.

    Args:
        folder: where to look.
        task: what to call this in the progress.
        progress: told of the bytes that were read.

    Returns:
        The digests of each file by its path below the folder, with "/" between its parts, sorted by path.

    Raises:
        DataError: it is no folder, holds no file, or holds something that is neither file nor folder.
        StorageError: a file or folder cannot be read.
    """
    found = _list_files(folder)
    progress.start(task, total=float(sum(found.values())), unit="bytes")
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        progress.advance(task, done=float(done))

    digests = {}
    for path in sorted(found):
        with files.storage_errors("read", folder / printable(path)):
            digests[path] = digests_of_file(folder / path, report)
    progress.finish(task)
    return digests


def _list_files(folder: Path) -> dict[str, int]:
    """The size of each file by its path below the folder."""
    place = printable(str(folder))
    if not files.exists(folder):
        raise DataError(f"There is no folder {place}.")
    if not files.is_folder(folder):
        raise DataError(f"{place} is a file; expected a folder of files.")
    found: dict[str, int] = {}
    waiting = [""]
    while waiting:
        above = waiting.pop()
        with files.storage_errors("read", folder / printable(above)), os.scandir(folder / above) as entries:
            for entry in entries:
                path = f"{above}{entry.name}"
                if problem := _problem(entry):
                    raise DataError(
                        f"{printable(path)} in {place} {problem[0]}; a version holds files and folders only.",
                        hint=problem[1],
                    )
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{path}/")
                else:
                    found[path] = entry.stat(follow_symlinks=False).st_size
    if not found:
        raise DataError(f"{place} holds no file.", hint="Name the folder that holds the data.")
    return found


def _problem(entry: "os.DirEntry[str]") -> tuple[str, str] | None:
    """Why an entry of a folder cannot become a part of a version, and what to do; None where it can."""
    if entry.is_symlink():
        return "is a link", "Put a copy of what it points to in its place, or take it away."
    if not entry.is_dir(follow_symlinks=False) and not entry.is_file(follow_symlinks=False):
        return "is neither a file nor a folder", "Take it away."
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8", "Give it another name."
    if entry.name == DVCS_OWN:
        return "is a file of rules for DVC", "Take it away: every file of the folder becomes a part of the version."
    return None


def digest_of_all(sha256: Mapping[str, str]) -> str:
    """A version's own digest: SHA-256 over the canonical JSON of the sorted list of (path, SHA-256).

    Args:
        sha256: the SHA-256 of each file by its path.
    """
    return files.sha256_of_json([[path, sha256[path]] for path in sorted(sha256)])


def count_classes(paths: Iterable[str]) -> dict[str, int]:
    """How many files each first folder level holds, sorted by its name."""
    counts: dict[str, int] = {}
    for path in paths:
        first, slash, _ = path.partition("/")
        name = first if slash else TOP_LEVEL
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))

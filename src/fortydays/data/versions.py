"""Versions of a reader's own folder of data: a thin client of DVC.

:func:`add_version` keeps a folder as it is now, :func:`difference` compares two versions, :func:`content_of` and
:func:`check_out` bring the files of one back, :func:`push` and :func:`pull` share them, and :func:`verify_versions`
hashes every byte that is kept. DVC keeps each content once, under its MD5, however many versions share it.

Not kept are modes and times of files, folders that hold no file, and what systems and programs put beside a reader's
files: :func:`~fortydays.data.own.listing.is_of_the_system`.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fortydays.base import clock, files, process
from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.privacy import share
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.data import remote_documents
from fortydays.data import version_documents as documents
from fortydays.data.dvc_command import REMOTE, dvc, make_repository, remote_of, require_dvc, run_python
from fortydays.data.own.listing import is_of_the_system
from fortydays.data.store import Verification
from fortydays.data.version_documents import TOP_LEVEL, DataVersion

_CONTENT, _WHOLE = "content", "whole"
_POINTER = """\
outs:
- md5: {md5}
  size: {bytes}
  nfiles: {files}
  hash: md5
  path: content
"""
_DVCS_OWN = ("dvc.yaml", "dvc.lock")
_CHUNK = 2**20


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What distinguishes two versions.

    Attributes:
        before: the one.
        after: the other.
        added: paths of files that only ``after`` has, sorted.
        removed: paths of files that only ``before`` has, sorted.
        changed: paths of files that both have, with different bytes, sorted.
    """

    before: DataVersion
    after: DataVersion
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def add_version(
    folder: Path, name: str, settings: Settings, *, message: str = "", progress: Progress = SILENT
) -> tuple[DataVersion, bool]:
    """Keep a folder as it is now as the next version of a name. The folder is only read.

    Args:
        folder: what to keep; files and folders only, no links.
        name: of the data.
        settings: where the workspace is.
        message: what to say of the version.
        progress: told what is done.

    Returns:
        The version, and whether it is new: a folder with the content of the newest version makes none.

    Raises:
        UsageError: the name or the message cannot be used.
        DataError: the folder cannot become a version, changed meanwhile, or DVC is not installed or failed.
        StorageError: a file cannot be read, or the workspace cannot be written.
    """
    documents.check_name(name, settings)
    message = documents.check_message(message)
    require_dvc()
    root, source = documents.root(settings), folder.resolve()
    if source == root.resolve() or source in root.resolve().parents or root.resolve() in source.parents:
        raise DataError(
            f"{printable(str(folder))} and the workspace's own folder of data, {root}, lie in one another.",
            hint="Move your data elsewhere, or point FORTYDAYS_HOME to another workspace.",
        )
    with _alone(settings, progress):
        known = documents.numbers(name, settings)
        newest = documents.read(name, known[-1], settings) if known else None
        place = documents.folder(name, newest.number + 1 if newest else 1, settings)
        found, passed_over = _files_of(source)
        _tell_passed_over(passed_over, progress)
        with files.temporary_folder(place.parent, place.name) as building:
            digest = _copy(source, building / _CONTENT, found, name, progress)
            if _files_of(source)[0] != found:
                raise DataError(
                    f"{printable(str(folder))} changed while the version was made; no version was made.",
                    hint="Wait until nothing writes to the folder, and run the command again.",
                )
            if newest and newest.digest == digest:
                return newest, False
            size = sum(each[0] for each in found.values())
            dvc(root, "add", _CONTENT, content=size, folder=building)
            version = DataVersion(
                name=name,
                number=newest.number + 1 if newest else 1,
                created=clock.timestamp(),
                message=message,
                files=len(found),
                bytes=size,
                classes=_count_classes(found),
                md5=_md5_of(building / f"{_CONTENT}.dvc"),
                digest=digest,
            )
            files.write_text(building / _WHOLE, "")
            _publish(version, building, place)
    return version, True


def difference(name: str, before: int, after: int, settings: Settings) -> Difference:
    """What distinguishes two versions of a name.

    Raises:
        UsageError: there is no such data or version.
        DataError: the list of files of a version is missing or damaged.
        StorageError: the workspace cannot be read.
    """
    old, new = (documents.find(name, number, settings) for number in (before, after))
    was, now = (_listing(version, settings) for version in (old, new))
    return Difference(
        before=old,
        after=new,
        added=tuple(sorted(now.keys() - was.keys())),
        removed=tuple(sorted(was.keys() - now.keys())),
        changed=tuple(sorted(path for path in was.keys() & now.keys() if was[path] != now[path])),
    )


def content_of(version: DataVersion, settings: Settings, *, progress: Progress = SILENT) -> Path:
    """The folder of the workspace with the files of a version, brought back and hashed when they are first needed.

    The files are DVC's own, as hard links where the file system has them: they are to be read only.

    Raises:
        DataError: a file is missing from DVC's cache or altered in it, or DVC is not installed or failed.
        StorageError: the workspace cannot be written.
    """
    with _alone(settings, progress):
        place = documents.folder(version.name, version.number, settings)
        if not (files.is_file(place / _WHOLE) and files.is_folder(place / _CONTENT)):
            progress.say(f"Checking {version} out")
            _require_right(version, settings)
            dvc(documents.root(settings), "checkout", "--force", f"{_CONTENT}.dvc",
                content=version.bytes, folder=place)  # fmt: skip
            files.write_text(place / _WHOLE, "")
    return place / _CONTENT


def check_out(
    name: str, number: int | None, folder: Path, settings: Settings, *, progress: Progress = SILENT
) -> DataVersion:
    """Bring a version's files back, byte for byte, into a folder that is new or empty.

    Args:
        name: of the data.
        number: of the version; the newest if None.
        folder: where to put the files; they have the modes that the process gives to new files.
        settings: where the workspace is.
        progress: told what is done.

    Raises:
        UsageError: there is no such data or version, or the folder is not empty.
        DataError: as :func:`content_of`.
        StorageError: the folder cannot be written.
    """
    version = documents.find(name, number, settings)
    there, target = printable(str(folder)), folder.resolve()
    if documents.root(settings).resolve() in (target, *target.parents):
        raise UsageError(f"{there} lies in the workspace's own folder of data; expected another one.")
    made = not files.exists(target)
    if not made and not files.is_folder(target):
        raise UsageError(f"{there} is a file; expected a new or an empty folder.")
    with files.storage_errors("read", target):
        first = None if made else next(iter(target.iterdir()), None)
    if first is not None:
        raise UsageError(
            f"{there} is not empty: it holds {printable(first.name)}; expected a new or an empty folder.",
            hint="Nothing was changed.",
        )
    content = content_of(version, settings, progress=progress)
    try:
        with files.temporary_folder(target, "checkout") as scratch, files.storage_errors("write", target):
            shutil.copytree(content, scratch / _CONTENT, copy_function=shutil.copyfile)
            share(scratch / _CONTENT)
            for entry in sorted((scratch / _CONTENT).iterdir()):
                entry.rename(target / entry.name)
    except BaseException:
        if made:
            shutil.rmtree(target, ignore_errors=True)
        raise
    if made:
        share(target)
    return version


def push(name: str, remote: str, settings: Settings, *, progress: Progress = SILENT) -> tuple[DataVersion, ...]:
    """Copy every version of a name to a remote; what is there already stays as it is.

    Args:
        name: of the data.
        remote: a folder, or an address that DVC knows.
        settings: where the workspace is.
        progress: told what is done.

    Returns:
        The versions that the remote did not have.

    Raises:
        UsageError: there is no such data, or the remote is none.
        DataError: the remote cannot be reached, is full or holds other versions of that name; content here is missing;
            DVC is not installed.
        StorageError: the workspace cannot be read.
    """
    own = [documents.read(name, number, settings) for number in documents.known_numbers(name, settings)]
    root = documents.root(settings)
    with _alone(settings, progress), remote_of(root, remote, settings, make=True) as place:
        there = {version.number: version for version in _documents_there(name, place, settings)}
        for version in own:
            _require_same(version, there.get(version.number), place)
        new = tuple(version for version in own if version.number not in there)
        progress.say(f"Pushing {name}")
        pointers = [f"versions/{name}/{version.label}/{_CONTENT}.dvc" for version in own]
        dvc(root, "push", "--remote", REMOTE, *pointers, content=sum(version.bytes for version in own))
        if new:
            with files.temporary_folder(root, "documents") as scratch:
                for version in new:
                    files.write_json(scratch / f"{version.label}.json", documents.to_document(version))
                run_python(root, remote_documents.__file__, "put", name, str(scratch))
    return new


def pull(name: str, remote: str, settings: Settings, *, progress: Progress = SILENT) -> tuple[DataVersion, ...]:
    """Bring every version of a name that a remote holds, and mend what is missing or altered of those here.

    Args:
        name: of the data.
        remote: a folder, or an address that DVC knows.
        settings: where the workspace is.
        progress: told what is done.

    Returns:
        The versions that the workspace did not have.

    Raises:
        UsageError: the name or the remote is none.
        DataError: the remote cannot be reached, holds no such data, or holds other versions than those here; or a
            version there is damaged: those before it are here then. DVC is not installed.
        StorageError: the workspace cannot be written.
    """
    documents.check_name(name, settings)
    with _alone(settings, progress), remote_of(documents.root(settings), remote, settings, make=False) as place:
        own = documents.numbers(name, settings)
        there = _documents_there(name, place, settings)
        if not there:
            raise DataError(
                f"No version of {name!r} was found in {place}.",
                hint=f"Is it the right place, and can it be reached? Push there first: forty data push {name} REMOTE",
            )
        for version in there:
            if version.number in own:
                _require_same(documents.read(name, version.number, settings), version, place)
            _fetch(version, settings, progress)
    return tuple(version for version in there if version.number not in own)


def verify_versions(name: str, settings: Settings) -> Verification:
    """Hash every byte of every version of a name and compare with what was kept; change nothing.

    Raises:
        UsageError: there is no such data.
        StorageError: the workspace cannot be read.
    """
    problems = []
    for number in documents.known_numbers(name, settings):
        try:
            problems += _problems(documents.read(name, number, settings), settings)
        except (DataError, StorageError) as error:
            problems.append(error.message.rstrip("."))
    place = documents.folder(name, 1, settings).parent
    return Verification(name=name, path=place, problems=tuple(dict.fromkeys(problems)))


# ----------------------------------------------------------------------------------------------------------- folders


@contextlib.contextmanager
def _alone(settings: Settings, progress: Progress) -> Iterator[None]:
    """Hold the lock of all versions; what killed processes left is removed."""
    require_dvc()
    root = documents.root(settings)
    make_repository(root)
    with process.locked(root / "lock", waiting=lambda whom: progress.say(f"Waiting for {whom}.")):
        files.remove_leftovers(root)
        yield


def _files_of(folder: Path) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Size and time of change of each file by its path, sorted; and what was passed over.

    Raises:
        DataError: it is no folder, or holds no file, or something that cannot be kept.
        StorageError: it cannot be read.
    """
    place = printable(str(folder))
    if not files.exists(folder):
        raise DataError(f"There is no folder {place}.")
    if not files.is_folder(folder):
        raise DataError(f"{place} is a file; expected a folder of files.")
    found: dict[str, tuple[int, int]] = {}
    passed_over: list[str] = []
    waiting = [""]
    while waiting:
        above = waiting.pop()
        with files.storage_errors("read", folder / printable(above)), os.scandir(folder / above) as entries:
            for entry in entries:
                path = f"{above}{entry.name}"
                if is_of_the_system(entry.name):
                    passed_over.append(path)
                    continue
                if problem := _problem(entry):
                    raise DataError(
                        f"{printable(path)} in {place} {problem}; a version holds files and folders only.",
                        hint="Take it away, or give it another name.",
                    )
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{path}/")
                else:
                    status = entry.stat(follow_symlinks=False)
                    found[path] = (status.st_size, status.st_mtime_ns)
    if not found:
        raise DataError(f"{place} holds no file.", hint="Name the folder that holds the data.")
    return dict(sorted(found.items())), sorted(passed_over)


def _problem(entry: "os.DirEntry[str]") -> str:
    """Why an entry of a folder cannot become a part of a version; "" where it can."""
    if entry.is_symlink():
        return "is a link"
    if not entry.is_dir(follow_symlinks=False) and not entry.is_file(follow_symlinks=False):
        return "is neither a file nor a folder"
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    # DVC would take it for an order about the files beside it.
    return "is a file of DVC's own" if entry.name in _DVCS_OWN or entry.name.endswith(".dvc") else ""


def _tell_passed_over(paths: list[str], progress: Progress) -> None:
    if paths:
        names = ", ".join(printable(path) for path in paths[:3])
        more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
        progress.say(f"Left out, because systems and programs put it there: {names}{more}.")


def _count_classes(paths: Mapping[str, object]) -> dict[str, int]:
    """How many files each first folder level holds, sorted by its name."""
    return dict(sorted(Counter(path.partition("/")[0] if "/" in path else TOP_LEVEL for path in paths).items()))


def _copy(source: Path, target: Path, found: Mapping[str, tuple[int, int]], name: str, progress: Progress) -> str:
    """Copy files and take their digest: SHA-256 over the canonical JSON of the sorted list of (path, SHA-256)."""
    task = f"Copying {name}"
    progress.start(task, total=float(sum(size for size, _ in found.values())), unit="bytes")
    done, digests = 0, []
    for path in found:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with (
            files.storage_errors("read", source / printable(path)),
            (source / path).open("rb") as file,
            files.storage_errors("write", target),
            (target / path).open("wb") as copy,
        ):
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
                progress.advance(task, done=float(done := done + len(chunk)))
        digests.append([path, digest.hexdigest()])
    progress.finish(task)
    return files.sha256_of_json(digests)


def _publish(version: DataVersion, building: Path, place: Path) -> None:
    """Let a version whose content was kept and hashed appear in the list."""
    documents.write(version, building)
    files.sync_all()
    with files.storage_errors("write", place):
        building.replace(place)
        files.sync_folder(place.parent)


# ------------------------------------------------------------------------------------------------------- DVC's cache


def _object(md5: str, settings: Settings) -> Path:
    """Where DVC's cache holds a content, or would hold it."""
    return documents.root(settings) / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def _md5_of(pointer: Path) -> str:
    """DVC's name for a folder that it has taken into its cache."""
    with files.storage_errors("read", pointer):
        return pointer.read_text("utf-8").partition("md5: ")[2].split()[0]


def _listing(version: DataVersion, settings: Settings) -> dict[str, str]:
    """The MD5 of each file of a version by its path, as DVC has them written down; nothing in it is trusted.

    Raises:
        DataError: the list is missing or altered, or names a file outside of the version's folder.
        StorageError: it cannot be read.
    """
    hint = f"Where it was pushed, get it back with: forty data pull {version.name} REMOTE"
    path = _object(version.md5, settings)
    if not files.is_file(path):
        raise DataError(f"The list of files of {version} is missing from the cache.", hint=hint)
    with files.storage_errors("read", path):
        content = path.read_bytes()
    if f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}.dir" != version.md5:
        raise DataError(f"The list of files of {version} is altered in the cache.", hint=hint)
    try:
        listing = {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(content)}
    except (ValueError, TypeError, KeyError, RecursionError):
        listing = {}
    for name, md5 in listing.items():
        parts = name.split("/")
        safe = "\0" not in name and not {"", ".", ".."} & set(parts) and not any(map(_is_order, parts))
        if not safe or len(md5) != 32 or set(md5) - set("0123456789abcdef"):
            raise DataError(f"The list of files of {version} names a file {printable(name)[:80]!r}; it is not used.")
    if len(listing) != version.files:
        raise DataError(f"The list of files of {version} does not name {version.files:,} files.", hint=hint)
    return listing


def _is_order(name: str) -> bool:
    """Whether DVC takes a file for an order about others."""
    return name in _DVCS_OWN or name.endswith((".dvc", ".dvcignore"))


def _problems(version: DataVersion, settings: Settings) -> list[str]:
    """What is wrong with what is kept of a version: a sentence for each file, without its full stop."""
    try:
        listing = _listing(version, settings)
    except DataError as error:
        return [error.message.rstrip(".")]
    wrong = {path: _state(md5, settings) for path, md5 in listing.items()}
    return [f"{printable(path)} ({version.label}) {state}" for path, state in sorted(wrong.items()) if state]


def _require_right(version: DataVersion, settings: Settings) -> None:
    """Raise DataError unless all of a version is in DVC's cache and right: DVC itself trusts what is there."""
    problems = _problems(version, settings)
    if problems:
        more = f", and {len(problems) - 1:,} more" if len(problems) > 1 else ""
        raise DataError(
            f"{version} cannot be used: {problems[0]}{more}.",
            hint=f"Where it was pushed, get it back with: forty data pull {version.name} REMOTE",
        )


def _state(md5: str, settings: Settings) -> str:
    """What is wrong with a content in DVC's cache, in words; "" where nothing is."""
    path = _object(md5, settings)
    try:
        with path.open("rb") as file:
            right = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5
    except FileNotFoundError:
        return "is missing from the cache"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return "" if right else "is altered in the cache"


# ----------------------------------------------------------------------------------------------------------- remotes


def _documents_there(name: str, place: str, settings: Settings) -> list[DataVersion]:
    """The versions of a name that a remote holds, oldest first; ``place`` is what to call the remote.

    Raises:
        DataError: the remote cannot be reached, or a document is damaged.
    """
    root = documents.root(settings)
    with files.temporary_folder(root, "documents") as scratch:
        run_python(root, remote_documents.__file__, "get", name, str(scratch))
        paths = sorted(scratch.iterdir(), key=lambda path: int(path.stem[1:]))
        try:
            return [documents.from_file(path, name, int(path.stem[1:])) for path in paths]
        except DataError as error:
            raise DataError(
                error.message.replace(str(scratch), f"{place}/fortydays/{name}"),
                hint="If it is damaged: remove it there, and push again from the workspace that made the version.",
            ) from error


def _require_same(version: DataVersion, other: DataVersion | None, place: str) -> None:
    if other and version.digest != other.digest:
        raise DataError(
            f"{place} has another {version.label} of {version.name!r}: made {other.created}, digest "
            f"{other.digest[:12]}, where yours was made {version.created}, digest {version.digest[:12]}.",
            hint="Two workspaces made it independently. Use another remote, or add your folder under another name.",
        )


def _fetch(version: DataVersion, settings: Settings, progress: Progress) -> None:
    """Bring the content of a version from the remote, as far as it is not here and right, and all of it hashed."""
    place = documents.folder(version.name, version.number, settings)
    new = not files.exists(place)
    if not new and not _problems(version, settings):
        return
    progress.say(f"Pulling {version}")
    root = documents.root(settings)
    with files.temporary_folder(place.parent, place.name) as building:
        files.write_text(building / f"{_CONTENT}.dvc", _POINTER.format(**documents.to_document(version)))
        _remove_altered(version, settings)
        dvc(root, "fetch", "--remote", REMOTE, f"{_CONTENT}.dvc", content=version.bytes, folder=building)
        _require_right(version, settings)
        listing = sorted(_listing(version, settings).items())
        kept = [[path, files.sha256_of_file(_object(md5, settings))] for path, md5 in listing]
        if files.sha256_of_json(kept) != version.digest:
            raise DataError(
                f"The remote has other files for {version} than its document speaks of.",
                hint=f"Push it again from the workspace that made it: forty data push {version.name} REMOTE",
            )
        if not new:
            files.remove(place)
        _publish(version, building, place)


def _remove_altered(version: DataVersion, settings: Settings) -> None:
    """Take what is altered of a version out of DVC's cache, because DVC would take it for right."""
    try:
        md5s = {*_listing(version, settings).values()}
    except DataError:
        md5s = {version.md5}
    for md5 in md5s:
        if _state(md5, settings):
            files.remove(_object(md5, settings))

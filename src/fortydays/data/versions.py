"""Versions of a reader's own folder of data: a thin client of DVC.

:func:`add_version` keeps a folder as it is now, :func:`difference` compares two versions, :func:`content_of` and
:func:`check_out` bring the files of one back, :func:`push` and :func:`pull` share them, and :func:`verify_versions`
hashes every byte that is kept. DVC keeps each content once, under its MD5, however many versions share it.

Not kept are modes and times of files, folders that hold no file, and what systems and programs put beside a reader's
files: :func:`~fortydays.data.own.listing.walk` passes over it.
"""

import contextlib
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fortydays.base import clock, files, process
from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.privacy import share
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.data import version_cache as cache
from fortydays.data import version_documents as documents
from fortydays.data.cache import Verification
from fortydays.data.dvc_command import dvc, make_repository, remote_of, require_dvc
from fortydays.data.dvc_runner import REMOTE
from fortydays.data.own.listing import walk
from fortydays.data.version_documents import TOP_LEVEL, DataVersion

_CONTENT = "content"
_POINTER = """\
outs:
- md5: {md5}
  size: {bytes}
  nfiles: {files}
  hash: md5
  path: content
"""
_CHUNK = 2**20


def add_version(
    folder: Path, name: str, settings: Settings, *, message: str = "", progress: Progress = SILENT
) -> tuple[DataVersion, bool]:
    """Keep a folder as it is now as the next version of a name. The folder is only read.

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
    if root.resolve().is_relative_to(source) or source.is_relative_to(root.resolve()):
        raise DataError(
            f"{printable(str(folder))} and the workspace's own folder of data, {root}, lie in one another.",
            hint="Move your data elsewhere, or point FORTYDAYS_HOME to another workspace.",
        )
    with _alone(settings, progress):
        known = documents.numbers(name, settings)
        newest = documents.read(name, known[-1], settings) if known else None
        number = newest.number + 1 if newest else 1
        place = documents.folder(name, number, settings)
        found, passed_over = _files_of(source)
        if passed_over:
            names = ", ".join(printable(path) for path in passed_over[:3])
            more = f" and {len(passed_over) - 3:,} more" if len(passed_over) > 3 else ""
            progress.say(f"Left out, because systems and programs put it there: {names}{more}.")
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
            dvc(root, ["add", _CONTENT], content=size, folder=building)
            pointer = (building / f"{_CONTENT}.dvc").read_text("utf-8")
            classes = Counter(path.partition("/")[0] if "/" in path else TOP_LEVEL for path in found)
            version = DataVersion(
                name=name,
                number=number,
                created=clock.timestamp(),
                message=message,
                files=len(found),
                bytes=size,
                classes=dict(sorted(classes.items())),
                md5=pointer.partition("md5: ")[2].split()[0],
                digest=digest,
            )
            _publish(version, building, place)
    return version, True


def difference(before: DataVersion, after: DataVersion, settings: Settings) -> dict[str, list[str]]:
    """The paths of the files that were added, removed and changed from one version to another, each sorted.

    Raises:
        DataError: the list of files of a version is missing or damaged.
        StorageError: the workspace cannot be read.
    """
    was, now = (cache.listing(version, settings) for version in (before, after))
    return {
        "added": sorted(now.keys() - was.keys()),
        "removed": sorted(was.keys() - now.keys()),
        "changed": sorted(path for path in was.keys() & now.keys() if was[path] != now[path]),
    }


def content_of(version: DataVersion, settings: Settings, *, progress: Progress = SILENT) -> Path:
    """The folder of the workspace with the files of a version: every byte is hashed, then DVC brings them back.

    The files are DVC's own, as hard links where the file system has them: they are to be read only.

    Raises:
        DataError: a file is missing from DVC's cache or altered in it, or DVC is not installed or failed.
        StorageError: the workspace cannot be written.
    """
    with _alone(settings, progress):
        place = documents.folder(version.name, version.number, settings)
        progress.say(f"Checking {version} out")
        cache.require_right(version, settings)
        command = ["checkout", "--force", f"{_CONTENT}.dvc"]
        dvc(documents.root(settings), command, content=version.bytes, folder=place)
    return place / _CONTENT


def named_folder(source: Path, settings: Settings, *, progress: Progress = SILENT) -> tuple[Path, DataVersion | None]:
    """What a reader names: a folder or a table as it is, or, by a text such as flowers@v2, the files of that version.

    Raises:
        UsageError: there is no such version.
        DataError, StorageError: as :func:`content_of`.
    """
    reference = None if files.exists(source) else documents.parse_reference(str(source))
    if reference is None:
        return source, None
    version = documents.find(*reference, settings)
    return content_of(version, settings, progress=progress), version


def check_out(version: DataVersion, folder: Path, settings: Settings, *, progress: Progress = SILENT) -> None:
    """Bring a version's files back, byte for byte, into a folder that is new or empty.

    The files have the modes that the process gives to new files.

    Raises:
        UsageError: the folder is not empty.
        DataError: as :func:`content_of`.
        StorageError: the folder cannot be written.
    """
    there, target = printable(str(folder)), folder.resolve()
    if target.is_relative_to(documents.root(settings).resolve()):
        raise UsageError(f"{there} lies in the workspace's own folder of data; expected another one.")
    made = not files.exists(target)
    if not made and not files.is_folder(target):
        raise UsageError(f"{there} is a file; expected a new or an empty folder.")
    with files.storage_errors("read", target):
        first = None if made else next(target.iterdir(), None)
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


def push(name: str, remote: str, settings: Settings, *, progress: Progress = SILENT) -> list[DataVersion]:
    """Copy every version of a name to a remote; what is there already stays as it is.

    Returns:
        The versions that the remote did not have.

    Raises:
        UsageError: there is no such data, or the remote is none.
        DataError: the remote cannot be reached, is full or holds other versions of that name, or content is missing.
        StorageError: the workspace cannot be read.
    """
    own = documents.versions(name, settings)
    root = documents.root(settings)
    with (
        _alone(settings, progress),
        remote_of(root, remote, settings, make=True) as (place, know),
        files.temporary_folder(root, "documents") as scratch,
    ):
        there = {version.number: version for version in _documents_there(name, place, know, settings)}
        for version in own:
            _require_same(version, there.get(version.number, version), place)
        new = [version for version in own if version.number not in there]
        for version in new:
            files.write_json(scratch / f"{version.label}.json", version.model_dump())
        progress.say(f"Pushing {name}")
        pointers = [f"versions/{name}/{version.label}/{_CONTENT}.dvc" for version in own]
        dvc(
            root,
            ["push", "--remote", REMOTE, *pointers],
            ["put", name, str(scratch)],
            content=sum(version.bytes for version in own),
        )
    return new


def pull(name: str, remote: str, settings: Settings, *, progress: Progress = SILENT) -> list[DataVersion]:
    """Bring every version of a name that a remote holds, and mend what is missing or altered of those here.

    Returns:
        The versions that the workspace did not have.

    Raises:
        UsageError: the name or the remote is none.
        DataError: the remote cannot be reached, holds no such data, or holds other versions than those here; or a
            version there is damaged: those before it are here then.
        StorageError: the workspace cannot be written.
    """
    documents.check_name(name, settings)
    root = documents.root(settings)
    with _alone(settings, progress), remote_of(root, remote, settings, make=False) as (place, know):
        own = documents.numbers(name, settings)
        there = _documents_there(name, place, know, settings)
        if not there:
            raise DataError(
                f"No version of {name!r} was found in {place}.",
                hint=f"Is it the right place, and can it be reached? Push there first: forty data push {name} REMOTE",
            )
        for version in there:
            if version.number in own:
                _require_same(documents.read(name, version.number, settings), version, place)
            _fetch(version, settings, progress)
    return [version for version in there if version.number not in own]


def verify_versions(name: str, settings: Settings) -> Verification:
    """Hash every byte of every version of a name and compare with what was kept; change nothing.

    Raises:
        UsageError: there is no such data.
        StorageError: the workspace cannot be read.
    """
    problems = []
    for number in documents.known_numbers(name, settings):
        try:
            problems += cache.problems(documents.read(name, number, settings), settings)
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
    """Size and time of change of each file by its path, sorted; and what was passed over."""
    place = printable(str(folder))
    if not files.is_folder(folder):
        raise DataError(
            f"{place} is a file; expected a folder." if files.exists(folder) else f"There is no folder {place}."
        )
    found, refused, passed_over = walk(folder, endings=("",))
    wrong = [f"{printable(each.path)} in {place}: {each.reason}" for each in refused]
    wrong += [
        f"{printable(path)} in {place}: DVC takes it for an order about others"
        for path in found
        if cache.is_order(path)
    ]
    if wrong:
        raise DataError(f"A version cannot hold {min(wrong)}.", hint="Take it away, or give it another name.")
    if not found:
        raise DataError(f"{place} holds no file.", hint="Name the folder that holds the data.")
    with files.storage_errors("read", folder):
        states = {path: (folder / path).lstat() for path in sorted(found)}
    return {path: (each.st_size, each.st_mtime_ns) for path, each in states.items()}, sorted(passed_over)


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


# ----------------------------------------------------------------------------------------------------------- remotes


def _documents_there(name: str, place: str, know: Sequence[str], settings: Settings) -> list[DataVersion]:
    """The versions of a name that a remote holds, oldest first; the remote as :func:`remote_of` gives it."""
    root = documents.root(settings)
    with files.temporary_folder(root, "documents") as scratch:
        dvc(root, know, ["get", name, str(scratch)])
        paths = sorted(scratch.iterdir(), key=lambda path: int(path.stem[1:]))
        try:
            return [documents.from_file(path, name, int(path.stem[1:])) for path in paths]
        except DataError as error:
            raise DataError(
                error.message.replace(str(scratch), f"{place}/fortydays/{name}"),
                hint="If it is damaged: remove it there, and push again from the workspace that made the version.",
            ) from error


def _require_same(version: DataVersion, other: DataVersion, place: str) -> None:
    if version.digest != other.digest:
        raise DataError(
            f"{place} has another {version.label} of {version.name!r}: made {other.created}, digest "
            f"{other.digest[:12]}, where yours was made {version.created}, digest {version.digest[:12]}.",
            hint="Two workspaces made it independently. Use another remote, or add your folder under another name.",
        )


def _fetch(version: DataVersion, settings: Settings, progress: Progress) -> None:
    """Bring the content of a version from the remote, as far as it is not here and right."""
    place = documents.folder(version.name, version.number, settings)
    new = not files.exists(place)
    if not new and not cache.problems(version, settings):
        return
    progress.say(f"Pulling {version}")
    with files.temporary_folder(place.parent, place.name) as building:
        files.write_text(building / f"{_CONTENT}.dvc", _POINTER.format(**version.model_dump()))
        try:
            objects = {*cache.listing(version, settings).values()}
        except DataError:
            objects = {version.md5}
        for md5 in objects:
            if cache.state(md5, settings):  # or DVC would take what is altered for right
                files.remove(cache.object_path(md5, settings))
        command = ["fetch", "--remote", REMOTE, f"{_CONTENT}.dvc"]
        dvc(documents.root(settings), command, content=version.bytes, folder=building)
        cache.require_right(version, settings)
        paths = sorted(cache.listing(version, settings).items())
        kept = [[path, files.sha256_of_file(cache.object_path(md5, settings))] for path, md5 in paths]
        if files.sha256_of_json(kept) != version.digest:
            raise DataError(
                f"The remote has other files for {version} than its document speaks of.",
                hint=f"Push it again from the workspace that made it: forty data push {version.name} REMOTE",
            )
        if not new:
            files.remove(place)
        _publish(version, building, place)

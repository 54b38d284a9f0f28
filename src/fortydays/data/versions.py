"""Versions of a reader's own folder of data, with DVC underneath.

:func:`add_version` keeps a folder as it is now, :func:`versions` lists what was kept, :func:`difference` compares two,
:func:`check_out` brings one back byte for byte, :func:`push` and :func:`pull` share them, and :func:`verify_versions`
hashes every byte that is kept. Folders that hold no file are not kept, nor are modes and times of files.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fortydays.base import clock, files
from fortydays.base.errors import DataError, FortydaysError, StorageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.data import version_documents as documents
from fortydays.data import version_remote as remotes
from fortydays.data.store import Verification
from fortydays.data.version_content import Content, opened, restore_hint
from fortydays.data.version_documents import DataVersion
from fortydays.data.version_folder import FileDigests, count_classes, digest_of_all, digests_of_folder
from fortydays.data.version_repository import require_dvc
from fortydays.data.version_target import filled_whole, find_target

_MOST_LABELS = 20


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


def versions(name: str, settings: Settings) -> list[DataVersion]:
    """The versions of a name, oldest first.

    Raises:
        UsageError: there is no data of that name.
        DataError: the document of a version is damaged.
        StorageError: the workspace cannot be read.
    """
    return [documents.read(name, number, settings) for number in documents.known_numbers(name, settings)]


def readable_versions(name: str, settings: Settings) -> tuple[list[DataVersion], list[str]]:
    """The versions of a name as far as they can be read, oldest first, and what is wrong with the others.

    Returns:
        The versions, and a sentence without its full stop for each version whose document cannot be read.

    Raises:
        UsageError: there is no data of that name.
        StorageError: the workspace cannot be read.
    """
    found, problems = [], []
    for number in documents.known_numbers(name, settings):
        try:
            found.append(documents.read(name, number, settings))
        except (DataError, StorageError) as error:
            problems.append(error.message.rstrip("."))
    return found, problems


def add_version(
    folder: Path, name: str, settings: Settings, *, message: str = "", progress: Progress = SILENT
) -> tuple[DataVersion, bool]:
    """Keep a folder as it is now as the next version of a name.

    Every file is read three times: before DVC copies it, as the copy, and once more where it lies. Only where all
    agree is there a version. A folder with the content of the newest version mends what is kept of that version.

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
        DataError: the folder cannot become a version, changed meanwhile, or DVC is not installed.
        StorageError: a file cannot be read, or the workspace cannot be written.
    """
    documents.check_name(name, settings)
    message = documents.check_message(message)
    require_dvc()
    source = _source(folder, settings)
    with _alone(settings, progress):
        before = digests_of_folder(source, task=f"Reading {name}", progress=progress)
        digest = digest_of_all({path: each.sha256 for path, each in before.items()})
        known = documents.numbers(name, settings)
        newest = documents.read(name, known[-1], settings) if known else None
        with opened(settings) as content:
            with _kept(content, before, progress) as missing:
                if newest and newest.digest == digest:
                    _mend(newest, content, source, before, missing)
                    return newest, False
                _copy_in(content, source, before, missing)
                after = digests_of_folder(source, task=f"Reading {name} again", progress=progress)
                _require_same(source, before, after)
                version = DataVersion(
                    name=name,
                    number=known[-1] + 1 if known else 1,
                    created=clock.timestamp(),
                    message=message,
                    files=len(before),
                    bytes=sum(each.size for each in before.values()),
                    classes=MappingProxyType(count_classes(before)),
                    md5=_store_listing(content, before),
                    digest=digest,
                )
            # From here on the content stays, whatever happens: the version may be listed already.
            _publish(version, content, settings)
    return version, True


def difference(name: str, before: int, after: int, settings: Settings) -> Difference:
    """What distinguishes two versions of a name.

    Raises:
        UsageError: there is no such data or version.
        DataError: what is kept of a version is missing or damaged, or DVC is not installed.
        StorageError: the workspace cannot be read.
    """
    old, new = (documents.find(name, number, settings) for number in (before, after))
    with opened(settings) as content:
        was, now = content.listing(old), content.listing(new)
    return Difference(
        before=old,
        after=new,
        added=tuple(sorted(now.keys() - was.keys())),
        removed=tuple(sorted(was.keys() - now.keys())),
        changed=tuple(sorted(path for path in was.keys() & now.keys() if was[path] != now[path])),
    )


def check_out(
    name: str, number: int | None, folder: Path, settings: Settings, *, progress: Progress = SILENT
) -> DataVersion:
    """Bring a version's files back, byte for byte, into a folder that is new or empty. All of them or none.

    An empty folder is filled and stays the folder it is; what is new in it has the modes that the process gives.

    Args:
        name: of the data.
        number: of the version; the newest if None.
        folder: where to put the files.
        settings: where the workspace is.
        progress: told what is done.

    Returns:
        The version.

    Raises:
        UsageError: there is no such data or version, or the folder is not empty.
        DataError: the version's content is missing or altered, or DVC is not installed.
        StorageError: the folder cannot be written.
    """
    version = documents.find(name, number, settings)
    target = find_target(folder, settings)
    with opened(settings) as content:
        content.listing(version)  # refuses paths that lead out of the folder
        with filled_whole(target) as building:
            whole = content.copy_out(version, building, progress)
            found = (
                digests_of_folder(building, task=f"Checking {name} {version.label}", progress=progress)
                if whole
                else {}
            )
            if digest_of_all({path: each.sha256 for path, each in found.items()}) != version.digest:
                problems = _problems(content, [version]) or ["the copy has other bytes"]
                others = f" And {len(problems) - 1:,} more." if len(problems) > 1 else ""
                raise DataError(
                    f"{name} {version.label} cannot be checked out: {problems[0]}.{others}", hint=restore_hint(name)
                )
            files.sync_all()
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
        DataError: the remote cannot be reached, is full or holds other versions of that name; content here is missing
            or altered; DVC is not installed.
        StorageError: the workspace cannot be read.
    """
    documents.known_numbers(name, settings)
    place = remotes.parse_remote(remote, settings)
    require_dvc()
    with _alone(settings, progress), opened(settings, remote=place.address) as content:
        remotes.require_folder(place, make=True)
        own, new = versions(name, settings), []
        with remotes.alone(place, progress):
            for version in own:
                there = remotes.read_document(content, place, name, version.number, to_mend=progress)
                if there is None:
                    new.append(version)
                else:
                    remotes.same_content(version, there, place)
            remotes.send(content, place, own, progress)
            return tuple(version for version in new if remotes.write_document(content, place, version, settings))


def pull(name: str, remote: str, settings: Settings, *, progress: Progress = SILENT) -> tuple[DataVersion, ...]:
    """Bring every version of a name that a remote holds, and mend what is missing or altered of those here.

    A version here whose document is damaged is set aside when the one from the remote is whole.

    Args:
        name: of the data.
        remote: a folder, or an address that DVC knows.
        settings: where the workspace is.
        progress: told what is done.

    Returns:
        The versions that the workspace did not have.

    Raises:
        UsageError: the name or the remote is none.
        DataError: the remote cannot be reached, holds no such data, or holds other versions than those here; or some
            version there is damaged, missing or gives other bytes than it promised, which is told when all the
            others are here; DVC is not installed.
        StorageError: the workspace cannot be written.
    """
    documents.check_name(name, settings)
    place = remotes.parse_remote(remote, settings)
    require_dvc()
    with _alone(settings, progress), opened(settings, remote=place.address) as content:
        remotes.require_folder(place, make=False)
        content.remove_leftovers()
        files.remove_leftovers(documents.folder(name, 1, settings).parent)
        own = set(documents.numbers(name, settings))
        found, failed = remotes.read_documents(content, place, name, own)
        if not found and not failed:
            raise DataError(
                f"{place} holds no version of {name!r}.", hint=f"Push it there first: forty data push {name} REMOTE"
            )
        wanted = {version.number for version in found} - own
        for version in found:
            if version.number in own:
                try:
                    remotes.same_content(documents.read(name, version.number, settings), version, place)
                except documents.NewerVersionError as error:
                    failed[version.number] = error
                except documents.DamagedVersionError:
                    wanted.add(version.number)
        came, new = [], []
        for version in found:
            if version.number in failed:
                continue
            try:
                remotes.fetch(content, place, version, progress)
            except DataError as error:
                failed[version.number] = error
                continue
            came.append(version.number)
            if version.number in wanted:
                if version.number in own:
                    aside = files.set_aside(documents.folder(name, version.number, settings))
                    progress.warn(f"The damaged {version.label} of {name} was moved to {aside}.")
                _publish(version, content, settings)
                new.append(version)
    if failed:
        raise _not_all_came(name, place, came, failed)
    return tuple(new)


def _not_all_came(name: str, place: remotes.Remote, came: Sequence[int], failed: Mapping[int, DataError]) -> DataError:
    first = failed[min(failed)]
    if not came and len(failed) == 1:
        return first
    return DataError(
        f"Not every version of {name!r} came from {place}. Came: {_labels(came)}. Did not come: "
        f"{_labels(sorted(failed))}. {first.message}",
        hint=first.hint,
    )


def _labels(numbers: Sequence[int]) -> str:
    shown = ", ".join(f"v{number}" for number in numbers[:_MOST_LABELS])
    return (f"{shown} and {len(numbers) - _MOST_LABELS:,} more" if len(numbers) > _MOST_LABELS else shown) or "none"


def verify_versions(name: str, settings: Settings) -> Verification:
    """Hash every byte of every version of a name and compare with what was kept; change nothing.

    Raises:
        UsageError: there is no such data.
        DataError: DVC is not installed.
        StorageError: the workspace cannot be read.
    """
    found, problems = readable_versions(name, settings)
    with opened(settings) as content:
        problems += _problems(content, found)
    return Verification(name=name, path=documents.folder(name, 1, settings).parent, problems=tuple(problems))


# ------------------------------------------------------------------------------------------------------------ adding


@contextlib.contextmanager
def _alone(settings: Settings, progress: Progress) -> Iterator[None]:
    lock = files.make_private_folder(documents.root(settings)) / "lock"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(lock, timeout=0))
        except TimeoutError:
            progress.say("Waiting for another process that works on versions of data.")
            stack.enter_context(files.locked(lock))
        files.remove_leftovers(lock.parent)
        yield


def _source(folder: Path, settings: Settings) -> Path:
    """Where a reader's folder really is."""
    source, own = Path(os.path.realpath(folder)), Path(os.path.realpath(documents.root(settings)))
    if source == own or source in own.parents or own in source.parents:
        raise DataError(
            f"{printable(str(folder))} and the workspace's own folder of data, {own}, lie in one another.",
            hint="Move your data elsewhere, or point FORTYDAYS_HOME to another workspace.",
        )
    return source


@contextlib.contextmanager
def _kept(content: Content, before: Mapping[str, FileDigests], progress: Progress) -> Iterator[set[str]]:
    """The names of the objects that are to be copied into the cache; they are removed again if the block fails."""
    expected: dict[str, FileDigests] = {}
    content.remove_leftovers()
    right = content.right_objects({each.md5 for each in before.values()}, progress)
    for path, each in before.items():
        other = right.get(each.md5) or expected.setdefault(each.md5, each)
        if other.sha256 != each.sha256:
            raise DataError(
                f"{printable(path)} has the same MD5 as another file with other bytes; DVC can keep only one of them.",
                hint="Such files are made on purpose. Where does yours come from?",
            )
    missing = set(expected)
    try:
        yield missing
    except BaseException:
        content.remove(missing)
        raise


def _mend(
    version: DataVersion, content: Content, source: Path, before: Mapping[str, FileDigests], missing: set[str]
) -> None:
    """Put what is missing or altered of a version into the cache again, from a folder with the same content."""
    if missing:
        _copy_in(content, source, before, missing)
    try:
        content.listing(version)
    except DataError:
        _store_listing(content, before)
        content.listing(version)


def _copy_in(content: Content, source: Path, before: Mapping[str, FileDigests], missing: set[str]) -> None:
    """Copy what is missing into the cache and make sure that each copy has the bytes that were read before."""
    paths = {each.md5: path for path, each in before.items() if each.md5 in missing}
    try:
        content.copy_in({md5: source / path for md5, path in paths.items()})
    except FileNotFoundError as error:
        gone = Path(str(error.filename))
        if source not in gone.parents:
            raise files.storage_error("keep files in", content.folder, error) from error
        raise _changed(source, gone.relative_to(source).as_posix()) from error
    except OSError as error:
        raise files.storage_error("keep files in", content.folder, error) from error
    for md5, path in sorted(paths.items(), key=lambda pair: pair[1]):
        copy = content.digests(md5)
        if copy is None or copy.sha256 != before[path].sha256:
            raise _changed(source, path)


def _store_listing(content: Content, before: Mapping[str, FileDigests]) -> str:
    try:
        return content.store_listing(before)
    except OSError as error:
        raise files.storage_error("keep files in", content.folder, error) from error


def _require_same(source: Path, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            raise _changed(source, path)


def _changed(source: Path, path: str) -> FortydaysError:
    return DataError(
        f"{printable(path)} in {printable(str(source))} changed while the version was made; no version was made.",
        hint="Wait until nothing writes to the folder, and run the command again.",
    )


def _publish(version: DataVersion, content: Content, settings: Settings) -> None:
    """Make a version whose content is kept appear in the list."""
    place = documents.folder(version.name, version.number, settings)
    files.remove_leftovers(place.parent)
    with files.folder_built_whole(place) as building:
        content.write_pointer(version, building)
        documents.write(version, building)
        files.sync_all()


# --------------------------------------------------------------------------------------------------------- verifying


def _problems(content: Content, chosen: Sequence[DataVersion]) -> list[str]:
    """What is wrong with what is kept of versions: a sentence for each file, without its full stop."""
    known: dict[str, FileDigests | StorageError | None] = {}
    wrong: dict[tuple[str, str], list[str]] = {}
    problems = []
    for version in chosen:
        try:
            listing = content.listing(version)
        except (DataError, StorageError) as error:
            problems.append(error.message.rstrip("."))
            continue
        for path, md5 in listing.items():
            if md5 not in known:
                try:
                    known[md5] = content.digests(md5)
                except StorageError as error:  # such as a bad sector: what else is wrong is to be known too
                    known[md5] = error
            found = known[md5]
            if found is None:
                wrong.setdefault((path, "is missing from the cache"), []).append(version.label)
            elif isinstance(found, StorageError):
                state = f"cannot be read: {found.message.rstrip('.')}"
                wrong.setdefault((path, state), []).append(version.label)
            elif found.md5 != md5:
                state = f"is altered in the cache: it has MD5 {found.md5}, expected {md5}"
                wrong.setdefault((path, state), []).append(version.label)
        if any(version.label in labels for labels in wrong.values()):
            continue
        whole = {path: digests for path, md5 in listing.items() if isinstance(digests := known[md5], FileDigests)}
        digest = digest_of_all({path: each.sha256 for path, each in whole.items()})
        if digest != version.digest:
            problems.append(f"{version.label} has digest {digest}, expected {version.digest}")
        elif version.bytes != sum(each.size for each in whole.values()) or version.classes != count_classes(whole):
            problems.append(f"the document of {version.label} is altered: its counts are not those of its files")
    return problems + [
        f"{printable(path)} ({', '.join(labels)}) {state}" for (path, state), labels in sorted(wrong.items())
    ]

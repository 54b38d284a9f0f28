"""Where versions are pushed to and pulled from: a folder, or any address that DVC knows.

Content lies there as DVC lays it out, so that any DVC can use it. Beside it are the versions' own documents::

    REMOTE/files/md5/...                DVC's objects
    REMOTE/fortydays/NAME/v1.json       the document of version 1, written when all its content is there
    REMOTE/fortydays/.lock              where it is a folder: held by whoever pushes

Nothing that comes from there is trusted: documents and lists are bounded and checked before they are used, names of
objects before anything is written under them, and bytes against the version's digest before it is listed.
"""

import contextlib
import errno
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import clock, files
from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.privacy import share, shared
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.base.text import printable, shown, without_credentials
from fortydays.data import version_documents as documents
from fortydays.data.version_content import Content, parse_listing
from fortydays.data.version_documents import DataVersion
from fortydays.data.version_folder import FileDigests, count_classes, digest_of_all
from fortydays.data.version_repository import first_line

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+")
_MISSING = re.compile(r"requires '(dvc-[a-z0-9-]+)' to be installed")
_LONGEST_ADDRESS = 4_096
_LARGEST_LISTING = 2**30
_DOCUMENTS = "fortydays"
_LOCK = ".lock"  # no name of data begins with a dot
_NUMBERED = re.compile(r"v([1-9][0-9]{0,8})\.json")
_LOOK_AHEAD = 8
_MOST_MISSING = 100
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True)
class Remote:
    """Where versions are pushed to and pulled from.

    Attributes:
        address: a folder's absolute path, or an address with a scheme.
        folder: the folder, or None where it is an address.
    """

    address: str
    folder: Path | None

    def __str__(self) -> str:
        return printable(without_credentials(self.address))


def parse_remote(text: str, settings: Settings) -> Remote:
    """Read what a reader calls a remote.

    Raises:
        UsageError: it is neither a folder nor an address, or the workspace's own folder.
        DataError: it is an address, and the network is not to be used.
    """
    if not text.strip() or len(text) > _LONGEST_ADDRESS or not text.isprintable():
        raise UsageError(
            f"{shown(without_credentials(text))} is no remote; expected a folder, or an address such as s3://bucket/folder."
        )
    if _ADDRESS.fullmatch(text):
        if settings.offline:
            raise DataError(
                f"{printable(without_credentials(text))[:100]} was not tried, because FORTYDAYS_OFFLINE is set.",
                hint="Unset FORTYDAYS_OFFLINE, or name a folder.",
            )
        return Remote(address=text, folder=None)
    folder = Path(text).expanduser().absolute()
    own = documents.root(settings).resolve()
    if own == folder.resolve() or own in folder.resolve().parents:
        raise UsageError(f"{printable(text)} lies in the workspace's own folder of data, {own}; expected another one.")
    return Remote(address=str(folder), folder=folder)


def require_folder(remote: Remote, *, make: bool) -> None:
    """Make sure that a remote which is a folder is there.

    Args:
        remote: anything but a folder is fine as it is.
        make: create the folder itself, but not the one that it would lie in: a disk that is not mounted is missed.

    Raises:
        DataError: it is not there, or a file.
        StorageError: it cannot be made.
    """
    folder = remote.folder
    if folder is None or files.is_folder(folder):
        return
    if files.exists(folder):
        raise DataError(f"The remote {remote} is a file; expected a folder.")
    if not make or not files.is_folder(folder.parent):
        missing = folder.parent if make else folder
        raise DataError(
            f"The remote {remote} cannot be reached: there is no folder {printable(str(missing))}.",
            hint="Is its disk mounted?" if make else "Nothing was ever pushed there, or its disk is not mounted.",
        )
    with shared(folder):
        files.make_folder(folder)


def same_content(version: DataVersion, other: DataVersion, remote: Remote) -> None:
    """Make sure that a version here and its namesake in the remote are one.

    Args:
        version: the one here.
        other: the one in the remote.
        remote: for the message.

    Raises:
        DataError: they hold different files.
    """
    if version.digest != other.digest:
        raise DataError(
            f"{remote} has another {version.label} of {version.name!r}: made {other.created}, digest "
            f"{other.digest[:12]}, where yours was made {version.created}, digest {version.digest[:12]}.",
            hint="Two workspaces made it independently. Use another remote, or add your folder under another name.",
        )


# -------------------------------------------------------------------------------------------------------- documents


def read_document(
    content: Content, remote: Remote, name: str, number: int, *, to_mend: Progress | None = None
) -> DataVersion | None:
    """The version that a remote holds under that number, or None.

    Args:
        content: opened with that remote.
        remote: where to look.
        name: of the data.
        number: of the version.
        to_mend: a damaged document counts as none, because it is to be written again; this is warned of it.

    Raises:
        NewerVersionError: a newer fortydays made the document.
        DataError: the document is damaged, or the remote cannot be reached.
    """
    place = f"{remote}/{_DOCUMENTS}/{name}/v{number}.json"
    text = _read(content, remote, (_DOCUMENTS, name, f"v{number}.json"), documents.LARGEST_DOCUMENT)
    if text is None:
        return None
    try:
        return documents.from_bytes(text, name=name, number=number, place=place)
    except documents.NewerVersionError:
        raise
    except DataError as error:
        if to_mend is None:
            raise DataError(
                error.message, hint=f"Push it again from the workspace that made it: forty data push {name} REMOTE"
            ) from error
        to_mend.warn(f"{error.message} It is written again.")
        return None


def read_documents(
    content: Content, remote: Remote, name: str, own: Iterable[int]
) -> tuple[list[DataVersion], dict[int, DataError]]:
    """Every version of a name that a remote holds.

    A folder is listed. Not every address can be, so its documents are asked for one after the other, past a few that
    are missing.

    Args:
        content: opened with that remote.
        remote: where to look.
        name: of the data.
        own: the numbers of the versions that are here already.

    Returns:
        The versions, in order, and why others cannot be read: damaged, or missing there and here.

    Raises:
        DataError: the remote cannot be reached.
    """
    found: dict[int, DataVersion] = {}
    failed: dict[int, DataError] = {}

    def look(number: int) -> bool:
        try:
            version = read_document(content, remote, name, number)
        except DataError as error:
            if remote.folder is None and error.__cause__ is not None and not _is_about_text(error):
                raise
            failed[number] = error
            return True
        if version:
            found[number] = version
        return version is not None

    here = set(own)
    if remote.folder is not None:
        for number in _listed(remote.folder / _DOCUMENTS / name):
            look(number)
    else:
        number = last = 0
        while number <= last + _LOOK_AHEAD:
            number += 1
            if look(number):
                last = number
        for number in sorted(each for each in here if each > last + _LOOK_AHEAD):
            look(number)
    between = range(1, max((*found, *failed), default=0))
    missing = (each for each in between if each not in found and each not in failed and each not in here)
    for number in list(itertools.islice(missing, _MOST_MISSING)):
        failed[number] = DataError(
            f"{remote} has no v{number} of {name!r}.",
            hint=f"Push it again from the workspace that made it: forty data push {name} REMOTE",
        )
    return [found[number] for number in sorted(found)], failed


def _is_about_text(error: DataError) -> bool:
    """Whether it was the text of a document that was wrong, and not the way to it."""
    return isinstance(error, documents.NewerVersionError) or isinstance(error.__cause__, DataError)


def _listed(folder: Path) -> list[int]:
    if not files.is_folder(folder):
        return []
    with files.storage_errors("read", folder):
        names = [_NUMBERED.fullmatch(entry.name) for entry in folder.iterdir()]
    return sorted(int(each[1]) for each in names if each)


@contextlib.contextmanager
def alone(remote: Remote, progress: Progress) -> Iterator[None]:
    """Keep other pushes to a remote that is a folder away while the block runs.

    Raises:
        DataError: the remote cannot be written.
    """
    if remote.folder is None:
        yield  # see write_document
        return
    lock = remote.folder / _DOCUMENTS / _LOCK
    with contextlib.ExitStack() as stack:
        with _talking("write to", remote):
            try:
                stack.enter_context(files.locked(lock, timeout=0))
            except TimeoutError:
                progress.say(f"Waiting for another push to {remote}.")
                stack.enter_context(files.locked(lock))
        yield


def write_document(content: Content, remote: Remote, version: DataVersion, settings: Settings) -> bool:
    """Write a version's document into a remote; its content has to be there.

    Where the remote is an address, nothing keeps other pushes away; so the document is read again before and after.

    Returns:
        Whether it was missing there.

    Raises:
        DataError: the remote cannot be written, or another push was first with another version of that number.
        StorageError: the workspace cannot be written.
    """
    if remote.folder is None and _is_there(content, remote, version):
        return False
    _write_document(content, remote, version, settings)
    if remote.folder is None and not _is_there(content, remote, version):
        raise DataError(
            f"{remote} did not keep the document of {version.name} {version.label}.",
            hint="Run the command again: it does what is still to do.",
        )
    return True


def _is_there(content: Content, remote: Remote, version: DataVersion) -> bool:
    there = read_document(content, remote, version.name, version.number, to_mend=SILENT)
    if there:
        same_content(version, there, remote)
    return there is not None


def _write_document(content: Content, remote: Remote, version: DataVersion, settings: Settings) -> None:
    parts = (_DOCUMENTS, version.name, f"{version.label}.json")
    text = documents.to_bytes(version)
    with _talking("write to", remote):
        if remote.folder is not None:
            files.write_bytes(remote.folder.joinpath(*parts), text)
            share(remote.folder / _DOCUMENTS)
            return
        with files.temporary_folder(documents.root(settings), "document") as scratch:
            files.write_bytes(scratch / parts[-1], text)
            fs = content.remote.fs
            path = fs.join(content.remote.path, *parts)
            fs.makedirs(fs.parent(path))
            fs.put_file(str(scratch / parts[-1]), path)


def _is_missing(error: FileNotFoundError, remote: Remote) -> bool:
    """Whether a file is not there; a server that cannot be reached over HTTP is reported in the same way."""
    cause = error.__cause__
    if cause is None or isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) in (404, 410):
        return True
    return not isinstance(cause, OSError) and not remote.address.startswith(("http://", "https://"))


def _read(content: Content, remote: Remote, parts: tuple[str, ...], limit: int) -> bytes | None:
    """A file of a remote, or None where there is none; one byte more than the limit shows that it is too large."""
    with _talking("read from", remote):
        fs = content.remote.fs
        try:
            with fs.open(fs.join(content.remote.path, *parts), "rb") as file:
                return bytes(file.read(limit + 1))
        except FileNotFoundError as error:
            failure = error
        if _is_missing(failure, remote):
            return None
        raise failure.__cause__ or failure


# ---------------------------------------------------------------------------------------------------------- content


def send(content: Content, remote: Remote, versions: Iterable[DataVersion], progress: Progress) -> None:
    """Copy the content of versions to a remote, as far as it is not there. What travels is hashed before.

    Raises:
        DataError: the remote cannot be reached or is full, or content here is missing or altered.
    """
    chosen = list(versions)
    places = {version.md5: f"the list of files of {version.label}" for version in chosen}
    for version in chosen:
        for path, md5 in content.listing(version).items():
            places.setdefault(md5, f"{printable(path)} ({version.label})")

    def check(status: Any) -> None:
        wrong = [(places[info.value], "missing from the cache") for info in status.missing]
        for info in status.new:
            found = content.digests(info.value)
            if found is None or found.md5 != info.value.removesuffix(".dir"):
                wrong.append((places[info.value], "altered in the cache"))
        if wrong:
            place, state = min(wrong)
            raise DataError(
                f"Nothing was pushed: {place} is {state}{_and_others(len(wrong))}.",
                hint=f"See all of it with: forty data verify {chosen[0].name}",
            )

    started = clock.utc_now().timestamp()
    try:
        with _talking("write to", remote):
            content.send(chosen, check, progress)
    except DataError:
        if remote.folder is not None:
            content.remove_half_copied(remote.folder / "files" / "md5", since=started)
        raise


def fetch(content: Content, remote: Remote, version: DataVersion, progress: Progress) -> None:
    """Bring the content of a version into the cache, as far as it is not there, and check all of it.

    Raises:
        DataError: the remote cannot be reached, lacks content, or gives other bytes than it promised.
        StorageError: the workspace cannot be written.
    """
    listing = _fetch_listing(content, remote, version)
    right = content.right_objects(sorted(set(listing.values())), progress)
    missing = set(listing.values()) - set(right)
    if missing:
        try:
            _fetch_objects(content, remote, version, listing, progress)
        except StorageError:
            content.remove(missing)  # makes room; after any other failure, the next pull goes on from here
            raise
    for md5 in sorted(missing):
        found = content.digests(md5)
        if found and found.md5 == md5:
            right[md5] = found
        else:
            content.remove([md5])
    _confirm(version, remote, listing, right)


def _fetch_objects(
    content: Content, remote: Remote, version: DataVersion, listing: Mapping[str, str], progress: Progress
) -> None:
    places = {md5: printable(path) for path, md5 in listing.items()}

    def check(status: Any) -> None:
        # DVC reads the list once more from the remote, which may give another one by now.
        if not {info.value for info in status.new} <= {*places, version.md5}:
            raise DataError(f"The list of files of {version.label} in {remote} has changed meanwhile.")
        if status.missing:
            path = min(places.get(info.value, "the list of files") for info in status.missing)
            raise DataError(
                f"{remote} does not hold all of {version.name} {version.label}: "
                f"{path} is missing{_and_others(len(status.missing))}.",
                hint=f"Push it again from the workspace that made it: forty data push {version.name} REMOTE",
            )

    try:
        with _talking("read from", remote):
            content.fetch(version, check, progress)
    except DataError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in _FULL:  # reading fills no disk, so this is ours
            raise files.storage_error("write", content.folder, cause) from cause
        raise


def _fetch_listing(content: Content, remote: Remote, version: DataVersion) -> dict[str, str]:
    """The list of a version's files, from the cache or else from the remote, which is kept then."""
    try:
        return content.listing(version)
    except DataError:
        text = _read(content, remote, ("files", "md5", version.md5[:2], version.md5[2:]), _LARGEST_LISTING)
    if text is None:
        raise DataError(f"{remote} does not hold all of {version.name} {version.label}: the list of files is missing.")
    try:
        listing = parse_listing(text, version)
    except ValueError as error:
        raise DataError(
            f"The list of files of {version.name} {version.label} in {remote} is altered: {error}."
        ) from error
    content.store_text(version.md5, text)
    return listing


def _confirm(
    version: DataVersion, remote: Remote, listing: Mapping[str, str], right: Mapping[str, FileDigests]
) -> None:
    wrong = sorted(path for path, md5 in listing.items() if md5 not in right)
    if wrong:
        raise DataError(
            f"{remote} gave altered bytes for {printable(wrong[0])} of {version.name} {version.label}"
            f"{_and_others(len(wrong))}.",
            hint="The remote is damaged there. Remove that object and push it again from a workspace that verifies.",
        )
    told = (version.digest, version.bytes, dict(version.classes))
    found = (
        digest_of_all({path: right[md5].sha256 for path, md5 in listing.items()}),
        sum(right[md5].size for md5 in listing.values()),
        count_classes(listing),
    )
    if told != found:
        raise DataError(f"The document of {version.name} {version.label} in {remote} is not about the files there.")


def _and_others(count: int) -> str:
    return f", and {count - 1:,} more" if count > 1 else ""


@contextlib.contextmanager
def _talking(action: str, remote: Remote) -> Iterator[None]:
    """Turn what goes wrong with a remote into a :class:`DataError` that names it and the way out."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # whatever the library for that kind of remote raises
        raise _remote_error(action, remote, error) from error


def _remote_error(action: str, remote: Remote, error: Exception) -> DataError:
    cause = error.__cause__ if isinstance(error, StorageError) else error
    missing = _MISSING.search(str(cause))
    if missing:
        return DataError(
            f"{remote} needs the package {missing[1]}, which is not installed.",
            hint=f"Install it: pip install {missing[1]}",
        )
    full = isinstance(cause, OSError) and cause.errno in _FULL
    told = cause.strerror if isinstance(cause, OSError) else None
    reason = printable(without_credentials(told)) if told else first_line(cause or error)
    return DataError(
        f"Could not {action} {remote}: {reason.rstrip('.')}.",
        hint=f"{'Free some space there' if full else 'Mend that'} and run the command again: "
        "it does what is still to do.",
    )

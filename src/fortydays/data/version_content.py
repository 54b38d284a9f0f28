"""The content of versions, as DVC keeps it.

A version's files lie in DVC's cache under the MD5 of their bytes, and a list of their paths and MD5s under the MD5
of that list. DVC itself trusts what is in its cache as long as nobody changed the file's mode, so whatever is taken
out of it here is hashed again. Content is copied into the cache and out of it (as a reflink where the file system
can), never linked: a change of a reader's file cannot reach the cache.
"""

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base import files
from fortydays.base.errors import DataError, FortydaysError, StorageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.data import version_documents as documents
from fortydays.data.version_documents import DataVersion
from fortydays.data.version_folder import DVCS_OWN, FileDigests, digests_of_file
from fortydays.data.version_repository import REMOTE, opened_repository, silent

if TYPE_CHECKING:
    from dvc.repo import Repo

_POINTER = "content.dvc"
# Bytes of a file's or folder's own name: no usual file system takes more.
_LONGEST_PART = 255


@contextlib.contextmanager
def opened(settings: Settings, *, remote: str = "") -> Iterator["Content"]:
    """What is kept in the workspace; the arguments and errors are those of :func:`opened_repository`."""
    with opened_repository(documents.root(settings), remote=remote) as repo:
        content = Content(repo)
        try:
            yield content
        finally:
            content.close()


class Content:
    """The files of all versions, as DVC keeps them; from :func:`opened`.

    Attributes:
        repo: DVC's own view of the folder.
        cache: DVC's store of objects in it.
    """

    def __init__(self, repo: "Repo") -> None:
        from dvc_data.hashfile.state import StateNoop

        self.repo = repo
        self.cache = repo.cache.local
        # Hash what is there, not what a note says that was there when it had this size and time of change.
        self.cache.state = StateNoop()

    def close(self) -> None:
        """End the connections to a remote over HTTP: the library itself takes a tenth of a second and gives up."""
        fs = getattr(vars(self).get("remote"), "fs", None)
        client = vars(fs).get("fs") if fs is not None else None
        session = getattr(client, "_session", None)
        if client is None or session is None or not hasattr(session, "close"):
            return
        from fsspec.asyn import sync

        with contextlib.suppress(Exception):  # whatever it is, the process goes on without that connection
            sync(client.loop, session.close, timeout=5)
            client._session = None

    @property
    def folder(self) -> Path:
        """The folder that holds DVC's store of objects."""
        return Path(self.cache.path)

    def path(self, md5: str) -> Path:
        """Where the object of that name lies, or would lie."""
        return Path(self.cache.oid_to_path(md5))

    def remove_leftovers(self) -> None:
        """Remove what killed processes left half copied. Only for the holder of the lock. Raises StorageError."""
        self.remove_half_copied(self.folder, since=0.0)

    @staticmethod
    def remove_half_copied(folder: Path, *, since: float) -> None:
        """Remove the files that DVC was copying into a store of objects and did not finish.

        Args:
            folder: the store.
            since: leave those alone that were changed before this moment, in seconds since 1970.

        Raises:
            StorageError: one cannot be removed.
        """
        if not files.is_folder(folder):
            return
        with files.storage_errors("clean", folder):
            for path in folder.glob("??/.*.tmp"):
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime >= since:
                        path.unlink()

    # ------------------------------------------------------------------------------------------------- what is there

    def digests(self, md5: str) -> FileDigests | None:
        """The digests of an object's bytes as they are now, or None if it is not there. Raises StorageError."""
        path = self.path(md5)
        with files.storage_errors("read", path):
            try:
                return digests_of_file(path)
            except FileNotFoundError:
                return None

    def listing(self, version: DataVersion) -> dict[str, str]:
        """The MD5 of every file of a version, by its path.

        Raises:
            DataError: the list is missing from the cache, or altered.
            StorageError: it cannot be read.
        """
        path = self.path(version.md5)
        with files.storage_errors("read", path):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                raise DataError(f"The list of files of {version.name} {version.label} is missing from the cache.",
                                hint=restore_hint(version.name)) from None  # fmt: skip
        try:
            return parse_listing(content, version)
        except ValueError as error:
            raise DataError(
                f"The list of files of {version.name} {version.label} in the cache is altered: {error}.",
                hint=restore_hint(version.name),
            ) from error

    def right_objects(self, md5s: Iterable[str], progress: Progress) -> dict[str, FileDigests]:
        """Those of some objects that are in the cache with the bytes of their name; altered ones are set aside.

        Raises:
            StorageError: one cannot be read or moved.
        """
        right = {}
        for md5 in md5s:
            found = self.digests(md5)
            if found is not None and found.md5 == md5:
                right[md5] = found
            elif found is not None:
                progress.warn(f"An altered file of the cache was moved to {files.set_aside(self.path(md5))}.")
        return right

    # ---------------------------------------------------------------------------------------------------- in and out

    def copy_in(self, sources: Mapping[str, Path]) -> None:
        """Have DVC copy files into its cache.

        Args:
            sources: a file for the name of each object. Nothing says yet that the copy has the bytes of that name.

        Raises:
            OSError: a file cannot be read, or the cache cannot be written.
        """
        from dvc.fs import localfs

        self.cache.add([str(path) for path in sources.values()], localfs, list(sources), hardlink=False)

    def remove(self, md5s: Iterable[str]) -> None:
        """Remove objects, as far as they are there and can be, and what was half copied. Never fails."""
        with contextlib.suppress(OSError, FortydaysError):
            for md5 in md5s:
                self.path(md5).unlink(missing_ok=True)
            self.remove_leftovers()

    def store_listing(self, md5s: Mapping[str, FileDigests]) -> str:
        """Put the list of a version's files into the cache, as DVC writes it.

        Returns:
            Its name: the MD5 of the list, followed by ``.dir``.

        Raises:
            OSError: the cache cannot be written.
        """
        from dvc_data.hashfile.db import add_update_tree
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.meta import Meta
        from dvc_data.hashfile.tree import Tree

        tree = Tree()
        for path, each in md5s.items():
            tree.add(tuple(path.split("/")), Meta(size=each.size), HashInfo("md5", each.md5))
        tree.digest()
        name = str(tree.oid)
        place = self.path(name)
        if place.exists() and hashlib.md5(place.read_bytes(), usedforsecurity=False).hexdigest() + ".dir" != name:
            files.set_aside(place)
        add_update_tree(self.cache, tree)
        return name

    def store_text(self, md5: str, text: bytes) -> None:
        """Put a list of files that was checked into the cache. Raises StorageError."""
        path = self.path(md5)
        files.write_bytes(path, text)
        self.cache.protect(str(path))

    def write_pointer(self, version: DataVersion, place: Path) -> None:
        """Write DVC's own file about a version into a folder of the workspace.

        Raises:
            StorageError: it cannot be written.
        """
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.meta import Meta

        path = place / _POINTER
        with files.storage_errors("write", path):
            stage = self.repo.stage.create(
                single_stage=True, validate=False, fname=str(path), wdir=str(place), outs=["content"]
            )
            stage.outs[0].hash_info = HashInfo("md5", version.md5)
            stage.outs[0].meta = Meta(isdir=True, size=version.bytes, nfiles=version.files)
            stage.dump()

    def copy_out(self, version: DataVersion, folder: Path, progress: Progress) -> bool:
        """Have DVC copy the files of a version into an empty folder.

        Returns:
            Whether all of them were in the cache. Nothing says yet that they have the right bytes.

        Raises:
            StorageError: they cannot be copied.
        """
        from dvc.fs import localfs
        from dvc_data.hashfile.checkout import CheckoutError, LinkError, checkout
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.tree import Tree

        tree = Tree.load(self.cache, HashInfo("md5", version.md5))
        task = f"Copying {version.name} {version.label}"
        progress.start(task, total=version.files, unit="files")
        try:
            with files.storage_errors("write", folder):
                checkout(
                    str(folder), localfs, tree, self.cache,
                    force=True, quiet=True, progress_callback=_callback(task, progress),
                )  # fmt: skip
        except CheckoutError:
            return False
        except LinkError as error:
            if isinstance(error.__cause__, OSError):
                raise files.storage_error("write", folder, error.__cause__) from error
            # DVC tries a copy first and keeps to itself why it failed; whatever it was, it will be so for us.
            files.write_bytes(folder / "probe", b"probe")
            raise StorageError(
                f"Could not write {folder}: DVC cannot copy a file there.", hint="Is the disk full, or read-only?"
            ) from error
        progress.finish(task)
        return True

    # --------------------------------------------------------------------------------------------------- to and from

    @functools.cached_property
    def remote(self) -> Any:
        """DVC's view of the remote that was named when this was opened. Raises what DVC raises."""
        return self.repo.cloud.get_remote(REMOTE)

    def send(self, versions: Iterable[DataVersion], check: Callable[[Any], None], progress: Progress) -> None:
        """Have DVC copy the files of versions to the remote, where they are not there yet.

        Args:
            versions: whose files to send.
            check: told what is missing and what is new before anything travels (DVC's ``CompareStatusResult``).
            progress: told of the files.

        Raises:
            Exception: whatever the library for that kind of remote raises.
        """
        self._transfer(self.cache, self.remote.odb, versions, check, "Sending", progress)

    def fetch(self, version: DataVersion, check: Callable[[Any], None], progress: Progress) -> None:
        """Have DVC copy the files of a version from the remote, where they are not here yet; as :meth:`send`."""
        self._transfer(self.remote.odb, self.cache, [version], check, f"Fetching {version.label}", progress)

    def _transfer(
        self,
        source: Any,
        target: Any,
        versions: Iterable[DataVersion],
        check: Callable[[Any], None],
        task: str,
        progress: Progress,
    ) -> None:
        from dvc_data.hashfile.hash_info import HashInfo

        def checked(status: Any) -> None:
            check(status)
            progress.start(task, total=len(status.new), unit="files")

        progress.start(task, total=None, unit="files")
        with silent() as failures:
            result = self.repo.cloud.transfer(
                source,
                target,
                {HashInfo("md5", version.md5) for version in versions},
                shallow=False,
                cache_odb=self.cache,
                validate_status=checked,
                callback=_callback(task, progress),
            )
        if result.failed:
            raise failures[0] if failures else OSError(f"{len(result.failed)} files could not be copied")
        progress.finish(task)


def _callback(task: str, progress: Progress) -> Any:
    from fsspec.callbacks import Callback

    def report(_size: float | None, value: float, **_others: object) -> None:
        progress.advance(task, done=value)

    return Callback(hooks={"progress": report})


def parse_listing(content: bytes, version: DataVersion) -> dict[str, str]:
    """Read DVC's list of a version's files; nothing in it is trusted.

    Args:
        content: the list, which JSON it should be.
        version: whose list it should be.

    Returns:
        The MD5 of every file by its path, each path relative, without ``..``, in UTF-8, no name in it longer than 255
        bytes, and none the folder of another.

    Raises:
        ValueError: it is another list, or none.
    """
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if f"{found}.dir" != version.md5:
        raise ValueError(f"it has MD5 {found}, expected {version.md5.removesuffix('.dir')}")
    try:
        entries = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested") from error
    if not isinstance(entries, list) or len(entries) != version.files:
        raise ValueError(f"it is no list of {version.files:,} files")
    listing: dict[str, str] = {}
    folders: set[str] = set()
    for entry in entries:
        path, md5 = (entry.get("relpath"), entry.get("md5")) if isinstance(entry, dict) else (None, None)
        if not isinstance(path, str) or not _is_safe(path) or path in listing:
            raise ValueError(f"it names a file {printable(repr(path))[:80]}")
        above = path
        while above := above.rpartition("/")[0]:
            if above in folders:
                break
            folders.add(above)
        if not isinstance(md5, str) or len(md5) != 32 or not set(md5) <= set("0123456789abcdef"):
            raise ValueError(f"it has no MD5 for {printable(path)[:80]!r}")
        listing[path] = md5
    if both := folders & listing.keys():
        raise ValueError(f"it names {printable(min(both))[:80]!r} as a file and as a folder")
    return listing


def _is_safe(path: str) -> bool:
    try:
        parts = path.encode().split(b"/")
    except UnicodeEncodeError:
        return False
    return b"\0" not in path.encode() and not any(
        part in (b"", b".", b"..", DVCS_OWN.encode()) or len(part) > _LONGEST_PART for part in parts
    )


def restore_hint(name: str) -> str:
    """How to get right content back."""
    return f"Where it was pushed, get it back with: forty data pull {name} REMOTE (or add the same folder again)"

"""The only place that writes, renames or locks files.

State is written to a temporary file in the same folder, flushed to disk and renamed, so that a reader (or a
process that starts after a crash) sees either the old content or the new, never a mixture. A damaged file is
moved aside and named, never overwritten. What is made here only its owner can read, and a stricter umask stays;
:func:`fortydays.base.privacy.share` opens what a reader wants to pass on.
"""

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from fortydays.base import clock
from fortydays.base.errors import StorageError

T = TypeVar("T")


@contextlib.contextmanager
def storage_errors(action: str, path: Path) -> Iterator[None]:
    """Turn an ``OSError`` inside the block into a :class:`StorageError` that names the path and the way out.

    Args:
        action: what was being done, such as "write" or "read".
        path: the file or folder it was done to.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(action, path, error) from error


def storage_error(action: str, path: Path, error: OSError) -> StorageError:
    """The :class:`StorageError` for an ``OSError``."""
    hints = {
        errno.ENOSPC: "The disk is full. Free some space and run the command again: it continues where it stopped.",
        errno.EDQUOT: "The disk quota is used up. Free some space and run the command again.",
        errno.EROFS: "The file system is read-only. Point FORTYDAYS_HOME to a folder that can be written.",
        errno.EACCES: "No permission. Change the folder's permissions or point FORTYDAYS_HOME to another folder.",
        errno.EPERM: "No permission. Change the folder's permissions or point FORTYDAYS_HOME to another folder.",
        errno.EEXIST: "A file is where a folder is to be made. Move it away, or name another folder.",
        errno.ENOTDIR: "A part of the path is a file where a folder was expected.",
    }
    reason = error.strerror or str(error)
    return StorageError(f"Could not {action} {path}: {reason}.", hint=hints.get(error.errno or 0, ""))


def exists(path: Path) -> bool:
    """Whether there is something at a path. Raises StorageError where the system does not let one look."""
    return _mode(path) is not None


def is_file(path: Path) -> bool:
    """Whether there is a file at a path. Raises StorageError where the system does not let one look."""
    return stat.S_ISREG(_mode(path) or 0)


def is_folder(path: Path) -> bool:
    """Whether there is a folder at a path. Raises StorageError where the system does not let one look."""
    return stat.S_ISDIR(_mode(path) or 0)


def is_writable(path: Path) -> bool:
    """Whether this user may write a file, or into a folder; no one may on a disk that is mounted read-only."""
    return os.access(path, os.W_OK)


def _mode(path: Path) -> int | None:
    # Path.exists() and the like raise a bare PermissionError in a folder that may not be entered.
    with storage_errors("look at", path):
        try:
            return path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None


def make_folder(path: Path) -> Path:
    """Create a folder and its parents where missing, which only their owner can enter; one that is there stays so.

    Raises:
        StorageError: the folder cannot be created.
    """
    with storage_errors("create the folder", path):
        for each in reversed((path, *path.parents)):  # Path.mkdir gives parents another mode than it is told
            if each == path or not each.exists():
                each.mkdir(mode=0o700, exist_ok=True)
    return path


def make_private_file(path: Path) -> Path:
    """Make an empty file that only its owner can read, where there is none; one that is there becomes as private.

    Raises:
        StorageError: it cannot be made, or is another's.
    """
    with storage_errors("create", path):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    return path


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Call ``write`` on a temporary file beside ``path``, flush it to disk and rename it to ``path``.

    Raises:
        StorageError: the disk is full, read-only, or otherwise refuses; what stood at ``path`` is untouched.
    """
    make_folder(path.parent)
    with storage_errors("write", path):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to disk, so that a rename in it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all() -> None:
    """Flush everything that was written to disk: for thousands of small files faster than one after the other."""
    os.sync()


@contextlib.contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """A new folder ``parent/.NAME.XXXX.part`` that is removed when the block ends.

    A process that is killed leaves it behind; the next one that makes a folder of this name there removes it.

    Raises:
        StorageError: it cannot be created.
    """
    make_folder(parent)
    remove_abandoned(parent, name)
    with storage_errors("create a folder in", parent):
        while True:
            folder = Path(tempfile.mkdtemp(dir=parent, prefix=f".{name}.", suffix=".part"))
            held = _held(folder, wait=True)
            if folder.exists():  # another process may have taken it for abandoned before it was locked
                break
            if held is not None:
                os.close(held)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def remove_abandoned(parent: Path, name: str) -> None:
    """Remove the folders that killed processes left of :func:`temporary_folder`; those of living ones stay."""
    for folder in parent.glob(f".{glob.escape(name)}.*.part"):
        held = _held(folder, wait=False) if folder.is_dir() and not folder.is_symlink() else None
        if held is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _held(folder: Path, *, wait: bool) -> int | None:
    """A folder's descriptor, locked until it is closed or the process ends; None where it cannot be locked."""
    descriptor = None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked, gone meanwhile, or on a file system without locks, where nothing is removed
        if descriptor is not None:
            os.close(descriptor)
        return None
    return descriptor


@contextlib.contextmanager
def folder_built_whole(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` to fill, which becomes ``path`` when the block ends without an error.

    The files in it are to be written with the functions of this module, so that their bytes are on the disk
    before the folder has its name.

    Raises:
        StorageError: the folder cannot be created or renamed.
    """
    with temporary_folder(path.parent, path.name) as folder:
        yield folder
        with storage_errors("write", path):
            sync_folder(folder)
            folder.replace(path)
            sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; a missing one is fine.

    Raises:
        StorageError: the system refuses.
    """
    with storage_errors("remove", path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders that killed processes left in ``folder``.

    Only a process that holds the lock of everything that writes there may call this.
    """
    if is_folder(folder):
        for entry in sorted(folder.glob(".*.part")):
            remove(entry)


def part_of(path: Path) -> Path:
    """Where the bytes of ``path`` are gathered until it is whole: ``.NAME.part`` beside it."""
    return path.with_name(f".{path.name}.part")


@contextlib.contextmanager
def extended_part(path: Path, *, keep: int) -> Iterator[IO[bytes]]:
    """Open :func:`part_of` ``path`` to write after its first ``keep`` bytes, in as many sittings as it takes.

    Unlike :func:`write_atomically`, what was written stays when the block fails, to be continued later.

    Raises:
        StorageError: the file cannot be opened, or its last bytes cannot be written.
    """
    make_folder(path.parent)
    with storage_errors("write", path):
        file = open(part_of(path), "r+b" if keep else "wb", opener=_private)  # noqa: SIM115 - has no opener
    try:
        with storage_errors("write", path):
            file.truncate(keep)
            file.seek(keep)
        yield file
    finally:
        with storage_errors("write", path):
            file.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def complete_part(path: Path) -> None:
    """Flush :func:`part_of` ``path`` to disk and rename it to ``path``. Raises StorageError."""
    with storage_errors("write", path):
        with part_of(path).open("rb") as file:
            os.fsync(file.fileno())
        part_of(path).replace(path)
        sync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically. Raises StorageError."""
    write_atomically(path, lambda file: file.write(content))


def append_bytes(path: Path, *, after: int, content: bytes) -> None:
    """Write ``content`` behind the first ``after`` bytes of a file, and onto the disk; what stood there is replaced.

    For files that grow, whose good length is written down elsewhere, when this is done.

    Raises:
        StorageError: it cannot be written, or has fewer bytes than that.
    """
    with storage_errors("write", path), open(path, "ab", opener=_private) as file:
        if file.seek(0, os.SEEK_END) < after:
            raise StorageError(f"{path} is shorter than it was: it has fewer than {after:,} bytes.")
        file.truncate(after)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def free_bytes(folder: Path) -> int:
    """How many bytes can be written below a folder. Raises StorageError."""
    with storage_errors("look at", folder):
        return shutil.disk_usage(folder).free


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text atomically. Raises StorageError."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: object) -> None:
    """Write a JSON document atomically, one value a line, NaN refused. Raises StorageError."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON document whose top level is an object.

    Raises:
        StorageError: the file is missing, unreadable, or not such a document.
    """
    with storage_errors("read", path):
        content = path.read_bytes()
    try:
        document = json.loads(content)
    except ValueError as error:
        raise StorageError(f"{path} is damaged: it is not JSON ({error}).") from error
    if not isinstance(document, dict):
        raise StorageError(f"{path} is damaged: expected a JSON object, found {type(document).__name__}.")
    return document


def set_aside(path: Path, *, word: str = "damaged") -> Path:
    """Rename a damaged file or folder to ``NAME.damaged-TIME`` beside it, so that nothing is lost.

    Another ``word`` says of one that is whole why it gives way.

    Returns:
        Where it is now.
    """
    stamp = clock.utc_now().strftime("%Y%m%d-%H%M%S")
    target = path.with_name(f"{path.name}.{word}-{stamp}")
    count = 1
    while exists(target):
        count += 1
        target = path.with_name(f"{path.name}.{word}-{stamp}-{count}")
    with storage_errors("set aside", path):
        path.replace(target)
    return target


def sha256_of_file(path: Path) -> str:
    """The SHA-256 digest of a file's bytes, in hexadecimal. Raises StorageError."""
    with storage_errors("read", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_bytes(content: bytes) -> str:
    """The SHA-256 digest of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_json(content: object) -> str:
    """The SHA-256 digest of a value's canonical JSON text: keys sorted, no spaces, NaN refused."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@contextlib.contextmanager
def locked(path: Path, *, timeout: float = -1) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (a lock file), which the system releases if the process dies.

    Args:
        path: the lock file; created where missing, never removed.
        timeout: seconds to wait for another holder; -1 waits for ever, 0 not at all.

    Raises:
        TimeoutError: another process held the lock all that time.
        StorageError: the lock file cannot be created.
    """
    import filelock

    make_folder(path.parent)
    lock = filelock.FileLock(path, mode=0o600)
    try:
        with storage_errors("lock", path):
            lock.acquire(timeout=timeout)
    except (filelock.Timeout, StorageError) as error:
        # filelock.Timeout is an OSError, so it arrives wrapped.
        cause = error if isinstance(error, filelock.Timeout) else error.__cause__
        if isinstance(cause, filelock.Timeout):
            raise TimeoutError(f"{path} is held by another process") from None
        raise
    try:
        yield
    finally:
        lock.release()


def is_held(lock: Path) -> bool:
    """Whether a process holds a lock file now. Raises StorageError."""
    try:
        with locked(lock, timeout=0):
            return False
    except TimeoutError:
        return True

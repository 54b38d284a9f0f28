"""Who may read what this program writes: its owner alone, unless a reader has asked for a file of their own.

What :mod:`fortydays.base.files` makes is private from the start. Here is the rest: what other libraries make, what is
there from before, and what is meant for others.
"""

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

OTHERS = 0o077
"""The bits of a mode that let others in."""

_OURS = (
    "backbones", "bundles", "cache", "datasets", "engines", "exercises", "features", "mlartifacts", "own", "registry",
    "reports", "runs", "serve", "weights",
)  # fmt: skip
"""Folders of a workspace. The folder ``data`` is not among them: a reader may have opened it to others."""

_MARKS = ("mlflow.db", "mlartifacts", "own", "runs/*/run.json", "serve/requests.sqlite")
"""What tells a workspace from a folder of other things, whose own names may be among those above."""


class _Umask:
    """The umask of this process while blocks need another one, and the lock on it."""

    lock, users, before = threading.Lock(), 0, 0


@contextlib.contextmanager
def private_umask() -> Iterator[None]:
    """What this process makes inside the block is its owner's alone, whichever library makes it."""
    # The umask is the whole process's: of threads that overlap, the first one sets it and the last one puts it back.
    with _Umask.lock:
        _Umask.users += 1
        if _Umask.users == 1:
            _Umask.before = os.umask(OTHERS)
            os.umask(_Umask.before | OTHERS)
    try:
        yield
    finally:
        with _Umask.lock:
            _Umask.users -= 1
            if not _Umask.users:
                os.umask(_Umask.before)


def share(path: Path) -> None:
    """Give a file, or a folder with all that is in it, the modes that the reader's umask gives.

    For what a reader has asked for outside of the workspace, such as a bundle that a container is to read.
    """
    mask = os.umask(OTHERS)
    os.umask(mask)
    for each in (path, *(path.rglob("*") if path.is_dir() else ())):
        with contextlib.suppress(OSError):  # what is another's, or on a disk without modes, stays as it is
            each.chmod((0o777 if each.is_dir() else 0o666) & ~mask)


@contextlib.contextmanager
def shared(path: Path) -> Iterator[None]:
    """Do the same with what the block makes at a path, and with each folder above it that the block had to make.

    A folder above that was there before stays as it is.
    """
    made = [each for each in path.absolute().parents if not os.path.lexists(each)]
    yield
    share(path)
    mask = os.umask(OTHERS)
    os.umask(mask)
    for each in made:
        with contextlib.suppress(OSError):
            each.chmod(0o777 & ~mask)


def tighten(workspace: Path) -> None:
    """Close a workspace to others, where it was made open by an earlier version of this program.

    Only what this program makes is changed, no link below it is followed, and what is another's stays as it is. A
    workspace that is closed already is not looked into, nor is a folder that only has been named as one.
    """
    with contextlib.suppress(OSError, RuntimeError):
        workspace = workspace.resolve()
        if not _is_open(workspace) or not _is_ours(workspace):
            return
        _close(workspace)
        if _is_open(workspace):  # a disk without modes
            return
        for name in _OURS:
            for folder, folders, names in os.walk(workspace / name):
                for each in (*folders, *names):
                    _close(Path(folder, each))
            _close(workspace / name)
        for path in workspace.glob("mlflow.db*"):
            _close(path)


def _is_open(folder: Path) -> bool:
    return bool(stat.S_IMODE(folder.stat().st_mode) & OTHERS)


def _is_ours(workspace: Path) -> bool:
    """Whether this user keeps the program's state there, and it is no folder that belongs to the whole system.

    A reader can name any folder as the workspace: a project of theirs, or /tmp, which root could close to everybody.
    """
    found = workspace.stat()
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX or workspace in (Path("/"), Path.home()):
        return False
    return any(any(workspace.glob(each)) for each in _MARKS)


def _close(path: Path) -> None:
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)

"""Who may read what this program writes: its owner alone, unless a reader has asked for a file of their own.

What :mod:`fortydays.base.files` makes is private from the start. Here is the rest: what other libraries make, what is
there from before, and what is meant for others.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

OTHERS = 0o077
"""The bits of a mode that let others in."""

_OURS = (
    "backbones", "bundles", "cache", "datasets", "engines", "features", "mlartifacts", "own", "registry", "reports",
    "runs", "serve", "weights",
)  # fmt: skip
"""Folders of a workspace. The folder ``data`` is not among them: a reader may have opened it to others."""


@contextlib.contextmanager
def private_umask() -> Iterator[None]:
    """What this process makes inside the block is its owner's alone, whichever library makes it."""
    before = os.umask(OTHERS)
    os.umask(before | OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def share(path: Path) -> None:
    """Give a file, or a folder with all that is in it, the modes that the reader's umask gives.

    For what a reader has asked for outside of the workspace, such as a bundle that a container is to read.
    """
    mask = os.umask(OTHERS)
    os.umask(mask)
    for each in (path, *(path.rglob("*") if path.is_dir() else ())):
        with contextlib.suppress(OSError):  # what is another's, or on a disk without modes, stays as it is
            each.chmod((0o777 if each.is_dir() else 0o666) & ~mask)


def tighten(workspace: Path) -> None:
    """Close a workspace to others, where it was made open by an earlier version of this program.

    Only what this program makes is changed, no link is followed, and what is another's stays as it is. A workspace
    that is closed already is not looked into.
    """
    with contextlib.suppress(OSError):
        if not stat.S_IMODE(workspace.stat().st_mode) & OTHERS:
            return
        for name in _OURS:
            for folder, folders, names in os.walk(workspace / name):
                for each in (*folders, *names):
                    _close(Path(folder, each))
            _close(workspace / name)
        for path in workspace.glob("mlflow.db*"):
            _close(path)
        _close(workspace)


def _close(path: Path) -> None:
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)

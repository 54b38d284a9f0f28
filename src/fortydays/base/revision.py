"""Which commit of this program's source runs, where it runs from a Git checkout."""

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 10
_PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A state of a Git checkout.

    Attributes:
        commit: of the checkout, in hexadecimal.
        clean: whether nothing in it differs from that commit, files that Git ignores aside.
    """

    commit: str
    clean: bool


@functools.cache
def revision(folder: Path = _PACKAGE) -> Revision | None:
    """The revision of the checkout that a folder belongs to; of this program's own source by default.

    Looked up once for each folder of a process.

    Returns:
        None where there is no Git, or where the folder is not part of a checkout: an installed package may well lie
        inside some other project's.
    """
    commit = _ask(folder, "rev-parse", "HEAD")
    if not commit or not _ask(folder, "ls-files", "."):
        return None
    changes = _ask(folder, "status", "--porcelain", "--untracked-files=normal")
    return None if changes is None else Revision(commit=commit, clean=not changes)


def first_version(path: Path) -> str | None:
    """The content of a text file when it was first committed, or None where that is not known.

    It is not known of a clone without its whole history.
    """
    if not path.parent.is_dir() or _ask(path.parent, "rev-parse", "--is-shallow-repository") != "false":
        return None
    commits = _ask(path.parent, "log", "--diff-filter=A", "--format=%H", "--", path.name)
    return _ask(path.parent, "show", f"{commits.split()[-1]}:./{path.name}") if commits else None


def _ask(folder: Path, *arguments: str) -> str | None:
    """What Git says in a folder; None where there is no Git, or it fails."""
    git = shutil.which("git")
    if git is None:
        return None
    # Inside a hook of Git's, these lead to the repository that the hook is of.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        said = subprocess.run(
            [git, "-C", str(folder), "--no-optional-locks", *arguments],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout.strip() if said.returncode == 0 else None

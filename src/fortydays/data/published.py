"""Published files: each has a name, a largest size, a digest where it is pinned, and the places where it may be.

Datasets, public photographs and the weights of networks are all had in this way. First come the places on this
machine: the mirror folder (``FORTYDAYS_MIRROR``), what is installed, and what was fetched before. Then come the places
that need the network, in the order in which they are named. A file with another digest than the pinned one is refused,
and the next place is tried.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data.download import Limits, SourceFailedError
from fortydays.data.places import Installed, Remote


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A file that is published under one name.

    Attributes:
        name: its published name; the mirror folder has it under that name, too. A name that ends in ".gz" may lie on
            this machine without that ending, and decompressed, unless its digest is pinned.
        max_bytes: the most that is taken from a server.
        sha256: of its bytes, or "" where it is not pinned: then what is made of it has a pinned digest, or its digest
            becomes part of what is made of it.
        installed: places on this machine where it may be, beside the mirror folder.
        remote: places that it can be fetched from, in the order to try.
    """

    name: str
    max_bytes: int
    sha256: str = ""
    installed: tuple[Installed, ...] = ()
    remote: tuple[Remote, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Files that are there: the position of their group, their paths in its order, and in words their place."""

    group: int
    paths: tuple[Path, ...]
    place: str


@dataclass(frozen=True, kw_only=True)
class Search:
    """Looks for published files, and remembers why those of a place were not taken.

    Attributes:
        title: what is looked for, in words.
        groups: of files; those of one group belong together, and any one group will do.
        folder: where the mirror folder would have the files.
        kept: the folder for what is fetched. A download that broke off is continued there.
    """

    title: str
    groups: Sequence[Sequence[PublishedFile]]
    folder: str
    kept: Path
    settings: Settings
    limits: Limits
    progress: Progress
    _failures: dict[str, list[str]] = field(default_factory=dict, init=False)
    _asked: set[str] = field(default_factory=set, init=False)

    def candidates(self) -> Iterator[Candidate]:
        """Groups whose files are all there, as they are found. Whoever cannot use one refuses it and goes on.

        Raises:
            StorageError: the workspace cannot be written.
        """
        for look in (self._on_this_machine, self._fetched):
            for number, group in enumerate(self.groups):
                found: list[tuple[Path, str]] = []
                for file in group:
                    there = look(file)
                    if there is None:
                        break
                    found.append(there)
                if len(found) == len(group):
                    yield Candidate(group=number, paths=tuple(path for path, _ in found), place=found[0][1])

    def refuse(self, candidate: Candidate, reason: str) -> None:
        """Say that the content of a candidate is not right. What was fetched of it is removed."""
        self._fail(candidate.place, reason, say=True)
        for path in candidate.paths:
            if path.parent == self.kept:
                files.remove(path)

    def failed(self) -> DataError:
        """The error for a search without a result: tells each place that was tried, and what to do."""
        # Of raw files that nothing but the mirror folder may have, docs/data.md tells; there are many.
        groups = [each for each in self.groups if len(each) == 1 or each[0].installed or each[0].remote]
        choices = [", ".join(file.name for file in group) for group in groups]
        place = (self.settings.mirror or Path("FOLDER")) / self.folder
        setting = "" if self.settings.mirror is not None else " and set FORTYDAYS_MIRROR=FOLDER"
        every = [file for group in self.groups for file in group]
        packages = [each.package for file in every for each in file.installed if each.package]
        if packages:
            way_out = f"Install the package {packages[0]}, or put"
        elif not any(file.remote for file in every):
            way_out = "Put"
        elif self.settings.offline:
            way_out = "Unset FORTYDAYS_OFFLINE, or put"
        else:
            way_out = "Run the command again when the network is back, or put"
        tried = [f"  - {place}: {'; '.join(reasons)}" for place, reasons in self._failures.items()]
        return DataError(
            "\n".join([f"Could not get {self.title} from any place.", *tried]),
            hint=f"{way_out} {' or '.join(dict.fromkeys(choices))} into {place}{setting}.",
        )

    def _on_this_machine(self, file: PublishedFile) -> tuple[Path, str] | None:
        places: list[tuple[str, Path | None]] = [(each.title, each.folder()) for each in file.installed]
        if self.settings.mirror is not None:
            mirrored = self.settings.mirror / self.folder
            places.insert(0, (f"mirror folder {mirrored}", mirrored))
        for title, folder in places:
            if folder is None:
                self._fail(title, "not installed on this machine")
                continue
            names = (file.name,) if file.sha256 else dict.fromkeys((file.name.removesuffix(".gz"), file.name))
            try:
                there = next((folder / name for name in names if files.is_file(folder / name)), None)
                if there is None:
                    self._fail(title, f"{file.name} is not there")
                elif self._is_right(file, there, title):
                    return there, title
            except StorageError as error:  # only reading is done here, so another place may still do
                self._fail(title, error.message.removesuffix("."), say=True)
        return self._kept(file)

    def _kept(self, file: PublishedFile) -> tuple[Path, str] | None:
        path, title = self.kept / file.name, "an earlier download"
        if not files.is_file(path):
            return None
        if self._is_right(file, path, title):
            return path, title
        files.remove(path)
        return None

    def _fetched(self, file: PublishedFile) -> tuple[Path, str] | None:
        for place in file.remote:
            if self.settings.offline:
                self._fail(place.title, "not tried, because FORTYDAYS_OFFLINE is set")
                continue
            with files.locked(self.kept / ".lock"):
                if (there := self._kept(file)) is not None:  # another process has fetched it meanwhile
                    return there
                if place.title not in self._asked:
                    self._asked.add(place.title)
                    self.progress.say(f"Getting {self.title} from {place.title}.")
                target = self.kept / file.name
                try:
                    place.get(target, max_bytes=file.max_bytes, limits=self.limits, progress=self.progress)
                except SourceFailedError as error:
                    self._fail(place.title, error.message, say=True)
                    continue
                if self._is_right(file, target, place.title):
                    return target, place.title
                files.remove(target)
        return None

    def _is_right(self, file: PublishedFile, path: Path, title: str) -> bool:
        if not file.sha256 or (found := files.sha256_of_file(path)) == file.sha256:
            return True
        self._fail(title, f"{file.name} has SHA-256 {found}, expected {file.sha256}", say=True)
        return False

    def _fail(self, place: str, reason: str, *, say: bool = False) -> None:
        reasons = self._failures.setdefault(place, [])
        if reason not in reasons:
            reasons.append(reason)
        if say:
            self.progress.say(f"{place}: {reason}.")

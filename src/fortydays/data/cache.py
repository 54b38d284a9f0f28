"""What all cached datasets have in common: where they lie, how they are made whole, and how they are checked."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fortydays.base import files, process
from fortydays.base.errors import DataError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data.download import Limits

PARTS = ("training", "test")
"""Of the files of a cached dataset: the training and validation examples, and the test examples."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a full check of a cached dataset found: one sentence for each thing that is wrong."""

    name: str
    path: Path
    problems: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the cache holds the published content."""
        return not self.problems


class Pinned(Protocol):
    """What must be known of a dataset to find it in the cache."""

    @property
    def name(self) -> str:
        """In the catalog."""

    @property
    def title(self) -> str:
        """In text."""

    @property
    def version(self) -> int:
        """Of the published content."""

    @property
    def split_version(self) -> int:
        """Of the rule that makes the splits."""

    @property
    def digest(self) -> str:
        """Of the published content."""


def path(spec: Pinned, settings: Settings) -> Path:
    """The folder in which a dataset is cached, whether it is there or not."""
    return settings.datasets / spec.name / f"v{spec.version}.{spec.split_version}-{spec.digest[:12]}"


@dataclass(frozen=True, kw_only=True)
class Cache:
    """A dataset in the cache, or on its way there.

    Attributes:
        spec: of the dataset.
        settings: where the cache is.
        problem: what is wrong with one of :data:`PARTS`, found by reading all of it; or "".
        fetch: writes the whole folder, from the first place that gives the right content.
    """

    spec: Pinned
    settings: Settings
    problem: Callable[[str], str]
    fetch: Callable[[Progress, Limits], None]

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return path(self.spec, self.settings)

    def get(self, progress: Progress, *, limits: Limits) -> Path:
        """Make sure that every byte is there: fetch what is missing, check what is present.

        A damaged dataset is set aside and fetched again. Several processes may do so at once: one fetches it.

        Returns:
            The folder.

        Raises:
            DataError: no place can give it.
            StorageError: the cache cannot be read or written.
        """
        folder = self.folder
        if files.is_folder(folder) and not self.verify().problems:
            return folder
        with process.locked(folder.parent / "lock", waiting=lambda whom: progress.say(f"Waiting for {whom}.")):
            files.remove_leftovers(folder.parent)
            if files.exists(folder) and (problems := self.verify().problems):
                aside = files.set_aside(folder)
                progress.warn(f"The cached dataset {self.spec.name!r} is damaged: {'; '.join(problems)}.")
                progress.warn(f"The damaged copy was moved to {aside}; {self.spec.title} is fetched again.")
            if not files.exists(folder):
                self.fetch(progress, limits)
        return folder

    def verify(self) -> Verification:
        """Read every byte and compare with what is pinned; change nothing.

        Raises:
            DataError: the dataset is not in the cache.
            StorageError: the cache cannot be looked into.
        """
        if not files.is_folder(self.folder):
            raise DataError(
                f"The dataset {self.spec.name!r} is not in the cache {self.settings.datasets}.",
                hint=f"Get it with: forty data get {self.spec.name}",
            )
        problems = tuple(problem for part in PARTS if (problem := self.problem(part)))
        return Verification(name=self.spec.name, path=self.folder, problems=problems)

    def check_test(self) -> None:
        """Read every byte of the test examples before they are opened: days may lie between loading and that.

        Raises:
            DataError: they are damaged.
        """
        if problem := self.problem("test"):
            raise DataError(
                f"The cached dataset {self.spec.name!r} in {self.folder} is damaged: {problem}.",
                hint=f"Set it aside and fetch it again with: forty data get {self.spec.name}",
            )

"""How far a reader has come, kept in the workspace: what passed, which hints were told, and where the files are."""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base import clock, files
from fortydays.base.errors import StorageError

if TYPE_CHECKING:  # they load NumPy, which the list of days does without
    from fortydays.exercises.finding import Place
    from fortydays.exercises.judge import Verdict


@dataclass(kw_only=True)
class Progress:
    """What is kept, by day and by exercise. It is changed inside :func:`changed`, and only read elsewhere.

    Attributes:
        folders: where the files of a day are, by the day's number.
        exercises: what is known of an exercise, by "DAY.NUMBER": tries, hints, passed.
        warning: what the reader is to be told of the file; "" where it is whole.
    """

    folders: dict[str, str] = field(default_factory=dict)
    exercises: dict[str, dict[str, Any]] = field(default_factory=dict)
    warning: str = ""

    def of(self, place: "Place") -> dict[str, Any]:
        """What is known of one exercise."""
        return self.exercises.get(_key(place), {})

    def passed_count(self, days: Collection[int]) -> int:
        """How many exercises of these days have passed once."""
        numbers = {str(day) for day in days}
        return sum(bool(v.get("passed")) for key, v in self.exercises.items() if key.partition(".")[0] in numbers)

    def passed(self, place: "Place") -> bool:
        """Whether it has passed once."""
        return bool(self.of(place).get("passed"))

    def tries(self, place: "Place") -> int:
        """How often something that was written was judged."""
        return int(self.of(place).get("tries", 0))

    def note_verdict(self, place: "Place", verdict: "Verdict") -> None:
        """Keep what came of a try; one where nothing was written counts for nothing."""
        from fortydays.exercises.judge import State

        if verdict.state is State.UNWRITTEN:
            return
        found = self.exercises.setdefault(_key(place), {})
        found["tries"] = self.tries(place) + 1
        if verdict.state is State.PASSED:
            found.setdefault("passed", clock.timestamp())

    def next_hint(self, place: "Place") -> int:
        """The number of the next hint, from 0; it counts as told from now on. The last one is told again."""
        found = self.exercises.setdefault(_key(place), {})
        told = int(found.get("hints", 0))
        found["hints"] = min(told + 1, len(place.exercise.hints))
        return min(told, len(place.exercise.hints) - 1)


def _key(place: "Place") -> str:
    return f"{place.day}.{place.number}"


def read(workspace: Path) -> Progress:
    """What is kept in a workspace. A damaged file is set aside, and counts as none. Raises StorageError."""
    path = _path(workspace)
    if not files.exists(path):
        return Progress()
    try:
        document = files.read_json(path)
        folders, exercises = document["folders"], document["exercises"]
        for each in exercises.values():
            int(each.get("tries", 0)), int(each.get("hints", 0))
        return Progress(folders={k: str(v) for k, v in folders.items()}, exercises=dict(exercises))
    except (StorageError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error.__cause__, OSError):
            raise
        aside = files.set_aside(path)
        return Progress(warning=f"{path} was damaged. It is kept as {aside.name}; no exercise counts as passed.")


@contextlib.contextmanager
def changed(workspace: Path) -> Iterator[Progress]:
    """What is kept, to be changed in the block and written when it ends. Raises StorageError."""
    with files.locked(_path(workspace).with_suffix(".lock")):
        progress = read(workspace)
        yield progress
        document = {"schema_version": 1, "folders": progress.folders, "exercises": progress.exercises}
        files.write_json(_path(workspace), document)


def _path(workspace: Path) -> Path:
    return workspace / "exercises" / "progress.json"

"""A day's exercises by name, and where a reader's files of them are."""

import importlib
from dataclasses import dataclass
from pathlib import Path

from fortydays.base.errors import UsageError
from fortydays.days.journey import JOURNEY, Day, find_day, folder, is_draft
from fortydays.exercises.design import Exercise


@dataclass(frozen=True, kw_only=True)
class Place:
    """An exercise and its place: the number of its day, and its own number within the day."""

    day: int
    number: int
    exercise: Exercise

    @property
    def file_name(self) -> str:
        """What a reader's file is called, such as "2_softmax.py"."""
        return f"{self.number}_{self.exercise.slug}.py"


def days_with_exercises(*, drafts: bool = False) -> list[Day]:
    """The days that have any; those that are drafts only where they are asked for."""
    return [
        day
        for day in JOURNEY
        if (where := folder(day)) is not None and (where / "exercises.py").is_file() and (drafts or not is_draft(day))
    ]


def exercises_of(day: Day) -> tuple[Place, ...]:
    """The exercises of a day, also of a draft.

    Raises:
        UsageError: it has none yet.
    """
    if day not in days_with_exercises(drafts=True):
        there = ", ".join(str(each.number) for each in days_with_exercises())
        raise UsageError(
            f"Day {day.number}, {day.title}, has no exercises yet.", hint=f"Days with exercises: {there}."
        )
    where = folder(day)
    assert where is not None
    module = importlib.import_module(f"fortydays.lessons.{where.name}.exercises")
    return tuple(Place(day=day.number, number=n, exercise=e) for n, e in enumerate(module.EXERCISES, start=1))


def find_exercises(day: str, number: int | None = None) -> tuple[Place, ...]:
    """The exercises of a day that a reader names, or the one of this number.

    Raises:
        UsageError: there is no such day or exercise.
    """
    found = find_day(day)
    places = exercises_of(found)
    if number is None:
        return places
    if not 1 <= number <= len(places):
        raise UsageError(
            f"Day {found.number} has no exercise {number}: its exercises are numbered from 1 to {len(places)}.",
            hint=f"`forty exercise {found.number}` shows them.",
        )
    return (places[number - 1],)


def usual_folder(day: int) -> Path:
    """Where a reader's files of a day are, unless another folder is named."""
    return Path(f"day{day:02}")

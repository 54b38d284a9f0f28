"""What a search found, as a value that pages, screens and other programs are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fortydays.base.values import fields_as_json
from fortydays.study.statistics import Interval, interval
from fortydays.tune.space import Space, Value


class Ending(StrEnum):
    """How the tries of a candidate ended."""

    FINISHED = "finished"  # trained for all its epochs
    STOPPED = "stopped"  # others of its batch were better after a part of the epochs
    FAILED = "failed"  # its loss stopped being a number


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What a try of a candidate gave: after so many epochs this validation accuracy, or None where it failed."""

    epochs: int
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One combination of values that a search tried.

    Attributes:
        number: in the order of asking, from 1.
        values: by field.
        ending: how its tries ended.
        reached: what it gave in each rung that it was in.
    """

    number: int
    values: Mapping[str, Value]
    ending: Ending
    reached: tuple[Reached, ...]

    @property
    def accuracy(self) -> float | None:
        """The validation accuracy of its last try; None where that failed."""
        return self.reached[-1].accuracy


@dataclass(frozen=True, kw_only=True)
class Finalist:
    """What was trained for all epochs with all tuning seeds.

    Attributes:
        number: of the candidate, or None for the recipe as it was before.
        values: by field.
        accuracies: on the validation split, in the order of the seeds; None for one that failed.
    """

    number: int | None
    values: Mapping[str, Value]
    accuracies: tuple[float | None, ...]

    @property
    def spread(self) -> Interval | None:
        """Mean and interval over the seeds; None where one has failed."""
        known = [accuracy for accuracy in self.accuracies if accuracy is not None]
        return interval(known) if known and len(known) == len(self.accuracies) else None

    def as_dict(self) -> dict[str, Any]:
        """The finalist as JSON values."""
        spread = self.spread
        return {**fields_as_json(self), "validation_accuracy": spread.as_dict() if spread else None}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found.

    Attributes:
        day: number of the study's day, or None.
        name: of the study, as runs are called.
        title: of the study.
        variant: whose recipe was searched.
        dataset: name of the dataset.
        dataset_digest: of its content.
        validated: examples of the validation split.
        space: what was searched.
        width: candidates in a batch.
        divisors: by what the epochs are divided in each rung.
        sampler_seed: of Optuna's sampler.
        seeds: of the tries; the first is that of the rungs, and all are those of the finals.
        candidates: in the order of asking.
        finalists: best first; one that failed last.
        before: the recipe as it was, trained as the finalists were.
        importance: by field, what share of the differences in accuracy after the first rung it explains; {} where
            that cannot be told.
        at_edge: fields whose chosen value is at an end of its range.
        optuna: its version.
        created: when the search began.
    """

    day: int | None
    name: str
    title: str
    variant: str
    dataset: str
    dataset_digest: str
    validated: int
    space: Space
    width: int
    divisors: tuple[int, ...]
    sampler_seed: int
    seeds: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    finalists: tuple[Finalist, ...]
    before: Finalist
    importance: Mapping[str, float]
    at_edge: tuple[str, ...]
    optuna: str
    created: str

    @property
    def chosen(self) -> Finalist:
        """The best of the finalists."""
        return self.finalists[0]

    @property
    def gain(self) -> float | None:
        """The mean validation accuracy of the chosen minus that of the recipe as it was; None where that failed."""
        chosen, before = self.chosen.spread, self.before.spread
        return None if chosen is None or before is None else chosen.mean - before.mean

    def count(self, ending: str) -> int:
        """How many candidates ended in a way."""
        return sum(each.ending == ending for each in self.candidates)

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON values, with what was chosen."""
        return {**fields_as_json(self), "chosen": self.chosen.as_dict(), "gain": self.gain}

"""What was seen during training: one point for each look at the validation split."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Point:
    """One look at a training run.

    Attributes:
        step: steps done so far.
        epoch: whole epochs done so far.
        train_loss: mean objective of the steps since the last point, penalties included, in training mode.
        train_accuracy: share of right answers in those steps, in training mode (so with dropout).
        validation_loss: mean loss on the validation split, without penalties.
        validation_accuracy: share of right answers on the validation split.
        learning_rate: of the last step.
        seconds: of training so far, evaluations included. Not part of a trial's identity.

    Numbers are rounded to seven significant digits, which is what float32 holds, so that evidence stays small.
    """

    step: int
    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float):
                object.__setattr__(self, field.name, float(f"{value:.7g}"))


@dataclass(frozen=True, kw_only=True)
class History:
    """The points of a training run, in order."""

    points: tuple[Point, ...]
    steps_per_epoch: int

    def of_epochs(self) -> tuple[Point, ...]:
        """The points that end an epoch."""
        return tuple(p for p in self.points if p.step == p.epoch * self.steps_per_epoch)

    def first_reaching(self, accuracy: float) -> Point | None:
        """The first point whose validation accuracy is at least ``accuracy``, or None."""
        return next((p for p in self.points if p.validation_accuracy >= accuracy), None)

    def as_columns(self) -> dict[str, list[float]]:
        """The points as one list for each field, which is the smaller JSON."""
        names = [f.name for f in dataclasses.fields(Point)]
        return {name: [getattr(p, name) for p in self.points] for name in names}


def points_from_columns(columns: Mapping[str, Iterable[Any]]) -> tuple[Point, ...]:
    """The inverse of :meth:`History.as_columns`."""
    names = [f.name for f in dataclasses.fields(Point)]
    rows = zip(*(columns[name] for name in names), strict=True)
    return tuple(Point(**dict(zip(names, row, strict=True))) for row in rows)

"""What was seen during training: one point for each evaluation on the validation split."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of a training run.

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

    def as_columns(self) -> dict[str, list[float]]:
        """The points as one list for each field, which is the smaller JSON."""
        names = [f.name for f in dataclasses.fields(Point)]
        return {name: [getattr(p, name) for p in self.points] for name in names}


def points_from_columns(columns: Mapping[str, Iterable[Any]]) -> tuple[Point, ...]:
    """The inverse of :meth:`History.as_columns`."""
    names = [f.name for f in dataclasses.fields(Point)]
    rows = zip(*(columns[name] for name in names), strict=True)
    return tuple(Point(**dict(zip(names, row, strict=True))) for row in rows)


def first_reaching(accuracy: float, history: Mapping[str, Sequence[float]], *, against: str) -> float | None:
    """Where a training run first reaches a validation accuracy, or None where it never does.

    The accuracy is known at the points of the history alone. Between two of them it is taken to rise evenly, so that
    the answer does not depend on how far apart the points are. Before the first one nothing is known.

    Args:
        accuracy: the one to reach.
        history: as :meth:`History.as_columns` gives it.
        against: the field to tell, "step" or "seconds".
    """
    places, accuracies = history.get(against, ()), history.get("validation_accuracy", ())
    at = next((i for i, reached in enumerate(accuracies) if reached >= accuracy), None)
    if at is None:
        return None
    if at == 0:
        return float(places[0])
    before, after = accuracies[at - 1], accuracies[at]
    return places[at - 1] + (accuracy - before) / (after - before) * (places[at] - places[at - 1])

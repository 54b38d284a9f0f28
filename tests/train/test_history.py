"""What was seen during training survives as columns."""

import dataclasses
import json

import pytest

from fortydays.train.history import History, Point, first_reaching, points_from_columns
from fortydays.train.order import evaluation_steps


def point(step: int, epoch: int, accuracy: float = 0.5) -> Point:
    return Point(
        step=step,
        epoch=epoch,
        train_loss=1.0,
        train_accuracy=0.25,
        validation_loss=0.5,
        validation_accuracy=accuracy,
        learning_rate=0.001,
        seconds=1.5,
    )


HISTORY = History(points=(point(5, 0, 0.4), point(8, 1, 0.6), point(10, 1, 0.7), point(16, 2, 0.5)))


def test_columns_survive_json() -> None:
    columns = HISTORY.as_columns()
    assert columns["step"] == [5, 8, 10, 16]
    assert columns["validation_accuracy"] == [0.4, 0.6, 0.7, 0.5]
    assert points_from_columns(json.loads(json.dumps(columns))) == HISTORY.points


def test_columns_of_unequal_length_are_no_history() -> None:
    columns = HISTORY.as_columns()
    columns["step"] = columns["step"][:-1]
    with pytest.raises(ValueError, match="longer than"):
        points_from_columns(columns)


@pytest.mark.parametrize(
    ("target", "step"), [(0.3, 5), (0.4, 5), (0.5, 6.5), (0.6, 8), (0.65, 9), (0.7, 10), (0.71, None)]
)
def test_where_an_accuracy_is_reached_lies_between_two_points(target: float, step: float | None) -> None:
    assert first_reaching(target, HISTORY.as_columns(), against="step") == pytest.approx(step)


def test_without_a_history_nothing_is_reached() -> None:
    assert first_reaching(0.1, {}, against="step") is None


def test_numbers_are_kept_to_seven_digits() -> None:
    rounded = dataclasses.replace(point(1, 0), train_loss=1 / 3, learning_rate=1.23456789e-5)
    assert rounded.train_loss == 0.3333333
    assert rounded.learning_rate == 1.234568e-05


@pytest.mark.parametrize(
    ("before", "steps", "every", "expected"),
    [
        (0, 4, None, [4]),  # once an epoch
        (0, 4, 2, [2, 4]),
        (0, 5, 2, [2, 4, 5]),  # the last step always
        (5, 5, 2, [1, 3, 5]),  # counted from the trial's start: steps 6, 8 and 10
        (0, 3, 1, [1, 2, 3]),
        (0, 3, 100, [3]),
        (99, 3, 100, [1, 3]),  # step 100 is the first of this epoch
        (0, 1, 1, [1]),
    ],
)
def test_the_steps_after_which_the_validation_split_is_evaluated(
    before: int, steps: int, every: int | None, expected: list[int]
) -> None:
    assert evaluation_steps(before, steps, every) == expected

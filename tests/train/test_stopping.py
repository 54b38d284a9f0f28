"""Early stopping on made-up losses: which epoch is best, and when to end."""

import math

import pytest

from fortydays.train.stopping import Stopping


def fed(values: list[float], *, patience: int | None, higher_is_better: bool = False) -> tuple[int, int]:
    """The epoch after which it stopped (0: never) and the best epoch so far."""
    stopping = Stopping(patience=patience, higher_is_better=higher_is_better)
    for epoch, value in enumerate(values, start=1):
        stopping = stopping.after(epoch, value)
        if stopping.should_stop:
            return epoch, stopping.best_epoch
    return 0, stopping.best_epoch


LOSSES = [5.0, 4.0, 4.5, 3.0, 3.0, 3.1, 2.0]


@pytest.mark.parametrize(
    ("patience", "stops_after", "best"),
    [
        (1, 3, 2),  # 4.5 is no better than 4.0
        (2, 6, 4),  # 3.0 again is no improvement, nor is 3.1
        (3, 0, 7),  # 2.0 comes just in time
        (None, 0, 7),
    ],
)
def test_it_stops_when_patience_is_used_up(patience: int | None, stops_after: int, best: int) -> None:
    assert fed(LOSSES, patience=patience) == (stops_after, best)


def test_an_accuracy_is_better_when_it_is_higher() -> None:
    accuracies = [0.5, 0.7, 0.7, 0.6]
    assert fed(accuracies, patience=2, higher_is_better=True) == (4, 2)
    assert fed(accuracies, patience=2, higher_is_better=False) == (3, 1)


def test_nan_never_improves() -> None:
    assert fed([math.nan, math.nan, 1.0], patience=2) == (2, 0)
    assert fed([math.nan, 1.0, math.nan, 0.5, 0.6], patience=2) == (0, 4)
    assert fed([0.5, math.nan, math.nan], patience=2, higher_is_better=True) == (3, 1)


def test_the_first_value_is_the_best_even_if_it_is_infinite() -> None:
    assert fed([math.inf, math.inf], patience=1) == (2, 1)

"""Which candidates of a batch go on, and for how many epochs."""

import pytest

from fortydays.tune.halving import best, divisors_of, epochs_in, going_on


@pytest.mark.parametrize(
    ("width", "epochs", "divisors"),
    [
        (9, 9, (9, 3, 1)),
        (9, 1000, (9, 3, 1)),
        (9, 8, (3, 1)),  # a ninth of 8 epochs is less than one
        (9, 2, (1,)),
        (8, 27, (9, 3, 1)),  # 8, 3, 1
        (3, 27, (3, 1)),  # 3, 1: a third rung would stop nobody
        (1, 27, (1,)),
    ],
)
def test_rungs_are_thirds_as_long_as_each_stops_someone(width: int, epochs: int, divisors: tuple[int, ...]) -> None:
    assert divisors_of(width=width, epochs=epochs, halving=True) == divisors
    assert divisors_of(width=width, epochs=epochs, halving=False) == (1,)


def test_a_third_goes_on_and_at_least_one() -> None:
    assert [going_on(8, rung) for rung in (0, 1, 2)] == [8, 3, 1]
    assert [epochs_in(8, divisor) for divisor in (9, 3, 1)] == [1, 3, 8]


def test_the_best_are_first_equals_in_order_and_a_failed_one_never() -> None:
    assert best([0.5, None, 0.9, 0.5, 0.7], 3) == [2, 4, 0]
    assert best([0.5, 0.5, 0.5], 2) == [0, 1]
    assert best([None, 0.1], 2) == [1]

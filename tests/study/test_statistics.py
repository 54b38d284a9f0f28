"""Intervals against published tables and numbers one can do by hand."""

import math
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fortydays.study.statistics import Interval, interval, seeds_to_decide, student_t

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8)


@pytest.mark.parametrize(
    ("freedom", "confidence", "table"),
    [
        (1, 0.95, 12.706),
        (2, 0.95, 4.303),
        (4, 0.95, 2.776),
        (9, 0.95, 2.262),
        (30, 0.95, 2.042),
        (10_000_000, 0.95, 1.960),
        (4, 0.99, 4.604),
        (4, 0.90, 2.132),
    ],
)
def test_quantiles_are_those_of_the_published_tables(freedom: int, confidence: float, table: float) -> None:
    assert student_t(freedom, confidence=confidence) == pytest.approx(table, abs=5e-4)


def test_an_interval_by_hand() -> None:
    # Mean 3, standard deviation sqrt(10 / 4), half width 2.776 * sqrt(2.5 / 5).
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.mean, found.n) == (3.0, 5)
    assert found.std == pytest.approx(math.sqrt(2.5))
    assert found.low == pytest.approx(3 - 2.7764 * math.sqrt(0.5), abs=1e-4)
    assert found.high == pytest.approx(3 + 2.7764 * math.sqrt(0.5), abs=1e-4)


def test_two_seeds_give_a_very_wide_interval() -> None:
    found = interval([0.0, 2.0])  # standard deviation sqrt(2), so the half width is the quantile itself
    assert found.high == pytest.approx(1 + 12.706, abs=1e-3)


def test_one_seed_has_no_spread() -> None:
    assert interval([0.97]) == Interval(mean=0.97, std=None, low=None, high=None, n=1)
    assert interval([0.97]).as_dict() == {"mean": 0.97, "std": None, "low": None, "high": None, "n": 1}


# Seven times 0.0013 divided by seven is not 0.0013 in floating point.
@pytest.mark.parametrize("value", [0.1, 0.7, 0.0013, 1e-300, 0.0, -3.3])
def test_equal_values_have_exactly_no_spread(value: float) -> None:
    assert interval([value] * 7) == Interval(mean=value, std=0.0, low=value, high=value, n=7)


def test_no_value_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        interval([])


@given(VALUES)
def test_mean_and_spread_are_those_of_the_standard_library(values: list[float]) -> None:
    found = interval(values)
    assert found.std is not None
    assert found.mean == pytest.approx(mean(values), abs=1e-9)
    assert found.std == pytest.approx(stdev(values), rel=1e-6, abs=1e-9)


@given(VALUES, st.floats(-1e3, 1e3))
def test_shifting_all_values_shifts_the_interval(values: list[float], shift: float) -> None:
    before, after = interval(values), interval([v + shift for v in values])
    assert before.low is not None
    assert before.high is not None
    assert after.low == pytest.approx(before.low + shift, abs=1e-6)
    assert after.high == pytest.approx(before.high + shift, abs=1e-6)


@given(VALUES)
def test_turning_the_signs_turns_the_interval_exactly(values: list[float]) -> None:
    before, after = interval(values), interval([-v for v in values])
    assert (after.mean, after.low, after.high) == (-before.mean, -(before.high or 0), -(before.low or 0))


@given(VALUES)
def test_more_confidence_is_a_wider_interval(values: list[float]) -> None:
    narrow, wide = interval(values), interval(values, confidence=0.99)
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low <= narrow.low <= narrow.mean


def test_the_seeds_that_would_decide_by_hand() -> None:
    # A mean of 1 with a spread of 1: t(n - 1) / sqrt(n) is 1.24 at n = 5, 1.05 at n = 6 and 0.92 at n = 7.
    assert seeds_to_decide(1.0, 1.0) == 7
    assert seeds_to_decide(-1.0, 1.0) == 7
    assert seeds_to_decide(0.001, 1e-9) == 2
    assert seeds_to_decide(1.0, 0.0) == 2


def test_what_no_number_of_seeds_can_be_told_to_decide() -> None:
    assert seeds_to_decide(0.0, 1.0) is None
    assert seeds_to_decide(1.0, None) is None
    assert seeds_to_decide(0.05, 1.0) is None  # about 1540
    assert seeds_to_decide(0.07, 1.0) == 787


@given(st.floats(0.05, 10), st.floats(0.05, 10))
def test_a_smaller_distance_needs_more_seeds(distance: float, std: float) -> None:
    near, far = seeds_to_decide(distance, std), seeds_to_decide(2 * distance, std)
    if near is not None:
        assert far is not None
        assert 2 <= far <= near
        half = student_t(near - 1, confidence=0.95) * std / math.sqrt(near)
        assert half < distance


def test_a_thousand_seeds_are_suggested_and_no_more() -> None:
    # t(n - 1) / sqrt(n) is 0.062055 at n = 1000 and 0.062024 at n = 1001.
    assert seeds_to_decide(0.06206, 1.0) == 1000
    assert seeds_to_decide(0.06203, 1.0) is None

"""Intervals against published tables and numbers one can do by hand."""

import math
from statistics import mean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fortydays.study.statistics import (
    Interval,
    Sample,
    benjamini_hochberg,
    confidence_of_look,
    fresh_seeds,
    holm,
    interval,
    mean_squares,
    student_t,
    wilson,
)

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


def test_the_fresh_seeds_that_would_decide_by_hand() -> None:
    # Many seeds have shown a spread of 1 and a mean of 1. Published tables ask for 10 to find that with 80% power.
    assert fresh_seeds(1.0, 1.0, 10**9) == 10
    assert fresh_seeds(-1.0, 1.0, 10**9) == 10
    # Five have shown it: the true spread is likely larger, by sqrt(4 / 1.649), so the distance is 0.642 of it.
    assert fresh_seeds(1.0, 1.0, 5) == fresh_seeds(0.6421, 1.0, 10**9) == 22
    assert fresh_seeds(0.001, 1e-9, 5) == 2
    assert fresh_seeds(1.0, 0.0, 5) == 2


def test_what_no_number_of_seeds_can_be_told_to_decide() -> None:
    assert fresh_seeds(0.0, 1.0, 5) is None
    assert fresh_seeds(1.0, None, 1) is None
    assert fresh_seeds(0.01, 1.0, 5) is None  # far more than a thousand
    # The test examples alone leave a standard error of 1, so the interval never gets narrower than 1.96 each way.
    assert fresh_seeds(1.95, 1.0, 5, floor=1.0) is None
    assert fresh_seeds(2.7, 1.0, 5, floor=1.0) is not None
    assert (fresh_seeds(1.95, 0.0, 5, floor=1.0), fresh_seeds(1.97, 0.0, 5, floor=1.0)) == (None, 2)


@given(st.floats(0.05, 10), st.floats(0.05, 10))
def test_a_smaller_distance_needs_more_seeds(distance: float, std: float) -> None:
    near, far = fresh_seeds(distance, std, 5), fresh_seeds(2 * distance, std, 5)
    if near is not None:
        assert far is not None
        assert 2 <= far <= near


def test_the_looks_after_the_first_add_a_fortieth_of_risk_at_most() -> None:
    assert confidence_of_look(0) == 0.95
    assert confidence_of_look(1) == pytest.approx(0.9875)
    assert sum(1 - confidence_of_look(k) for k in range(1, 60)) <= 0.025


# Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_of_shares_are_those_of_the_published_table(right: int, of: int, low: float, high: float) -> None:
    found = wilson(right, of)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_many_claims_by_hand() -> None:
    # Three probabilities: 0.01 counts three times, 0.03 twice, 0.04 once but is no less than the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
    # 0.04 is the third of three, 0.03 the second: 0.03 * 3 / 2 is more than 0.04, which bounds it.
    assert benjamini_hochberg([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert benjamini_hochberg([]) == []


TABLE = np.array([[1.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
"""Two seeds and four examples: means of 3/4 and 1/4, and of 1, 1/2, 0 and 1/2."""


def test_the_parts_of_a_variance_by_hand() -> None:
    # Rows are 1/4 off the mean of 1/2: 4 * 2 / 16 / 1. Columns 1/2, 0, -1/2, 0: 2 * (1/2) / 3. The rest: 1/2 over 3.
    assert mean_squares(TABLE) == pytest.approx((0.5, 1 / 3, 1 / 6))
    sample = Sample(values=[0.75, 0.25], examples=TABLE)
    both = sample.over_both
    assert both is not None
    assert both.error**2 == pytest.approx((1 / 2 + 1 / 3 - 1 / 6) / 8)
    assert both.freedom == pytest.approx((2 / 3) ** 2 / (0.25 / 1 + (1 / 9) / 3 + (1 / 36) / 3))
    assert sample.over_seeds.error == pytest.approx(0.25)
    assert sample.floor == pytest.approx(math.sqrt((1 / 3 - 1 / 6) / 8))


def test_seeds_that_agree_do_not_hide_that_the_examples_are_few() -> None:
    rows = np.tile(np.arange(100) < 90, (5, 1)).astype(float)  # each seed is right on the same 90 of 100
    sample = Sample(values=[0.9] * 5, examples=rows, share=True)
    assert sample.over_seeds.limits().width == 0
    # The five trials say no more than one: Wilson's interval of 90 in 100.
    assert sample.limits().low == pytest.approx(wilson(90, 100).low, abs=2e-3)
    assert sample.limits().high == pytest.approx(wilson(90, 100).high, abs=2e-3)
    assert sample.p(0.85) > 0.05 > sample.p(0.80)


def test_answers_that_are_all_alike_by_hand() -> None:
    # Five seeds that are right on all of 100 examples say no more than one: Wilson's interval is [n / (n + z^2), 1].
    alike = Sample(values=[1.0] * 5, examples=np.ones((5, 100)), share=True)
    assert alike.over_both is not None
    assert alike.over_both.limits().low == pytest.approx(wilson(100, 100).low, abs=1e-3)
    for count in range(2, 200):
        right, wrong = wilson(count, count), wilson(0, count)
        assert (right.high, wrong.low) == (1.0, 0.0)  # to the last digit: a bound of 100% is not refuted


def test_a_verdict_stands_on_both_intervals() -> None:
    rng = np.random.default_rng(0)
    many = (rng.random((5, 4000)) < np.array([0.7, 0.8, 0.75, 0.72, 0.78])[:, None]).astype(float)
    unlike = Sample(values=list(many.mean(axis=1)), examples=many, share=True)
    assert unlike.over_both is not None
    seeds, both = unlike.over_seeds.limits(), unlike.over_both.limits()
    assert (unlike.limits().low, unlike.limits().high) == (min(seeds.low, both.low), max(seeds.high, both.high))
    assert unlike.p(0.6) == max(unlike.over_seeds.p(0.6), unlike.over_both.p(0.6))


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.99), st.floats(0.01, 0.99))
def test_a_probability_is_below_five_percent_where_the_interval_leaves_the_bound_out(
    seed: int, accuracy: float, bound: float
) -> None:
    rows = (np.random.default_rng(seed).random((4, 60)) < accuracy).astype(float)
    sample = Sample(values=list(rows.mean(axis=1)), examples=rows, share=True)
    for source in filter(None, (sample.over_seeds, sample.over_both)):
        limits = source.limits()
        inside = limits.low - 1e-9 < bound < limits.high + 1e-9
        assert inside == (source.p(bound) > 0.05 - 1e-7) or abs(source.p(bound) - 0.05) < 1e-6


def test_two_samples_that_are_not_paired_by_hand() -> None:
    # 1, 2, 3 have the variance 1, and 2, 4, 6 the variance 4: the error is sqrt(1/3 + 4/3), Welch's degrees of freedom
    # are (5/3)^2 / ((1/3)^2 / 2 + (4/3)^2 / 2) = 50/17.
    apart = Sample(values=[-1.0, -2.0, -3.0], apart=[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]).over_seeds
    assert apart.mean == -2
    assert apart.error == pytest.approx((5 / 3) ** 0.5)
    assert apart.freedom == pytest.approx(50 / 17)
    alike = Sample(values=[-1.0, -1.0], apart=[(1.0, 2.0), (1.0, 2.0)]).over_seeds
    assert (alike.error, alike.freedom) == (0, 1)

"""How numbers are written."""

import dataclasses

import pytest

from fortydays.report import numbers
from fortydays.study import judgement as judgements
from fortydays.study.judgement import Judgement, Verdict
from fortydays.study.statistics import Interval, Limits, interval


def spread(mean: float, half: float | None) -> Interval:
    if half is None:
        return Interval(mean=mean, std=None, low=None, high=None, n=1)
    return Interval(mean=mean, std=half, low=mean - half, high=mean + half, n=5)


def judgement(**changes: object) -> Judgement:
    values = {
        "claim": "c", "condition": "mean test_accuracy of a > that of b, paired by seed", "verdict": Verdict.SUPPORTED,
        "value": 0.005, "low": 0.0031, "high": 0.0069, "n": 5, "bound": 0.0, "unit": "share",
    }  # fmt: skip
    return Judgement(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.97812, "share", "97.8%"),
        (1.0, "share", "100.0%"),
        (1240.4, "steps", "1,240 steps"),
        (3.14159, "seconds", "3.1 s"),
        (0.31, "seconds", "0.31 s"),
        (250.2, "seconds", "250 s"),
        (1.834, "ratio", "1.83×"),
        (0.08342, "", "0.0834"),
        (12345.6, "", "12,346"),
        (1.5e-6, "", "1.5e-06"),
        (0.0, "", "0"),
        (-2.5, "", "−2.50"),
        (-0.0004, "share", "0.0%"),
    ],
)
def test_a_number_with_its_unit(value: float, unit: str, text: str) -> None:
    assert numbers.with_unit(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0042, "share", "+0.4 points"), (-0.0042, "share", "−0.4 points"), (-1240, "steps", "−1,240 steps")],
)
def test_a_difference_has_a_sign_and_shares_become_points(value: float, unit: str, text: str) -> None:
    assert numbers.with_unit(value, unit, difference=True) == text


@pytest.mark.parametrize(
    ("mean", "half", "unit", "text"),
    [
        (0.978, 0.0012, "share", "97.8% ± 0.1"),
        (0.978123, 0.0004, "share", "97.81% ± 0.04"),
        (0.978, 0.0, "share", "97.8%"),  # equal seeds are no proof
        (0.978, None, "share", "97.8%"),
        (1240, 80.2, "steps", "1,240 ± 80 steps"),
        (0.0834, 0.002, "", "0.0834 ± 0.0020"),
    ],
)
def test_a_mean_shows_as_many_decimals_as_its_spread_needs(
    mean: float, half: float | None, unit: str, text: str
) -> None:
    assert numbers.mean_and_spread(spread(mean, half), unit) == text


def test_an_interval_that_is_too_narrow_for_the_digits_is_not_zero() -> None:
    assert numbers.mean_and_spread(spread(0.978, 0.00004), "share", digits=1) == "97.8% ± <0.1"
    assert numbers.mean_and_spread(spread(0.978, 0.0006), "share", digits=1) == "97.8% ± 0.1"
    assert numbers.mean_and_spread(spread(1240, 0.2), "steps", digits=0) == "1,240 ± <1 steps"


def test_five_seeds_by_hand() -> None:
    # Mean 3, standard deviation sqrt(2.5), t(4) = 2.776: half the interval is 2.776 * sqrt(2.5 / 5) = 1.963.
    assert numbers.mean_and_spread(interval([1.0, 2.0, 3.0, 4.0, 5.0]), "steps") == "3 ± 2 steps"


def test_a_claim_tells_value_interval_and_seeds() -> None:
    assert numbers.claim_value(judgement()) == "+0.50 points (+0.31 to +0.69), 5 seeds"
    level = judgement(condition="mean test_accuracy of a ≥ 97%", value=0.978, low=0.977, high=0.979, bound=0.97)
    assert numbers.claim_value(level) == "97.80% (97.70 to 97.90), 5 seeds"


def test_an_end_of_an_interval_close_to_the_bound_does_not_look_as_if_it_were_on_it() -> None:
    assert numbers.claim_value(judgement(low=0.00002)) == "+0.500 points (+0.002 to +0.690), 5 seeds"


def test_an_interval_of_a_share_is_shown_within_0_and_100_percent_and_judged_as_it_is() -> None:
    level = {
        "condition": "mean test_accuracy of a ≥ 97%",
        "value": 0.9734,
        "low": 0.931,
        "high": 1.0157,
        "bound": 0.97,
    }
    assert numbers.claim_value(judgement(**level)) == "97.34% (93.10 to 100.00), 5 seeds"
    both = Limits(low=0.9, high=0.99)
    judged = judgement(**level, over_both=both, over_seeds=Limits(low=-0.2, high=1.0157), examples=30)
    assert numbers.claim_value(judged) == (
        "97.34% (90.00 to 99.00 over 5 seeds and 30 test examples; 0.00 to 100.00 over the seeds alone)"
    )
    assert judged.over_seeds == Limits(low=-0.2, high=1.0157)
    gap = judgement(condition="mean accuracy_gap of a ≤ 5%", value=0.01, low=-0.02, high=0.04, bound=0.05)
    assert numbers.claim_value(gap) == "1.00% (−2.00 to 4.00), 5 seeds"
    assert "to +101.00)" in numbers.claim_value(judgement(low=0.1, high=1.01))  # a difference of points is no share


def test_a_claim_with_one_seed_has_no_interval() -> None:
    one = judgement(low=None, high=None, n=1)
    assert numbers.claim_value(one) == "+0.5 points, 1 seed"


def test_a_claim_about_every_seed_shows_no_interval_because_it_has_none() -> None:
    every = judgement(condition="largest e of a over the seeds ≤ 0.1", value=3e-7, low=1e-7, high=3e-7, unit="")
    assert numbers.claim_value(every) == "largest of 5 seeds: 3.0e-07"


def test_a_claim_without_a_number_says_so() -> None:
    assert numbers.claim_value(judgement(value=None, low=None, high=None, n=0)) == "no number"


@pytest.mark.parametrize(
    ("metric", "title", "unit"),
    [
        ("test_accuracy", "test accuracy", "share"),
        ("accuracy_gap", "train-test gap", "share"),
        ("steps_to_0.95", "steps to 95%", "steps"),
        ("seconds_to_0.975", "seconds to 97.5%", "seconds"),
        ("train_seconds", "seconds", "seconds"),
        ("epochs", "epochs", ""),
        ("steps_to_nowhere", "steps to nowhere", "steps"),
    ],
)
def test_metrics_have_titles_and_units(metric: str, title: str, unit: str) -> None:
    assert (numbers.metric_title(metric), numbers.metric_unit(metric)) == (title, unit)


def test_settings_in_words() -> None:
    shown = [numbers.setting(v) for v in (None, True, False, 128, 50000, 0.001, -1, "adam")]
    assert shown == ["none", "yes", "no", "128", "50,000", "0.001", "−1", "adam"]


def test_seeds_and_durations_in_words() -> None:
    assert [numbers.seeds_in_words(s) for s in ((0, 1, 2), (0, 2), (7,), ())] == ["0 to 2", "0, 2", "7", "none"]
    assert [numbers.duration(s) for s in (12.34, 250, 7500)] == ["12.3 s", "4 min 10 s", "2 h 5 min"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"), (7_840, "7,840"), (9_999, "9,999"), (10_000, "10.0 k"), (101_632, "102 k"), (651_720, "652 k"),
        (999_499, "999 k"), (999_500, "1.00 M"), (4_311_000, "4.31 M"), (26_543_104, "26.5 M"),
        (3_858_000_000, "3.86 G"), (2**63, "9,220,000 T"), (-26_543_104, "−26.5 M"),
    ],
)  # fmt: skip
def test_large_counts_have_three_digits_and_a_prefix(count: int, text: str) -> None:
    assert numbers.large(count) == text


def test_a_claim_tells_both_intervals_and_all_that_makes_it_less_sure() -> None:
    judged = Judgement(
        claim="s", condition="mean test_accuracy of a ≥ 92%", verdict=Verdict.UNDECIDED, value=0.929, low=0.909,
        high=0.946, n=5, bound=0.92, unit="share", seeds_needed=None, note="more test examples",
        over_seeds=Limits(low=0.928, high=0.931), over_both=Limits(low=0.909, high=0.946), examples=734,
        confidence=0.9875, p=0.3, adjusted_p=0.6, marginal=True, flags=("small spread",),
    )  # fmt: skip
    assert numbers.claim_basis(judged) == (
        "92.90% (90.90 to 94.60 over 5 seeds and 734 test examples; 92.80 to 93.10 over the seeds alone); "
        "98.75% intervals; marginal: p 0.300, of all claims together 0.600; flagged: small spread; more test examples"
    )


def test_of_a_claim_that_one_is_no_better_the_sides_of_its_difference_are_named() -> None:
    tested = judgements.Tested(kind="not worse", metric="test_accuracy", variants=("b", "a"), above=True)
    judged = Judgement(
        claim="a is no better than b", condition="", verdict=Verdict.SUPPORTED, value=0.01, low=0.0, high=0.02, n=5,
        bound=-0.005, unit="share", tested=tested,
    )  # fmt: skip
    assert "; b minus a" in numbers.claim_basis(judged)
    other = dataclasses.replace(judged, tested=dataclasses.replace(tested, kind="comparison"))
    assert "minus" not in numbers.claim_basis(other)

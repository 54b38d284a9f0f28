"""Verdicts on made-up trials: every kind of claim supported, refuted and undecided, and never more than is known."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fortydays.base.errors import StorageError, UsageError
from fortydays.study.claims import (
    Best,
    Claim,
    Comparison,
    Equivalent,
    InEverySeed,
    NotWorse,
    Threshold,
    ThresholdOfBest,
)
from fortydays.study.judgement import Judgement, Verdict
from fortydays.study.samples import Findings, findings_of, packed, paired_sample
from fortydays.tasks.metric import metric_of

SUPPORTED, REFUTED, UNDECIDED = Verdict.SUPPORTED, Verdict.REFUTED, Verdict.UNDECIDED
ACCURACY = "test_accuracy"
STEPS = "steps_to_0.95"


def trials(**variants: list[float | None]) -> dict[str, dict[int, dict[str, float | None]]]:
    """Accuracies by variant; position is the seed."""
    return {name: {seed: {ACCURACY: v} for seed, v in enumerate(values)} for name, values in variants.items()}


def steps(limit: float = 1000.0, **variants: list[float | None]) -> dict[str, dict[int, dict[str, float | None]]]:
    return {
        name: {seed: {STEPS: v, f"{STEPS}_limit": limit} for seed, v in enumerate(values)}
        for name, values in variants.items()
    }


def judge(claim: Claim, found: Mapping[str, Any]) -> Judgement:
    judgement = claim.judge(Findings(trials=found))
    document = json.loads(json.dumps(judgement.as_dict(), allow_nan=False))  # goes into evidence
    assert document["verdict"] == judgement.verdict
    assert judgement.claim == claim.sentence
    return judgement


def differences(found: Mapping[str, Any], metric: str) -> tuple[list[float], str]:
    sample, note = paired_sample(Findings(trials=found), metric, "a", "b")
    return list(sample.values), note


def at_least(bound: float) -> Threshold:
    return Threshold(sentence="good", variant="a", metric=ACCURACY, at_least=bound)


def at_most(bound: float) -> Threshold:
    return Threshold(sentence="bad", variant="a", metric=ACCURACY, at_most=bound)


ABOVE = Comparison(sentence="a beats b", metric=ACCURACY, variant="a", than="b", direction="above")
BELOW = Comparison(sentence="a loses to b", metric=ACCURACY, variant="a", than="b", direction="below")
FASTER = Comparison(sentence="a is faster", metric=STEPS, variant="a", than="b", direction="below")
BEST = Best(sentence="a is best", metric=ACCURACY, variant="a", among=("b", "c"))
ALIKE = Equivalent(sentence="a is like b", metric=ACCURACY, variant="a", like="b", within=0.01)
EXACT = InEverySeed(sentence="always small", variant="a", metric="error", at_most=1e-5)


@pytest.mark.parametrize(
    ("values", "bound", "verdict"),
    [
        # Mean 0.97 and spread 0.01 of five seeds: an interval from 0.9576 to 0.9824.
        ([0.96, 0.96, 0.97, 0.98, 0.98], 0.95, SUPPORTED),
        ([0.96, 0.96, 0.97, 0.98, 0.98], 0.99, REFUTED),
        ([0.96, 0.96, 0.97, 0.98, 0.98], 0.96, UNDECIDED),
        ([0.96, 0.96, 0.97, 0.98, 0.98], 0.98, UNDECIDED),
        ([0.97, 0.97], 0.97, SUPPORTED),  # at least, so equality is enough
        ([0.97, 0.97], 0.9700001, REFUTED),
        ([0.99], 0.5, UNDECIDED),
        ([0.1], 0.5, UNDECIDED),
    ],
)
def test_a_threshold_from_below(values: list[float | None], bound: float, verdict: Verdict) -> None:
    assert judge(at_least(bound), trials(a=values)).verdict is verdict


def test_a_threshold_from_above() -> None:
    found = trials(a=[0.96, 0.96, 0.97, 0.98, 0.98])
    assert judge(at_most(0.99), found).verdict is SUPPORTED
    assert judge(at_most(0.95), found).verdict is REFUTED
    assert judge(at_most(0.97), found).verdict is UNDECIDED
    assert judge(at_most(0.5), trials(a=[0.5, 0.5])).verdict is SUPPORTED


def test_a_threshold_tells_its_numbers() -> None:
    found = judge(at_least(0.96), trials(a=[0.96, 0.96, 0.97, 0.98, 0.98]))
    assert found.condition == "mean test_accuracy of a ≥ 96%"
    assert found.value == pytest.approx(0.97)
    assert found.low == pytest.approx(0.9576, abs=1e-4)
    assert found.high == pytest.approx(0.9824, abs=1e-4)
    assert (found.n, found.bound, found.unit, found.note) == (5, 0.96, "share", "")
    assert found.seeds_needed == 22  # the distance is one standard deviation, seen with five seeds
    assert judge(at_least(0.9), trials(a=[0.96, 0.97])).seeds_needed is None  # decided already


def test_a_threshold_needs_exactly_one_bound() -> None:
    for bounds in ({}, {"at_least": 0.1, "at_most": 0.2}):
        with pytest.raises(UsageError, match="The claim 'good' needs exactly one of at_least, at_most and about"):
            Threshold(sentence="good", variant="a", metric=ACCURACY, **bounds)
    assert judge(at_least(0.0), trials(a=[0.0, 0.0])).verdict is SUPPORTED  # zero is a bound, not a missing one


def test_a_target_never_reached_is_beyond_every_bound() -> None:
    quick = Threshold(sentence="quick", variant="a", metric=STEPS, at_most=5000)
    slow = Threshold(sentence="slow", variant="a", metric=STEPS, at_least=5)
    some = judge(quick, steps(a=[100.0, None, 100.0]))
    assert some.verdict is REFUTED
    assert (some.value, some.low, some.high, some.n) == (None, None, None, 3)
    assert some.note == "never reached in 1 of 3 seeds"
    assert judge(quick, steps(a=[None])).verdict is UNDECIDED
    assert judge(slow, steps(a=[100.0, None])).verdict is UNDECIDED
    assert judge(quick, steps(a=[100.0, 100.0])).verdict is SUPPORTED


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ([0.98, 0.97, 0.98], [0.95, 0.94, 0.95], SUPPORTED),
        ([0.95, 0.94, 0.95], [0.98, 0.97, 0.98], REFUTED),
        ([0.98, 0.94, 0.96], [0.95, 0.97, 0.96], UNDECIDED),
        # Wide apart over the seeds, but 0.01 ahead in each: pairing by seed sees it.
        ([0.51, 0.71, 0.91], [0.50, 0.70, 0.90], SUPPORTED),
        ([0.9, 0.9], [0.9, 0.9], REFUTED),  # no difference is no "above"
        ([0.9], [0.1], UNDECIDED),
        ([0.1], [0.9], UNDECIDED),
    ],
)
def test_a_comparison_is_paired_by_seed(a: list[float | None], b: list[float | None], verdict: Verdict) -> None:
    assert judge(ABOVE, trials(a=a, b=b)).verdict is verdict


def test_a_comparison_below() -> None:
    found = trials(a=[0.95, 0.94, 0.95], b=[0.98, 0.97, 0.98])
    assert judge(BELOW, found).verdict is SUPPORTED
    assert judge(ABOVE, found).verdict is REFUTED
    assert judge(BELOW, trials(a=[0.9, 0.9], b=[0.9, 0.9])).verdict is REFUTED


def test_a_comparison_tells_its_numbers() -> None:
    found = judge(ABOVE, trials(a=[0.98, 0.96], b=[0.95, 0.95]))
    assert found.condition == "mean test_accuracy of a > that of b, paired by seed"
    assert found.value == pytest.approx(0.02)
    # Differences 0.03 and 0.01: half a width of 12.706 * 0.01.
    assert found.low == pytest.approx(0.02 - 0.12706, abs=1e-5)
    assert (found.verdict, found.n, found.bound, found.unit) == (UNDECIDED, 2, 0.0, "share")
    assert found.seeds_needed == 64  # of a spread of 0.0141 two seeds say little: it may be 0.0558


def test_a_comparison_with_a_multiple() -> None:
    half = Comparison(
        sentence="at most half", metric="accuracy_gap", variant="a", than="b", direction="below", scale=0.5
    )
    found = {
        "a": {0: {"accuracy_gap": 0.01}, 1: {"accuracy_gap": 0.01}},
        "b": {0: {"accuracy_gap": 0.03}, 1: {"accuracy_gap": 0.03}},
    }
    judgement = judge(half, found)
    assert judgement.verdict is SUPPORTED
    assert judgement.value == pytest.approx(0.01 - 0.015)
    assert judgement.condition == "mean accuracy_gap of a < 0.5 × that of b, paired by seed"


def test_one_seed_decides_nothing_and_says_so() -> None:
    for claim in (at_least(0.5), at_most(0.5), ABOVE, BELOW, BEST, ALIKE):
        found = judge(claim, trials(a=[0.9], b=[0.1], c=[0.2]))
        assert found.verdict is UNDECIDED, claim
        assert found.n == 1
        assert found.note == "one seed has no spread: at least 2 are needed"
        assert (found.low, found.high, found.seeds_needed) == (None, None, None)


@pytest.mark.parametrize("claim", [at_least(0.5), ABOVE, BEST, ALIKE, EXACT], ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("found", [{}, {"a": {}}, {"a": {0: {"other": 1.0}}, "b": {0: {"other": 1.0}}}])
def test_no_trials_decide_nothing(claim: Claim, found: Any) -> None:
    judgement = judge(claim, found)
    assert judgement.verdict is UNDECIDED
    assert (judgement.value, judgement.n) == (None, 0)


def test_seeds_of_one_variant_only_are_left_out_and_named() -> None:
    found = trials(a=[0.98, 0.97, 0.5], b=[0.95, 0.94])
    judgement = judge(ABOVE, found)
    assert (judgement.verdict, judgement.n) == (SUPPORTED, 2)
    assert judgement.note == "seeds of one variant only are left out: 2"
    nothing_shared = {"a": {0: {ACCURACY: 0.9}}, "b": {1: {ACCURACY: 0.1}}}
    judgement = judge(ABOVE, nothing_shared)
    assert (judgement.verdict, judgement.n) == (UNDECIDED, 0)
    assert judgement.note == "seeds of one variant only are left out: 0, 1"


def test_a_slow_variant_that_never_got_there_is_still_slower() -> None:
    judgement = judge(FASTER, steps(a=[100.0, 110.0, 120.0], b=[None, 900.0, None]))
    assert judgement.verdict is SUPPORTED
    assert judgement.value == pytest.approx((-900 - 790 - 880) / 3)
    assert judgement.note == "b did not reach it in 2 of 3 seeds (counted as reached at the end)"


def test_a_variant_that_never_got_there_is_not_faster() -> None:
    judgement = judge(FASTER, steps(a=[None, None], b=[300.0, 300.0]))
    assert judgement.verdict is REFUTED
    assert "a did not reach it in 2 of 2 seeds" in judgement.note
    judgement = judge(FASTER, steps(a=[None, None], b=[None, None]))
    assert judgement.verdict is REFUTED
    assert judgement.value == 0
    assert "a did not reach it" in judgement.note
    assert "b did not reach it" in judgement.note


def test_stopping_early_does_not_make_a_variant_that_never_got_there_faster() -> None:
    limit = f"{STEPS}_limit"
    short = {seed: {STEPS: None, limit: 50.0} for seed in (0, 1)}
    judgement = judge(FASTER, {"a": short, "b": {seed: {STEPS: 80.0, limit: 100.0} for seed in (0, 1)}})
    assert judgement.verdict is REFUTED
    judgement = judge(FASTER, {"a": short, "b": {seed: {STEPS: None, limit: 100.0} for seed in (0, 1)}})
    assert (judgement.verdict, judgement.value) == (REFUTED, 0)


def test_a_missing_metric_without_a_limit_is_left_out() -> None:
    found = {"a": {0: {STEPS: None}, 1: {STEPS: 3.0}}, "b": {0: {STEPS: 2.0}, 1: {STEPS: 5.0}}}
    assert differences(found, STEPS) == ([-2.0], "")


@pytest.mark.parametrize(
    ("a", "b", "c", "verdict", "note"),
    [
        ([0.98, 0.97, 0.98], [0.95, 0.94, 0.95], [0.90, 0.89, 0.91], SUPPORTED, "closest rival: b"),
        ([0.95, 0.94, 0.95], [0.98, 0.97, 0.98], [0.90, 0.89, 0.91], REFUTED, "b is ahead"),
        # c is clearly beaten, b is not.
        ([0.96, 0.95, 0.97], [0.95, 0.96, 0.96], [0.90, 0.89, 0.91], UNDECIDED, "closest rival: b"),
        ([0.95, 0.95], [0.95, 0.95], [0.90, 0.90], REFUTED, "closest rival: b"),
    ],
)
def test_the_best_must_beat_each_rival(
    a: list[float | None], b: list[float | None], c: list[float | None], verdict: Verdict, note: str
) -> None:
    judgement = judge(BEST, trials(a=a, b=b, c=c))
    assert judgement.verdict is verdict
    assert judgement.note == note
    assert judgement.condition == "mean test_accuracy of a > that of each of b, c, paired by seed"


def test_being_refuted_by_one_of_many_rivals_takes_more() -> None:
    # b is ahead by 0.02 with a spread of 0.0158: t(4) * s / sqrt(5) is 0.0196 at 95%, and 0.0247 at 97.5%.
    behind = [0.0, 0.01, 0.02, 0.03, 0.04]
    found = trials(a=[0.9] * 5, b=[0.9 + d for d in behind], c=[0.5] * 5)
    assert judge(ABOVE, found).verdict is REFUTED
    one = Best(sentence="a is best", metric=ACCURACY, variant="a", among=("b",))
    assert judge(one, found).verdict is REFUTED
    judgement = judge(BEST, found)
    assert judgement.verdict is UNDECIDED
    assert judgement.note == "b is ahead"
    assert judgement.seeds_needed is not None


def test_the_best_says_which_seeds_it_left_out() -> None:
    judgement = judge(BEST, trials(a=[0.98, 0.97], b=[0.9, 0.89, 0.9], c=[0.8, 0.79]))
    assert judgement.verdict is SUPPORTED
    assert judgement.note == "closest rival: b; seeds of one variant only are left out: 2"


def test_a_rival_without_trials_leaves_the_best_undecided() -> None:
    assert judge(BEST, trials(a=[0.98, 0.97], b=[0.9, 0.89])).verdict is UNDECIDED


CHOSEN = ThresholdOfBest(sentence="the best is good", among=("a", "b", "c"), metric=ACCURACY, at_least=0.98)


def both(validation: list[float], test: list[float]) -> dict[int, dict[str, float | None]]:
    return {
        seed: {"validation_accuracy": v, ACCURACY: t} for seed, (v, t) in enumerate(zip(validation, test, strict=True))
    }


def test_the_best_is_chosen_on_the_validation_split_and_judged_on_the_test_split() -> None:
    """The variant that is luckiest on the test split would meet the bound; the chosen one does not."""
    found = {
        "a": both([0.97, 0.97], [0.99, 0.99]),
        "b": both([0.98, 0.98], [0.97, 0.97]),
        "c": both([0.96, 0.96], [0.95, 0.95]),
    }
    judged = judge(CHOSEN, found)
    assert (judged.verdict, judged.value, judged.n) == (REFUTED, 0.97, 2)
    assert judged.note == "chosen: b"
    assert judged.condition == "mean test_accuracy of the best of a, b, c by mean validation_accuracy ≥ 98%"
    found["b"] = both([0.98, 0.98], [0.981, 0.981])
    assert judge(CHOSEN, found).verdict is SUPPORTED
    found["b"] = both([0.98, 0.98], [0.97, 0.99])
    assert judge(CHOSEN, found).verdict is UNDECIDED


def test_of_equals_the_first_is_chosen() -> None:
    found = {"c": both([0.5], [0.3]), "b": both([0.5], [0.2]), "a": both([0.5], [0.1])}
    assert judge(CHOSEN, found).value == 0.1


def test_without_trials_of_one_variant_there_is_no_choice() -> None:
    judged = judge(CHOSEN, {"a": both([0.97, 0.97], [0.99, 0.99]), "c": both([0.9, 0.9], [0.9, 0.9])})
    assert (judged.verdict, judged.value) == (UNDECIDED, None)
    assert judged.note == "no trial of b, so there is no choice"


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.001, 0.002, 0.000], SUPPORTED),  # 0.001 ± 0.0025
        ([-0.001, -0.002, 0.000], SUPPORTED),
        ([0.0, 0.0], SUPPORTED),
        ([0.030, 0.031, 0.032], REFUTED),
        ([-0.030, -0.031, -0.032], REFUTED),
        ([0.008, 0.009, 0.010], UNDECIDED),  # 0.009 ± 0.0025 crosses the margin
        ([0.1, -0.1, 0.0], UNDECIDED),
        ([0.0], UNDECIDED),
    ],
)
def test_equivalence_is_shown_by_a_narrow_interval_only(differences: list[float], verdict: Verdict) -> None:
    judgement = judge(ALIKE, trials(a=[0.5 + d for d in differences], b=[0.5] * len(differences)))
    assert judgement.verdict is verdict
    assert judgement.condition == "mean test_accuracy of a within ±1% of that of b, paired by seed"
    assert (judgement.seeds_needed is not None) == (differences == [0.008, 0.009, 0.010])


def test_in_every_seed_looks_at_the_worst_one() -> None:
    def errors(*values: float | None) -> dict[str, Any]:
        return {"a": {seed: {"error": v} for seed, v in enumerate(values)}}

    good = judge(EXACT, errors(1e-7, 1e-5, 1e-6))
    assert (good.verdict, good.value, good.low, good.high, good.n) == (SUPPORTED, 1e-5, 1e-7, 1e-5, 3)
    assert good.condition == "largest error of a over the seeds ≤ 1e-05"
    assert judge(EXACT, errors(1e-7, 2e-5)).verdict is REFUTED
    assert judge(EXACT, errors(1e-7)).verdict is SUPPORTED  # an exact fact may be seen in one seed
    never = judge(EXACT, errors(1e-7, None))
    assert (never.verdict, never.value, never.n) == (REFUTED, None, 2)
    assert never.note == "never reached in 1 of 2 seeds"


def test_claims_that_cannot_be_judged_are_refused() -> None:
    with pytest.raises(UsageError, match="has direction 'over'; expected 'above' or 'below'"):
        Comparison(sentence="x", metric=ACCURACY, variant="a", than="b", direction="over")
    with pytest.raises(UsageError, match="names no rivals"):
        Best(sentence="x", metric=ACCURACY, variant="a", among=())
    with pytest.raises(UsageError, match="about collapse_error, which is not known to be better high or low"):
        judge(NotWorse(sentence="x", metric="collapse_error", variant="a", than="b", within=0.1), {})
    for margin in (0.0, -0.1, float("nan")):
        with pytest.raises(UsageError, match="expected a number above 0"):
            Equivalent(sentence="x", metric=ACCURACY, variant="a", like="b", within=margin)


def test_claims_name_the_variants_they_speak_of() -> None:
    assert at_least(1).variants == EXACT.variants == ("a",)
    assert ABOVE.variants == ALIKE.variants == ("a", "b")
    assert BEST.variants == ("a", "b", "c")


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("test_accuracy", "share"),
        ("accuracy_gap", "share"),
        ("changed_share", "share"),
        ("steps_to_0.95", "steps"),
        ("seconds_to_0.95", "seconds"),
        ("train_seconds", "seconds"),
        ("test_loss", ""),
        ("parameters", ""),
        ("multiply_adds", ""),
        ("collapse_error", ""),
    ],
)
def test_the_unit_of_a_metric_and_whether_a_trial_gives_it_again(metric: str, unit: str) -> None:
    assert metric_of(metric).unit == unit
    assert metric_of(metric).exact == (unit != "seconds")


PAIRS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=6)


@given(PAIRS)
def test_swapping_the_variants_turns_the_verdict(pairs: list[tuple[float, float]]) -> None:
    found = trials(a=[a for a, _ in pairs], b=[b for _, b in pairs])
    swapped = Comparison(sentence="b beats a", metric=ACCURACY, variant="b", than="a", direction="above")
    one, other = judge(ABOVE, found), judge(swapped, found)
    assume(one.low != 0 and one.high != 0)  # on the line itself neither is above the other
    turned = {SUPPORTED: REFUTED, REFUTED: SUPPORTED, UNDECIDED: UNDECIDED}
    assert other.verdict is turned[one.verdict]
    assert judge(BELOW, found).verdict is other.verdict


@given(PAIRS, st.floats(-1, 1))
def test_a_comparison_sees_no_shift_of_both_beyond_rounding(pairs: list[tuple[float, float]], shift: float) -> None:
    found = judge(ABOVE, trials(a=[a for a, _ in pairs], b=[b for _, b in pairs]))
    shifted = judge(ABOVE, trials(a=[a + shift for a, _ in pairs], b=[b + shift for _, b in pairs]))
    assert shifted.value == pytest.approx(found.value, abs=1e-9)
    assert shifted.low == pytest.approx(found.low, abs=1e-7)


@given(PAIRS)
def test_a_higher_bound_is_never_better_supported(pairs: list[tuple[float, float]]) -> None:
    found = trials(a=[a for a, _ in pairs])
    rank = {REFUTED: 0, UNDECIDED: 1, SUPPORTED: 2}
    ranks = [rank[judge(at_least(bound / 4), found).verdict] for bound in range(5)]
    assert ranks == sorted(ranks, reverse=True)


@given(PAIRS, st.floats(0.001, 0.5))
def test_equivalence_does_not_depend_on_who_is_named_first(pairs: list[tuple[float, float]], within: float) -> None:
    found = trials(a=[a for a, _ in pairs], b=[b for _, b in pairs])
    one = Equivalent(sentence="alike", metric=ACCURACY, variant="a", like="b", within=within)
    other = Equivalent(sentence="alike", metric=ACCURACY, variant="b", like="a", within=within)
    assert judge(one, found).verdict is judge(other, found).verdict


def test_a_failed_trial_of_its_variants_leaves_a_claim_undecided() -> None:
    from fortydays.study.evidence import judge as judge_trials

    def ended(variant: str, seed: int, status: str, accuracy: float) -> dict[str, object]:
        metrics = {"test_accuracy": accuracy} if status == "finished" else {}
        return {"variant": variant, "seed": seed, "status": status, "metrics": metrics}

    claim = Threshold(sentence="Good", variant="a", metric="test_accuracy", at_least=0.9)
    survivors = [ended("a", 0, "finished", 0.98), ended("a", 1, "finished", 0.981)]
    (kept,) = judge_trials([claim], survivors)
    assert kept.verdict is Verdict.SUPPORTED
    ended_ones = [*survivors, ended("a", 2, "failed", 0), ended("b", 0, "failed", 0)]
    (judged,) = judge_trials([claim], ended_ones)
    assert judged.verdict is Verdict.UNDECIDED
    assert judged.note == "1 of 3 trials failed, so the numbers are of the others only"
    assert judged.seeds_needed is None


def test_best_shows_the_rival_that_its_verdict_turns_on() -> None:
    """A close rival that is beaten for sure, and a farther one whose spread leaves it open."""
    trials = {
        "mine": {seed: {"test_accuracy": 0.97} for seed in range(5)},
        "close": {seed: {"test_accuracy": 0.969 + 0.0001 * seed} for seed in range(5)},
        "wide": {seed: {"test_accuracy": 0.95 + 0.01 * seed} for seed in range(5)},
    }
    claim = Best(sentence="Mine is best", metric="test_accuracy", variant="mine", among=("close", "wide"))
    judged = judge(claim, trials)
    assert judged.verdict is Verdict.UNDECIDED
    assert judged.note.startswith("closest rival: wide") or "wide is ahead" in judged.note
    assert judged.low is not None and judged.low < 0
    assert judged.seeds_needed is None or judged.seeds_needed > 5


def test_without_trials_of_a_variant_the_choice_rests_on_no_seed() -> None:
    claim = ThresholdOfBest(sentence="s", among=("a", "b"), metric=ACCURACY, at_least=0.5)
    found = judge(claim, {"a": {0: {"validation_accuracy": 0.9, ACCURACY: 0.9}}})
    assert (found.verdict, found.n) == (UNDECIDED, 0)


def test_the_best_is_chosen_by_means_whatever_the_number_of_seeds() -> None:
    claim = ThresholdOfBest(sentence="s", among=("a", "b"), metric=ACCURACY, at_least=0.5)
    one = {0: {"validation_accuracy": 0.9, ACCURACY: 0.9}}
    three = {seed: {"validation_accuracy": 0.5, ACCURACY: 0.5} for seed in range(3)}
    assert judge(claim, {"a": one, "b": three}).note.startswith("chosen: a")


def test_a_best_variant_that_never_reached_the_target_leaves_it_undecided() -> None:
    claim = ThresholdOfBest(sentence="s", among=("a", "b"), metric=STEPS, at_least=5)

    def found(*reached: float | None) -> Judgement:
        of = {seed: {"validation_accuracy": 0.9, STEPS: v} for seed, v in enumerate(reached)}
        return judge(claim, {"a": of, "b": {0: {"validation_accuracy": None, STEPS: 9.0}}})

    assert (found(None, 7.0).verdict, found(None, 7.0).value, found(None, 7.0).n) == (UNDECIDED, None, 2)
    assert found(None).note == "chosen: a; never reached in 1 of 1 seed"
    assert found(7.0, 8.0, 7.5).verdict is SUPPORTED


def test_a_target_that_two_seeds_never_reached_refutes_a_bound_from_above() -> None:
    claim = Threshold(sentence="s", variant="a", metric=STEPS, at_most=500)
    assert judge(claim, steps(a=[None, None])).verdict is REFUTED
    assert judge(claim, steps(a=[None])).verdict is UNDECIDED


def test_a_variant_without_trials_leaves_out_no_seeds() -> None:
    assert judge(ABOVE, trials(a=[0.5, 0.6])).note == "no trial has it"
    assert judge(ABOVE, trials(a=[0.5, 0.6], b=[])).note == "no trial has it"


def test_a_seed_in_which_the_other_variant_has_no_such_number_is_left_out() -> None:
    found = {"a": {0: {ACCURACY: 0.5}, 1: {ACCURACY: 0.5}}, "b": {0: {}, 1: {ACCURACY: 0.25}}}
    assert differences(found, ACCURACY) == ([0.25], "")


@pytest.mark.parametrize(
    ("b", "needed", "note"),
    [([0.48, 0.61, 0.66], 83, "closest rival: b"), ([0.52, 0.59, 0.74], 100, "b is ahead")],
)
def test_the_seeds_that_would_decide_who_is_best(b: list[float | None], needed: int, note: str) -> None:
    # To show that it is best, 95%; to show that it is not, with two rivals, 97.5%.
    claim = Best(sentence="s", metric=ACCURACY, variant="a", among=("b", "c"))
    found = judge(claim, trials(a=[0.5, 0.6, 0.7], b=b, c=[0.4, 0.4, 0.4]))
    assert (found.verdict, found.seeds_needed, found.note, found.bound) == (UNDECIDED, needed, note, 0.0)
    alone = judge(claim, trials(a=[0.5], b=[0.4], c=[0.4]))
    assert (alone.verdict, alone.bound) == (UNDECIDED, 0.0)


def test_the_seeds_that_would_decide_an_equivalence() -> None:
    # A mean of 0.0167, which is 0.0333 from the margin, with a spread of 0.0252.
    claim = Equivalent(sentence="s", metric=ACCURACY, variant="a", like="b", within=0.05)
    found = judge(claim, trials(a=[0.5, 0.6, 0.7], b=[0.48, 0.61, 0.66]))
    assert (found.verdict, found.seeds_needed) == (UNDECIDED, 29)


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([0.030, 0.031, 0.032], SUPPORTED),  # far better is not worse
        ([-0.001, -0.002, 0.000], SUPPORTED),
        ([-0.030, -0.031, -0.032], REFUTED),
        ([-0.008, -0.009, -0.010], UNDECIDED),  # -0.009 ± 0.0025 crosses the margin
        ([0.0], UNDECIDED),
    ],
)
def test_not_worse_is_one_sided(differences: list[float], verdict: Verdict) -> None:
    claim = NotWorse(sentence="s", metric=ACCURACY, variant="a", than="b", within=0.01)
    found = judge(claim, trials(a=[0.5 + d for d in differences], b=[0.5] * len(differences)))
    assert found.verdict is verdict
    assert found.condition == "mean test_accuracy of a ≥ that of b − 1%, paired by seed"
    # Of a loss, less is better.
    lower = NotWorse(sentence="s", metric="test_loss", variant="a", than="b", within=0.01)
    losses = {"a": {s: {"test_loss": 0.5 - d} for s, d in enumerate(differences)}, "b": {}}
    losses["b"] = {s: {"test_loss": 0.5} for s in losses["a"]}
    assert judge(lower, losses).verdict is verdict


def test_what_does_not_vary_at_all_has_no_probability() -> None:
    assert judge(ABOVE, trials(a=[0.9, 0.9], b=[0.9, 0.9])).p is None
    assert judge(at_least(0.5), trials(a=[0.9, 0.9])).p is None


def test_answers_that_are_known_of_some_seeds_only_are_said_not_to_count() -> None:
    found = answered(92, 92, 93, of=100)
    found[1]["right"] = ""
    judged = at_least(0.9).judge(findings_of(found, examples=100))
    assert judged.over_both is None
    assert judged.note == "the answers of 1 of 3 seeds are not known, so test examples are not counted"


def test_about_is_half_a_point_below_on_every_day() -> None:
    claim = Threshold(sentence="s", variant="a", metric=ACCURACY, about=0.98)
    assert judge(claim, trials(a=[0.975, 0.975])).verdict is SUPPORTED
    assert judge(claim, trials(a=[0.9749, 0.9749])).verdict is REFUTED
    assert judge(claim, trials(a=[0.9, 0.9])).condition == "mean test_accuracy of a ≥ 97.5%"


def test_a_demonstration_has_words_of_its_own() -> None:
    claim = Threshold(sentence="s", variant="a", metric=ACCURACY, at_least=0.9, demonstration=True)
    words = [judge(claim, trials(a=[v, v])).word for v in (0.95, 0.85)]
    assert words == ["reached", "not reached"]
    assert judge(claim, trials(a=[0.95])).word == "undecided"
    assert judge(at_least(0.9), trials(a=[0.95, 0.95])).word == "supported"


def answered(*right: int, of: int) -> list[dict[str, Any]]:
    """Trials of variant a, one for each seed, that are right on the first so many examples."""
    rows = [np.arange(of) < count for count in right]
    return [
        {
            "variant": "a", "seed": seed, "status": "finished", "right": packed(row),
            "metrics": {ACCURACY: float(row.mean())},
        }
        for seed, row in enumerate(rows)
    ]  # fmt: skip


def test_few_test_examples_leave_undecided_what_seeds_alone_would_decide() -> None:
    found = answered(92, 92, 93, 92, 92, of=100)
    alone = at_least(0.9).judge(findings_of(found))
    both = at_least(0.9).judge(findings_of(found, examples=100))
    assert (alone.verdict, alone.over_both, alone.examples) == (SUPPORTED, None, 0)
    assert (both.verdict, both.examples) == (UNDECIDED, 100)
    assert both.over_seeds is not None and both.over_both is not None
    assert both.over_seeds.low > 0.9 > both.over_both.low
    assert (both.low, both.high) == (both.over_both.low, both.over_both.high)
    assert (both.seeds_needed, both.note) == (None, "more seeds cannot decide it, only more test examples can")


def test_two_variants_that_fail_on_the_same_examples_are_told_apart() -> None:
    # Each is right on about 60 of 100, but a always on three more, whatever the seed.
    a, b = answered(63, 62, 64, 63, of=100), answered(60, 59, 61, 60, of=100)
    found = findings_of([*a, *({**trial, "variant": "b"} for trial in b)], examples=100)
    paired = ABOVE.judge(found)
    assert paired.over_both is not None
    assert paired.value == pytest.approx(0.03)
    assert paired.over_both.width / 2 < 0.04  # unpaired it would be 0.13


def test_answers_that_do_not_give_the_accuracy_are_refused() -> None:
    found = answered(92, 93, of=100)
    found[1]["metrics"][ACCURACY] = 0.95
    with pytest.raises(StorageError, match="the answers of 'a', seed 1, do not give its test accuracy"):
        findings_of(found, examples=100)
    with pytest.raises(StorageError, match="the answers of 'a', seed 0"):
        findings_of(answered(92, 93, of=100), examples=200)
    del found[1]["metrics"][ACCURACY]
    with pytest.raises(StorageError, match="the answers of 'a', seed 1"):
        findings_of(found, examples=100)
    found[1]["right"] = "not base64"
    with pytest.raises(StorageError, match="the answers of 'a', seed 1"):
        findings_of(found, examples=100)


def test_a_verdict_that_many_claims_make_doubtful_is_marginal() -> None:
    from fortydays.study.evidence import judge as judge_trials

    found = [
        {"variant": name, "seed": seed, "status": "finished", "metrics": {ACCURACY: v}}
        for name, values in {"a": [0.9, 0.91, 0.92], "b": [0.5, 0.5, 0.51]}.items()
        for seed, v in enumerate(values)
    ]
    close, sure, other = (
        at_least(0.88),
        at_least(0.5),
        Threshold(sentence="b", variant="b", metric=ACCURACY, at_least=0.1),
    )
    (alone,) = judge_trials([close], found)
    assert (alone.verdict, alone.marginal, alone.adjusted_p) == (SUPPORTED, False, alone.p)
    among = judge_trials([close, sure, other], found)
    assert [(j.verdict, j.marginal) for j in among] == [(SUPPORTED, False), (SUPPORTED, False), (SUPPORTED, False)]
    among = judge_trials([close, at_least(0.9099), at_least(0.911)], found)
    assert among[0].p is not None and among[0].adjusted_p == pytest.approx(3 * among[0].p)
    assert (among[0].verdict, among[0].marginal) == (SUPPORTED, True)
    assert not among[1].marginal  # undecided is not marginal


def test_who_looks_again_with_more_seeds_needs_more() -> None:
    found = trials(a=[0.9, 0.91, 0.92, 0.905, 0.915])
    first, third = (at_least(0.9).judge(Findings(trials=found, looks=looks)) for looks in (0, 2))
    assert (first.verdict, first.confidence) == (SUPPORTED, 0.95)
    assert (third.verdict, third.confidence) == (UNDECIDED, pytest.approx(0.99375))
    assert third.low is not None and first.low is not None and third.low < first.low


def test_the_interval_that_is_shown_is_the_one_that_judged() -> None:
    """A rival that is ahead at 97.5%, which two rivals ask for, shows that interval."""
    found = judge(BEST, trials(a=[0.5, 0.5, 0.5], b=[0.6, 0.61, 0.62], c=[0.4, 0.4, 0.4]))
    assert (found.verdict, found.note, found.confidence) == (REFUTED, "b is ahead", 0.975)
    assert found.high is not None and found.high == pytest.approx(-0.11 + 6.2053 * 0.01 / 3**0.5, abs=1e-4)


def test_steps_are_compared_up_to_the_end_of_the_shorter_training() -> None:
    # a trains 1000 steps and never gets there, or late; b trains 500 and gets there at 400.
    found = {
        "a": {0: {STEPS: None, f"{STEPS}_limit": 1000.0}, 1: {STEPS: 900.0, f"{STEPS}_limit": 1000.0}},
        "b": {seed: {STEPS: 400.0, f"{STEPS}_limit": 500.0} for seed in (0, 1)},
    }
    values, note = differences(found, STEPS)
    assert values == [100.0, 100.0]
    assert note == "a did not reach it in 2 of 2 seeds (counted as reached at the end)"


def test_the_gap_to_the_training_accuracy_counts_the_test_examples() -> None:
    found = answered(92, 90, 91, of=100)
    for trial in found:
        trial["metrics"] |= {"train_accuracy": 0.99, "accuracy_gap": 0.99 - trial["metrics"][ACCURACY]}
    claim = Threshold(sentence="s", variant="a", metric="accuracy_gap", at_most=0.1)
    judged = claim.judge(findings_of(found, examples=100))
    assert judged.value == pytest.approx(0.08)
    assert judged.over_both is not None and judged.over_seeds is not None
    # 0.99 less the share of right answers of the same examples, so as wide as that share's interval about 0.91.
    assert judged.over_both.low + judged.over_both.high == pytest.approx(0.16)
    assert 0.05 < judged.over_both.width / 2 < 0.06


def test_a_later_look_has_a_larger_probability_for_the_same_numbers() -> None:
    found = trials(a=[0.9, 0.91, 0.92, 0.905, 0.915])
    first, second = (at_least(0.9).judge(Findings(trials=found, looks=looks)) for looks in (0, 1))
    assert first.p is not None and second.p is not None
    assert second.p == pytest.approx(4 * first.p)  # it may spend a quarter of the risk


def test_the_probability_of_a_rival_that_is_ahead_counts_all_rivals() -> None:
    lost = judge(BEST, trials(a=[0.5, 0.5, 0.5], b=[0.6, 0.61, 0.62], c=[0.4, 0.4, 0.4]))
    alone = judge(ABOVE, trials(a=[0.5, 0.5, 0.5], b=[0.6, 0.61, 0.62]))
    assert lost.p is not None and alone.p is not None
    assert lost.p == pytest.approx(2 * alone.p)


def test_a_verdict_says_what_it_is_about() -> None:
    from fortydays.study.evidence import judge as judge_trials

    with_answers = answered(92, 93, of=100)
    without = [{**trial, "right": ""} for trial in with_answers]
    scopes = [
        judge_trials([at_least(0.5)], found, examples=examples)[0].scope
        for found, examples in ((with_answers, 100), (without, 100), (without, 0))
    ]
    recipes = "these recipes; seeds vary initial weights, order and random layers"
    assert scopes == [
        f"this split of the data, these test examples, and others like them; {recipes}",
        f"this split of the data, these test examples; {recipes}",
        "these procedures; seeds vary what they choose at random",  # a study of drills has no test split
    ]
    (drawn,) = judge_trials([at_least(0.5)], without, examples=100, redrawn=["a"])
    varied = "seeds vary what is learned from, initial weights, order and random layers"
    assert drawn.scope == f"this split of the data, these test examples; these recipes; {varied}"
    assert judge_trials([at_least(0.5)], without, examples=100, redrawn=["b"])[0].scope == scopes[1]

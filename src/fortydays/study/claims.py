"""Claims: sentences with a testable condition on the trials of a study, and the verdicts on them.

Every claim is judged the same way. A quantity is computed for each seed (a metric, a difference within the seed, ...),
Student's interval of its mean is set against a bound, and the verdict is *supported* where the whole interval is on
the claim's side, *refuted* where the whole interval is on the other side, and *undecided* otherwise.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from fortydays.base.errors import UsageError
from fortydays.base.text import counted
from fortydays.study.statistics import CONFIDENCE, Interval, interval, seeds_to_decide
from fortydays.tasks.metric import Metric, metric_of

Trials = Mapping[str, Mapping[int, Mapping[str, float | None]]]
"""Metrics of the finished trials: variant -> seed -> metric -> value (None: a target never reached)."""

Declared = Mapping[str, Metric]
"""The metrics that the drills of a study declare, by name."""

NONE_DECLARED: Declared = MappingProxyType({})


class Verdict(StrEnum):
    """What the evidence says of a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A claim's verdict with the numbers it rests on.

    Attributes:
        claim: the sentence.
        condition: what was tested, in numbers.
        verdict: supported, refuted or undecided.
        value: mean of the tested quantity over the seeds, or None where no trial has it.
        low: lower end of its 95% interval.
        high: upper end.
        n: seeds it rests on.
        bound: what the quantity is set against.
        unit: how to show the numbers: "share" (of 1), "steps", "seconds", "ratio" or "" (plain).
        seeds_needed: how many seeds would probably decide, where it is undecided and can be told.
        note: what else a reader must know, such as seeds in which a target was never reached.
    """

    claim: str
    condition: str
    verdict: Verdict
    value: float | None
    low: float | None
    high: float | None
    n: int
    bound: float
    unit: str = ""
    seeds_needed: int | None = None
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The judgement as JSON values."""
        return {**{name: getattr(self, name) for name in self.__dataclass_fields__}, "verdict": str(self.verdict)}


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """A claim that was published and is withdrawn, because its test does not test it. It has no verdict.

    Attributes:
        claim: the sentence.
        reason: what is wrong with the test.
    """

    claim: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A variant's metric is at least (or at most) a value, in the mean over seeds.

    Attributes:
        sentence: the claim in words.
        variant: whose metric.
        metric: such as "test_accuracy".
        at_least: the bound from below; or
        at_most: the bound from above. One of the two.
    """

    sentence: str
    variant: str
    metric: str
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        _check_one_bound(self)

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants the claim speaks of."""
        return (self.variant,)

    def judge(self, trials: Trials, declared: Declared = NONE_DECLARED) -> Judgement:
        """Set the interval of the metric against the bound."""
        unit = metric_of(self.metric, declared).unit
        above, bound = _bound(self)
        values, note = _values(trials, self.variant, self.metric, missing=math.inf)
        sign = "≥" if above else "≤"
        condition = f"mean {self.metric} of {self.variant} {sign} {_show(bound, unit)}"
        if any(math.isinf(v) for v in values):
            # A target never reached: more than any bound, however many seeds follow.
            verdict = Verdict.REFUTED if not above and len(values) > 1 else Verdict.UNDECIDED
            return _judgement(self.sentence, condition, verdict, None, bound, unit, note, n=len(values))
        return _against(self.sentence, condition, values, bound, above=above, unit=unit, note=note)


@dataclass(frozen=True, kw_only=True)
class ThresholdOfBest:
    """The variant that is best on the validation split has a metric of at least a value, in the mean over seeds.

    Choosing by the test split and then quoting it would report the luckiest variant; this chooses before it looks.

    Attributes:
        sentence: the claim in words.
        among: the variants to choose from; the best mean validation accuracy is taken, of equals the first.
        metric: such as "test_accuracy".
        at_least: the bound.
    """

    sentence: str
    among: tuple[str, ...]
    metric: str
    at_least: float

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants the claim speaks of."""
        return self.among

    def judge(self, trials: Trials, declared: Declared = NONE_DECLARED) -> Judgement:
        """Choose on the validation split, then set the interval of the metric against the bound."""
        unit = metric_of(self.metric, declared).unit
        chosen_by = "validation_accuracy"
        bound = _show(self.at_least, unit)
        condition = f"mean {self.metric} of the best of {', '.join(self.among)} by mean {chosen_by} ≥ {bound}"
        means = {name: _values(trials, name, chosen_by, missing=-math.inf)[0] for name in self.among}
        if not all(means.values()):
            missing = ", ".join(name for name, values in means.items() if not values)
            return _judgement(
                self.sentence,
                condition,
                Verdict.UNDECIDED,
                None,
                self.at_least,
                unit,
                f"no trial of {missing}, so there is no choice",
            )
        best = max(self.among, key=lambda name: math.fsum(means[name]) / len(means[name]))
        values, note = _values(trials, best, self.metric, missing=math.inf)
        note = "; ".join(filter(None, [f"chosen: {best}", note]))
        if any(math.isinf(v) for v in values):  # a target never reached: no mean
            return _judgement(
                self.sentence, condition, Verdict.UNDECIDED, None, self.at_least, unit, note, n=len(values)
            )
        return _against(self.sentence, condition, values, self.at_least, above=True, unit=unit, note=note)


@dataclass(frozen=True, kw_only=True)
class InEverySeed:
    """A metric is at most (or at least) a value in every single seed: for facts that hold exactly, up to rounding.

    Attributes:
        sentence: the claim in words.
        variant: whose metric.
        metric: such as "collapse_error".
        at_most: the bound from above; or
        at_least: the bound from below. One of the two.
    """

    sentence: str
    variant: str
    metric: str
    at_most: float | None = None
    at_least: float | None = None

    def __post_init__(self) -> None:
        _check_one_bound(self)

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants the claim speaks of."""
        return (self.variant,)

    def judge(self, trials: Trials, declared: Declared = NONE_DECLARED) -> Judgement:
        """Compare the largest value over the seeds, or the smallest, with the bound."""
        unit = metric_of(self.metric, declared).unit
        values, note = _values(trials, self.variant, self.metric, missing=math.inf)
        above, bound = _bound(self)
        which, sign, extreme = ("smallest", "≥", min) if above else ("largest", "≤", max)
        condition = f"{which} {self.metric} of {self.variant} over the seeds {sign} {bound:g}"
        if not values:
            return _judgement(self.sentence, condition, Verdict.UNDECIDED, None, bound, unit, note, n=0)
        found = extreme(values)
        verdict = Verdict.SUPPORTED if (found >= bound if above else found <= bound) else Verdict.REFUTED
        if math.isinf(max(values)):  # a target never reached: more than any bound, and no number to show
            return _judgement(self.sentence, condition, verdict, None, bound, unit, note, n=len(values))
        return Judgement(
            claim=self.sentence,
            condition=condition,
            verdict=verdict,
            value=found,
            low=min(values),
            high=max(values),
            n=len(values),
            bound=bound,
            unit=unit,
            note=note,
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One variant's metric is above (or below) another's, seed by seed.

    The tested quantity is ``metric(variant) - scale * metric(than)``.

    Attributes:
        sentence: the claim in words.
        metric: such as "test_accuracy", "accuracy_gap" or "steps_to_0.95".
        variant: the one the claim speaks for.
        than: the one it is compared with.
        direction: "above" or "below".
        scale: what the other's metric is multiplied with first; 0.5 for "at most half of".
    """

    sentence: str
    metric: str
    variant: str
    than: str
    direction: str
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.direction not in ("above", "below"):
            raise UsageError(
                f"The claim {self.sentence!r} has direction {self.direction!r}; expected 'above' or 'below'."
            )

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants the claim speaks of."""
        return (self.variant, self.than)

    def judge(self, trials: Trials, declared: Declared = NONE_DECLARED) -> Judgement:
        """Set the interval of the paired differences against zero."""
        unit = metric_of(self.metric, declared).unit
        differences, note = paired_differences(trials, self.metric, self.variant, self.than, scale=self.scale)
        sign = ">" if self.direction == "above" else "<"
        other = f"{self.scale:g} × that of {self.than}" if self.scale != 1 else f"that of {self.than}"
        condition = f"mean {self.metric} of {self.variant} {sign} {other}, paired by seed"
        return _against(
            self.sentence,
            condition,
            differences,
            0.0,
            above=self.direction == "above",
            unit=unit,
            note=note,
            strict=True,
        )


@dataclass(frozen=True, kw_only=True)
class Best:
    """One variant's metric is above each of the others'.

    Supported where every paired comparison is (an intersection-union test, so no correction is due; Berger, 1982);
    refuted where any rival is at least as good at 95% after Bonferroni's correction for their number.

    Attributes:
        sentence: the claim in words.
        metric: such as "test_accuracy"; more is better.
        variant: the one the claim speaks for.
        among: its rivals.
    """

    sentence: str
    metric: str
    variant: str
    among: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.among:
            raise UsageError(f"The claim {self.sentence!r} names no rivals in among.")

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants the claim speaks of."""
        return (self.variant, *self.among)

    def judge(self, trials: Trials, declared: Declared = NONE_DECLARED) -> Judgement:
        """Judge by the rival that comes closest or is better."""
        unit = metric_of(self.metric, declared).unit
        condition = f"mean {self.metric} of {self.variant} > that of each of {', '.join(self.among)}, paired by seed"
        samples = [
            (rival, *paired_differences(trials, self.metric, self.variant, rival, scale=1.0)) for rival in self.among
        ]
        if any(len(d) < 2 for _, d, _ in samples):
            rival, differences, note = min(samples, key=lambda s: len(s[1]))
            return _against(self.sentence, condition, differences, 0.0, above=True, unit=unit, note=note)
        corrected = 1 - (1 - CONFIDENCE) / len(self.among)
        won = {rival for rival, d, _ in samples if (interval(d).low or 0.0) > 0.0}
        lost = {rival for rival, d, _ in samples if (interval(d, confidence=corrected).high or 0.0) <= 0.0}
        # The rival to show is the one the verdict turns on: one that is ahead, else one not beaten, else the closest.
        deciding = [s for s in samples if s[0] in lost] or [s for s in samples if s[0] not in won] or samples
        rival, differences, note = min(deciding, key=lambda s: interval(s[1]).mean)
        verdict = Verdict.REFUTED if lost else Verdict.UNDECIDED if len(won) < len(samples) else Verdict.SUPPORTED
        spread = interval(differences)
        note = "; ".join(filter(None, [f"{rival} is ahead" if spread.mean < 0 else f"closest rival: {rival}", note]))
        needed = None
        if verdict is Verdict.UNDECIDED:
            confidence = CONFIDENCE if spread.mean > 0 else corrected
            needed = seeds_to_decide(spread.mean, spread.std, confidence=confidence)
        return _judgement(self.sentence, condition, verdict, spread, 0.0, unit, note, needed=needed)


@dataclass(frozen=True, kw_only=True)
class Equivalent:
    """Two variants' metrics differ by less than a margin: an equivalence test (Schuirmann, 1987).

    Supported where the whole interval of the paired differences lies within the margin, refuted where it lies wholly
    outside. "No significant difference" alone would not do: too few seeds show that for any two variants.

    Attributes:
        sentence: the claim in words.
        metric: such as "test_accuracy".
        variant: one of the two.
        like: the other.
        within: the margin, in the metric's unit.
    """

    sentence: str
    metric: str
    variant: str
    like: str
    within: float

    def __post_init__(self) -> None:
        if not self.within > 0:
            raise UsageError(f"The claim {self.sentence!r} has within={self.within!r}; expected a number above 0.")

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants the claim speaks of."""
        return (self.variant, self.like)

    def judge(self, trials: Trials, declared: Declared = NONE_DECLARED) -> Judgement:
        """Set the interval of the paired differences against the margin."""
        unit = metric_of(self.metric, declared).unit
        margin = _show(self.within, unit)
        condition = f"mean {self.metric} of {self.variant} within ±{margin} of that of {self.like}, paired by seed"
        differences, note = paired_differences(trials, self.metric, self.variant, self.like, scale=1.0)
        if not differences:
            return _judgement(self.sentence, condition, Verdict.UNDECIDED, None, self.within, unit, note, n=0)
        spread = interval(differences)
        needed = None
        if spread.low is None or spread.high is None:
            verdict = Verdict.UNDECIDED
        elif -self.within <= spread.low and spread.high <= self.within:
            verdict = Verdict.SUPPORTED
        elif spread.high < -self.within or spread.low > self.within:
            verdict = Verdict.REFUTED
        else:
            verdict = Verdict.UNDECIDED
            needed = seeds_to_decide(abs(abs(spread.mean) - self.within), spread.std)
        return _judgement(self.sentence, condition, verdict, spread, self.within, unit, note, needed=needed)


def _check_one_bound(claim: Threshold | InEverySeed) -> None:
    if (claim.at_least is None) == (claim.at_most is None):
        raise UsageError(f"The claim {claim.sentence!r} needs exactly one of at_least and at_most.")


def _bound(claim: Threshold | InEverySeed) -> tuple[bool, float]:
    """Whether a claim bounds its metric from below, and the bound."""
    if claim.at_least is not None:
        return True, claim.at_least
    assert claim.at_most is not None
    return False, claim.at_most


Claim = Threshold | ThresholdOfBest | InEverySeed | Comparison | Best | Equivalent


def paired_differences(
    trials: Trials, metric: str, variant: str, than: str, *, scale: float
) -> tuple[list[float], str]:
    """``metric(variant) - scale * metric(than)`` for each seed that both were trained with, and a note.

    A target that a trial never reached counts as reached at the last step of training (``<metric>_limit``), of the
    longer one of the two trainings. That makes a slow variant look faster than it is, and two that never got there
    equal.
    """
    first, second = trials.get(variant, {}), trials.get(than, {})
    shared = sorted(set(first) & set(second))
    differences, never = [], {variant: 0, than: 0}
    for seed in shared:
        pair = []
        limits = [limit for m in (first[seed], second[seed]) if (limit := m.get(f"{metric}_limit")) is not None]
        for name, metrics in ((variant, first[seed]), (than, second[seed])):
            value = metrics.get(metric)
            if value is None and f"{metric}_limit" in metrics:
                value = max(limits, default=None)
                never[name] += 1
            pair.append(value)
        if pair[0] is not None and pair[1] is not None:
            differences.append(pair[0] - scale * pair[1])
    notes = [
        f"{name} never reached it in {count} of {counted(len(shared), 'seed')} (counted as reached at the end)"
        for name, count in never.items()
        if count
    ]
    alone = (set(first) ^ set(second)) if first and second else set()
    if alone:
        notes.append(f"seeds of one variant only are left out: {', '.join(map(str, sorted(alone)))}")
    return differences, "; ".join(notes)


def _values(trials: Trials, variant: str, metric: str, *, missing: float) -> tuple[list[float], str]:
    of_seeds = trials.get(variant, {})
    values = [m[metric] for m in of_seeds.values() if metric in m]
    never = sum(v is None for v in values)
    note = f"never reached in {never} of {counted(len(values), 'seed')}" if never else ""
    return [missing if v is None else v for v in values], note


def _against(
    sentence: str,
    condition: str,
    values: Sequence[float],
    bound: float,
    *,
    above: bool,
    unit: str,
    note: str,
    strict: bool = False,
) -> Judgement:
    """Judge the mean of ``values`` against a bound; ``strict`` refuses equality."""
    if not values:
        return _judgement(sentence, condition, Verdict.UNDECIDED, None, bound, unit, note or "no trial has it", n=0)
    spread = interval(values)
    needed = None
    if spread.low is None or spread.high is None:
        verdict = Verdict.UNDECIDED
    else:
        worst, best = (spread.low, spread.high) if above else (-spread.high, -spread.low)
        line = bound if above else -bound
        holds: Callable[[float], bool] = (lambda v: v > line) if strict else (lambda v: v >= line)
        if holds(worst):
            verdict = Verdict.SUPPORTED
        elif not holds(best):
            verdict = Verdict.REFUTED
        else:
            verdict = Verdict.UNDECIDED
            needed = seeds_to_decide(spread.mean - bound, spread.std)
    return _judgement(sentence, condition, verdict, spread, bound, unit, note, needed=needed)


def _judgement(
    sentence: str,
    condition: str,
    verdict: Verdict,
    spread: Interval | None,
    bound: float,
    unit: str,
    note: str,
    *,
    needed: int | None = None,
    n: int = 0,
) -> Judgement:
    if spread is not None and spread.n == 1:
        note = "; ".join(filter(None, [note, "one seed has no spread: at least 2 are needed"]))
    return Judgement(
        claim=sentence,
        condition=condition,
        verdict=verdict,
        value=spread.mean if spread else None,
        low=spread.low if spread else None,
        high=spread.high if spread else None,
        n=spread.n if spread else n,
        bound=bound,
        unit=unit,
        seeds_needed=needed,
        note=note,
    )


def _show(value: float, unit: str) -> str:
    return f"{100 * value:g}%" if unit == "share" else f"{value:g}"

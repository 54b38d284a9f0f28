"""Claims: sentences with a testable condition on the trials of a study, and the verdicts on them.

Every claim is judged the same way. A quantity is computed for each seed (a metric, a difference within the seed, ...)
and, where it is made of answers to test examples, for each example. Its mean has an interval over the seeds, and one
over seeds and examples (see :mod:`fortydays.study.statistics`). From the lower of the lower ends to the higher of the
upper ends is set against a bound. The verdict is *supported* where the whole interval is on
the claim's side, *refuted* where the whole interval is on the other side, and *undecided* otherwise.
"""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fortydays.base.errors import UsageError
from fortydays.study.judgement import Judgement, Kind, Tested, Verdict
from fortydays.study.samples import Declared, Findings, paired_sample, sample_of
from fortydays.study.statistics import CONFIDENCE, POWER, Sample, confidence_of_look
from fortydays.tasks.metric import metric_of

SLACK = 0.005
"""How far below a number a share may be that is "about" that number, on every day."""


@dataclass(frozen=True, kw_only=True)
class _Claim(ABC):
    """A sentence about a metric of some variants.

    ``expected`` has, by the name of a check of claims, the reason why this claim is expected not to pass it.
    """

    _kind: ClassVar[Kind]

    sentence: str
    metric: str
    expected: Mapping[str, str] = field(default_factory=dict)

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants the claim speaks of."""
        found: tuple[str, ...] = ()
        for part in ("variant", "than", "like", "among"):
            named = getattr(self, part, ())
            found += (named,) if isinstance(named, str) else named
        return found

    def judge(self, found: Findings) -> Judgement:
        """What the finished trials say of the claim."""
        judged = self._judge(found, metric_of(self.metric, found.declared).unit)
        tested = Tested(
            kind=self._kind,
            metric=self.metric,
            variants=self.variants,
            above=self.above(found.declared),
            scale=getattr(self, "scale", 1.0),
        )
        return dataclasses.replace(judged, demonstration=getattr(self, "demonstration", False), tested=tested)

    def above(self, declared: Declared) -> bool | None:  # noqa: ARG002 - for those that need it
        """Whether the tested quantity is to be above the bound; None where it is to be within ± the bound.

        Args:
            declared: the metrics of the study's drills.

        Raises:
            UsageError: it is not known.
        """
        return self._above

    @property
    def _above(self) -> bool | None:
        """The same, where it does not depend on the metric."""
        return True

    @abstractmethod
    def _judge(self, found: Findings, unit: str) -> Judgement:
        """The same, with the unit of the metric."""

    def _judgement(
        self,
        condition: str,
        verdict: Verdict,
        bound: float,
        unit: str,
        note: str,
        *,
        sample: Sample | None = None,
        confidence: float = CONFIDENCE,
        **more: Any,
    ) -> Judgement:
        """A judgement on a sample. ``more`` are further fields of it, which come before what the sample tells."""
        told: dict[str, Any] = {"value": None, "low": None, "high": None, "n": 0}
        if sample is not None:
            told |= {"value": sample.spread.mean, "n": sample.spread.n}
            if sample.spread.low is None:
                note = _joined(note, "one seed has no spread: at least 2 are needed")
            else:
                limits = sample.limits(confidence=confidence)
                told |= {
                    "low": limits.low,
                    "high": limits.high,
                    "over_seeds": sample.over_seeds.limits(confidence=confidence),
                    "confidence": confidence,
                }
                if sample.over_both is not None and sample.examples is not None:
                    told |= {
                        "over_both": sample.over_both.limits(confidence=confidence),
                        "examples": sample.examples.shape[1],
                    }
        return Judgement(
            claim=self.sentence, condition=condition, verdict=verdict, bound=bound, unit=unit, note=note, **told | more
        )

    def _against(
        self,
        condition: str,
        sample: Sample,
        bound: float,
        unit: str,
        note: str,
        *,
        above: bool,
        looks: int,
        strict: bool = False,
    ) -> Judgement:
        """Judge the mean of a sample against a bound; ``strict`` refuses equality."""
        if not sample.values:
            return self._judgement(condition, Verdict.UNDECIDED, bound, unit, note or "no trial has it")
        if sample.spread.low is None:
            return self._judgement(condition, Verdict.UNDECIDED, bound, unit, note, sample=sample)
        confidence = confidence_of_look(looks)
        limits = sample.limits(confidence=confidence)
        worst, best = (limits.low, limits.high) if above else (-limits.high, -limits.low)
        line = bound if above else -bound
        verdict, needed = Verdict.UNDECIDED, None
        if worst > line or (worst == line and not strict):
            verdict = Verdict.SUPPORTED
        elif best < line or (best == line and strict):
            verdict = Verdict.REFUTED
        else:
            needed, note = _outlook(sample, bound, note)
        return self._judgement(
            condition,
            verdict,
            bound,
            unit,
            note,
            sample=sample,
            confidence=confidence,
            seeds_needed=needed,
            p=_probability(sample, looks, bound),
        )


@dataclass(frozen=True, kw_only=True)
class _Bounded(_Claim):
    """A claim about one variant's metric and a bound of it."""

    variant: str
    at_least: float | None = None
    at_most: float | None = None
    about: float | None = None

    def __post_init__(self) -> None:
        if (self.at_least, self.at_most, self.about).count(None) != 2:
            raise UsageError(f"The claim {self.sentence!r} needs exactly one of at_least, at_most and about.")

    @property
    def _above(self) -> bool | None:
        return self._bound[0]

    @property
    def _bound(self) -> tuple[bool, float]:
        """Whether the metric is bounded from below, and the bound."""
        if self.at_most is not None:
            return False, self.at_most
        # A sum of decimals is rounded: 0.98 - 0.005 is to be the 0.975 that a reader would write.
        return True, round(self.about - SLACK, 12) if self.about is not None else float(self.at_least or 0.0)


@dataclass(frozen=True, kw_only=True)
class Threshold(_Bounded):
    """A variant's metric is at least (or at most) a value, in the mean over seeds.

    Attributes:
        sentence: the claim in words.
        variant: whose metric.
        metric: such as "test_accuracy".
        at_least: the bound from below; or
        at_most: the bound from above; or
        about: a share that may be missed by :data:`SLACK`. One of the three.
        demonstration: whether the recipe was worked on until it reached the bound.
    """

    _kind = "threshold"

    demonstration: bool = False

    def _judge(self, found: Findings, unit: str) -> Judgement:
        above, bound = self._bound
        sample, note = sample_of(found, self.variant, self.metric)
        condition = f"mean {self.metric} of {self.variant} {'≥' if above else '≤'} {_show(bound, unit)}"
        if math.inf in sample.values:  # a target never reached: more than any bound, however many seeds follow
            n = len(sample.values)
            verdict = Verdict.REFUTED if not above and n > 1 else Verdict.UNDECIDED
            return self._judgement(condition, verdict, bound, unit, note, n=n)
        return self._against(condition, sample, bound, unit, note, above=above, looks=found.looks)


@dataclass(frozen=True, kw_only=True)
class ThresholdOfBest(_Claim):
    """The variant that is best on the validation split has a metric of at least a value, in the mean over seeds.

    Choosing by the test split and then quoting it would report the luckiest variant.

    Attributes:
        sentence: the claim in words.
        among: the variants to choose from; the best mean validation accuracy is taken, of equals the first.
        metric: such as "test_accuracy".
        at_least: the bound.
        demonstration: whether the recipes were worked on until one reached the bound.
    """

    _kind = "threshold of best"

    among: tuple[str, ...]
    at_least: float
    demonstration: bool = False

    def _judge(self, found: Findings, unit: str) -> Judgement:
        chosen_by = "validation_accuracy"
        bound = _show(self.at_least, unit)
        condition = f"mean {self.metric} of the best of {', '.join(self.among)} by mean {chosen_by} ≥ {bound}"
        means = {name: sample_of(found, name, chosen_by, never=-math.inf)[0].values for name in self.among}
        if not all(means.values()):
            missing = ", ".join(name for name, values in means.items() if not values)
            note = f"no trial of {missing}, so there is no choice"
            return self._judgement(condition, Verdict.UNDECIDED, self.at_least, unit, note)
        best = max(self.among, key=lambda name: math.fsum(means[name]) / len(means[name]))
        chosen = Threshold(sentence=self.sentence, variant=best, metric=self.metric, at_least=self.at_least)
        judged = chosen._judge(found, unit)
        return dataclasses.replace(judged, condition=condition, note=_joined(f"chosen: {best}", judged.note))


@dataclass(frozen=True, kw_only=True)
class InEverySeed(_Bounded):
    """A metric is at most (or at least) a value in every single seed: for facts that hold exactly, up to rounding.

    Attributes:
        sentence: the claim in words.
        variant: whose metric.
        metric: such as "collapse_error".
        at_most: the bound from above; or
        at_least: the bound from below; or
        about: a share that may be missed by :data:`SLACK`. One of the three.
    """

    _kind = "in every seed"

    def _judge(self, found: Findings, unit: str) -> Judgement:
        sample, note = sample_of(found, self.variant, self.metric)
        values = sample.values
        above, bound = self._bound
        which, sign, extreme = ("smallest", "≥", min) if above else ("largest", "≤", max)
        condition = f"{which} {self.metric} of {self.variant} over the seeds {sign} {bound:g}"
        if not values:
            return self._judgement(condition, Verdict.UNDECIDED, bound, unit, note)
        reached = extreme(values)
        verdict = Verdict.SUPPORTED if (reached >= bound if above else reached <= bound) else Verdict.REFUTED
        # A target never reached is no number to show.
        ends: dict[str, Any] = (
            {} if math.inf in values else {"value": reached, "low": min(values), "high": max(values)}
        )
        return self._judgement(condition, verdict, bound, unit, note, n=len(values), **ends)


@dataclass(frozen=True, kw_only=True)
class Comparison(_Claim):
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

    _kind = "comparison"

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
    def _above(self) -> bool | None:
        return self.direction == "above"

    def _judge(self, found: Findings, unit: str) -> Judgement:
        sample, note = paired_sample(found, self.metric, self.variant, self.than, scale=self.scale)
        above = self.direction == "above"
        other = f"{self.scale:g} × that of {self.than}" if self.scale != 1 else f"that of {self.than}"
        condition = f"mean {self.metric} of {self.variant} {'>' if above else '<'} {other}, paired by seed"
        return self._against(condition, sample, 0.0, unit, note, above=above, looks=found.looks, strict=True)


@dataclass(frozen=True, kw_only=True)
class Best(_Claim):
    """One variant's metric is above each of the others'.

    Supported where every paired comparison is (an intersection-union test, so no correction is due; Berger, 1982);
    refuted where any rival is at least as good at 95% after Bonferroni's correction for their number.

    Attributes:
        sentence: the claim in words.
        metric: such as "test_accuracy"; more is better.
        variant: the one the claim speaks for.
        among: its rivals.
    """

    _kind = "best"

    variant: str
    among: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.among:
            raise UsageError(f"The claim {self.sentence!r} names no rivals in among.")

    def _judge(self, found: Findings, unit: str) -> Judgement:
        condition = f"mean {self.metric} of {self.variant} > that of each of {', '.join(self.among)}, paired by seed"
        compared = {rival: paired_sample(found, self.metric, self.variant, rival) for rival in self.among}
        samples = {rival: sample for rival, (sample, _) in compared.items()}
        fewest = min(samples, key=lambda rival: len(samples[rival].values))
        if len(samples[fewest].values) < 2:
            sample, note = compared[fewest]
            return self._against(condition, sample, 0.0, unit, note, above=True, looks=found.looks)
        confidence = confidence_of_look(found.looks)
        corrected = 1 - (1 - confidence) / len(self.among)
        won = {rival for rival, sample in samples.items() if sample.limits(confidence=confidence).low > 0.0}
        lost = {rival for rival, sample in samples.items() if sample.limits(confidence=corrected).high <= 0.0}
        # The rival to show is the one the verdict turns on: one that is ahead, else one not beaten, else the closest.
        deciding = lost or (set(samples) - won) or set(samples)
        rival = min((r for r in self.among if r in deciding), key=lambda r: samples[r].spread.mean)
        sample, note = compared[rival]
        verdict = Verdict.REFUTED if lost else Verdict.UNDECIDED if len(won) < len(samples) else Verdict.SUPPORTED
        note = _joined(f"{rival} is ahead" if sample.spread.mean < 0 else f"closest rival: {rival}", note)
        # The interval that is shown is the one that judged: where rivals are ahead, that of the correction.
        judging = confidence if sample.spread.mean > 0 else corrected
        found_p = [_probability(each, found.looks, 0.0) for each in samples.values()]
        p = max((each for each in found_p if each is not None), default=None)
        if sample.spread.mean <= 0 and (p := _probability(sample, found.looks, 0.0)) is not None:
            p = min(1.0, len(self.among) * p)
        needed = None
        if verdict is Verdict.UNDECIDED:
            needed, note = _outlook(sample, 0.0, note, confidence=judging)
            if needed is not None and sample.spread.mean > 0:  # to be the best asks for all that are not beaten yet
                wanted = [samples[r].seeds_to_decide(0.0, confidence=judging) for r in deciding]
                needed = max(n for n in wanted if n is not None) if None not in wanted else None
        return self._judgement(
            condition, verdict, 0.0, unit, note, sample=sample, confidence=judging, seeds_needed=needed, p=p
        )


@dataclass(frozen=True, kw_only=True)
class _Within(_Claim):
    """A claim about the difference of two variants' metrics and a margin."""

    variant: str
    within: float

    def __post_init__(self) -> None:
        if not self.within > 0:
            raise UsageError(f"The claim {self.sentence!r} has within={self.within!r}; expected a number above 0.")


@dataclass(frozen=True, kw_only=True)
class Equivalent(_Within):
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

    _kind = "equivalent"

    like: str

    @property
    def _above(self) -> bool | None:
        return None

    def _judge(self, found: Findings, unit: str) -> Judgement:
        margin = _show(self.within, unit)
        condition = f"mean {self.metric} of {self.variant} within ±{margin} of that of {self.like}, paired by seed"
        sample, note = paired_sample(found, self.metric, self.variant, self.like)
        if len(sample.values) < 2:
            shown = sample if sample.values else None
            return self._judgement(condition, Verdict.UNDECIDED, self.within, unit, note, sample=shown)
        confidence = confidence_of_look(found.looks)
        limits = sample.limits(confidence=confidence)
        verdict, needed = Verdict.UNDECIDED, None
        if -self.within <= limits.low and limits.high <= self.within:
            verdict = Verdict.SUPPORTED
        elif limits.high < -self.within or limits.low > self.within:
            verdict = Verdict.REFUTED
        else:
            nearest = math.copysign(self.within, sample.spread.mean)
            needed, note = _outlook(sample, nearest, note)
            if needed is not None and abs(sample.spread.mean) < self.within:
                # Both margins are to be left out: with 90% each, in 80% of studies at least.
                wanted = [sample.seeds_to_decide(side * self.within, power=(1 + POWER) / 2) for side in (1, -1)]
                needed = max(n for n in wanted if n is not None) if None not in wanted else None
        return self._judgement(
            condition,
            verdict,
            self.within,
            unit,
            note,
            sample=sample,
            confidence=confidence,
            seeds_needed=needed,
            p=_probability(sample, found.looks, -self.within, self.within),
        )


@dataclass(frozen=True, kw_only=True)
class NotWorse(_Within):
    """One variant's metric is not worse than another's by more than a margin: a test of non-inferiority.

    It is the one-sided sibling of :class:`Equivalent`: better is allowed (Wellek, 2010, *Testing Statistical
    Hypotheses of Equivalence and Noninferiority*, chapter 2). "A is no better than B" says that B is not worse than A.

    Attributes:
        sentence: the claim in words.
        metric: one that is known to be better when it is higher, or when it is lower.
        variant: the one that is not worse.
        than: the other.
        within: the margin, in the metric's unit.
    """

    _kind = "not worse"

    than: str

    def above(self, declared: Declared) -> bool | None:
        """Whether more is better; see :meth:`more_is_better`."""
        return self.more_is_better(declared)

    def more_is_better(self, declared: Declared) -> bool:
        """Whether a higher metric is better. ``declared`` are the metrics of the study's drills.

        Raises:
            UsageError: it is not known.
        """
        better = metric_of(self.metric, declared).better
        if not better:
            raise UsageError(
                f"The claim {self.sentence!r} is about {self.metric}, which is not known to be better high or low.",
                hint="Use Equivalent or Comparison.",
            )
        return better == "higher"

    def _judge(self, found: Findings, unit: str) -> Judgement:
        above = self.more_is_better(found.declared)
        bound = -self.within if above else self.within
        sign, margin = ("≥", f"− {_show(self.within, unit)}") if above else ("≤", f"+ {_show(self.within, unit)}")
        condition = f"mean {self.metric} of {self.variant} {sign} that of {self.than} {margin}, paired by seed"
        sample, note = paired_sample(found, self.metric, self.variant, self.than)
        return self._against(condition, sample, bound, unit, note, above=above, looks=found.looks)


Claim = Threshold | ThresholdOfBest | InEverySeed | Comparison | Best | Equivalent | NotWorse


def _probability(sample: Sample, looks: int, *bounds: float) -> float | None:
    """The largest p of some bounds, or None where nothing varies. A later look has less risk to spend: a larger p."""
    if sample.limits().width == 0:
        return None
    spent = (1 - CONFIDENCE) / (1 - confidence_of_look(looks))
    return min(1.0, spent * max(map(sample.p, bounds)))


def _outlook(sample: Sample, bound: float, note: str, *, confidence: float = CONFIDENCE) -> tuple[int | None, str]:
    """How many fresh seeds would decide, and the note with the reason where no number would."""
    needed = sample.seeds_to_decide(bound, confidence=confidence)
    distance = abs(sample.spread.mean - bound)
    if needed is None and 0 < distance < _DECIDING * sample.floor:
        note = _joined(note, "more seeds cannot decide it, only more test examples can")
    return needed, note


# Standard errors of the test examples between the mean and a bound that no number of seeds does away with.
_DECIDING = 1.96


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _show(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * value:g}%"
    # "g" would write a count of millions with six digits and a power of ten.
    return f"{value:,.0f}" if abs(value) >= 1e6 and value == round(value) else f"{value:g}"

"""What the evidence says of a claim, as a value."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from fortydays.study.statistics import CONFIDENCE, Limits
from fortydays.study.vocabulary import Labels, Name


class Verdict(StrEnum):
    """What the evidence says of a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


Kind = Literal["threshold", "threshold of best", "in every seed", "comparison", "best", "equivalent", "not worse"]


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What a claim tests, as values: what its condition says in words. The bound is that of the judgement.

    Attributes:
        kind: of the claim, named after the classes of :mod:`fortydays.study.claims`.
        metric: whose mean is tested, or whose values.
        variants: that the claim speaks of; of a comparison, the one that is compared comes first.
        above: whether the quantity is to be above the bound; null where it is to be within ± the bound.
        scale: what the other's metric is multiplied with before it is taken off.
    """

    kind: Kind
    metric: Name
    variants: Labels
    above: bool | None
    scale: float = 1.0

    @property
    def difference(self) -> bool:
        """Whether the quantity is the difference of two variants."""
        return self.kind in ("comparison", "best", "equivalent", "not worse")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A claim's verdict with the numbers it rests on.

    Attributes:
        claim: the sentence.
        condition: what was tested, in numbers.
        verdict: supported, refuted or undecided.
        value: mean of the tested quantity over the seeds, or None where no trial has it.
        low: lower end of the interval that judged: the lower one of ``over_seeds`` and ``over_both``.
        high: upper end: the higher one.
        n: seeds it rests on.
        bound: what the quantity is set against.
        unit: how to show the numbers: "share" (of 1), "steps", "seconds", "ratio" or "" (plain).
        seeds_needed: how many fresh seeds would decide it in 80% of studies, if the true value is that seen.
        note: what else a reader must know, such as seeds in which a target was never reached.
        over_seeds: the interval over the seeds alone, for these test examples.
        over_both: the interval over the seeds and the test examples, where answers to test examples are known.
        examples: test examples that ``over_both`` rests on.
        confidence: of the intervals.
        p: how probable numbers at least as far from the bound would be if the true value lay on it.
        adjusted_p: the same after Holm's correction for the number of claims of the study.
        marginal: whether the verdict stands only as long as this claim is looked at alone.
        demonstration: whether the recipe was worked on until it reached the bound. Then the verdict says whether the
            reported seeds reach it, and no more.
        flags: the checks that the claim, or a variant of it, did not pass, and that speak against the verdict.
        scope: what the verdict is about.
        tested: what was tested, as values; missing in documents of older programs.
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
    over_seeds: Limits | None = None
    over_both: Limits | None = None
    examples: int = 0
    confidence: float = CONFIDENCE
    p: float | None = None
    adjusted_p: float | None = None
    marginal: bool = False
    demonstration: bool = False
    flags: tuple[str, ...] = ()
    scope: str = ""
    tested: Tested | None = None

    def as_dict(self) -> dict[str, Any]:
        """The judgement as JSON values."""
        told = dataclasses.asdict(self) | {"verdict": str(self.verdict), "flags": list(self.flags)}
        if self.tested is not None:
            told["tested"]["variants"] = list(self.tested.variants)
        return told

    @property
    def word(self) -> str:
        """The verdict in a word; that of a demonstration has words of its own."""
        return word_of(self.verdict, demonstration=self.demonstration)

    @property
    def difference(self) -> bool:
        """Whether the quantity is the difference of two variants. Older programs told it in words alone."""
        return self.tested.difference if self.tested else "paired by seed" in self.condition


def word_of(verdict: str, *, demonstration: bool) -> str:
    """A verdict in a word; that of a demonstration is "reached" or "not reached" where it is decided."""
    return _OF_DEMONSTRATIONS.get(verdict, str(verdict)) if demonstration else str(verdict)


_OF_DEMONSTRATIONS: dict[str, str] = {Verdict.SUPPORTED: "reached", Verdict.REFUTED: "not reached"}


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """A claim that was published and is withdrawn, because its test does not test it. It has no verdict.

    Attributes:
        claim: the sentence.
        reason: what is wrong with the test.
    """

    claim: str
    reason: str

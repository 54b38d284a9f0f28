"""What the verdicts on published claims rest on: evidence tells what was tested, and the trials.

That is made a claim again and judged again. Only where it gives the published verdict and interval, the claim has been
understood; others are left out, and so are those of older programs, which told what was tested in words alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from fortydays.report.numbers import metric_title
from fortydays.report.results import Results
from fortydays.study.claims import Comparison, Equivalent, NotWorse, Threshold
from fortydays.study.judgement import Judgement
from fortydays.study.samples import Findings, findings_of, paired_sample, sample_of
from fortydays.study.statistics import Limits, Sample

Testable = Threshold | Comparison | NotWorse | Equivalent


@dataclass(frozen=True, kw_only=True, eq=False)
class Sampled:
    """A published claim with what it was judged on.

    Attributes:
        judgement: what was published.
        claim: the claim, made of what was tested.
        seeds: of the trials, in order.
        sample: the sampled quantity of each seed and, where known, of each test example.
        above: whether the quantity is to be above the bound; None where it is to be within ± the bound.
        strict: whether a quantity at the bound itself is too little.
        quantity: what is sampled, in words.
    """

    judgement: Judgement
    claim: Testable
    seeds: tuple[int, ...]
    sample: Sample
    above: bool | None
    strict: bool
    quantity: str

    def verdict(self, limits: Limits) -> str:
        """What an interval says of the claim."""
        bound = self.judgement.bound
        if self.above is None:
            inside = -bound <= limits.low and limits.high <= bound
            outside = limits.high < -bound or limits.low > bound
            return _word(supported=inside, refuted=outside)
        low, high = (limits.low, limits.high) if self.above else (-limits.high, -limits.low)
        line = bound if self.above else -bound
        supported = low > line or (low == line and not self.strict)
        return _word(supported=supported, refuted=high < line or (high == line and self.strict))

    def part(self, chosen: tuple[int, ...]) -> Sample:
        """The sample of some of the seeds, given by their places."""
        whole = self.sample
        rows = None if whole.examples is None else whole.examples[list(chosen)]
        return Sample(values=[whole.values[place] for place in chosen], examples=rows, share=whole.share)


def _word(*, supported: bool, refuted: bool) -> str:
    return "supported" if supported else "refuted" if refuted else "undecided"


def sampled_claims(results: Results) -> Iterator[Sampled]:
    """The claims of a day that are about a mean over two seeds or more, and that are understood."""
    trials = [vars(trial) for variant in results.variants for trial in variant.finished]
    examples = results.dataset.test if results.dataset else 0
    found = findings_of(trials, examples=examples, declared=results.declared, looks=results.looks)
    for judgement in results.claims:
        sampled = _sampled(judgement, found)
        if sampled is not None and _alike(sampled.claim.judge(found), judgement):
            yield sampled


def _sampled(judgement: Judgement, found: Findings) -> Sampled | None:
    claim = claim_of(judgement)
    if claim is None or not found.trials.keys() >= set(claim.variants):
        return None
    title = metric_title(claim.metric, found.declared)
    if isinstance(claim, Threshold):
        sample, _ = sample_of(found, claim.variant, claim.metric)
        having = [seed for seed, metrics in found.trials[claim.variant].items() if claim.metric in metrics]
        quantity = f"{title} of {claim.variant}"
    else:
        other = claim.like if isinstance(claim, Equivalent) else claim.than
        scale = claim.scale if isinstance(claim, Comparison) else 1.0
        sample, _ = paired_sample(found, claim.metric, claim.variant, other, scale=scale)
        having = sorted(set(found.trials[claim.variant]) & set(found.trials[other]))
        times = f"{scale:g} × " if scale != 1 else ""
        quantity = f"{title} of {claim.variant} − {times}that of {other}"
    if len(having) != len(sample.values) or len(having) < 2 or not all(map(math.isfinite, sample.values)):
        return None
    strict = isinstance(claim, Comparison)
    return Sampled(
        judgement=judgement,
        claim=claim,
        seeds=tuple(having),
        sample=sample,
        above=claim.above(found.declared),
        strict=strict,
        quantity=quantity,
    )


def claim_of(judgement: Judgement) -> Testable | None:
    """The claim that was judged; None where it is no mean over seeds, or of an older program."""
    told = judgement.tested
    if told is None:
        return None
    sentence, metric, bound = judgement.claim, told.metric, judgement.bound
    match told.kind, told.variants:
        case "threshold", (variant,):
            at_least, at_most = (bound, None) if told.above else (None, bound)
            return Threshold(sentence=sentence, metric=metric, variant=variant, at_least=at_least, at_most=at_most)
        case "comparison", (variant, than):
            direction, scale = "above" if told.above else "below", told.scale
            return Comparison(
                sentence=sentence, metric=metric, variant=variant, than=than, direction=direction, scale=scale
            )
        case "not worse", (variant, than):
            return NotWorse(sentence=sentence, metric=metric, variant=variant, than=than, within=abs(bound))
        case "equivalent", (variant, like):
            return Equivalent(sentence=sentence, metric=metric, variant=variant, like=like, within=bound)
        case _:
            return None


def _alike(again: Judgement, published: Judgement) -> bool:
    """Whether a claim that was judged again is the published one, but for the last digits."""
    pairs = [(getattr(again, name), getattr(published, name)) for name in ("value", "low", "high", "bound")]
    same = all(a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in pairs)
    named = ("verdict", "condition", "n", "confidence")
    return same and all(getattr(again, name) == getattr(published, name) for name in named)

"""The page "Would you have believed it?": a claim's verdict, had there been fewer seeds.

The interval of any choice of seeds needs no answers of single test examples: of the table of seeds and examples, the
sums of products of two seeds' rows suffice, each row without its mean. With those, ``intervals.js`` computes the mean
squares that :func:`fortydays.study.statistics.mean_squares` has.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fortydays.report.numbers import claim_value, limits_of
from fortydays.site.finished import FinishedDay
from fortydays.site.play.design import Content
from fortydays.site.play.samples import Sampled, sampled_claims
from fortydays.site.play.words import WORDS
from fortydays.study.judgement import Verdict

FEW = 3
"""How many seeds the table of the still page draws: as many as papers often have."""


def make(days: Sequence[FinishedDay]) -> Content | None:
    """The claims of all days that a mean over seeds decided, with what their verdicts rest on."""
    found = [(each, [*sampled_claims(each.results)]) for each in days]
    found = [(each, claims) for each, claims in found if claims]
    if not found:
        return None
    data = [_told(each, sampled) for each, claims in found for sampled in claims]
    rows = [(each, [_counted(sampled) for sampled in claims]) for each, claims in found]
    return Content(
        data={"claims": data, "words": WORDS, "first": _first([row for _, some in rows for row in some])},
        values={
            "rows": rows,
            "few": FEW,
            "fewest": min(len(s.seeds) for _, claims in found for s in claims),
            "together": _together([row for _, some in rows for row in some]),
        },
        days=tuple(each.day.number for each, _ in found),
    )


def products(sampled: Sampled) -> list[list[float]] | None:
    """Of each two seeds, the sum over the test examples of the products of their rows, each without its mean.

    Returns:
        The lower triangle of the symmetric table, a list for each seed; None where the answers are not known.
    """
    table = sampled.sample.examples
    if table is None or min(table.shape) < 2:
        return None
    centered = table - table.mean(axis=1, keepdims=True)
    whole = centered @ centered.T
    return [[float(value) for value in whole[row, : row + 1]] for row in range(len(whole))]


def _told(each: FinishedDay, sampled: Sampled) -> dict[str, Any]:
    """A claim as the page's script takes it."""
    judgement = sampled.judgement
    return {
        "day": each.day.number,
        "title": each.day.title,
        "claim": judgement.claim,
        "quantity": sampled.quantity,
        "verdict": str(judgement.verdict),
        "demonstration": judgement.demonstration,
        "flags": list(judgement.flags),
        "unit": judgement.unit,
        "difference": judgement.difference,
        "limits": limits_of(judgement),
        "seeds": list(sampled.seeds),
        **numbers_of(sampled),
    }


def numbers_of(sampled: Sampled) -> dict[str, Any]:
    """What ``intervals.js`` computes intervals and verdicts from, as JSON values."""
    sample = sampled.sample
    return {
        "bound": sampled.judgement.bound,
        "above": sampled.above,
        "strict": sampled.strict,
        "confidence": sampled.judgement.confidence,
        "values": list(sample.values),
        "share": sample.share,
        "examples": 0 if sample.examples is None else sample.examples.shape[1],
        "products": products(sampled),
    }


def _counted(sampled: Sampled) -> dict[str, Any]:
    """What single seeds, and all choices of a few, say of a claim; for readers without scripts."""
    count = len(sampled.seeds)
    alone = Counter(side(sampled, value) for value in sampled.sample.values)
    chosen = [*itertools.combinations(range(count), FEW)] if count > FEW else []
    confidence = sampled.judgement.confidence
    of_few = Counter(sampled.verdict(sampled.part(each).limits(confidence=confidence)) for each in chosen)
    return {
        "claim": sampled.judgement,
        "value": claim_value(sampled.judgement),
        "count": count,
        "alone": alone[True],
        "choices": len(chosen),
        "few": {str(verdict): of_few[str(verdict)] for verdict in Verdict},
    }


def _together(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How often fewer seeds mislead, over all claims.

    Returns:
        of the claims that all seeds decide: their number, their single seeds and those on the wrong side, their
        choices of a few, and those with the opposite verdict and without one. Of the others: their number, single
        seeds, choices of a few, and those of them that decide.
    """
    found: Counter[str] = Counter()
    for row in rows:
        verdict, few = row["claim"].verdict, row["few"]
        if verdict is Verdict.UNDECIDED:
            found.update(open=1, open_seeds=row["count"], open_choices=row["choices"])
            found["open_decided"] += few["supported"] + few["refuted"]
            continue
        holds = verdict is Verdict.SUPPORTED
        found.update(decided=1, seeds=row["count"], choices=row["choices"], undecided=few["undecided"])
        found["wrong"] += row["count"] - row["alone"] if holds else row["alone"]
        found["opposite"] += few["refuted" if holds else "supported"]
    names = ("decided", "seeds", "wrong", "choices", "opposite", "undecided")
    return {name: found[name] for name in (*names, "open", "open_seeds", "open_choices", "open_decided")}


def _first(rows: Sequence[Mapping[str, Any]]) -> int:
    """The claim to begin with: of the most seeds, one on which choices of a few disagree most evenly."""

    def worth(row: Mapping[str, Any]) -> tuple[int, float]:
        shares = [count / row["choices"] for count in row["few"].values()] if row["choices"] else [1.0]
        mixed = 1 - max(shares)
        return row["count"] if mixed > 0 else 0, mixed

    return max(range(len(rows)), key=lambda place: worth(rows[place]))


def side(sampled: Sampled, value: float) -> bool:
    """Whether one seed's value lies on the claim's side of the bound. A single value has no interval."""
    bound = sampled.judgement.bound
    if sampled.above is None:
        return abs(value) <= bound
    distance = value - bound if sampled.above else bound - value
    return distance > 0 or (distance == 0 and not sampled.strict)

"""The page "Guess before it opens": a reader's guess of each verdict, beside the verdict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fortydays.base.files import sha256_of_bytes
from fortydays.report.numbers import claim_basis, limits_of
from fortydays.site.finished import FinishedDay
from fortydays.site.play.design import Content
from fortydays.site.play.words import WORDS
from fortydays.study.judgement import Judgement, Kind

KINDS = {
    "reach": "A number is reached",
    "worked": "A number that the recipe was worked on to reach",
    "better": "One is better than another",
    "best": "One is the best of several",
    "same": "It makes no difference, or is no worse",
    "always": "It holds in every seed",
}
"""The kinds of claims, which readers may believe more or less easily."""

_KIND_OF: Mapping[Kind, str] = {
    "threshold": "reach",
    "threshold of best": "reach",
    "comparison": "better",
    "best": "best",
    "equivalent": "same",
    "not worse": "same",
    "in every seed": "always",
}


def make(days: Sequence[FinishedDay]) -> Content | None:
    """Every claim of all days with its verdict, and how often each kind holds.

    Claims of older programs, which do not say of which kind they are, are left out.
    """
    claims = [(each, claim) for each in days for claim in each.results.claims if claim.tested is not None]
    if not claims:
        return None
    counts = {kind: Counter(str(c.verdict) for _, c in claims if kind_of(c) == kind) for kind in KINDS}
    return Content(
        data={"claims": [_told(each, claim) for each, claim in claims], "kinds": KINDS, "words": WORDS},
        values={
            "counts": [(title, counts[kind]) for kind, title in KINDS.items() if counts[kind]],
            "count": len(claims),
            **{word: sum(claim.word == word for _, claim in claims) for word in ("supported", "reached")},
        },
        days=tuple(each.day.number for each in days if each.results.claims),
    )


def _told(each: FinishedDay, claim: Judgement) -> dict[str, Any]:
    """A claim as the page's script takes it."""
    assert claim.tested is not None  # see make
    return {
        "id": f"{each.day.number}-{sha256_of_bytes(claim.claim.encode())[:8]}",
        "day": each.day.number,
        "title": each.day.title,
        "page": each.page,
        "data": each.day.data,
        "promise": each.day.promise,
        "claim": claim.claim,
        "condition": claim.condition,
        "quantity": _shown(claim),
        "kind": kind_of(claim),
        "verdict": str(claim.verdict),
        "demonstration": claim.demonstration,
        "basis": claim_basis(claim),
        "value": claim.value,
        "low": claim.low,
        "high": claim.high,
        "limits": limits_of(claim),
        "bound": claim.bound,
        "above": claim.tested.above,
        "unit": claim.unit,
        "difference": claim.difference,
        "seeds": claim.n,
    }


def _shown(claim: Judgement) -> str:
    """What the drawing of a claim shows."""
    if kind_of(claim) == "always":
        return "smallest to largest of the seeds"
    return "difference, paired by seed" if claim.difference else "mean over the seeds"


def kind_of(claim: Judgement) -> str:
    """Which of :data:`KINDS` a claim is."""
    assert claim.tested is not None  # see make
    return "worked" if claim.demonstration else _KIND_OF[claim.tested.kind]

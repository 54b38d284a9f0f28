"""The page "Guess before it opens": kinds of claims, and what is told of each."""

from typing import Any

import pytest
from made_up_days import finished, made_up

from fortydays.site.play import guess
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
from fortydays.study.samples import Findings

OF_A: dict[str, Any] = {"sentence": "So it is", "metric": "test_accuracy", "variant": "a"}
AMONG: dict[str, Any] = {"sentence": "So it is", "metric": "test_accuracy", "among": ("b", "a > that of each of c")}
TRIALS = {name: {seed: {"test_accuracy": 0.9, "validation_accuracy": 0.9} for seed in range(3)}
          for name in ("a", *AMONG["among"])}  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "kind", "above"),
    [
        (Threshold(**OF_A, at_least=0.9), "reach", True),
        (Threshold(**OF_A, at_most=0.5), "reach", False),
        (ThresholdOfBest(**AMONG, at_least=0.98), "reach", True),
        (Comparison(**OF_A, than="b", direction="above"), "better", True),
        (Comparison(**OF_A, than="b", direction="below", scale=0.5), "better", False),
        (Best(**OF_A, among=AMONG["among"]), "best", True),
        (Equivalent(**OF_A, like="b", within=0.01), "same", None),
        (NotWorse(**OF_A, than="b", within=0.005), "same", True),
        (InEverySeed(**OF_A, at_most=1e-5), "always", False),
        (Threshold(**OF_A, at_least=0.9, demonstration=True), "worked", True),
    ],
)
def test_the_kind_and_the_side_of_a_claim_are_those_of_what_was_tested(
    claim: Claim, kind: str, above: bool | None
) -> None:
    judged = claim.judge(Findings(trials=TRIALS))
    assert guess.kind_of(judged) == kind
    assert judged.tested is not None
    assert judged.tested.above is above
    assert judged.tested.variants == claim.variants


def test_claims_of_older_programs_are_left_out() -> None:
    told = [{**claim, "tested": None} for claim in made_up.evidence()["claims"]]
    assert guess.make([finished(4, claims=told)]) is None
    content = guess.make([finished(4, claims=[made_up.evidence()["claims"][0], *told[1:]])])
    assert content is not None
    assert content.values["count"] == 1


def test_every_claim_is_asked_and_each_is_of_one_kind() -> None:
    days = [finished(1), finished(4)]
    content = guess.make(days)
    assert content is not None
    told = content.data["claims"]
    assert [each["claim"] for each in told] == [claim.claim for day in days for claim in day.results.claims]
    assert len({each["id"] for each in told}) == len(told)
    assert told[-1]["promise"] == "About 98%, with less distance between training and validation."
    assert sum(sum(counts.values()) for _, counts in content.values["counts"]) == content.values["count"] == len(told)
    assert content.days == (1, 4)
    first = {each["kind"]: each["quantity"] for each in reversed(told)}
    assert first["reach"] == "mean over the seeds"
    assert first["better"] == first["same"] == first["best"] == "difference, paired by seed"
    assert first["always"] == "smallest to largest of the seeds"


def test_without_claims_there_is_no_such_page() -> None:
    assert guess.make([]) is None
    assert guess.make([finished(4, claims=[])]) is None

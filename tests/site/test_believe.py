"""The page "Would you have believed it?": claims are made testable again, and its script computes what Python does."""

from dataclasses import replace
from typing import Any

import pytest
from made_up_days import finished, made_up
from made_up_samples import sampled

from fortydays.site.play import believe
from fortydays.site.play.believe import side
from fortydays.site.play.samples import claim_of, sampled_claims
from fortydays.study.claims import Claim, Comparison, Equivalent, NotWorse, Threshold
from fortydays.study.judgement import Verdict
from fortydays.study.samples import Findings

TRIALS = {name: {seed: {"test_accuracy": 0.9 + seed / 100 + more} for seed in range(4)} for name, more in
          (("10 of each", 0.0), ("a > b", 0.02))}  # fmt: skip
OF_BOTH: dict[str, Any] = {"sentence": "So it is", "metric": "test_accuracy", "variant": "10 of each"}


@pytest.mark.parametrize(
    "claim",
    [
        Threshold(**OF_BOTH, at_least=0.91),
        Threshold(**OF_BOTH, at_most=0.95),
        Comparison(**OF_BOTH, than="a > b", direction="below", scale=0.5),
        Comparison(**OF_BOTH, than="a > b", direction="above"),
        NotWorse(**OF_BOTH, than="a > b", within=0.005),
        Equivalent(**OF_BOTH, like="a > b", within=0.01),
    ],
)
def test_a_claim_is_made_again_of_what_was_tested(claim: Claim) -> None:
    assert claim_of(claim.judge(Findings(trials=TRIALS))) == claim


def test_other_kinds_are_left_out_and_so_is_what_is_not_understood() -> None:
    day = finished(4)
    found = [sampled.judgement.claim for sampled in sampled_claims(day.results)]
    others = ("Two layers", "The network with dropout")
    assert found == [each.claim for each in day.results.claims if not each.claim.startswith(others)]
    claims = [each | {"value": (each["value"] or 0) + 0.001} for each in made_up.evidence()["claims"]]
    assert [*sampled_claims(finished(4, claims=claims).results)] == []


def test_one_seed_is_on_a_side_and_has_no_interval() -> None:
    assert side(sampled([0.5]), 0.5)
    assert not side(sampled([0.5]), 0.4999)
    assert side(sampled([0.5], above=False), 0.4)
    assert side(sampled([0.5], above=None), -0.5)
    assert not side(sampled([0.5], above=None), -0.6)


def test_without_scripts_all_choices_are_counted_by_hand() -> None:
    # Five seeds, bound 0.5: three equal values decide, and any interval with 0.1 or 0.2 in it is wide.
    content = believe._counted(sampled([0.6, 0.6, 0.6, 0.1, 0.2]))
    assert (content["count"], content["alone"], content["choices"]) == (5, 3, 10)
    assert content["few"] == {"supported": 1, "refuted": 0, "undecided": 9}


def test_products_are_of_rows_without_their_means() -> None:
    rows = [[1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1]]
    assert believe.products(sampled([0.75, 1.0, 0.5], rows)) == [[0.75], [0.0, 0.0], [0.5, 0.0, 1.0]]
    assert believe.products(sampled([0.75, 1.0])) is None


def test_what_misleads_is_added_up_over_all_claims() -> None:
    def row(verdict: Verdict, alone: int, **few: int) -> dict[str, Any]:
        judgement = replace(sampled([0.5]).judgement, verdict=verdict)
        counts = {"supported": 0, "refuted": 0, "undecided": 0} | few
        return {"claim": judgement, "count": 5, "alone": alone, "choices": 10, "few": counts}

    assert believe._together(
        [
            row(Verdict.SUPPORTED, 4, supported=6, refuted=1, undecided=3),
            row(Verdict.REFUTED, 2, supported=2, refuted=8),
            row(Verdict.UNDECIDED, 3, supported=1, undecided=9),
        ]
    ) == {
        "decided": 2, "seeds": 10, "wrong": 3, "choices": 20, "opposite": 3, "undecided": 3,
        "open": 1, "open_seeds": 5, "open_choices": 10, "open_decided": 1,
    }  # fmt: skip

"""Whether evidence is still true: what makes it stale, and when a fresh run agrees with it."""

import copy
from pathlib import Path
from typing import Any

import pytest

from fortydays.data.library import pinned
from fortydays.study import evidence as documents
from fortydays.study.claims import Threshold
from fortydays.study.code import engine_digest, study_digest
from fortydays.study.design import Study, Variant
from fortydays.study.evidence import results_digest, summarize
from fortydays.study.overviews import MetricOverview
from fortydays.study.verification import agreement, code_changes, stale_parts, within_noise
from fortydays.train.recipe import Recipe

CLAIM = Threshold(sentence="a is good", variant="a", metric="test_accuracy", at_least=0.5)


def trial(variant: str, seed: int, accuracy: float) -> dict[str, Any]:
    return {
        "variant": variant,
        "seed": seed,
        "status": "finished",
        "error": "",
        "metrics": {"test_accuracy": accuracy, "test_loss": 1 - accuracy},
        "train_seconds": 1.0,
        "epochs": 1,
        "best_epoch": 1,
        "weights_digest": "",
        "history": {},
    }


def made_up(study: Path, accuracies: dict[str, list[float]]) -> dict[str, Any]:
    trials = [trial(name, seed, v) for name, values in accuracies.items() for seed, v in enumerate(values)]
    digits = pinned("digits")
    return {
        "dataset": {"name": "digits", "digest": digits.digest, "split_version": digits.split_version, "test": 300},
        "seeds": [0, 1, 2, 3, 4],
        "details": {"a": {}, "b": {}},
        "backend": "tensorflow",
        "code": {
            "study": study_digest(study),
            "engine": engine_digest(),
        },
        "trials": trials,
        "exhibits": [],
        "variants": summarize(trials),
        "claims": [j.as_dict() for j in documents.judge([CLAIM], trials, examples=300)],
        "results_digest": results_digest(trials),
    }


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.py"
    path.write_text("x = 1\n")
    return path


ACCURACIES = {"a": [0.90, 0.91, 0.92], "b": [0.5, 0.5, 0.5]}


@pytest.fixture
def evidence(study: Path) -> dict[str, Any]:
    return made_up(study, ACCURACIES)


def test_evidence_of_today_is_current(evidence: dict[str, Any]) -> None:
    assert stale_parts(evidence, studied()) == []


def test_everything_that_has_changed_is_named(evidence: dict[str, Any]) -> None:
    evidence["details"] = {"b": {}, "a": {}}
    evidence["dataset"]["digest"] = "0" * 64
    evidence["dataset"]["split_version"] = 99
    assert stale_parts(evidence, studied(seeds=(7,))) == [
        "the variants are not those of the study",
        "the seeds are not those of the study",
        "the dataset digits has changed",
        "the splits of digits have changed",
    ]


def test_of_a_study_of_ones_own_the_code_alone_can_be_compared(evidence: dict[str, Any], study: Path) -> None:
    evidence["dataset"] = {"name": "own:pets@0123456789ab", "digest": "0" * 64, "split_version": 1}
    assert code_changes(evidence, study) == []
    study.write_text("x = 2\n")
    assert code_changes(evidence, study) == ["the day's study has changed"]
    evidence["code"]["engine"] = "0" * 64
    assert code_changes(evidence, study)[1:] == ["the training engine has changed"]


def studied(**changes: Any) -> Study:
    def build() -> None: ...

    variants = tuple(Variant(name=name, model=build, recipe=Recipe(epochs=1)) for name in "ab")  # type: ignore[arg-type]
    return Study(title="Made up", dataset="digits", variants=variants, claims=(CLAIM,), **changes)


def test_a_claim_that_was_withdrawn_since_is_noticed_and_has_no_verdict(evidence: dict[str, Any]) -> None:
    withdrawing = studied(withdrawn={CLAIM.sentence: "b cannot learn"})
    assert stale_parts(evidence, withdrawing) == [
        "its verdicts are not what its trials give",
        "its withdrawn claims are not those of the study",
    ]
    evidence |= documents.judgements_of(withdrawing, evidence)
    assert evidence["claims"] == []
    assert evidence["withdrawn"] == [{"claim": "a is good", "reason": "b cannot learn"}]
    assert stale_parts(evidence, withdrawing) == []
    assert stale_parts(evidence, studied())[1:] == ["its withdrawn claims are not those of the study"]


def test_an_overview_that_was_changed_since_is_noticed_and_can_be_made_anew(evidence: dict[str, Any]) -> None:
    def drawing(title: str) -> Study:
        lines = {"both": {"a": 1.0, "b": 2.0}}
        overview = MetricOverview(
            title=title, caption="Means.", metric="test_accuracy", lines=lines, x_label="place", y_from=None
        )
        return studied(first=(overview,))

    evidence = documents.with_overviews(drawing("Before"), evidence)
    assert [exhibit["title"] for exhibit in evidence["exhibits"]] == ["Before"]
    assert stale_parts(evidence, drawing("Before")) == []
    assert stale_parts(evidence, drawing("After")) == ["its overviews are not what the study makes of its trials"]
    assert stale_parts(evidence, studied()) == ["its overviews are not what the study makes of its trials"]
    again = documents.with_overviews(drawing("After"), evidence)
    assert stale_parts(again, drawing("After")) == []
    assert [line["y"] for line in again["exhibits"][0]["lines"]] == [[pytest.approx(0.91), 0.5]]


def test_edited_numbers_are_noticed(evidence: dict[str, Any]) -> None:
    edited = copy.deepcopy(evidence)
    edited["trials"][0]["metrics"]["test_accuracy"] = 0.99
    assert stale_parts(edited, studied()) == [
        "its trials were edited: their digest is not the recorded one",
        "its table is not what its trials give",
        "its verdicts are not what its trials give",
    ]
    edited = copy.deepcopy(evidence)
    edited["variants"]["a"]["test_accuracy"]["mean"] += 0.001
    assert stale_parts(edited, studied()) == ["its table is not what its trials give"]
    del edited["variants"]["b"]
    assert stale_parts(edited, studied()) == ["its table is not what its trials give"]
    edited = copy.deepcopy(evidence)
    edited["claims"][0]["verdict"] = "refuted"
    assert stale_parts(edited, studied()) == ["its verdicts are not what its trials give"]
    edited["claims"] = []
    assert stale_parts(edited, studied()) == ["its verdicts are not what its trials give"]


def test_a_verdict_of_before_there_was_a_field_is_the_same_verdict(evidence: dict[str, Any]) -> None:
    for name in ("seeds_needed", "note"):
        del evidence["claims"][0][name]
    assert stale_parts(evidence, studied()) == []


def test_the_last_digits_of_a_quantile_do_not_make_a_table_stale(evidence: dict[str, Any]) -> None:
    evidence["variants"]["a"]["test_accuracy"]["low"] *= 1 + 1e-13
    assert stale_parts(evidence, studied()) == []


def test_the_same_bits_agree(evidence: dict[str, Any]) -> None:
    found = agreement(evidence, copy.deepcopy(evidence))
    assert found == {
        "agrees": True,
        "same_bits": True,
        "differences": [],
        "agreement": "a fresh run gave the same bits",
    }


def test_a_run_within_the_noise_agrees(evidence: dict[str, Any], study: Path) -> None:
    fresh = made_up(study, {"a": [0.91, 0.915, 0.925], "b": [0.5, 0.5, 0.5]})
    found = agreement(evidence, fresh)
    assert (found["agrees"], found["same_bits"]) == (True, False)
    assert found["agreement"] == "a fresh run agrees within its intervals"


def test_a_run_outside_the_noise_does_not_and_says_where(evidence: dict[str, Any], study: Path) -> None:
    found = agreement(evidence, made_up(study, {"a": [0.60, 0.61, 0.62], "b": [0.5, 0.5, 0.5]}))
    assert not found["agrees"]
    assert found["differences"] == [
        "test_accuracy of a was 0.9100 and is 0.6100",
        "test_loss of a was 0.0900 and is 0.3900",
    ]
    assert found["agreement"] == "; ".join(["a fresh run does not agree", *found["differences"]])


def test_trials_that_fail_now_do_not_agree(evidence: dict[str, Any]) -> None:
    fresh = copy.deepcopy(evidence)
    fresh["results_digest"] = "other bits"
    fresh["trials"][1]["status"] = "failed"
    found = agreement(evidence, fresh)
    assert found["differences"] == ["the trial of a with seed 1 was finished and is failed"]


def test_a_claim_that_is_gone_does_not_agree(evidence: dict[str, Any]) -> None:
    fresh = {**evidence, "results_digest": "other bits", "claims": []}
    assert agreement(evidence, fresh)["differences"] == ["the claim 'a is good' is not made any more"]


def test_one_seed_with_other_bits_cannot_agree(study: Path) -> None:
    one, other = made_up(study, {"a": [0.9]}), made_up(study, {"a": [0.9000001]})
    found = agreement(one, other)
    assert not found["agrees"]
    assert "test_accuracy of a is of one seed, which has no spread to agree within" in found["differences"]


def test_a_variant_that_is_gone_does_not_agree(evidence: dict[str, Any], study: Path) -> None:
    found = agreement(evidence, made_up(study, {"a": ACCURACIES["a"]}))
    assert {"b has no test_accuracy now", "b has no test_loss now"} <= set(found["differences"])
    assert found["differences"][0] == "the trial of b with seed 0 was finished and is absent"


@pytest.mark.parametrize(
    ("before", "now", "agrees"),
    [
        ("supported", "refuted", False),
        ("refuted", "supported", False),
        ("supported", "undecided", True),
        ("undecided", "refuted", True),
        ("supported", "supported", True),
    ],
)
def test_a_verdict_may_become_undecided_but_not_turn(
    before: str, now: str, agrees: bool, evidence: dict[str, Any]
) -> None:
    fresh = copy.deepcopy(evidence)
    fresh["results_digest"] = "other bits"
    evidence["claims"][0]["verdict"], fresh["claims"][0]["verdict"] = before, now
    found = agreement(evidence, fresh)
    assert found["agrees"] is agrees
    assert found["differences"] == ([] if agrees else [f"the verdict on 'a is good' turned to {now}"])


def test_noise_by_hand() -> None:
    def mean_of_five(mean: float, std: float) -> dict[str, Any]:
        return {"mean": mean, "std": std, "n": 5}

    # Equal spreads of sqrt(5 / 2): the difference of the means has a spread of 1 and 8 degrees of freedom, t = 2.306.
    spread = (5 / 2) ** 0.5
    old = mean_of_five(0.0, spread)
    assert within_noise(old, mean_of_five(2.30, spread), confidence=0.95)
    assert not within_noise(old, mean_of_five(2.31, spread), confidence=0.95)
    assert within_noise(old, mean_of_five(2.31, spread), confidence=0.99)
    # Without any spread the means must be equal.
    assert within_noise(mean_of_five(1.0, 0.0), mean_of_five(1.0, 0.0), confidence=0.95)
    assert not within_noise(mean_of_five(1.0, 0.0), mean_of_five(1.0 + 1e-9, 0.0), confidence=0.95)
    # With a spread on one side only, that side's 4 degrees of freedom count, t = 2.776: sqrt(5) / sqrt(5) = 1.
    assert within_noise(mean_of_five(0, 0.0), mean_of_five(2.77, 5**0.5), confidence=0.95)
    assert not within_noise(mean_of_five(0, 0.0), mean_of_five(2.78, 5**0.5), confidence=0.95)
    assert within_noise(mean_of_five(2.77, 5**0.5), mean_of_five(0, 0.0), confidence=0.95)
    assert not within_noise(mean_of_five(2.78, 5**0.5), mean_of_five(0, 0.0), confidence=0.95)


def test_degrees_of_freedom_are_rounded_down() -> None:
    # Welch's are 2.94 here: with 2 of them a difference of 2.777 is within the interval, with 3 one of 2.054.
    old, new = {"mean": 0.0, "std": 1.0, "n": 3}, {"mean": 2.7, "std": 0.5, "n": 3}
    assert within_noise(old, new, confidence=0.95)
    assert not within_noise(old, new | {"mean": 2.8}, confidence=0.95)

"""A verdict that hangs on how it was found is flagged, and one that does not is not."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fortydays.base.errors import UsageError
from fortydays.study import evidence as documents
from fortydays.study.checks import CheckResult
from fortydays.study.claim_checks import changes_since, checks_of
from fortydays.study.claims import Claim, Comparison, NotWorse, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.evidence import judge, judgements_of
from fortydays.tasks.metric import Metric
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=10, batch_size=32)
ABOVE = Comparison(sentence="a is better than b", metric="test_accuracy", variant="a", than="b", direction="above")
SOONER = Comparison(sentence="a is sooner", metric="steps_to_0.8", variant="a", than="b", direction="below")


def trial(variant: str, seed: int, test: float, validation: float = 0.8, **more: Any) -> dict[str, Any]:
    """A trial that rose by 1% in each of its first ten steps, and then no more."""
    return {
        "variant": variant, "seed": seed, "status": "finished", "weights_digest": f"{seed:064}", "epochs": 10,
        "best_epoch": 3,
        "train_seconds": 1.0, "machine": "m",
        "metrics": {"train_accuracy": 0.9, "test_accuracy": test, "validation_accuracy": validation},
        "history": {"step": [1, 2, 3], "epoch": [1, 2, 3], "validation_accuracy": [0.7, 0.8, 0.8]},
        **more,
    }  # fmt: skip


def document(trials: list[dict[str, Any]], **details: dict[str, Any]) -> dict[str, Any]:
    detail = {"recipe": RECIPE.as_dict(), "search": None, "precision": "float32", "parameters": 10}
    names = dict.fromkeys(t["variant"] for t in trials)
    return {
        "day": None,
        "dataset": {"classes": ["x", "y"], "test": 0},
        "trials": trials,
        "details": {name: detail | details.get(name, {}) for name in names},
    }


def judged(claim: Claim, evidence: dict[str, Any], *, targets: tuple[float, ...] = (), **expected: Any) -> Any:
    variants = tuple(
        Variant(name=name, model=lambda: None, recipe=RECIPE, expected=expected.get(name, {}))  # type: ignore[arg-type, return-value]
        for name in evidence["details"]
    )
    study = Study(title="s", dataset="mnist", variants=variants, claims=(claim,), targets=targets)
    found = judgements_of(study, evidence)
    (one,) = found["claims"]
    return one, {check["check"]: check["said"] for check in found["checks"]}, found["checks"]


def pairs(differences: list[float], **more: Any) -> list[dict[str, Any]]:
    """Trials of a and b whose test accuracies differ by so much, seed by seed; the seeds alone spread widely."""
    base = [0.5, 0.6, 0.7, 0.8, 0.9]
    return [
        each
        for seed, difference in enumerate(differences)
        for each in (trial("a", seed, base[seed] + difference, **more), trial("b", seed, base[seed]))
    ]


def test_a_verdict_that_only_the_pairing_gives() -> None:
    # Within each seed a is better by 1.0 to 1.2 points; between seeds both spread by 15.8.
    claim, said, _ = judged(ABOVE, document(pairs([0.01, 0.011, 0.012, 0.011, 0.01])))
    assert claim["verdict"] == "supported"
    assert said["pairing decides"] == "without pairing by seed (Welch) it is undecided (1.08 points against 0)"
    assert "pairing decides" in claim["flags"]


def test_a_difference_that_is_larger_than_all_spread_needs_no_pairing() -> None:
    trials = [trial(v, s, test + s / 1000) for s in range(5) for v, test in (("a", 0.9), ("b", 0.7))]
    _, said, _ = judged(ABOVE, document(trials))
    assert "pairing decides" not in said


def test_a_verdict_that_the_validation_split_does_not_give() -> None:
    above = Threshold(sentence="a has 80%", variant="a", metric="test_accuracy", at_least=0.8)
    found = [trial("a", s, 0.81 + s / 1000, validation=0.78 + s / 1000) for s in range(3)]
    claim, said, _ = judged(above, document(found))
    assert claim["verdict"] == "supported"
    assert said["validation disagrees"] == "on the validation split it is refuted (78.10 points against 80)"
    assert "validation disagrees" in claim["flags"]
    alike = [trial("a", s, 0.81 + s / 1000, validation=0.82 + s / 1000) for s in range(3)]
    assert "validation disagrees" not in judged(above, document(alike))[1]


def rising(at: dict[float, int]) -> dict[str, list[float]]:
    """A history in which each accuracy was seen at its step."""
    return {"step": [*map(float, at.values())], "validation_accuracy": [*at]}


def with_steps(variant: str, seed: int, history: dict[str, list[float]], to: float) -> dict[str, Any]:
    found = trial(variant, seed, 0.8, history=history)
    found["metrics"] |= {"steps_to_0.8": to, "steps_to_0.8_limit": 100.0}
    return found


@pytest.mark.parametrize(
    ("b", "said"),
    [
        # b is at 79% as soon as a is, which is at 79% in step 19.
        ({0.7: 10, 0.79: 19, 0.8: 40, 0.9: 60}, "with a target of 79% it is refuted (0 against 0)"),
        ({0.7: 20, 0.79: 38, 0.8: 40, 0.9: 60}, None),
    ],
)
def test_a_verdict_that_hangs_on_its_target(b: dict[float, int], said: str | None) -> None:
    a = rising({0.7: 10, 0.8: 20, 0.9: 30})
    trials = [
        each for s in range(3) for each in (with_steps("a", s, a, 20 + s), with_steps("b", s, rising(b), 40 + s))
    ]
    claim, found, _ = judged(SOONER, document(trials), targets=(0.8,))
    assert claim["verdict"] == "supported"
    assert found.get("target decides") == said
    assert ("target decides" in claim["flags"]) is (said is not None)


def test_an_undecided_claim_has_no_verdict_to_lose() -> None:
    above = Threshold(sentence="a has 80%", variant="a", metric="test_accuracy", at_least=0.8)
    near = [trial("a", s, (0.79, 0.82, 0.8)[s], validation=0.7 + s / 1000) for s in range(3)]
    claim, said, _ = judged(above, document(near))
    assert claim["verdict"] == "undecided"
    assert not {"pairing decides", "validation disagrees", "target decides"} & said.keys()


@pytest.mark.parametrize(
    ("b", "said"),
    [
        ({"precision": "bfloat16"}, "precision: a float32, b bfloat16"),
        ({"recipe": RECIPE.replace(epochs=20).as_dict()}, "epochs: a 10, b 20"),
        ({"recipe": RECIPE.replace(learning_rate=0.01).as_dict()}, None),  # what is compared, as descriptions tell
    ],
)
def test_what_compared_variants_do_not_share(b: dict[str, Any], said: str | None) -> None:
    claim, found, _ = judged(ABOVE, document(pairs([0.3, 0.31, 0.32, 0.3, 0.31]), b=b))
    assert found.get("unlike variants") == said
    assert ("unlike variants" in claim["flags"]) is (said is not None)


def test_variants_of_two_machines_are_unlike() -> None:
    trials = pairs([0.3, 0.31, 0.32, 0.3, 0.31], machine="n")
    _, found, _ = judged(ABOVE, document(trials))
    assert found["unlike variants"] == "machine: a n, b m"


def test_a_check_of_a_variant_flags_its_claims_unless_the_study_expects_it() -> None:
    trials = [trial("a", s, 0.9 + s / 100) for s in range(3)] + [trial("b", s, 0.5) for s in range(3)]
    reason = {"no spread": "b has nothing that a seed changes"}
    claim, *_ = judged(ABOVE, document(trials))
    assert "no spread" in claim["flags"]
    claim, _, checks = judged(ABOVE, document(trials), b=reason)
    assert "no spread" not in claim["flags"]
    (told,) = (check for check in checks if check["check"] == "no spread")
    assert told["variant"] == "b"
    assert told["expected"] == "b has nothing that a seed changes"


def test_only_a_check_can_be_expected() -> None:
    with pytest.raises(UsageError, match="check 'magic'") as caught:
        Variant(name="a", model=lambda: None, recipe=RECIPE, expected={"magic": "x"})  # type: ignore[arg-type, return-value]
    assert "no spread" in str(caught.value.hint) + caught.value.message


def test_a_verdict_that_validation_only_makes_less_sure_does_not_disagree() -> None:
    above = Threshold(sentence="a has 80%", variant="a", metric="test_accuracy", at_least=0.8)
    wide = [trial("a", s, 0.81 + s / 1000, validation=(0.7, 0.82, 0.95)[s]) for s in range(3)]
    claim, said, _ = judged(above, document(wide))
    assert claim["verdict"] == "supported"
    assert "validation disagrees" not in said


def test_one_variant_that_needs_more_steps_to_a_higher_target_is_no_news() -> None:
    early = Threshold(sentence="a is there in 30 steps", variant="a", metric="steps_to_0.8", at_most=30)
    history = rising({0.7: 10, 0.8: 20, 0.81: 90})
    claim, said, _ = judged(early, document([with_steps("a", s, history, 20 + s) for s in range(3)]), targets=(0.8,))
    assert claim["verdict"] == "supported"
    assert "target decides" not in said


def test_there_is_no_target_above_all_examples() -> None:
    sooner = Comparison(sentence="a is sooner", metric="steps_to_0.995", variant="a", than="b", direction="below")
    a, b = rising({0.9: 10, 0.999: 20}), rising({0.9: 30, 0.999: 40})
    trials = [
        each | {"metrics": {"steps_to_0.995": to + s, "steps_to_0.995_limit": 100.0}}
        for s in range(3)
        for each, to in ((with_steps("a", s, a, 20), 20.0), (with_steps("b", s, b, 40), 40.0))
    ]
    claim, said, _ = judged(sooner, document(trials), targets=(0.995,))
    assert claim["verdict"] == "supported"
    assert "target decides" not in said  # 98.5% says the same, and 100.5% cannot be asked for


def test_a_measure_that_is_called_like_steps_to_a_target_is_none() -> None:
    sooner = Comparison(
        sentence="a collapses sooner", metric="steps_to_collapse", variant="a", than="b", direction="below"
    )
    trials = [
        trial(v, s, 0.8) | {"metrics": {"test_accuracy": 0.8, "steps_to_collapse": steps + s}}
        for s in range(3)
        for v, steps in (("a", 10.0), ("b", 20.0))
    ]
    evidence = document(trials)
    found = checks_of(evidence, [(sooner, j) for j in judge([sooner], trials)], expected={}, declared={})
    assert "target decides" not in {each.check for each in found}


def test_a_drill_whose_metric_begins_like_that_of_the_test_split_has_no_validation() -> None:
    minutes = Metric(name="test_minutes", title="minutes", better="lower")
    claim = NotWorse(sentence="a takes no longer", metric="test_minutes", variant="a", than="b", within=1.0)
    trials = [trial(v, s, 0.8) | {"metrics": {"test_minutes": 1.0 + s / 10}} for s in range(3) for v in "ab"]
    judgements = judge([claim], trials, declared={"test_minutes": minutes})
    found = checks_of(
        document(trials), list(zip([claim], judgements, strict=True)), expected={}, declared={"test_minutes": minutes}
    )
    assert "validation disagrees" not in {each.check for each in found}


def test_checks_that_are_told_only_flag_nothing() -> None:
    stopping = RECIPE.replace(patience=3).as_dict()
    claim, said, _ = judged(ABOVE, document(pairs([0.3, 0.31, 0.32, 0.3, 0.31]), a={"recipe": stopping}))
    assert said["stopping unused"] == "it has a patience of 3, and no trial stopped before epoch 10"
    assert "stopping unused" not in claim["flags"]


def test_a_claim_may_expect_that_its_variants_are_unlike() -> None:
    expected = dataclasses.replace(ABOVE, expected={"unlike variants": "half of the epochs are enough"})
    longer = {"recipe": RECIPE.replace(epochs=20).as_dict()}
    claim, _, checks = judged(expected, document(pairs([0.3, 0.31, 0.32, 0.3, 0.31]), b=longer))
    assert "unlike variants" not in claim["flags"]
    assert [each["expected"] for each in checks if each["check"] == "unlike variants"] == [
        "half of the epochs are enough"
    ]
    with pytest.raises(UsageError, match="check 'magic'"):
        judged(dataclasses.replace(ABOVE, expected={"magic": "x"}), document(pairs([0.3, 0.31])))


# ------------------------------------------------------------------------------------------ changed since the opening


def study_of(names: Iterable[str], claims: tuple[Claim, ...], **withdrawn: str) -> Study:
    variants = tuple(Variant(name=name, model=lambda: None, recipe=RECIPE) for name in names)  # type: ignore[arg-type, return-value]
    return Study(title="s", dataset="mnist", variants=variants, claims=claims, withdrawn=withdrawn)


def first_and_now(*claims: Claim, **changes: Any) -> list[CheckResult]:
    """What is told when ``changes`` come after the first publication of a study of a, b and ABOVE."""
    before = document(pairs([0.3, 0.31]))
    judgements = judge([ABOVE], before["trials"])
    first = {**before, "created": "2026-11-22T10:00:00Z", "claims": [j.as_dict() for j in judgements]}
    now = {**before, "details": before["details"] | changes}
    return changes_since(first, now, study_of(now["details"], claims or (ABOVE,)))


def test_what_stayed_as_it_was_is_not_told() -> None:
    assert first_and_now() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": RECIPE.replace(epochs=20).as_dict()}, "epochs 10 is now 20"),
        ({"parameters": 2_000}, "parameters 10 is now 2000"),
        ({"precision": "bfloat16"}, "precision float32 is now bfloat16"),
        ({"examples": 3}, "examples is now 3"),
        ({"features": {"backbone": "x"}}, "other features"),
        ({"search": {"field": "learning_rate"}}, "searched is now learning_rate"),
    ],
)
def test_a_change_of_a_variant_is_told_with_what_it_was(change: dict[str, Any], said: str) -> None:
    as_before = document(pairs([0.3]))["details"]["a"]
    (told,) = first_and_now(a=as_before | change)
    assert (told.check, told.variant) == ("changed since opening", "a")
    assert told.said == f"not as in the first publication, of 2026-11-22: {said}"


def test_a_new_variant_and_one_that_is_a_drill_now_are_told() -> None:
    as_before = document(pairs([0.3]))["details"]["a"]
    (told,) = first_and_now(c=as_before)
    assert (told.variant, told.said) == ("c", "it was not part of the first publication, of 2026-11-22")
    (told,) = first_and_now(a={"description": "", "group": "", "metrics": []})
    assert told.said.endswith("2026-11-22: a drill")


def test_a_field_that_a_search_chose_both_times_may_differ() -> None:
    before = document(pairs([0.3, 0.31]), a={"search": {"field": "learning_rate"}})
    first = {**before, "created": "2026-11-22T10:00:00Z", "claims": []}
    chosen = before["details"]["a"] | {"recipe": RECIPE.replace(learning_rate=0.5).as_dict()}
    now = {**before, "details": {"a": chosen, "b": before["details"]["b"]}}
    assert changes_since(first, now, study_of("ab", ())) == []


def test_a_claim_that_was_stated_changed_or_dropped_later_is_told() -> None:
    new = Threshold(sentence="a has 80%", variant="a", metric="test_accuracy", at_least=0.8)
    (told,) = first_and_now(ABOVE, new)
    assert (told.claim, told.said) == ("a has 80%", "it was stated after the first publication, of 2026-11-22")
    other = NotWorse(sentence=ABOVE.sentence, metric="test_accuracy", variant="a", than="b", within=0.005)
    (told,) = first_and_now(other)
    assert told.said == (
        "in the first publication, of 2026-11-22, it was tested by: "
        "mean test_accuracy of a > that of b, paired by seed"
    )
    stated, dropped = first_and_now(new)
    assert (stated.claim, dropped.claim) == ("a has 80%", ABOVE.sentence)
    assert dropped.said == "it was part of the first publication, of 2026-11-22, and is neither a claim nor withdrawn"


def test_a_claim_that_is_withdrawn_is_not_told_as_dropped() -> None:
    before = document(pairs([0.3, 0.31]))
    first = {**before, "created": "2026-11-22T10:00:00Z", "claims": [j.as_dict() for j in judge([ABOVE], [])]}
    study = dataclasses.replace(study_of("ab", (ABOVE,)), withdrawn={ABOVE.sentence: "its test is none"})
    assert changes_since(first, before, study) == []


def test_changes_that_the_evidence_tells_flag_the_claim() -> None:
    change = {"check": "changed since opening", "said": "x", "variant": "", "claim": ABOVE.sentence, "expected": ""}
    other = {**change, "claim": "a claim that there is no more"}
    evidence = document(pairs([0.3, 0.31, 0.32, 0.3, 0.31])) | {"changed": [change, other]}
    claim, _, checks = judged(ABOVE, evidence)
    assert "changed since opening" in claim["flags"]
    assert [c for c in checks if c["check"] == "changed since opening"] == [change, other]


def test_trials_that_opened_the_test_split_with_other_recipes_flag_their_variant() -> None:
    evidence = document(pairs([0.3, 0.31, 0.32, 0.3, 0.31])) | {"opened": {"b": 3}}
    claim, said, _ = judged(ABOVE, evidence)
    assert said["changed since opening"] == (
        "3 trials of it with other recipes opened this test split before in this workspace"
    )
    assert "changed since opening" in claim["flags"]


def test_git_tells_when_a_day_was_first_published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    evidence = document(pairs([0.3, 0.31])) | {"day": 1, "request": {"settings": []}}
    first = evidence | {"created": "2026-11-22T10:00:00Z", "claims": []}
    monkeypatch.setattr(documents, "published", lambda: documents.Published(folder=tmp_path))
    monkeypatch.setattr(documents, "first_version", lambda path: json.dumps(first))
    study = study_of("ab", (ABOVE,))
    found = documents.with_changes(study, evidence)
    assert [each["said"] for each in found["changed"]] == ["it was stated after the first publication, of 2026-11-22"]
    assert "changed since opening" in found["claims"][0]["flags"]
    # With a setting of a reader's it is not the day.
    assert "changed" not in documents.with_changes(study, evidence | {"request": {"settings": ["epochs=1"]}})
    # What is no evidence tells nothing, and ends no run.
    for content in ("", "no JSON", "[]", "{}"):
        monkeypatch.setattr(documents, "first_version", lambda path, content=content: content)
        assert "changed" not in documents.with_changes(study, evidence)
    # Where Git tells nothing, what was told before stays.
    monkeypatch.setattr(documents, "first_version", lambda path: None)
    assert documents.with_changes(study, found)["changed"] == found["changed"]
    assert "changed" not in documents.with_changes(study, evidence)

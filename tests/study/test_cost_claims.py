"""Claims on what a network costs: parameters, multiply-adds and seconds of training."""

from typing import Any

import pytest

from fortydays.base.errors import UsageError
from fortydays.report.numbers import claim_value
from fortydays.study.claims import Claim, Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.evidence import judge, judgements_of
from fortydays.study.judgement import Judgement
from fortydays.study.overviews import MetricOverview
from fortydays.study.samples import with_costs
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=10, batch_size=32)
VARIANTS = tuple(Variant(name=name, model=lambda: None, recipe=RECIPE) for name in ("wide", "narrow"))  # type: ignore[arg-type, return-value]


def trial(variant: str, seed: int, seconds: float, status: str = "finished") -> dict[str, Any]:
    metrics = {"test_accuracy": 0.5 + seed / 100} if status == "finished" else {}
    return {
        "variant": variant, "seed": seed, "status": status, "metrics": metrics, "train_seconds": seconds,
        "machine": "m", "weights_digest": f"{seed:064}", "epochs": 10, "best_epoch": 10, "history": {},
    }  # fmt: skip


def judged(claim: Claim, *, multiply_adds: int | None = 25_100_000, epochs: int = 10) -> tuple[Judgement, list[str]]:
    """Of a wide network that trains for 30 s and a narrow one that trains for 20 s, give or take a tenth."""
    study = Study(title="s", dataset="digits", variants=VARIANTS, claims=(claim,))
    detail = {"search": None, "precision": "float32"}
    recipe = RECIPE.as_dict()
    details = {
        "wide": detail | {"recipe": recipe, "parameters": 1_234_567, "multiply_adds": multiply_adds},
        "narrow": detail | {"recipe": recipe | {"epochs": epochs}, "parameters": 4_000, "multiply_adds": 10_100_000},
    }
    trials = [
        trial(name, seed, seconds + seed / 10)
        for name, seconds in (("wide", 30), ("narrow", 20))
        for seed in (0, 1, 2)
    ]
    facts = {"day": None, "dataset": {"classes": ["x", "y"], "test": 100}}
    found = judgements_of(study, facts | {"trials": trials, "details": details})
    (one,) = judge([claim], with_costs(trials, details), examples=100)
    assert found["claims"][0]["verdict"] == one.verdict
    assert trials[0]["metrics"] == {"test_accuracy": 0.5}  # what trials gave stays as it is
    return one, [f"{each['check']}: {each['said']}" for each in found["checks"] if each["claim"]]


def test_a_claim_on_multiply_adds_is_exact_and_its_numbers_are_whole() -> None:
    cheaper = Comparison(
        sentence="Cheaper", metric="multiply_adds", variant="narrow", than="wide", direction="below", scale=0.5
    )
    found, checks = judged(cheaper)
    # 10,100,000 against half of 25,100,000.
    assert (found.verdict, found.value, found.low, found.high) == ("supported", -2_450_000, -2_450_000, -2_450_000)
    assert claim_value(found) == "−2,450,000, with every seed"
    assert found.scope == "these networks; no seed varies it"
    assert not checks


def test_a_bound_on_parameters_is_shown_as_a_number_and_not_as_a_power_of_ten() -> None:
    found, _ = judged(Threshold(sentence="Small", variant="wide", metric="parameters", at_most=1_200_000))
    assert found.verdict == "refuted"
    assert found.condition == "mean parameters of wide ≤ 1,200,000"
    assert claim_value(found) == "1,234,567, with every seed"
    found, _ = judged(Threshold(sentence="Small", variant="narrow", metric="parameters", at_most=4000))
    assert (found.verdict, found.condition) == ("supported", "mean parameters of narrow ≤ 4000")


def test_another_length_of_training_is_no_flaw_of_a_claim_on_parameters() -> None:
    smaller = Comparison(sentence="Smaller", metric="parameters", variant="narrow", than="wide", direction="below")
    assert judged(smaller, epochs=5)[1] == []
    faster = Comparison(sentence="Faster", metric="train_seconds", variant="narrow", than="wide", direction="below")
    assert judged(faster, epochs=5)[1] == ["unlike variants: epochs: narrow 5, wide 10"]


def test_a_claim_on_seconds_has_their_spread_and_says_that_they_are_of_this_machine() -> None:
    faster = Comparison(sentence="Faster", metric="train_seconds", variant="narrow", than="wide", direction="below")
    found, _ = judged(faster)
    assert (found.verdict, found.unit, round(found.value or 0, 6)) == ("supported", "seconds", -10)
    assert found.scope.startswith("these recipes, this machine and what else it did; ")
    slow = Threshold(sentence="Slow", variant="wide", metric="train_seconds", at_least=30.05)
    found, _ = judged(slow)
    assert (found.verdict, found.condition) == ("undecided", "mean train_seconds of wide ≥ 30.05")
    assert claim_value(found).startswith("30.1 s (29.9 to 30.3)") or claim_value(found).startswith("30.10 s")


def test_multiply_adds_that_are_not_known_leave_a_claim_undecided() -> None:
    cheaper = Comparison(sentence="Cheaper", metric="multiply_adds", variant="narrow", than="wide", direction="below")
    found, _ = judged(cheaper, multiply_adds=None)
    assert found.verdict == "undecided"
    assert found.note.startswith("the multiply-adds of wide are not counted")


def test_what_a_network_costs_is_no_metric_of_an_overview() -> None:
    overview = MetricOverview(
        title="Costs", caption="c", metric="multiply_adds", lines={"a": {"wide": 1}}, x_label="m"
    )
    with pytest.raises(UsageError, match="There is no metric 'multiply_adds'"):
        Study(title="s", dataset="digits", variants=VARIANTS, claims=(), exhibits=(overview,))
    with pytest.raises(UsageError, match="multiply_adds"):
        claim = Threshold(sentence="Few", variant="wide", metric="multiply_add", at_most=1)
        Study(title="s", dataset="digits", variants=VARIANTS, claims=(claim,))

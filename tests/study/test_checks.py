"""Each check finds its planted case, and is silent beside it."""

from typing import Any

import pytest

from fortydays.study.checks import CHECKS, Checked, check_variant, checked_variants


def trial(
    seed: int = 0, *, epochs: int = 10, history: dict[str, list[float]] | None = None, **metrics: float
) -> dict[str, Any]:
    """A finished trial whose validation accuracy has long come to rest."""
    rest = {
        "step": [10, 20, 30, 40, 50],
        "epoch": [2, 4, 6, 8, 10],
        "validation_accuracy": [0.5, 0.7, 0.8, 0.8, 0.8],
        "train_accuracy": [0.9] * 5,
    }
    return {
        "variant": "a", "seed": seed, "status": "finished", "weights_digest": f"{seed:064}", "epochs": epochs,
        "best_epoch": epochs // 2 * 2,
        "metrics": {"train_accuracy": 0.9, "test_accuracy": 0.8, **metrics}, "history": rest | (history or {}),
    }  # fmt: skip


def checked(*trials: dict[str, Any], **changes: Any) -> Checked:
    values: dict[str, Any] = {
        "name": "a", "trials": trials, "recipe": {"epochs": 10, "patience": None}, "search": None, "chance": 0.1,
        "test": 10_000,
    }  # fmt: skip
    return Checked(**values | changes)


def said(of: Checked) -> dict[str, str]:
    return {result.check: result.said for result in check_variant(of)}


# Accuracies of sound seeds: they spread by about the binomial error of 10,000 examples.
SOUND = [trial(seed, test_accuracy=v) for seed, v in enumerate((0.797, 0.8, 0.803, 0.801, 0.799))]


def test_a_sound_variant_passes_all_checks() -> None:
    assert check_variant(checked(*SOUND)) == []


def tried(*accuracies: float, at_edge: bool = False, std: float | None = 0.01) -> dict[str, Any]:
    tries = [{"value": v, "validation_accuracy": {"mean": v, "std": std, "n": 4}} for v in accuracies]
    return {"field": "learning_rate", "tries": tries, "at_edge": at_edge}


PLANTED: dict[str, tuple[Checked, str]] = {
    "nothing learned": (
        checked(*(trial(s, train_accuracy=0.144, test_accuracy=0.14 + s / 100) for s in range(3))),
        "its accuracy on its own training examples is 14.4%; expected more than 5.0% above chance, which is 10.0%",
    ),
    "collapsing seeds": (
        checked(*SOUND, trial(5, train_accuracy=0.1, test_accuracy=0.1)),
        "1 of 6 trials learned nothing; the median of the test accuracy is 80.0%, and a mean says little",
    ),
    "outlier": (
        checked(*SOUND, trial(7, test_accuracy=0.75)),
        "seed 7 has 75.0%, far from the median of 80.0%",
    ),
    "no spread": (
        checked(trial(0), trial(1)),
        "all seeds have a test accuracy of exactly 80.0%, which cannot tell them apart",
    ),
    "small spread": (
        checked(*(trial(s, test_accuracy=0.8 + s / 10_000) for s in range(3))),
        "the seeds differ by 0.01 points (standard deviation). Other 10,000 test examples would differ by 0.40 "
        "points, so more seeds do not make the accuracy much surer",
    ),
    "not converged": (
        checked(
            *(dict(t, history={**t["history"], "validation_accuracy": [0.5, 0.6, 0.7, 0.75, 0.76]}) for t in SOUND)
        ),
        "its validation accuracy still rises by 1.00 points in the last fifth of training; "
        "expected at most 0.50 points",
    ),
    "stopping unused": (
        checked(*SOUND, recipe={"epochs": 10, "patience": 3}),
        "it has a patience of 3, and no trial stopped before epoch 10",
    ),
    "lagging averages": (
        checked(*(dict(t, metrics={**t["metrics"], "train_accuracy": 0.8}) for t in SOUND)),
        "after training, its accuracy on training examples is 10.00 points lower than it was during training. "
        "The averages of batch normalization may lag behind",
    ),
    "search at its edge": (
        checked(*SOUND, search=tried(0.9, 0.8, at_edge=True)),
        "the best learning rate is the smallest or the largest that was tried",
    ),
    "search within noise": (
        checked(*SOUND, search=tried(0.8, 0.806, 0.7)),
        "the two best values of learning rate are 0.60 points apart, which is less than the standard error of this "
        "difference, 0.71 points",
    ),
}

PLANTED |= {
    "dead units": (
        checked(
            *(
                dict(t, dead_units={"ReLU 1": {"early": 0.0, "end": 0.5}, "ReLU 2": {"early": 0.6, "end": end}})
                for t, end in zip(SOUND, (0.7, 0.8, 0.9, 1.0, 0.6), strict=True)
            )
        ),
        "of the units of the layer 'ReLU 2', 60.0% after 100 steps and 80.0% at the end give 0 for every example; "
        "expected at most 50.0% (layers with more: 1 of 2)",
    ),
    "inputs not standardized": (
        checked(*SOUND, standardized={"deviation": 2e-5, "smallest": 1e-5, "largest": 3e-5, "any_scale": None}),
        "its inputs have a deviation of 2e-05 after the layer that standardizes them, and their columns one of 1e-05 "
        "to 3e-05; expected 1 within 0.05",
    ),
    "depends on scale": (
        checked(*SOUND, standardized={"deviation": 1.0, "smallest": 0.96, "largest": 1.04, "any_scale": False}),
        "the features times 1e-9 do not give the same after the layer that standardizes them; expected a layer for "
        "which their scale does not matter",
    ),
    "cannot learn": (
        checked(*SOUND, fits={"accuracy": 0.144, "examples": 500, "steps": 1500}),
        "trained on 500 of its own training examples alone for 1,500 steps, it knows 14.4% of them; expected at least "
        "90.0%",
    ),
}


def test_every_check_has_its_planted_case() -> None:
    assert tuple(PLANTED) == CHECKS


@pytest.mark.parametrize("check", CHECKS)
def test_a_planted_case_is_found_and_told_with_its_numbers(check: str) -> None:
    of, expected = PLANTED[check]
    assert said(of)[check] == expected


def test_what_a_study_expects_is_told_with_its_reason() -> None:
    of, _ = PLANTED["nothing learned"]
    (result,) = [
        r for r in check_variant(of, expected={"nothing learned": "a control"}) if r.check == "nothing learned"
    ]
    assert result.said.endswith("which is 10.0%")
    assert result.expected == "a control"


@pytest.mark.parametrize(
    "of",
    [
        checked(trial(0)),  # one seed has no spread and no outlier
        checked(*SOUND, search=tried(0.9, 0.8)),
        checked(*SOUND, search=tried(0.9, std=None)),
        checked(*SOUND, trial(5, epochs=4, test_accuracy=0.8), recipe={"epochs": 10, "patience": 3}),
        checked(*(dict(t, history={}) for t in SOUND)),
        checked(*(dict(t, dead_units={"ReLU 1": {"early": 0.9, "end": 0.5}}) for t in SOUND)),
        checked(*SOUND, standardized={"deviation": 1.0, "smallest": 0.96, "largest": 1.04, "any_scale": True}),
        checked(*SOUND, standardized={"deviation": 1.0, "smallest": 0.96, "largest": 1.04, "any_scale": None}),
        checked(*SOUND, fits={"accuracy": 0.9, "examples": 500, "steps": 1500}),
    ],
)
def test_beside_the_planted_cases_nothing_is_said(of: Checked) -> None:
    assert check_variant(of) == []


def test_dead_units_of_short_trials_are_told_of_the_end_alone() -> None:
    of = checked(*(dict(t, dead_units={"ReLU 1": {"early": None, "end": 1.0}}) for t in SOUND))
    assert said(of)["dead units"].startswith("of the units of the layer 'ReLU 1', 100.0% at the end give 0")


def test_a_network_whose_training_breaks_off_cannot_learn() -> None:
    of = checked(*SOUND, fits={"accuracy": None, "examples": 500, "steps": 0})
    assert said(of)["cannot learn"] == (
        "trained on 500 of its own training examples alone, its loss stops being a number; "
        "expected that it learns them"
    )


def test_drills_are_not_checked_and_trials_that_failed_are_counted() -> None:
    evidence = {
        "dataset": {"classes": ["x", "y"], "test": 300},
        "details": {"a": {"recipe": {}, "search": None, "fits": {"accuracy": 1.0}}},
        "trials": [trial(0), dict(trial(1), status="failed"), dict(trial(2), variant="drill", weights_digest="")],
    }
    (only,) = checked_variants(evidence)
    assert ([t["seed"] for t in only.trials], only.failed, only.chance, only.test) == ([0], 1, 0.5, 300)
    assert (only.standardized, only.fits) == (None, {"accuracy": 1.0})
    assert checked_variants({**evidence, "dataset": None}) == []
    (uneven,) = checked_variants({**evidence, "dataset": {**evidence["dataset"], "largest_class": 0.9}})
    assert uneven.chance == 0.9


def test_trials_that_failed_are_among_those_that_collapsed_and_count_as_guesses() -> None:
    found = said(checked(trial(0, test_accuracy=0.8), trial(1, train_accuracy=0.1, test_accuracy=0.2), failed=2))
    assert found["collapsing seeds"] == (
        "3 of 4 trials learned nothing (2 failed); the median of the test accuracy is 15.0%, and a mean says little"
    )


def test_seeds_that_gave_the_same_weights_vary_nothing() -> None:
    alike = [dict(trial(s), weights_digest="ab" * 32) for s in range(3)]
    assert said(checked(*alike))["no spread"] == "all seeds gave the same weights, so they vary nothing"


def test_equal_seeds_and_one_beside_them_by_an_example_are_no_outlier() -> None:
    # 90 of 100 four times, and 91 once: Grubbs' statistic of such is the largest there is, however near the fifth is.
    near = [trial(s, test_accuracy=0.91 if s == 4 else 0.9) for s in range(5)]
    assert "outlier" not in said(checked(*near, test=100))
    far = [trial(s, test_accuracy=0.7 if s == 4 else 0.9) for s in range(5)]
    assert said(checked(*far, test=100))["outlier"].startswith("seed 4 has 70.0%")


def test_where_one_class_is_almost_all_a_perfect_network_has_learned() -> None:
    assert "nothing learned" not in said(checked(*(trial(s, train_accuracy=1.0) for s in range(3)), chance=0.96))
    assert "nothing learned" in said(checked(*(trial(s, train_accuracy=0.97) for s in range(3)), chance=0.96))


def test_the_epoch_that_was_kept_is_compared_and_not_the_last_one() -> None:
    history = {"train_accuracy": [0.7, 0.8, 0.9, 0.95, 0.99]}
    stopped = [dict(trial(s, history=history), best_epoch=6) for s in range(3)]
    assert "lagging averages" not in said(checked(*stopped))
    assert "lagging averages" in said(checked(*(dict(t, best_epoch=10) for t in stopped)))


def test_the_best_epoch_that_is_the_last_says_that_more_may_be_better() -> None:
    found = said(checked(*SOUND, recipe={"epochs": 10, "patience": 3}))
    assert found["not converged"] == "the best epoch of each trial is the last one, 10, so more epochs may be better"


def test_fewer_than_five_points_have_no_last_fifth() -> None:
    few = {"step": [10, 20], "epoch": [5, 10], "validation_accuracy": [0.5, 0.9], "train_accuracy": [0.9, 0.9]}
    assert "not converged" not in said(checked(*(trial(s, history=few) for s in range(3))))


def test_after_a_second_round_only_its_values_are_compared() -> None:
    def one(mean: float, n: int) -> dict[str, Any]:
        return {"value": mean, "validation_accuracy": {"mean": mean, "std": 0.02, "n": n}}

    search = {"field": "learning_rate", "tries": [one(0.9, 2), one(0.8, 6), one(0.801, 6)], "at_edge": False}
    assert "0.10 points apart" in said(checked(*SOUND, search=search))["search within noise"]


def test_who_learns_from_as_many_examples_of_each_class_has_the_chance_of_who_guesses() -> None:
    evidence = {
        "dataset": {"classes": ["x", "y"], "test": 300, "largest_class": 0.9},
        "details": {"a": {"recipe": {}, "search": None, "examples": 10}},
        "trials": [trial(0)],
    }
    (found,) = checked_variants(evidence)
    assert found.chance == 0.5

"""Some variants of a day are trained anew, and the published trials of the others stay."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_study

from fortydays.base.errors import UsageError
from fortydays.study.claims import Comparison
from fortydays.study.design import Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.evidence import judgements_of
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.identity import identity_of_study
from fortydays.study.joining import check_joinable, joined, with_probes
from fortydays.study.overviews import CurveOverview, SplitOverview
from fortydays.study.plan import Request
from fortydays.study.runner import run_study
from fortydays.study.seal import sealed

LINEAR = Variant(name="linear", model=tiny_study.linear, recipe=tiny_study.RECIPE)
HIDDEN = Variant(name="hidden", model=tiny_study.hidden, recipe=tiny_study.RECIPE.replace(epochs=1))
LONGER = dataclasses.replace(HIDDEN, recipe=tiny_study.RECIPE.replace(epochs=3))


def study_of(*variants: Variant, **fields: Any) -> Study:
    return Study(
        **{
            "title": "Two", "dataset": "digits", "variants": variants, "seeds": (0, 1),
            "claims": (
                Comparison(
                    sentence="Hidden units help", metric="test_accuracy", variant="hidden", than="linear",
                    direction="above",
                ),
            ),
            "first": (
                CurveOverview(
                    title="Losses", caption="Both.", variants=("linear", "hidden"), fields=("train_loss",),
                    y_label="loss",
                ),
                confusion_matrix(variant="linear"),
            ),
            "exhibits": (
                SplitOverview(title="Splits", caption="Both.", variants=("linear", "hidden")),
                confusion_matrix(variant="hidden"),
            ),
        } | fields
    )  # fmt: skip


BEFORE, NOW = study_of(LINEAR, HIDDEN), study_of(LINEAR, LONGER)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What is published; a run of the study of now, whole, and of its changed variant alone; and settings."""
    home = tmp_path_factory.mktemp("joining")
    settings = tiny_study.settings(home)

    def run(study: Study, *only: str) -> dict[str, Any]:
        source = tiny_study.source(study, path=Path(__file__))
        return run_study(source, Request(only=only, publish=True), settings, progress=tiny_study.Watch(), fresh=True)[
            1
        ]

    published = run(BEFORE)
    identity = identity_of_study(BEFORE, published["details"], seed=0, settings=settings)
    return SimpleNamespace(
        published=sealed(published | {"identity": identity}),
        whole=run(NOW),
        alone=run(NOW, "hidden"),
        published_alone=run(NOW, "linear"),
        settings=settings,
    )


def test_only_what_has_changed_is_trained_and_the_evidence_is_that_of_a_whole_run(ran: Any) -> None:
    check_joinable(NOW, ran.published, ["hidden"], ran.settings)
    together = joined(NOW, ran.published, ran.alone)
    for name in ("results_digest", "claims", "checks", "exhibits", "seeds", "request", "dataset"):
        assert together[name] == ran.whole[name], name
    for name, detail in ran.whole["details"].items():
        assert together["details"][name] == detail
        # Seconds differ from run to run.
        assert together["variants"][name] | {"train_seconds": None} == ran.whole["variants"][name] | {
            "train_seconds": None
        }
    assert [(t["variant"], t["seed"]) for t in together["trials"]] == [
        ("linear", 0), ("linear", 1), ("hidden", 0), ("hidden", 1),
    ]  # fmt: skip
    assert together["claims"] == judgements_of(NOW, together)["claims"]
    assert together["kept"] == {"linear": ran.published["run_id"]}
    assert together["run_id"] == ran.alone["run_id"]
    assert together["seconds"]["training"] == sum(t["train_seconds"] for t in together["trials"])
    assert together["seconds"]["total"] > ran.alone["seconds"]["total"]


def test_trials_that_stay_say_where_they_were_trained(ran: Any) -> None:
    elsewhere = ran.published | {
        "machine": {**ran.published["machine"], "cpu_model": "Other", "cores": 4, "system": "Linux x"},
        "trials": [{k: v for k, v in t.items() if k != "machine"} for t in ran.published["trials"]],
    }
    together = joined(NOW, elsewhere, ran.alone)
    assert [t["machine"] for t in together["trials"][:2]] == ["Other, 4 cores, Linux x"] * 2
    assert together["trials"][2]["machine"] == ran.alone["trials"][0]["machine"]
    assert any("Other" in c["said"] for c in together["checks"] if c["check"] == "unlike variants")


def test_what_was_looked_at_more_often_needs_more_to_decide_when_it_is_joined(ran: Any) -> None:
    once = joined(NOW, ran.published, ran.alone)
    more = joined(NOW, ran.published | {"looks": 2}, ran.alone | {"looks": 1})
    assert (once["looks"], more["looks"]) == (0, 2)
    (few,), (many,) = once["claims"], more["claims"]
    assert many["low"] < few["low"] < few["high"] < many["high"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset": {"digest": "ab" * 32}}, "The dataset digits is not the one of the published trials."),
        ({"dataset": {"test": 299}}, "The dataset digits is not the one of the published trials."),
        ({"packages": {"numpy": "0.1"}, "threads": 7}, "The published trials had other packages and threads."),
    ],
)
def test_trials_of_other_data_packages_or_threads_do_not_stay(ran: Any, changes: dict[str, Any], said: str) -> None:
    other = {k: {**ran.published[k], **v} if isinstance(v, dict) else v for k, v in changes.items()}
    with pytest.raises(UsageError) as refused:
        check_joinable(NOW, ran.published | other, ["hidden"], ran.settings)
    assert refused.value.message == said


def test_what_stayed_once_keeps_the_name_of_its_run(ran: Any) -> None:
    again = joined(NOW, joined(NOW, ran.published, ran.alone), ran.alone | {"run_id": "later"})
    assert again["kept"] == {"linear": ran.published["run_id"]}


THIRD = Variant(name="third", model=tiny_study.linear, recipe=tiny_study.RECIPE)


@pytest.mark.parametrize(
    ("study", "trained", "said", "hint"),
    [
        (study_of(LINEAR, HIDDEN, THIRD), ["hidden"], "The published evidence has no third.", "--only 'third'"),
        (study_of(LINEAR, LONGER, seeds=(0, 1, 2)), ["hidden"], "have 2 seeds that are not those", "Train the whole"),
        (
            study_of(LINEAR, LONGER, exhibits=()),
            ["linear"],
            "The study has 0 exhibits of 'hidden', and the published evidence has 1.",
            "--only 'hidden'",
        ),
        (
            study_of(dataclasses.replace(LINEAR, recipe=LINEAR.recipe.replace(learning_rate=0.02)), LONGER),
            ["hidden"],
            "The published trials of other variants are stale: the learning rates changed: linear",
            "Train the whole",
        ),
    ],
)
def test_where_the_others_cannot_stay_nothing_is_trained(
    ran: Any, study: Study, trained: list[str], said: str, hint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        check_joinable(study, ran.published, trained, ran.settings)
    assert said in refused.value.message
    assert hint in (refused.value.hint or "")


def test_a_control_that_stays_and_was_not_probed_is_probed_without_training_its_trials(ran: Any) -> None:
    details = {
        name: {field: value for field, value in detail.items() if field not in ("fits", "standardized")}
        for name, detail in ran.published["details"].items()
    }
    unprobed = sealed(ran.published | {"details": details})
    check_joinable(NOW, unprobed, ["hidden"], ran.settings)
    source = tiny_study.source(NOW, path=Path(__file__))
    watch = tiny_study.Watch()
    found = with_probes(source, unprobed, ["hidden"], ran.settings, watch)
    assert watch.tasks == ["checking that linear can learn"]
    assert found["details"]["linear"] == ran.published["details"]["linear"]
    assert found["details"]["hidden"] == details["hidden"]
    assert found["trials"] == ran.published["trials"]
    together = joined(NOW, found, ran.alone)
    assert (together["claims"], together["checks"]) == (ran.whole["claims"], ran.whole["checks"])

    # What was probed is not probed again.
    watch = tiny_study.Watch()
    assert with_probes(source, ran.published, ["hidden"], ran.settings, watch) == ran.published
    assert watch.tasks == []


def test_evidence_that_was_edited_does_not_stay(ran: Any) -> None:
    edited = ran.published | {"exhibits": [e | {"caption": "Other."} for e in ran.published["exhibits"]]}
    with pytest.raises(UsageError) as refused:
        check_joinable(NOW, edited, ["hidden"], ran.settings)
    assert refused.value.message == (
        "The published evidence cannot stay: it was edited: the seal does not fit its exhibits."
    )


def test_without_evidence_all_is_trained(ran: Any) -> None:
    with pytest.raises(UsageError, match="no published evidence that the other variants could stay in"):
        check_joinable(NOW, None, ["hidden"], ran.settings)


def test_the_variants_of_a_draft_are_published_one_after_the_other(ran: Any) -> None:
    check_joinable(NOW, None, ["hidden"], ran.settings, unfinished=True)
    first = joined(NOW, {}, ran.alone)
    assert list(first["details"]) == ["hidden"]
    assert [e["kind"] for e in first["exhibits"]] == ["matrix"]
    assert first["claims"][0]["verdict"] == "undecided"
    identity = identity_of_study(NOW, first["details"], seed=0, settings=ran.settings, only=["hidden"])
    published = sealed(first | {"identity": identity})
    check_joinable(NOW, published, ["linear"], ran.settings, unfinished=True)
    both = joined(NOW, published, ran.published_alone)
    assert list(both["details"]) == ["linear", "hidden"]
    for name in ("results_digest", "claims", "exhibits"):
        assert both[name] == ran.whole[name], name


def test_a_drill_does_not_stay(ran: Any) -> None:
    drill = Drill(name="count", do=lambda bench: {"n": 1.0}, metrics=("n",))
    with pytest.raises(UsageError) as refused:
        check_joinable(study_of(LINEAR, LONGER, drills=(drill,)), ran.published, ["hidden"], ran.settings)
    assert refused.value.message.startswith("The trials of drills cannot be compared")
    assert refused.value.hint == "Carry them out too: --only 'count'."
    check_joinable(study_of(LINEAR, LONGER, drills=(drill,)), ran.published, ["hidden", "count"], ran.settings)

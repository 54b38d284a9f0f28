"""The evidence document: its table, its digests, its outline, and what is no evidence."""

import copy
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from fortydays.base.errors import FortydaysError, StorageError
from fortydays.study import evidence as documents
from fortydays.study.claims import Threshold
from fortydays.study.evidence import (
    judge,
    outline,
    read_evidence,
    results_digest,
    summarize,
    with_defaults,
)
from fortydays.study.samples import findings_of
from fortydays.train.recipe import Recipe


def trial(variant: str, seed: int, status: str = "finished", **metrics: float | None) -> dict[str, Any]:
    finished = status == "finished"
    return {
        "variant": variant,
        "seed": seed,
        "status": status,
        "error": "" if finished else "it broke",
        "metrics": dict(metrics) if finished else {},
        "train_seconds": 1.0 + seed,
        "epochs": 2,
        "best_epoch": 2,
        "weights_digest": f"{variant}{seed}" if finished else "",
        "history": {"step": [1, 2], "validation_loss": [0.5, 0.25], "seconds": [0.1, 0.2]} if finished else {},
    }


TRIALS = [
    trial("a", 0, test_accuracy=0.5, steps_to_x=10.0, steps_to_x_limit=40.0, seconds_to_x=1.0),
    trial("a", 1, test_accuracy=0.75, steps_to_x=None, steps_to_x_limit=40.0, seconds_to_x=None),
    trial("b", 0, test_accuracy=0.25),
    trial("b", 1, status="failed"),
    trial("c", 0, status="failed"),
]


def measured(accuracy: float, loss: float, *, seed: int) -> dict[str, Any]:
    return trial("a", seed, validation_accuracy=accuracy, validation_loss=loss, test_accuracy=1 - accuracy)


def test_the_best_trial_is_best_on_the_validation_split_and_of_equals_has_the_smaller_loss() -> None:
    failed = trial("a", 9, status="failed")
    lower, lossy, best, later = (
        measured(accuracy, loss, seed=seed)
        for seed, (accuracy, loss) in enumerate([(0.9, 0.1), (0.92, 0.4), (0.92, 0.2), (0.92, 0.2)])
    )
    assert documents.best_trial([failed, lower, lossy, best, later]) is best
    assert documents.best_trial([later, best]) is later  # the first, where nothing tells them apart
    assert documents.best_trial([failed]) is None


def test_the_published_model_of_day_4_is_the_one_that_is_registered() -> None:
    # Two trials have the same validation accuracy there, and seed 0 has the smaller loss.
    evidence = documents.published().read(4)
    assert evidence is not None
    best = documents.best_trial(evidence["trials"])
    assert best is not None
    assert (best["variant"], best["seed"]) == ("plain", 0)


def test_every_published_exhibit_is_of_the_best_trial_of_its_variant() -> None:
    for day in range(1, 11):
        evidence = documents.published().read(day)
        assert evidence is not None
        for exhibit in evidence["exhibits"]:
            if not exhibit["variant"]:  # of all trials
                assert exhibit["kind"] == "lines"
                continue
            best = documents.best_trial([t for t in evidence["trials"] if t["variant"] == exhibit["variant"]])
            assert best is not None
            assert exhibit["seed"] == best["seed"], (day, exhibit["title"])


def test_the_table_has_the_mean_of_every_metric_over_the_finished_trials() -> None:
    table = summarize(TRIALS)
    assert list(table) == ["a", "b"]
    accuracy = table["a"]["test_accuracy"]
    assert (accuracy["mean"], accuracy["n"]) == (0.625, 2)
    assert accuracy["std"] == pytest.approx(0.125 * math.sqrt(2))
    assert table["a"]["train_seconds"]["mean"] == 1.5
    assert table["a"]["epochs"]["mean"] == 2
    assert table["b"]["test_accuracy"] == {"mean": 0.25, "std": None, "low": None, "high": None, "n": 1}


def test_a_target_that_was_not_always_reached_has_no_mean() -> None:
    assert set(summarize(TRIALS)["a"]) == {"test_accuracy", "train_seconds", "epochs"}
    assert summarize(TRIALS[:1])["a"]["steps_to_x"]["mean"] == 10.0
    assert "steps_to_x_limit" not in summarize(TRIALS[:1])["a"]


def test_claims_see_the_finished_trials_only() -> None:
    assert findings_of(TRIALS).trials.keys() == {"a", "b"}
    assert findings_of(TRIALS).trials["b"].keys() == {0}
    claim = Threshold(sentence="s", variant="b", metric="test_accuracy", at_least=0.1)
    assert [j.n for j in judge([claim, claim], TRIALS)] == [1, 1]


def changed(change: Any) -> str:
    trials = copy.deepcopy(TRIALS)
    change(trials)
    return results_digest(trials)


def test_the_results_digest_ignores_times_and_order() -> None:
    before = results_digest(TRIALS)
    assert len(before) == 64

    def other_times(trials: list[Any]) -> None:
        for t in trials:
            t["train_seconds"] = 99.0
            t["resumed_from_epoch"] = 1
        trials[0]["history"]["seconds"] = [5.0, 6.0]
        trials[0]["metrics"]["seconds_to_x"] = 7.0
        trials[0]["metrics"]["predict_seconds"] = 8.0
        trials.reverse()

    assert changed(other_times) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t[0]["metrics"].update(test_accuracy=math.nextafter(0.5, 1)),
        lambda t: t[0]["metrics"].update(steps_to_x=None),
        lambda t: t[0]["metrics"].update(another=0.0),
        lambda t: t[0]["history"]["validation_loss"].__setitem__(1, math.nextafter(0.25, 0)),
        lambda t: t[0].update(weights_digest="other"),
        lambda t: t[0].update(seed=5),
        lambda t: t[0].update(right="gA=="),
        lambda t: t[0].update(dead_units={"hidden": {"early": None, "end": 0.5}}),
        lambda t: t[0].update(variant="z"),
        lambda t: t[3].update(status="finished"),
        lambda t: t.pop(),
    ],
)
def test_the_results_digest_changes_with_every_bit(change: Any) -> None:
    assert changed(change) != results_digest(TRIALS)


def test_the_outline_leaves_out_histories_and_exhibits() -> None:
    document = {"title": "T", "exhibits": [1, 2], "trials": copy.deepcopy(TRIALS)}
    short = outline(document)
    assert set(short) == {"title", "trials"}
    assert all("history" not in t and t["status"] for t in short["trials"])
    assert document["trials"] == TRIALS
    assert document["exhibits"] == [1, 2]


def test_packages_a_result_depends_on_are_named_with_their_versions() -> None:
    found = documents.package_versions()
    assert found["keras"].startswith("3.")
    assert "pytest" not in found


def written(folder: Path, content: Any) -> Path:
    path = folder / "evidence.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


WHOLE = {
    "schema_version": 1, "title": "T", "dataset": {}, "seeds": [], "trials": [], "variants": {}, "claims": []
}  # fmt: skip


def test_evidence_is_read(tmp_path: Path) -> None:
    assert read_evidence(written(tmp_path, WHOLE)) == WHOLE


def test_evidence_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Could not read"):
        read_evidence(tmp_path / "none.json")
    with pytest.raises(StorageError, match="expected a JSON object, found list"):
        read_evidence(written(tmp_path, [1]))
    with pytest.raises(FortydaysError, match="has evidence schema version 2; this version of fortydays reads 1"):
        read_evidence(written(tmp_path, {**WHOLE, "schema_version": 2}))
    with pytest.raises(FortydaysError, match="has evidence schema version None"):
        read_evidence(written(tmp_path, {}))
    broken = {name: value for name, value in WHOLE.items() if name not in ("trials", "claims")}
    with pytest.raises(StorageError, match="is damaged: it has no trials, claims"):
        read_evidence(written(tmp_path, broken))
    path = tmp_path / "cut.json"
    path.write_text('{"schema_version": 1')
    with pytest.raises(StorageError, match="is damaged: it is not JSON"):
        read_evidence(path)


def test_published_evidence_is_found_by_its_day(tmp_path: Path) -> None:
    published = documents.Published(folder=tmp_path)
    assert published.read(2) is None
    written(tmp_path, WHOLE).rename(published.path(2))
    assert published.path(2).name == "day02.json"
    assert published.read(2) == WHOLE


def test_a_recipe_of_a_document_gets_its_later_fields_in_their_order_and_loses_none() -> None:
    found = with_defaults(Recipe, {"batch_size": 8, "of another version": 1, "epochs": 3})
    names = [field.name for field in dataclasses.fields(Recipe)]
    assert [name for name in found if name in names] == [name for name in names if name in found]
    assert (found["epochs"], found["batch_size"], found["clip_norm"], found["of another version"]) == (3, 8, 0.0, 1)

import dataclasses
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from tracked_runs import (
    DIGEST,
    begin_run,
    end_run,
    end_trial,
    finished_run,
    made_up_settings,
    made_up_trial,
    with_uri,
    with_workspace,
)

from fortydays.base import files
from fortydays.base.errors import StorageError, TrackingError
from fortydays.base.settings import Settings
from fortydays.study.runs import RunFolder, RunState, list_runs
from fortydays.track import record as records
from fortydays.track.content import HISTORY_COLUMNS
from fortydays.track.store import Store, UnreachableError, destination, open_store
from fortydays.track.sync import Synced, sync

EXPERIMENT = "fortydays/day02-activations"


@pytest.fixture
def settings(emptied: tuple[Settings, Store]) -> Settings:
    return emptied[0]


@pytest.fixture
def store(emptied: tuple[Settings, Store]) -> Store:
    return emptied[1]


def runs_of(store: Store, name: str = EXPERIMENT) -> list[Any]:
    experiment = store.client.get_experiment_by_name(name)
    return list(store.client.search_runs([experiment.experiment_id]))


def parent_of(store: Store) -> Any:
    (parent,) = [r for r in runs_of(store) if "mlflow.parentRunId" not in r.data.tags]
    return parent


def children_of(store: Store) -> dict[str, Any]:
    parent = parent_of(store).info.run_id
    return {
        r.data.tags["fortydays.trial"]: r for r in runs_of(store) if r.data.tags.get("mlflow.parentRunId") == parent
    }


def points_of(store: Store, run: Any, metric: str) -> list[tuple[int, float]]:
    history = store.client.get_metric_history(run.info.run_id, metric)
    return [(point.step, point.value) for point in history]


def files_of(store: Store, run: Any, folder: str | None = None) -> list[str]:
    return sorted(each.path for each in store.client.list_artifacts(run.info.run_id, folder))


def everything_in(store: Store) -> list[Any]:
    """All that a reader of the tracker can see, in an order of its own."""
    return sorted(
        (
            r.info.run_id,
            r.info.status,
            sorted(r.data.tags.items()),
            sorted(r.data.params.items()),
            sorted((name, points_of(store, r, name)) for name in r.data.metrics),
            [(d.dataset.name, d.dataset.digest) for d in r.inputs.dataset_inputs],
            files_of(store, r),
        )
        for r in runs_of(store)
    )


def test_what_mlflow_shows_of_a_run_is_all_that_is_worth_knowing(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    done = sync(run, store)
    parent, children = parent_of(store), children_of(store)
    # The run is a parent, its trials are children.
    assert done == Synced(outcome="sent", trials=4, parent=parent.info.run_id)
    assert parent.info.run_name == run.run_id
    assert parent.data.tags["fortydays.run_id"] == run.run_id
    assert sorted(children) == ["relu-seed0", "relu-seed1", "sigmoid-seed0", "sigmoid-seed1"]
    assert {child.info.status for child in [parent, *children.values()]} == {"FINISHED"}
    assert len(runs_of(store)) == 5
    # A trial has its history with the steps,
    child, history = children["relu-seed1"], made_up_trial("relu", 1)["history"]
    for column in HISTORY_COLUMNS:
        assert points_of(store, child, column) == list(zip(history["step"], history[column], strict=True)), column
    # its final numbers apart from the history,
    metrics = child.data.metrics
    assert metrics["test_accuracy"] == 0.91
    assert metrics["train_seconds"] == 2.0
    assert metrics["final_validation_accuracy"] == 0.95  # 0.625 is the last point of the history
    assert metrics["steps_to_0.95_limit"] == 20
    assert "steps_to_0.95" not in metrics  # never reached
    # and its recipe, seed and dataset.
    child = children["sigmoid-seed0"]
    assert child.data.params == {
        "variant": "sigmoid",
        "seed": "0",
        "epochs": "2",
        "batch_size": "32",
        "optimizer": "adam",
        "learning_rate": "0.001",
        "precision": "float32",  # what "auto" came to
        "model_parameters": "101770",
        "threads": "2",
        "backend": "tensorflow",
        "dataset": "mnist",
        "dataset_digest": DIGEST,
    }
    (given,) = child.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("mnist", DIGEST[:36])  # MLflow keeps no more
    # The parent has claims, facts and files.
    tags = parent.data.tags
    assert tags["claim.1"] == "ReLU is more accurate than sigmoid"
    assert (tags["claim.1.verdict"], tags["claim.2.verdict"]) == ("supported", "refuted")
    assert tags["package.keras"] == "3.15.1"
    assert tags["machine.cpu_model"] == "made up"
    assert tags["code.engine"] == "e"
    assert parent.data.params["dataset_digest"] == DIGEST
    assert parent.data.metrics["relu/test_accuracy"] == 0.905
    assert (parent.data.metrics["relu/test_accuracy_low"], parent.data.metrics["relu/test_accuracy_high"]) == (
        0.84,
        0.97,
    )
    assert files_of(store, parent) == ["evidence.json", "model"]
    assert files_of(store, parent, "model") == ["model/model.keras"]
    artifacts = next(settings.workspace.glob("mlartifacts/fortydays/day02-activations/*/artifacts"))
    assert (artifacts / "evidence.json").read_bytes() == run.evidence.read_bytes()
    assert (artifacts / "model" / "model.keras").read_bytes() == b"a model"


def test_a_study_of_ones_own_has_an_experiment_by_its_name(settings: Settings, store: Store) -> None:
    sync(begin_run(settings, day=None, name="mine"), store)
    assert len(runs_of(store, "fortydays/mine")) == 1


def test_a_second_sync_changes_nothing(settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = finished_run(settings)
    first = sync(run, store)
    before, record = everything_in(store), run.tracking.read_bytes()

    def refuse(*_arguments: object, **_named: object) -> None:
        raise AssertionError("something was sent again")

    for name in ("create_run", "log_batch", "log_inputs", "set_tag", "set_terminated", "update_run"):
        monkeypatch.setattr(store.client, name, refuse)
    assert sync(run, store) == Synced(outcome="already there", trials=0, parent=first.parent)
    assert everything_in(store) == before
    assert run.tracking.read_bytes() == record


@pytest.mark.parametrize("record", ["missing", "damaged", "of an older version"])
def test_what_is_there_is_found_again_without_the_record(settings: Settings, store: Store, record: str) -> None:
    run = finished_run(settings)
    sync(run, store)
    before = everything_in(store)
    if record == "missing":
        run.tracking.unlink()
    elif record == "damaged":
        run.tracking.write_text('{"schema_version": 2, "destination": "work', "utf-8")
    else:
        files.write_json(run.tracking, {"schema_version": 1, "destinations": {}, "sender": {}})
    assert sync(run, store).outcome == "already there"
    assert everything_in(store) == before
    assert records.is_sent(run, store.destination)


def test_what_an_older_version_sent_is_not_there_twice(settings: Settings, store: Store) -> None:
    run = finished_run(settings, variants=("relu",))
    sync(run, store)
    before = everything_in(store)
    for each in runs_of(store):
        store.client.delete_tag(each.info.run_id, "fortydays.sent")
    assert sync(run, store).outcome == "sent"
    assert everything_in(store) == before


class KilledError(Exception):
    pass


@pytest.mark.parametrize("call", range(1, 14))
def test_killed_before_any_call_nothing_is_there_twice(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    run = finished_run(settings, variants=("relu",))
    calls = iter(range(1, 100))

    def dying(really: Any) -> Any:
        def call_it(*arguments: Any, **named: Any) -> Any:
            if next(calls) == call:
                raise KilledError
            return really(*arguments, **named)

        return call_it

    with monkeypatch.context() as patch:
        for name in ("create_run", "log_batch", "log_inputs", "set_tag", "set_terminated"):
            patch.setattr(store.client, name, dying(getattr(store.client, name)))
        with pytest.raises(KilledError):
            sync(run, store)
    assert not records.is_sent(run, store.destination)
    assert sync(run, store).outcome == "sent"
    children = children_of(store)
    assert sorted(children) == ["relu-seed0", "relu-seed1"]
    assert len(runs_of(store)) == 3
    assert points_of(store, children["relu-seed0"], "train_loss") == [(10, 2.0), (20, 1.0)]
    assert sync(run, store).outcome == "already there"


def test_two_syncs_at_once_do_no_harm(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: sync(run, store), range(4)))
    assert sorted(each.outcome for each in done) == ["already there"] * 3 + ["sent"]
    assert len(runs_of(store)) == 5


def test_a_sync_that_waits_for_another_one_says_so(settings: Settings, store: Store) -> None:
    run, said = finished_run(settings), list[str]()
    holds, waits = Event(), Event()

    def hold() -> None:
        with files.locked(run.path / "track.lock"):
            holds.set()
            waits.wait(60)

    def told(line: str) -> None:
        said.append(line)
        waits.set()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        holds.wait()
        assert sync(run, store, waiting=told).outcome == "sent"
    assert said == [f"Waiting for another process that sends {run.run_id}: another process."]


def test_a_run_under_way_grows_with_its_trials(settings: Settings, store: Store) -> None:
    run = begin_run(settings)
    with files.locked(run.lock):
        sync(run, store)
        assert parent_of(store).info.status == "RUNNING"
        assert children_of(store) == {}
        end_trial(run, "relu", 0)
        assert sync(run, store).trials == 1
        child = children_of(store)["relu-seed0"]
        assert child.info.status == "FINISHED"
        assert child.data.params["learning_rate"] == "0.001"  # before there is evidence
        assert "precision" not in child.data.params  # what "auto" comes to is known in the evidence
        assert parent_of(store).info.status == "RUNNING"
    end_run(run)
    assert not records.is_sent(run, store.destination)
    assert sync(run, store).trials == 1
    assert parent_of(store).info.status == "FINISHED"
    assert records.is_sent(run, store.destination)
    assert children_of(store)["relu-seed0"].data.params["precision"] == "float32"


def test_a_searched_recipe_waits_for_the_evidence(settings: Settings, store: Store) -> None:
    run = begin_run(settings)
    files.write_json(run.path / "searches" / "relu.json", {"tries": []})
    end_trial(run, "relu", 0)
    sync(run, store)
    assert "learning_rate" not in children_of(store)["relu-seed0"].data.params


def test_an_interrupted_run_is_killed_and_opened_again_when_it_goes_on(settings: Settings, store: Store) -> None:
    run = begin_run(settings)
    end_trial(run, "relu", 0)
    sync(run, store)  # nobody holds its lock
    assert parent_of(store).info.status == "KILLED"
    with files.locked(run.lock):
        sync(run, store)
        assert parent_of(store).info.status == "RUNNING"
    end_trial(run, "relu", 1)
    end_run(run)
    sync(run, store)
    assert parent_of(store).info.status == "FINISHED"
    assert len(runs_of(store)) == 3


def test_a_failed_trial_fails_itself_and_its_run(settings: Settings, store: Store) -> None:
    run = begin_run(settings)
    end_trial(run, "relu", 0)
    end_trial(run, "sigmoid", 0, failed=True)
    end_run(run, state=RunState.FAILED)
    sync(run, store)
    child = children_of(store)["sigmoid-seed0"]
    assert child.info.status == "FAILED"
    assert child.data.tags["error"] == "The loss stopped being a number."
    assert child.data.metrics == {}
    assert children_of(store)["relu-seed0"].info.status == "FINISHED"
    assert parent_of(store).info.status == "FAILED"


@pytest.mark.slow
def test_another_destination_gets_it_all(settings: Settings, store: Store, tmp_path: Any) -> None:
    run = finished_run(settings)
    sync(run, store)
    other = open_store(destination(made_up_settings(tmp_path / "other")))
    assert sync(run, other).trials == 4
    assert len(runs_of(other)) == 5
    assert sync(run, store).outcome == "already there"


def test_a_destination_that_forgot_gets_it_all_again(settings: Settings, store: Store, tmp_path: Any) -> None:
    run = finished_run(settings)
    sync(run, store)
    experiment = store.client.get_experiment_by_name(EXPERIMENT).experiment_id
    for each in runs_of(store):
        store.client._tracking_client.store._hard_delete_run(each.info.run_id)
    assert store.client.search_runs([experiment]) == []
    assert sync(run, store).trials == 4
    assert len(runs_of(store)) == 5


def test_what_was_deleted_there_stays_deleted(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    sync(run, store)
    for each in runs_of(store):
        store.client.delete_run(each.info.run_id)
    assert sync(run, store).outcome == "deleted there"
    assert runs_of(store) == []
    assert records.is_sent(run, store.destination)


def test_a_deleted_experiment_is_named_with_the_way_back(settings: Settings, store: Store) -> None:
    sync(finished_run(settings), store)
    store.client.delete_experiment(store.client.get_experiment_by_name(EXPERIMENT).experiment_id)
    with pytest.raises(TrackingError, match=f"The experiment '{EXPERIMENT}' has been deleted") as caught:
        sync(begin_run(settings), store)
    assert "mlflow experiments restore" in caught.value.hint


def test_a_damaged_result_is_left_to_the_study(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    run.trial("relu-seed0").result.write_text("{", "utf-8")
    assert sync(run, store).trials == 3


def test_names_that_mlflow_refuses_are_made_fit(settings: Settings, store: Store) -> None:
    run = begin_run(settings)
    trial = made_up_trial("relu", 0)
    trial["metrics"] = {"share of dead units (%)": 0.5}
    files.write_json(run.trial("relu-seed0").result, trial)
    sync(run, store)
    assert children_of(store)["relu-seed0"].data.metrics["share of dead units ___"] == 0.5


def test_a_long_history_is_sent_whole_in_calls_that_a_server_takes(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.utils.validation import MAX_METRICS_PER_BATCH

    sent: list[int] = []
    really_log = store.client.log_batch

    def log_batch(run_id: str, *, metrics: list[Any], **words: Any) -> None:
        sent.append(len(metrics))
        really_log(run_id, metrics=metrics, **words)

    # Only a server has the limit; the store of this test would take more.
    monkeypatch.setattr(store.client, "log_batch", log_batch)
    run = begin_run(settings)
    trial = made_up_trial("relu", 0)
    count = 450
    trial["history"] = {name: [float(i) for i in range(count)] for name in trial["history"]}
    trial["history"]["step"] = list(range(count))
    files.write_json(run.trial("relu-seed0").result, trial)
    sync(run, store)
    child = children_of(store)["relu-seed0"]
    assert points_of(store, child, "learning_rate") == [(i, float(i)) for i in range(count)]
    assert sum(sent) > 5 * count > 2 * MAX_METRICS_PER_BATCH
    assert max(sent) <= MAX_METRICS_PER_BATCH
    assert len(sent) < 10  # and not one by one


@pytest.mark.slow
def test_a_sync_loads_no_training_framework(settings: Settings) -> None:
    run: RunFolder = finished_run(settings)
    code = (
        "import sys\nfrom pathlib import Path\nfrom fortydays.base.settings import read_settings\n"
        "from fortydays.study.runs import RunFolder\nfrom fortydays.track.sync import sync\n"
        "from fortydays.track.store import destination, open_store\n"
        "sync(RunFolder(path=Path(sys.argv[1])), open_store(destination(read_settings())))\n"
        "print([name for name in ('keras', 'tensorflow', 'sklearn') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.path)],
        env={**os.environ, "FORTYDAYS_HOME": str(settings.workspace)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_a_damaged_evidence_is_named(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    run.evidence.write_text("{", "utf-8")
    with pytest.raises(StorageError, match=r"evidence\.json"):
        sync(run, store)


def test_a_result_without_what_it_is_to_have_is_named(settings: Settings, store: Store) -> None:
    run = begin_run(settings)
    files.write_json(run.trial("relu-seed0").result, {})
    with pytest.raises(StorageError, match=r"A result or the evidence in .* is damaged \(KeyError: 'status'\)"):
        sync(run, store)


def test_a_server_that_goes_away_is_told_as_such(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    where = destination(with_uri(settings, "http://127.0.0.1:9"))
    from mlflow.tracking import MlflowClient

    gone = dataclasses.replace(store, destination=where, client=MlflowClient(tracking_uri=where.uri))
    with pytest.raises(UnreachableError, match="cannot be reached"):
        sync(begin_run(settings), gone)


def test_a_moved_workspace_knows_what_its_store_has(tmp_path: Path, empty_store: Path) -> None:
    settings = made_up_settings(tmp_path / "here")
    settings.workspace.mkdir()
    shutil.copy(empty_store, settings.workspace / "mlflow.db")
    sent = sync(finished_run(settings), open_store(destination(settings)))
    moved = with_workspace(settings, settings.workspace.rename(settings.workspace.with_name("moved")))
    (run,) = list_runs(moved.runs)
    assert records.is_sent(run, destination(moved))
    elsewhere = open_store(destination(moved))
    assert sync(run, elsewhere) == Synced(outcome="already there", trials=0, parent=sent.parent)
    (artifact,) = (moved.workspace / "mlartifacts").rglob("evidence.json")
    assert sent.parent in artifact.parts


def test_a_copied_workspace_with_other_times_sends_nothing_again(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    sync(run, store)
    for trial in run.trials():
        os.utime(trial.result, (1, 1))
    run.tracking.unlink()
    assert sync(run, store).outcome == "already there"


def test_what_went_wrong_is_told_until_it_is_made_good(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    assert records.trouble(run) == ""
    records.failed(run, TrackingError("It broke.", hint="Send it."))
    records.write(run, notes=["A store was set aside."])
    assert records.trouble(run) == "A store was set aside.\nNot tracked: It broke.\nSend it."
    sync(run, store)
    assert records.trouble(run) == ""


@pytest.mark.parametrize("notes", [None, "x", 7])
def test_a_damaged_record_tells_nothing_wrong(settings: Settings, notes: object) -> None:
    run = begin_run(settings)
    records.failed(run, TrackingError("It broke."))
    files.write_json(run.tracking, {**records.read(run), "notes": notes})
    assert records.trouble(run) == ""

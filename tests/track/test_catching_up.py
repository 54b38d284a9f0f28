import dataclasses
from pathlib import Path

import pytest
from tracked_runs import begin_run, end_trial, finished_run, with_uri, with_workspace

from fortydays.base import files
from fortydays.base.errors import TrackingError
from fortydays.base.settings import Settings
from fortydays.study.runs import list_runs
from fortydays.track import record as records
from fortydays.track import sync as module
from fortydays.track.mirror import mirror
from fortydays.track.store import Store, UnreachableError, destination, open_store
from fortydays.track.sync import Synced, left_open, reconcile, sync


def statuses(store: Store) -> list[str]:
    experiments = [e.experiment_id for e in store.client.search_experiments()]
    return sorted(run.info.status for run in store.client.search_runs(experiments))


def test_what_is_missing_is_sent_once(settings: Settings, store: Store) -> None:
    first, second = finished_run(settings), finished_run(settings, variants=("relu",))
    assert list(sync([first, second], store)) == [
        Synced(run_id=first.run_id, outcome="sent", trials=4),
        Synced(run_id=second.run_id, outcome="sent", trials=2),
    ]
    assert [each.outcome for each in sync([first, second], store)] == ["already there", "already there"]
    assert statuses(store) == ["FINISHED"] * 8


def test_what_went_wrong_is_told_until_it_is_made_good(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    assert records.trouble(run) == ""
    told = {"state": "failed", "error": "It broke.", "hint": "Send it.", "notes": ["A store was set aside."], "pid": 1}
    records.write(run, {**records.read(run), "sender": told})
    assert records.trouble(run) == "A store was set aside.\nNot tracked: It broke.\nSend it."
    assert [each.outcome for each in sync([run], store)] == ["sent"]
    assert records.trouble(run) == ""


@pytest.mark.parametrize("notes", [None, "x", 7])
def test_a_damaged_account_of_it_tells_nothing_wrong(settings: Settings, notes: object) -> None:
    run = begin_run(settings)
    records.write(run, {**records.read(run), "sender": {"state": "sending", "error": "", "notes": notes}})
    assert records.trouble(run) == ""


def test_a_run_that_is_being_sent_is_left_to_its_sender(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    with records.sending(run, timeout=0):
        assert [each.outcome for each in sync([run], store)] == ["being sent by another process"]
    assert statuses(store) == []


def test_a_run_deleted_there_is_left_so(settings: Settings, store: Store) -> None:
    run = begin_run(settings)
    list(sync([run], store))
    store.client.delete_run(records.entry(records.read(run), store.destination.shown)["parent"])
    assert [each.outcome for each in sync([run], store)] == ["deleted there"]


def test_one_unreadable_run_does_not_stop_the_others(settings: Settings, store: Store) -> None:
    broken, sound = finished_run(settings), finished_run(settings)
    broken.evidence.write_text("{", "utf-8")
    failed, sent = sync([broken, sound], store)
    assert failed.outcome == "failed"
    assert str(broken.evidence) in failed.reason
    assert sent.outcome == "sent"


@pytest.mark.slow
def test_after_a_damaged_store_everything_is_sent_again(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    list(sync([run], store))
    store.client._tracking_client.store.engine.dispose()  # as the end of that process would
    (settings.workspace / "mlflow.db").write_bytes(b"this is no database")
    again = open_store(destination(with_uri(settings, "")))
    assert len(again.notes) == 1
    assert list(sync([run], again)) == [Synced(run_id=run.run_id, outcome="sent", trials=4)]


def test_only_runs_told_as_running_that_are_not_are_left_open(settings: Settings, store: Store) -> None:
    dead, alive, ended, never = begin_run(settings), begin_run(settings), finished_run(settings), begin_run(settings)
    with files.locked(dead.lock):
        mirror(dead, store)
    mirror(ended, store)
    with files.locked(alive.lock):
        mirror(alive, store)
        assert [run.run_id for run in left_open(settings)] == [dead.run_id]
    assert never.run_id not in [run.run_id for run in left_open(settings)]


def test_what_was_left_open_is_closed(settings: Settings, store: Store) -> None:
    run = begin_run(settings)
    with files.locked(run.lock):
        mirror(run, store)
    end_trial(run, "relu", 0)
    assert statuses(store) == ["RUNNING"]
    assert reconcile(settings) == [Synced(run_id=run.run_id, outcome="sent", trials=1)]
    assert statuses(store) == ["FINISHED", "KILLED"]
    assert left_open(settings) == []


def test_where_nothing_was_left_open_the_tracker_is_not_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "open_store", None)
    finished_run(settings)
    assert reconcile(settings) == []


def test_a_tracker_that_is_gone_ends_the_catching_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match="cannot be reached"):
        open_store(destination(with_uri(settings, "http://127.0.0.1:9")))


def test_looking_at_what_was_left_open_changes_no_file(settings: Settings, store: Store) -> None:
    run = begin_run(settings)
    with files.locked(run.lock):
        mirror(run, store)
    before = _content(run.path)
    left_open(settings)
    assert _content(run.path) == before


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_one_run_that_the_tracker_refuses_does_not_stop_the_others(settings: Settings, store: Store) -> None:
    refused, damaged = begin_run(settings, name="one"), begin_run(settings, name="two")
    sound = begin_run(settings, name="three")
    store.client.delete_experiment(store.client.create_experiment("fortydays/day02-one"))
    files.write_json(damaged.trial("relu-seed0").result, {})
    first, second, third = sync([refused, damaged, sound], store)
    assert (first.outcome, second.outcome, third.outcome) == ("failed", "failed", "sent")
    assert "The experiment 'fortydays/day02-one' has been deleted" in first.reason
    assert "mlflow experiments restore" in first.reason
    assert str(damaged.path) in second.reason
    assert "KeyError: 'variant'" in second.reason


def test_a_server_that_goes_away_stops_the_catching_up(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    where = destination(with_uri(settings, "http://127.0.0.1:9"))
    from mlflow.tracking import MlflowClient

    gone = dataclasses.replace(store, destination=where, client=MlflowClient(tracking_uri=where.uri))
    with pytest.raises(UnreachableError, match="cannot be reached"):
        list(sync([begin_run(settings), begin_run(settings)], gone))


def test_a_moved_workspace_knows_what_its_store_has(settings: Settings, store: Store) -> None:
    run = finished_run(settings)
    assert [each.outcome for each in sync([run], store)] == ["sent"]
    moved = with_workspace(settings, settings.workspace.rename(settings.workspace.with_name("moved")))
    (again,) = list_runs(moved.runs)
    elsewhere = open_store(destination(moved))
    assert [each.outcome for each in sync([again], elsewhere)] == ["already there"]
    entry = records.entry(records.read(again), destination(moved).shown)
    (artifact,) = (moved.workspace / "mlartifacts").rglob("evidence.json")
    assert entry["parent"] in artifact.parts

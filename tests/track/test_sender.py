import contextlib
import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tracked_runs import begin_run, end_run, end_trial, with_uri

from fortydays.base import files
from fortydays.base.settings import Settings
from fortydays.study.runs import RunFolder
from fortydays.track import record as records
from fortydays.track import sender as module
from fortydays.track.sender import Sender
from fortydays.track.store import destination, open_store


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for descriptor in (read, write):
        with contextlib.suppress(OSError):
            os.close(descriptor)


@pytest.fixture
def ended() -> Iterator[int]:
    """What a sender sees of a process that is done."""
    read, write = os.pipe()
    os.close(write)
    yield read
    os.close(read)


def told(run: RunFolder) -> dict[str, Any]:
    return dict(records.read(run)["sender"])


def status_of(run: RunFolder, settings: Settings) -> str:
    client = open_store(destination(settings)).client
    entry = records.entry(records.read(run), destination(settings).shown)
    return str(client.get_run(entry["parent"]).info.status)


def test_the_end_of_a_finished_run_is_told(settings: Settings, ended: int) -> None:
    run = begin_run(settings)
    end_trial(run, "relu", 0)
    end_run(run)
    assert Sender(run, settings).serve(ended) == 0
    assert status_of(run, settings) == "FINISHED"
    assert told(run)["state"] == "sent"
    assert "Sent 1 trial and the evidence; FINISHED." in (run.path / "track.log").read_text("utf-8")


def test_a_pipe_that_breaks_means_that_the_run_was_killed(settings: Settings, ended: int) -> None:
    run = begin_run(settings)
    assert Sender(run, settings).serve(ended) == 0
    assert status_of(run, settings) == "KILLED"


def test_a_run_that_says_it_is_done_but_not_how_was_interrupted(settings: Settings, ended: int) -> None:
    run = begin_run(settings)
    with files.locked(run.lock):  # its process still lives, waiting for the sender
        assert Sender(run, settings).serve(ended) == 0
    assert status_of(run, settings) == "KILLED"


def test_what_is_new_in_the_folder_is_sent_without_being_told(settings: Settings, pipe: tuple[int, int]) -> None:
    run = begin_run(settings)
    with files.locked(run.lock):
        thread = threading.Thread(target=Sender(run, settings).serve, args=(pipe[0],))
        thread.start()
        try:
            _until(lambda: records.entry(records.read(run), destination(settings).shown)["status"] == "RUNNING")
            end_trial(run, "relu", 0)
            _until(lambda: "relu-seed0" in records.entry(records.read(run), destination(settings).shown)["trials"])
        finally:
            os.close(pipe[1])
            thread.join()
    assert status_of(run, settings) == "KILLED"


def test_a_server_that_is_not_there_is_reported_and_sync_is_named(
    settings: Settings, ended: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = begin_run(settings)
    assert Sender(run, with_uri(settings, "http://reader:hunter2@127.0.0.1:9")).serve(ended) == 1
    assert told(run)["state"] == "failed"
    assert told(run)["error"] == "The tracking server http://127.0.0.1:9 cannot be reached: no connection."
    assert "forty sync" in told(run)["hint"]
    kept = "".join(path.read_text("utf-8") for path in (run.tracking, run.path / "track.log"))
    assert "127.0.0.1:9" in kept
    assert "hunter2" not in kept
    assert "reader" not in kept


@pytest.mark.slow
def test_a_store_set_aside_is_noted_for_the_reader(settings: Settings, ended: int) -> None:
    (settings.workspace / "mlflow.db").write_bytes(b"this is no database")
    run = begin_run(settings)
    assert Sender(run, settings).serve(ended) == 0
    (note,) = told(run)["notes"]
    assert "was damaged" in note


def test_a_defect_is_kept_in_the_log(settings: Settings, ended: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError("an unexpected one")

    monkeypatch.setattr(module, "mirror", defect)
    run = begin_run(settings)
    assert Sender(run, settings).serve(ended) == 1
    assert told(run)["error"] == "Tracking stopped on an unexpected error (ZeroDivisionError)."
    assert "an unexpected one" in (run.path / "track.log").read_text("utf-8")


def test_a_sender_closes_what_a_dead_one_left_open(settings: Settings, ended: int) -> None:
    other = begin_run(settings)
    with files.locked(other.lock):
        from fortydays.track.mirror import mirror

        mirror(other, open_store(destination(settings)))
    assert status_of(other, settings) == "RUNNING"  # its study and its sender died with the machine
    run = begin_run(settings)
    assert Sender(run, settings).serve(ended) == 0
    assert status_of(other, settings) == "KILLED"
    assert other.run_id in (run.path / "track.log").read_text("utf-8")


def test_the_record_is_json_that_says_when(settings: Settings, ended: int) -> None:
    run = begin_run(settings)
    Sender(run, settings).serve(ended)
    record = json.loads(run.tracking.read_text("utf-8"))
    assert record["schema_version"] == 1
    assert list(record["destinations"]) == [destination(settings).shown]
    assert record["updated"].endswith("Z")


def _until(condition: Any) -> None:
    for _ in range(600):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not happen within 30 s")

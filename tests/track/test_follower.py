"""What follows a run while it is trained, what becomes of it, and what the reader hears of it at the end."""

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tracked_runs import begin_run, end_run, end_trial, finished_run, with_uri

from fortydays.base import files
from fortydays.base.errors import TrackingError
from fortydays.base.settings import Settings
from fortydays.study.runs import RunFolder
from fortydays.track import follower as module
from fortydays.track import record as records
from fortydays.track.follower import TrackingListener, follow
from fortydays.track.store import destination, open_store
from fortydays.track.sync import sync

PATIENCE = 200.0
"""Seconds to wait for a process on a busy machine."""


def statuses(settings: Settings) -> list[str]:
    """Of all runs that the workspace's store has; asked without MLflow, which takes a second to open it."""
    with contextlib.closing(sqlite3.connect(settings.workspace / "mlflow.db", timeout=20)) as connection:
        return sorted(status for (status,) in connection.execute("SELECT status FROM runs"))


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE:g} s"
        time.sleep(0.05)


def is_sent(run: RunFolder, settings: Settings) -> bool:
    return records.is_sent(run, destination(settings))


# ------------------------------------------------------------------------------------------------- in this process


def test_the_end_of_a_finished_run_is_told(settings: Settings) -> None:
    run = begin_run(settings)
    end_trial(run, "relu", 0)
    end_run(run)
    follow(run, settings)
    assert statuses(settings) == ["FINISHED", "FINISHED"]
    assert is_sent(run, settings)


def test_a_run_whose_process_is_gone_was_killed(settings: Settings) -> None:
    follow(begin_run(settings), settings)
    assert statuses(settings) == ["KILLED"]


def test_what_is_new_in_the_folder_is_sent_until_the_run_ends(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_LOOKS", 0.05)
    run = begin_run(settings)
    with files.locked(run.lock):
        thread = threading.Thread(target=follow, args=(run, settings))
        thread.start()
        wait_until(lambda: statuses(settings) == ["RUNNING"])
        end_trial(run, "relu", 0)
        wait_until(lambda: statuses(settings) == ["FINISHED", "RUNNING"])
        assert thread.is_alive()
    thread.join()
    assert statuses(settings) == ["FINISHED", "KILLED"]


def test_a_server_that_is_not_there_is_reported_and_sync_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = begin_run(settings)
    follow(run, with_uri(settings, "http://reader:hunter2@127.0.0.1:9"))
    told = records.trouble(run)
    assert told.startswith("Not tracked: The tracking server http://127.0.0.1:9 cannot be reached: no connection.\n")
    assert "forty sync" in told
    kept = run.tracking.read_text("utf-8")
    assert "hunter2" not in kept
    assert "reader" not in kept


@pytest.mark.slow
def test_a_store_set_aside_is_noted_for_the_reader(settings: Settings) -> None:
    (settings.workspace / "mlflow.db").write_bytes(b"this is no database")
    run = begin_run(settings)
    follow(run, settings)
    assert "was damaged" in records.trouble(run)
    assert statuses(settings) == ["KILLED"]


def test_a_defect_is_kept_in_the_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def defect(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError("an unexpected one at http://reader:hunter2@host")

    monkeypatch.setattr(module, "sync", defect)
    run = begin_run(settings)
    follow(run, settings)
    assert records.trouble(run) == (
        "Not tracked: Tracking stopped on an unexpected error (ZeroDivisionError).\n"
        f"Details are in {run.path / 'track.log'}"
    )
    printed = capsys.readouterr().err  # which the process has in the log
    assert "an unexpected one" in printed
    assert "hunter2" not in printed


def test_a_run_that_died_with_its_machine_is_caught_up_and_an_untracked_one_is_not(settings: Settings) -> None:
    dead, untracked, alive = begin_run(settings), begin_run(settings), begin_run(settings)
    with files.locked(dead.lock):
        sync(dead, open_store(destination(settings)))
    assert statuses(settings) == ["RUNNING"]
    records.write(alive, destination="workspace")
    run = finished_run(settings, variants=("relu",), seeds=1)
    with files.locked(alive.lock):
        follow(run, settings)
    assert statuses(settings) == ["FINISHED", "FINISHED", "KILLED"]
    assert is_sent(dead, settings)
    assert not is_sent(alive, settings)  # its own follower sends it
    assert not untracked.tracking.exists()


def test_another_run_that_cannot_be_sent_stops_nothing(settings: Settings) -> None:
    damaged = finished_run(settings)
    records.write(damaged, destination="workspace")
    damaged.evidence.write_text("{", "utf-8")
    run = finished_run(settings, variants=("relu",), seeds=1)
    follow(run, settings)
    assert is_sent(run, settings)
    assert "evidence.json" in records.trouble(damaged)


# ------------------------------------------------------------------------------------ with the real process behind it


def test_nothing_is_started_where_tracking_is_off(settings: Settings) -> None:
    run, command = begin_run(settings), TrackingListener(settings, enabled=False)
    command.started(run)
    assert command.trouble() == []
    assert command.follower is None
    assert command.run == run
    assert not records.is_wanted(run)


def test_a_follower_that_cannot_start_is_told_and_no_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.sys, "executable", "/nowhere/python")
    command = TrackingListener(settings)
    command.started(begin_run(settings))
    (line,) = command.trouble()
    assert "could not be started: No such file or directory" in line
    assert "forty sync" in line


def test_an_address_that_cannot_be_used_is_told_and_no_error(settings: Settings) -> None:
    command = TrackingListener(with_uri(settings, "./mlruns"))
    command.started(begin_run(settings))
    (line,) = command.trouble()
    assert line.startswith("Not tracked: MLFLOW_TRACKING_URI is './mlruns'; expected an MLflow server")


def test_what_went_wrong_the_last_time_is_not_told_of_this_one(settings: Settings) -> None:
    run, command = begin_run(settings), TrackingListener(settings)
    records.failed(run, TrackingError("It broke."))
    with files.locked(run.lock):
        command.started(run)
        assert command.trouble() == []
        records.failed(run, TrackingError("It broke again."))
        assert command.trouble() == ["Not tracked: It broke again."]
        assert command.follower is not None
        command.follower.kill()
        command.follower.wait()


def test_a_follower_that_dies_is_noticed(settings: Settings) -> None:
    run, command = begin_run(settings), TrackingListener(settings)
    with files.locked(run.lock):
        command.started(run)
        assert command.follower is not None
        command.follower.kill()
        command.follower.wait()
    (line,) = command.trouble()
    assert line.startswith("Not tracked: The process that sends has ended with status -9.")
    assert "forty sync" in line


def test_a_follower_has_a_session_of_its_own_and_the_same_priority(settings: Settings) -> None:
    with socket.socket() as says_nothing:
        says_nothing.bind(("127.0.0.1", 0))
        says_nothing.listen(16)
        uri = f"http://reader:hunter2@127.0.0.1:{says_nothing.getsockname()[1]}"
        run, command = begin_run(settings), TrackingListener(with_uri(settings, uri))
        command.started(run)
        assert command.follower is not None
        follower = psutil.Process(command.follower.pid)
        assert os.getsid(follower.pid) == follower.pid  # Ctrl-C in the terminal does not reach it
        wait_until(lambda: "fortydays.track.follower" in " ".join(follower.cmdline()))
        assert "hunter2" not in " ".join(follower.cmdline())
        assert follower.nice() == psutil.Process().nice()
        assert (run.path / "track.log").stat().st_mode & 0o777 == 0o600
        command.follower.kill()
        command.follower.wait()


def test_a_short_run_is_sent_when_it_has_ended(settings: Settings) -> None:
    run, command = begin_run(settings), TrackingListener(settings)
    with files.locked(run.lock):
        command.started(run)
        end_trial(run, "relu", 0)
        end_run(run)
    assert command.trouble() == []
    assert command.follower is not None
    assert command.follower.wait(PATIENCE) == 0
    assert statuses(settings) == ["FINISHED"] * 2
    assert is_sent(run, settings)
    assert (run.path / "track.log").read_text("utf-8") == ""


@pytest.mark.slow
def test_a_run_killed_with_signal_9_is_killed_in_the_tracker(settings: Settings, tmp_path: Path) -> None:
    run = begin_run(settings)
    end_trial(run, "relu", 0)
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom fortydays.base import files\n"
        "from fortydays.base.settings import read_settings\nfrom fortydays.study.runs import RunFolder\n"
        "from fortydays.track.follower import TrackingListener\n"
        "run = RunFolder(path=Path(sys.argv[1]))\n"
        "with files.locked(run.lock):\n"
        "    TrackingListener(read_settings()).started(run)\n"
        "    time.sleep(600)\n"
    )
    environment = {**os.environ, "FORTYDAYS_HOME": str(settings.workspace)}
    study = subprocess.Popen([sys.executable, "-c", code, str(run.path)], env=environment, cwd=tmp_path)
    wait_until(lambda: records.is_wanted(run))
    study.send_signal(signal.SIGKILL)
    study.wait()
    wait_until(lambda: is_sent(run, settings))
    assert statuses(settings) == ["FINISHED", "KILLED"]


@pytest.mark.slow
def test_an_unreachable_server_fails_the_tracking_and_a_later_sync_sends(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = finished_run(settings)
    command = TrackingListener(with_uri(settings, "http://reader:hunter2@127.0.0.1:9"))
    command.started(run)
    assert command.follower is not None
    assert command.follower.wait(PATIENCE) == 0
    (line,) = command.trouble()
    assert line.startswith("Not tracked: The tracking server http://127.0.0.1:9 cannot be reached: no connection.\n")
    assert "forty sync" in line
    assert "hunter2" not in line
    assert sync(run, open_store(destination(settings))).outcome == "sent"
    assert statuses(settings) == ["FINISHED"] * 5

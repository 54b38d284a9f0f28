"""The study's side of tracking, with the real process behind it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tracked_runs import begin_run, end_run, end_trial, finished_run, with_uri

from fortydays.base import files
from fortydays.base.settings import Settings
from fortydays.study.runs import RunFolder
from fortydays.track import record as records
from fortydays.track import tracker as module
from fortydays.track.store import destination, open_store
from fortydays.track.sync import sync
from fortydays.track.tracker import Tracker, TrackingOutcome, start

PATIENCE = 200.0
"""Seconds to wait for a sender, which takes what a busy machine leaves."""


def statuses(settings: Settings) -> list[str]:
    client = open_store(destination(settings)).client
    experiments = [e.experiment_id for e in client.search_experiments()]
    return sorted(run.info.status for run in client.search_runs(experiments))


@contextlib.contextmanager
def listener_that_says_nothing() -> Iterator[int]:
    """A port that takes connections and never answers: a server that hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE:g} s"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_run_is_sent_while_it_is_worked_on(settings: Settings) -> None:
    run = begin_run(settings)
    with files.locked(run.lock):
        tracker = start(run, settings)
        assert tracker.problem is None
        end_trial(run, "relu", 0)
        tracker.poke()
        end_run(run)
    outcome = tracker.close(wait_seconds=PATIENCE)
    assert outcome == TrackingOutcome(state="sent", destination=destination(settings).shown)
    assert outcome.message == ""
    assert statuses(settings) == ["FINISHED", "FINISHED"]
    assert tracker.close(wait_seconds=0) == outcome  # closing twice is fine
    tracker.poke()  # and so is a poke that comes too late


@pytest.mark.slow
def test_a_run_killed_with_signal_9_is_killed_in_the_tracker(settings: Settings, tmp_path: Path) -> None:
    run = begin_run(settings)
    end_trial(run, "relu", 0)
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom fortydays.base import files\n"
        "from fortydays.base.settings import read_settings\nfrom fortydays.study.runs import RunFolder\n"
        "from fortydays.track.tracker import start\n"
        "run = RunFolder(path=Path(sys.argv[1]))\n"
        "with files.locked(run.lock):\n"
        "    tracker = start(run, read_settings())\n"
        "    print(tracker._process.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    environment = {**os.environ, "FORTYDAYS_HOME": str(settings.workspace)}
    study = subprocess.Popen([sys.executable, "-c", code, str(run.path)], env=environment, stdout=subprocess.PIPE)
    assert study.stdout is not None
    sender = int(study.stdout.readline())
    wait_until(lambda: records.entry(records.read(run), destination(settings).shown)["trials"])
    assert statuses(settings) == ["FINISHED", "RUNNING"]
    study.send_signal(signal.SIGKILL)
    study.wait()
    study.stdout.close()
    wait_until(lambda: ended(sender))
    assert statuses(settings) == ["FINISHED", "KILLED"]
    assert records.read(run)["sender"]["state"] == "sent"


@pytest.mark.slow
def test_ctrl_c_in_the_terminal_does_not_reach_the_sender(settings: Settings) -> None:
    run = finished_run(settings)
    tracker = start(run, settings)
    assert tracker._process is not None
    assert os.getsid(tracker._process.pid) == tracker._process.pid
    assert os.getpgid(tracker._process.pid) != os.getpgid(0)
    assert tracker.close(wait_seconds=PATIENCE).state == "sent"


@pytest.mark.slow
def test_an_unreachable_server_fails_the_tracking_and_a_later_sync_sends(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = finished_run(settings)
    tracker = start(run, with_uri(settings, "http://reader:hunter2@127.0.0.1:9"))
    outcome = tracker.close(wait_seconds=PATIENCE)
    assert outcome.state == "failed"
    assert outcome.reason == "The tracking server http://127.0.0.1:9 cannot be reached: no connection."
    assert outcome.message.startswith("Not tracked: The tracking server")
    assert "forty sync" in outcome.message
    assert "hunter2" not in str(outcome)
    assert [each.outcome for each in sync([run], open_store(destination(settings)))] == ["sent"]
    assert statuses(settings) == ["FINISHED"] * 5


def test_a_server_that_hangs_does_not_hold_up_a_study(settings: Settings) -> None:
    run = finished_run(settings)
    with listener_that_says_nothing() as port:
        tracker = start(run, with_uri(settings, f"http://127.0.0.1:{port}"))
        for _ in range(20_000):  # more than the pipe holds
            tracker.poke()
        outcome = tracker.close(wait_seconds=0)
        assert outcome == TrackingOutcome(state="sending", destination=f"http://127.0.0.1:{port}")
        _kill(tracker)


def test_a_sender_that_cannot_start_is_a_problem_and_no_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.sys, "executable", "/nowhere/python")
    tracker = start(begin_run(settings), settings)
    assert tracker.problem is not None
    assert "could not be started: No such file or directory" in tracker.problem.message
    tracker.poke()
    outcome = tracker.close(wait_seconds=0)
    assert outcome.state == "failed"
    assert "forty sync" in outcome.hint


def test_an_address_that_cannot_be_used_is_a_problem_and_no_error(settings: Settings) -> None:
    tracker = start(begin_run(settings), with_uri(settings, "./mlruns"))
    outcome = tracker.close(wait_seconds=0)
    assert outcome.state == "failed"
    assert "expected an MLflow server" in outcome.reason


def test_a_sender_that_dies_is_noticed(settings: Settings) -> None:
    tracker = start(begin_run(settings), settings)
    _kill(tracker)
    tracker.poke()
    outcome = tracker.close(wait_seconds=10)
    assert outcome.state == "failed"
    assert outcome.reason == "The process that sends has ended with status -9."


def test_what_an_earlier_sender_said_is_not_taken_for_this_ones_words(settings: Settings) -> None:
    run = begin_run(settings)
    told = {"state": "failed", "error": "It broke.", "hint": "", "notes": ["A store was set aside."], "pid": 1}
    records.write(run, {**records.read(run), "sender": told})
    silent = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    outcome = Tracker(run, shown="there", process=silent).close(wait_seconds=PATIENCE)
    assert outcome == TrackingOutcome(state="sent", destination="there")


@pytest.mark.slow
def test_the_password_is_not_on_the_command_line(settings: Settings) -> None:
    with listener_that_says_nothing() as port:
        tracker = start(begin_run(settings), with_uri(settings, f"http://reader:hunter2@127.0.0.1:{port}"))
        assert tracker._process is not None
        assert "hunter2" not in " ".join(psutil.Process(tracker._process.pid).cmdline())
        _kill(tracker)
        tracker.close(wait_seconds=10)


@pytest.mark.slow
def test_the_sender_makes_way_for_training(settings: Settings) -> None:
    with listener_that_says_nothing() as port:
        tracker = start(begin_run(settings), with_uri(settings, f"http://127.0.0.1:{port}"))
        assert tracker._process is not None
        sender = psutil.Process(tracker._process.pid)
        wait_until(lambda: sender.nice() >= 15)
        _kill(tracker)
        tracker.close(wait_seconds=10)


@pytest.mark.slow
def test_a_continued_run_waits_for_the_sender_of_the_interrupted_one(settings: Settings) -> None:
    run: RunFolder = begin_run(settings)
    with records.sending(run, timeout=0):
        tracker = start(run, settings)
        end_trial(run, "relu", 0)
        end_run(run)
        assert tracker.close(wait_seconds=2).state == "sending"
        assert statuses(settings) == []
    assert tracker.close(wait_seconds=PATIENCE).state == "sent"
    assert statuses(settings) == ["FINISHED", "FINISHED"]


def _kill(tracker: Any) -> None:
    tracker._process.kill()
    tracker._process.wait()

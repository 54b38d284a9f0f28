"""When a run's sender starts, what becomes of it, and what the reader hears of it at the end."""

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
from fortydays.track import listener as module
from fortydays.track import record as records
from fortydays.track.listener import TrackingListener
from fortydays.track.store import destination, open_store
from fortydays.track.sync import sync

LATER = 3600.0
"""Seconds that no test waits for."""

PATIENCE = 200.0
"""Seconds to wait for a sender on a busy machine."""

SERVER = "http://127.0.0.1:9"


class MadeUpSender:
    """Stands for the process that sends: what it has told, and how it ends."""

    def __init__(self, run: RunFolder, *, status: int | None, **told: Any) -> None:
        self.run, self.status, self.told, self.pid = run, status, told, 123456
        self.stdin = Path(os.devnull).open("wb")  # noqa: SIM115
        self.waited: float | None = None

    def wait(self, seconds: float) -> int:
        self.waited = seconds
        if self.told:
            told = {"state": "sending", "error": "", "hint": "", "notes": [], "pid": self.pid, **self.told}
            records.write(self.run, {**records.read(self.run), "sender": told})
        if self.status is None:
            raise subprocess.TimeoutExpired("sender", seconds)
        return self.status


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[MadeUpSender]]:
    """The senders that were started; none of them is a process."""
    found: list[MadeUpSender] = []
    outcome: dict[str, Any] = {"status": 0}

    def start(run: RunFolder, _settings: Settings) -> Any:
        found.append(MadeUpSender(run, **outcome))
        return found[-1]

    monkeypatch.setattr(module, "_sender", start)
    monkeypatch.setattr(module, "_LEFT_RUNNING", [])
    start.outcome = outcome  # type: ignore[attr-defined]
    yield found
    for sender in found:
        sender.stdin.close()


def outcome(**changes: Any) -> None:
    module._sender.outcome.update(changes)  # type: ignore[attr-defined]


def test_a_short_run_is_sent_when_it_has_ended(settings: Settings, started: list[MadeUpSender]) -> None:
    run, command = begin_run(settings), TrackingListener(settings, seconds_before_start=LATER)
    command.started(run)
    command.trial_ended(run)
    command.ended(run)
    assert started == []
    assert command.close(stopped=False) == []
    assert [sender.run for sender in started] == [run]
    assert started[0].stdin.closed  # which tells the sender that there is nothing to come


def test_a_longer_run_is_sent_while_it_goes_on(settings: Settings, started: list[MadeUpSender]) -> None:
    command = TrackingListener(settings, seconds_before_start=0.0)
    command.started(begin_run(settings))
    wait_until(lambda: started)
    assert not started[0].stdin.closed
    command.close(stopped=False)
    assert len(started) == 1


def test_the_sender_to_a_server_starts_at_once(settings: Settings, started: list[MadeUpSender]) -> None:
    command = TrackingListener(with_uri(settings, SERVER))
    command.started(begin_run(settings))
    assert len(started) == 1
    command.close(stopped=False)
    assert len(started) == 1


@pytest.mark.parametrize("uri", ["", SERVER])
def test_nothing_is_started_where_tracking_is_off(settings: Settings, started: list[MadeUpSender], uri: str) -> None:
    run, command = (
        begin_run(settings),
        TrackingListener(with_uri(settings, uri), seconds_before_start=0, enabled=False),
    )
    command.started(run)
    assert command.close(stopped=False) == []
    assert started == []
    assert command.run == run


def test_a_command_that_began_no_run_starts_no_sender(settings: Settings, started: list[MadeUpSender]) -> None:
    command = TrackingListener(settings)
    assert command.run is None
    assert command.close(stopped=False) == []
    assert started == []


def test_what_a_server_has_not_taken_yet_is_told(settings: Settings, started: list[MadeUpSender]) -> None:
    outcome(status=None)
    command = TrackingListener(with_uri(settings, SERVER))
    command.started(begin_run(settings))
    assert command.close(stopped=False) == [
        "The tracking server has not taken everything yet. To see that it does: forty sync"
    ]


def test_the_workspaces_own_store_takes_the_rest_in_the_background_without_a_word(
    settings: Settings,
    started: list[MadeUpSender],
) -> None:
    outcome(status=None)
    command = TrackingListener(settings, seconds_before_start=LATER)
    command.started(begin_run(settings))
    assert command.close(stopped=False) == []


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (1, "Not tracked: The server is out of reach.\nSend it later."),
        (None, "Not tracked so far: The server is out of reach.\nSend it later."),
    ],
)
def test_what_went_wrong_is_told_and_nothing_else(
    settings: Settings,
    started: list[MadeUpSender],
    status: int | None,
    line: str,
) -> None:
    outcome(status=status, error="The server is out of reach.", hint="Send it later.")
    command = TrackingListener(with_uri(settings, SERVER))
    command.started(begin_run(settings))
    assert command.close(stopped=False) == [line]


def test_what_an_earlier_sender_said_is_not_taken_for_this_ones_words(
    settings: Settings,
    started: list[MadeUpSender],
) -> None:
    outcome(error="It broke.", notes=["A store was set aside."], pid=1)
    command = TrackingListener(settings, seconds_before_start=LATER)
    command.started(begin_run(settings))
    assert command.close(stopped=False) == []


@pytest.mark.parametrize(
    ("uri", "stopped", "waits"), [("", False, False), (SERVER, False, True), ("", True, False), (SERVER, True, False)]
)
def test_only_a_server_is_waited_for_and_not_when_the_reader_has_stopped_the_run(
    settings: Settings, started: list[MadeUpSender], uri: str, stopped: bool, waits: bool
) -> None:
    command = TrackingListener(with_uri(settings, uri), seconds_before_start=LATER)
    command.started(begin_run(settings))
    command.close(stopped=stopped)
    assert started[0].waited is not None
    assert (started[0].waited > 0) is waits


def test_a_sender_that_cannot_start_is_told_and_no_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "executable", "/nowhere/python")
    command = TrackingListener(settings, seconds_before_start=LATER)
    command.started(begin_run(settings))
    (line,) = command.close(stopped=False)
    assert "could not be started: No such file or directory" in line
    assert "forty sync" in line


def test_an_address_that_cannot_be_used_is_told_and_no_error(settings: Settings) -> None:
    command = TrackingListener(with_uri(settings, "./mlruns"))
    command.started(begin_run(settings))
    (line,) = command.close(stopped=False)
    assert line.startswith("Not tracked: MLFLOW_TRACKING_URI is './mlruns'; expected an MLflow server")


# ------------------------------------------------------------------------------------ with the real process behind it


def test_a_sender_that_dies_is_noticed(settings: Settings) -> None:
    command = TrackingListener(with_uri(settings, SERVER))
    command.started(begin_run(settings))
    assert command.sender is not None
    command.sender.kill()
    command.sender.wait()
    (line,) = command.close(stopped=False)
    assert line.startswith("Not tracked: The process that sends has ended with status -9.")


def test_a_sender_is_no_nicer_than_the_command_that_starts_it(settings: Settings) -> None:
    with socket.socket() as says_nothing:
        says_nothing.bind(("127.0.0.1", 0))
        says_nothing.listen(16)
        uri = f"http://reader:hunter2@127.0.0.1:{says_nothing.getsockname()[1]}"
        command = TrackingListener(with_uri(settings, uri))
        command.started(begin_run(settings))
        assert command.sender is not None
        sender = psutil.Process(command.sender.pid)
        assert os.getsid(sender.pid) == sender.pid  # Ctrl-C in the terminal does not reach it
        wait_until(lambda: "fortydays.track.sender" in " ".join(sender.cmdline()))
        assert "hunter2" not in " ".join(sender.cmdline())
        assert command.close(stopped=True) == [
            "The tracking server has not taken everything yet. To see that it does: forty sync"
        ]
        assert sender.nice() == psutil.Process().nice()
        command.sender.kill()
        command.sender.wait()


@pytest.mark.slow
def test_a_run_is_sent_while_it_is_worked_on(settings: Settings) -> None:
    run = begin_run(settings)
    command = TrackingListener(settings, seconds_before_start=0.0)
    with files.locked(run.lock):
        command.started(run)
        end_trial(run, "relu", 0)
        wait_until(lambda: statuses(settings) == ["FINISHED", "RUNNING"])
        end_trial(run, "relu", 1)
        wait_until(lambda: statuses(settings) == ["FINISHED", "FINISHED", "RUNNING"])
        end_run(run)
    assert command.close(stopped=False) == []
    assert command.sender is not None
    assert command.sender.wait(PATIENCE) == 0
    assert statuses(settings) == ["FINISHED"] * 3
    assert records.read(run)["sender"]["state"] == "sent"


@pytest.mark.slow
def test_a_run_killed_with_signal_9_is_killed_in_the_tracker(settings: Settings, tmp_path: Path) -> None:
    run = begin_run(settings)
    end_trial(run, "relu", 0)
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom fortydays.base import files\n"
        "from fortydays.base.settings import read_settings\nfrom fortydays.study.runs import RunFolder\n"
        "from fortydays.track.listener import TrackingListener\n"
        "run = RunFolder(path=Path(sys.argv[1]))\n"
        "with files.locked(run.lock):\n"
        "    command = TrackingListener(read_settings(), seconds_before_start=0.0)\n"
        "    command.started(run)\n"
        "    time.sleep(600)\n"
    )
    environment = {**os.environ, "FORTYDAYS_HOME": str(settings.workspace)}
    study = subprocess.Popen([sys.executable, "-c", code, str(run.path)], env=environment, cwd=tmp_path)
    wait_until(lambda: records.entry(records.read(run), destination(settings).shown)["trials"])
    assert statuses(settings) == ["FINISHED", "RUNNING"]
    study.send_signal(signal.SIGKILL)
    study.wait()
    wait_until(lambda: records.read(run)["sender"]["state"] == "sent")
    assert statuses(settings) == ["FINISHED", "KILLED"]


@pytest.mark.slow
def test_an_unreachable_server_fails_the_tracking_and_a_later_sync_sends(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(module, "SECONDS_TO_WAIT_FOR_SERVER", PATIENCE)
    run = finished_run(settings)
    command = TrackingListener(with_uri(settings, "http://reader:hunter2@127.0.0.1:9"))
    command.started(run)
    (line,) = command.close(stopped=False)
    assert line.startswith("Not tracked: The tracking server http://127.0.0.1:9 cannot be reached: no connection.\n")
    assert "forty sync" in line
    assert "hunter2" not in line
    assert [each.outcome for each in sync([run], open_store(destination(settings)))] == ["sent"]
    assert statuses(settings) == ["FINISHED"] * 5


@pytest.mark.slow
def test_a_continued_run_waits_for_the_sender_of_the_interrupted_one(settings: Settings) -> None:
    run = begin_run(settings)
    command = TrackingListener(settings, seconds_before_start=LATER)
    with records.sending(run, timeout=0):
        command.started(run)
        end_trial(run, "relu", 0)
        end_run(run)
        command.close(stopped=False)
        assert command.sender is not None
        with pytest.raises(subprocess.TimeoutExpired):
            command.sender.wait(2)
        assert statuses(settings) == []
    assert command.sender.wait(PATIENCE) == 0
    assert statuses(settings) == ["FINISHED", "FINISHED"]


def statuses(settings: Settings) -> list[str]:
    client = open_store(destination(settings)).client
    experiments = [e.experiment_id for e in client.search_experiments()]
    return sorted(run.info.status for run in client.search_runs(experiments))


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE:g} s"
        time.sleep(0.05)

"""When a run's tracker starts, and what the reader hears of it at the end; the tracker itself is made up."""

import threading
from pathlib import Path
from typing import Any

import pytest
from tracked_runs import begin_run, made_up_settings, with_uri

from fortydays.base.settings import Settings
from fortydays.study.runs import RunFolder
from fortydays.track.listener import TrackingListener
from fortydays.track.tracker import TrackingOutcome

LATER = 3600.0
"""Seconds that no test waits for."""

SERVER = "http://127.0.0.1:9"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace without a store: nothing here sends anything."""
    return made_up_settings(tmp_path)


class MadeUpTracker:
    """Notes what it is told."""

    def __init__(self, outcome: TrackingOutcome) -> None:
        self.outcome = outcome
        self.told: list[str] = []
        self.has_started = threading.Event()

    def start(self, run: RunFolder, settings: Settings) -> Any:
        self.told.append(f"start {run.run_id}")
        self.has_started.set()
        return self

    def poke(self) -> None:
        self.told.append("poke")

    def close(self, wait_seconds: float) -> TrackingOutcome:
        self.told.append("close")
        self.waited = wait_seconds
        return self.outcome


def made_up(state: Any = "sent", **details: str) -> MadeUpTracker:
    return MadeUpTracker(TrackingOutcome(state=state, destination="there", **details))


def listener(settings: Settings, tracker: MadeUpTracker, *, after: float = LATER, **more: Any) -> TrackingListener:
    return TrackingListener(settings, seconds_before_start=after, start_tracker=tracker.start, **more)


def test_a_short_run_is_sent_when_it_has_ended(settings: Settings) -> None:
    tracker, run = made_up(), begin_run(settings)
    command = listener(settings, tracker)
    command.started(run)
    command.trial_ended(run)
    command.ended(run)
    assert tracker.told == []
    assert command.close(stopped=False) == []
    assert tracker.told == [f"start {run.run_id}", "close"]


def test_a_longer_run_is_sent_while_it_goes_on(settings: Settings) -> None:
    tracker, run = made_up(), begin_run(settings)
    command = listener(settings, tracker, after=0.0)
    command.started(run)
    assert tracker.has_started.wait(timeout=60)
    command.trial_ended(run)
    command.close(stopped=False)
    assert tracker.told == [f"start {run.run_id}", "poke", "close"]


def test_the_tracker_of_a_server_starts_at_once(settings: Settings) -> None:
    tracker, run = made_up(), begin_run(settings)
    command = listener(with_uri(settings, SERVER), tracker)
    command.started(run)
    assert tracker.told == [f"start {run.run_id}"]
    command.trial_ended(run)
    command.close(stopped=False)
    assert tracker.told == [f"start {run.run_id}", "poke", "close"]


@pytest.mark.parametrize("uri", ["", SERVER])
def test_nothing_is_started_where_tracking_is_off(settings: Settings, uri: str) -> None:
    tracker, run = made_up(), begin_run(settings)
    command = listener(with_uri(settings, uri), tracker, after=0.0, enabled=False)
    command.started(run)
    command.trial_ended(run)
    assert command.close(stopped=False) == []
    assert tracker.told == []
    assert command.run == run


def test_a_command_that_began_no_run_starts_no_tracker(settings: Settings) -> None:
    tracker = made_up()
    command = listener(settings, tracker)
    assert command.run is None
    assert command.close(stopped=False) == []
    assert tracker.told == []


def test_what_a_server_has_not_taken_yet_is_told(settings: Settings) -> None:
    command = listener(with_uri(settings, SERVER), made_up("sending"))
    command.started(begin_run(settings))
    assert command.close(stopped=False) == [
        "The tracking server has not taken everything yet. To see that it does: forty sync"
    ]


def test_the_workspaces_own_store_takes_the_rest_in_the_background_without_a_word(settings: Settings) -> None:
    command = listener(settings, made_up("sending"))
    command.started(begin_run(settings))
    assert command.close(stopped=False) == []


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("failed", "Not tracked: The server is out of reach.\nSend it later."),
        ("sending", "Not tracked so far: The server is out of reach.\nSend it later."),
    ],
)
def test_what_went_wrong_is_told_and_nothing_else(settings: Settings, state: str, line: str) -> None:
    tracker = made_up(state, reason="The server is out of reach.", hint="Send it later.")
    command = listener(with_uri(settings, SERVER), tracker)
    command.started(begin_run(settings))
    assert command.close(stopped=False) == [line]


@pytest.mark.parametrize(
    ("uri", "stopped", "waits"), [("", False, False), (SERVER, False, True), ("", True, False), (SERVER, True, False)]
)
def test_only_a_server_is_waited_for_and_not_when_the_reader_has_stopped_the_run(
    settings: Settings, uri: str, stopped: bool, waits: bool
) -> None:
    tracker = made_up()
    command = listener(with_uri(settings, uri), tracker)
    command.started(begin_run(settings))
    command.close(stopped=stopped)
    assert (tracker.waited > 0) is waits

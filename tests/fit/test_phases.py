"""The phases of a fit, as they are told."""

import pytest

from fortydays.base import clock
from fortydays.base.progress import SILENT
from fortydays.fit.phases import LEARNING, MISTAKES, Phases


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(SILENT, "say", lines.append, raising=False)
    return lines


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [0.0]
    monkeypatch.setattr(clock, "seconds", lambda: moment[0])
    return moment


def test_all_phases_are_told_at_the_start_and_what_is_left_after_each(said: list[str], now: list[float]) -> None:
    phases = Phases(SILENT)
    now[0] = 4.0
    phases.done("looking")
    phases.plan(computing=60.0, before={}, kept=())
    assert said == [
        "6 phases: looking (done), learning (about 90 s), calibrating (about 5 s), registering (about 25 s), "
        "gates (about 15 s), looking for mistakes (about 20 s). About 3 min left in all."
    ]
    now[0] = 94.0
    phases.done(LEARNING)
    assert said[-1] == "Phase 2 of 6, learning: 90 s. About 65 s left in all."
    for phase in ("calibrating", "registering", "gates", MISTAKES):
        phases.done(phase)
    assert said[-1] == "Phase 6 of 6, looking for mistakes: 0 s. That was the last one."
    assert phases.seconds == {
        "looking": 4.0,
        LEARNING: 90.0,
        "calibrating": 0,
        "registering": 0,
        "gates": 0,
        MISTAKES: 0,
    }


def test_what_is_kept_costs_nothing_and_the_last_time_is_the_best_guess(said: list[str], now: list[float]) -> None:
    phases = Phases(SILENT)
    phases.done("looking")
    phases.plan(computing=60.0, before={"registering": 7.0, "of another version": 9.0}, kept=(LEARNING,))
    assert "learning (kept), calibrating (about 5 s), registering (about 7 s)" in said[0]
    assert said[0].endswith("About 47 s left in all.")

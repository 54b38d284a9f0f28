"""The phases of a fit, as they are told."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fortydays.base import clock
from fortydays.base.progress import SILENT
from fortydays.fit.earlier import last_seconds
from fortydays.fit.phases import LEARNING, MISTAKES, PHASES, Phases


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


def test_without_a_measurement_no_time_is_guessed(said: list[str], now: list[float]) -> None:
    phases = Phases(SILENT)
    now[0] = 4.0
    phases.done("looking")
    phases.plan(measured={}, kept=())
    assert said == ["6 phases: looking (done), learning, calibrating, registering, gates, looking for mistakes."]
    now[0] = 94.0
    phases.done(LEARNING)
    assert said[-1] == "Phase 2 of 6, learning: 90 s."
    for phase in ("calibrating", "registering", "gates", MISTAKES):
        phases.done(phase)
    assert said[-1] == "Phase 6 of 6, looking for mistakes: 0 s. That was the last one."
    assert phases.seconds == {"looking": 4.0, LEARNING: 90.0} | dict.fromkeys(PHASES[2:], 0.0)


def test_what_was_measured_the_last_time_is_told_and_what_is_kept_costs_nothing(
    said: list[str], now: list[float]
) -> None:
    phases = Phases(SILENT)
    phases.done("looking")
    measured = dict(zip(PHASES, (5.0, 300.0, 5.0, 7.0, 15.0, 20.0), strict=True))
    phases.plan(measured=measured | {"of another version": 9.0}, kept=(LEARNING,))
    assert said[0] == (
        "6 phases: looking (done), learning (kept), calibrating (last time 5 s), registering (last time 7 s), "
        "gates (last time 15 s), looking for mistakes (last time 20 s). The rest took 47 s the last time."
    )
    phases.done("calibrating")
    assert said[-1] == "Phase 3 of 6, calibrating: 0 s. The rest took 42 s the last time."


def test_the_last_fit_of_these_photographs_is_the_one_that_counts(tmp_path: Path) -> None:
    photographs: Any = SimpleNamespace(folder=tmp_path)
    assert last_seconds(photographs) == {}
    (tmp_path / "fits").mkdir()
    for name, day, seconds in (("b", 2, {"looking": 2.5}), ("a", 3, {"looking": 1, "gates": 4.0}), ("c", 1, {})):
        content = {"findings": {"created": f"2026-11-0{day}", "seconds": seconds}}
        (tmp_path / "fits" / f"{name}.json").write_text(json.dumps(content))
    assert last_seconds(photographs) == {"looking": 1.0, "gates": 4.0}
    (tmp_path / "fits" / "a.json").write_text('{"findings": []}')  # damaged: what was measured before it counts
    assert last_seconds(photographs) == {"looking": 2.5}

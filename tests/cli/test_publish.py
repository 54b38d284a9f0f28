"""``forty run DAY --publish``: a day's whole study becomes the published evidence, or nothing does."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fortydays.cli.main import execute
from fortydays.days import loading
from fortydays.study import evidence as documents
from fortydays.study import runner
from fortydays.study.evidence import Published


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A run of day 1 that gives the evidence which is returned, to be changed; and a place to publish it."""
    evidence = documents.published().read(1)
    assert evidence is not None
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(documents, "published", lambda: Published(folder=tmp_path / "evidence"))
    monkeypatch.setattr(loading, "load_study", lambda file, threads: None)
    monkeypatch.setattr(runner, "run_study", lambda *_, **__: (SimpleNamespace(run_id="day01-now"), evidence))
    return evidence


def test_a_whole_study_is_published_as_it_came_out(ran: dict[str, Any], tmp_path: Path) -> None:
    assert execute(["run", "1", "--publish", "--no-track", "--json"]) == 0
    text = (tmp_path / "evidence" / "day01.json").read_text("utf-8")
    assert json.loads(text) == ran
    assert text.count("\n") == 1


def test_failed_trials_are_not_published(
    ran: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran["trials"][0]["status"] = "failed"
    assert execute(["run", "1", "--publish", "--no-track"]) == 1
    assert "Evidence with failed trials is not published." in capsys.readouterr().err
    assert not (tmp_path / "evidence").exists()

"""What `forty show` shows."""

import csv
import io
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import BEEF, CAFE, longest_line, made_up, make_run, publish

from fortydays.cli.main import execute
from fortydays.days import journey
from fortydays.study import evidence
from fortydays.study.evidence import Published


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, and no published evidence."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(evidence, "published", lambda: Published(folder=tmp_path / "published"))
    return tmp_path


def test_your_own_latest_run_comes_before_the_published_one(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(workspace / "published", made_up.evidence())
    make_run(workspace, BEEF, evidence=made_up.evidence())
    make_run(workspace, CAFE, evidence=made_up.evidence(), created="2026-11-22T14:58:00Z")
    make_run(workspace, "day04-20261122-155800-f00d", created="2026-11-22T15:58:00Z", done=1)
    assert execute(["show", "4"]) == 0
    text = capsys.readouterr().out
    assert f"your run {CAFE}" in text
    assert "97.23% ± 0.07" in text
    assert longest_line(text) <= 80


def test_published_evidence_is_shown_where_there_is_no_run_or_when_asked_for(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(workspace / "published", made_up.evidence())
    assert execute(["show", "regularization"]) == 0
    assert "· published ·" in capsys.readouterr().out
    make_run(workspace, BEEF, evidence=made_up.evidence())
    assert execute(["show", "day04", "--published"]) == 0
    assert "· published ·" in capsys.readouterr().out


def test_csv_is_one_row_for_each_trial_that_no_spreadsheet_runs(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = made_up.evidence()
    document["trials"][0]["error"] = "=cmd|' /C calc'!A1"
    make_run(workspace, BEEF, evidence=document)
    assert execute(["show", "4", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == len(document["trials"])
    assert list(rows[0])[:4] == ["variant", "seed", "status", "error"]
    assert rows[0]["error"] == "'=cmd|' /C calc'!A1"
    assert float(rows[0]["test_accuracy"]) == document["trials"][0]["metrics"]["test_accuracy"]
    assert rows[-1]["status"] == "failed"
    assert rows[-1]["test_accuracy"] == ""


def test_csv_and_json_are_not_asked_for_together(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(workspace, BEEF, evidence=made_up.evidence())
    for command in (["show", "4"], ["runs"]):
        assert execute([*command, "--csv", "--json"]) == 2
        assert "--csv and --json are two forms of one output." in capsys.readouterr().err


def test_json_is_one_document_without_histories_and_pictures(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(workspace, BEEF, evidence=made_up.evidence())
    assert execute(["show", "4", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["day"], document["run_id"], document["schema_version"]) == (4, BEEF, 1)
    assert "exhibits" not in document
    assert all("history" not in trial for trial in document["trials"])


def test_without_evidence_the_hint_is_the_command_that_makes_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["show", "1"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Day 1, First neural network, has no evidence yet." in printed.err
    assert "forty run 1" in printed.err


def test_a_day_to_come_is_told_as_such(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(journey, "folder", lambda day: None)
    assert execute(["show", "40"]) == 2
    assert "Day 40, The whole way, once more, is still to come." in capsys.readouterr().err


def test_a_study_file_of_ones_own_goes_by_its_name(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = workspace / "my_sizes.py"
    study.write_text("# a study\n")
    assert execute(["show", str(study)]) == 2
    assert f"forty run {shlex.quote(str(study))}" in capsys.readouterr().err
    make_run(workspace, "my-sizes-1", evidence=made_up.evidence(day=None, name="my-sizes"), day=None, name="my-sizes")
    assert execute(["show", str(study)]) == 0
    assert capsys.readouterr().out.startswith("Study · Overfitting and regularization")


def test_a_study_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["show", "nowhere.py"]) == 2
    assert "There is no study file nowhere.py" in capsys.readouterr().err


def test_damaged_evidence_is_told_and_exits_with_1(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(workspace, BEEF, evidence=made_up.evidence())
    (folder / "evidence.json").write_text("{")
    assert execute(["show", "4"]) == 1
    assert "evidence.json is damaged: it is not JSON" in capsys.readouterr().err


def test_a_study_of_your_own_and_a_day_of_the_same_name_are_kept_apart(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = workspace / "regularization.py"
    study.write_text("# a study\n")
    make_run(workspace, BEEF, evidence=made_up.evidence())
    assert execute(["show", str(study)]) == 2
    own = made_up.evidence(day=None, title="My own")
    make_run(workspace, "regularization-1", evidence=own, day=None, created="2027-01-01T00:00:00Z")
    capsys.readouterr()
    assert execute(["show", str(study)]) == 0
    assert "My own" in capsys.readouterr().out
    assert execute(["show", "4"]) == 0
    assert f"your run {BEEF}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trials": None}, "The evidence is damaged: trials is None; expected a list."),
        ({"seconds": {"total": float("nan")}}, "The evidence is damaged: seconds.total is nan"),
        ({"details_of_mine": float("nan")}, "The evidence is damaged: Out of range float values"),
    ],
)
def test_json_is_only_of_evidence_that_is_whole(
    workspace: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    folder = make_run(workspace, BEEF, evidence=made_up.evidence())
    (folder / "evidence.json").write_text(json.dumps(made_up.evidence(**changes)))
    assert execute(["show", "4", "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in json.loads(printed.err)["error"]["message"]


def test_after_damage_the_hint_is_the_command_that_trains_again(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(workspace, BEEF, evidence=made_up.evidence())
    (folder / "evidence.json").write_text("{")
    assert execute(["show", "4"]) == 1
    assert "It must be trained again, with: forty run 4 --seeds 5" in capsys.readouterr().err

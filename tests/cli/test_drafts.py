"""A day that is a draft: learners do not meet it, and whoever names it is told what it is."""

import json
from pathlib import Path

import pytest
from made_up_runs import BEEF, made_up, make_run

from fortydays.cli.main import execute
from fortydays.days import journey
from fortydays.exercises import finding
from fortydays.exercises.finding import find_exercises
from fortydays.exercises.starter import solution

Printed = pytest.CaptureFixture[str]
NOTE = "Note: day 4, Overfitting and regularization, is a draft. It may change, and lists leave it out.\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and a workspace with a run of day 4, which is a draft."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    for module in (journey, finding):
        monkeypatch.setattr(module, "is_draft", lambda day: day.number == 4)
    make_run(tmp_path / "home", BEEF, evidence=made_up.evidence())
    return tmp_path / "work"


def test_a_draft_that_you_have_run_is_still_to_come(capsys: Printed) -> None:
    assert execute(["list", "--json"]) == 0
    states = [day["state"] for day in json.loads(capsys.readouterr().out)["days"]]
    assert states[2:5] == ["ready", "to come", "ready"]


def test_its_exercises_are_counted_nowhere(here: Path, capsys: Printed) -> None:
    (here / "day04").mkdir()
    place = find_exercises("4", 1)[0]
    (here / "day04" / place.file_name).write_text(solution(place))
    assert execute(["check", "4", "1"]) == 0
    assert capsys.readouterr().err == NOTE
    assert execute(["list"]) == 0
    assert "exercise" not in capsys.readouterr().out
    assert execute(["exercise", "--json"]) == 0
    assert {each["day"] for each in json.loads(capsys.readouterr().out)["exercises"]} >= {3, 5}
    assert execute(["exercise"]) == 0
    assert place.exercise.title not in capsys.readouterr().out
    assert execute(["exercise", "25"]) == 2
    assert "Days with exercises: 1, 2, 3, 5, " in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [["exercise", "4"], ["hint", "4", "1"], ["read", "4", "--no-pager"], ["show", "4"], ["copy", "4", "mine.py"]],
)
def test_whoever_names_it_gets_it_and_is_told(command: list[str], capsys: Printed) -> None:
    assert execute(command) == 0
    said = capsys.readouterr()
    assert said.err.startswith(NOTE)
    assert said.err.count("is a draft") == 1
    assert said.out


def test_its_work_is_graded_where_the_day_is_named(here: Path, capsys: Printed) -> None:
    place = find_exercises("4", 1)[0]
    (here / "class" / "anna").mkdir(parents=True)
    (here / "class" / "anna" / place.file_name).write_text(solution(place))
    assert execute(["grade", "class", "--day", "4", "--csv"]) == 0
    said = capsys.readouterr()
    assert said.err == NOTE
    assert f'"anna",4,1,"{place.exercise.title}","passed"' in said.out

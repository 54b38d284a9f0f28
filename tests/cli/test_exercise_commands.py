"""``forty exercise``, ``check``, ``hint``, ``solution`` and ``grade``."""

import csv
import io
import json
from pathlib import Path

import pytest

from fortydays.cli.main import execute
from fortydays.exercises import grading
from fortydays.exercises.finding import find_exercises
from fortydays.exercises.running import JudgeError
from fortydays.exercises.starter import solution, starter

Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and a workspace of its own."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def solved(number: int) -> str:
    return solution(find_exercises("1", number)[0])


def test_the_whole_way(here: Path, capsys: Printed) -> None:
    assert execute(["exercise", "1"]) == 0
    told = capsys.readouterr().out
    assert "5 files written." in told
    assert told.endswith("0 of 5 passed.\nWrite into the files, then: forty check 1 1\n")
    file = here / "day01" / "2_softmax.py"
    assert file.read_text() == starter(find_exercises("1", 2)[0])
    assert execute(["check", "1", "2"]) == 3
    assert capsys.readouterr().out == "2. Softmax\n  · softmax: not written yet\nA hint: forty hint 1 2\n"
    assert execute(["solution", "1", "2"]) == 2
    assert capsys.readouterr().err == (
        "Error: No try of yours at exercise 2 of day 1 has been judged yet.\n"
        "Write something, then: forty check 1 2. A hint: forty hint 1 2\n"
    )
    file.write_text(solved(2).replace("axis=1", "axis=0"))
    assert execute(["check", "1", "2"]) == 3
    told = capsys.readouterr().out
    assert "✗ softmax: It works along the other axis of `z`. Look at every `axis=`.\n      z        = [[" in told
    assert execute(["solution", "1", "2"]) == 0
    assert capsys.readouterr().out == solved(2)
    file.write_text(solved(2))
    assert execute(["check", "1", "2"]) == 0
    told = capsys.readouterr().out
    assert "✓ softmax: right for 10 inputs\n  Adding a number to all votes of an example" in told
    assert execute(["exercise"]) == 0
    assert "2. Softmax" in (told := capsys.readouterr().out)
    assert "1 of " in told
    assert told.endswith("Go on: forty exercise 1\n")


def test_no_name_of_a_file_is_split(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for day in ("1", "4", "10"):
        assert execute(["exercise", day]) == 0
        told = capsys.readouterr().out
        assert all(place.file_name in told for place in find_exercises(day))


def test_the_list_of_days_says_how_many_have_passed(here: Path, capsys: Printed) -> None:
    assert execute(["list"]) == 0
    assert "exercise" not in capsys.readouterr().out
    (here / "day01").mkdir()
    (here / "day01" / "5_counting_parameters.py").write_text(solved(5))
    assert execute(["check", "1", "5"]) == 0
    capsys.readouterr()
    assert execute(["list"]) == 0
    assert capsys.readouterr().out.endswith("\n1 exercise passed: forty exercise\n")


def test_a_damaged_file_of_progress_is_told(here: Path, capsys: Printed) -> None:
    path = here.parent / "home" / "exercises" / "progress.json"
    path.parent.mkdir(parents=True)
    for command in (["list"], ["exercise"], ["exercise", "1"], ["hint", "1"]):
        path.write_text("{")
        assert execute(command) == 0
        assert f"Warning: {path} was damaged. It is kept as progress.json.damaged-" in capsys.readouterr().err


def test_a_file_that_exists_is_never_written_over(here: Path, capsys: Printed) -> None:
    folder = here / "day01"
    folder.mkdir()
    (folder / "1_a_dense_layer.py").write_text("mine")
    (folder / "2_softmax.py").symlink_to(here / "nowhere.py")
    assert execute(["exercise", "1"]) == 0
    assert "3 files written; 2 files that were there before stay.\n" in capsys.readouterr().out
    assert (folder / "1_a_dense_layer.py").read_text() == "mine"
    assert not (here / "nowhere.py").exists()
    (here / "taken").write_text("mine")
    assert execute(["exercise", "1", "--folder", "taken"]) == 2
    assert "taken is a file, and it stays as it is; the exercises need a folder." in capsys.readouterr().err
    assert (here / "taken").read_text() == "mine"


def test_files_in_another_folder_are_found_again_from_anywhere(
    here: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert execute(["exercise", "1", "--folder", "my work"]) == 0
    (here / "my work" / "5_counting_parameters.py").write_text(solved(5))
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert execute(["check", "1", "5"]) == 0
    assert "✓ parameters: right\n" in capsys.readouterr().out


def test_all_of_a_day_is_checked_and_a_file_that_is_gone_is_told(here: Path, capsys: Printed) -> None:
    assert execute(["exercise", "1"]) == 0
    (here / "day01" / "3_cross_entropy_and_its_slope.py").unlink()
    (here / "day01" / "1_a_dense_layer.py").write_text(solved(1))
    capsys.readouterr()
    assert execute(["check", "1", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in told["exercises"]] == [
        "passed", "not written", "missing", "not written", "not written",
    ]  # fmt: skip
    assert told["exercises"][0]["tasks"][1] == {
        "name": "hidden", "state": "passed", "says": "right for 10 inputs", "shown": "",
    }  # fmt: skip
    assert execute(["check", "1", "3"]) == 2
    assert capsys.readouterr().err == (
        "Error: There is no day01/3_cross_entropy_and_its_slope.py.\nWrite it: forty exercise 1\n"
    )


def test_what_a_file_prints_is_shown_without_what_a_terminal_would_act_on(here: Path, capsys: Printed) -> None:
    (here / "day01").mkdir()
    (here / "day01" / "5_counting_parameters.py").write_text(
        "print('\\x1b[31mred [bold]')\ndef parameters(): return 1"
    )
    assert execute(["check", "1", "5"]) == 3
    assert "  It printed:\n      ?[31mred [bold]\n" in capsys.readouterr().out


def test_hints_come_one_at_a_time_and_lead_to_the_solution(capsys: Printed) -> None:
    for count in (1, 2, 2):
        assert execute(["hint", "1", "2"]) == 0
        assert capsys.readouterr().out.startswith(f"2. Softmax: hint {count} of 2\n")
    assert execute(["hint", "1"]) == 0  # of the first one that has not passed
    assert capsys.readouterr().out.startswith("1. A dense layer: hint 1 of 3\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "1"], "There are no files of day 1 yet.\nWrite them: forty exercise 1"),
        (["check", "1", "9"], "Day 1 has no exercise 9: its exercises are numbered from 1 to 5."),
        (["exercise", "40"], "has no exercises yet.\nDays with exercises: 1, 2, 3"),
        (["hint", "activatoins"], "Did you mean 'activations'"),
        (["exercise", "--folder", "there"], "--folder needs a day.\nWrite: forty exercise 1 --folder there"),
        (["grade", "nowhere"], "There is no folder nowhere."),
        (["grade", ".", "--day", "41"], "There is no day 41"),
        (["check", "1", "--seed", "-1"], "--seed is '-1'; expected"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: list[str], message: str, capsys: Printed) -> None:
    assert execute(arguments) == 2
    assert message in capsys.readouterr().err


def test_how_far_one_is_comes_as_json(capsys: Printed) -> None:
    assert execute(["exercise", "--json"]) == 0
    first, *_ = json.loads(capsys.readouterr().out)["exercises"]
    assert first == {"day": 1, "number": 1, "title": "A dense layer", "state": "to do", "tries": 0, "file": None}


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_grades_are_a_csv_file_that_runs_nothing_in_a_spreadsheet(here: Path, capsys: Printed) -> None:
    (here / "=cmd|' calc'!A0").mkdir()
    (here / "=cmd|' calc'!A0" / "-x.py").write_text(solved(5))
    (here / "bert.py").write_text("def parameters():\n    raise ValueError('=1+1')\n")
    assert execute(["grade", ".", "--csv"]) == 0
    told = rows(capsys.readouterr().out)
    assert len(told) == 10
    fifth = [each for each in told if each["exercise"] == "5"]
    assert [(each["student"], each["state"], each["passed"], each["tasks"]) for each in fifth] == [
        ("'=cmd|' calc'!A0", "passed", "1", "1"),
        ("bert", "wrong", "0", "1"),
    ]
    assert fifth[0]["file"] == "'=cmd|' calc'!A0/-x.py"
    assert fifth[1]["what"] == "parameters: Line 2, `raise ValueError('=1+1')`: ValueError: =1+1."
    for each in told:
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in each.values())


def test_on_the_screen_each_student_has_a_line_and_no_row_is_a_pillar(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (here / "anna").mkdir()
    (here / "anna" / "2_softmax.py").write_text(solved(2))
    (here / "anna" / "5_counting_parameters.py").write_text(solved(5))
    (here / "anna" / "1_a_dense_layer.py").write_text(starter(find_exercises("1", 1)[0]))
    (here / "bert.py").write_text(solved(2).replace("axis=1", "axis=0"))
    (here / "carl.py").write_text("print('hello')\n")
    assert execute(["grade", ".", "--seed", "7"]) == 0
    said = capsys.readouterr()
    assert said.err == "Note: in carl.py there is no function of an exercise, so it is left out.\n"
    lines = said.out.splitlines()
    assert lines[0] == "anna 2 of 5"
    assert lines[1:3] == ["  day 1, 1. A dense layer: not written", "  day 1, 2. Softmax: passed"]
    at = lines.index("  day 1, 2. Softmax: wrong")
    assert lines[at + 1] == "      softmax: It works along the other axis of `z`. Look at every `axis=`."
    assert [line.split() for line in lines[-5:-1]] == [
        ["student", "passed", "not", "right", "missing"],
        ["anna", "2", "of", "5", "1", "2"],
        ["bert", "0", "of", "5", "1", "4"],
        ["carl", "0", "of", "5", "0", "5"],
    ]
    assert max(map(len, lines)) <= 80
    assert execute(["grade", "anna"]) == 0
    said = capsys.readouterr()
    assert said.err == "Note: these look like the files of one student, anna, and are graded as such.\n"
    assert said.out.startswith("anna 2 of 5\n")


def test_each_grading_has_a_seed_of_its_own_which_is_told(here: Path, capsys: Printed) -> None:
    (here / "anna.py").write_text("def parameters():\n    return 1\n")
    seeds = set()
    for arguments in ([], [], ["--seed", "7"]):
        assert execute(["grade", ".", "--csv", *arguments]) == 0
        seeds.add(rows(capsys.readouterr().out)[0]["seed"])
    assert len(seeds) == 3
    assert "7" in seeds
    assert execute(["grade", ".", "--seed", "7"]) == 0
    assert "Seed 7: the same inputs again with --seed 7." in capsys.readouterr().out


def test_where_the_judge_failed_the_command_says_so(
    here: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise JudgeError("The judge could not run it.")

    monkeypatch.setattr(grading, "judge", failing)
    (here / "anna.py").write_text("def parameters():\n    return 1\n")
    assert execute(["grade", ".", "--csv"]) == 1
    told = capsys.readouterr()
    assert "Warning: the judge itself failed for some files; see their rows." in told.err
    assert [each["state"] for each in rows(told.out)] == ["missing"] * 4 + ["judge failed"]

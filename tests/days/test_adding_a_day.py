"""docs/adding-a-day.md: what it says there is, is there, and its commands make a day that passes the tests of days."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fortydays.base.text import counted
from fortydays.report.notes import Numbers
from fortydays.study import exhibits, overviews, words_shown
from fortydays.tasks import metric

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "adding-a-day.md").read_text("utf-8")
COMMANDS = [
    line.strip().removeprefix(".venv/bin/forty ").split()
    for line in GUIDE.splitlines()
    if line.startswith("    .venv/bin/forty ")
]


def in_tables(heading: str) -> set[str]:
    """The names in the first column of the tables of a part."""
    part = GUIDE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", part, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_every_metric_and_picture_is_named() -> None:
    own = {
        name
        for module in (exhibits, overviews, words_shown)
        for name, each in vars(module).items()
        if getattr(each, "__module__", "") == module.__name__ and name[0] != "_"
        and (name.endswith("Overview") or "Exhibit" in str(getattr(each, "__annotations__", {}).get("return")))
    }  # fmt: skip
    assert {"confusion_matrix", "MetricOverview"} <= own
    known = set(vars(metric)["_KNOWN"]) | {"steps_to_T", "seconds_to_T", "gradient_2", "gradient_last"}
    assert in_tables("What a study can be made of") == own | known


def test_every_placeholder_is_named() -> None:
    assert in_tables("The notes") == {name for name in vars(Numbers) if name[0] != "_"}


def test_the_commands_begin_with_a_new_day_and_end_with_its_evidence() -> None:
    assert COMMANDS[0] == ["new-day", "25"]
    assert COMMANDS[-1] == ["run", "25", "--publish"]
    assert len(COMMANDS) == 7, counted(len(COMMANDS), "command")


def given(command: list[str], copy: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=copy, env=dict(environment), capture_output=True, text=True, check=False)
    assert done.returncode == (3 if "check" in command else 0), done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_commands_make_a_day_that_passes_the_tests_of_days(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for folder in ("src", "tests", "evidence"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    environment = os.environ | {
        "PYTHONPATH": str(copy / "src"),
        "FORTYDAYS_HOME": str(tmp_path / "home"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    said = {}
    for command in COMMANDS:
        if "--publish" not in command:  # that trains the whole study
            said[command[0]] = given([sys.executable, "-m", "fortydays", *command], copy, environment)
    assert "src/fortydays/lessons/day25_introduction_to_mlops is day 25" in said["new-day"]
    assert "a try gives no verdict" in said["run"]
    assert "Numbers: your run" in said["read"]
    assert "0 of 2 passed" in said["exercise"]
    assert Path(said["report"].strip()).is_file()
    (copy / "src/fortydays/lessons/day25_introduction_to_mlops/DRAFT").unlink()
    tests = ["tests/days/test_notes.py", "tests/exercises/test_every_exercise.py"]
    chosen = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", "day25 or 25."]
    last = given(chosen, copy, environment).splitlines()[-1]
    assert re.fullmatch(r"\d+ passed, 1 skipped, \d+ deselected in .*", last), last

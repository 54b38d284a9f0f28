"""``forty copy``: a day's study as a file of one's own."""

import ast
import os
from pathlib import Path
from typing import Any

import pytest

from fortydays.cli.main import execute
from fortydays.days.journey import JOURNEY, is_ready
from fortydays.days.loading import find_study, load_study

READY = [day.number for day in JOURNEY if is_ready(day)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_copy_is_written_and_the_next_command_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["copy", "1", "my small study.py"]) == 0
    copied = (here / "my small study.py").read_text("utf-8")
    assert copied == find_study("1").path.read_text("utf-8")
    assert capsys.readouterr().out == (
        "my small study.py is a copy of day 1's study. Change what you like in it.\n"
        "Run it: forty run 'my small study.py'\n"
    )


def test_a_copy_has_the_modes_of_the_readers_umask(here: Path) -> None:
    before = os.umask(0o022)
    try:
        assert execute(["copy", "1", "mine.py"]) == 0
    finally:
        os.umask(before)
    assert (here / "mine.py").stat().st_mode & 0o777 == 0o644


def test_without_a_name_it_is_called_my_study(here: Path) -> None:
    assert execute(["copy", "activations"]) == 0
    assert "Activation functions" in (here / "my_study.py").read_text("utf-8")


def test_what_is_there_is_not_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine.py").write_text("mine")
    (here / "folder.py").mkdir()
    (here / "dangling.py").symlink_to(here / "nowhere.py")
    for name in ("mine.py", "folder.py", "dangling.py"):
        assert execute(["copy", "1", name]) == 2
        assert f"There is a {name} already, and it stays as it is." in capsys.readouterr().err
    assert (here / "mine.py").read_text() == "mine"
    assert not (here / "nowhere.py").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1", "study"], "forty copy 1 study.py"),
        (["1", "nowhere/study.py"], "There is no folder nowhere."),
        (["mine.py", "other.py"], "mine.py is a study file; expected a day"),
        (["activatoins"], "Did you mean 'activations'"),
        (["40"], "is still to come"),
    ],
)
def test_what_cannot_be_copied_is_told(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["copy", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("number", READY)
def test_a_study_works_wherever_its_file_is(number: int) -> None:
    tree = ast.parse(find_study(str(number)).path.read_bytes())
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "__file__" not in names


def test_a_copy_is_a_study_of_ones_own(keras: Any, here: Path) -> None:
    assert execute(["copy", "9", "mine.py"]) == 0
    source = load_study(find_study("mine.py"), threads=1)
    assert (source.day, source.name, source.study.title) == (None, "mine", "Transfer learning")

"""From a day's name or a file of one's own to the study in it."""

import sys
from pathlib import Path
from typing import Any

import pytest

from fortydays.base.errors import UsageError
from fortydays.days.loading import LONGEST_NAME, find_study, is_study_file, load_study, study_name

STUDY = """
from fortydays.study.design import Study, Variant
from fortydays.train.recipe import Recipe

study = Study(
    title="Mine",
    dataset="digits",
    variants=(Variant(name="one", model=lambda: None, recipe=Recipe(epochs=1)),),
    claims=(),
)
"""


def file(folder: Path, content: str, name: str = "My Study (2).py") -> str:
    path = folder / name
    path.write_text(content, "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "is_file"), [("mine.py", True), ("./a/study.py", True), ("1", False), ("day1", False)]
)
def test_a_file_is_told_from_a_day_by_its_ending(text: str, is_file: bool) -> None:
    assert is_study_file(text) is is_file


def test_a_day_is_found_without_importing_it() -> None:
    found = find_study("activations")
    assert (found.day, found.name) == (2, "activations")
    assert found.path.name == "study.py"
    assert found.path.parent.name == "day02_activations"
    assert find_study("2") == found


def test_the_first_day_is_loaded(keras: Any) -> None:
    source = load_study(find_study("1"), threads=1)
    assert (source.day, source.name, source.study.title) == (1, "first-network", "First neural network")
    assert source.study.names == ("network", "linear")
    assert source.path.is_file()


def test_a_file_of_ones_own_is_loaded(keras: Any, tmp_path: Path) -> None:
    source = load_study(find_study(file(tmp_path, STUDY)), threads=1)
    assert (source.day, source.name, source.study.title) == (None, "my-study-2", "Mine")


def test_a_file_is_read_anew_each_time(keras: Any, tmp_path: Path) -> None:
    load_study(find_study(file(tmp_path, STUDY)), threads=1)
    source = load_study(find_study(file(tmp_path, STUDY.replace("Mine", "Yours, longer"))), threads=1)
    assert source.study.title == "Yours, longer"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("mine.py", "mine"),
        ("/a/My Study_2.py", "my-study-2"),
        ("/a/small nets/study.py", "small-nets"),
        ("/étude/é.py", "study"),
        ("/a/" + "x" * 100 + ".py", "x" * LONGEST_NAME),
        ("/a/" + "x" * (LONGEST_NAME - 1) + "-y.py", "x" * (LONGEST_NAME - 1)),
    ],
)
def test_runs_of_a_file_are_called_after_it(path: str, name: str) -> None:
    assert study_name(Path(path)) == name


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no study file .*none\.py\."):
        find_study(str(tmp_path / "none.py"))
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(UsageError, match=r"There is no study file .*folder\.py\."):
        find_study(str(tmp_path / "folder.py"))
    with pytest.raises(UsageError, match=r"There is no day 'activatoins'\. Did you mean 'activations'"):
        find_study("activatoins")


def test_a_day_still_to_come_says_which_are_ready() -> None:
    with pytest.raises(UsageError) as raised:
        find_study("40")
    assert raised.value.message.startswith("Day 40, ")
    assert raised.value.message.endswith(", is still to come.")
    assert raised.value.hint.startswith("Ready: 1, 2, ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = 1", "sets no study; expected `study = Study(...)` at its top level."),
        ("study = 'mine'", "sets no study; expected"),
        ("study = ", "could not be loaded: SyntaxError: invalid syntax"),
        ("import no_such_module_at_all", "could not be loaded: ModuleNotFoundError: No module named"),
        ("1 / 0", "could not be loaded: ZeroDivisionError: division by zero"),
        (STUDY.replace("epochs=1", "epochs=0"), "The recipe field 'epochs' is 0; expected a whole number"),
        (STUDY.replace("epochs=1", "epoch=1"), "could not be loaded: TypeError: "),
    ],
)
def test_a_file_without_a_study_is_refused_in_words(keras: Any, content: str, message: str, tmp_path: Path) -> None:
    found = find_study(file(tmp_path, content, "broken.py"))
    with pytest.raises(UsageError) as raised:
        load_study(found, threads=1)
    assert message in raised.value.message


def test_a_file_that_failed_leaves_no_half_of_itself_behind(keras: Any, tmp_path: Path) -> None:
    found = find_study(file(tmp_path, "x = 1\n1 / 0", "half.py"))
    with pytest.raises(UsageError):
        load_study(found, threads=1)
    assert found.module not in sys.modules

"""A new day: made of the blank one, whole, a draft, and never over what is there."""

from pathlib import Path

import pytest

from fortydays.cli.main import execute
from fortydays.days import journey
from fortydays.days.blank import BLANK
from fortydays.days.journey import JOURNEY, find_day, is_ready

TWELVE = find_day("12")


@pytest.fixture
def lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lessons of a checkout that has only the blank day."""
    place = tmp_path / "src" / "fortydays" / "lessons"
    place.mkdir(parents=True)
    (place / BLANK).symlink_to(journey.LESSONS / BLANK)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(journey, "LESSONS", place)
    return place


def test_the_folder_has_the_days_name_and_number_everywhere(
    lessons: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(lessons.parents[2])
    assert execute(["new-day", "12"]) == 0
    made = lessons / "day12_residual_networks"
    said = capsys.readouterr().out
    assert said.startswith(f"src/fortydays/lessons/{made.name} is day 12, Residual networks")
    assert "forty run 12 --seeds 2" in said
    assert {path.name for path in made.iterdir()} == {
        "DRAFT", "__init__.py", "exercises.py", "figures.py", "notes.md", "study.py",
    }  # fmt: skip
    text = "".join(path.read_text("utf-8") for path in made.iterdir())
    assert not [word for word in ("NN", "TITLE", BLANK) if word in text]
    assert (made / "notes.md").read_text("utf-8").startswith("# Day 12. Residual networks\n")
    assert "def votes_of_day12(" in (made / "exercises.py").read_text("utf-8")
    assert not is_ready(TWELVE)
    (made / "DRAFT").unlink()
    assert is_ready(TWELVE)


def test_from_elsewhere_the_folder_is_told_whole(
    lessons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert execute(["new-day", "12"]) == 0
    assert capsys.readouterr().out.startswith(f"{lessons / 'day12_residual_networks'} is day 12")


def test_a_folder_that_is_there_stays_as_it_is(lessons: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lessons / "day12_residual_networks").mkdir()
    assert execute(["new-day", "residual-networks"]) == 2
    said = capsys.readouterr().err
    assert f"Day 12 has a folder: {lessons}/day12_residual_networks. It stays as it is." in said
    assert list((lessons / "day12_residual_networks").iterdir()) == []


def test_an_installed_package_gets_no_new_day(lessons: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lessons.parents[2] / "pyproject.toml").unlink()
    assert execute(["new-day", "12"]) == 2
    said = capsys.readouterr().err
    assert "days are added in a checkout of the repository." in said
    assert "make setup" in said
    assert [path.name for path in lessons.iterdir()] == [BLANK]


def test_the_blank_day_is_none_of_the_forty() -> None:
    assert BLANK not in {journey.folder_name(day) for day in JOURNEY}
    assert execute(["read", BLANK]) == 2

"""The forty days and how a reader names one."""

import re

import pytest

from fortydays.base.errors import UsageError
from fortydays.days import journey
from fortydays.days.journey import JOURNEY, find_day, folder, folder_name, is_ready


def test_there_are_forty_days_in_order_each_with_a_name_of_its_own() -> None:
    assert [day.number for day in JOURNEY] == list(range(1, 41))
    assert len({day.slug for day in JOURNEY}) == 40
    assert len({day.title for day in JOURNEY}) == 40
    for day in JOURNEY:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", day.slug)
        assert day.title
        assert day.summary.endswith(".")
        assert not day.promise or day.promise.endswith(".")


def test_the_first_days_have_the_names_of_their_folders() -> None:
    assert [folder_name(day) for day in JOURNEY[:4]] == [
        "day01_first_network",
        "day02_activations",
        "day03_optimizers",
        "day04_regularization",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "01",
        "day1",
        "day01",
        "Day 1",
        "day-1",
        "first-network",
        "first_network",
        " First Network ",
        "day01_first_network",
    ],
)
def test_a_day_is_found_by_number_and_by_name(text: str) -> None:
    assert find_day(text).number == 1


def test_every_day_is_found_by_its_number_its_name_and_its_folder() -> None:
    for day in JOURNEY:
        assert find_day(str(day.number)) is day
        assert find_day(day.slug) is day
        assert find_day(folder_name(day)) is day


@pytest.mark.parametrize(
    ("text", "meant"), [("optimisers", "optimizers"), ("frist-network", "first-network"), ("dya7", "day7")]
)
def test_a_near_miss_gets_a_suggestion(text: str, meant: str) -> None:
    with pytest.raises(UsageError) as raised:
        find_day(text)
    assert raised.value.message == f"There is no day {text!r}. Did you mean {meant!r}?"
    assert "forty list" in raised.value.hint


@pytest.mark.parametrize("text", ["0", "41", "day99", "000", "4000000"])
def test_a_number_outside_the_journey_is_told_the_range(text: str) -> None:
    with pytest.raises(UsageError, match=r"There is no day \d+: the days are numbered from 1 to 40\."):
        find_day(text)


@pytest.mark.parametrize("text", ["", "-1", "1.0", "day", "../day01_first_network", "x" * 1000, "٣"])
def test_what_names_no_day_is_refused_with_the_way_to_name_one(text: str) -> None:
    with pytest.raises(UsageError, match="There is no day") as raised:
        find_day(text)
    assert raised.value.hint.startswith("Give its number (1 to 40) or its name")
    assert len(raised.value.message) < 120


def test_a_day_is_ready_when_its_folder_holds_a_study(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(journey, "LESSONS", tmp_path)
    first, second, third = JOURNEY[:3]
    (tmp_path / "day01_first_network").mkdir()
    (tmp_path / "day01_first_network" / "study.py").touch()
    (tmp_path / "day02_activations").mkdir()
    assert folder(first) == tmp_path / "day01_first_network"
    assert is_ready(first)
    assert folder(second) == tmp_path / "day02_activations"
    assert not is_ready(second)
    assert folder(third) is None
    assert not is_ready(third)


def test_a_draft_is_still_to_come(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(journey, "LESSONS", tmp_path)
    (tmp_path / "day01_first_network").mkdir()
    (tmp_path / "day01_first_network" / "study.py").touch()
    (tmp_path / "day01_first_network" / "DRAFT").touch()
    assert not is_ready(JOURNEY[0])

"""The forty days by number, name and promise, whether or not their folder exists yet.

The entries are in ``journey.toml``. A promise is what the journal that this course grew from says one will see. The
day's study checks it. What was measured is in ``evidence/``.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import UsageError, unknown_name

LESSONS = Path(__file__).parent.parent / "lessons"


@dataclass(frozen=True, kw_only=True)
class Day:
    """One entry of the journey.

    Attributes:
        number: its place, from 1 to 40.
        slug: its short name in commands and addresses, words joined by hyphens.
        title: its name for people.
        data: the dataset it works on, or "" where it needs none.
        summary: what is done on that day, one sentence.
        promise: what the journal says will come out, or "" where it promises nothing that can be measured.
    """

    number: int
    slug: str
    title: str
    data: str = ""
    summary: str
    promise: str = ""


_FILE = Path(__file__).with_suffix(".toml")  # a part of the program, as its modules are, and read as they are
with files.storage_errors("read", _FILE):
    JOURNEY = tuple(Day(**entry) for entry in tomllib.loads(_FILE.read_text("utf-8"))["day"])
"""All forty days, in order."""

CHAPTERS = {1: "Networks", 5: "Pictures", 16: "Words", 25: "From model to service", 38: "Further"}
"""The stretches of the journey by their first day."""


def find_day(text: str) -> Day:
    """The day that a reader means by its number ("1", "01", "day1", "day01") or its name ("first-network").

    Capitals, spaces around it, and underscores for hyphens make no difference; neither does a day's folder name.

    Raises:
        UsageError: there is no such day; a near miss is suggested.
    """
    name = re.sub(r"[\s_-]+", "-", text.strip().lower())
    numbered = re.fullmatch(r"(?:day-?)?([0-9]{1,9})", name)
    if numbered:
        number = int(numbered[1])
        if not 1 <= number <= len(JOURNEY):
            raise UsageError(
                f"There is no day {number}: the days are numbered from 1 to {len(JOURNEY)}.", hint=_HOW_TO_NAME_A_DAY
            )
        return JOURNEY[number - 1]
    names = {day.slug: day for day in JOURNEY} | {folder_name(day).replace("_", "-"): day for day in JOURNEY}
    if name in names:
        return names[name]
    known = [*(day.slug for day in JOURNEY), *(f"day{day.number}" for day in JOURNEY)]
    raise unknown_name("day", text, known, hint=_HOW_TO_NAME_A_DAY)


def folder_name(day: Day) -> str:
    """The name that a day's folder has, such as "day01_first_network"."""
    return f"day{day.number:02}_{day.slug.replace('-', '_')}"


def folder(day: Day) -> Path | None:
    """Where a day's notes and study are, or None if the day is not written yet."""
    path = LESSONS / folder_name(day)
    return path if path.is_dir() else None


def is_ready(day: Day) -> bool:
    """Whether a day has a study to run, which is no draft any more.

    A study is a draft, and its folder has a file ``DRAFT`` that says what is missing, until its evidence is published.
    """
    path = folder(day)
    return path is not None and (path / "study.py").is_file() and not is_draft(day)


def is_draft(day: Day) -> bool:
    """Whether a day has a folder that is not ready: learners do not meet it, and whoever writes it names it."""
    path = folder(day)
    return path is not None and (path / "DRAFT").exists()


_HOW_TO_NAME_A_DAY = "Give its number (1 to 40) or its name, such as first-network; `forty list` shows them all."

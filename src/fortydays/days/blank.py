"""A new day, made of the blank one: a folder that runs, passes the tests of days, and is a draft."""

from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.base.privacy import shared
from fortydays.base.traces import shown_path
from fortydays.days import journey
from fortydays.days.journey import Day, folder_name

BLANK = "forkme"
"""The folder of the blank day, and what stands in its names for the new one."""

_FILES = ("__init__.py", "study.py", "notes.md", "figures.py", "exercises.py")
_DRAFT = """This day is a draft: its study, notes and exercises are those of the blank day.
docs/adding-a-day.md tells how to go on. Remove this file when the evidence is published.
"""


def make_day(day: Day) -> Path:
    """Write the folder of a new day, with a file ``DRAFT``.

    Returns:
        The folder.

    Raises:
        UsageError: the day has a folder already, or this is no checkout of the repository.
        StorageError: the folder cannot be written.
    """
    lessons = journey.LESSONS
    repository, place = lessons.parents[2], lessons / folder_name(day)
    if not files.is_file(repository / "pyproject.toml"):
        raise UsageError(
            f"fortydays is installed in {lessons.parent}; days are added in a checkout of the repository.",
            hint="Clone the repository, run make setup in it, and give the command there: .venv/bin/forty new-day DAY",
        )
    if files.exists(place):
        raise UsageError(
            f"Day {day.number} has a folder: {shown_path(place)}. It stays as it is.",
            hint=f"Change what is in it, or remove the folder and run: forty new-day {day.number}",
        )
    with shared(place), files.folder_built_whole(place) as folder:
        for name in _FILES:
            with files.storage_errors("read", lessons / BLANK / name):
                text = (lessons / BLANK / name).read_text("utf-8")
            files.write_text(folder / name, _of(day, text))
        files.write_text(folder / "__init__.py", f'"""Day {day.number} of the journey."""\n')
        files.write_text(folder / "DRAFT", _DRAFT)
    return place


def _of(day: Day, text: str) -> str:
    """A text of the blank day as the new one has it."""
    return text.replace("TITLE", day.title).replace("NN", str(day.number)).replace(BLANK, f"day{day.number:02}")

"""``forty grade``: the exercises of many people."""

import secrets
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base.errors import ExitCode
from fortydays.base.settings import available_cores
from fortydays.base.text import printable
from fortydays.cli import drafts, streams
from fortydays.cli.exercises import LARGEST_SEED, Seed
from fortydays.cli.streams import AsCsv

if TYPE_CHECKING:
    from rich.text import Text

    from fortydays.exercises.grading import Grade, Grades

_COLUMNS = ("student", "day", "exercise", "title", "state", "passed", "tasks", "what", "file", "seed")
_MOST_NAMED = 10


def grade(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With a folder or a Python file for each student.")],
    day: Annotated[
        list[str] | None,
        typer.Option("--day", help="Only this day; more than once for more [those that somebody has worked on]."),
    ] = None,
    as_csv: AsCsv = False,
    seed: Seed = None,
) -> None:
    """Judge the exercises of many people, each time with new inputs. No file stops the judging of the others."""
    from fortydays.days.journey import find_day
    from fortydays.exercises.finding import days_with_exercises, exercises_of
    from fortydays.exercises.grading import JUDGE_FAILED
    from fortydays.exercises.grading import grade as grades_of

    named = [find_day(each) for each in day or []]
    only = [exercises_of(each)[0].day for each in named]
    known = days_with_exercises()
    known += [each for each in dict.fromkeys(named) if each not in known]  # a draft, whose number somebody gives
    for each in named:
        drafts.tell(each)
    places = [place for each in known for place in exercises_of(each)]
    drawn = secrets.randbelow(LARGEST_SEED) if seed is None else seed
    found = grades_of(folder, places, only=only, seed=drawn, workers=available_cores())
    if found.alone:
        typer.echo(f"Note: these look like the files of one student, {found.alone}, and are graded as such.", err=True)
    if found.strange:
        more = f" and {len(found.strange) - _MOST_NAMED} more" if len(found.strange) > _MOST_NAMED else ""
        it = "it is" if len(found.strange) == 1 else "they are"
        some = printable(", ".join(found.strange[:_MOST_NAMED]))
        typer.echo(f"Note: in {some}{more} there is no function of an exercise, so {it} left out.", err=True)
    if as_csv:
        streams.print_csv([_row(each, drawn) for each in found.grades], _COLUMNS, as_json=False)
    else:
        _print_grades(found, drawn)
    if any(each.state == JUDGE_FAILED for each in found.grades):
        typer.echo("Warning: the judge itself failed for some files; see their rows.", err=True)
        raise typer.Exit(ExitCode.FAILED)


def _row(grade: "Grade", seed: int) -> dict[str, object]:
    place = grade.place
    return {
        "student": printable(grade.student),
        "day": place.day,
        "exercise": place.number,
        "title": place.exercise.title,
        "state": grade.state,
        "passed": grade.passed,
        "tasks": len(place.exercise.tasks),
        "what": printable(grade.says),
        "file": printable(grade.file),
        "seed": seed,
    }


def _print_grades(found: "Grades", seed: int) -> None:
    """Each student's exercises, a line or two for each, and at the end a line for each student."""
    from rich.text import Text

    from fortydays.exercises.grading import MISSING
    from fortydays.exercises.judge import State
    from fortydays.report.tables import Table, number

    console, students = streams.console(), found.students
    summary = Table("student", number("passed"), number("not right"), number("missing"))
    for student, grades in students.items():
        passed = sum(each.state == State.PASSED.value for each in grades)
        missing = sum(each.state == MISSING for each in grades)
        told = f"{passed} of {len(grades)}"
        summary.add_row(printable(student), told, str(len(grades) - passed - missing), str(missing))
        console.print(Text.assemble((printable(student), "bold"), f" {told}"))
        for each in grades:
            console.print(_line(each))
            if each.says and each.state != State.UNWRITTEN.value:
                console.print(Text(_indented(each.says, console.width)))
        console.print()
    if len(students) > 1:
        console.print(summary)
    console.print(f"Seed {seed}: the same inputs again with --seed {seed}.", highlight=False)


def _line(grade: "Grade") -> "Text":
    from rich.text import Text

    from fortydays.exercises.judge import State

    styles = {State.PASSED.value: "green", State.WRONG.value: "red"}
    count = len(grade.place.exercise.tasks)
    tasks = f", {grade.passed} of {count} tasks" if grade.state == State.WRONG.value and count > 1 else ""
    place = f"  day {grade.place.day}, {grade.place.number}. {grade.place.exercise.title}: "
    return Text.assemble(place, (grade.state, styles.get(grade.state, "dim")), tasks)


def _indented(text: str, width: int) -> str:
    return textwrap.fill(printable(text), max(width, 20), initial_indent=" " * 6, subsequent_indent=" " * 6)

"""The commands of the exercises: ``forty exercise``, ``check``, ``hint`` and ``solution``."""

import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base import files
from fortydays.base.errors import ExitCode, StorageError, UsageError
from fortydays.base.privacy import shared
from fortydays.base.settings import read_settings
from fortydays.base.text import counted, printable
from fortydays.cli import drafts, streams
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from fortydays.exercises.finding import Place
    from fortydays.exercises.judge import Verdict
    from fortydays.exercises.progress import Progress

LARGEST_SEED = 2**32 - 1
_Day = Annotated[str, typer.Argument(metavar="DAY", help="A day: 1, day1 or first-network.")]
_Number = Annotated[
    int | None, typer.Argument(metavar="[N]", help="One of its exercises.", min=1, max=99, show_default=False)
]
_Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", "-f", metavar="FOLDER", help="Where your files of the day are [dayNN].", show_default=False
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Decides the inputs.", min=0, max=LARGEST_SEED)]


def read_progress() -> "Progress":
    """How far the reader has come; a damaged file is told."""
    from fortydays.exercises import progress

    kept = progress.read(read_settings().workspace)
    if kept.warning:
        typer.echo(f"Warning: {kept.warning}", err=True)
    return kept


def exercise(
    day: Annotated[
        str, typer.Argument(metavar="[DAY]", help="A day; without one, how far you are.", show_default=False)
    ] = "",
    folder: _Folder = None,
    as_json: AsJson = False,
) -> None:
    """Write a day's exercises into files of your own, and show how far you are. A file that exists stays as it is."""
    from fortydays.exercises import progress
    from fortydays.exercises.finding import days_with_exercises, exercises_of, find_exercises, usual_folder

    workspace = read_settings().workspace
    if not day:
        if folder is not None:
            raise UsageError(
                "--folder needs a day.", hint=f"Write: forty exercise 1 --folder {shlex.quote(str(folder))}"
            )
        places = [place for each in days_with_exercises() for place in exercises_of(each)]
        _print_progress(places, read_progress(), as_json=as_json)
        return
    places = list(find_exercises(day))
    drafts.tell_named(day)
    place = places[0]
    where = _folder_of(place, folder, read_progress()) or usual_folder(place.day)
    written = _write(places, where)
    with progress.changed(workspace) as kept:
        kept.folders[str(place.day)] = str(where.absolute())
    _print_progress(places, kept, as_json=as_json, where=where, written=written)


def _write(places: "list[Place]", where: Path) -> set[str]:
    """Write the files that are not there yet. Returns their names."""
    from fortydays.exercises.starter import starter

    if files.exists(where) and not files.is_folder(where):
        raise UsageError(
            f"{where} is a file, and it stays as it is; the exercises need a folder.", hint="Name one with --folder."
        )
    written = set()
    for place in places:
        path = where / place.file_name
        if files.exists(path) or path.is_symlink():
            continue
        try:
            with shared(path):
                files.write_text(path, starter(place))
        except StorageError as error:
            raise StorageError(error.message, hint="Name a folder of your own with --folder.") from error
        written.add(place.file_name)
    return written


def _print_progress(
    places: "list[Place]",
    kept: "Progress",
    *,
    as_json: bool,
    where: Path | None = None,
    written: set[str] | None = None,
) -> None:
    if as_json:
        told = [
            {
                "day": p.day, "number": p.number, "title": p.exercise.title, "state": _state(p, kept),
                "tries": kept.tries(p), "file": str(where / p.file_name) if where else None,
            }
            for p in places
        ]  # fmt: skip
        streams.print_json({"exercises": told})
        return
    from rich.table import Column

    from fortydays.report.tables import Table, number

    console = streams.console()
    file = Column(f"file in {where}", no_wrap=True)  # a name that is split cannot be copied
    headers: list[Column | str] = (
        [number("day"), "exercise", "state"] if where is None else ["exercise", "state", file]
    )
    table = Table(*headers)
    for p in places:
        name = f"{p.number}. {p.exercise.title}"
        if where is None:
            table.add_row(str(p.day) if p.number == 1 else "", name, _state(p, kept))
        else:
            table.add_row(name, _state(p, kept), p.file_name)
    console.print(table)
    if where is not None and written is not None:
        before = len(places) - len(written)
        stay = f"; {counted(before, 'file')} that {'was' if before == 1 else 'were'} there before stay"
        typer.echo(f"{counted(len(written), 'file')} written{stay if before else ''}{'s' if before == 1 else ''}.")
    passed = sum(kept.passed(p) for p in places)
    console.print(f"{passed} of {len(places)} passed.", highlight=False)
    following = next((p for p in places if not kept.passed(p)), None)
    if where is None and following is not None:
        typer.echo(f"Go on: forty exercise {following.day}")
    elif following is not None:
        typer.echo(f"Write into the files, then: forty check {following.day} {following.number}")


def _state(place: "Place", kept: "Progress") -> str:
    return "passed" if kept.passed(place) else "tried" if kept.tries(place) else "to do"


def _folder_of(place: "Place", named: Path | None, kept: "Progress") -> Path | None:
    """Where a reader's files of a day are: as named, or here, or where they were written; None where none are."""
    from fortydays.exercises.finding import usual_folder

    here = usual_folder(place.day)
    if named is not None:
        return named
    if files.is_folder(here):
        return here
    before = kept.folders.get(str(place.day))
    return Path(before) if before and files.is_folder(Path(before)) else None


# --------------------------------------------------------------------------------------------------------------- check


def check(
    day: _Day, number: _Number = None, folder: _Folder = None, seed: Seed = None, as_json: AsJson = False
) -> None:
    """Judge your files of a day, or of one exercise: what is right, and what is wrong with the rest.

    They run in a process of their own that may not compute for long, take much memory or change a file.
    """
    from fortydays.exercises import progress
    from fortydays.exercises.finding import find_exercises
    from fortydays.exercises.judge import State, judge
    from fortydays.exercises.starter import starter

    workspace = read_settings().workspace
    places = find_exercises(day, number)
    drafts.tell_named(day)
    where = _folder_of(places[0], folder, read_progress())
    if where is None:
        raise UsageError(
            f"There are no files of day {places[0].day} yet.", hint=f"Write them: forty exercise {places[0].day}"
        )
    console, told, all_passed = streams.console(), [], True
    for place in places:
        path = where / place.file_name
        if number is None and not files.exists(path):
            verdict = None
        elif not files.is_file(path):
            raise UsageError(f"There is no {path}.", hint=f"Write it: forty exercise {place.day}")
        else:
            verdict = judge(path, place.exercise, seed=seed or 0)
            if path.read_bytes() != starter(place).encode():
                with progress.changed(workspace) as kept:
                    kept.note_verdict(place, verdict)
        all_passed = all_passed and verdict is not None and verdict.state is State.PASSED
        told.append(_document(place, path, verdict))
        if not as_json:
            _print_verdict(place, path, verdict, console)
    if as_json:
        streams.print_json({"exercises": told})
    elif not all_passed:
        typer.echo(f"A hint: forty hint {places[0].day}{f' {number}' if number else ''}")
    if not all_passed:
        raise typer.Exit(ExitCode.NOT_MET)


def _document(place: "Place", path: Path, verdict: "Verdict | None") -> dict[str, object]:
    tasks = [
        {"name": f.name, "state": f.state.value, "says": f.says, "shown": f.shown}
        for f in (verdict.findings if verdict else ())
    ]
    state = verdict.state.value if verdict else "missing"
    return {"day": place.day, "number": place.number, "file": str(path), "state": state, "tasks": tasks}


def _print_verdict(place: "Place", path: Path, verdict: "Verdict | None", console: "Console") -> None:
    from rich.text import Text

    from fortydays.exercises.judge import State

    console.print(Text(f"{place.number}. {place.exercise.title}", style="bold"))
    if verdict is None:
        console.print(Text(f"  There is no {path} any more."))
        return
    signs = {State.PASSED: ("✓", "green"), State.WRONG: ("✗", "red"), State.UNWRITTEN: ("·", "dim")}
    for finding in verdict.findings:
        sign, style = signs[finding.state]
        line = Text(_wrapped(f"{sign} {finding.name}: {finding.says}", console))
        line.stylize(style, 2, 3)
        console.print(line)
        if finding.shown:
            for each in finding.shown.split("\n"):
                console.print(Text(f"      {printable(each)}"), no_wrap=True, overflow="ignore", crop=False)
    if verdict.printed.strip():
        console.print(Text("  It printed:", style="dim"))
        for each in verdict.printed.rstrip().split("\n"):
            console.print(Text(f"      {printable(each)}", style="dim"), no_wrap=True, overflow="ignore", crop=False)
    if verdict.state is State.PASSED:
        console.print(Text(_wrapped(place.exercise.afterwards, console)))


def _wrapped(text: str, console: "Console") -> str:
    width = max(console.width, 20)
    return textwrap.fill(" ".join(text.split()), width, initial_indent="  ", subsequent_indent="    ")


# --------------------------------------------------------------------------------------------------- hint and solution


def hint(day: _Day, number: _Number = None) -> None:
    """Tell the next hint of an exercise: of the first one that has not passed, unless you name it."""
    from fortydays.exercises import progress

    read_progress()
    with progress.changed(read_settings().workspace) as kept:
        place = _meant(day, number, kept)
        told = kept.next_hint(place)
    hints = place.exercise.hints
    typer.echo(f"{place.number}. {place.exercise.title}: hint {told + 1} of {len(hints)}")
    typer.echo(hints[told])
    if told == len(hints) - 1:
        typer.echo(f"That is the last one. After a try, there is: forty solution {place.day} {place.number}")


def solution(day: _Day, number: _Number = None) -> None:
    """Print a solution of an exercise, once you have had one try of your own judged."""
    from fortydays.exercises.starter import solution as written

    kept = read_progress()
    place = _meant(day, number, kept)
    if not kept.tries(place):
        raise UsageError(
            f"No try of yours at exercise {place.number} of day {place.day} has been judged yet.",
            hint=f"Write something, then: forty check {place.day} {place.number}. A hint: forty hint {place.day} "
            f"{place.number}",
        )
    typer.echo(written(place), nl=False)


def _meant(day: str, number: int | None, kept: "Progress") -> "Place":
    from fortydays.exercises.finding import find_exercises

    places = find_exercises(day, number)
    drafts.tell_named(day)
    return next((place for place in places if not kept.passed(place)), places[-1])

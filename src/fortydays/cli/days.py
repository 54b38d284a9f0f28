"""The commands about the days: ``forty list``, ``read``, ``show``, ``copy`` and ``report``."""

import contextlib
import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base import files
from fortydays.base.errors import StorageError, UsageError
from fortydays.base.privacy import shared
from fortydays.base.settings import read_settings
from fortydays.base.text import counted
from fortydays.cli import drafts, streams
from fortydays.cli.streams import AsCsv, AsJson

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from fortydays.days.journey import Day
    from fortydays.days.loading import StudyFile
    from fortydays.report.lookup import Found, Subject
    from fortydays.report.notes import Notes
    from fortydays.report.results import Results

READY, RUN_BY_YOU, TO_COME = "ready", "run by you", "to come"
_SIGNS = {READY: ("○", "o"), RUN_BY_YOU: ("●", "*"), TO_COME: ("·", ".")}
_STYLES = {READY: "bold", RUN_BY_YOU: "bold green", TO_COME: "dim"}

_Day = Annotated[str, typer.Argument(metavar="DAY", help="A day: 1, day1 or first-network.")]
_DayOrStudy = Annotated[
    str, typer.Argument(metavar="DAY", help="A day (1, day1, first-network) or a study file (.py).")
]
_Published = Annotated[
    bool, typer.Option("--published", help="The published evidence, even where you have a run of your own.")
]


def list_days(as_json: AsJson = False) -> None:
    """List the forty days: which are ready, which you have run, and which are still to come."""
    if not as_json:
        print_map(streams.console())
        return
    told = ("number", "slug", "title", "data", "summary", "promise")
    days = [{name: getattr(day, name) for name in told} | {"state": state} for day, state in _states()]
    streams.print_json({"days": days})


def print_map(console: "Console") -> None:
    """Print the map of the forty days, in at most 80 columns: signs and words tell each day's state."""
    from rich.text import Text

    from fortydays.cli.exercises import read_progress
    from fortydays.days.journey import CHAPTERS

    plain, width, states = console.options.ascii_only, min(console.width, 80), _states()
    for day, state in states:
        if day.number in CHAPTERS:
            if day.number > 1:
                console.print()
            console.print(Text(CHAPTERS[day.number], style="italic"))
        line = Text(f"{day.number:>4} ", style="dim")
        line.append(f"{_SIGNS[state][plain]} ", style=_STYLES[state])
        line.append(f"{day.title:<36}", style="" if state == TO_COME else "bold")
        line.append(f"{day.data:<24}", style="dim")
        line.append("" if state == TO_COME else state, style=_STYLES[state])
        line.rstrip()
        line.truncate(width)
        console.print(line, no_wrap=True, highlight=False)
    console.print()
    counts = {state: sum(s == state for _, s in states) for state in (READY, RUN_BY_YOU, TO_COME)}
    key = "   ".join(f"{_SIGNS[state][plain]} {count} {state}" for state, count in counts.items())
    console.print(Text(key, style="dim"), width=width, highlight=False)
    following = next((day.number for day, state in states if state == READY), None)
    if following is not None:
        verb = "Next" if counts[RUN_BY_YOU] else "Begin"
        console.print(f"{verb}: forty read {following}, then forty run {following}", width=width, highlight=False)
    passed = read_progress().passed_count([day.number for day, state in states if state != TO_COME])
    if passed:
        console.print(f"{counted(passed, 'exercise')} passed: forty exercise", width=width, highlight=False)


def _states() -> "list[tuple[Day, str]]":
    """Every day with its state. A study of the reader's own is no day; a draft is to come, also once it has run."""
    from fortydays.days.journey import JOURNEY, is_ready
    from fortydays.study.runs import list_runs

    run = {run.read()["day"] for run in list_runs(read_settings().runs) if files.exists(run.evidence)}
    return [(day, TO_COME if not is_ready(day) else RUN_BY_YOU if day.number in run else READY) for day in JOURNEY]


def show(day: _DayOrStudy, published: _Published = False, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Show a day's results: your own latest run, or else the published evidence.

    With --csv, one row for each trial, with its metrics.
    """
    from fortydays.report.lookup import find_subject, need_evidence
    from fortydays.report.results import read_results
    from fortydays.study.evidence import outline

    subject = find_subject(day)
    drafts.tell(subject.day)
    found = need_evidence(subject, read_settings(), only_published=published)
    if as_csv:
        from fortydays.report.rows import TRIAL, trial_rows

        streams.print_csv(trial_rows(read_results(found.evidence)), TRIAL, as_json=as_json)
        return
    if not as_json:
        from fortydays.report.terminal import print_evidence

        print_evidence(found.evidence, streams.console(), source=found.source)
        return
    read_results(found.evidence)  # so that what other programs are given is whole
    try:
        typer.echo(json.dumps(outline(found.evidence), allow_nan=False))
    except ValueError as error:
        raise StorageError(f"The evidence is damaged: {error}.", hint="Make it anew with `forty run`.") from error


def copy(
    day: _Day,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write it; the name ends in .py.", show_default=True)
    ] = Path("my_study.py"),
) -> None:
    """Write a day's study into a file of your own, which runs as it is. A file that exists is never overwritten."""
    from fortydays.days.loading import find_study, is_study_file

    if is_study_file(day):
        raise UsageError(f"{day} is a study file; expected a day, such as 1.", hint=f"Copy a file with: cp {day} FILE")
    if not is_study_file(file.name):
        raise UsageError(
            f"The name of a study file ends in .py; this is {file}.",
            hint=f"Write: forty copy {shlex.quote(day)} {shlex.quote(str(file.with_name(file.name + '.py')))}",
        )
    study = find_study(day)
    drafts.tell_named(day)
    _write_new(file, lambda: _source(study))
    typer.echo(f"{file} is a copy of day {study.day}'s study. Change what you like in it.")
    typer.echo(f"Run it: forty run {shlex.quote(str(file))}")


def notebook(
    day: _Day,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write it; the name ends in .ipynb [dayNN.ipynb]."
        ),
    ] = None,
) -> None:
    """Write a day as a Jupyter notebook: notes, the study's code, results, plots. It overwrites no file."""
    from fortydays.days.loading import find_study
    from fortydays.report.lookup import find_subject, need_evidence
    from fortydays.report.notebook import make_notebook
    from fortydays.report.notes import read_figures, read_notes, render_notes
    from fortydays.report.results import read_results

    subject = find_subject(day)
    notes = read_notes(subject.day) if subject.day else None
    if subject.day is None or notes is None:
        raise UsageError(f"{subject.words} has no notes yet.", hint="`forty list` shows the days that are ready.")
    drafts.tell(subject.day)
    file = output or Path(f"{subject.file_name}.ipynb")
    if file.suffix != ".ipynb":
        hint = f"Write: forty notebook {shlex.quote(day)} -o {shlex.quote(str(file.with_name(file.name + '.ipynb')))}"
        raise UsageError(f"The name of a notebook ends in .ipynb; this is {file}.", hint=hint)
    found = need_evidence(subject, read_settings(), only_published=True).evidence
    text, figures = render_notes(notes.text, found, file=notes.file), read_figures(subject.day)
    study, name = _source(find_study(day)), f"{subject.file_name}_study.py"
    _write_new(file, lambda: make_notebook(read_results(found), text, figures, study, file=name))
    typer.echo(
        f"{file} is a notebook of day {subject.day.number}. Open it with Jupyter, in this program's environment."
    )


def _source(study: "StudyFile") -> str:
    with files.storage_errors("read", study.path):
        return study.path.read_text("utf-8")


def _write_new(file: Path, make: "Callable[[], str]") -> None:
    """Write a reader's file. Raises UsageError where there is one already, which stays, or no folder for it."""
    if files.exists(file) or file.is_symlink():
        raise UsageError(f"There is a {file} already, and it stays as it is.", hint="Give another name for the copy.")
    if not files.is_folder(file.absolute().parent):
        raise UsageError(f"There is no folder {file.parent}.", hint="Make it first, or name a file in another one.")
    with shared(file):
        files.write_text(file, make())


# --------------------------------------------------------------------------------------------------------------- notes


def read(
    day: _Day,
    no_pager: Annotated[bool, typer.Option("--no-pager", help="Print all at once, even on a terminal.")] = False,
    answers: Annotated[bool, typer.Option("--answers", help="Show the answers to the questions too.")] = False,
) -> None:
    """Read a day's notes. Their numbers are the published ones, or your own run's where it was no smaller."""
    from fortydays.report.lookup import find_subject
    from fortydays.report.notes import for_terminal, print_notes, read_notes

    subject = find_subject(day)
    notes = read_notes(subject.day) if subject.day else None
    if notes is None:
        raise UsageError(f"{subject.words} has no notes yet.", hint="`forty list` shows the days that are ready.")
    drafts.tell(subject.day)
    text = for_terminal(_filled(notes, subject), answers=answers)
    console = streams.console()
    if no_pager or not console.is_terminal:
        print_notes(text, console)
        return
    # A pager that is `less` shows colors only when told to, and should end by itself where the notes fit the screen.
    os.environ.setdefault("LESS", "-RFX")
    with console.pager(styles=True):
        print_notes(text, console)


def _filled(notes: "Notes", subject: "Subject") -> str:
    """The notes with numbers of a whole run, and a last line that says whose: the reader's own or the published."""
    from fortydays.report.lookup import find_evidence
    from fortydays.report.notes import escape, render_notes
    from fortydays.report.results import read_results

    def fill(found: "Found | None") -> str:
        text = render_notes(notes.text, found.evidence if found else None, file=notes.file)
        source = "published evidence" if found and found.published else escape(found.source) if found else ""
        return f"{text.rstrip()}\n\n*Numbers: {source}*\n" if source else text

    found = find_evidence(subject, read_settings(), only_published=False)
    if found is None or found.published:
        return fill(found)
    shipped = find_evidence(subject, read_settings(), only_published=True)
    if shipped and not _is_whole(read_results(found.evidence), read_results(shipped.evidence)):
        return fill(shipped)
    try:
        return fill(found)
    except UsageError as error:
        typer.echo(
            f"Warning: {found.source} lacks numbers that the notes speak of; "
            f"{'the published ones are' if shipped else 'no number is'} shown. {error.message}",
            err=True,
        )
        return fill(shipped)


def _is_whole(own: "Results", shipped: "Results") -> bool:
    """Whether a run was made as the published one was, and so can stand in the text that was written about that."""
    changed = own.only or own.settings or own.tried_on or own.engine != "compiled"
    return not changed and len(own.seeds) >= len(shipped.seeds)


# ---------------------------------------------------------------------------------------------------------------- page


def report(
    day: _DayOrStudy,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write [reports/dayNN.html in the workspace]."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    published: _Published = False,
) -> None:
    """Write a day's results as a web page in one file that needs no network and no script."""
    from fortydays.report.lookup import find_subject, need_evidence
    from fortydays.report.page import make_page

    settings, subject = read_settings(), find_subject(day)
    drafts.tell(subject.day)
    found = need_evidence(subject, settings, only_published=published)
    page = make_page(found.evidence, notes_html=_notes(subject, found.evidence), source=found.source)
    usual = settings.workspace / "reports" / f"{subject.file_name}.html"
    path = (output or usual).absolute()
    try:
        with shared(path) if output is not None else contextlib.nullcontext():
            files.write_text(path, page)
    except StorageError as error:
        if output is None:
            raise
        hint = f"Name a file in a folder of your own, or leave -o out: the page then goes to {usual}."
        raise StorageError(error.message, hint=hint) from error
    typer.echo(path)
    if open_:
        import webbrowser

        if not webbrowser.open(path.as_uri()):
            typer.echo("Warning: no browser could be opened; open the file yourself.", err=True)


def _notes(subject: "Subject", evidence: dict[str, Any]) -> str | None:
    """The day's notes as HTML with the numbers of this evidence, or None where they cannot be had.

    A run with other variants or settings than the day's own lacks numbers that the notes speak of. The page is then
    made without notes, and the reader told.
    """
    from fortydays.report.notes import read_figures, read_notes, render_notes, to_html
    from fortydays.report.typesetting import can_typeset, in_characters, typeset

    notes = read_notes(subject.day) if subject.day else None
    if subject.day is None or notes is None:
        return None
    formula = typeset if can_typeset() else in_characters
    try:
        text = render_notes(notes.text, evidence, file=notes.file)
        return to_html(text, read_figures(subject.day), formula=formula)
    except UsageError as error:
        typer.echo(f"Warning: the page is made without the day's notes. {error.message}", err=True)
        return None

"""``forty report``: a day's results as one HTML file."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base import files
from fortydays.base.errors import StorageError, UsageError
from fortydays.base.privacy import shared
from fortydays.base.settings import read_settings

if TYPE_CHECKING:
    from fortydays.report.lookup import Subject


def report(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day (1, day1, first-network) or a study file (.py).")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write [reports/dayNN.html in the workspace]."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    published: Annotated[
        bool, typer.Option("--published", help="The published evidence, even where you have a run of your own.")
    ] = False,
) -> None:
    """Write a day's results as a web page in one file that needs no network and no script."""
    from fortydays.report.lookup import find_subject, need_evidence
    from fortydays.report.page import make_page
    from fortydays.study import evidence

    settings, subject = read_settings(), find_subject(day)
    found = need_evidence(subject, settings, evidence.published(), only_published=published)
    notes = _notes(subject, found.evidence)
    page = make_page(found.evidence, notes_html=notes, source=found.source)
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
    from fortydays.report.notes import read_notes, render_notes, to_html

    notes = read_notes(subject.day) if subject.day else None
    if notes is None:
        return None
    try:
        return to_html(render_notes(notes.text, evidence, file=notes.file))
    except UsageError as error:
        typer.echo(f"Warning: the page is made without the day's notes. {error.message}", err=True)
        return None

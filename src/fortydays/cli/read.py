"""``forty read``: the notes of a day, with the numbers of its evidence."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import UsageError
from fortydays.base.settings import read_settings

if TYPE_CHECKING:
    from fortydays.report.lookup import Subject
    from fortydays.report.notes import Notes


def read(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day: 1, day1 or first-network.")],
    no_pager: Annotated[bool, typer.Option("--no-pager", help="Print all at once, even on a terminal.")] = False,
) -> None:
    """Read a day's notes. Their numbers are those of your own latest run, or else the published ones."""
    from rich.console import Console

    from fortydays.report.lookup import find_subject
    from fortydays.report.notes import print_notes, read_notes

    subject = find_subject(day)
    notes = read_notes(subject.day) if subject.day else None
    if notes is None:
        raise UsageError(f"{subject.words} has no notes yet.", hint="`forty list` shows the days that are ready.")
    text = _filled(notes, subject)
    console = Console()
    if no_pager or not console.is_terminal:
        print_notes(text, console)
        return
    # A pager that is `less` shows colors only when told to, and should end by itself where the notes fit the screen.
    os.environ.setdefault("LESS", "-RFX")
    with console.pager(styles=True):
        print_notes(text, console)


def _filled(notes: "Notes", subject: "Subject") -> str:
    """The notes with the reader's own numbers, or the published ones where their run lacks some."""
    from fortydays.report.lookup import Found, find_evidence
    from fortydays.report.notes import render_notes
    from fortydays.study.evidence import published

    def find(*, only_published: bool) -> Found | None:
        return find_evidence(subject, read_settings(), published(), only_published=only_published)

    def fill(evidence: dict[str, Any] | None) -> str:
        return render_notes(notes.text, evidence, file=notes.file)

    found = find(only_published=False)
    if found is None or found.published:
        return fill(found.evidence if found else None)
    try:
        return fill(found.evidence)
    except UsageError as error:
        shipped = find(only_published=True)
        typer.echo(
            f"Warning: {found.source} lacks numbers that the notes speak of; "
            f"{'the published ones are' if shipped else 'no number is'} shown. {error.message}",
            err=True,
        )
        return fill(shipped.evidence if shipped else None)

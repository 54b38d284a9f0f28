"""``forty read``: the notes of a day, with the numbers of its evidence."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base.errors import UsageError
from fortydays.base.settings import read_settings
from fortydays.cli import streams

if TYPE_CHECKING:
    from fortydays.report.lookup import Subject
    from fortydays.report.notes import Notes
    from fortydays.report.results import Results


def read(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day: 1, day1 or first-network.")],
    no_pager: Annotated[bool, typer.Option("--no-pager", help="Print all at once, even on a terminal.")] = False,
) -> None:
    """Read a day's notes. Their numbers are the published ones, or your own run's where it was no smaller."""
    from fortydays.report.lookup import find_subject
    from fortydays.report.notes import print_notes, read_notes

    subject = find_subject(day)
    notes = read_notes(subject.day) if subject.day else None
    if notes is None:
        raise UsageError(f"{subject.words} has no notes yet.", hint="`forty list` shows the days that are ready.")
    text = _filled(notes, subject)
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
    from fortydays.report.lookup import Found, find_evidence
    from fortydays.report.notes import escape, render_notes
    from fortydays.report.results import read_results
    from fortydays.study.evidence import published

    def find(*, only_published: bool) -> Found | None:
        return find_evidence(subject, read_settings(), published(), only_published=only_published)

    def fill(found: Found | None) -> str:
        text = render_notes(notes.text, found.evidence if found else None, file=notes.file)
        source = "published evidence" if found and found.published else escape(found.source) if found else ""
        return f"{text.rstrip()}\n\n*Numbers: {source}*\n" if source else text

    found = find(only_published=False)
    if found is None or found.published:
        return fill(found)
    shipped = find(only_published=True)
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
    changed = own.only or own.settings or own.engine != "compiled"
    return not changed and len(own.seeds) >= len(shipped.seeds)

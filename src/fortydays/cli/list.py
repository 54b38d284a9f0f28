"""``forty list``: the map of the forty days."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base import files
from fortydays.base.settings import read_settings
from fortydays.cli import streams

if TYPE_CHECKING:
    from rich.console import Console

    from fortydays.days.journey import Day

CHAPTERS = (
    ("Networks", 1),
    ("Pictures", 5),
    ("Words", 16),
    ("From model to service", 25),
    ("Further", 38),
)
"""The stretches of the journey, each with its first day."""

READY, RUN_BY_YOU, TO_COME = "ready", "run by you", "to come"
_SIGNS = {READY: ("○", "o"), RUN_BY_YOU: ("●", "*"), TO_COME: ("·", ".")}


def list_days(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the forty days: which are ready, which you have run, and which are still to come."""
    if not as_json:
        print_map()
        return
    states = day_states()
    days = [
        {
            "number": day.number,
            "slug": day.slug,
            "title": day.title,
            "data": day.data,
            "summary": day.summary,
            "promise": day.promise,
            "state": state,
        }
        for day, state in states
    ]
    typer.echo(json.dumps({"schema_version": 1, "days": days}))


def print_map() -> None:
    """Print the map of the forty days on standard output."""
    render_map(streams.console())


def render_map(console: "Console") -> None:
    """Print the map of the forty days, in at most 80 columns: signs and words tell each day's state.

    Args:
        console: where to.
    """
    from rich.text import Text

    plain = console.options.ascii_only
    states = day_states()
    width = min(console.width, 80)
    styles = {READY: "bold", RUN_BY_YOU: "bold green", TO_COME: "dim"}
    first_days = {number: name for name, number in CHAPTERS}
    for day, state in states:
        if day.number in first_days:
            if day.number > 1:
                console.print()
            console.print(Text(first_days[day.number], style="italic"))
        line = Text(f"{day.number:>4} ", style="dim")
        line.append(f"{_SIGNS[state][plain]} ", style=styles[state])
        line.append(f"{day.title:<36}", style="" if state == TO_COME else "bold")
        line.append(f"{day.data:<24}", style="dim")
        line.append("" if state == TO_COME else state, style=styles[state])
        line.rstrip()
        line.truncate(width)
        console.print(line, no_wrap=True, highlight=False)
    console.print()
    counts = {state: sum(s == state for _, s in states) for state in (READY, RUN_BY_YOU, TO_COME)}
    key = Text("   ".join(f"{_SIGNS[state][plain]} {count} {state}" for state, count in counts.items()), style="dim")
    console.print(key, width=width, highlight=False)
    following = next((day.number for day, state in states if state == READY), None)
    if following is not None:
        verb = "Next" if counts[RUN_BY_YOU] else "Begin"
        console.print(
            Text(f"{verb}: forty read {following}, then forty run {following}"), width=width, highlight=False
        )


def day_states() -> "list[tuple[Day, str]]":
    """Every day with its state: "ready", "run by you" or "to come"."""
    from fortydays.days.journey import JOURNEY, is_ready

    run = _days_with_evidence()
    return [(day, RUN_BY_YOU if day.number in run else READY if is_ready(day) else TO_COME) for day in JOURNEY]


def _days_with_evidence() -> set[object]:
    """The numbers of the days of which this workspace holds evidence; a study of one's own has none."""
    from fortydays.study.runs import list_runs

    return {run.read()["day"] for run in list_runs(read_settings().runs) if files.exists(run.evidence)}

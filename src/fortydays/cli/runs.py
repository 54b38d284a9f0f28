"""``forty runs``: every run in the workspace, how far it came, and how to go on."""

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base import files
from fortydays.base.errors import StorageError, TrackingError
from fortydays.base.settings import read_settings
from fortydays.base.text import printable
from fortydays.cli import streams

if TYPE_CHECKING:
    from rich.console import Console

    from fortydays.study.runs import RunFolder
    from fortydays.track.store import Destination


NO_EVIDENCE = "no evidence (damaged)"
"""What is shown instead of "finished" where a run has ended and its evidence cannot be used."""


@dataclass(frozen=True, kw_only=True)
class RunLine:
    """One run as the list shows it.

    Attributes:
        run_id: its name.
        day: the day's number, or None for a study of one's own.
        name: slug of the day or study.
        state: running, interrupted, finished or failed.
        done: trials that have a result.
        total: trials there are to be, or None where the run does not say.
        created: when it began, ISO 8601.
        verdicts: how many claims have which verdict; empty before there is evidence.
        problem: what is wrong with its evidence, or "".
        command: what begins or continues it.
        tracking: what went wrong with sending it to the tracker, or "".
        tracked: whether the tracker has all of it.
    """

    run_id: str
    day: int | None
    name: str
    state: str
    done: int
    total: int | None
    created: str
    verdicts: dict[str, int]
    problem: str
    command: str
    tracking: str
    tracked: bool


def runs(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List your runs, oldest first: what each gave, and how an interrupted one continues."""
    from fortydays.study.runs import damaged_runs, list_runs
    from fortydays.track.store import destination

    settings = read_settings()
    folder, tracker = settings.runs, None
    with contextlib.suppress(TrackingError):  # said where the tracker is used
        tracker = destination(settings)
    lines = [_line(run, tracker) for run in list_runs(folder)]
    damaged = [run.path for run in damaged_runs(folder)]
    if as_json:
        document = {
            "schema_version": 1,
            "runs": [dataclasses.asdict(line) for line in lines],
            "damaged": [str(path) for path in damaged],
        }
        typer.echo(json.dumps(document))
        return

    _print(lines, streams.console())
    for path in damaged:
        typer.echo(f"Warning: {path} is damaged: its run.json cannot be read. It is left as it is.", err=True)


def _line(run: "RunFolder", tracker: "Destination | None") -> RunLine:
    from fortydays.report.lookup import command_of, is_without_evidence, train_again
    from fortydays.track import record

    document = run.read()
    verdicts, problem = _verdicts(run)
    if problem or is_without_evidence(run):
        problem = f"{problem or f'The evidence of {run.run_id} was damaged.'} {train_again(run)}"
    day = document.get("day")
    name = str(document.get("name", ""))
    return RunLine(
        run_id=run.run_id,
        day=day if isinstance(day, int) else None,
        name=name,
        state=str(run.state()),
        done=sum(files.exists(trial.result) for trial in run.trials()),
        total=_total(document),
        created=str(document.get("created", "")),
        verdicts=verdicts,
        problem=problem,
        command=_typed(document) or command_of(document.get("request"), day=day, name=name),
        tracking=record.trouble(run),
        tracked=tracker is not None and record.is_sent(run, tracker),
    )


def _verdicts(run: "RunFolder") -> tuple[dict[str, int], str]:
    from fortydays.study.evidence import read_evidence

    if not files.exists(run.evidence):
        return {}, ""
    try:
        claims = read_evidence(run.evidence)["claims"]
        found = [str(claim["verdict"]) for claim in claims]
    except StorageError as error:
        return {}, error.message
    except (TypeError, KeyError):
        return {}, f"{run.evidence} is damaged: its claims cannot be read."
    return {verdict: found.count(verdict) for verdict in ("supported", "refuted", "undecided")}, ""


def _typed(document: dict[str, Any]) -> str:
    """The command as it was typed; "" in a run of an older version."""
    found = document.get("command")
    return printable(found) if isinstance(found, str) and len(found) <= _LONGEST_COMMAND else ""


_LONGEST_COMMAND = 2_000


def _total(document: dict[str, Any]) -> int | None:
    try:
        identity = document["identity"]
        return len([*identity["recipes"], *identity.get("drills", ())]) * len(document["request"]["seeds"])
    except (KeyError, TypeError):
        return None


def _print(lines: list[RunLine], console: "Console") -> None:
    from rich.table import Column

    from fortydays.report.tables import Table
    from fortydays.report.terminal import Screen

    screen = Screen.of(console)
    if not lines:
        console.print(screen.text("There are no runs yet. Begin with: forty run 1"))
        return
    table = Table(
        Column("run", overflow="fold"),
        Column("state", max_width=len("interrupted")),
        Column("trials", justify="right", no_wrap=True),
        Column("began", no_wrap=True),
        Column("claims", no_wrap=True),
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="dim",
    )
    styles = {"finished": "green", "running": "cyan", "interrupted": "yellow", "failed": "red"}
    for line in lines:
        total = "?" if line.total is None else str(line.total)
        table.add_row(
            screen.text(line.run_id),
            screen.text(NO_EVIDENCE, "red") if line.problem else screen.text(line.state, styles.get(line.state, "")),
            screen.text(f"{line.done}/{total}"),
            screen.text(line.created[:16].replace("T", " ")),
            screen.text(_counts(line.verdicts)),
        )
    console.print(table, width=screen.width)
    for line in lines:
        if line.state == "interrupted":
            console.print()
            console.print(
                screen.text(f"{line.run_id} was interrupted. Continue: {line.command}", "yellow"), width=screen.width
            )
        if line.problem:
            typer.echo(f"Warning: {line.problem}", err=True)
        if line.tracking:
            typer.echo(f"Warning: {line.run_id}: {line.tracking}", err=True)
    unsent = [line.run_id for line in lines if not line.tracked]
    if unsent:
        console.print()
        said = f"Not in MLflow yet, or not all of it: {', '.join(unsent)}. Send what is missing: forty sync"
        console.print(screen.text(said, "dim"), width=screen.width)
    if any(line.verdicts for line in lines):
        console.print()
        console.print(screen.text("Claims: ✓ supported, ✗ refuted, ? undecided.", "dim"), width=screen.width)


def _counts(verdicts: dict[str, int]) -> str:
    signs = {"supported": "✓", "refuted": "✗", "undecided": "?"}
    return " ".join(f"{count}{signs[verdict]}" for verdict, count in verdicts.items() if count)

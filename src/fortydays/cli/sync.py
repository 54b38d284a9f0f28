"""``forty sync``: send to the tracker what it does not have yet."""

import json
from typing import Annotated

import typer

from fortydays.base.errors import ExitCode
from fortydays.base.settings import read_settings


def sync(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id or its beginning; every run if left out.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
) -> None:
    """Send every run, or one, to the tracker; what is there already is not sent again."""
    from fortydays.study.runs import damaged_runs, find_run, list_runs
    from fortydays.track.store import destination, open_store
    from fortydays.track.sync import Synced
    from fortydays.track.sync import sync as send

    settings = read_settings()
    where = destination(settings)
    runs = [find_run(settings.runs, run_id)] if run_id else list_runs(settings.runs)
    for damaged in [] if run_id else damaged_runs(settings.runs):
        typer.echo(f"Left out, because its run.json is damaged: {damaged.path}", err=True)
    done: list[Synced] = []
    notes: tuple[str, ...] = ()
    if runs:
        store = open_store(where, waiting=lambda line: typer.echo(line, err=True))
        notes = store.notes
        for note in notes:
            typer.echo(f"Warning: {note}", err=True)
        for each in send(runs, store):
            done.append(each)
            if not as_json:
                typer.echo(_line(each.run_id, each.outcome, each.trials, each.reason))
    if as_json:
        document = {
            "schema_version": 1,
            "destination": where.shown,
            "notes": list(notes),
            "runs": [{"run_id": e.run_id, "outcome": e.outcome, "trials": e.trials, "reason": e.reason} for e in done],
        }
        typer.echo(json.dumps(document, indent=1, ensure_ascii=False))
    elif not runs:
        typer.echo(f"There is no run in {settings.runs}.")
    if any(each.outcome == "failed" for each in done):
        raise typer.Exit(ExitCode.FAILED)


def _line(run_id: str, outcome: str, trials: int, reason: str) -> str:
    detail = f" ({trials} {'trial' if trials == 1 else 'trials'})" if trials else ""
    return f"{run_id}: {outcome}{detail}{f': {reason}' if reason else ''}"

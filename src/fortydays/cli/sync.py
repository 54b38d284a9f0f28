"""``forty sync``: send to MLflow what it does not have yet."""

import json
from typing import Annotated, Any

import typer

from fortydays.base.errors import ExitCode, FortydaysError
from fortydays.base.settings import read_settings
from fortydays.base.text import counted


def sync(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id or its beginning; every run if left out.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
) -> None:
    """Send every run, or one, to MLflow; what is there already is not sent again."""
    from fortydays.study.runs import damaged_runs, find_run, list_runs
    from fortydays.track.store import UnreachableError, destination, open_store
    from fortydays.track.sync import sync as send

    def note(line: str) -> None:
        typer.echo(line, err=True)

    settings = read_settings()
    where = destination(settings)
    runs = [find_run(settings.runs, run_id)] if run_id else list_runs(settings.runs)
    for damaged in [] if run_id else damaged_runs(settings.runs):
        note(f"Left out, because its run.json is damaged: {damaged.path}")
    store = open_store(where, waiting=note) if runs else None
    for line in store.notes if store else ():
        note(f"Warning: {line}")
    done: list[dict[str, Any]] = []
    for run in runs:
        outcome, trials, reason = "failed", 0, ""
        try:
            assert store is not None
            synced = send(run, store, waiting=note)
            outcome, trials = synced.outcome, synced.trials
        except UnreachableError:  # with the other runs it would be the same
            raise
        except FortydaysError as error:
            reason = f"{error.message} {error.hint}".strip()
        done.append({"run_id": run.run_id, "outcome": outcome, "trials": trials, "reason": reason})
        if not as_json:
            detail = f" ({counted(trials, 'trial')})" if trials else ""
            typer.echo(f"{run.run_id}: {outcome}{detail}{f': {reason}' if reason else ''}")
    if as_json:
        notes = list(store.notes) if store else []
        document = {"schema_version": 1, "destination": where.shown, "notes": notes, "runs": done}
        typer.echo(json.dumps(document, indent=1, ensure_ascii=False))
    elif not runs:
        typer.echo(f"There is no run in {settings.runs}.")
    if any(each["outcome"] == "failed" for each in done):
        raise typer.Exit(ExitCode.FAILED)

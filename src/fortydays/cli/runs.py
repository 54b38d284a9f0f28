"""The commands about runs: ``forty runs``, ``compare``, ``sync`` and ``ui``."""

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base import files
from fortydays.base.errors import ExitCode, FortydaysError, StorageError, TrackingError
from fortydays.base.settings import read_settings
from fortydays.base.text import counted, printable
from fortydays.cli import streams
from fortydays.cli.progress import plain_lines
from fortydays.cli.streams import AsCsv, AsJson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from fortydays.report.comparison import ComparisonOfRuns
    from fortydays.study.runs import RunFolder
    from fortydays.track.store import Destination

NO_EVIDENCE = "no evidence (damaged)"
"""What is shown instead of "finished" where a run has ended and its evidence cannot be used."""

_LONGEST_COMMAND = 2_000
_STYLES = {"finished": "green", "running": "cyan", "interrupted": "yellow", "failed": "red"}
_SIGNS = {"supported": "✓", "refuted": "✗", "undecided": "?", "reached": "●", "not reached": "○"}


_CSV = (
    "run_id", "day", "name", "state", "examples", "done", "total", "created",
    *(word.replace(" ", "_") for word in _SIGNS), "command", "problem",
)  # fmt: skip
"""The columns of the list as CSV; of verdicts, how many claims have them."""


def runs(as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List your runs, oldest first: what each gave, and how an interrupted one continues."""
    from fortydays.study import openings
    from fortydays.study.runs import damaged_runs, list_runs
    from fortydays.track.store import destination

    settings = read_settings()
    folder, tracker = settings.runs, None
    with contextlib.suppress(TrackingError):  # said where the tracker is used
        tracker = destination(settings)
    found = [_facts(run, tracker) for run in list_runs(folder)]
    damaged = [str(run.path) for run in damaged_runs(folder)]
    if as_csv:
        rows = [run | {word.replace(" ", "_"): run["verdicts"].get(word) for word in _SIGNS} for run in found]
        streams.print_csv([{name: row[name] for name in _CSV} for row in rows], _CSV, as_json=as_json)
        _tell_damaged(damaged)
        return
    opened = openings.by_dataset(openings.read(settings.workspace))
    if as_json:
        told = {name: {"times": times, "ways": ways} for name, (times, ways) in opened.items()}
        streams.print_json({"runs": found, "damaged": damaged, "test_splits_opened": told})
        return
    _print_runs(found, opened, streams.console())
    _tell_damaged(damaged)


def _tell_damaged(damaged: list[str]) -> None:
    for path in damaged:
        typer.echo(f"Warning: {path} is damaged: its run.json cannot be read. It is left as it is.", err=True)


def _facts(run: "RunFolder", tracker: "Destination | None") -> dict[str, Any]:
    """What there is to say of a run, as JSON values."""
    from fortydays.report.lookup import command_of, is_without_evidence, train_again
    from fortydays.track import record

    document = run.read()
    verdicts, problem = _verdicts(run)
    if problem or is_without_evidence(run):
        problem = f"{problem or f'The evidence of {run.run_id} was damaged.'} {train_again(run)}"
    day, name = document.get("day"), str(document.get("name", ""))
    return {
        "run_id": run.run_id,
        "day": day if isinstance(day, int) else None,
        "name": name,
        "state": str(run.state()),
        "examples": _tried_on(document),
        "done": sum(files.exists(trial.result) for trial in run.trials()),
        "total": _total(document),
        "created": str(document.get("created", "")),
        "verdicts": verdicts,
        "problem": problem,
        "command": _typed(document) or command_of(document.get("request"), day=day, name=name),
        "tracking": record.trouble(run),
        "tracked": tracker is not None and record.is_sent(run, tracker),
    }


def _verdicts(run: "RunFolder") -> tuple[dict[str, int], str]:
    """How many claims have which verdict, in its word, and what is wrong with the evidence."""
    from fortydays.study.evidence import read_evidence
    from fortydays.study.judgement import word_of

    if not files.exists(run.evidence):
        return {}, ""
    try:
        claims = read_evidence(run.evidence)["claims"]
        found = [word_of(str(claim["verdict"]), demonstration=claim.get("demonstration") is True) for claim in claims]
    except StorageError as error:
        return {}, error.message
    except (TypeError, KeyError):
        return {}, f"{run.evidence} is damaged: its claims cannot be read."
    return {word: found.count(word) for word in _SIGNS}, ""


def _typed(document: dict[str, Any]) -> str:
    """The command as it was typed; "" in a run of an older version."""
    found = document.get("command")
    return printable(found) if isinstance(found, str) and len(found) <= _LONGEST_COMMAND else ""


def _tried_on(document: dict[str, Any]) -> int | None:
    """Of a try, how many examples each split has at most; None of a whole run."""
    request = document.get("request")
    found = request.get("examples") if isinstance(request, dict) else None
    return found if isinstance(found, int) else None


def _total(document: dict[str, Any]) -> int | None:
    """How many trials there are to be, or None where the run does not say."""
    try:
        identity = document["identity"]
        return len([*identity["recipes"], *identity.get("drills", ())]) * len(document["request"]["seeds"])
    except (KeyError, TypeError):
        return None


def _claims_cell(run: dict[str, Any]) -> str:
    """How many claims have which verdict; of a try, that it is one."""
    if run["examples"] is not None:
        return f"a try on {run['examples']:,}"
    return " ".join(f"{count}{_SIGNS[verdict]}" for verdict, count in run["verdicts"].items() if count)


def _print_runs(found: list[dict[str, Any]], opened: "Mapping[str, tuple[int, int]]", console: "Console") -> None:
    from rich.table import Column

    from fortydays.report.tables import Table, number
    from fortydays.report.terminal import Screen

    screen = Screen.of(console)
    if not found:
        console.print(screen.text("There are no runs yet. Begin with: forty run 1"))
        return
    table = Table(
        Column("run", overflow="fold"), Column("state", max_width=len("interrupted")), number("trials"),
        Column("began", no_wrap=True), Column("claims", no_wrap=True),
    )  # fmt: skip
    for run in found:
        state = (NO_EVIDENCE, "red") if run["problem"] else (run["state"], _STYLES.get(run["state"], ""))
        table.add_row(
            screen.text(run["run_id"]),
            screen.text(*state),
            f"{run['done']}/{'?' if run['total'] is None else run['total']}",
            screen.text(run["created"][:16].replace("T", " ")),
            screen.text(_claims_cell(run)),
        )
    console.print(table, width=screen.width)
    for run in found:
        if run["state"] == "interrupted":
            said = f"{run['run_id']} was interrupted. Continue: {run['command']}"
            console.print("", screen.text(said, "yellow"), sep="\n", width=screen.width)
        if run["problem"]:
            typer.echo(f"Warning: {run['problem']}", err=True)
        if run["tracking"]:
            typer.echo(f"Warning: {run['run_id']}: {run['tracking']}", err=True)
    unsent = ", ".join(run["run_id"] for run in found if not run["tracked"])
    for said, wanted in (
        (f"Not in MLflow yet, or not all of it: {unsent}. Send what is missing: forty sync", unsent),
        (
            "Claims: ✓ supported, ✗ refuted, ? undecided; demonstrations: ● reached, ○ not reached.",
            any(run["verdicts"] for run in found),
        ),
        *(
            (
                f"The test split of {name} was opened {counted(times, 'time')}, by {counted(ways, 'way')} to train.",
                True,
            )
            for name, (times, ways) in opened.items()
        ),
    ):
        if wanted:
            console.print("", screen.text(said, "dim"), sep="\n", width=screen.width)


# ---------------------------------------------------------------------------------------------------------- comparison


def compare(
    run_a: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run's id or its beginning, a day (its latest), or a .json file."),
    ],
    run_b: Annotated[str, typer.Argument(metavar="RUN", help="The other one.")],
    as_json: AsJson = False,
) -> None:
    """Say what differs between two runs, and by how much that changed their numbers, paired by seed."""
    from fortydays.report.comparison import compare_results
    from fortydays.report.lookup import evidence_of_run
    from fortydays.report.results import read_results

    folder = read_settings().runs
    first, second = evidence_of_run(folder, run_a), evidence_of_run(folder, run_b)
    found = compare_results(read_results(first.evidence), read_results(second.evidence))
    if as_json:
        streams.print_json({**found.as_dict(), "first": first.source, "second": second.source})
    else:
        _print_comparison(found, first.source, second.source, streams.console())


def _print_comparison(found: "ComparisonOfRuns", first: str, second: str, console: "Console") -> None:
    from rich.table import Column

    from fortydays.report import numbers
    from fortydays.report.tables import Table, number
    from fortydays.report.terminal import Screen

    screen = Screen.of(console)

    def say(text: str, style: str = "") -> None:
        console.print(screen.text(text, style), width=screen.width)

    say(f"A  {first}")
    say(f"B  {second}")
    console.print()
    if found.same_bits:
        say("✓ The same bits: everything the trials gave, except times, is equal.", "green")
    else:
        say("The results are not the same to the last bit.")
    console.print()
    table = Table(*(Column(head, overflow="fold") for head in ("what differs", "A", "B")))
    for each in found.differences:
        table.add_row(*(screen.text(text or "–") for text in (each.what, each.first, each.second)))
    if found.differences:
        console.print(table, width=screen.width)
    else:
        say("Nothing differs in recipes, code, data and machine.")
    console.print()
    table = Table(
        Column("variant", overflow="fold", max_width=22), Column("metric", no_wrap=True), number("A"), number("B"),
        Column(screen.characters("B − A"), justify="right"),
    )  # fmt: skip
    variant = ""
    for c in found.changes:
        digits = 2 if c.unit == "share" else None
        change = "–" if c.change is None else numbers.mean_and_spread(c.change, c.unit, digits=digits, difference=True)
        before, after = (numbers.with_unit(spread.mean, c.unit, digits=digits) for spread in (c.first, c.second))
        table.add_row(
            screen.text("" if c.variant == variant else c.variant, "bold"),
            *map(screen.text, (c.title, before, after, change)),
        )
        variant = c.variant
    if found.changes:
        console.print(table, width=screen.width)
        console.print()
    for label, names in (("A", found.only_first), ("B", found.only_second)):
        if names:
            say(f"Only in {label}: {', '.join(names)}")
    if found.changes:
        say("B − A is paired by seed where both have it; ± is half its 95% interval.", "dim")


# ------------------------------------------------------------------------------------------------------------- tracker


def sync(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id or its beginning; every run if left out.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Send every run, or one, to MLflow; what is there already is not sent again."""
    from fortydays.study.runs import damaged_runs, find_run, list_runs
    from fortydays.track.store import UnreachableError, destination, open_store
    from fortydays.track.sync import sync as send

    progress = plain_lines()
    settings = read_settings()
    where = destination(settings)
    runs = [find_run(settings.runs, run_id)] if run_id else list_runs(settings.runs)
    for damaged in [] if run_id else damaged_runs(settings.runs):
        progress.say(f"Left out, because its run.json is damaged: {damaged.path}")
    store = open_store(where, waiting=progress.say) if runs else None
    notes = list(store.notes) if store else []
    for note in notes:
        progress.warn(note)
    done: list[dict[str, Any]] = []
    for run in runs:
        outcome, trials, reason = "failed", 0, ""
        try:
            assert store is not None
            synced = send(run, store, waiting=progress.say)
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
        streams.print_json({"destination": where.shown, "notes": notes, "runs": done})
    elif not runs:
        typer.echo(f"There is no run in {settings.runs}.")
    if any(each["outcome"] == "failed" for each in done):
        raise typer.Exit(ExitCode.FAILED)


def ui(
    port: Annotated[int, typer.Option(min=1024, max=65535, help="Where the page listens on 127.0.0.1.")] = 5000,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open a browser, if this is a terminal.")
    ] = True,
) -> None:
    """Show all runs on the tracker's page until Ctrl-C."""
    from fortydays.track.page import serve_page

    def ready(address: str) -> None:
        typer.echo(f"The runs are shown at {address}")
        typer.echo("Ctrl-C ends it. MLflow's telemetry is off: it sends nothing about you.", err=True)
        if open_browser and sys.stdout.isatty():
            typer.launch(address)

    typer.echo("Starting the tracker's page ...", err=True)
    serve_page(read_settings(), port=port, ready=ready, note=lambda line: typer.echo(line, err=True))

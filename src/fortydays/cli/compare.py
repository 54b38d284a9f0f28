"""``forty compare``: two runs side by side."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base.settings import read_settings
from fortydays.cli import streams

if TYPE_CHECKING:
    from rich.console import Console

    from fortydays.report.comparison import ComparisonOfRuns
    from fortydays.report.lookup import Found
    from fortydays.report.terminal import Screen


def compare(
    run_a: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run's id or its beginning, a day (its latest), or a .json file."),
    ],
    run_b: Annotated[str, typer.Argument(metavar="RUN", help="The other one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what differs between two runs, and by how much that changed their numbers, paired by seed."""
    from fortydays.report.comparison import compare_results
    from fortydays.report.lookup import evidence_of_run
    from fortydays.report.results import read_results

    folder = read_settings().runs
    first, second = evidence_of_run(folder, run_a), evidence_of_run(folder, run_b)
    comparison = compare_results(read_results(first.evidence), read_results(second.evidence))
    if as_json:
        typer.echo(json.dumps({**comparison.as_dict(), "first": first.source, "second": second.source}))
        return

    _print(comparison, first, second, streams.console())


def _print(comparison: "ComparisonOfRuns", first: "Found", second: "Found", console: "Console") -> None:
    from rich.table import Column

    from fortydays.report.tables import Table
    from fortydays.report.terminal import Screen

    screen = Screen.of(console)
    console.print(screen.text(f"A  {first.source}"), width=screen.width)
    console.print(screen.text(f"B  {second.source}"), width=screen.width)
    console.print()
    bits = (
        screen.text("✓ The same bits: everything the trials gave, except times, is equal.", "green")
        if comparison.same_bits
        else screen.text("The results are not the same to the last bit.")
    )
    console.print(bits, width=screen.width)
    console.print()
    if comparison.differences:
        table = Table(
            Column("what differs", overflow="fold", ratio=2),
            Column("A", overflow="fold", ratio=2),
            Column("B", overflow="fold", ratio=2),
            box=None,
            padding=(0, 2, 0, 0),
            pad_edge=False,
            header_style="dim",
            expand=True,
        )
        for d in comparison.differences:
            table.add_row(screen.text(d.what), screen.text(d.first or "–"), screen.text(d.second or "–"))
        console.print(table, width=screen.width)
    else:
        console.print(screen.text("Nothing differs in recipes, code, data and machine."), width=screen.width)
    console.print()
    _print_changes(comparison, screen, console)
    for label, names in (("A", comparison.only_first), ("B", comparison.only_second)):
        if names:
            console.print(screen.text(f"Only in {label}: {', '.join(names)}"), width=screen.width)
    if comparison.changes:
        console.print(
            screen.text("B − A is paired by seed where both have it; ± is half its 95% interval.", "dim"),
            width=screen.width,
        )


def _print_changes(comparison: "ComparisonOfRuns", screen: "Screen", console: "Console") -> None:
    from rich.table import Column

    from fortydays.report import numbers
    from fortydays.report.tables import Table

    variant = ""
    table = Table(
        Column("variant", overflow="fold", max_width=22),
        Column("metric", no_wrap=True),
        Column("A", justify="right", no_wrap=True),
        Column("B", justify="right", no_wrap=True),
        Column("B − A" if not screen.ascii_only else "B - A", justify="right"),
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="dim",
    )
    for c in comparison.changes:
        digits = 2 if c.unit == "share" else None
        change = "–" if c.change is None else numbers.mean_and_spread(c.change, c.unit, digits=digits, difference=True)
        table.add_row(
            screen.text(c.variant if c.variant != variant else "", "bold"),
            screen.text(c.title),
            screen.text(numbers.with_unit(c.first.mean, c.unit, digits=digits)),
            screen.text(numbers.with_unit(c.second.mean, c.unit, digits=digits)),
            screen.text(change),
        )
        variant = c.variant
    if comparison.changes:
        console.print(table, width=screen.width)
        console.print()

"""``forty promote``, ``forty rollback``, ``forty retire``: which version of a model is in use."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base.errors import ExitCode
from fortydays.base.settings import read_settings
from fortydays.cli import streams
from fortydays.cli.registry import opened
from fortydays.cli.stopping import stopping_in_time

if TYPE_CHECKING:
    from fortydays.registry.gates import GateResult

_Version = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="A version, as `forty models show` numbers it.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def promote(
    version: _Version,
    to: Annotated[str, typer.Option("--to", metavar="ALIAS", help="champion or challenger.")],
    force: Annotated[bool, typer.Option("--force", help="Move the alias though gates fail; needs --reason.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the history.")] = "",
    as_json: _Json = False,
) -> int:
    """Make a version the champion or the challenger, if it passes every gate; exit code 3 if it does not."""
    from fortydays.cli.progress import console_progress
    from fortydays.registry.names import parse_version
    from fortydays.registry.promotion import promote as move

    settings = read_settings()
    reference = parse_version(version)
    with (
        console_progress(streams.console(stderr=True)) as progress,
        stopping_in_time(lambda: f"Stopped. See where the aliases are: forty models show {reference.name}"),
    ):
        catalog = opened(settings, progress)
        done = move(reference, to, catalog, settings, progress=progress, reason=reason, force=force)
    if as_json:
        document = {
            "schema_version": 1,
            "version": done.version.as_dict(),
            "alias": done.alias,
            "moved": done.move is not None,
            "already": done.already,
            "gates": [gate.as_dict() for gate in done.gates],
            "move": done.move.as_dict() if done.move else None,
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    elif done.already:
        typer.echo(f"{done.version} is the {to} already.")
    else:
        _print_gates(done.gates)
        closed = ", ".join(gate.gate for gate in done.closed)
        if done.move is None:
            typer.echo(f"{done.version} is not promoted. Not passed: {closed}.")
            typer.echo(f'To promote it all the same: forty promote {done.version} --to {to} --force --reason "..."')
        else:
            was = f"; before, it was version {done.move.before}" if done.move.before else ""
            forced = f", by force. Not passed: {closed}" if closed else ""
            typer.echo(f"{done.version} is the {to} now{was}{forced}.")
    return int(ExitCode.DONE if done.already or done.move is not None else ExitCode.NOT_MET)


def rollback(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model, as `forty models` names it.")],
    alias: Annotated[str, typer.Option("--alias", help="champion or challenger.")] = "champion",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the history.")] = "",
    as_json: _Json = False,
) -> None:
    """Move an alias back to the version it was at before."""
    from fortydays.registry.names import check_name
    from fortydays.registry.promotion import roll_back

    settings = read_settings()
    check_name(name)
    move = roll_back(name, alias, opened(settings), settings, reason=reason)
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "name": name, "move": move.as_dict()}, ensure_ascii=False))
    else:
        typer.echo(f"{name}@{move.version} is the {alias} again; it was version {move.before}.")


def retire(
    version: _Version,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    as_json: _Json = False,
) -> None:
    """Mark a version as never to be used again; its files stay for the record."""
    from fortydays.registry.names import parse_version
    from fortydays.registry.promotion import retire as mark

    reference = parse_version(version)
    done = mark(reference, opened(read_settings()), reason=reason)
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "version": done.as_dict()}, ensure_ascii=False))
    else:
        typer.echo(f"{done} is retired: {done.retired}")


def _print_gates(gates: "Sequence[GateResult]") -> None:
    import rich.text

    from fortydays.report.tables import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("gate", overflow="fold", max_width=18)
    table.add_column("found", overflow="fold")
    table.add_column("asked for", overflow="fold")
    for gate in gates:
        sign = rich.text.Text("✓", style="green") if gate.passed else rich.text.Text("✗", style="red")
        table.add_row(sign, *(rich.text.Text(part) for part in (gate.gate, gate.found, gate.asked)))
    streams.console().print(table)

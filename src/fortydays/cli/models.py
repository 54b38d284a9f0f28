"""``forty models``: the registered models, their versions, and the history of their aliases."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base.settings import read_settings
from fortydays.cli import streams
from fortydays.cli.registry import opened

if TYPE_CHECKING:
    from fortydays.registry.catalog import Version

app = typer.Typer(invoke_without_command=True, help="List the registered models; show one; free a lock.")

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A model, as `forty models` names it.")]

_SHOWN = 20


@app.callback()
def list_models(context: typer.Context, as_json: _Json = False) -> None:
    """List the registered models: how many versions each has, and which one is in use."""
    if context.invoked_subcommand is not None:
        return
    catalog = opened(read_settings())
    found = {name: catalog.versions(name) for name in catalog.names()}
    if as_json:
        models = [{"name": name, "versions": [v.as_dict() for v in versions]} for name, versions in found.items()]
        typer.echo(json.dumps({"schema_version": 1, "models": models}, ensure_ascii=False))
        return
    import rich.text

    from fortydays.report.tables import Table

    console = streams.console()
    if not found:
        console.print("No model is registered yet. Register one with: forty register DAY")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("model")
    for heading in ("versions", "champion", "challenger"):
        table.add_column(heading, justify="right")
    table.add_column("newest")
    for name, versions in found.items():
        pointing = {alias: str(v.version) for v in versions for alias in v.aliases}
        table.add_row(
            rich.text.Text(name),
            f"{len(versions):,}",
            pointing.get("champion", ""),
            pointing.get("challenger", ""),
            rich.text.Text(_described(versions[-1]) if versions else ""),
        )
    console.print(table)


@app.command("list")
def list_again(context: typer.Context, as_json: _Json = False) -> None:
    """The same as `forty models`."""
    context.invoked_subcommand = None
    list_models(context, as_json)


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION|@ALIAS]", help="A model, or one version of it.")],
    everything: Annotated[bool, typer.Option("--all", help="Every version, not the newest alone.")] = False,
    as_json: _Json = False,
) -> None:
    """Show a model's versions and how its aliases moved, or the card of one version."""
    from fortydays.base.text import printable
    from fortydays.registry.names import parse_reference

    settings = read_settings()
    reference = parse_reference(name)
    catalog = opened(settings)
    if reference.version is not None or reference.alias is not None:
        from fortydays.registry.card import read_card

        version = catalog.find(reference)
        card = read_card(version, catalog, settings)
        if as_json:
            document = {"schema_version": 1, "version": version.as_dict(), "card": card}
            typer.echo(json.dumps(document, ensure_ascii=False))
        else:
            typer.echo("\n".join(map(printable, card.splitlines())))
        return
    versions, moves = catalog.versions(reference.name), catalog.moves(reference.name)
    if as_json:
        document = {
            "schema_version": 1,
            "name": reference.name,
            "versions": [v.as_dict() for v in versions],
            "moves": [move.as_dict() for move in moves],
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    import rich.text

    from fortydays.report.tables import Table

    console = streams.console()
    table = Table(box=None, pad_edge=False)
    table.add_column("version", justify="right")
    table.add_column("alias")
    table.add_column("validation", justify="right")
    table.add_column("registered")
    table.add_column("made of", overflow="fold")
    kept = [v for v in versions if everything or v.aliases or v.version > versions[-1].version - _SHOWN]
    for v in kept:
        accuracy = v.facts.get("validation_accuracy", "")
        table.add_row(
            str(v.version),
            rich.text.Text(", ".join(v.aliases) or ("retired" if v.retired else "")),
            f"{100 * float(accuracy):.2f}%" if _is_number(accuracy) else "",
            v.created[:16].replace("T", " "),
            rich.text.Text(_made_of(v)),
        )
    console.print(table)
    if len(kept) < len(versions):
        console.print(f"{len(versions) - len(kept):,} older versions are left out; --all shows them.")
    for move in moves[-_SHOWN:]:
        forced = f", by force against {', '.join(move.forced)}" if move.forced else ""
        was = f" (was {move.before})" if move.before else ""
        reason = f": {move.reason}" if move.reason else ""
        console.print(
            rich.text.Text(
                printable(
                    f"{move.time[:16].replace('T', ' ')}  {move.kind}: {move.alias} is {move.version}"
                    f"{was}{forced}{reason}"
                )
            )
        )


@app.command("unlock")
def unlock_model(
    name: _Name,
    force: Annotated[bool, typer.Option("--force", help="Also where its holder may still be at work.")] = False,
) -> None:
    """Remove the lock that a process left on a model when it died."""
    if opened(read_settings()).locks.remove(name, force=force):
        typer.echo(f"The lock of {name} is removed.")
    else:
        typer.echo(f"{name} was not locked.")


def _described(version: "Version") -> str:
    accuracy = version.facts.get("validation_accuracy", "")
    share = f", {100 * float(accuracy):.2f}%" if _is_number(accuracy) else ""
    return f"{version.facts.get('variant', '?')}{share}"


def _made_of(version: "Version") -> str:
    day = version.facts.get("day", "")
    study = f"day {day}" if day else version.facts.get("study", "not registered by this program")
    precision = version.facts.get("precision", "")
    of_seed = f", seed {version.facts['seed']}" if "seed" in version.facts else ""
    return f"{study}, {version.facts.get('variant', '?')}{of_seed}{', int8' if precision == 'int8' else ''}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

"""``forty clean``: what the workspace takes, and removing parts of it."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import size_in_words
from fortydays.cli import streams

if TYPE_CHECKING:
    from fortydays.registry.cleaning import Part


def clean(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[PART]...", help="What to remove; without one, all is only shown.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: for scripts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what the workspace takes and what may go. Parts that are named are removed, after a question.

    Models and your own data are never removed, nor what a run or a service uses now.
    """
    settings = read_settings()
    found = {part.name: part for part in _parts(settings)}
    for name in names or []:
        if name not in found:
            raise unknown_name("part of the workspace", name, found)
    chosen = [found[name] for name in dict.fromkeys(names or [])]
    for part in chosen:
        if not part.removable:
            raise FortydaysError(f"{part.name} cannot be removed: {part.kept}.", hint="Nothing was removed.")
    if not chosen:
        _show(list(found.values()), settings, as_json=as_json)
        return
    if not yes:
        _ask(chosen)
    from fortydays.registry.cleaning import remove

    # A run may have begun while the question stood there.
    now = {part.name: part for part in _parts(settings)}
    for part in chosen:
        remove(now[part.name])
    freed = sum(now[part.name].bytes for part in chosen)
    if as_json:
        document = {"schema_version": 1, "removed": [part.name for part in chosen], "bytes": freed}
        typer.echo(json.dumps(document))
    else:
        typer.echo(f"Removed: {', '.join(part.name for part in chosen)} ({size_in_words(freed)}).")


def _parts(settings: Settings) -> "list[Part]":
    from fortydays.registry.cleaning import parts
    from fortydays.serve.server import running

    return parts(settings, served=[each.address for each in running(settings.workspace / "serve" / "running")])


def _ask(chosen: "list[Part]") -> None:
    if not sys.stdin.isatty():
        raise UsageError("Nothing is removed without a question, and nobody can answer here.", hint="Add --yes.")
    for part in chosen:
        typer.echo(f"{part.name}: {size_in_words(part.bytes)}. Lost with it: {part.lost}.", err=True)
    typer.confirm("Remove?", abort=True, err=True)


def _show(found: "list[Part]", settings: Settings, *, as_json: bool) -> None:
    if as_json:
        rows: list[dict[str, Any]] = [
            {
                "name": part.name,
                "bytes": part.bytes,
                "paths": [str(path) for path in part.paths],
                "removable": part.removable,
                "lost": part.lost,
                "kept": part.kept,
            }
            for part in found
        ]
        document = {"schema_version": 1, "workspace": str(settings.workspace), "parts": rows}
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    from rich.table import Column
    from rich.text import Text

    from fortydays.report.tables import Table

    table = Table("part", Column("takes", justify="right", no_wrap=True), "lost with it", box=None, pad_edge=False)
    for part in found:
        said = part.kept if not part.removable else "; ".join(filter(None, [part.lost, part.kept]))
        table.add_row(part.name, size_in_words(part.bytes) if part.paths else "none", Text(said))
    console = streams.console()
    console.print(Text(f"The workspace {settings.workspace}"))
    console.print(table)
    console.print("Remove a part with: forty clean PART", markup=False)

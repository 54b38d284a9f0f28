"""``forty clean``: what the workspace takes, and removing parts of it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import size_in_words
from fortydays.cli import streams
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.registry.cleaning import Part


def clean(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[PART]...", help="What to remove; without one, all is only shown.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: for scripts.")] = False,
    as_json: AsJson = False,
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
        streams.print_json({"removed": [part.name for part in chosen], "bytes": freed})
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
        told = ("name", "bytes", "removable", "lost", "kept")
        parts = [{name: getattr(p, name) for name in told} | {"paths": list(map(str, p.paths))} for p in found]
        streams.print_json({"workspace": str(settings.workspace), "parts": parts})
        return
    from fortydays.report.tables import Table, number

    table = Table("part", number("takes"), "lost with it")
    for part in found:
        said = part.kept if not part.removable else "; ".join(filter(None, [part.lost, part.kept]))
        table.add_row(part.name, size_in_words(part.bytes) if part.paths else "none", said)
    console = streams.console()
    console.print(f"The workspace {settings.workspace}", markup=False)
    console.print(table)
    console.print("Remove a part with: forty clean PART")

"""``forty site``: the days and the pages of the project as plain files, and a server of them for this machine."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.privacy import shared
from fortydays.base.settings import read_settings
from fortydays.cli.listing import Commands
from fortydays.cli.progress import working

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fortydays.site.commands import Command

app = typer.Typer(
    help="The days as web pages that open from the disk, without a network.", no_args_is_help=True, cls=Commands
)


@app.command()
def build(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where to write [site in the workspace]."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the first page in a browser.")] = False,
) -> None:
    """Write all days and pages as HTML files that need no server and no network.

    They are made from the published evidence, which must be current: exit code 3 where it is not. The folder must be
    absent, empty, or have an earlier site, which is replaced.
    """
    from fortydays.site.writing import check_place, write_site

    folder = (output or read_settings().workspace / "site").absolute()
    check_place(folder.resolve())
    site = _made()
    with shared(folder.resolve()) if output is not None else contextlib.nullcontext():
        write_site(site, folder)
    typer.echo(folder / "index.html")
    if open_:
        import webbrowser

        if not webbrowser.open((folder / "index.html").as_uri()):
            typer.echo("Warning: no browser could be opened; open the file yourself.", err=True)


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 8040,
) -> None:
    """Serve the same pages on 127.0.0.1 until Ctrl-C, with the exercises that you have passed. Nothing is written."""
    from fortydays.exercises import progress
    from fortydays.site.serving import server_of
    from fortydays.site.solved import filler

    workspace = read_settings().workspace
    with server_of(_made(marked=True), port, filler(lambda: progress.read(workspace))) as server:
        typer.echo(f"The site is at {server.address} Ctrl-C ends it.")
        server.serve_forever()


def _made(*, marked: bool = False) -> dict[str, bytes]:
    from fortydays.site.finished import finished_days
    from fortydays.site.pages import make_site

    with working("Stopped. Nothing was written.") as progress:
        if marked:
            progress.say("All pages are made first, which takes up to a minute.")
        days = finished_days(threads=read_settings().threads, progress=progress)
        return make_site(days, list(described()), progress=progress, marked=marked)


# ------------------------------------------------------------------------------------------------------------ commands


def described() -> "Iterator[Command]":
    """All commands of ``forty``, as the program describes itself."""
    import typer.main

    from fortydays.cli.main import app as whole

    group: Any = typer.main.get_command(whole)
    for name, command in group.commands.items():
        yield from _described(name, command, command.rich_help_panel)


def _described(name: str, command: Any, heading: str) -> "Iterator[Command]":
    from fortydays.site.commands import Command, Parameter

    if hasattr(command, "commands"):
        for inner, each in command.commands.items():
            yield from _described(f"{name} {inner}", each, heading)
        return
    if command.hidden:
        return
    context: Any = command.make_context(name, [], resilient_parsing=True)
    records = [record for each in command.params if (record := each.get_help_record(context))]
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    yield Command(
        name=name,
        heading=heading,
        usage=" ".join([name, *command.collect_usage_pieces(context)]),
        help=tuple(filter(None, paragraphs)),
        parameters=tuple(Parameter(name=written, help=help_) for written, help_ in records),
    )

"""``forty ui``: the tracker's own page, on this machine only."""

import sys
from typing import Annotated

import typer

from fortydays.base.settings import read_settings


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

"""``forty new-day``: for who adds a day to the course."""

from typing import Annotated

import typer

from fortydays.base.traces import shown_path


def new_day(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day that is still to come: 11 or deep-architectures.")],
) -> None:
    """Write the folder of a new day into a checkout of the repository: small, complete, a draft to change."""
    from fortydays.days.blank import make_day
    from fortydays.days.journey import find_day

    found = find_day(day)
    typer.echo(f"{shown_path(make_day(found))} is day {found.number}, {found.title}, with the study of the blank day.")
    typer.echo(f"Try it, in seconds: forty run {found.number} --seeds 2, then forty read {found.number}")
    typer.echo("How to go on: docs/adding-a-day.md")

"""What is said of a day that is a draft, to whoever names it. The lists leave it out."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from fortydays.days.journey import Day


def tell(day: "Day | None") -> None:
    """Say on standard error that a day is a draft, where it is one."""
    from fortydays.days.journey import is_draft

    if day is not None and is_draft(day):
        typer.echo(
            f"Note: day {day.number}, {day.title}, is a draft. It may change, and lists leave it out.", err=True
        )


def tell_named(text: str) -> None:
    """The same of a day as it was typed; a study file is no day."""
    from fortydays.days.journey import find_day

    if not text.endswith(".py"):
        tell(find_day(text))

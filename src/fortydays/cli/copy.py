"""``forty copy``: a day's study as a file of one's own, to change and run."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.base.privacy import shared


def copy(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day: 1, day1 or first-network.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write it; the name ends in .py.", show_default=True)
    ] = Path("my_study.py"),
) -> None:
    """Write a day's study into a file of your own, which runs as it is. A file that exists is never overwritten."""
    from fortydays.days.loading import find_study, is_study_file

    if is_study_file(day):
        raise UsageError(f"{day} is a study file; expected a day, such as 1.", hint=f"Copy a file with: cp {day} FILE")
    if not is_study_file(file.name):
        raise UsageError(
            f"The name of a study file ends in .py; this is {file}.",
            hint=f"Write: forty copy {shlex.quote(day)} {shlex.quote(str(file.with_name(file.name + '.py')))}",
        )
    study = find_study(day)
    if files.exists(file) or file.is_symlink():
        raise UsageError(f"There is a {file} already, and it stays as it is.", hint="Give another name for the copy.")
    if not files.is_folder(file.absolute().parent):
        raise UsageError(f"There is no folder {file.parent}.", hint="Make it first, or name a file in another one.")
    with files.storage_errors("read", study.path):
        source = study.path.read_text("utf-8")
    with shared(file):
        files.write_text(file, source)
    typer.echo(f"{file} is a copy of day {study.day}'s study. Change what you like in it.")
    typer.echo(f"Run it: forty run {shlex.quote(str(file))}")

"""The entry of the command ``forty``: its commands, and what every error looks like to a reader."""

import contextlib
import errno
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import Abort, TyperException

from fortydays import __version__
from fortydays.base.errors import ExitCode, FortydaysError, UsageError, unknown_name
from fortydays.base.files import storage_error
from fortydays.base.privacy import tighten
from fortydays.base.process import end_with_parent
from fortydays.base.settings import read_settings
from fortydays.base.text import shown
from fortydays.cli import (
    clean,
    cluster,
    contributing,
    data,
    days,
    doctor,
    exercises,
    fit,
    grades,
    models,
    predict,
    run,
    runs,
    serve,
    site,
    speedrun,
    streams,
    tune,
    verify,
    versions,
)
from fortydays.cli.listing import Commands
from fortydays.cli.stopping import leave
from fortydays.cli.streams import TERMINATED

app = typer.Typer(
    name="forty",
    help="Forty days of deep learning and MLOps: studies that run, claims that are checked.",
    epilog="Begin: forty read 1, then forty run 1",
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # Typer's own switches have no default. To make "not given" a truth value it would load pydantic, which takes
        # longer than all else that the list needs.
        "default_map": {"help": False, "install_completion": False, "show_completion": False, "list": {"help": False}},
    },
)

_COMMANDS = {
    "The days": (
        days.list_days, days.read, run.run, tune.tune, days.show, days.copy, days.report, days.notebook, site.app,
    ),
    "Exercises": (exercises.exercise, exercises.check, exercises.hint, exercises.solution, grades.grade),
    "Results": (runs.runs, runs.compare, verify.verify, runs.ui, runs.sync),
    "Models": (
        fit.fit, models.register, models.app, versions.promote, versions.rollback, versions.retire, versions.lineage,
        versions.reproduce, models.bundle, predict.predict, serve.serve, serve.reload,
    ),
    "Adding to the course": (contributing.new_day,),
    "The machine": (data.app, cluster.cluster, speedrun.speedrun, clean.clean, doctor.doctor),
}  # fmt: skip
"""The commands by the heading under which the help lists them; an app is a family of commands."""

_NAMES: dict[object, str] = {
    days.list_days: "list",
    models.app: "models",
    data.app: "data",
    site.app: "site",
    contributing.new_day: "new-day",
}

for _heading, _commands in _COMMANDS.items():
    for _command in _commands:
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_NAMES[_command], rich_help_panel=_heading)
        else:
            app.command(_NAMES.get(_command, _command.__name__), rich_help_panel=_heading)(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fortydays {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - acted on by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    no_color: Annotated[  # noqa: ARG001 - acted on before, wherever it stands
        bool, typer.Option(streams.NO_COLOR_OPTION, help="No colors, bold or italics; also after a command.")
    ] = False,
) -> None:
    """Forty days of deep learning and MLOps: studies that run, claims that are checked."""
    with contextlib.suppress(UsageError):  # a variable that is wrong, as the command itself will say
        tighten(read_settings().workspace)
    if context.invoked_subcommand is None:
        days.print_map(streams.console())


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    end_with_parent()
    arguments = sys.argv[1:]
    streams.prepare(arguments)
    code = execute(arguments)
    if "tensorflow" in sys.modules:
        leave(code)
    sys.exit(code)


def execute(arguments: list[str]) -> int:
    """Run one command.

    Args:
        arguments: of the command line, without the program's name.

    Returns:
        The exit code, see :class:`~fortydays.base.errors.ExitCode`; 143 after a request to terminate.
    """
    asked: list[int] = []

    def terminate(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        raise _Terminated

    signal.signal(signal.SIGTERM, terminate)
    as_json = "--json" in arguments
    try:
        code = app(streams.without_color(arguments), prog_name="forty", standalone_mode=False)
        sys.stdout.flush()
    except FortydaysError as error:
        code = TERMINATED if asked else int(error.exit_code)
        _print_error(error.message, error.hint, code=code, as_json=as_json)
        return code
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message(), err=True)
        else:
            message, hint = _of_usage(error, arguments)
            _print_error(message, hint, code=error.exit_code, as_json=as_json)
        return int(error.exit_code)
    except (KeyboardInterrupt, Abort) as interrupt:
        return _stopped(terminated=isinstance(interrupt, _Terminated) or bool(asked), as_json=as_json)
    except OSError as error:
        if error.filename is None and error.errno in _WRITING:  # every room names the file that it could not use
            streams.drop_output()
            found = storage_error("write", Path("the output"), error)
        else:
            # A folder that may not even be looked into, or a disk that fails: nobody closer to it knew what to say.
            found = storage_error("use", Path(str(error.filename or "a file")), error)
        _print_error(found.message, found.hint, code=found.exit_code, as_json=as_json)
        return int(found.exit_code)
    if code == ExitCode.INTERRUPTED:
        # The library turns an interrupt that nobody handled into this code, without a word.
        return _stopped(terminated=bool(asked), as_json=as_json)
    return code if isinstance(code, int) else int(ExitCode.DONE)


_EXPECTED = {
    "Input should be a valid integer": "a whole number",
    "Input should be a valid number": "a number",
    "Input should be greater than or equal to ": "at least ",
    "Input should be less than or equal to ": "at most ",
}
"""What the library says of a value that does not fit, and what was expected."""


def _of_usage(error: Any, arguments: list[str]) -> tuple[str, str]:
    """What the library that reads the command line found wrong, in our words: message and hint."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoSuchOption" and context is not None:
        known = [option for each in context.command.params for option in each.opts if option.startswith("--")]
        found = unknown_name("option", error.option_name, [*known, "--help"])
        return found.message, found.hint
    said = getattr(error, "message", "")
    names = getattr(getattr(error, "param", None), "opts", [])
    for start, expected in _EXPECTED.items():
        if said.startswith(start) and names:
            rest = said.removeprefix(start) if expected.endswith(" ") else ""
            value = _value_of(names, arguments)
            named = names[0] if names[0].startswith("-") else (error.param.metavar or names[0]).strip("[]")
            return f"{named} is {shown(value) if value else 'wrong'}; expected {expected}{rest}.", ""
    # The library's "No such command 'x'" is about the family in which it was looked for.
    command = context.command_path if context is not None else "forty"
    return error.format_message(), f"See `{command} --help`." if error.exit_code == ExitCode.USAGE else ""


def _value_of(names: list[str], arguments: list[str]) -> str:
    """What stands behind an option on the command line."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        option, separator, value = argument.partition("=")
        if option in names:
            return value if separator else following
    return ""


_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EINVAL, errno.EPIPE)


def _stopped(*, terminated: bool, as_json: bool) -> int:
    code = TERMINATED if terminated else int(ExitCode.INTERRUPTED)
    _print_error("Stopped.", "", code=code, as_json=as_json)
    return code


class _Terminated(KeyboardInterrupt):
    """The system asked the process to end; handled like an interrupt, with its own exit code."""


def _print_error(message: str, hint: str, *, code: int, as_json: bool) -> None:
    with contextlib.suppress(OSError):  # nobody hears it, but the code tells
        typer.echo(streams.error_text(message, hint, code=code, as_json=as_json), err=True)

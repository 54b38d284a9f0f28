"""The standard streams: what they can carry, and the consoles that write to them."""

import codecs
import contextlib
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import ExitCode, UsageError
from fortydays.base.spreadsheet import table
from fortydays.base.text import in_ascii, printable

if TYPE_CHECKING:
    from rich.console import Console

NO_COLOR_OPTION = "--no-color"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document; all else goes to standard error.")]

AsCsv = Annotated[bool, typer.Option("--csv", help="Print a table for a spreadsheet; all else to standard error.")]

TERMINATED = 143
"""The exit code after a request to terminate: 128 and the signal's number."""

_TEXT, _JSON = "fortydays-text", "fortydays-json"


def console(*, stderr: bool = False) -> "Console":
    """A console on standard output, or on standard error.

    Escape codes go to a terminal only. ``NO_COLOR`` and ``--no-color`` leave out every style, bold and italics
    included; ``FORCE_COLOR`` sends styles elsewhere too, but no code that moves the cursor.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream.isatty()
    plain = os.environ.get("NO_COLOR", "") != ""
    forced = not is_terminal and os.environ.get("FORCE_COLOR", "") not in ("", "0")
    return Console(
        stderr=stderr,
        highlight=False,
        force_terminal=is_terminal,
        color_system=None if plain else "standard" if forced else "auto",
    )


def print_json(document: Mapping[str, Any]) -> None:
    """Print a document for other programs, with the version of its form."""
    typer.echo(json.dumps({"schema_version": 1, **document}, ensure_ascii=False))


def print_csv(rows: Sequence[Mapping[str, object]], columns: Iterable[str], *, as_json: bool) -> None:
    """Print rows as CSV that no spreadsheet runs; see :func:`fortydays.base.spreadsheet.table`.

    Raises:
        UsageError: JSON was asked for, too.
    """
    if as_json:
        raise UsageError("--csv and --json are two forms of one output.", hint="Give one of them.")
    typer.echo(table(rows, columns), nl=False)


def error_text(message: str, hint: str, *, code: int, as_json: bool) -> str:
    """What is told of an error, or of work that was stopped: lines for a reader, or one JSON document for a program.

    Args:
        message: what happened.
        hint: what to do next, or "".
        code: the exit code, see :class:`~fortydays.base.errors.ExitCode`.
        as_json: whether ``--json`` was asked for.
    """
    # A name from outside can hold what a terminal would act on; the lines are our own.
    message, hint = ("\n".join(map(printable, text.split("\n"))) for text in (message, hint))
    if as_json:
        return json.dumps({"error": {"code": int(code), "message": message, "hint": hint}}, ensure_ascii=False)
    stopped = code in (ExitCode.INTERRUPTED, TERMINATED)
    return "\n".join([message if stopped else f"Error: {message}", *([hint] if hint else [])])


def prepare(arguments: list[str]) -> None:
    """Let the streams take any text, whatever their encoding, and open those that the caller has closed.

    A closed stream becomes the null device: its number would else be given to the next file that is opened, and a
    library that writes to it would write into that file.

    Args:
        arguments: of the command line; with ``--json``, what cannot be encoded is escaped as JSON has it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the system gives the lowest free number
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - open to the end
    codecs.register_error(_TEXT, _without_encoding)
    codecs.register_error(_JSON, _escaped)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a stand-in of a test
            stream.reconfigure(errors=_JSON if "--json" in arguments else _TEXT)  # type: ignore[union-attr]


def without_color(arguments: list[str]) -> list[str]:
    """The arguments without ``--no-color``, which may stand anywhere; where it does, no style is shown from now on."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if NO_COLOR_OPTION not in arguments[:end]:
        return arguments
    os.environ["NO_COLOR"] = "1"
    return [a for a in arguments[:end] if a != NO_COLOR_OPTION] + arguments[end:]


def drop_output() -> None:
    """Forget what could not be written to standard output: it would fail once more when the interpreter ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _without_encoding(error: UnicodeError) -> tuple[str | bytes, int]:
    """Characters in a text that an encoding lacks: near ones in ASCII, or question marks."""
    assert isinstance(error, UnicodeEncodeError)
    found = error.object[error.start : error.end]
    if all("\udc80" <= c <= "\udcff" for c in found):  # bytes of a file's name, as the system gave them
        return found.encode("ascii", "surrogateescape"), error.end
    return in_ascii(found), error.end


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end

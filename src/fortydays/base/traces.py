"""Which lines of an exception's traceback are a reader's own."""

import contextlib
import sysconfig
from pathlib import Path

import fortydays


def is_readers(path: Path) -> bool:
    """Whether a file of code is a reader's: none of Python's, of an installed package, or of this program."""
    others = (
        Path(fortydays.__file__).parent,
        *(Path(sysconfig.get_path(n)) for n in ("stdlib", "purelib", "platlib")),
    )
    return path.is_file() and not any(path.is_relative_to(each) for each in others)


def shown_path(path: Path) -> str:
    """A file as a reader calls it: from the folder that they are in, where it is below."""
    with contextlib.suppress(ValueError, OSError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def line_of_reader(error: BaseException) -> str:
    """Where in a reader's own code an exception came from: ``"FILE, line N: "``, or ``""`` for nowhere in it."""
    found, trace = "", error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if is_readers(path):
            found = f"{shown_path(path)}, line {trace.tb_lineno}: "
        trace = trace.tb_next
    return found

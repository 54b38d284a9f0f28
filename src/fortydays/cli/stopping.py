"""Stopping in time: Ctrl-C and a request to terminate end a command soon, whatever native code is doing.

Python acts on a signal between two of its own instructions. A compilation inside TensorFlow can take seconds without
one, so a thread watches for the signal as well and, when the grace is over, leaves without waiting. Nothing is lost by
that: state on disk is whole at every moment, and the lock of a run is freed by the system.
"""

import contextlib
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

from fortydays.base import process
from fortydays.base.errors import ExitCode
from fortydays.cli.streams import TERMINATED, error_text

GRACE_SECONDS = 1.2
"""How long the ordinary way of stopping may take before the watching thread ends the process."""


@contextlib.contextmanager
def stopping_in_time(last_words: Callable[[], str]) -> Iterator[None]:
    """While the block runs, make sure that a signal to stop ends the process within :data:`GRACE_SECONDS`.

    Args:
        last_words: gives what to print where the ordinary way took too long: what happened, and on a second line what
            to do next. With ``--json`` on the command line it is printed as a document. Called from another thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's; this one is not asked to stop by them
        return
    heard, spoken = socket.socketpair()
    spoken.setblocking(False)
    over = threading.Event()
    # A copy, because standard error may be elsewhere while a library loads.
    standard_error = os.dup(2)

    def watch() -> None:
        numbers = heard.recv(1)
        if numbers and not over.wait(GRACE_SECONDS):
            code = TERMINATED if numbers[0] == signal.SIGTERM else int(ExitCode.INTERRUPTED)
            message, _, hint = last_words().partition("\n")
            said = error_text(message, hint, code=code, as_json="--json" in sys.argv)
            os.write(standard_error, f"{said}\n".encode())
            leave(code)

    watcher = threading.Thread(target=watch, daemon=True, name="stopping in time")
    before, tell_ignored = signal.set_wakeup_fd(spoken.fileno(), warn_on_full_buffer=False), sys.unraisablehook

    def tell_but_stops(ignored: "sys.UnraisableHookArgs") -> None:
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            tell_ignored(ignored)

    # Where it is raised inside a callback, such as a finalizer, Python prints it and goes on. The watcher ends it.
    sys.unraisablehook = tell_but_stops
    watcher.start()
    try:
        yield
    finally:
        over.set()
        sys.unraisablehook = tell_ignored
        signal.set_wakeup_fd(before)
        spoken.close()
        watcher.join()
        heard.close()
        os.close(standard_error)


def typed_again(arguments: list[str]) -> str:
    """The command line with which stopped work goes on: as it was typed, without ``--fresh``, which would begin anew.

    Args:
        arguments: of the command line, without the program's name.
    """
    return shlex.join(["forty", *(a for a in arguments if a != "--fresh")])


def leave(code: int) -> None:
    """End the process now, with what is written so far flushed and without tearing native libraries down.

    TensorFlow takes most of a second for that, and all that matters is on disk already.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    process.end(code)

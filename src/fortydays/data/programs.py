"""Other programs that this one starts: package clients and DVC. Without a shell, bounded in time, ended with us."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from fortydays.base import clock
from fortydays.base.process import guarded

_SECONDS_BETWEEN_LOOKS = 0.2


def run_program(
    command: Sequence[str],
    *,
    folder: Path,
    seconds: float,
    output: IO[bytes],
    errors: IO[bytes],
    input: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    waiting: Callable[[float], object] = lambda _: None,
) -> int:
    """Run a program and give its exit status. It and its children are killed when its time is over or an error comes.

    It reads ``input``, or nothing. Meanwhile ``waiting`` is told the seconds that have passed.

    Raises:
        TimeoutError: it was not done in time.
        OSError: it cannot be started.
    """
    started = clock.seconds()
    process = subprocess.Popen(
        guarded(command),
        cwd=folder,
        env=environment,
        stdin=input or subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,  # so that its children are killed with it
    )
    try:
        while process.poll() is None:
            passed = clock.seconds() - started
            if passed > seconds:
                raise TimeoutError(f"{command[0]} was not done within {seconds:g} s")
            waiting(passed)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(_SECONDS_BETWEEN_LOOKS, seconds))
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode

"""What a study knows of tracking: start it, poke it after each trial, close it. It cannot slow or fail a study."""

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

from fortydays.base.errors import FortydaysError
from fortydays.base.settings import Settings
from fortydays.study.runs import RunFolder
from fortydays.track import record as records
from fortydays.track.sender import END, POKE
from fortydays.track.store import SYNC_COMMAND, destination, without_credentials

_SEND_LATER = f"The run itself is not affected. Send it later with: {SYNC_COMMAND}"
# A sender that goes on after its study must stay referenced, or Python warns that it was forgotten.
_LEFT_RUNNING: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, kw_only=True)
class TrackingOutcome:
    """How tracking a run ended.

    Attributes:
        state: "sent", "sending" (goes on in the background), or "failed" (the run itself is not affected).
        destination: where to, without credentials.
        reason: why it failed or, while it goes on, why it has not worked so far; or "".
        hint: what to do about it, or "".
        notes: what else the reader should know, such as that a damaged store was set aside.
    """

    state: Literal["sent", "sending", "failed"]
    destination: str
    reason: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What to tell the reader, a line each; "" where all is well."""
        return records.in_words(failed=self.state == "failed", reason=self.reason, hint=self.hint, notes=self.notes)


class Tracker:
    """The study's end of the line to the process that sends. Made by :func:`start`.

    Args:
        run: the run that is tracked.
        shown: where to, without credentials.
        process: the sender, or None if there is none.
        problem: why there is none.
    """

    def __init__(
        self,
        run: RunFolder,
        *,
        shown: str,
        process: subprocess.Popen[bytes] | None,
        problem: FortydaysError | None = None,
    ) -> None:
        self.problem = problem
        self._run = run
        self._shown = shown
        self._process = process

    def poke(self) -> None:
        """Say that there is something new in the run's folder, such as a trial's result. Never waits, never fails."""
        self._write(POKE)

    def close(self, wait_seconds: float) -> TrackingOutcome:
        """Say that the run's process is done, and see what became of the sending.

        Args:
            wait_seconds: how long to wait for the sender at most; it goes on by itself afterwards.
        """
        process = self._process
        if process is None:
            problem = self.problem or FortydaysError("There is no process that sends.")
            return TrackingOutcome(state="failed", destination=self._shown, reason=problem.message, hint=problem.hint)
        self._write(END)
        if process.stdin is not None and not process.stdin.closed:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            status: int | None = process.wait(timeout=max(0.0, wait_seconds))
        except subprocess.TimeoutExpired:
            _LEFT_RUNNING.append(process)
            status = None
        told = records.read(self._run)["sender"]
        if told.get("pid") != process.pid:  # this sender has not come to write yet
            told = {}
        reason, hint = str(told.get("error", "")), str(told.get("hint", ""))
        if status and not reason:
            reason, hint = f"The process that sends has ended with status {status}.", _SEND_LATER
        return TrackingOutcome(
            state="sending" if status is None else "failed" if status else "sent",
            destination=self._shown,
            reason=reason,
            hint=hint,
            notes=tuple(str(note) for note in told.get("notes", ())),
        )

    def _write(self, line: bytes) -> None:
        # A full pipe means that the sender has pokes enough; a broken one, that close() will tell why.
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(OSError):
                os.write(self._process.stdin.fileno(), line)


def start(run: RunFolder, settings: Settings) -> Tracker:
    """Start the process that mirrors a run to the tracker.

    Never raises: where it cannot be started, :attr:`Tracker.problem` says why, and :meth:`Tracker.close` again.

    Args:
        run: the run; its folder exists.
        settings: where to send it.
    """
    shown = without_credentials(settings.tracking_uri)
    try:
        shown = destination(settings).shown
        process = subprocess.Popen(
            # -P: a file in the folder the reader stands in, such as keras.py, is not taken for a library.
            [sys.executable, "-P", "-m", "fortydays.track.sender", str(run.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C in the terminal is for the study alone
            env={
                **os.environ,
                # By the environment, which only this user can see, because an address may hold a password.
                "FORTYDAYS_HOME": str(settings.workspace),
                "MLFLOW_TRACKING_URI": settings.tracking_uri,
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
    except FortydaysError as error:
        return Tracker(run, shown=shown, process=None, problem=error)
    except OSError as error:
        problem = FortydaysError(
            f"The process that sends to the tracker could not be started: {error.strerror or error}.",
            hint=_SEND_LATER,
        )
        return Tracker(run, shown=shown, process=None, problem=problem)
    assert process.stdin is not None
    os.set_blocking(process.stdin.fileno(), False)
    return Tracker(run, shown=shown, process=process)

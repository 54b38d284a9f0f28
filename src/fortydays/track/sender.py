"""The process that mirrors a run to the tracker while the run's own process trains.

``python -m fortydays.track.sender RUN_FOLDER`` looks at the folder every few seconds and sends what is new, until the
run has ended or its standard input does: then the run's process is done, or was killed. What went wrong is kept in the
run's ``track.json``, and in ``track.log``; nothing is printed.

Its priority is not lowered: on a busy machine, a process of low priority would hold the store's locks for minutes.
"""

import contextlib
import os
import select
import sys
import traceback
from pathlib import Path
from typing import Any

from fortydays.base import clock, files
from fortydays.base.errors import FortydaysError
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import counted
from fortydays.study.runs import RunFolder, RunState
from fortydays.track import record as records
from fortydays.track.mirror import mirror
from fortydays.track.store import Store, destination, open_store, scrubbed
from fortydays.track.sync import reconcile

_SECONDS_BETWEEN_LOOKS = 2.0
_LINES_OF_LOG = 200


def main(arguments: list[str]) -> int:
    """Mirror the run in the folder ``arguments[0]`` until it has ended. Returns the exit status."""
    (folder,) = arguments
    sender = Sender(RunFolder(path=Path(folder)), read_settings())
    try:
        # The sender of the same run before it was interrupted may not be done yet.
        with records.sending(sender.run, timeout=-1):
            return sender.serve(sys.stdin.fileno())
    except FortydaysError as error:
        sender.log(f"{error.message} {error.hint}")
    return 1


class Sender:
    """Mirrors one run again and again, and keeps account of how that went.

    Args:
        run: the run.
        settings: where to send it.
    """

    def __init__(self, run: RunFolder, settings: Settings) -> None:
        self.run = run
        self._settings = settings
        self._store: Store | None = None
        self._notes: list[str] = []
        self._lines: list[str] = []

    def serve(self, alive: int) -> int:
        """Mirror the run now, whenever there is something new, and once more when there will be nothing new.

        Args:
            alive: file descriptor that can be read, to its end, as soon as the run's process is done.

        Returns:
            0 if the last time went well, else 1.
        """
        reconciled = False
        self._tell("sending")
        while True:
            # Both before the folder is read: what comes later is seen the next time.
            over, seen = _has_ended(alive, seconds=0), self._signs()
            problem = self._mirror(over=over)
            self._tell(("failed" if problem else "sent") if over else "sending", problem)
            if problem is None and not reconciled:
                reconciled = True
                self._reconcile()
            if over:
                return 1 if problem else 0
            while self._signs() == seen and not _has_ended(alive, seconds=_SECONDS_BETWEEN_LOOKS):
                pass

    def log(self, line: str) -> None:
        """Add a line to the run's ``track.log``."""
        self._lines = [*self._lines, f"{clock.timestamp()} {line}"][-_LINES_OF_LOG:]
        # Without a log there is still the record; without both, the exit status.
        with contextlib.suppress(FortydaysError):
            files.write_text(self.run.path / "track.log", "\n".join(self._lines) + "\n")

    def _signs(self) -> list[tuple[str, int]]:
        """What changes when there is something new in the run's folder."""
        paths = [self.run.path / "run.json", self.run.evidence, *(trial.result for trial in self.run.trials())]
        return [(str(path), path.stat().st_mtime_ns) for path in paths if path.exists()]

    def _mirror(self, *, over: bool) -> FortydaysError | None:
        try:
            state = RunState(self.run.read()["state"])
            if over and state is RunState.RUNNING:
                # Its process is gone or says that it is done. If another one has taken the run up by now, that one's
                # sender is waiting for this one and will tell the tracker so.
                state = RunState.INTERRUPTED
            if self._store is None:
                self._store = open_store(destination(self._settings), waiting=self.log)
                self._notes += self._store.notes
            done = mirror(self.run, self._store, state=state)
        except FortydaysError as error:
            self.log(f"{error.message} {error.hint}")
            return error
        except Exception as error:
            # A defect of ours must not vanish with this process: nobody sees its output.
            self.log(scrubbed(" | ".join(traceback.format_exception(error)), self._settings.tracking_uri))
            return FortydaysError(
                f"Tracking stopped on an unexpected error ({type(error).__name__}).",
                hint=f"Details are in {self.run.path / 'track.log'}",
            )
        if done.changed:
            self.log(
                f"Sent {counted(done.trials, 'trial')}{' and the evidence' if done.evidence else ''}; {done.status}."
            )
        return None

    def _reconcile(self) -> None:
        assert self._store is not None
        try:
            for other in reconcile(self._settings, self._store):
                self.log(f"The run {other.run_id} had been left open: {other.outcome}.")
        except FortydaysError as error:
            self.log(f"{error.message} {error.hint}")

    def _tell(self, state: str, problem: FortydaysError | None = None) -> None:
        """Keep in the record how the sending stands."""
        told: dict[str, Any] = {
            "state": state,
            "error": problem.message if problem else "",
            "hint": problem.hint if problem else "",
            "notes": self._notes,
            "pid": os.getpid(),
        }
        record = records.read(self.run)
        try:
            records.write(self.run, {**record, "sender": told})
        except FortydaysError as error:
            self.log(f"{error.message} {error.hint}")


def _has_ended(descriptor: int, *, seconds: float) -> bool:
    """Whether the other end of a pipe is closed, or will be within some seconds. Nothing is ever written to it."""
    return bool(select.select([descriptor], [], [], seconds)[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The process that mirrors a run to the tracker while the run's own process trains.

``python -m fortydays.track.sender RUN_FOLDER`` reads standard input: each line is a poke to look at the folder again,
the line "end" says that the run's process is done, and the end of the input without it that this process was killed.
In both cases the tracker is told how the run stands and the sender ends. What went wrong is kept in the run's
``track.json``, and in ``track.log``; nothing is printed.
"""

import contextlib
import os
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

POKE = b"trial\n"
END = b"end\n"

_SECONDS_FOR_PREDECESSOR = 600.0
_LINES_OF_LOG = 200
# The lowest, 19, would starve for as long as the machine is busy, and the tracker's page with it.
_NICENESS = 15


def main(arguments: list[str]) -> int:
    """Mirror the run in the folder ``arguments[0]`` until the input ends. Returns the exit status."""
    (folder,) = arguments
    take_what_training_leaves()
    settings = read_settings()
    sender = Sender(RunFolder(path=Path(folder)), settings)
    try:
        with records.sending(sender.run, timeout=_SECONDS_FOR_PREDECESSOR):
            return sender.serve(sys.stdin.fileno())
    except TimeoutError:
        sender.log("Another process was sending this run all the time.")
    except FortydaysError as error:
        sender.log(f"{error.message} {error.hint}")
    return 1


def take_what_training_leaves() -> None:
    """Give this process a low priority: where training keeps a core busy, it gets about a thirtieth of it."""
    os.nice(_NICENESS)
    # Linux may share time among sessions first and heed niceness within each alone (autogroup in sched(7)); this
    # process has a session of its own, which then is made nice as well.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICENESS), "ascii")


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

    def serve(self, pokes: int) -> int:
        """Mirror the run now, at each poke, and once more when there will be no other.

        Args:
            pokes: file descriptor of the standard input.

        Returns:
            0 if the last time went well, else 1.
        """
        over, reconciled = False, False
        self._tell("sending")
        while True:
            problem = self._mirror(over=over)
            if over:
                self._tell("failed" if problem else "sent", problem)
                return 1 if problem else 0
            self._tell("sending", problem)
            if problem is None and not reconciled:
                reconciled = True
                self._reconcile()
            # One look at the folder answers all the pokes that came meanwhile.
            received = os.read(pokes, 65536)
            over = not received or END in received

    def log(self, line: str) -> None:
        """Add a line to the run's ``track.log``."""
        self._lines = [*self._lines, f"{clock.timestamp()} {line}"][-_LINES_OF_LOG:]
        # Without a log there is still the record; without both, the exit status.
        with contextlib.suppress(FortydaysError):
            files.write_text(self.run.path / "track.log", "\n".join(self._lines) + "\n")

    def _mirror(self, *, over: bool) -> FortydaysError | None:
        try:
            state = RunState(self.run.read()["state"])
            if over and state is RunState.RUNNING:
                # Its process is gone or says that it is done. If another one has taken the run up by now, that one's
                # sender is waiting for this one and will tell the tracker so.
                state = RunState.INTERRUPTED
            if self._store is None:
                self._store = open_store(destination(self._settings))
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

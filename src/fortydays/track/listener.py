"""Tracking as the command that runs a study sees it: when the sender starts, and how long its end is waited for.

Starting the sender takes seconds of a core, which a study that is over in half a minute would notice. It therefore
starts late, and a short run is sent when it has ended, in the background. A tracking server may turn out to be out of
reach, and the reader is to hear of that at the end of the run: there it starts at once, and is waited for.
"""

import os
import subprocess
import sys
import threading

from fortydays.base import process
from fortydays.base.errors import FortydaysError
from fortydays.base.settings import Settings
from fortydays.study.runs import RunFolder
from fortydays.track import record as records
from fortydays.track.store import SYNC_COMMAND, destination

SECONDS_BEFORE_START = 60.0
"""The sender to the workspace's own store starts after so long, or when the run has ended."""

SECONDS_TO_WAIT_FOR_SERVER = 3.0
"""How long the end of a run waits to hear from a tracking server."""

_SEND_LATER = f"The run itself is not affected. Send it later with: {SYNC_COMMAND}"
# A sender that goes on after its study must stay referenced, or Python warns that it was forgotten.
_LEFT_RUNNING: list[subprocess.Popen[bytes]] = []


class TrackingListener:
    """Starts a run's sender in time, and lets it go. A listener of ``study.runner``. It cannot slow or fail a study.

    Args:
        settings: where to send the run.
        enabled: False sends nothing (``--no-track``); the listener then only knows its run.
        seconds_before_start: how long a run that is sent to the workspace's own store goes on without its sender.

    Attributes:
        run: the run that was begun, or None where none was.
        sender: the process that sends, or None where there is none.
    """

    def __init__(
        self, settings: Settings, *, enabled: bool = True, seconds_before_start: float = SECONDS_BEFORE_START
    ) -> None:
        self.run: RunFolder | None = None
        self.sender: subprocess.Popen[bytes] | None = None
        self._problem: FortydaysError | None = None
        self._settings, self._enabled = settings, enabled
        self._starting = threading.Lock()
        self._later = threading.Timer(seconds_before_start, self._start)
        self._later.daemon = True

    def started(self, run: RunFolder) -> None:
        """The run has begun: start its sender, now or in a while."""
        self.run = run
        if self._enabled and self._settings.tracking_uri:
            self._start()
        elif self._enabled:
            self._later.start()

    def trial_ended(self, run: RunFolder) -> None:
        """Nothing: the sender sees in the run's folder what is new."""

    def ended(self, run: RunFolder) -> None:
        """Nothing: the sender is let go when the command ends, whatever the reason."""

    def close(self, *, stopped: bool) -> list[str]:
        """Tell the sender that the run's process is done; it goes on in the background with what is left to send.

        Args:
            stopped: the reader has stopped the run and wants the prompt back, so a server is not waited for.

        Returns:
            Lines for the reader; none where all is well.
        """
        self._later.cancel()
        if self._enabled:
            self._start()
        if self._problem:
            return [records.in_words(failed=True, reason=self._problem.message, hint=self._problem.hint, notes=())]
        if self.sender is None or self.sender.stdin is None or self.run is None:
            return []
        self.sender.stdin.close()
        to_server = bool(self._settings.tracking_uri)
        try:
            status: int | None = self.sender.wait(SECONDS_TO_WAIT_FOR_SERVER if to_server and not stopped else 0)
        except subprocess.TimeoutExpired:
            _LEFT_RUNNING.append(self.sender)
            status = None
        told = records.read(self.run)["sender"]
        if told.get("pid") != self.sender.pid:  # this sender has not come to write yet
            told = {}
        reason, hint = str(told.get("error", "")), str(told.get("hint", ""))
        if status and not reason:
            reason, hint = f"The process that sends has ended with status {status}.", _SEND_LATER
        notes = [str(note) for note in told.get("notes", ())]
        said = records.in_words(failed=bool(status), reason=reason, hint=hint, notes=notes)
        if status is None and to_server and not said:
            said = f"The tracking server has not taken everything yet. To see that it does: {SYNC_COMMAND}"
        return [said] if said else []

    def _start(self) -> None:
        """Start the sender, once; called by the timer, or when the command ends. Never raises."""
        with self._starting:
            if self.sender or self._problem or self.run is None:
                return
            try:
                destination(self._settings)  # an address that cannot be used is said as such
                self.sender = _sender(self.run, self._settings)
            except FortydaysError as error:
                self._problem = error
            except OSError as error:
                self._problem = FortydaysError(
                    f"The process that sends to the tracker could not be started: {error.strerror or error}.",
                    hint=_SEND_LATER,
                )


def _sender(run: RunFolder, settings: Settings) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        # -P: a file in the folder the reader stands in, such as keras.py, is not taken for a library.
        [sys.executable, "-P", "-m", "fortydays.track.sender", str(run.path)],
        stdin=subprocess.PIPE,  # nothing is written: its end says that this process is done, or was killed
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,  # Ctrl-C in the terminal is for the study alone
        env={
            **process.without_parent(os.environ),  # it goes on when the study has ended
            # By the environment, which only this user can see, because an address may hold a password.
            "FORTYDAYS_HOME": str(settings.workspace),
            "MLFLOW_TRACKING_URI": settings.tracking_uri,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
    )

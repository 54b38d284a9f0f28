"""Tracking as the command that runs a study sees it: when the tracker starts, and how long its end is waited for.

Starting the tracker takes seconds of a core, which a study that is over in half a minute would notice. It therefore
starts late, and a short run is sent when it has ended, in the background. A tracking server may turn out to be out of
reach, and the reader is to hear of that at the end of the run: there it starts at once, and is waited for.
"""

import threading
from collections.abc import Callable

from fortydays.base.settings import Settings
from fortydays.study.runs import RunFolder
from fortydays.track.store import SYNC_COMMAND
from fortydays.track.tracker import Tracker, start

SECONDS_BEFORE_START = 30.0
"""The tracker of the workspace's own store starts after so long, or when the run has ended."""

SECONDS_TO_WAIT_FOR_SERVER = 3.0
"""How long the end of a run waits to hear from a tracking server."""


class TrackingListener:
    """Starts a run's tracker in time, tells it of trials, and ends it. A listener of ``study.runner``.

    Args:
        settings: where to send the run.
        enabled: False sends nothing (``--no-track``); the listener then only knows its run.
        seconds_before_start: how long a run that is sent to the workspace's own store goes on without its tracker.
        start_tracker: starts the tracker of a run.

    Attributes:
        run: the run that was begun, or None where none was.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        enabled: bool = True,
        seconds_before_start: float = SECONDS_BEFORE_START,
        start_tracker: Callable[[RunFolder, Settings], Tracker] = start,
    ) -> None:
        self.run: RunFolder | None = None
        self._settings, self._enabled, self._start_tracker = settings, enabled, start_tracker
        self._tracker: Tracker | None = None
        self._starting = threading.Lock()
        self._later = threading.Timer(seconds_before_start, self._start)
        self._later.daemon = True

    def started(self, run: RunFolder) -> None:
        """The run has begun: start its tracker, now or in a while."""
        self.run = run
        if self._enabled and self._settings.tracking_uri:
            self._start()
        elif self._enabled:
            self._later.start()

    def trial_ended(self, run: RunFolder) -> None:  # noqa: ARG002
        """A trial's result is on disk: say so to the tracker, if it has started."""
        with self._starting:
            if self._tracker:
                self._tracker.poke()

    def ended(self, run: RunFolder) -> None:
        """Nothing: the tracker is closed when the command ends, whatever the reason."""

    def close(self, *, stopped: bool) -> list[str]:
        """Tell the tracker that the run's process is done; it goes on in the background with what is left to send.

        Args:
            stopped: the reader has stopped the run and wants the prompt back, so a server is not waited for.

        Returns:
            Lines for the reader; none where all is well.
        """
        self._later.cancel()
        if self._enabled:
            self._start()
        if self._tracker is None:
            return []
        to_server = bool(self._settings.tracking_uri)
        outcome = self._tracker.close(SECONDS_TO_WAIT_FOR_SERVER if to_server and not stopped else 0.0)
        if outcome.state == "sending" and to_server and not outcome.message:
            return [f"The tracking server has not taken everything yet. To see that it does: {SYNC_COMMAND}"]
        return [outcome.message] if outcome.message else []

    def _start(self) -> None:
        """Start the tracker, once; called by the timer, or when the command ends."""
        with self._starting:
            if self._tracker is None and self.run is not None:
                self._tracker = self._start_tracker(self.run, self._settings)

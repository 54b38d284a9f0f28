"""Keeps MLflow up to date while a study trains: a process of its own, which follows the run's folder.

Called from within training, a slow, broken or locked tracker would slow or break the study. The command that runs a
study starts ``python -m fortydays.track.follower RUN_FOLDER``. That process calls :func:`~fortydays.track.sync.sync`
whenever there is something new in the folder, and once more when the run's own process has ended or was killed. What
went wrong is kept in the run's ``track.json``; defects, and for whom it has waited, in ``track.log``.

Its priority is not lowered: on a busy machine, a process of low priority would hold the store's locks for minutes.
"""

import contextlib
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from fortydays.base import clock, files
from fortydays.base.errors import FortydaysError
from fortydays.base.settings import Settings, read_settings
from fortydays.study.runs import RunFolder, RunState, list_runs
from fortydays.track import record as records
from fortydays.track.store import SEND_LATER, Store, destination, open_store, scrubbed
from fortydays.track.sync import sync

SECONDS_BEFORE_START = 60.0
"""So long a run goes on without MLflow, which takes seconds of a core to load: a short study would notice."""

_SECONDS_BETWEEN_LOOKS = 2.0

# A process that goes on after its study must stay referenced, or Python warns that it was forgotten.
_STARTED: list[subprocess.Popen[bytes]] = []


class TrackingListener:
    """Has the run that a command works on followed. It cannot slow or fail a study.

    Where it is not enabled (``--no-track``), it only knows its run.

    Attributes:
        run: the run that was begun, or None where none was.
        follower: the process that follows it, or None where there is none.
    """

    def __init__(self, settings: Settings, *, enabled: bool = True) -> None:
        self.run: RunFolder | None = None
        self.follower: subprocess.Popen[bytes] | None = None
        self._settings, self._enabled = settings, enabled
        self._problem = ""

    def started(self, run: RunFolder) -> None:
        """The run has begun: have it followed. Never raises."""
        self.run = run
        if not self._enabled:
            return
        try:
            where = destination(self._settings)  # an address that cannot be used is said as such
            records.write(run, destination=records.address(where), error="", hint="", notes=[])
            self.follower = _followed(run, self._settings)
        except FortydaysError as error:
            self._problem = f"Not tracked: {error.message}\n{error.hint}"
        except OSError as error:
            reason = f"The process that sends to the tracker could not be started: {error.strerror or error}."
            self._problem = f"Not tracked: {reason}\n{SEND_LATER}"

    def trouble(self) -> list[str]:
        """What the reader is to hear of the tracking at the end of the command; empty where all is well so far."""
        if self._problem or self.run is None or self.follower is None:
            return [self._problem] if self._problem else []
        status = self.follower.poll()
        said = records.trouble(self.run)
        if status and not said:
            said = f"Not tracked: The process that sends has ended with status {status}.\n{SEND_LATER}"
        return [said] if said else []


def _followed(run: RunFolder, settings: Settings) -> subprocess.Popen[bytes]:
    with files.make_private_file(run.path / "track.log").open("wb") as log:
        started = subprocess.Popen(
            # -P: a file in the folder the reader stands in, such as keras.py, is not taken for a library.
            [sys.executable, "-P", "-m", "fortydays.track.follower", str(run.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in the terminal is for the study alone
            env={
                **os.environ,  # it goes on when the study has ended
                # By the environment, which only this user can see, because an address may hold a password.
                "FORTYDAYS_HOME": str(settings.workspace),
                "MLFLOW_TRACKING_URI": settings.tracking_uri,
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
    _STARTED.append(started)
    return started


def follow(run: RunFolder, settings: Settings) -> None:
    """Sync a run whenever there is something new in its folder, until no process works on it any more.

    At the end, the other runs that are to be in MLflow and are not are caught up, such as one whose machine died.

    Raises:
        StorageError: the run's folder cannot be read or written.
    """
    store: Store | None = None
    while True:
        seen = records.fingerprint(run)
        with _trouble_remembered(run, settings):
            store = store or open_store(destination(settings), waiting=_log)
            sync(run, store, waiting=_log)
        while records.fingerprint(run) == seen:
            if run.state() is not RunState.RUNNING:
                if store is not None:
                    _catch_up(settings, store, but=run)
                return
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def _catch_up(settings: Settings, store: Store, *, but: RunFolder) -> None:
    for run in list_runs(settings.runs):
        if run == but or not records.is_wanted(run) or run.is_held() or records.is_sent(run, store.destination):
            continue
        with _trouble_remembered(run, settings):
            sync(run, store, waiting=_log)


@contextlib.contextmanager
def _trouble_remembered(run: RunFolder, settings: Settings) -> Iterator[None]:
    try:
        yield
    except FortydaysError as error:
        records.failed(run, error)
    except Exception as error:
        # A defect of ours must not vanish with this process: nobody sees its output.
        _log(scrubbed(" | ".join(traceback.format_exception(error)), settings.tracking_uri))
        said = f"Tracking stopped on an unexpected error ({type(error).__name__})."
        records.failed(run, FortydaysError(said, hint=f"Details are in {run.path / 'track.log'}"))


def _log(line: str) -> None:
    sys.stderr.write(f"{clock.timestamp()} {line}\n")


def main(arguments: list[str]) -> int:
    """Follow the run in the folder ``arguments[0]``. Returns the exit status."""
    settings = read_settings()
    run = RunFolder(path=Path(arguments[0]))
    began = time.monotonic()
    try:
        # A server may be out of reach, and the reader is to hear of that at the end of the run.
        while (
            not settings.tracking_uri
            and time.monotonic() - began < SECONDS_BEFORE_START
            and run.state() is RunState.RUNNING
        ):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        follow(run, settings)
    except FortydaysError as error:
        _log(f"{error.message} {error.hint}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Catching up: sends what the tracker does not have yet, and closes what was left open there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fortydays.base.errors import StorageError, TrackingError
from fortydays.base.settings import Settings
from fortydays.study.runs import RunFolder, RunState, list_runs
from fortydays.track import record as records
from fortydays.track.mirror import STATUS, mirror
from fortydays.track.store import Store, UnreachableError, destination, open_store


@dataclass(frozen=True, kw_only=True)
class Synced:
    """What became of one run.

    Attributes:
        run_id: the run.
        outcome: "sent", "already there", "being sent by another process", "deleted there" (and left so), or "failed".
        trials: how many of its trials were sent.
        reason: why it failed, or "".
    """

    run_id: str
    outcome: str
    trials: int = 0
    reason: str = ""


def sync(runs: Iterable[RunFolder], store: Store) -> Iterator[Synced]:
    """Send what is missing in the tracker, one run after another.

    Args:
        runs: which runs.
        store: an opened destination.

    Yields:
        What became of each run, as soon as it is known.

    Raises:
        UnreachableError: the tracking server cannot be reached. What is wrong with one run alone stops no other.
    """
    for run in runs:
        try:
            with records.sending(run, timeout=0):
                done = mirror(run, store)
                records.made_good(run)
        except TimeoutError:
            yield Synced(run_id=run.run_id, outcome="being sent by another process")
        except UnreachableError:
            raise
        except (StorageError, TrackingError) as error:
            yield Synced(run_id=run.run_id, outcome="failed", reason=f"{error.message} {error.hint}".strip())
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            reason = f"A result or the evidence in {run.path} is damaged ({type(error).__name__}: {error})."
            yield Synced(run_id=run.run_id, outcome="failed", reason=reason)
        else:
            outcome = "sent" if done.changed else "already there" if done.status else "deleted there"
            yield Synced(run_id=run.run_id, outcome=outcome, trials=done.trials)


def left_open(settings: Settings) -> list[RunFolder]:
    """The runs that have ended or were interrupted, but were last told to the tracker as running.

    That is what remains when the machine died, or someone killed a study and its sender both. Looks at files only.

    Raises:
        TrackingError: the address in the settings is of a kind that cannot be used.
    """
    shown = destination(settings).shown
    found = []
    for run in list_runs(settings.runs):
        told = records.entry(records.read(run), shown)["status"]
        if told == STATUS[RunState.RUNNING] and run.state() is not RunState.RUNNING:
            found.append(run)
    return found


def reconcile(settings: Settings, store: Store | None = None) -> list[Synced]:
    """Bring the tracker in line for the runs that were left open there.

    The tracker is opened only if there is such a run.

    Args:
        settings: where the runs are and where they are tracked.
        store: the destination, if it is open already.

    Raises:
        TrackingError: the tracker cannot be reached or opened.
    """
    open_runs = left_open(settings)
    if not open_runs:
        return []
    return list(sync(open_runs, store or open_store(destination(settings))))

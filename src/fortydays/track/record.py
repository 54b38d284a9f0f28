"""What the tracker has been told of a run, kept in the run's folder as ``track.json``.

One entry for each destination, by its address without credentials. An entry is written after the destination has what
it says, so that a process killed in between sends something twice at worst, which :mod:`~fortydays.track.mirror`
recognizes. Only the process that holds the run's ``track.lock`` writes.
"""

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

from fortydays.base import clock, files
from fortydays.base.errors import StorageError
from fortydays.study.runs import RunFolder

SCHEMA_VERSION = 1


@contextlib.contextmanager
def sending(run: RunFolder, *, timeout: float) -> Iterator[None]:
    """Hold the right to send a run.

    Args:
        run: the run.
        timeout: seconds to wait for another process that sends it; 0 waits not at all.

    Raises:
        TimeoutError: another process was sending it all that time.
        StorageError: the run's folder cannot be written.
    """
    with files.locked(run.path / "track.lock", timeout=timeout):
        yield


def read(run: RunFolder) -> dict[str, Any]:
    """The record of a run; an empty one where there is none or it cannot be used. Changes nothing on disk."""
    try:
        record = files.read_json(run.tracking)
    except StorageError:
        record = {}
    usable = (
        record.get("schema_version") == SCHEMA_VERSION
        and isinstance(record.get("destinations"), dict)
        and isinstance(record.get("sender"), dict)
    )
    if not usable:
        return {"schema_version": SCHEMA_VERSION, "destinations": {}, "sender": {}}
    # The workspace's own store moves with the workspace, and so does what it has been told.
    known = record["destinations"]
    own = f"sqlite:///{run.path.parent.parent / 'mlflow.db'}"
    former = [shown for shown in known if shown.startswith("sqlite:///") and shown.endswith("/mlflow.db")]
    if former and own not in known:
        known[own] = copy.deepcopy(known[former[-1]])
    return record


def write(run: RunFolder, record: dict[str, Any]) -> None:
    """Keep a record. Raises StorageError."""
    files.write_json(run.tracking, {**record, "updated": clock.timestamp()})


def in_words(*, failed: bool, reason: str, hint: str, notes: Sequence[str]) -> str:
    """What a reader is to hear of the sending of a run, a line each; "" where all is well.

    Args:
        failed: whether it has ended without success, rather than not had any so far.
        reason: what went wrong, or "".
        hint: what to do about it, or "".
        notes: what else there is to know, such as that a damaged store was set aside.
    """
    lines = list(notes)
    if reason:
        lines += [f"{'Not tracked' if failed else 'Not tracked so far'}: {reason}", hint]
    return "\n".join(line for line in lines if line)


def trouble(run: RunFolder) -> str:
    """What went wrong with the sending of a run and was not made good since, in words; "" where nothing did.

    The tracker of a short run works when the command has already ended, so this is where its reader hears of it.
    """
    told = read(run)["sender"]
    notes = told.get("notes", ())
    return in_words(
        failed=told.get("state") == "failed",
        reason=str(told.get("error", "")),
        hint=str(told.get("hint", "")),
        notes=[str(note) for note in notes] if isinstance(notes, list) else [],
    )


def made_good(run: RunFolder) -> None:
    """Forget what went wrong, now that the tracker has it all. Raises StorageError."""
    record = read(run)
    if trouble(run):
        write(run, {**record, "sender": {**record["sender"], "state": "sent", "error": "", "hint": "", "notes": []}})


def entry(record: dict[str, Any], shown: str) -> dict[str, Any]:
    """What one destination has been told, to be read and changed in place; a fresh one where it is new or damaged.

    Its fields: ``experiment_id`` and ``parent`` (MLflow's ids, "" before they exist), ``status`` (MLflow's word for
    the run as last told), ``evidence`` (digest of the document that was sent, or ""), ``trials`` (by folder name:
    ``run_id``, ``digest`` of the result that was sent, and whether it was ``described``).
    """
    fresh: dict[str, Any] = {"experiment_id": "", "parent": "", "status": "", "evidence": "", "trials": {}}
    found = record["destinations"].get(shown)
    if isinstance(found, dict) and all(type(found.get(name)) is type(value) for name, value in fresh.items()):
        return found
    record["destinations"][shown] = fresh
    return fresh


def is_sent(run: RunFolder, shown: str) -> bool:
    """Whether a destination has been told all that there is of a run, as far as this workspace knows."""
    known = entry(read(run), shown)
    evidence = files.sha256_of_file(run.evidence) if files.exists(run.evidence) else ""
    return (
        bool(known["parent"])
        and known["evidence"] == evidence
        and known["trials"].keys() >= {trial.path.name for trial in run.trials() if files.exists(trial.result)}
    )

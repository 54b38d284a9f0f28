"""What the tracker has been told of a run, kept in the run's folder as ``track.json``.

One entry for each destination, by its address without credentials. An entry is written after the destination has what
it says, so that a process killed in between sends something twice at worst, which :mod:`~fortydays.track.mirror`
recognizes. Only the process that holds the run's ``track.lock`` writes.
"""

import contextlib
from collections.abc import Iterator
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
    return record if usable else {"schema_version": SCHEMA_VERSION, "destinations": {}, "sender": {}}


def write(run: RunFolder, record: dict[str, Any]) -> None:
    """Keep a record. Raises StorageError."""
    files.write_json(run.tracking, {**record, "updated": clock.timestamp()})


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

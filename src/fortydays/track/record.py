"""What this workspace remembers of a run's tracking: the run's ``track.json``.

It decides nothing: what MLflow has, MLflow itself is asked. It tells ``forty runs``, which does not load MLflow,
whether MLflow has everything, and what went wrong. A run without the file is one that nobody wanted to be tracked.
"""

from typing import Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError
from fortydays.study.runs import RunFolder
from fortydays.track.store import Destination

_EMPTY: dict[str, Any] = {"schema_version": 2, "destination": "", "sent": "", "error": "", "hint": "", "notes": []}


def read(run: RunFolder) -> dict[str, Any]:
    """The record of a run; an empty one where there is none or it cannot be used.

    Its fields: ``destination`` (see :func:`address`), ``sent`` (what :func:`fingerprint` was when everything had been
    sent, or ""), ``error`` and ``hint`` (what went wrong since, or ""), ``notes`` (what else the reader should know).
    """
    try:
        found = files.read_json(run.tracking)
    except StorageError:
        return dict(_EMPTY)
    usable = found.keys() == _EMPTY.keys() and all(type(found[name]) is type(_EMPTY[name]) for name in _EMPTY)
    return found if usable and found["schema_version"] == _EMPTY["schema_version"] else dict(_EMPTY)


def write(run: RunFolder, **changes: Any) -> None:
    """Change fields of the record; nothing is written where none is another one. Raises StorageError."""
    before = read(run)
    if before != (record := {**before, **changes}) or not is_wanted(run):
        files.write_json(run.tracking, record)


def is_wanted(run: RunFolder) -> bool:
    """Whether the run is to be in MLflow: it was not begun with ``--no-track``, or was sent later."""
    return files.exists(run.tracking)


def address(where: Destination) -> str:
    """A destination as the record names it. The workspace's own store moves with the workspace and so has no path."""
    return "workspace" if where.is_own else where.shown


def fingerprint(run: RunFolder) -> str:
    """A digest that changes when there is something new in the run's folder to send."""
    paths = [run.evidence, *(trial.result for trial in run.trials())]
    found = [(path.parent.name, files.sha256_of_file(path)) for path in paths if files.exists(path)]
    return files.sha256_of_json([str(run.state()), found])


def is_sent(run: RunFolder, where: Destination) -> bool:
    """Whether a destination has been told all that there is of a run, as far as this workspace knows."""
    record = read(run)
    return (record["destination"], record["sent"]) == (address(where), fingerprint(run))


def failed(run: RunFolder, error: FortydaysError) -> None:
    """Remember what went wrong, until it is made good. Raises StorageError."""
    write(run, error=error.message, hint=error.hint)


def trouble(run: RunFolder) -> str:
    """What went wrong with the sending of a run and was not made good since, in words; "" where nothing did."""
    record = read(run)
    lines = [str(note) for note in record["notes"]]
    if record["error"]:
        lines += [f"Not tracked: {record['error']}", record["hint"]]
    return "\n".join(line for line in lines if line)

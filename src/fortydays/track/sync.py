"""``sync(run)``: tells MLflow what the run's folder says and MLflow does not know yet.

MLflow itself says what it knows: runs are found again by tags of ours, and the last thing that each is told is the
digest of everything it was told. So it may be called at any time, by several processes, and after a kill.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fortydays.base import process
from fortydays.base.errors import StorageError
from fortydays.study.runs import RunFolder
from fortydays.track import record as records
from fortydays.track.content import Entry, allowed, entries_of, experiment_name, in_words
from fortydays.track.store import Store, artifacts_at, every, experiment_id, say_nothing, using_mlflow

RUN_TAG = "fortydays.run_id"
"""The tag that holds a run's id, on the parent and on its trials."""

TRIAL_TAG = "fortydays.trial"
"""The tag that holds the name of a trial's folder; the parent has none."""

SENT_TAG = "fortydays.sent"
"""The tag that holds the digest of what was sent, once all of it was."""

# MLflow's limits: 1000 things in one call, of which 100 may be parameters and 100 tags; characters of a tag, of a
# parameter, of a dataset's digest.
_METRICS_AT_ONCE = 800
_WORDS_AT_ONCE = 100
_LONGEST_TAG = 8000
_LONGEST_PARAMETER = 6000
_LONGEST_DIGEST = 36
_SOURCE = {"mlflow.source.name": "fortydays", "mlflow.source.type": "LOCAL"}


@dataclass(frozen=True, kw_only=True)
class Synced:
    """What a call of :func:`sync` did.

    Attributes:
        outcome: "sent", "already there", or "deleted there": someone has deleted it in MLflow, and it stays so.
        trials: how many trials were sent.
        parent: MLflow's id of the run.
    """

    outcome: str
    trials: int
    parent: str


def sync(run: RunFolder, store: Store, *, waiting: Callable[[str], None] = say_nothing) -> Synced:
    """Tell MLflow what the run's folder says and MLflow does not know yet. Repeated, it changes nothing.

    ``waiting`` is told for which other process, which syncs the same run, this one waits.

    Raises:
        TrackingError: MLflow cannot be reached, or refuses.
        StorageError: the run's folder cannot be read or written, or something in it is damaged.
    """

    def wait(holder: str) -> None:
        waiting(f"Waiting for another process that sends {run.run_id}: {holder}.")

    with process.locked(run.path / "track.lock", waiting=wait):
        seen = records.fingerprint(run)  # before the folder is read: what comes later is sent the next time
        try:
            entries = list(entries_of(run))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise StorageError(
                f"A result or the evidence in {run.path} is damaged ({type(error).__name__}: {error})."
            ) from error
        with using_mlflow(store.destination):
            done = _send(run, entries, store)
        records.write(
            run,
            destination=records.address(store.destination),
            sent=seen,
            error="",
            hint="",
            notes=list(store.notes),
        )
        return done


def _send(run: RunFolder, entries: list[Entry], store: Store) -> Synced:
    experiment = experiment_id(store, experiment_name(run))
    known = _known(store.client, experiment, run.run_id)
    if "" in known and known[""].info.lifecycle_stage == "deleted":
        return Synced(outcome="deleted there", trials=0, parent=known[""].info.run_id)
    parent, trials, changed = "", 0, False
    for entry in entries:
        there = known.get(entry.trial)
        run_id = there.info.run_id if there else _created(store.client, experiment, run.run_id, entry, parent)
        parent = parent or run_id
        digest = entry.digest()
        if there and (there.data.tags.get(SENT_TAG) == digest or there.info.lifecycle_stage == "deleted"):
            continue
        _tell(store, run_id, entry)
        store.client.set_tag(run_id, SENT_TAG, digest)
        trials, changed = trials + bool(entry.trial), True
    return Synced(outcome="sent" if changed else "already there", trials=trials, parent=parent)


def _known(client: Any, experiment: str, run_id: str) -> dict[str, Any]:
    """What MLflow has of a run, deleted or not, by trial; the parent is under ""."""
    from mlflow.entities import ViewType

    found = every(client.search_runs, [experiment], f"tags.`{RUN_TAG}` = '{run_id}'", ViewType.ALL)
    return {run.data.tags.get(TRIAL_TAG, ""): run for run in found}


def _created(client: Any, experiment: str, run_id: str, entry: Entry, parent: str) -> str:
    tags = {RUN_TAG: run_id, **_SOURCE}
    if entry.trial:
        tags |= {TRIAL_TAG: entry.trial, "mlflow.parentRunId": parent}
    made = client.create_run(experiment, start_time=entry.started, tags=tags, run_name=entry.name)
    return str(made.info.run_id)


def _tell(store: Store, run_id: str, entry: Entry) -> None:
    from mlflow.entities import Metric, Param, RunTag

    client = store.client
    metrics = [Metric(*each) for each in entry.metrics]
    params = [Param(name, value[:_LONGEST_PARAMETER]) for name, value in _words(entry.parameters)]
    tags = [RunTag(name, value[:_LONGEST_TAG]) for name, value in _words(entry.tags)]
    while metrics or params or tags:  # in as few calls as MLflow allows
        client.log_batch(
            run_id, metrics=metrics[:_METRICS_AT_ONCE], params=params[:_WORDS_AT_ONCE], tags=tags[:_WORDS_AT_ONCE]
        )
        del metrics[:_METRICS_AT_ONCE], params[:_WORDS_AT_ONCE], tags[:_WORDS_AT_ONCE]
    if entry.dataset:
        _log_dataset(client, run_id, entry.dataset)
    if entry.files:
        place = artifacts_at(store, client.get_run(run_id).info.artifact_uri)
        for path, folder in entry.files:
            place.log_artifact(str(path), folder)
    if entry.status == "RUNNING":
        client.update_run(run_id, status="RUNNING")
    else:
        client.set_terminated(run_id, entry.status, entry.ended)


def _words(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(allowed(name), in_words(value)) for name, value in values.items() if value is not None]


def _log_dataset(client: Any, run_id: str, dataset: Mapping[str, Any]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    described = Dataset(
        name=dataset["name"],
        digest=dataset["digest"][:_LONGEST_DIGEST],
        source_type="fortydays",
        source=json.dumps({"dataset": dataset["name"], "digest": dataset["digest"]}),
        profile=json.dumps({split: dataset[split] for split in ("train", "validation", "test")}),
    )
    client.log_inputs(run_id, [DatasetInput(dataset=described, tags=[InputTag("mlflow.data.context", "training")])])

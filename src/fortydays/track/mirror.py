"""Brings the tracker's copy of one run up to date with the run's folder.

A study's run becomes a parent run in the experiment of its day, each trial with a result a child of it. What a trial
looks like there: the history under the names of its columns, with their steps; the numbers of the ended trial under
their own names, or behind ``final_`` where a column of the history has that name; the recipe as parameters.

All of it may be repeated: runs are found again by tags of our own, numbers carry times that are a function of the
folder (MLflow drops a number it has), and what has been sent is recorded once the tracker has it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fortydays.base import files
from fortydays.base.errors import StorageError
from fortydays.study.evidence import read_evidence
from fortydays.study.runs import RunFolder, RunState, TrialFolder
from fortydays.track import record as records
from fortydays.track.curves import draw_learning_curves
from fortydays.track.database import OUR_EXPERIMENTS
from fortydays.track.store import Store, artifacts_at, experiment_id, using_mlflow

RUN_TAG = "fortydays.run_id"
"""The tag that holds a run's id, on the parent and on its trials."""

TRIAL_TAG = "fortydays.trial"
"""The tag that holds the name of a trial's folder; the parent has none."""

HISTORY_COLUMNS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate")
"""The columns of a history that are sent."""

STATUS = {
    RunState.RUNNING: "RUNNING",
    RunState.INTERRUPTED: "KILLED",
    RunState.FINISHED: "FINISHED",
    RunState.FAILED: "FAILED",
}
"""MLflow's word for how far a run has come."""

# MLflow's limits: 1000 things in one call, of which 100 may be parameters and 100 tags; characters of a tag, of a
# parameter, of a dataset's digest.
_METRICS_AT_ONCE = 800
_WORDS_AT_ONCE = 100
_LONGEST_TAG = 8000
_LONGEST_PARAMETER = 6000
_LONGEST_DIGEST = 36


@dataclass(frozen=True, kw_only=True)
class Mirrored:
    """What a call of :func:`mirror` did.

    Attributes:
        trials: how many trials were sent or described anew.
        evidence: whether the evidence was sent.
        status: MLflow's word for the run there, or "" where the copy has been deleted by someone and stays so.
        changed: whether anything was sent at all.
    """

    trials: int
    evidence: bool
    status: str
    changed: bool


def mirror(run: RunFolder, store: Store, *, state: RunState | None = None) -> Mirrored:
    """Send what the run's folder holds and the tracker does not have yet.

    The caller holds :func:`fortydays.track.record.sending`.

    Args:
        run: the run.
        store: an opened destination.
        state: how far the run has come, where the caller knows better than the folder.

    Raises:
        TrackingError: the tracker cannot be reached, or refuses.
        StorageError: the run's folder cannot be read, or its record cannot be written.
    """
    with using_mlflow(store.destination):
        return _mirror(run, store, state or run.state())


def experiment_name(document: Mapping[str, Any]) -> str:
    """The MLflow experiment of a run, from its ``run.json``: ``fortydays/day02-activations``."""
    day, name = document["day"], document["name"]
    return OUR_EXPERIMENTS + (name if day is None else f"day{day:02}-{name}")


def _mirror(run: RunFolder, store: Store, state: RunState) -> Mirrored:
    client, document = store.client, run.read()
    evidence = read_evidence(run.evidence) if run.evidence.exists() else {}
    record = records.read(run)
    entry = records.entry(record, store.destination.shown)

    standing = _standing(client, entry["parent"]) if entry["parent"] else ""
    if standing == "deleted":
        return Mirrored(trials=0, evidence=False, status="", changed=False)
    if not standing:  # never sent, or the store is another one than it was
        record["destinations"].pop(store.destination.shown)
        entry = records.entry(record, store.destination.shown)

    results = dict(_results(run))
    unsent = [name for name, (digest, _) in results.items() if entry["trials"].get(name, {}).get("digest") != digest]
    known: dict[str, str] = {}
    if not entry["parent"]:
        entry["experiment_id"] = experiment_id(store, experiment_name(document))
    if not entry["parent"] or unsent:
        known = _known_runs(client, entry["experiment_id"], run.run_id)
    if not entry["parent"]:
        entry["parent"] = known.get("") or _create_parent(client, entry["experiment_id"], run, document)
        records.write(run, record)
    if entry["status"] != "RUNNING" and state is RunState.RUNNING:
        client.update_run(entry["parent"], status="RUNNING")
        entry["status"] = "RUNNING"
        records.write(run, record)

    trials = 0
    for name, (digest, trial) in results.items():
        described = trial["variant"] in evidence.get("details", {})
        sent = entry["trials"].get(name, {})
        if sent.get("digest") == digest and (sent.get("described") or not described):
            continue
        run_id = sent.get("run_id") or known.get(name) or _create_child(client, entry, run, name, trial)
        if sent.get("digest") != digest:
            _send_result(
                client, run_id, run.trial(name), trial, _first_parameters(run, name, trial, document["identity"])
            )
        if described:
            _describe_trial(client, run_id, trial, evidence)
        entry["trials"][name] = {"run_id": run_id, "digest": digest, "described": described}
        records.write(run, record)
        trials += 1

    digest = files.sha256_of_file(run.evidence) if evidence else ""
    send_evidence = bool(digest) and entry["evidence"] != digest
    if send_evidence:
        _send_evidence(store, entry["parent"], run, evidence)
        entry["evidence"] = digest
        records.write(run, record)
    ended = entry["status"] != STATUS[state]
    if ended:
        client.set_terminated(entry["parent"], STATUS[state], _milliseconds(document["updated"]))
        entry["status"] = STATUS[state]
        records.write(run, record)
    changed = bool(trials or send_evidence or ended or standing == "")
    return Mirrored(trials=trials, evidence=send_evidence, status=entry["status"], changed=changed)


def _standing(client: Any, run_id: str) -> str:
    """MLflow's word for whether it keeps a run ("active" or "deleted"), or "" where it has never heard of it."""
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_run(run_id).info.lifecycle_stage)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return ""
        raise


def _known_runs(client: Any, experiment_id: str, run_id: str) -> dict[str, str]:
    """MLflow's ids of what it already has of a run, by trial; the parent's is under ""."""
    known: dict[str, str] = {}
    token = None
    while True:
        page = client.search_runs(
            [experiment_id], filter_string=f"tags.`{RUN_TAG}` = '{run_id}'", max_results=1000, page_token=token
        )
        known |= {run.data.tags.get(TRIAL_TAG, ""): run.info.run_id for run in page}
        token = page.token
        if not token:
            return known


def _create_parent(client: Any, experiment_id: str, run: RunFolder, document: Mapping[str, Any]) -> str:
    tags = {RUN_TAG: run.run_id, **_SOURCE}
    created = client.create_run(
        experiment_id, start_time=_milliseconds(document["created"]), tags=tags, run_name=run.run_id
    )
    identity = document["identity"]
    words = {f"code.{name}": identity.get(name) for name in ("study", "engine")}
    words |= {f"package.{name}": version for name, version in identity.get("packages", {}).items()}
    words |= {f"request.{name}": value for name, value in document["request"].items()}
    _log(client, created.info.run_id, tags=words)
    return str(created.info.run_id)


def _create_child(client: Any, entry: Mapping[str, Any], run: RunFolder, name: str, trial: Mapping[str, Any]) -> str:
    ended = _ended(run.trial(name))
    tags = {RUN_TAG: run.run_id, TRIAL_TAG: name, "mlflow.parentRunId": entry["parent"], **_SOURCE}
    started = ended - round(1000 * trial["train_seconds"]) if trial["status"] == "finished" else ended
    created = client.create_run(entry["experiment_id"], start_time=started, tags=tags, run_name=name)
    return str(created.info.run_id)


_SOURCE = {"mlflow.source.name": "fortydays", "mlflow.source.type": "LOCAL"}


def _results(run: RunFolder) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    """The ended trials of a run: folder name, digest of the result, result."""
    for folder in run.trials():
        if not folder.result.exists():
            continue
        try:
            trial = files.read_json(folder.result)
        except StorageError:
            continue  # a damaged result is the study's to report and to train again
        yield folder.path.name, (files.sha256_of_json(trial), trial)


def _send_result(
    client: Any, run_id: str, folder: TrialFolder, trial: Mapping[str, Any], parameters: Mapping[str, Any]
) -> None:
    from mlflow.entities import Metric

    ended = _ended(folder)
    metrics = []
    history = trial["history"]
    started = ended - 1000 * (history["seconds"][-1] if history.get("seconds") else 0)
    for column in HISTORY_COLUMNS:
        for step, seconds, value in zip(
            history.get("step", ()), history.get("seconds", ()), history.get(column, ()), strict=True
        ):
            metrics.append(Metric(column, value, round(started + 1000 * seconds), step))
    last_step = history["step"][-1] if history.get("step") else 0
    for name, value in _final_numbers(trial).items():
        metrics.append(Metric(name, value, ended, last_step))
    tags = {name: trial[name] or None for name in ("status", "error", "weights_digest")}
    _log(client, run_id, metrics=metrics, parameters=parameters, tags=tags)
    client.set_terminated(run_id, "FINISHED" if trial["status"] == "finished" else "FAILED", ended)


def _final_numbers(trial: Mapping[str, Any]) -> dict[str, float]:
    numbers = dict(trial["metrics"])
    if trial["status"] == "finished":
        numbers |= {name: trial.get(name) for name in ("train_seconds", "compile_seconds", "epochs", "best_epoch")}
    return {
        f"final_{name}" if name in HISTORY_COLUMNS else _key(name): float(value)
        for name, value in numbers.items()
        if value is not None  # such as the steps to an accuracy that was never reached
    }


def _first_parameters(
    run: RunFolder, name: str, trial: Mapping[str, Any], identity: Mapping[str, Any]
) -> dict[str, Any]:
    """What is known of a trial before its run has evidence, so that an interrupted run's trials are described too."""
    # MLflow's parameters cannot be changed, so what a search or the machine decides waits for the evidence.
    searched = (run.path / "searches" / f"{name.rpartition('-seed')[0]}.json").exists()
    recipe = {} if searched else identity.get("recipes", {}).get(trial["variant"], {})
    return {
        "variant": trial["variant"],
        "seed": trial["seed"],
        **{field: value for field, value in recipe.items() if field != "precision"},
        "threads": identity.get("threads"),
        "backend": identity.get("backend"),
        "dataset_digest": identity.get("dataset"),
    }


def _describe_trial(client: Any, run_id: str, trial: Mapping[str, Any], evidence: Mapping[str, Any]) -> None:
    details = evidence["details"][trial["variant"]]
    parameters = {
        **details["recipe"],
        "precision": details["precision"],
        "model_parameters": details["parameters"],
        "threads": evidence["threads"],
        "backend": evidence["backend"],
        "dataset": evidence["dataset"]["name"],
        "dataset_digest": evidence["dataset"]["digest"],
    }
    _log(client, run_id, parameters=parameters)
    _log_dataset(client, run_id, evidence["dataset"])


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


def _send_evidence(store: Store, run_id: str, run: RunFolder, evidence: Mapping[str, Any]) -> None:
    from mlflow.entities import Metric

    client = store.client
    ended = _milliseconds(evidence["created"])
    parameters = {
        "day": evidence["day"],
        "seeds": evidence["seeds"],
        "variants": list(evidence["variants"]),
        "threads": evidence["threads"],
        "backend": evidence["backend"],
        "dataset": evidence["dataset"]["name"],
        "dataset_digest": evidence["dataset"]["digest"],
    }
    tags = {"title": evidence["title"], "results_digest": evidence["results_digest"]}
    for group, field in (("code", "code"), ("package", "packages"), ("machine", "machine")):
        tags |= {f"{group}.{name}": value for name, value in evidence[field].items()}
    for number, claim in enumerate(evidence["claims"], start=1):
        tags |= {f"claim.{number}": claim["claim"], f"claim.{number}.verdict": claim["verdict"]}
    tags["mlflow.note.content"] = _note(evidence)
    metrics = [
        Metric(_key(f"{variant}/test_accuracy{suffix}"), accuracy[part], ended, 0)
        for variant, summary in evidence["variants"].items()
        if (accuracy := summary.get("test_accuracy"))
        for part, suffix in (("mean", ""), ("low", "_low"), ("high", "_high"))
        if accuracy[part] is not None
    ]
    _log(client, run_id, metrics=metrics, parameters=parameters, tags=tags)
    _log_dataset(client, run_id, evidence["dataset"])
    sent = artifacts_at(store, client.get_run(run_id).info.artifact_uri)
    sent.log_artifact(str(run.evidence))
    picture = draw_learning_curves(evidence["trials"], title=evidence["title"])
    if picture:
        with files.temporary_folder(run.path, "curves") as folder:
            files.write_text(folder / "learning_curves.svg", picture)
            sent.log_artifact(str(folder / "learning_curves.svg"))
    if run.best_model.exists():
        sent.log_artifact(str(run.best_model), "model")


def _note(evidence: Mapping[str, Any]) -> str:
    """What the tracker's page shows as the run's description, in Markdown."""
    claims = "\n".join(f"- {claim['claim']}: **{claim['verdict']}**" for claim in evidence["claims"])
    return f"{evidence['title']}\n\n{claims}".strip()


def _log(
    client: Any,
    run_id: str,
    *,
    metrics: Sequence[Any] = (),
    parameters: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
) -> None:
    """Send numbers and words in as few calls as MLflow allows; words that are None are left out."""
    from mlflow.entities import Param, RunTag

    numbers = list(metrics)
    params = [Param(_key(k), _text(v)[:_LONGEST_PARAMETER]) for k, v in (parameters or {}).items() if v is not None]
    run_tags = [RunTag(_key(k), _text(v)[:_LONGEST_TAG]) for k, v in (tags or {}).items() if v is not None]
    while numbers or params or run_tags:
        client.log_batch(
            run_id,
            metrics=numbers[:_METRICS_AT_ONCE],
            params=params[:_WORDS_AT_ONCE],
            tags=run_tags[:_WORDS_AT_ONCE],
        )
        del numbers[:_METRICS_AT_ONCE], params[:_WORDS_AT_ONCE], run_tags[:_WORDS_AT_ONCE]


def _key(name: str) -> str:
    """A name with what MLflow does not allow in one replaced by "_"."""
    return re.sub(r"[^\w\-. /]", "_", name).strip("/")[:250]


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _ended(folder: TrialFolder) -> int:
    """When a trial ended, in milliseconds since 1970: the result is the last thing it writes."""
    with files.storage_errors("read", folder.result):
        return folder.result.stat().st_mtime_ns // 1_000_000


def _milliseconds(timestamp: str) -> int:
    return round(1000 * datetime.fromisoformat(timestamp).timestamp())

"""What MLflow is to know of a run: one entry for the run, and one for each ended trial.

A study's run becomes a parent run in the experiment of its day, each trial with a result a child of it. What a trial
looks like there: the history under the names of its columns, with their steps; the numbers of the ended trial under
their own names, or behind ``final_`` where a column of the history has that name; the recipe as parameters.

Everything is a function of the run's folder, so that it may be sent again: MLflow drops a number that it has.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import StorageError
from fortydays.study.evidence import read_evidence
from fortydays.study.runs import RunFolder, RunState, TrialFolder
from fortydays.track.database import OUR_EXPERIMENTS

HISTORY_COLUMNS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate")
"""The columns of a history that are sent."""

_STATUS = {
    RunState.RUNNING: "RUNNING",
    RunState.INTERRUPTED: "KILLED",
    RunState.FINISHED: "FINISHED",
    RunState.FAILED: "FAILED",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A run as MLflow shows it.

    Attributes:
        trial: the name of the trial's folder; "" for the run of the study.
        status: MLflow's word for how far it has come.
        started, ended: milliseconds since 1970.
        tags, parameters: by name; those that are None are left out.
        metrics: name, value, milliseconds since 1970, step.
        dataset: the evidence's description of the dataset; empty where there is no evidence.
        files: what is kept with it, each with its folder there.
    """

    name: str
    trial: str
    status: str
    started: int
    ended: int
    tags: Mapping[str, Any]
    parameters: Mapping[str, Any]
    metrics: tuple[tuple[str, float, int, int], ...] = ()
    dataset: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[tuple[Path, str | None], ...] = ()

    def digest(self) -> str:
        """Of all that it says but the times: a workspace that was copied says the same."""
        kept = [files.sha256_of_file(path) for path, _ in self.files]
        numbers = [(name, value, step) for name, value, _, step in self.metrics]
        return files.sha256_of_json([self.status, dict(self.tags), dict(self.parameters), numbers, kept])


def experiment_name(run: RunFolder) -> str:
    """The MLflow experiment of a run, such as ``fortydays/day02-activations``."""
    document = run.read()
    day, name = document["day"], document["name"]
    return OUR_EXPERIMENTS + (name if day is None else f"day{day:02}-{name}")


def entries_of(run: RunFolder) -> Iterator[Entry]:
    """What there is to say of a run, the run itself first.

    Raises:
        StorageError: the run's folder cannot be read, or its evidence is damaged.
        LookupError, TypeError, ValueError, AttributeError: a result or the evidence has not what it is to have.
    """
    state, document = run.state(), run.read()
    evidence = read_evidence(run.evidence) if run.evidence.exists() else {}
    yield _parent(run, document, state, evidence)
    for folder in run.trials():
        if not folder.result.exists():
            continue
        try:
            trial = files.read_json(folder.result)
        except StorageError:
            continue  # a damaged result is the study's to report and to train again
        yield _child(run, folder, trial, document["identity"], evidence)


def _parent(run: RunFolder, document: Mapping[str, Any], state: RunState, evidence: Mapping[str, Any]) -> Entry:
    identity = document["identity"]
    tags = {f"code.{name}": identity.get(name) for name in ("study", "engine")}
    tags |= {f"package.{name}": version for name, version in identity.get("packages", {}).items()}
    tags |= {f"request.{name}": value for name, value in document["request"].items()}
    parameters: dict[str, Any] = {}
    dataset = evidence.get("dataset") or {}  # a study of drills has none
    if evidence:
        parameters = {
            **{name: evidence[name] for name in ("day", "seeds", "threads", "backend")},
            "variants": list(evidence["variants"]),
            "dataset": dataset.get("name"),
            "dataset_digest": dataset.get("digest"),
        }
        tags |= {name: evidence[name] for name in ("title", "results_digest")}
        for group, name in (("code", "code"), ("package", "packages"), ("machine", "machine")):
            tags |= {f"{group}.{key}": value for key, value in evidence[name].items()}
        for number, claim in enumerate(evidence["claims"], start=1):
            tags |= {f"claim.{number}": claim["claim"], f"claim.{number}.verdict": claim["verdict"]}
        # What MLflow's page shows as the run's description, in Markdown.
        claims = "\n".join(f"- {claim['claim']}: **{claim['verdict']}**" for claim in evidence["claims"])
        tags["mlflow.note.content"] = f"{evidence['title']}\n\n{claims}".strip()
    return Entry(
        name=run.run_id,
        trial="",
        status=_STATUS[state],
        started=_milliseconds(document["created"]),
        ended=_milliseconds(document["updated"]),
        tags=tags,
        parameters=parameters,
        metrics=tuple(_means(evidence)) if evidence else (),
        dataset=dataset,
        files=tuple(
            (path, folder) for path, folder in ((run.evidence, None), (run.best_model, "model")) if path.exists()
        )
        if evidence
        else (),
    )


def _means(evidence: Mapping[str, Any]) -> Iterator[tuple[str, float, int, int]]:
    """The test accuracy of each variant and the metrics of each drill, with their intervals."""
    for variant, summary in evidence["variants"].items():
        declared = [metric["name"] for metric in evidence["details"].get(variant, {}).get("metrics", ())]
        for metric in declared or ["test_accuracy"]:
            spread = summary.get(metric) or {}
            for part, suffix in (("mean", ""), ("low", "_low"), ("high", "_high")):
                if spread.get(part) is not None:
                    name = allowed(f"{variant}/{metric}{suffix}")
                    yield name, spread[part], _milliseconds(evidence["created"]), 0


def _child(
    run: RunFolder,
    folder: TrialFolder,
    trial: Mapping[str, Any],
    identity: Mapping[str, Any],
    evidence: Mapping[str, Any],
) -> Entry:
    # The result is the last thing that a trial writes.
    with files.storage_errors("read", folder.result):
        ended = folder.result.stat().st_mtime_ns // 1_000_000
    finished = trial["status"] == "finished"
    return Entry(
        name=folder.path.name,
        trial=folder.path.name,
        status="FINISHED" if finished else "FAILED",
        started=ended - round(1000 * trial["train_seconds"]) if finished else ended,
        ended=ended,
        tags={name: trial[name] or None for name in ("status", "error", "weights_digest")},
        parameters=_parameters(run, folder.path.name, trial, identity, evidence),
        metrics=tuple(_numbers(trial, ended)),
        dataset=evidence.get("dataset") or {},
    )


def _parameters(
    run: RunFolder, name: str, trial: Mapping[str, Any], identity: Mapping[str, Any], evidence: Mapping[str, Any]
) -> dict[str, Any]:
    # MLflow's parameters cannot be changed, so what a search or the machine decides waits for the evidence.
    searched = (run.path / "searches" / f"{name.rpartition('-seed')[0]}.json").exists()
    recipe = {} if searched else identity.get("recipes", {}).get(trial["variant"], {})
    found = {
        "variant": trial["variant"],
        "seed": trial["seed"],
        **{field: value for field, value in recipe.items() if field != "precision"},
        **{field: identity.get(field) for field in ("threads", "backend")},
        "dataset_digest": identity.get("dataset"),
    }
    details = evidence.get("details", {}).get(trial["variant"])
    if details and "recipe" in details:  # a drill has none
        found |= {**details["recipe"], "precision": details["precision"], "model_parameters": details["parameters"]}
        found |= {"dataset": evidence["dataset"]["name"]}
    return found


def _numbers(trial: Mapping[str, Any], ended: int) -> Iterator[tuple[str, float, int, int]]:
    history = trial["history"]
    steps, seconds = history.get("step", ()), history.get("seconds", ())
    started = ended - 1000 * (seconds[-1] if seconds else 0)
    for column in HISTORY_COLUMNS:
        for step, second, value in zip(steps, seconds, history.get(column, ()), strict=True):
            yield column, value, round(started + 1000 * second), step
    numbers = dict(trial["metrics"])
    if trial["status"] == "finished":
        numbers |= {name: trial.get(name) for name in ("train_seconds", "compile_seconds", "epochs", "best_epoch")}
    for name, number in numbers.items():
        if number is not None:  # such as the steps to an accuracy that was never reached
            shown = f"final_{name}" if name in HISTORY_COLUMNS else allowed(name)
            yield shown, float(number), ended, steps[-1] if steps else 0


def allowed(name: str) -> str:
    """A name with what MLflow does not allow in one replaced by "_"."""
    return re.sub(r"[^\w\-. /]", "_", name).strip("/")[:250]


def in_words(value: object) -> str:
    """A value as MLflow keeps parameters and tags."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _milliseconds(timestamp: str) -> int:
    return round(1000 * datetime.fromisoformat(timestamp).timestamp())

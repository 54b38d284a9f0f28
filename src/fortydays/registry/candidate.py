"""The trial of a run that becomes a version: found, and compared with what the run's evidence says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.arrays import load_arrays
from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import Dataset, Reading
from fortydays.study import evidence as documents
from fortydays.study.code import engine_digest, study_digest
from fortydays.study.runs import RunFolder, find_run, latest_evidence
from fortydays.study.trial import digest_of_arrays
from fortydays.study.vocabulary import try_in_words

if TYPE_CHECKING:
    from fortydays.days.loading import StudyFile


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A trial of a run, about to be registered.

    Attributes:
        trial: of the evidence; its files are whole.
        weights: the file with its weights.
        probabilities: its answers on the test split: float32, shape (n, classes).
        study_file: the path of the study's file, or "" for a day.
    """

    run: RunFolder
    evidence: Mapping[str, Any]
    trial: Mapping[str, Any]
    weights: Path
    probabilities: NDArray[np.float32]
    dataset: Dataset
    study_file: str

    @property
    def study(self) -> str:
        """The number of a day, or the path of a study's file."""
        return self.study_file or str(self.evidence["day"])


def find_candidate(study: str, settings: Settings, progress: Progress, *, variant: str, run_id: str) -> Candidate:
    """The best trial of a run by validation accuracy; the arguments are those of :func:`.registration.register`.

    Raises:
        UsageError: there is no such study, run or variant.
        FortydaysError: no trial was trained to its end, or the run's files are damaged or do not fit today's study.
    """
    from fortydays.days.loading import find_study

    file = find_study(study)
    run = _run_of(study, file, settings, run_id)
    evidence = documents.read_evidence(run.evidence)
    if tried := evidence["request"].get("examples"):
        raise UsageError(
            f"The run {run.run_id} is {try_in_words(tried)}: no model of it is registered.",
            hint=f"Run all of it: forty run {study}\nOr name another run with --run; `forty runs` lists them.",
        )
    if variant and variant not in evidence["variants"] and variant not in evidence["details"]:
        raise unknown_name("variant", variant, list(evidence["details"]))
    named = [variant] if variant else list(evidence["details"])
    if all("metrics" in evidence["details"].get(name, {}) for name in named):
        raise UsageError(
            f"{variant or study} is of drills, which give no model, so there is nothing to register.",
            hint="Name a variant with --variant." if variant else "",
        )
    trial = documents.best_trial([t for t in evidence["trials"] if variant in ("", t["variant"])])
    if trial is None:
        raise FortydaysError(
            f"No trial {f'of {variant!r} ' if variant else ''}in {run.run_id} was trained to its end, "
            "so there is nothing to register."
        )
    if evidence["code"]["study"] != study_digest(file.path):
        raise FortydaysError(
            f"{study} has changed since the run {run.run_id}: its models cannot be built again from today's study.",
            hint=f"Run it again: forty run {study}",
        )
    trained_on = evidence["dataset"]
    dataset = library.load(trained_on["name"], settings, progress)
    if (dataset.digest, dataset.split_version) != (trained_on["digest"], trained_on["split_version"]):
        raise FortydaysError(
            f"The run {run.run_id} was made with other content or splits of the dataset {dataset.name!r}.",
            hint=f"Run the study again: forty run {study}",
        )
    if evidence["code"]["engine"] != engine_digest():
        progress.warn(f"The training engine has changed since the run {run.run_id}.")
    dataset = dataset.read_as(Reading.of(evidence["details"][trial["variant"]]["recipe"]))
    return Candidate(
        run=run,
        evidence=evidence,
        trial=trial,
        weights=run.trial_of(trial["variant"], trial["seed"]).weights,
        probabilities=_probabilities_of(run, trial, dataset, study),
        dataset=dataset,
        study_file="" if file.day is not None else str(file.path),
    )


def _run_of(study: str, file: "StudyFile", settings: Settings, run_id: str) -> RunFolder:
    """The run that was asked for, or the newest; it has evidence."""
    if not run_id:
        newest = latest_evidence(settings.runs, file.name, day=file.day)
        if newest is None:
            raise UsageError(
                f"{study if file.day is None else f'Day {file.day}'} has no finished run in this workspace.",
                hint=f"Run it: forty run {study}",
            )
        return newest
    run = find_run(settings.runs, run_id)
    document = run.read()
    if (document["day"], document["name"]) != (file.day, file.name):
        raise UsageError(f"The run {run.run_id} is not one of {study}.", hint="List them with: forty runs")
    if not run.evidence.exists():
        raise UsageError(f"The run {run.run_id} has not ended.", hint=f"Continue it with: forty run {study}")
    return run


def _probabilities_of(run: RunFolder, trial: Mapping[str, Any], dataset: Dataset, study: str) -> NDArray[np.float32]:
    """What a trial answers on the test split, where its answers and its weights are those of the evidence."""
    folder, hint = run.trial_of(trial["variant"], trial["seed"]), f"Train it again: forty run {study} --fresh"
    if digest_of_arrays(load_arrays(folder.weights)) != trial["weights_digest"]:
        raise FortydaysError(f"{folder.weights} is damaged: its digest is not the one in the evidence.", hint=hint)
    (probabilities,) = load_arrays(folder.predictions)
    labels = np.asarray(dataset.test.open().labels)
    right = float(np.mean(probabilities.argmax(axis=1) == labels)) if len(probabilities) == len(labels) else -1.0
    if abs(right - trial["metrics"]["test_accuracy"]) > 1e-9:
        raise FortydaysError(
            f"{folder.predictions} is damaged: its answers are not those that the evidence tells of.", hint=hint
        )
    return probabilities

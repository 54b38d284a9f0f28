"""From a finished run to a registered version: its best trial is exported, measured, described, sealed, uploaded."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays import __version__
from fortydays.base import files
from fortydays.base.arrays import load_arrays, save_arrays
from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import Dataset, Split
from fortydays.data.library import Described
from fortydays.data.own import dataset as own
from fortydays.inputs.input import Arrays
from fortydays.registry import package
from fortydays.registry.calibration import as_logits, measured_confidence, softmax, with_temperature
from fortydays.registry.card import write_card
from fortydays.registry.catalog import Catalog, Version
from fortydays.registry.contents import (
    CONFIDENCE_FILE,
    EVALUATION_FILE,
    EVIDENCE_FILE,
    GOLDEN_FILE,
    LABELS_FILE,
    LINEAGE_FILE,
    MOST_SAMPLES,
    ONNX_FILE,
    PREPROCESSING_FILE,
    SIGNATURE_FILE,
)
from fortydays.registry.evaluation import measure, some_of
from fortydays.registry.export import ANSWERS_FILE, CLAIMS_FILE, ExportRequest, export
from fortydays.registry.inference import OUTPUT, OnnxModel
from fortydays.registry.lineage import lineage_of
from fortydays.registry.names import check_name
from fortydays.registry.quantization import to_int8
from fortydays.registry.scratch import scratch
from fortydays.study import evidence as documents
from fortydays.study.code import engine_digest, study_digest
from fortydays.study.runs import RunFolder, find_run, latest_evidence
from fortydays.study.trial import digest_of_arrays
from fortydays.track import record as records
from fortydays.track.store import UnreachableError
from fortydays.track.sync import sync

COMPARED = 1_000
"""Validation images on which ONNX is compared with Keras."""

_COMPARED_NUMBERS = 10_000_000
"""Pixels times channels of those images at most: of large photographs, 66 are compared."""

_AT_ONCE = 256
GOLDEN = 8
"""Validation images that go with a model at least, so that whoever loads it can see that it answers as it did here."""

_LARGEST_LOSS = 0.01
"""By how much the accuracy in float32 may differ from that of a trial in bfloat16."""


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A version that was made.

    Attributes:
        version: it, as the registry has it.
        evaluation: what was measured on validation data, as JSON values.
        lineage: what it is made of.
    """

    version: Version
    evaluation: Mapping[str, Any]
    lineage: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """A trial of a run, about to be registered."""

    run: RunFolder
    evidence: Mapping[str, Any]
    trial: Mapping[str, Any]
    weights: Path
    probabilities: NDArray[np.float32]
    dataset: Dataset
    spec: Described
    study: str
    study_file: str


def register(
    study: str,
    catalog: Catalog,
    settings: Settings,
    *,
    progress: Progress,
    variant: str = "",
    name: str = "",
    run_id: str = "",
    int8: bool = False,
    temperature: float | None = None,
    confidence: Mapping[str, Any] | None = None,
) -> Registered:
    """Register the model of a run's best trial by validation accuracy.

    Args:
        study: a day, or the path of a study file.
        catalog: where to.
        settings: the workspace, and threads.
        progress: told of the work.
        variant: whose trials to choose from; all of the study's if empty.
        name: of the model; the dataset's if empty.
        run_id: which run; the study's newest with evidence if empty.
        int8: whether to store weights and compute in whole numbers of 8 bits.
        temperature: that the model's logits are divided by; 1 leaves its answers as they were trained. None finds it
            on the validation images, and with it what goes into ``confidence.json``.
        confidence: what goes into ``confidence.json`` where the temperature is given; None for no such file.

    Raises:
        UsageError: there is no such study, run or variant, or the name is none.
        FortydaysError: the run's files are damaged or do not fit today's study, or the model cannot be exported.
        TrackingError: the registry cannot be reached, or refuses.
    """
    if name:
        check_name(name)
    chosen = _choose(study, settings, progress, variant=variant, run_id=run_id)
    spec, dataset = chosen.spec, chosen.dataset
    name = name or spec.name.replace("_", "-")
    check_name(name)
    with scratch(settings) as place:
        folder = files.make_folder(place / "model")
        progress.say(f"Exporting {chosen.trial['variant']}, seed {chosen.trial['seed']}, to ONNX")
        claims, compared, confidence = _export(
            chosen, dataset, folder, place, settings, progress, int8=int8, calibration=(temperature, confidence)
        )
        progress.say("Measuring on validation data")
        content = (folder / ONNX_FILE).read_bytes()
        measured = measure(content, dataset.training, threads=settings.threads)
        evaluation = {"schema_version": 1, **measured.as_dict(dataset.classes), "onnx": compared}
        lineage = lineage_of(
            chosen.evidence,
            chosen.trial,
            dataset=spec,
            claims=claims,
            study_file=chosen.study_file,
            tracker_run=_tracked(chosen.run, catalog, progress),
            data_version=own.read(spec.name, settings).data_version if own.is_own(spec.name) else None,
        )
        files.write_json(folder / EVIDENCE_FILE, dict(chosen.evidence))
        files.write_json(folder / LINEAGE_FILE, lineage)
        files.write_json(folder / EVALUATION_FILE, evaluation)
        files.write_json(folder / LABELS_FILE, {"classes": list(dataset.classes)})
        if confidence:
            files.write_json(folder / CONFIDENCE_FILE, dict(confidence))
        model = OnnxModel(content, threads=1)
        files.write_json(folder / SIGNATURE_FILE, model.signature.as_dict())
        files.write_json(folder / PREPROCESSING_FILE, dataset.training.input.as_dict())
        _golden(model, dataset, folder / GOLDEN_FILE)
        _mlflow_files(content, folder, model)
        return _publish(catalog, name, folder, chosen, dataset, evaluation, lineage, progress, confidence=confidence)


def _choose(study: str, settings: Settings, progress: Progress, *, variant: str, run_id: str) -> _Chosen:
    from fortydays.days.loading import find_study

    file = find_study(study)
    if run_id:
        run: RunFolder | None = find_run(settings.runs, run_id)
        assert run is not None
        document = run.read()
        if (document["day"], document["name"]) != (file.day, file.name):
            raise UsageError(f"The run {run.run_id} is not one of {study}.", hint="List them with: forty runs")
        if not run.evidence.exists():
            raise UsageError(f"The run {run.run_id} has not ended.", hint=f"Continue it with: forty run {study}")
    else:
        run = latest_evidence(settings.runs, file.name, day=file.day)
    if run is None:
        raise UsageError(
            f"{study if file.day is None else f'Day {file.day}'} has no finished run in this workspace.",
            hint=f"Run it: forty run {study}",
        )
    evidence = documents.read_evidence(run.evidence)
    if variant and variant not in evidence["variants"] and variant not in evidence["details"]:
        raise unknown_name("variant", variant, list(evidence["details"]))
    trial = documents.best_trial([t for t in evidence["trials"] if variant in ("", t["variant"])])
    if all("metrics" in evidence["details"].get(name, {}) for name in ([variant] if variant else evidence["details"])):
        raise UsageError(
            f"{variant or study} is of drills, which give no model, so there is nothing to register.",
            hint="Name a variant with --variant." if variant else "",
        )
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
    name = evidence["dataset"]["name"]
    dataset = library.load(name, settings, progress)
    spec = library.describe(name, dataset)
    if spec.digest != evidence["dataset"]["digest"] or spec.split_version != evidence["dataset"]["split_version"]:
        raise FortydaysError(
            f"The run {run.run_id} was made with other content or splits of the dataset {spec.name!r}.",
            hint=f"Run the study again: forty run {study}",
        )
    if evidence["code"]["engine"] != engine_digest():
        progress.warn(f"The training engine has changed since the run {run.run_id}.")
    folder = run.trial_of(trial["variant"], trial["seed"])
    if digest_of_arrays(load_arrays(folder.weights)) != trial["weights_digest"]:
        raise FortydaysError(
            f"{folder.weights} is damaged: its digest is not the one in the evidence.",
            hint=f"Train it again: forty run {study} --fresh",
        )
    (probabilities,) = load_arrays(folder.predictions)
    labels = np.asarray(dataset.test.open().labels)
    right = float(np.mean(probabilities.argmax(axis=1) == labels)) if len(probabilities) == len(labels) else -1.0
    if abs(right - trial["metrics"]["test_accuracy"]) > 1e-9:
        raise FortydaysError(
            f"{folder.predictions} is damaged: its answers are not those that the evidence tells of.",
            hint=f"Train it again: forty run {study} --fresh",
        )
    return _Chosen(
        run=run,
        evidence=evidence,
        trial=trial,
        weights=folder.weights,
        probabilities=probabilities,
        dataset=dataset,
        spec=spec,
        study=str(file.day) if file.day is not None else str(file.path),
        study_file="" if file.day is not None else str(file.path),
    )


def _tracked(run: RunFolder, catalog: Catalog, progress: Progress) -> str:
    """MLflow's id of a run, which is brought up to date there; "" where the run is not to be there."""
    if not records.is_wanted(run):
        return ""
    try:
        return sync(run, catalog.store, waiting=progress.say).parent
    except UnreachableError:
        raise
    except FortydaysError as error:
        progress.warn(f"{run.run_id} could not be sent to MLflow: {error.message} {error.hint}".strip())
        return ""


def _export(
    chosen: _Chosen,
    dataset: Dataset,
    folder: Path,
    place: Path,
    settings: Settings,
    progress: Progress,
    *,
    int8: bool,
    calibration: tuple[float | None, Mapping[str, Any] | None],
) -> tuple[list[dict[str, str]], dict[str, Any], Mapping[str, Any] | None]:
    """Write the model's files; the claims about the variant, how ONNX compares with Keras, and its confidence."""
    validation = dataset.training.validation
    input = dataset.training.input
    most = max(GOLDEN, min(COMPARED, _COMPARED_NUMBERS // input.numbers))
    examples = _loaded(validation, _evenly(len(validation), most))
    save_arrays(place / "examples.npz", [examples[spec.name] for spec in input.arrays])
    variant = chosen.trial["variant"]
    export(
        ExportRequest(
            study=chosen.study,
            variant=variant,
            seed=chosen.trial["seed"],
            test_views=chosen.evidence["details"][variant]["recipe"]["test_views"],
            weights=str(chosen.weights),
            input=input.as_dict(),
            examples=str(place / "examples.npz"),
            folder=str(folder),
            threads=settings.threads,
        )
    )
    (answers,) = load_arrays(folder / ANSWERS_FILE)
    claims = files.read_json(folder / CLAIMS_FILE)["claims"]
    for passing in (ANSWERS_FILE, CLAIMS_FILE):
        files.remove(folder / passing)
    content = (folder / ONNX_FILE).read_bytes()
    some = some_of(validation)
    labels = np.asarray(some.labels).astype(np.intp)
    probabilities = _probabilities(content, some, settings)
    _check_fits(chosen, float(np.mean(probabilities.argmax(axis=1) == labels)), len(some), len(validation))
    if int8:
        progress.say("Turning it into int8")
        content = to_int8(content, dataset.training.train.inputs, place)
    temperature, confidence = calibration
    if temperature is None:
        progress.say("Finding its temperature on validation data")
        if int8:
            probabilities = _probabilities(content, some, settings)
        temperature, confidence = measured_confidence(as_logits(probabilities), labels)
    content = with_temperature(content, temperature)
    files.write_bytes(folder / ONNX_FILE, content)
    if temperature != 1.0:
        answers = softmax(as_logits(answers), temperature=temperature)
    onnx = OnnxModel(content, threads=settings.threads).predict(examples)
    compared = {
        "precision": "int8" if int8 else "float32",
        "images": len(answers),
        "difference": float(np.abs(onnx - answers).max()),
        "agreement": float(np.mean(onnx.argmax(axis=1) == answers.argmax(axis=1))),
    }
    return _claims_about(variant, claims, chosen.evidence), compared, confidence


def _probabilities(content: bytes, split: Split, settings: Settings) -> NDArray[np.float32]:
    """What an ONNX file answers to a split, shape (n, classes)."""
    model = OnnxModel(content, threads=settings.threads)
    starts = range(0, len(split), _AT_ONCE)
    return np.concatenate([model.predict(_loaded(split, slice(at, at + _AT_ONCE))) for at in starts])


def _loaded(split: Split, which: Any) -> Arrays:
    """The arrays of some examples, in memory."""
    return {name: np.asarray(array[which]) for name, array in split.inputs.items()}


def _claims_about(
    variant: str, claims: Sequence[Mapping[str, Any]], evidence: Mapping[str, Any]
) -> list[dict[str, str]]:
    """The study's claims about a variant, with their verdicts. One about several speaks of the best, by validation."""
    verdicts = {c["claim"]: c["verdict"] for c in evidence["claims"]}
    found = []
    for claim in claims:
        means = {
            name: evidence["variants"][name]["validation_accuracy"]["mean"]
            for name in claim["about"]
            if name in evidence["variants"]
        }
        if variant not in means or means[variant] < max(means.values()):
            continue
        if claim["claim"] not in verdicts:
            raise FortydaysError(f"The run's evidence has no verdict on {claim['claim']!r}.", hint="Run it again.")
        found.append({"claim": claim["claim"], "verdict": verdicts[claim["claim"]]})
    return found


def _check_fits(chosen: _Chosen, accuracy: float, images: int, of: int) -> None:
    """Weights that were trained as another model would fill the same shapes and answer nonsense."""
    trained = chosen.trial["metrics"]["validation_accuracy"]
    # Of a part of the images, the accuracy differs by chance as well: by three standard deviations at most.
    chance = 3 * (trained * (1 - trained) / images) ** 0.5 if images < of else 0.0
    if abs(accuracy - trained) > _LARGEST_LOSS + chance:
        raise FortydaysError(
            f"The exported model has a validation accuracy of {100 * accuracy:.2f}%, "
            f"but the trial had {100 * trained:.2f}%: the model that is built today is not the one that was trained.",
            hint="Run the study again.",
        )


def _golden(model: OnnxModel, dataset: Dataset, path: Path) -> None:
    """Keep the first validation image of each class, and further ones, with the model's answers and the labels."""
    validation = dataset.training.validation
    labels = np.asarray(validation.labels).astype(np.int64)
    _, first = np.unique(labels, return_index=True)
    rows = first[:MOST_SAMPLES].tolist()
    further = [row for row in _evenly(len(labels), GOLDEN).tolist() if row not in rows]
    rows += further[: max(0, GOLDEN - len(rows))]
    inputs = _loaded(validation, np.array(rows))
    save_arrays(path, [*(inputs[spec.name] for spec in model.signature.inputs), model.predict(inputs), labels[rows]])


def _evenly(many: int, count: int) -> NDArray[np.intp]:
    """So many of the rows, evenly spaced; all where there are no more."""
    return np.linspace(0, many - 1, min(count, many)).astype(np.intp)


def _mlflow_files(content: bytes, folder: Path, model: OnnxModel) -> None:
    """What MLflow's own tools need to load the version: ``mlflow.pyfunc.load_model("models:/NAME@champion")``."""
    from fortydays.track.store import quiet_mlflow

    quiet_mlflow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about MLflow's own code
        import mlflow.onnx
        import onnx
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

        signature = model.signature
        with files.temporary_folder(folder.parent, "flavor") as flavor:
            mlflow.onnx.save_model(
                onnx.load_model_from_string(content),
                str(flavor / "model"),
                pip_requirements=[f"{each}=={metadata.version(each)}" for each in ("onnx", "onnxruntime")],
                signature=ModelSignature(
                    inputs=Schema([TensorSpec(np.dtype(s.dtype), (-1, *s.shape), s.name) for s in signature.inputs]),
                    outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, signature.classes), OUTPUT)]),
                ),
                save_as_external_data=False,
                metadata={"fortydays": __version__},
            )
            for path in sorted((flavor / "model").iterdir()):
                if path.name != ONNX_FILE:
                    files.write_bytes(folder / path.name, path.read_bytes())


def _publish(
    catalog: Catalog,
    name: str,
    folder: Path,
    chosen: _Chosen,
    dataset: Dataset,
    evaluation: Mapping[str, Any],
    lineage: Mapping[str, Any],
    progress: Progress,
    *,
    confidence: Mapping[str, Any] | None,
) -> Registered:
    progress.say(f"Registering {name}")
    write_card(
        folder,
        name=name,
        lineage=lineage,
        evaluation=evaluation,
        claims=chosen.evidence["claims"],
        probabilities=chosen.probabilities,
        dataset=dataset,
        confidence=confidence,
    )
    manifest = package.seal(folder, kind="version", facts={"name": name})
    facts = {
        "study": chosen.evidence["name"],
        "day": str(chosen.evidence["day"] or ""),
        "variant": chosen.trial["variant"],
        "seed": str(chosen.trial["seed"]),
        "dataset": dataset.name,
        "precision": evaluation["onnx"]["precision"],
        "validation_accuracy": f"{evaluation['accuracy']:.6f}",
        "run": chosen.run.run_id,
    }
    if label := own.label_of(lineage["dataset"].get("data_version")):
        facts["data_version"] = label
    version = catalog.add(name, folder, manifest, facts=facts)
    return Registered(version=version, evaluation=evaluation, lineage=lineage)

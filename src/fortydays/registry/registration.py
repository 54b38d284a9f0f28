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
from fortydays.base.arrays import save_arrays
from fortydays.base.errors import FortydaysError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset, Split
from fortydays.data.own import dataset as own
from fortydays.inputs.input import Arrays
from fortydays.registry import package
from fortydays.registry.calibration import as_logits, measured_confidence, softmax, with_temperature
from fortydays.registry.candidate import Candidate, find_candidate
from fortydays.registry.card import write_card
from fortydays.registry.contents import (
    CONFIDENCE_FILE,
    EVALUATION_FILE,
    EVIDENCE_FILE,
    GOLDEN_FILE,
    LABELS_FILE,
    LINEAGE_FILE,
    LONGEST_SAMPLE,
    MOST_SAMPLES,
    ONNX_FILE,
    PREPROCESSING_FILE,
    SAMPLES_FILE,
    SAMPLES_SCHEMA,
    SIGNATURE_FILE,
    Confidence,
)
from fortydays.registry.evaluation import evenly, measure, some_of
from fortydays.registry.export import export
from fortydays.registry.inference import OUTPUT, OnnxModel
from fortydays.registry.lineage import lineage_of
from fortydays.registry.names import check_name
from fortydays.registry.quantization import to_int8
from fortydays.registry.registry import Registry, Version
from fortydays.registry.scratch import scratch
from fortydays.study.runs import RunFolder
from fortydays.track import record as records
from fortydays.track.store import UnreachableError
from fortydays.track.sync import sync

COMPARED = 1_000
"""Validation images on which ONNX is compared with Keras."""

_COMPARED_NUMBERS = 10_000_000
"""Pixels times channels of those images at most: of large photographs, 66 are compared."""

GOLDEN = 8
"""Validation images that go with a model at least, so that whoever loads it can see that it answers as it did here."""

_LARGEST_LOSS = 0.01
"""By how much the accuracy in float32 may differ from that of a trial in bfloat16."""


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A version that was made, what was measured of it on validation data, and what it is made of, as JSON values.

    The noun is what one example is called.
    """

    noun: str
    version: Version
    evaluation: Mapping[str, Any]
    lineage: Mapping[str, Any]


def register(
    study: str,
    registry: Registry,
    settings: Settings,
    *,
    progress: Progress,
    variant: str = "",
    name: str = "",
    run_id: str = "",
    int8: bool = False,
    temperature: float | None = None,
    confidence: Confidence | None = None,
) -> Registered:
    """Register the model of a run's best trial by validation accuracy.

    Args:
        study: a day, or the path of a study file.
        registry: where to.
        settings: the workspace, and threads.
        progress: told of the work.
        variant: whose trials to choose from; all of the study's if empty.
        name: of the model; the dataset's if empty.
        run_id: which run; the study's newest with evidence if empty.
        int8: whether to store weights and compute in whole numbers of 8 bits.
        temperature: that logits are divided by; None finds it, and the confidence, on validation data.
        confidence: of the model with that temperature; None where there are too few images to tell.

    Raises:
        UsageError: there is no such study, run or variant, or the name is none.
        FortydaysError: the run's files are damaged or do not fit today's study, or the model cannot be exported.
        TrackingError: the registry cannot be reached, or refuses.
    """
    if name:
        check_name(name)
    candidate = find_candidate(study, settings, progress, variant=variant, run_id=run_id)
    dataset = candidate.dataset
    name = check_name(name or dataset.name.replace("_", "-"))
    with scratch(settings) as place:
        folder = files.make_folder(place / "model")
        claims, compared, confidence = _export(
            candidate, folder, settings, progress, int8=int8, temperature=temperature, confidence=confidence
        )
        progress.say("Measuring on validation data")
        content = (folder / ONNX_FILE).read_bytes()
        measured = measure(content, dataset.training, threads=settings.threads)
        evaluation = {"schema_version": 1, **measured.as_dict(dataset.classes), "onnx": compared}
        lineage = lineage_of(
            candidate.evidence,
            candidate.trial,
            claims=claims,
            study_file=candidate.study_file,
            tracker_run=_tracked(candidate.run, registry, progress),
            data_version=own.read(dataset.name, settings).data_version if own.is_own(dataset.name) else None,
        )
        progress.say(f"Registering {name}")
        _describe(folder, name, candidate, evaluation, lineage, confidence)
        manifest = package.seal(folder, kind="version", facts={"name": name})
        version = registry.add(name, folder, manifest, facts=_facts(candidate, evaluation, lineage))
    return Registered(
        noun=candidate.dataset.training.input.NOUN, version=version, evaluation=evaluation, lineage=lineage
    )


def _tracked(run: RunFolder, registry: Registry, progress: Progress) -> str:
    """MLflow's id of a run, which is brought up to date there; "" where the run is not to be there."""
    if not records.is_wanted(run):
        return ""
    try:
        return sync(run, registry.store, waiting=progress.say).parent
    except UnreachableError:
        raise
    except FortydaysError as error:
        progress.warn(f"{run.run_id} could not be sent to MLflow: {error.message} {error.hint}".strip())
        return ""


def _export(
    candidate: Candidate,
    folder: Path,
    settings: Settings,
    progress: Progress,
    *,
    int8: bool,
    temperature: float | None,
    confidence: Confidence | None,
) -> tuple[list[dict[str, str]], dict[str, Any], Confidence | None]:
    """Write the model's files; the claims about the variant, how ONNX compares with Keras, and its confidence."""
    progress.say(f"Exporting {candidate.trial['variant']}, seed {candidate.trial['seed']}, to ONNX")
    training = candidate.dataset.training
    most = max(GOLDEN, min(COMPARED, _COMPARED_NUMBERS // training.input.numbers))
    examples = _loaded(training.validation, evenly(len(training.validation), most))
    answers, claims = export(candidate, examples, folder, threads=settings.threads)
    content, some = (folder / ONNX_FILE).read_bytes(), some_of(training.validation)
    labels = np.asarray(some.labels).astype(np.intp)
    probabilities = OnnxModel(content, threads=settings.threads).predict(some.inputs)
    _check_fits(candidate, float(np.mean(probabilities.argmax(axis=1) == labels)), len(some), len(training.validation))
    if int8:
        progress.say("Turning it into int8")
        content = to_int8(content, training.train.inputs, folder.parent)
    if temperature is None:
        progress.say("Finding its temperature on validation data")
        if int8:
            probabilities = OnnxModel(content, threads=settings.threads).predict(some.inputs)
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
    return _claims_about(candidate.trial["variant"], claims, candidate.evidence), compared, confidence


def _loaded(split: Split, which: NDArray[np.intp]) -> Arrays:
    """The arrays of some examples, in memory."""
    return {name: np.asarray(array) for name, array in split.rows(which).inputs.items()}


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


def _check_fits(candidate: Candidate, accuracy: float, images: int, of: int) -> None:
    """Weights that were trained as another model would fill the same shapes and answer nonsense."""
    trained = candidate.trial["metrics"]["validation_accuracy"]
    # Of a part of the images, the accuracy differs by chance as well: by three standard deviations at most.
    chance = 3 * (trained * (1 - trained) / images) ** 0.5 if images < of else 0.0
    if abs(accuracy - trained) > _LARGEST_LOSS + chance:
        raise FortydaysError(
            f"The exported model has a validation accuracy of {100 * accuracy:.2f}%, "
            f"but the trial had {100 * trained:.2f}%: the model that is built today is not the one that was trained.",
            hint="Run the study again.",
        )


def _golden(model: OnnxModel, dataset: Dataset, folder: Path) -> None:
    """Keep the first validation example of each class, and further ones, with the model's answers and the labels.

    Of texts that are at hand, what is written in the first ones is kept, too, for people to look at.
    """
    path, validation = folder / GOLDEN_FILE, dataset.training.validation
    labels = np.asarray(validation.labels).astype(np.int64)
    there, first = np.unique(labels, return_index=True)
    if dataset.wording is not None:
        written = zip(there[:MOST_SAMPLES].tolist(), dataset.wording(first[:MOST_SAMPLES].tolist()), strict=True)
        texts = {str(label): text[:LONGEST_SAMPLE] for label, text in written}
        files.write_json(folder / SAMPLES_FILE, {"schema_version": SAMPLES_SCHEMA, "texts": texts})
    rows = first[:MOST_SAMPLES].tolist()
    further = [row for row in evenly(len(labels), GOLDEN).tolist() if row not in rows]
    rows += further[: max(0, GOLDEN - len(rows))]
    inputs = _loaded(validation, np.array(rows))
    save_arrays(path, [*(inputs[spec.name] for spec in model.signature.inputs), model.predict(inputs), labels[rows]])


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


def _describe(
    folder: Path,
    name: str,
    candidate: Candidate,
    evaluation: Mapping[str, Any],
    lineage: Mapping[str, Any],
    confidence: Confidence | None,
) -> None:
    """Write all files of a version beside its ONNX file."""
    dataset = candidate.dataset
    content = (folder / ONNX_FILE).read_bytes()
    model = OnnxModel(content, threads=1)
    documents = {
        EVIDENCE_FILE: candidate.evidence,
        LINEAGE_FILE: lineage,
        EVALUATION_FILE: evaluation,
        LABELS_FILE: {"classes": dataset.classes},
        SIGNATURE_FILE: model.signature.as_dict(),
        PREPROCESSING_FILE: dataset.training.input.as_dict(),
        **({CONFIDENCE_FILE: confidence.as_document()} if confidence else {}),
    }
    for file, document in documents.items():
        files.write_json(folder / file, document)
    _golden(model, dataset, folder)
    _mlflow_files(content, folder, model)
    write_card(
        folder,
        name=name,
        lineage=lineage,
        evaluation=evaluation,
        claims=candidate.evidence["claims"],
        probabilities=candidate.probabilities,
        dataset=dataset,
        confidence=confidence,
    )


def _facts(candidate: Candidate, evaluation: Mapping[str, Any], lineage: Mapping[str, Any]) -> dict[str, str]:
    """What the registry shows of a version."""
    facts = {
        "study": candidate.evidence["name"],
        "day": str(candidate.evidence["day"] or ""),
        "variant": candidate.trial["variant"],
        "seed": str(candidate.trial["seed"]),
        "dataset": candidate.dataset.name,
        "precision": evaluation["onnx"]["precision"],
        "validation_accuracy": f"{evaluation['accuracy']:.6f}",
        "run": candidate.run.run_id,
    }
    if label := own.label_of(lineage["dataset"].get("data_version")):
        facts["data_version"] = label
    return facts

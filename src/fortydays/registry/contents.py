"""What lies in the folder of a model version and of a bundle; how a bundle is opened, without any training framework.

A bundle is opened whole or not at all: every byte is the one its manifest names, its parts fit together, and its model
answers the golden images as it did where it was registered.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base.arrays import arrays_from
from fortydays.base.errors import UsageError
from fortydays.inputs.input import Arrays, Input, check_arrays, count_of
from fortydays.inputs.kinds import read_input
from fortydays.registry import package
from fortydays.registry.inference import LARGEST, OnnxModel, read_signature
from fortydays.registry.names import check_name
from fortydays.registry.package import DamagedPackageError, Manifest

ONNX_FILE = "model.onnx"
LINEAGE_FILE, EVALUATION_FILE, EVIDENCE_FILE = "lineage.json", "evaluation.json", "evidence.json"
LABELS_FILE, SIGNATURE_FILE, PREPROCESSING_FILE = "labels.json", "signature.json", "preprocessing.json"
GOLDEN_FILE = "golden.npz"
CARD_FILE, PICTURE_FILE = "README.md", "mistakes.png"
CONFIDENCE_FILE = "confidence.json"

NEEDED = (ONNX_FILE, LABELS_FILE, SIGNATURE_FILE, PREPROCESSING_FILE, GOLDEN_FILE, CARD_FILE, LINEAGE_FILE)
"""The files of every bundle, besides its manifest."""

WHERE_THERE = (PICTURE_FILE, CONFIDENCE_FILE)
"""The files that a bundle has where its version has them."""

GOLDEN_TOLERANCE = 1e-3
"""By how much a probability may differ on another processor."""

MOST_SAMPLES = 20
"""Classes of which a bundle has a sample at most."""

CONFIDENCE_SCHEMA = 1
"""Version of what :data:`CONFIDENCE_FILE` holds: "schema_version" and the fields of :class:`Confidence`."""

_LARGEST = {ONNX_FILE: LARGEST, GOLDEN_FILE: 100_000_000, CARD_FILE: 1_000_000, PICTURE_FILE: 20_000_000}
_LARGEST_DOCUMENT = 5_000_000
_MOST_GOLDEN, _MOST_VERSION = 1_000, 2**31 - 1
_LONGEST_LABEL, _DEEPEST = 300, 32
_PNG = b"\x89PNG\r\n\x1a\n"

_RANGES = {
    "temperature": (1e-3, 1e3), "unknown_below": (0.0, 1.0), "false_alarms": (0.0, 1.0), "images": (1, 1_000_000_000),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """How far a model's probabilities are to be believed.

    A network answers with one of its classes whatever it is shown. Where its highest probability is low, what it was
    shown is more often something that it has not learned (Hendrycks and Gimpel, 2017, "A Baseline for Detecting
    Misclassified and Out-of-Distribution Examples in Neural Networks").

    Attributes:
        temperature: that the logits are divided by, so that the probabilities are as high as they are right (Guo and
            others, 2017, "On Calibration of Modern Neural Networks").
        unknown_below: answers whose highest probability is below this are marked as unknown.
        false_alarms: the share of ``images`` that was so marked, and wrongly.
        images: held-out photographs of known classes on which that was measured.
    """

    temperature: float
    unknown_below: float
    false_alarms: float
    images: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle that was opened: all that a service tells or needs.

    Attributes:
        manifest: its files and digest.
        name: of the model.
        version: its number in the registry.
        classes: what its probabilities are of, in their order.
        input: what it takes.
        model: ready to answer.
        card: the model card, Markdown with a front matter.
        picture: the card's picture as PNG, or b"".
        lineage: what it is made of, as JSON values.
        confidence: below which probability its answers are unknown, where that was measured.
        samples: the arrays of an example of each class that the model has not learned from, by the class's place; of
            older bundles none, whose golden examples have no labels.
    """

    manifest: Manifest
    name: str
    version: int
    classes: tuple[str, ...]
    input: Input
    model: OnnxModel
    card: str
    picture: bytes
    lineage: Mapping[str, Any]
    confidence: Confidence | None = None
    samples: Mapping[int, Arrays] = field(default_factory=dict, compare=False)

    @property
    def unknown_below(self) -> float | None:
        """An answer is marked as unknown where its highest probability is below this; None where nothing is."""
        return self.confidence.unknown_below if self.confidence else None


def open_bundle(folder: Path, *, threads: int) -> Bundle:
    """Read every byte of a bundle, load its model, and ask it about the golden images.

    This tells whether the bundle is whole, not who made it: for that, compare its digest with the one that its maker
    tells.

    Args:
        folder: of the bundle.
        threads: for the model to compute with.

    Raises:
        StorageError: there is none, or it cannot be read.
        DamagedPackageError: something was changed, is missing, or was added, or its parts do not fit together.
        UnsafeModelError: its model is not one to run.
    """
    manifest = package.check(folder)
    missing = [name for name in NEEDED if name not in manifest.files]
    if manifest.kind != "bundle" or missing:
        what = f"it has no {', '.join(missing)}" if manifest.kind == "bundle" else f"it is a {manifest.kind!r}"
        raise _no_bundle(folder, what)
    wanted = (*NEEDED, *(name for name in WHERE_THERE if name in manifest.files))
    for file in wanted:
        size, most = manifest.files[file][1], _LARGEST.get(file, _LARGEST_DOCUMENT)
        if size > most:
            raise _no_bundle(folder, f"{file} has {size:,} bytes; expected at most {most:,}")
    content = {file: package.read_file(folder, manifest, file) for file in wanted}
    name, version = manifest.facts.get("name"), manifest.facts.get("version")
    try:
        check_name(name if isinstance(name, str) else "")
    except UsageError:
        raise _no_bundle(folder, "its manifest does not name a model") from None
    if type(version) is not int or not 1 <= version <= _MOST_VERSION:
        raise _no_bundle(folder, f"its manifest does not say which version it is, from 1 to {_MOST_VERSION:,}")
    documents = {file: _document(folder, file, content[file]) for file in wanted if file.endswith(".json")}
    signature = read_signature(content[ONNX_FILE])
    if documents[SIGNATURE_FILE] != signature.as_dict():
        raise _no_bundle(folder, f"{SIGNATURE_FILE} is not the model's")
    try:
        takes = read_input(documents[PREPROCESSING_FILE])
    except ValueError as error:
        raise _no_bundle(folder, f"{PREPROCESSING_FILE} does not say what the model takes: {error}") from None
    if takes.arrays != signature.inputs:
        raise _no_bundle(folder, f"{PREPROCESSING_FILE} tells of {takes.title}, which is not what the model takes")
    labels = documents[LABELS_FILE].get("classes")
    if not isinstance(labels, list) or len(labels) != signature.classes:
        raise _no_bundle(folder, f"{LABELS_FILE} does not name {signature.classes} classes")
    if not all(map(_is_label, labels)):
        raise _no_bundle(
            folder, f"{LABELS_FILE} has a class whose name is no text of 1 to {_LONGEST_LABEL} characters"
        )
    if content.get(PICTURE_FILE, _PNG)[: len(_PNG)] != _PNG:
        raise _no_bundle(folder, f"{PICTURE_FILE} is no PNG")
    model = OnnxModel(content[ONNX_FILE], threads=threads, signature=signature)
    try:
        card = content[CARD_FILE].decode("utf-8")
    except UnicodeDecodeError:
        raise _no_bundle(folder, f"{CARD_FILE} is no text") from None
    confidence = _confidence(folder, documents[CONFIDENCE_FILE]) if CONFIDENCE_FILE in documents else None
    samples = _samples(folder, content[GOLDEN_FILE], model)
    return Bundle(
        manifest=manifest,
        name=str(name),
        version=version,
        classes=tuple(labels),
        input=takes,
        model=model,
        card=card,
        picture=content.get(PICTURE_FILE, b""),
        lineage=documents[LINEAGE_FILE],
        confidence=confidence,
        samples=samples,
    )


def _document(folder: Path, name: str, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise _no_bundle(folder, f"{name} is no JSON") from None
    if not isinstance(document, dict):
        raise _no_bundle(folder, f"{name} is no JSON object")
    if _is_deeper(document, _DEEPEST):
        raise _no_bundle(folder, f"{name} is nested more than {_DEEPEST} deep")
    return document


def _is_deeper(value: Any, most: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_is_deeper(each, most - 1) for each in inner)


def _is_label(label: object) -> bool:
    # A half of a surrogate pair, which JSON can hold, can be written nowhere.
    return isinstance(label, str) and 0 < len(label) <= _LONGEST_LABEL and not re.search("[\ud800-\udfff]", label)


def _confidence(folder: Path, document: Mapping[str, Any]) -> Confidence:
    if document.get("schema_version") != CONFIDENCE_SCHEMA:
        raise _no_bundle(folder, f"{CONFIDENCE_FILE} has another schema version than {CONFIDENCE_SCHEMA}")
    for name, (least, most) in _RANGES.items():
        value = document.get(name)
        # Comparisons with a NaN are false.
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
            raise _no_bundle(folder, f"{name} in {CONFIDENCE_FILE} is no number from {least:g} to {most:g}")
    if not isinstance(document["images"], int):
        raise _no_bundle(folder, f"images in {CONFIDENCE_FILE} is no whole number")
    return Confidence(
        temperature=float(document["temperature"]),
        unknown_below=float(document["unknown_below"]),
        false_alarms=float(document["false_alarms"]),
        images=document["images"],
    )


def _samples(folder: Path, content: bytes, model: OnnxModel) -> dict[int, Arrays]:
    """The first golden example of each class, after checking that the model answers all of them as it did."""
    try:
        arrays = arrays_from(content, most_bytes=_LARGEST[GOLDEN_FILE])
    except ValueError:
        arrays = []
    names = [spec.name for spec in model.signature.inputs]
    inputs, told = dict(zip(names, arrays, strict=False)), arrays[len(names) :]
    try:
        check_arrays(inputs, model.signature.inputs)
    except ValueError:
        raise _no_bundle(folder, f"{GOLDEN_FILE} has no examples for the model") from None
    if len(told) not in (1, 2) or not 1 <= count_of(inputs) <= _MOST_GOLDEN or told[0].dtype != np.float32:
        raise _no_bundle(folder, f"{GOLDEN_FILE} has no answers for 1 to {_MOST_GOLDEN:,} examples")
    answers = model.predict(inputs)
    if told[0].shape != answers.shape or not np.allclose(told[0], answers, atol=GOLDEN_TOLERANCE):
        raise _no_bundle(folder, "the model does not answer as it did where it was registered")
    if len(told) == 1:
        return {}
    labels = told[1]
    if labels.dtype != np.int64 or labels.shape != (len(answers),) or not set(labels) <= {*range(answers.shape[1])}:
        raise _no_bundle(folder, f"{GOLDEN_FILE} has labels that are no classes of the model")
    found: dict[int, Arrays] = {}
    for row, label in enumerate(labels.tolist()):
        if len(found) < MOST_SAMPLES:
            found.setdefault(label, {name: array[row] for name, array in inputs.items()})
    return dict(sorted(found.items()))


def _no_bundle(folder: Path, why: str) -> DamagedPackageError:
    return DamagedPackageError(f"{folder} is no bundle: {why}.", hint="Make one with: forty bundle NAME -o FOLDER")

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
from fortydays.registry.inference import LARGEST, OnnxModel, Signature, read_signature
from fortydays.registry.names import check_name
from fortydays.registry.package import DamagedPackageError, Manifest

ONNX_FILE = "model.onnx"
LINEAGE_FILE, EVALUATION_FILE, EVIDENCE_FILE = "lineage.json", "evaluation.json", "evidence.json"
LABELS_FILE, SIGNATURE_FILE, PREPROCESSING_FILE = "labels.json", "signature.json", "preprocessing.json"
GOLDEN_FILE = "golden.npz"
CARD_FILE, PICTURE_FILE = "README.md", "mistakes.png"
CONFIDENCE_FILE = "confidence.json"
SAMPLES_FILE = "samples.json"

NEEDED = (ONNX_FILE, LABELS_FILE, SIGNATURE_FILE, PREPROCESSING_FILE, GOLDEN_FILE, CARD_FILE, LINEAGE_FILE)
"""The files of every bundle, besides its manifest."""

WHERE_THERE = (PICTURE_FILE, CONFIDENCE_FILE, SAMPLES_FILE)
"""The files that a bundle has where its version has them."""

GOLDEN_TOLERANCE = 1e-3
"""By how much a probability may differ on another processor."""

MOST_SAMPLES = 20
"""Classes of which a bundle has a sample at most."""

LONGEST_SAMPLE = 20_000
"""Characters of a text that is a sample: of a longer one, the first ones."""

SAMPLES_SCHEMA = 1
"""Version of what :data:`SAMPLES_FILE` holds: "schema_version", and "texts" by the place of their class."""

CONFIDENCE_SCHEMA = 1
"""Version of what :data:`CONFIDENCE_FILE` holds: "schema_version" and the fields of :class:`Confidence`."""

_LARGEST = {
    ONNX_FILE: LARGEST,
    GOLDEN_FILE: 100_000_000,
    CARD_FILE: 1_000_000,
    PICTURE_FILE: 20_000_000,
    PREPROCESSING_FILE: 50_000_000,  # 200,000 n-grams, in scripts of up to four bytes a letter
}
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

    def as_document(self) -> dict[str, Any]:
        """What :data:`CONFIDENCE_FILE` holds."""
        return {"schema_version": CONFIDENCE_SCHEMA, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle that was opened: all that a service tells or needs.

    Attributes:
        version: its number in the registry.
        classes: what its probabilities are of, in their order.
        input: what it takes.
        card: the model card, Markdown with a front matter.
        picture: the card's picture as PNG, or b"".
        lineage: what it is made of, as JSON values.
        confidence: below which probability its answers are unknown, where that was measured.
        samples: the arrays of an example of each class that the model has not learned from, by the class's place; of
            older bundles none, whose golden examples have no labels.
        texts: what is written in the samples, by the class's place, where the model takes texts that were at hand.
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
    texts: Mapping[int, str] = field(default_factory=dict, compare=False)

    @property
    def unknown_below(self) -> float | None:
        """An answer is marked as unknown where its highest probability is below this; None where nothing is."""
        return self.confidence.unknown_below if self.confidence else None


def open_bundle(folder: Path, *, threads: int) -> Bundle:
    """Read every byte of a bundle, load its model with so many threads, and ask it about the golden images.

    This tells whether the bundle is whole, not who made it: for that, compare its digest with the one that its maker
    tells.

    Raises:
        StorageError: there is none, or it cannot be read.
        DamagedPackageError: something was changed, is missing, or was added, or its parts do not fit together.
        UnsafeModelError: its model is not one to run.
    """
    manifest = package.check(folder)
    try:
        return _opened(folder, manifest, threads)
    except ValueError as error:
        raise DamagedPackageError(
            f"{folder} is no bundle: {error}.", hint="Make one with: forty bundle NAME -o FOLDER"
        ) from None


def _opened(folder: Path, manifest: Manifest, threads: int) -> Bundle:
    """A bundle whose bytes are those of its manifest. Raises ValueError where its parts do not fit together."""
    if manifest.kind != "bundle":
        raise ValueError(f"it is a {manifest.kind!r}")
    if missing := [name for name in NEEDED if name not in manifest.files]:
        raise ValueError(f"it has no {', '.join(missing)}")
    wanted = (*NEEDED, *(name for name in WHERE_THERE if name in manifest.files))
    for file in wanted:
        size, most = manifest.files[file][1], _LARGEST.get(file, _LARGEST_DOCUMENT)
        if size > most:
            raise ValueError(f"{file} has {size:,} bytes; expected at most {most:,}")
    content = {file: package.read_file(folder, manifest, file) for file in wanted}
    documents = {file: _document(file, content[file]) for file in wanted if file.endswith(".json")}
    name, version = _name_and_version(manifest)
    signature = read_signature(content[ONNX_FILE])
    if documents[SIGNATURE_FILE] != signature.as_dict():
        raise ValueError(f"{SIGNATURE_FILE} is not the model's")
    if content.get(PICTURE_FILE, _PNG)[: len(_PNG)] != _PNG:
        raise ValueError(f"{PICTURE_FILE} is no PNG")
    model = OnnxModel(content[ONNX_FILE], threads=threads, signature=signature)
    try:
        card = content[CARD_FILE].decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{CARD_FILE} is no text") from None
    return Bundle(
        manifest=manifest,
        name=name,
        version=version,
        classes=_classes(documents[LABELS_FILE], signature),
        input=_input(documents[PREPROCESSING_FILE], signature),
        model=model,
        card=card,
        picture=content.get(PICTURE_FILE, b""),
        lineage=documents[LINEAGE_FILE],
        confidence=_confidence(documents[CONFIDENCE_FILE]) if CONFIDENCE_FILE in documents else None,
        samples=_samples(content[GOLDEN_FILE], model),
        texts=_texts(documents[SAMPLES_FILE], signature) if SAMPLES_FILE in documents else {},
    )


def _name_and_version(manifest: Manifest) -> tuple[str, int]:
    name, version = manifest.facts.get("name"), manifest.facts.get("version")
    try:
        check_name(name if isinstance(name, str) else "")
    except UsageError:
        raise ValueError("its manifest does not name a model") from None
    if type(version) is not int or not 1 <= version <= _MOST_VERSION:
        raise ValueError(f"its manifest does not say which version it is, from 1 to {_MOST_VERSION:,}")
    return str(name), version


def _document(name: str, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError(f"{name} is no JSON") from None
    if not isinstance(document, dict):
        raise ValueError(f"{name} is no JSON object")
    if _is_deeper(document, _DEEPEST):
        raise ValueError(f"{name} is nested more than {_DEEPEST} deep")
    return document


def _is_deeper(value: Any, most: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_is_deeper(each, most - 1) for each in inner)


def _input(document: Mapping[str, Any], signature: Signature) -> Input:
    try:
        takes = read_input(document)
    except ValueError as error:
        raise ValueError(f"{PREPROCESSING_FILE} does not say what the model takes: {error}") from None
    if takes.arrays != signature.inputs:
        raise ValueError(f"{PREPROCESSING_FILE} tells of {takes.title}, which is not what the model takes")
    return takes


def _classes(document: Mapping[str, Any], signature: Signature) -> tuple[str, ...]:
    labels = document.get("classes")
    if not isinstance(labels, list) or len(labels) != signature.classes:
        raise ValueError(f"{LABELS_FILE} does not name {signature.classes} classes")
    for label in labels:
        # A half of a surrogate pair, which JSON can hold, can be written nowhere.
        if not isinstance(label, str) or not 0 < len(label) <= _LONGEST_LABEL or re.search("[\ud800-\udfff]", label):
            raise ValueError(f"{LABELS_FILE} has a class whose name is no text of 1 to {_LONGEST_LABEL} characters")
    return tuple(labels)


def _confidence(document: Mapping[str, Any]) -> Confidence:
    if document.get("schema_version") != CONFIDENCE_SCHEMA:
        raise ValueError(f"{CONFIDENCE_FILE} has another schema version than {CONFIDENCE_SCHEMA}")
    for name, (least, most) in _RANGES.items():
        value = document.get(name)
        # Comparisons with a NaN are false.
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"{name} in {CONFIDENCE_FILE} is no number from {least:g} to {most:g}")
    if not isinstance(document["images"], int):
        raise ValueError(f"images in {CONFIDENCE_FILE} is no whole number")
    values: dict[str, Any] = {name: float(document[name]) for name in _RANGES}
    return Confidence(**values | {"images": document["images"]})


def _texts(document: Mapping[str, Any], signature: Signature) -> dict[int, str]:
    texts = document.get("texts")
    if document.get("schema_version") != SAMPLES_SCHEMA:
        raise ValueError(f"{SAMPLES_FILE} has another schema version than {SAMPLES_SCHEMA}")
    if not isinstance(texts, dict) or len(texts) > MOST_SAMPLES:
        raise ValueError(f"{SAMPLES_FILE} has no texts of at most {MOST_SAMPLES} classes")
    found = {}
    for place, text in texts.items():
        if not re.fullmatch("[0-9]{1,5}", place) or int(place) >= signature.classes:
            raise ValueError(f"{SAMPLES_FILE} has a text of a class that the model does not have")
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST_SAMPLE or re.search("[\ud800-\udfff]", text):
            raise ValueError(f"{SAMPLES_FILE} has a text that is none of 1 to {LONGEST_SAMPLE:,} characters")
        found[int(place)] = text
    return found


def _samples(content: bytes, model: OnnxModel) -> dict[int, Arrays]:
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
        raise ValueError(f"{GOLDEN_FILE} has no examples for the model") from None
    if len(told) not in (1, 2) or not 1 <= count_of(inputs) <= _MOST_GOLDEN or told[0].dtype != np.float32:
        raise ValueError(f"{GOLDEN_FILE} has no answers for 1 to {_MOST_GOLDEN:,} examples")
    answers = model.predict(inputs)
    if told[0].shape != answers.shape or not np.allclose(told[0], answers, atol=GOLDEN_TOLERANCE):
        raise ValueError("the model does not answer as it did where it was registered")
    if len(told) == 1:
        return {}
    labels = told[1]
    if labels.dtype != np.int64 or labels.shape != (len(answers),) or not set(labels) <= {*range(answers.shape[1])}:
        raise ValueError(f"{GOLDEN_FILE} has labels that are no classes of the model")
    classes, first = np.unique(labels, return_index=True)
    shown = sorted(np.argsort(first)[:MOST_SAMPLES])
    return {int(classes[at]): {name: array[first[at]] for name, array in inputs.items()} for at in shown}

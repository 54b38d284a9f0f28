"""Model versions that no study trained: a linear classifier of the 8 x 8 digits, put together by hand."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fortydays.base.arrays import save_arrays
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import Dataset
from fortydays.inputs.images import IMAGE, Images
from fortydays.registry.inference import OnnxModel
from fortydays.registry.package import Manifest, seal
from fortydays.registry.registry import Version

AddVersion = Callable[..., Version]

CLASSES = tuple("0123456789")


def settings(home: Path, *, datasets: Path, tracking_uri: str = "") -> Settings:
    return Settings(workspace=home, datasets=datasets, mirror=None, offline=True, threads=1, tracking_uri=tracking_uri)


def path_of(source: str) -> Path:
    """Where the files of a version are, of which the tracking store keeps an address."""
    return Path(unquote(source.removeprefix("file://")))


def digits(chosen: Settings) -> Dataset:
    return library.load("digits", chosen)


def fitted(data: Dataset) -> NDArray[np.float32]:
    """Weights of least squares, shape (64, 10); right on nine of ten digits."""
    images = np.asarray(data.training.train.array).reshape(-1, 64) / 255
    wanted = np.eye(10)[np.asarray(data.training.train.labels)]
    ridge = images.T @ images + 0.5 * np.eye(64)
    weights: NDArray[np.float32] = (8 * np.linalg.solve(ridge, images.T @ wanted)).astype(np.float32)
    return weights


def onnx_of(weights: NDArray[np.float32], **changes: Any) -> bytes:
    """An ONNX file that takes uint8 images, of 8 x 8 by default, and gives softmax(pixels / 255 @ weights)."""
    name, kind = changes.get("input", "image"), changes.get("kind", TensorProto.UINT8)
    shape, (pixels, classes) = changes.get("image", (8, 8)), np.shape(weights)
    constants = {
        "scale": np.array(1 / 255, np.float32),
        "shape": np.array([-1, pixels], np.int64),
        "weights": np.asarray(weights, np.float32),
    }
    nodes = [
        helper.make_node("Cast", [name], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "scale"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
        *changes.get("nodes", ()),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info(name, kind, ["images", *shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["images", classes])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    return _written(graph)


def onnx_of_words(side: NDArray[np.float32], *, length: int) -> bytes:
    """An ONNX file that takes tokens and their mask, and gives softmax(the sum of the rows that the words have)."""
    nodes = [
        helper.make_node("Gather", ["side", "tokens"], ["sides"]),
        helper.make_node("Cast", ["mask"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "last"], ["counted"]),
        helper.make_node("Mul", ["sides", "counted"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "middle"], ["logits"], keepdims=0),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    constants = {"side": side, "last": np.array([2], np.int64), "middle": np.array([1], np.int64)}
    graph = helper.make_graph(
        nodes,
        "words",
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT32, ["texts", length]),
            helper.make_tensor_value_info("mask", TensorProto.BOOL, ["texts", length]),
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["texts", side.shape[1]])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    return _written(graph)


def _written(graph: Any) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def lineage(data: Dataset, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "schema_version": 1,
        "dataset": {
            "name": data.name, "version": 1, "digest": data.digest, "split_version": data.split_version,
            "classes": list(CLASSES), "train": 1297, "validation": 200, "test": 300, "licence": "CC BY 4.0",
        },
        "study": {"day": None, "name": "by-hand", "title": "By hand", "file": "/gone.py", "variant": "linear",
                  "description": "", "searched": ""},
        "recipe": {"epochs": 1},
        "trial": {
            "seed": 0, "precision": "float32", "parameters": 640, "multiply_adds": 640, "epochs": 1,
            "train_seconds": 1.0, "metrics": {"train_accuracy": 0.9, "validation_accuracy": 0.9, "test_accuracy": 0.9},
            "over_seeds": {}, "weights_digest": "0" * 64,
        },
        "code": {"study": "1" * 64, "engine": "2" * 64, "version": "0.1.0"},
        "packages": {"numpy": "2"},
        "machine": {"cpu_model": "x", "flags": [], "system": "Linux", "python": "3", "threads": 1,
                    "backend": "tensorflow", "accelerator": None},
        "run": {"id": "by-hand-1", "tracker": "", "request": {"settings": [], "engine": "compiled"},
                "ended": "2026-11-22T00:00:00Z"},
        "evidence": {"digest": "3" * 64, "results_digest": "4" * 64},
        "claims": [{"claim": "It is linear", "verdict": "supported"}],
        "export": {"onnx": "1"},
        "registered": "2026-11-22T00:00:00Z",
    }  # fmt: skip
    return {**found, **changes}


def version_folder(
    folder: Path,
    data: Dataset,
    weights: NDArray[np.float32],
    *,
    leave_out: Sequence[str] = (),
    difference: float = 1e-7,
    confidence: Any = None,
    **changes: Any,
) -> Manifest:
    """Write and seal the files of a version."""
    folder.mkdir(parents=True)
    image = changes.pop("image", (8, 8))
    content = onnx_of(weights, image=image)
    onnx_facts = {"precision": "float32", "images": 200, "difference": difference, "agreement": 1.0}
    documents: dict[str, Any] = {
        "lineage.json": lineage(data, **changes),
        "evaluation.json": {"schema_version": 1, "onnx": onnx_facts},
        "labels.json": {"classes": list(CLASSES)},
        "signature.json": OnnxModel(content, threads=1).signature.as_dict(),
        "preprocessing.json": Images(shape=image).as_dict(),
    }
    if confidence is not None:
        documents["confidence.json"] = confidence
    (folder / "model.onnx").write_bytes(content)
    (folder / "README.md").write_text("---\n---\n\n# digits\n\nA card.\n")
    golden = np.asarray(data.training.validation.array)[:8]
    save_arrays(folder / "golden.npz", [golden, OnnxModel(content, threads=1).predict({IMAGE: golden})])
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))
    for name in leave_out:
        (folder / name).unlink()
    return seal(folder, kind="version", facts={"name": "digits"})


def loaded(content: bytes) -> Any:
    return onnx.load_model_from_string(content)

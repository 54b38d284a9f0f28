"""In the place of MiniLM a network of no time: a vector for each piece, added up and brought to length 1."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fortydays.base import files
from fortydays.data.weights import Obtained
from fortydays.inputs.wordpieces import PIECES
from fortydays.models.encoders import VECTORS
from fortydays.study.features import TextFeatures
from fortydays.study.frozen import OUTPUT, Frozen
from fortydays.study.graphs import OPSET

FEATURES = 384
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
KNOWN = 4.0
"""What the words of a class have, and those of the other class have negative, in the first feature."""


def vocabulary_of(words: Sequence[str]) -> tuple[str, ...]:
    """The special pieces, a full stop, and some words."""
    return (*SPECIAL, ".", *words)


def vectors_of(vocabulary: Sequence[str], known: dict[str, float]) -> NDArray[np.float32]:
    """A vector of each piece, float32, shape (pieces, 384): noise, and in the first feature what is known of it."""
    vectors = np.random.default_rng(0).normal(0, 0.1, (len(vocabulary), FEATURES)).astype(np.float32)
    vectors[:, 0] = [KNOWN * known.get(piece, 0.0) for piece in vocabulary]
    vectors[0] = 0
    return vectors


def onnx_of(vectors: NDArray[np.float32], length: int) -> bytes:
    """From int32 pieces, shape (n, length), to float32, shape (n, 384)."""
    nodes = [
        helper.make_node("Gather", ["vectors", PIECES], ["of pieces"]),
        helper.make_node("ReduceSum", ["of pieces", "axis"], ["sum"], keepdims=0),
        helper.make_node("ReduceL2", ["sum", "axis"], ["length"], keepdims=1),
        helper.make_node("Max", ["length", "least"], ["divisor"]),
        helper.make_node("Div", ["sum", "divisor"], [OUTPUT]),
    ]
    constants = {"vectors": vectors, "axis": np.array([1], np.int64), "least": np.array(1e-6, np.float32)}
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info(PIECES, TensorProto.INT32, ["texts", length])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["texts", FEATURES])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def network_in(folder: Path, vectors: NDArray[np.float32]) -> Any:
    """Stands in for :func:`fortydays.study.frozen.frozen_network`."""

    def frozen_network(features: TextFeatures, shape: tuple[int, ...], *_: object) -> Frozen:
        assert shape == (features.length,)
        content = onnx_of(vectors, features.length)
        path = files.make_folder(folder) / "encoder.onnx"
        path.write_bytes(content)
        return Frozen(
            key=files.sha256_of_bytes(content), path=path, features=features, shape=features.shape, parameters=0,
            multiply_adds=0, weights="cd" * 32,
        )  # fmt: skip

    return frozen_network


def keras_model(vectors: NDArray[np.float32], length: int) -> Any:
    """The same as a Keras model, up to the vectors of the pieces."""
    import keras

    tokens = keras.Input((length,), dtype="int32")
    found = keras.layers.Embedding(*vectors.shape, name=VECTORS)
    model = keras.Model(tokens, found(tokens))
    found.set_weights([vectors])
    return model


def published_in(folder: Path, vocabulary: Sequence[str]) -> tuple[Any, Any]:
    """Stand in for :func:`fortydays.data.weights.obtain` and :func:`~fortydays.data.weights.obtain_vocabulary`."""
    path = files.make_folder(folder) / "vocab.txt"
    path.write_text("\n".join(vocabulary), encoding="utf-8")

    def obtain(_name: str, *_: object) -> Obtained:
        return Obtained(path=folder / "none", form="safetensors", sha256="cd" * 32, source="installed package some")

    def obtain_vocabulary(_name: str, *_: object) -> Obtained:
        return Obtained(path=path, form="text", sha256="ef" * 32, source="installed package some")

    return obtain, obtain_vocabulary

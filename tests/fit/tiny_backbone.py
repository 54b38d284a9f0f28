"""In the place of a backbone a network of no time: 1,280 mixtures of the colours in 49 places, averaged."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fortydays.base import files
from fortydays.inputs.images import IMAGE
from fortydays.study.features import Features
from fortydays.study.frozen import OUTPUT, Frozen
from fortydays.study.graphs import OPSET

CHANNELS = 1_280


def onnx_of(side: int) -> bytes:
    """From uint8 images, shape (n, side, side, 3), to float32, shape (n, 1, 1, 1280)."""
    mixtures = np.random.default_rng(0).normal(0, 1 / 255, (3, CHANNELS)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", [IMAGE], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["numbers"], ["channels first"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["channels first"], ["small"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Transpose", ["small"], ["channels last"], perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["channels last", "mixtures"], ["maps"]),
        helper.make_node("ReduceMean", ["maps", "places"], [OUTPUT], keepdims=1),
    ]
    constants = {"mixtures": mixtures, "places": np.array([1, 2], np.int64)}
    graph = helper.make_graph(
        nodes,
        "mixtures",
        [helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, ["images", side, side, 3])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["images", 1, 1, CHANNELS])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def network_in(folder: Path) -> Any:
    """Stands in for :func:`fortydays.study.frozen.frozen_network`."""

    def frozen_network(features: Features, image_shape: tuple[int, ...], *_: object) -> Frozen:
        assert not features.before_last_block
        content = onnx_of(image_shape[0])
        path = files.make_folder(folder) / "mixtures.onnx"
        path.write_bytes(content)
        return Frozen(
            key=files.sha256_of_bytes(content), path=path, features=features, shape=features.shape, parameters=0,
            multiply_adds=0, weights="cd" * 32,
        )  # fmt: skip

    return frozen_network

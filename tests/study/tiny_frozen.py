"""A frozen network that one can work out by hand: the mean of each channel, from 0 to 1, as an ONNX file."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fortydays.base import files
from fortydays.inputs.images import IMAGE
from fortydays.study.features import AT_ONCE, Features
from fortydays.study.frozen import OUTPUT, Frozen
from fortydays.study.graphs import OPSET

FEATURES = Features(backbone="mobilenetv2-0.35", side=32)


def channel_means(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network makes of images, shape (n, height, width, 3): float32, shape (n, 1, 1, 3)."""
    return np.asarray(images, np.float32).mean(axis=(1, 2), keepdims=True) / np.float32(255)


def onnx_of(image: tuple[int, ...], *, images: int | str = AT_ONCE, repeated: int = 1) -> bytes:
    """The network as an ONNX file, which by default takes 16 images at once and no other number of them.

    Args:
        image: shape of one image: (height, width, 3).
        images: how many, or a name for any number.
        repeated: how often the three means stand behind each other.
    """
    constants = {
        "scale": np.array(1 / 255, np.float32),
        "repeats": np.array([1, 1, 1, repeated], np.int64),
        "axes": np.array([1, 2], np.int64),
    }
    nodes = [
        helper.make_node("Cast", [IMAGE], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "scale"], ["scaled"]),
        helper.make_node("Tile", ["scaled", "repeats"], ["maps"]),
        helper.make_node("ReduceMean", ["maps", "axes"], [OUTPUT], keepdims=1),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, [images, *image])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [images, 1, 1, 3 * repeated])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def frozen(folder: Path, image: tuple[int, ...], *, key: str = "ab" * 32, **changes: Any) -> Frozen:
    """The network, with its file in a folder."""
    repeated = changes.pop("repeated", 1)
    path = files.make_folder(folder) / f"means-{'x'.join(map(str, image))}.onnx"
    path.write_bytes(onnx_of(image, images=changes.pop("images", AT_ONCE), repeated=repeated))
    facts: dict[str, Any] = {
        "key": key, "path": path, "features": FEATURES, "shape": (1, 1, 3 * repeated), "parameters": 0,
        "multiply_adds": 0, "weights": "cd" * 32,
    }  # fmt: skip
    return Frozen(**{**facts, **changes})

"""Where in a photograph a classifier looks: class activation maps, and how they are laid over it.

For a linear head on features that were averaged over the places of a picture, the map of Grad-CAM (Selvaraju et al.,
2017) is that of CAM (Zhou et al., 2016): the logit of a class is the mean over the places of what each adds to it, so
its gradient by the features of a place is the same weights everywhere, and no gradient need be computed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.settings import keep_onnx_runtime_silent
from fortydays.study.features import AT_ONCE
from fortydays.study.frozen import OUTPUT, Frozen

if TYPE_CHECKING:
    import keras

SHARE = 0.45
"""Of the colours in an overlay; the rest is the photograph."""

_STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_COLOURS = ((14, 8, 46), (94, 20, 110), (190, 55, 84), (245, 132, 31), (252, 247, 170))
"""At these stops: dark where nothing speaks for the class, and lighter the more does, so that grey prints show it."""


def class_activation(maps: NDArray[np.float32], weights: NDArray[np.float32], label: int) -> NDArray[np.float32]:
    """What each place of a picture adds to the logit of a class: float32, shape (h, w), from 0 to 1.

    What speaks against the class is 0, and the place that speaks most for it 1. All are 0 where none does.

    Args:
        maps: float32, shape (h, w, channels): a backbone's features of one picture before they are averaged.
        weights: float32, shape (channels, classes), of the head.
        label: the class.
    """
    heat = np.maximum(np.asarray(maps, np.float32) @ np.asarray(weights, np.float32)[:, label], np.float32(0))
    most = float(heat.max(initial=0))
    return np.asarray(heat / most if most > 0 else heat, np.float32)


def overlay(picture: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A photograph, uint8, shape (height, width, 3), with a map from 0 to 1, shape (h, w), laid over it in colours."""
    from PIL import Image

    height, width = picture.shape[:2]
    small = Image.fromarray(np.asarray(heat, np.float32))
    large = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR)).clip(0, 1)
    colours = np.stack([np.interp(large, _STOPS, channel) for channel in zip(*_COLOURS, strict=True)], axis=-1)
    return np.rint((1 - SHARE) * picture + SHARE * colours).astype(np.uint8)


def pictures_to_look_at(
    labels: NDArray[np.intp], probabilities: NDArray[np.float32], *, most: int = 12
) -> Sequence[int]:
    """Positions of images of which it is worth seeing where the model looks.

    A usual right answer of each class comes first, then the surest mistakes, which are half of them at most. The
    labels have the shape (n,), the probabilities (n, classes).
    """
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = [int(each) for each in order if answers[each] != labels[each]][: most // 2]
    right: list[int] = []
    for label in range(probabilities.shape[1]):
        of_class = [int(each) for each in order if answers[each] == labels[each] == label]
        right += of_class[len(of_class) // 2 : len(of_class) // 2 + 1]  # a usual one, not the easiest
    return [*right[: most - len(wrong)], *wrong]


def feature_maps(
    frozen: Frozen, model: "keras.Model", images: NDArray[np.uint8], *, threads: int
) -> NDArray[np.float32]:
    """What the last convolution makes of each place in some images, before it is averaged.

    Args:
        frozen: the network that makes the features.
        model: what was trained on them; its first layer is the last block where that was trained too.
        images: uint8, shape (n, height, width, 3).
        threads: to compute with.

    Returns:
        float32, shape (n, rows, columns, channels).
    """
    if frozen.features.trained_further:
        from keras import ops

        maps = frozen.session(threads=threads)(images)
        return np.asarray(ops.convert_to_numpy(model.layers[0](maps, training=False)), np.float32)
    return _before_average(frozen, images, threads=threads)


def _before_average(frozen: Frozen, images: NDArray[np.uint8], *, threads: int) -> NDArray[np.float32]:
    """The same from the ONNX file, with what is averaged at its end as its output."""
    keep_onnx_runtime_silent()
    import onnx
    import onnxruntime

    with files.storage_errors("read", frozen.path):
        proto = onnx.load_model_from_string(frozen.path.read_bytes())
    made_by = {name: node for node in proto.graph.node for name in node.output}
    name = OUTPUT
    while made_by[name].op_type not in ("GlobalAveragePool", "ReduceMean"):
        name = made_by[name].input[0]
    name = made_by[name].input[0]
    del proto.graph.output[:]
    proto.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = [
        session.run([name], {proto.graph.input[0].name: np.ascontiguousarray(images[start : start + AT_ONCE])})[0]
        for start in range(0, len(images), AT_ONCE)
    ]
    maps = np.concatenate(found)
    # The exporter keeps channels first where a convolution made them so.
    return np.asarray(maps.transpose(0, 2, 3, 1) if maps.shape[1] == frozen.shape[2] else maps, np.float32)


def weights_of(model: "keras.Model") -> NDArray[np.float32]:
    """What each feature adds to the logit of each class: float32, shape (channels, classes).

    Standardizing the features divides them by their deviation, and so what the layer behind it multiplies them with.
    """
    from keras import layers

    kernel = np.asarray(model.layers[-1].get_weights()[0], np.float32)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            variance = np.asarray(layer.variance, np.float32).reshape(-1)
            unit = np.asarray(getattr(layer, "unit", 1.0), np.float32)  # of a fortydays Standardization
            return np.asarray(kernel * (unit / np.maximum(np.sqrt(variance), 1e-7))[:, None], np.float32)
    return kernel

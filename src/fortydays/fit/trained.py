"""What a trained head answers, and where in a photograph it looks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.arrays import load_arrays
from fortydays.registry.calibration import as_logits
from fortydays.study.features import AT_ONCE
from fortydays.study.frozen import OUTPUT, Frozen

if TYPE_CHECKING:
    import keras

    from fortydays.study.design import Variant
    from fortydays.study.runs import RunFolder

_TOGETHER = 1_000


def trained_model(run: "RunFolder", variant: "Variant", seed: int) -> "keras.Model":
    """The model of a finished trial, as Keras's own layers.

    Raises:
        StorageError: its weights cannot be read.
    """
    from fortydays.train.framework import build_model, set_variables

    model = build_model(variant.model, seed=seed, precision="float32")
    set_variables(model, load_arrays(run.trial_of(variant.name, seed).weights))
    return model


def logits_of(model: "keras.Model", features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logarithms of a model's answers: logits, but for a constant of each image.

    Args:
        model: ends in a softmax.
        features: float32, shape (n, rows, columns, channels).

    Returns:
        float32, shape (n, classes).
    """
    from keras import ops

    answers = [
        ops.convert_to_numpy(model(features[start : start + _TOGETHER], training=False))
        for start in range(0, len(features), _TOGETHER)
    ]
    return as_logits(np.concatenate(answers))


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
    if frozen.features.before_last_block:
        from keras import ops

        maps = frozen.session(threads=threads)(images)
        return np.asarray(ops.convert_to_numpy(model.layers[0](maps, training=False)), np.float32)
    return _before_average(frozen, images, threads=threads)


def weights_of(model: "keras.Model") -> NDArray[np.float32]:
    """What each feature adds to the logit of each class: float32, shape (channels, classes).

    Standardizing the features divides them by their deviation, and so what the layer behind it multiplies them with.
    """
    from keras import layers

    kernel = np.asarray(model.layers[-1].get_weights()[0], np.float32)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            variance = np.asarray(layer.variance, np.float32).reshape(-1)
            return np.asarray(kernel / np.maximum(np.sqrt(variance), 1e-7)[:, None], np.float32)
    return kernel


def _before_average(frozen: Frozen, images: NDArray[np.uint8], *, threads: int) -> NDArray[np.float32]:
    """The same from the ONNX file, with what is averaged at its end as its output."""
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


def pictures_to_look_at(
    labels: NDArray[np.intp], probabilities: NDArray[np.float32], *, most: int = 12
) -> Sequence[int]:
    """Some images of which it is worth seeing where the model looks: half of them its surest mistakes.

    Args:
        labels: shape (n,).
        probabilities: float32, shape (n, classes).
        most: how many.

    Returns:
        Their positions: a usual right answer of each class, then the surest mistakes.
    """
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = [int(each) for each in order if answers[each] != labels[each]][: most // 2]
    right: list[int] = []
    for label in range(probabilities.shape[1]):
        of_class = [int(each) for each in order if answers[each] == labels[each] == label]
        right += of_class[len(of_class) // 2 : len(of_class) // 2 + 1]  # a usual one, not the easiest
    return [*right[: most - len(wrong)], *wrong]

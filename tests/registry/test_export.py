"""A Keras model as an ONNX file: the same answers, from the pixels themselves."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))
import tiny_frozen

from fortydays.inputs.images import IMAGE, Images
from fortydays.inputs.numbers import NUMBERS, Numbers
from fortydays.models.heads import linear_head
from fortydays.models.standardization import standardization
from fortydays.registry.export import head_to_onnx, to_onnx
from fortydays.registry.inference import OUTPUT, OnnxModel
from fortydays.study.graphs import ExportFailedError

# Every activation that a day or a reader's own study may use.
ACTIVATIONS = ("relu", "sigmoid", "tanh", "gelu", "elu", "selu", "silu", "softplus", "leaky_relu", "relu6", "mish")


def dense(keras: Any, activation: str) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6)),
            layers.Flatten(),
            layers.Dense(9, activation=activation),
            layers.Dense(3, activation="softmax"),
        ]
    )


def convolutional(keras: Any, activation: str) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Activation(activation),
            layers.MaxPooling2D(2),
            layers.DepthwiseConv2D(3, padding="same", activation=activation),
            layers.GlobalAveragePooling2D(),
            layers.Dense(9, activation=activation),
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.mark.parametrize(
    ("build", "activation"), [(dense, "relu"), *((convolutional, activation) for activation in ACTIVATIONS)]
)
def test_onnx_answers_as_keras_does(build: Any, activation: str, keras: Any) -> None:
    keras.utils.set_random_seed(1)
    model = build(keras, activation)
    images = np.random.default_rng(0).integers(0, 256, (20, *model.input_shape[1:])).astype(np.uint8)

    found = OnnxModel(to_onnx(model, Images(shape=model.input_shape[1:])), threads=1)

    expected = np.asarray(model(images.astype(np.float32) / 255, training=False))
    assert np.ptp(expected[:, 0]) > 1e-4, "the answers must differ between images for this to say much"
    assert np.abs(found.predict({IMAGE: images}) - expected).max() < 1e-5


def test_inputs_and_outputs_have_their_names_and_any_number_of_images(keras: Any) -> None:
    import onnx

    proto = onnx.load_model_from_string(to_onnx(dense(keras, "gelu"), Images(shape=(6, 6))))

    assert [each.name for each in proto.graph.input] == [IMAGE]
    assert [each.name for each in proto.graph.output] == [OUTPUT]
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "examples"
    assert {node.domain for node in proto.graph.node} <= {"", "ai.onnx"}


def test_inputs_that_are_standardized_at_a_small_scale_stay_so_in_onnx(keras: Any) -> None:
    features = np.random.default_rng(0).normal(3e-10, 1e-10, (20, 3)).astype(np.float32)
    layers = keras.layers
    model = keras.Sequential([keras.Input((3,)), standardization(), layers.Dense(2, activation="softmax")])
    model.layers[0].adapt(features)

    found = OnnxModel(to_onnx(model, Numbers(shape=(3,))), threads=1).predict({NUMBERS: features})

    expected = np.asarray(model(features, training=False))
    assert np.ptp(expected[:, 0]) > 0.1, "the answers must differ between examples for this to say much"
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_part_that_onnx_does_not_know_is_told(keras: Any) -> None:
    import tensorflow as tf

    class Unknown(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return tf.raw_ops.Betainc(a=x + 1, b=x + 1, x=x)

    layers = keras.layers
    model = keras.Sequential([keras.Input((6, 6)), layers.Flatten(), Unknown(), layers.Dense(3, activation="softmax")])

    with pytest.raises(ExportFailedError, match="Betainc"):
        to_onnx(model, Images(shape=(6, 6)))


# --------------------------------------------------------------------------------------- what was trained on features


def trained_head(keras: Any) -> Any:
    """A head that says how green an image is against how red."""
    model = linear_head((1, 1, 3), 2)()
    model.layers[0].adapt(np.array([[0.4] * 3, [0.6] * 3], np.float32).reshape(2, 1, 1, 3))
    model.layers[-1].set_weights([np.array([[1, -1], [-1, 1], [0, 0]], np.float32), np.array([0.5, 0], np.float32)])
    return model


def test_a_head_behind_its_network_takes_pixels_and_answers_as_keras_does(keras: Any) -> None:
    head = trained_head(keras)
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 5, 3)).astype(np.uint8)

    model = OnnxModel(head_to_onnx(head, tiny_frozen.onnx_of((4, 5, 3), images="images")), threads=1)

    expected = np.asarray(head(tiny_frozen.channel_means(images), training=False))
    assert np.ptp(expected[:, 0]) > 0.1
    assert model.predict({IMAGE: images}) == pytest.approx(expected, abs=1e-6)
    assert (model.signature.inputs, model.signature.classes) == (Images(shape=(4, 5, 3)).arrays, 2)

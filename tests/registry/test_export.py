"""A Keras model as an ONNX file: the same answers, from the pixels themselves."""

from typing import Any

import numpy as np
import pytest

from fortydays.registry.export import to_onnx
from fortydays.registry.inference import INPUT, OUTPUT, OnnxModel

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
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("build", [dense, convolutional])
def test_onnx_answers_as_keras_does(build: Any, activation: str, keras: Any) -> None:
    keras.utils.set_random_seed(1)
    model = build(keras, activation)
    images = np.random.default_rng(0).integers(0, 256, (20, *model.input_shape[1:])).astype(np.uint8)

    found = OnnxModel(to_onnx(model), threads=1)

    expected = np.asarray(model(images.astype(np.float32) / 255, training=False))
    assert np.ptp(expected[:, 0]) > 1e-4, "the answers must differ between images for this to say much"
    assert np.abs(found.predict(images) - expected).max() < 1e-5


def test_inputs_and_outputs_have_their_names_and_any_number_of_images(keras: Any) -> None:
    import onnx

    proto = onnx.load_model_from_string(to_onnx(dense(keras, "gelu")))

    assert [each.name for each in proto.graph.input] == [INPUT]
    assert [each.name for each in proto.graph.output] == [OUTPUT]
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "images"
    assert {node.domain for node in proto.graph.node} <= {"", "ai.onnx"}

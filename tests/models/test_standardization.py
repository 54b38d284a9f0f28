"""Inputs of any scale, standardized; and the layer that does it in a file and in training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fortydays.models.standardization import objects, standardization
from fortydays.train.framework import build_model
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trainer
from made_up_data import data_of, split_of

EXAMPLES = np.random.default_rng(0).normal([0.0, 3.0, 100.0], [1.0, 0.5, 2.0], (200, 3)).astype(np.float32)


def adapted(examples: NDArray[np.float32]) -> Any:
    layer = standardization()
    layer.adapt(examples)
    return layer


def outputs(examples: NDArray[np.float32]) -> NDArray[Any]:
    return np.asarray(adapted(examples)(examples))


def test_each_column_gets_a_mean_of_0_and_a_deviation_of_1(keras: Any) -> None:
    found = outputs(EXAMPLES)

    assert found.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-4)
    assert found.std(axis=0) == pytest.approx(np.ones(3), abs=1e-4)


@pytest.mark.parametrize("scale", [1e-30, 1e-19, 1e-9, 1e9, 1e30])
def test_the_scale_of_the_inputs_changes_nothing(scale: float, keras: Any) -> None:
    assert outputs(EXAMPLES * np.float32(scale)) == pytest.approx(outputs(EXAMPLES), abs=2e-4)


def test_each_column_may_have_a_scale_of_its_own(keras: Any) -> None:
    scales = np.array([1e-9, 1e9, 1.0], np.float32)

    assert outputs(EXAMPLES * scales) == pytest.approx(outputs(EXAMPLES), abs=2e-4)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e9, 1e-40])
def test_a_constant_column_becomes_0_also_for_examples_with_another_value(constant: float, keras: Any) -> None:
    examples = EXAMPLES.copy()
    examples[:, 1] = constant
    layer = adapted(examples)

    assert np.asarray(layer(examples))[:, 1].tolist() == [0] * len(examples)
    assert np.asarray(layer(EXAMPLES))[:, 1].tolist() == [0] * len(examples)


def test_the_columns_of_images_are_their_channels(keras: Any) -> None:
    images = EXAMPLES.reshape(8, 5, 5, 3) * np.float32(1e-9)

    assert outputs(images) == pytest.approx(outputs(EXAMPLES).reshape(8, 5, 5, 3), abs=2e-4)


def network() -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input((3,)), standardization(), layers.Dense(2, activation="softmax")])


def test_a_saved_network_answers_as_before(tmp_path: Path, keras: Any) -> None:
    examples = EXAMPLES * np.float32(1e-9)
    model = build_model(network, seed=0, precision="float32", seen=lambda: examples)
    before = np.asarray(model(examples))
    assert np.ptp(before[:, 0]) > 0.1

    model.save(tmp_path / "network.keras")

    loaded = keras.models.load_model(tmp_path / "network.keras", custom_objects=objects())
    np.testing.assert_array_equal(before, np.asarray(loaded(examples)))


def test_a_network_learns_from_inputs_of_1e_minus_10(keras: Any) -> None:
    split = split_of(EXAMPLES * np.float32(1e-10), (EXAMPLES[:, 0] > 0).astype(np.uint8))
    recipe = Recipe(epochs=20, batch_size=20, learning_rate=0.1)

    trainer = Trainer(builder=network, recipe=recipe, data=data_of(split, split, classes=2))
    trainer.train(seed=0)

    assert trainer.evaluate(split).accuracy > 0.95

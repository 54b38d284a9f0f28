"""A substitute computes the function of the Keras layer it stands for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tiny_training import CLASSES, RECIPE, SIZE, bits, convolutional, linear, with_dropout

from fortydays.data.arrays import TrainingData
from fortydays.train.framework import build_model
from fortydays.train.substitutes import substituted
from fortydays.train.trainer import Trainer

TrainerOf = Callable[..., Trainer]


@pytest.fixture(scope="module")
def fast(keras: Any) -> Any:
    """The layer that stands for a dropout of a quarter, and its output for ones and the slope, compiled by XLA."""
    import tensorflow as tf

    model = keras.Sequential([keras.Input((1000,)), keras.layers.Dropout(0.25, seed=3)])
    layer = substituted(model).layers[-1]

    @tf.function(jit_compile=True, autograph=False)
    def run(inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        return outputs, tape.gradient(outputs, inputs)

    return layer, lambda inputs: [r.numpy() for r in run(tf.constant(inputs))]


def test_it_drops_its_share_and_scales_the_rest(fast: Any) -> None:
    _, run = fast
    outputs, _ = run(np.full((100, 1000), 3.0, np.float32))
    assert set(np.unique(outputs)) == {0.0, 4.0}
    # 100,000 coins: the share has a standard deviation of 0.0014.
    assert np.mean(outputs == 0) == pytest.approx(0.25, abs=0.007)
    assert np.mean(outputs == 0, axis=0).max() < 0.6
    assert np.mean(outputs == 0, axis=1).max() < 0.35


def test_every_step_drops_others_and_the_same_state_drops_the_same(fast: Any) -> None:
    layer, run = fast
    ones = np.ones((10, 1000), np.float32)
    state = layer.seed_generator.state.numpy()
    first, second = run(ones)[0], run(ones)[0]
    assert 0.5 < np.mean(first == second) < 0.75  # by chance: 0.75² + 0.25²
    layer.seed_generator.state.assign(state)
    assert (run(ones)[0] == first).all()


def test_its_slope_is_that_of_a_mask(fast: Any) -> None:
    _, run = fast
    inputs = np.random.default_rng(0).normal(size=(10, 1000)).astype(np.float32)
    outputs, slope = run(inputs)
    assert set(np.unique(slope)) == {np.float32(0), np.float32(1 / 0.75)}
    assert outputs == pytest.approx(inputs * slope, rel=1e-6)


def test_it_is_the_identity_when_a_model_answers(fast: Any) -> None:
    layer, _ = fast
    inputs = np.random.default_rng(0).normal(size=(10, 1000)).astype(np.float32)
    assert (np.array(layer(inputs, training=False)) == inputs).all()
    assert (np.array(layer(inputs)) == inputs).all()


def test_a_rate_of_zero_drops_nothing(keras: Any) -> None:
    layer = substituted(keras.Sequential([keras.Input((5,)), keras.layers.Dropout(0.0)])).layers[-1]
    assert (np.array(layer(np.ones((2, 5), np.float32), training=True)) == 1).all()


def test_its_model_has_the_variables_and_the_layers_of_the_plain_one(keras: Any) -> None:
    plain = build_model(with_dropout, seed=0, precision="float32")
    weights = plain.get_weights()
    found = substituted(plain)
    assert [(v.path.split("/")[-1], v.shape, v.dtype) for v in found.variables] == [
        (v.path.split("/")[-1], v.shape, v.dtype) for v in plain.variables
    ]
    assert bits(found.get_weights()) == bits(weights)
    kinds = [(type(a).__name__, type(b).__name__) for a, b in zip(plain.layers, found.layers, strict=True)]
    assert [k for k in kinds if k[0] != k[1]] == [("Dropout", "FastDropout")]
    assert found.layers[2].rate == 0.5


def test_a_model_without_dropout_or_one_that_is_code_stays_as_it_is(keras: Any) -> None:
    plain = build_model(linear, seed=0, precision="float32")
    assert substituted(plain) is plain

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.drop = keras.layers.Dropout(0.5)

        def call(self, inputs: Any, training: bool = False) -> Any:
            return self.drop(inputs, training=training)

    own = Own()
    assert substituted(own) is own


def test_a_functional_model_with_a_branch_keeps_its_shape(keras: Any) -> None:
    inputs = keras.Input((SIZE, SIZE))
    flat = keras.layers.Flatten()(inputs)
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(4, activation="relu")(flat))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Concatenate()([flat, hidden])))
    found = substituted(model)
    images = np.random.default_rng(0).random((2, SIZE, SIZE)).astype(np.float32)
    assert (np.array(found(images)) == np.array(model(images))).all()
    assert sum(type(layer).__name__ == "FastDropout" for layer in found.layers) == 1


def test_the_engine_trains_with_and_without_it(trainer_of: TrainerOf, data: TrainingData) -> None:
    recipe = RECIPE.replace(epochs=4)
    plain = Trainer(builder=with_dropout, recipe=recipe, data=data, substitutes=False)
    fast = trainer_of(with_dropout, recipe, data)
    assert any(type(layer).__name__ == "FastDropout" for layer in fast.model.layers)
    assert not any(type(layer).__name__ == "FastDropout" for layer in plain.model.layers)
    one, other = fast.train(seed=0, recipe=recipe), plain.train(seed=0, recipe=recipe)
    assert bits(one.variables) != bits(other.variables)
    for found in (one, other):
        assert found.history.points[-1].validation_loss < found.history.points[0].validation_loss
    assert one.history.points[-1].train_loss == pytest.approx(other.history.points[-1].train_loss, rel=0.2)


def test_convolutions_do_without_it(trainer_of: TrainerOf, pictures: TrainingData) -> None:
    trainer = trainer_of(convolutional, RECIPE, pictures)
    assert not any(type(layer).__name__ == "FastDropout" for layer in trainer.model.layers)

"""Dead units are counted after step 100 and at the end, and the count changes nothing of the training."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tiny_training import CLASSES, RECIPE, SIZE, bits, made_up_data, without_times

from fortydays.data.arrays import TrainingData
from fortydays.train import trainer as trainers
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.trainer import Trainer
from fortydays.train.units import dead_units

TEN_STEPS_AN_EPOCH = RECIPE.replace(epochs=12, learning_rate=1.0)
"""At this rate units die."""


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return made_up_data(320)


@pytest.fixture(scope="module")
def pictures() -> TrainingData:
    return made_up_data(320, channels=(1,))


def hidden() -> Any:
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((SIZE, SIZE)),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def with_bias(model: Any, layer: str, bias: list[float]) -> Any:
    found = model.get_layer(layer)
    found.set_weights([np.zeros_like(found.get_weights()[0]), np.array(bias, np.float32)])
    return model


def test_a_dense_unit_is_dead_where_no_example_makes_it_positive(keras: Any, data: TrainingData) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((SIZE, SIZE)), layers.Flatten(), layers.Dense(4, activation="relu", name="a"), layers.Dense(3)]
    )

    assert dead_units(with_bias(model, "a", [-1, 1, -1, -1]), data) == {"a": 0.75}


def test_a_model_that_grew_layer_by_layer_is_looked_at_too(keras: Any, data: TrainingData) -> None:
    model = keras.Sequential([keras.Input((SIZE, SIZE)), keras.layers.Flatten()])
    for _ in range(2):
        model.add(keras.layers.Dense(4))
        model.add(keras.layers.Activation("relu"))
    model.layers[1].set_weights([np.zeros((SIZE * SIZE, 4), np.float32), -np.ones(4, np.float32)])

    assert dead_units(model, data) == {"ReLU 1": 1.0, "ReLU 2": 1.0}


def test_a_unit_that_lives_for_one_example_is_not_dead(keras: Any, data: TrainingData) -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input((SIZE, SIZE)), layers.Flatten(), layers.Dense(2, activation="relu")])
    numbers = data.validation.array.reshape(len(data.validation), -1).astype(np.float32) / 255
    largest = numbers[:, 0].max()
    kernel = np.zeros((SIZE * SIZE, 2), np.float32)
    kernel[0] = 1
    model.layers[-1].set_weights([kernel, np.array([-largest, 0.001 - largest], np.float32)])

    assert dead_units(model, data) == {"ReLU 1": 0.5}


def test_a_unit_of_a_convolution_is_a_channel_and_every_kind_of_relu_counts(
    keras: Any, pictures: TrainingData
) -> None:
    layers = keras.layers
    inputs = keras.Input((SIZE, SIZE, 1))
    x = layers.Conv2D(2, 3, name="a", activation="relu")(inputs)
    x = layers.ReLU()(layers.Conv2D(4, 3, name="b")(x))
    x = layers.Activation("relu", name="last")(layers.Conv2D(2, 1, name="c")(x))
    x = layers.Dense(3, activation="tanh")(layers.Flatten()(layers.ReLU(max_value=6.0)(x)))
    model = keras.Model(inputs, x)
    for layer, bias in (("a", [1, -1]), ("b", [1, -1, 1, 1]), ("c", [-1, -1])):
        with_bias(model, layer, [float(b) for b in bias])

    assert dead_units(model, pictures) == {"a": 0.5, "ReLU 2": 0.25, "last": 1.0}


def test_models_that_must_not_be_computed_beside_the_training_are_left_out(keras: Any, data: TrainingData) -> None:
    class Own(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            raise AssertionError("it was called")

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    layers = keras.layers
    first = [keras.Input((SIZE, SIZE)), layers.Flatten(), layers.Dense(4, activation="relu")]

    for own in (Own(), layers.Lambda(lambda x: x)):
        assert dead_units(keras.Sequential([*first, own]), data) == {}
    nested = keras.Sequential([keras.Input((SIZE, SIZE)), keras.Sequential(first), layers.Dense(3)])
    assert dead_units(nested, data) == {}


def test_a_model_that_cannot_be_computed_fails_nothing(keras: Any, pictures: TrainingData) -> None:
    model = keras.Sequential([keras.Input((SIZE + 1,)), keras.layers.Dense(4, activation="relu")])

    assert dead_units(model, pictures) == {}


def test_the_count_is_of_step_100_and_of_the_end_and_changes_no_bit(
    keras: Any, data: TrainingData, trainer_of: Callable[..., Trainer]
) -> None:
    trainer = trainer_of(hidden, TEN_STEPS_AN_EPOCH, data)

    counted = trainer.train(seed=1, count_dead=True)
    plain = trainer.train(seed=1)

    assert (plain.dead_units, bits(plain.variables)) == ({}, bits(counted.variables))
    assert without_times(plain.history.as_columns()) == without_times(counted.history.as_columns())
    # A trial that ends after 100 steps has at its end what the longer one had on its way.
    short = trainer.train(seed=1, recipe=TEN_STEPS_AN_EPOCH.replace(epochs=10), count_dead=True)
    (name, shares), (_, of_short) = *counted.dead_units.items(), *short.dead_units.items()
    assert name == "ReLU 1"
    assert shares["early"] == of_short["early"] == of_short["end"]
    assert shares["end"] is not None and shares["end"] > 0.2, "this rate is chosen so that units die"


def test_where_calls_into_the_program_end_changes_no_count(
    keras: Any, trainer_of: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(hidden, TEN_STEPS_AN_EPOCH, made_up_data(224))  # seven steps, so step 100 ends no epoch
    counts = []
    for chunk in (1, 7):
        monkeypatch.setattr(trainers, "_next_chunk", lambda done, seconds, chunk=chunk: chunk)
        counts.append(trainer.train(seed=1, recipe=TEN_STEPS_AN_EPOCH.replace(epochs=16), count_dead=True).dead_units)

    assert counts[0]["ReLU 1"]["early"] is not None
    assert counts[0] == counts[1]


def test_a_trial_of_fewer_steps_tells_the_end_alone(
    keras: Any, data: TrainingData, trainer_of: Callable[..., Trainer]
) -> None:
    trained = trainer_of(hidden, TEN_STEPS_AN_EPOCH, data).train(
        seed=1, recipe=TEN_STEPS_AN_EPOCH.replace(epochs=9), count_dead=True
    )

    shares = trained.dead_units["ReLU 1"]
    assert shares["early"] is None
    assert shares["end"] is not None


def test_a_resumed_trial_counts_the_same(
    keras: Any, data: TrainingData, trainer_of: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "KEEP_AFTER", 0.0)
    trainer = trainer_of(hidden, TEN_STEPS_AN_EPOCH, data)
    kept: dict[int, Checkpoint] = {}

    whole = trainer.train(seed=2, count_dead=True, keep=lambda state: kept.update({state.state["epoch"]: state}))

    for epoch in (9, 10, 11):
        assert trainer.train(seed=2, count_dead=True, resume=kept[epoch]).dead_units == whole.dead_units

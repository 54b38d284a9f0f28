"""How the program meets Keras: threads, precision, optimizers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tiny_training import CLASSES, SIZE, linear, plain_convolutional

from fortydays.base.errors import FortydaysError, UsageError
from fortydays.tasks.classification import Classification
from fortydays.train.framework import (
    balanced_weights,
    build_loss,
    build_model,
    build_optimizer,
    build_training_loss,
    has_convolutions,
    load_keras,
    numbers_of_largest_layer,
    resolve_precision,
    set_variables,
)
from fortydays.train.recipe import OPTIMIZERS, Recipe
from made_up_data import input_of

OTHER_VALUES = {
    "momentum": 0.25,
    "nesterov": True,
    "rho": 0.25,
    "epsilon": 0.125,
    "centered": True,
    "beta_1": 0.25,
    "beta_2": 0.375,
    "amsgrad": True,
    "initial_accumulator_value": 0.5,
    "rest_rate": 2.0,
    "output_rate": 3.0,
    "rest_momentum": 0.25,
}


def as_shown(array: Any) -> Callable[[], Any]:
    """Images or numbers as a network gets them."""
    examples = input_of(array)
    return lambda: examples.in_numpy(examples.named(array))


def test_another_number_of_threads_needs_another_process(keras: Any) -> None:
    keras.ops.zeros(1)
    assert load_keras(threads=1) is keras
    with pytest.raises(FortydaysError) as raised:
        load_keras(threads=7)
    name = {"tensorflow": "TensorFlow", "jax": "JAX"}[keras.backend.backend()]
    assert raised.value.message == f"{name} already computes with 1 threads in this process; 7 were asked for."
    assert raised.value.hint == "Use another process."


def test_a_backend_that_training_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(UsageError, match="There is no KERAS_BACKEND 'torch'") as raised:
        load_keras(threads=1)
    assert "tensorflow, jax" in raised.value.hint


def test_a_backend_that_is_not_installed_names_the_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FortydaysError, match="KERAS_BACKEND is 'jax', which is not installed here") as raised:
        load_keras(threads=1)
    assert "Install it: make setup-jax" in raised.value.hint


def test_another_backend_than_the_running_one_needs_another_process(
    keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = keras.backend.backend()
    other = {"tensorflow": "jax", "jax": "tensorflow"}[running]
    monkeypatch.setenv("KERAS_BACKEND", other)
    with pytest.raises(FortydaysError, match=f"Keras already runs on '{running}' in this process; '{other}' was"):
        load_keras(threads=1)


@pytest.mark.parametrize(("optimizer", "option"), [(o, option) for o, known in OPTIMIZERS.items() for option in known])
def test_every_option_of_every_optimizer_reaches_keras(keras: Any, optimizer: str, option: str) -> None:
    default = build_optimizer(Recipe(epochs=1, optimizer=optimizer)).get_config()
    options = {option: OTHER_VALUES[option]}
    found = build_optimizer(Recipe(epochs=1, optimizer=optimizer, optimizer_options=options)).get_config()
    assert found[option] == OTHER_VALUES[option] != default[option]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_rate_and_weight_decay_reach_keras(keras: Any, optimizer: str) -> None:
    plain = build_optimizer(Recipe(epochs=1, optimizer=optimizer)).get_config()
    assert not plain["weight_decay"]
    built = build_optimizer(Recipe(epochs=1, optimizer=optimizer, learning_rate=0.5, weight_decay=0.25))
    assert type(built).__name__.lower() == optimizer
    found = built.get_config()
    assert found["learning_rate"] == 0.5
    assert found["weight_decay"] == 0.25


def test_the_largest_layer_of_a_model(keras: Any) -> None:
    layers, inputs = keras.layers, keras.Input((8, 8, 3))
    seen = layers.Conv2D(16, 3, padding="same")(inputs)  # takes 192 numbers and gives 1,024
    seen = layers.MaxPooling2D(4)(seen)  # takes 1,024 and gives 64
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(seen)))
    assert numbers_of_largest_layer(model) == 192 + 1024
    outer = keras.Sequential([keras.Input((8, 8, 3)), model, layers.Softmax()])
    assert numbers_of_largest_layer(outer) == 192 + 1024
    words = keras.Input((40, 4))
    joined = keras.Model(words, layers.MultiHeadAttention(2, 3)(words, words[:, :10]))
    # Queries of 40 places, 10 to look at, 40 answers; 2 heads with 400 scores each.
    assert numbers_of_largest_layer(joined) == 160 + 40 + 160 + 800
    of_any_length = keras.Sequential([keras.Input((None,)), layers.Embedding(9, 5), layers.LSTM(2), layers.Dense(2)])
    assert numbers_of_largest_layer(of_any_length) == 2 + 2


def test_a_layer_that_cannot_compute_in_bfloat16_is_told_with_the_way_out(keras: Any) -> None:
    class Stubborn(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            if keras.backend.standardize_dtype(x.dtype) == "bfloat16":
                raise TypeError("Cannot convert 1.0 to a tensor of dtype bfloat16")
            return x + 1.0

    def model() -> Any:
        return keras.Sequential([keras.Input((4,)), Stubborn(name="mine"), keras.layers.Dense(2)])

    build_model(model, seed=0, precision="float32")
    with pytest.raises(UsageError) as error:
        build_model(model, seed=0, precision="bfloat16")
    assert "The model cannot be built at the layer 'mine' (Stubborn): TypeError: " in error.value.message
    assert error.value.message.endswith("Cannot convert 1.0 to a tensor of dtype bfloat16")
    assert error.value.hint == (
        'It computes in bfloat16 here. If it can do so in float32 only, set precision="float32" in the recipe.'
    )


def test_what_keras_refuses_is_told_as_the_users_mistake(keras: Any) -> None:
    with pytest.raises(UsageError, match=r"Keras refuses the optimizer 'lion' as the recipe has it: .*beta_1"):
        build_optimizer(Recipe(epochs=1, optimizer="lion", optimizer_options={"beta_1": 0.0}))


def test_losses_by_hand(keras: Any) -> None:
    labels = np.array([0, 2], np.int32)
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32)
    recipe = Recipe(epochs=1)

    def loss(recipe: Recipe) -> list[float]:
        found: list[float] = np.array(
            build_loss(recipe, Classification(classes=CLASSES))(labels, probabilities)
        ).tolist()
        return found

    assert loss(recipe) == pytest.approx([-np.log(0.5), -np.log(0.8)], rel=1e-5)
    # Smoothing by 0.3 takes 0.3 of the label and gives each class 0.1 of it.
    smooth = [
        -0.8 * np.log(0.5) - 0.1 * np.log(0.25) - 0.1 * np.log(0.25),
        -0.1 * np.log(0.1) - 0.1 * np.log(0.1) - 0.8 * np.log(0.8),
    ]
    assert loss(recipe.replace(label_smoothing=0.3)) == pytest.approx(smooth, rel=1e-5)
    squares = [(0.25 + 0.0625 + 0.0625) / 3, (0.01 + 0.01 + 0.04) / 3]
    assert loss(recipe.replace(loss="mean_squared_error")) == pytest.approx(squares, rel=1e-5)


@pytest.mark.parametrize(
    ("precision", "convolutions", "fast", "expected"),
    [
        ("auto", True, True, "bfloat16"),
        ("auto", True, False, "float32"),
        ("auto", False, True, "float32"),
        ("float32", True, True, "float32"),
        ("bfloat16", False, False, "bfloat16"),
    ],
)
def test_bfloat16_is_taken_where_it_gains_or_where_it_is_asked_for(
    precision: str, convolutions: bool, fast: bool, expected: str
) -> None:
    recipe = Recipe(epochs=1, precision=precision)
    assert resolve_precision(recipe, convolutions=convolutions, bfloat16_is_fast=fast) == expected


def test_images_that_pooling_reduces_to_nothing_are_told_with_the_layer(keras: Any) -> None:
    layers = keras.layers

    def build() -> Any:
        poolings = [layers.MaxPooling2D(2, name=f"pool_{i}") for i in range(3)]
        return keras.Sequential([keras.Input((6, 6, 1)), *poolings, layers.Flatten(), layers.Dense(3)])

    with pytest.raises(UsageError) as raised:
        build_model(build, seed=0, precision="float32")
    assert raised.value.message == (
        "The images are too small for the model: the layer 'pool_2' (MaxPooling2D), which gets 1 x 1 x 1, "
        "has nothing left of them to give on."
    )
    assert raised.value.hint == "Use larger images, fewer poolings, or padding='same'."


def test_layers_that_do_not_fit_together_are_told_with_the_layers_name(keras: Any) -> None:
    def build() -> Any:
        return keras.Sequential([keras.Input((6, 6)), keras.layers.Conv2D(2, 3, name="first")])

    with pytest.raises(UsageError, match=r"cannot be built at the layer 'first' \(Conv2D\): .*expected min_ndim"):
        build_model(build, seed=0, precision="float32")


def normalized() -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input((2,)), layers.Normalization(), layers.Dense(CLASSES, activation="softmax")])


def test_layers_that_adapt_see_the_training_images_as_the_network_does(keras: Any) -> None:
    images = np.array([[0, 255], [255, 255]], np.uint8)  # as numbers from 0 to 1: means 0.5 and 1
    model = build_model(normalized, seed=0, precision="float32", seen=as_shown(images))
    assert np.array(model.layers[0](np.array([[0.5, 1.0], [1.0, 1.0]], np.float32))) == pytest.approx(
        np.array([[0, 0], [1, 0]])
    )


def test_layers_that_adapt_see_features_as_they_are(keras: Any) -> None:
    features = np.array([[0, 255], [255, 255]], np.float32)
    model = build_model(normalized, seed=0, precision="float32", seen=as_shown(features))
    assert np.array(model.layers[0].mean).ravel() == pytest.approx([127.5, 255])


def test_examples_are_made_only_for_layers_that_adapt(keras: Any) -> None:
    made: list[str] = []
    build_model(linear, seed=0, precision="float32", seen=lambda: made.append("examples"))
    assert made == []


def test_balanced_weights_by_hand() -> None:
    # Three of the first class and one of the second: each class weighs two in all, an example one in the mean.
    assert balanced_weights(np.array([0, 1, 0, 0], np.uint8), 2).tolist() == [pytest.approx(2 / 3), 2]
    assert balanced_weights(np.array([0, 1, 2], np.uint8), 3).tolist() == [1, 1, 1]
    # A class that is not there is left out: those that are share the examples.
    assert balanced_weights(np.array([0, 2, 0, 0], np.uint8), 3).tolist() == [pytest.approx(2 / 3), 0, 2]


def test_the_training_loss_is_the_loss_unless_classes_are_weighted(keras: Any) -> None:
    labels, probabilities = np.array([0, 1], np.int32), np.array([[0.5, 0.5], [0.25, 0.75]], np.float32)
    of_split, two = np.array([0, 1, 0, 0], np.uint8), Classification(classes=2)
    loss = build_loss(Recipe(epochs=1), two)
    assert build_training_loss(Recipe(epochs=1), loss, labels=of_split, task=two) is loss
    balanced = Recipe(epochs=1, class_weights="balanced")
    weighted = build_training_loss(balanced, loss, labels=of_split, task=two)
    assert np.array(weighted(labels, probabilities)) == pytest.approx([-2 / 3 * np.log(0.5), -2 * np.log(0.75)])


def test_a_layer_that_adapts_behind_others_sees_what_they_give(keras: Any) -> None:
    def build() -> Any:
        layers = keras.layers
        return keras.Sequential(
            [keras.Input((2,)), layers.Rescaling(2.0, offset=-1.0), layers.Normalization(), layers.Dense(3)]
        )

    images = np.array([[0, 255], [255, 255]], np.uint8)  # rescaled: means 0 and 1
    model = build_model(build, seed=0, precision="float32", seen=as_shown(images))
    assert np.array(model.layers[1].mean).ravel() == pytest.approx([0, 1])


def test_a_layer_inside_another_model_cannot_adapt_and_is_named(keras: Any) -> None:
    def build() -> Any:
        inner = keras.Sequential([keras.Input((2,)), keras.layers.Normalization(name="scale")])
        return keras.Sequential([keras.Input((2,)), inner, keras.layers.Dense(3)])

    with pytest.raises(UsageError, match=r"The layer 'scale' \(Normalization\) cannot be adapted"):
        build_model(build, seed=0, precision="float32", seen=as_shown(np.zeros((4, 2), np.uint8)))


def test_variables_given_later_carry_what_a_layer_adapted_to(keras: Any) -> None:
    images = np.array([[0, 255], [255, 255]], np.uint8)
    adapted = build_model(normalized, seed=0, precision="float32", seen=as_shown(images))
    fresh = build_model(normalized, seed=1, precision="float32")
    set_variables(fresh, [np.array(v) for v in adapted.variables])
    inputs = np.array([[0.25, 0.75]], np.float32)
    assert np.array_equal(np.array(fresh(inputs)), np.array(adapted(inputs)))


def test_in_bfloat16_the_last_layer_gives_float32_probabilities(keras: Any) -> None:
    model = build_model(plain_convolutional, seed=0, precision="bfloat16")
    images = np.zeros((2, SIZE, SIZE, 1), np.float32)
    assert keras.backend.standardize_dtype(model.layers[0](images).dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(model(images).dtype) == "float32"
    nested = build_model(
        lambda: keras.Sequential([keras.Input((SIZE, SIZE, 1)), plain_convolutional()]), seed=0, precision="bfloat16"
    )
    assert keras.backend.standardize_dtype(nested(images).dtype) == "float32"


def test_convolutions_are_found_also_inside_another_model(keras: Any) -> None:
    assert not has_convolutions(linear())
    assert has_convolutions(plain_convolutional())
    assert has_convolutions(keras.Sequential([keras.Input((SIZE, SIZE, 1)), plain_convolutional()]))


def test_a_seed_decides_the_weights_and_nothing_else_does(keras: Any) -> None:
    def weights(seed: int) -> bytes:
        return b"".join(w.tobytes() for w in build_model(linear, seed=seed, precision="float32").get_weights())

    first = weights(3)
    assert weights(4) != first
    assert weights(3) == first


def test_precision_is_that_of_one_model_only(keras: Any) -> None:
    def fails() -> Any:
        raise KeyError("no model")

    assert build_model(linear, seed=0, precision="bfloat16").compute_dtype == "bfloat16"
    assert build_model(linear, seed=0, precision="bfloat16").dtype == "float32"
    with pytest.raises(
        UsageError, match=r"test_framework\.py, line \d+: The model cannot be built: KeyError: 'no model'"
    ):
        build_model(fails, seed=0, precision="bfloat16")
    assert build_model(linear, seed=0, precision="float32").compute_dtype == "float32"
    assert linear().compute_dtype == "float32"

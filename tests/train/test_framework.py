"""How the program meets Keras: threads, precision, optimizers."""

from typing import Any

import pytest
from tiny_training import CLASSES, SIZE, linear, plain_convolutional

from fortydays.base.errors import FortydaysError, UsageError
from fortydays.train.framework import (
    build_loss,
    build_model,
    build_optimizer,
    has_convolutions,
    load_keras,
    resolve_precision,
)
from fortydays.train.recipe import OPTIMIZERS, Recipe

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
}


def test_another_number_of_threads_needs_another_process(keras: Any) -> None:
    keras.ops.zeros(1)
    assert load_keras(threads=1) is keras
    with pytest.raises(FortydaysError) as raised:
        load_keras(threads=7)
    assert raised.value.message == "TensorFlow already computes with 1 threads in this process; 7 were asked for."
    assert raised.value.hint == "Use another process."


def test_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(UsageError, match="KERAS_BACKEND is 'jax'") as raised:
        load_keras(threads=1)
    assert "Unset KERAS_BACKEND" in raised.value.hint


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


def test_what_keras_refuses_is_told_as_the_users_mistake(keras: Any) -> None:
    with pytest.raises(UsageError, match=r"Keras refuses the optimizer 'lion' as the recipe has it: .*beta_1"):
        build_optimizer(Recipe(epochs=1, optimizer="lion", optimizer_options={"beta_1": 0.0}))


def test_losses_by_hand(keras: Any) -> None:
    import numpy as np

    labels = np.array([0, 2], np.int32)
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32)
    recipe = Recipe(epochs=1)

    def loss(recipe: Recipe) -> list[float]:
        found: list[float] = np.array(build_loss(recipe, CLASSES)(labels, probabilities)).tolist()
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
    with pytest.raises(KeyError):
        build_model(fails, seed=0, precision="bfloat16")
    assert build_model(linear, seed=0, precision="float32").compute_dtype == "float32"
    assert linear().compute_dtype == "float32"

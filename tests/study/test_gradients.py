"""Sizes of gradients: as one computes them by hand, at the start and at the end, on either backend."""

from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.study.gradients import SMALLEST, gradient_at, gradient_measures, norms_of_gradients

IMAGES = np.array([[255, 0], [0, 51], [102, 102], [0, 0]], np.uint8)
LABELS = np.array([0, 1, 1, 0], np.uint8)


def two_layers(keras: Any, *, activation: str = "linear") -> Any:
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(2, activation=activation),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.set_weights(
        [np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([0.5, 0.0]), np.array([[1.0, 0.0], [0.5, 2.0]]), np.zeros(2)]
    )
    return model


def test_the_norms_are_those_of_the_textbook(keras: Any) -> None:
    model = two_layers(keras)
    first, shift, second, _ = (w.astype(np.float64) for w in model.get_weights())
    x = IMAGES / 255
    hidden = x @ first + shift
    logits = hidden @ second
    answers = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    slope = (answers - np.eye(2)[LABELS]) / 4
    expected = [np.linalg.norm(x.T @ (slope @ second.T)), np.linalg.norm(hidden.T @ slope)]
    found = norms_of_gradients(model, IMAGES, LABELS)
    assert found == pytest.approx(expected, rel=1e-5)
    assert gradient_at(1)(model, IMAGES, LABELS) == pytest.approx(np.log10(expected[0]), abs=1e-5)
    assert gradient_at(-1)(model, IMAGES, LABELS) == gradient_at(2)(model, IMAGES, LABELS)
    # Of the first two examples alone.
    few = norms_of_gradients(model, IMAGES[:2], LABELS[:2])[0]
    assert gradient_at(1, examples=2)(model, IMAGES, LABELS) == pytest.approx(np.log10(few), abs=1e-6)
    assert few != pytest.approx(expected[0], rel=0.01)
    assert [w.tolist() for w in model.get_weights()[:1]] == [first.tolist()]


def test_a_gradient_of_zero_has_a_logarithm_that_can_be_drawn(keras: Any) -> None:
    model = two_layers(keras, activation="relu")
    weights = model.get_weights()
    weights[0], weights[1] = -np.ones((2, 2)), -np.ones(2)  # all units are dead
    model.set_weights(weights)
    assert norms_of_gradients(model, IMAGES, LABELS).tolist() == [0, 0]
    assert gradient_at(1)(model, IMAGES, LABELS) == np.log10(SMALLEST) == -40


def test_only_kernels_count_and_batch_normalization_sees_the_batch(keras: Any) -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(2, 3),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1)).astype(np.uint8)
    labels = np.arange(8).astype(np.uint8) % 3
    before = [np.array(v.numpy()) for v in model.variables]
    found = norms_of_gradients(model, images, labels)
    assert found.shape == (2,)  # of six trainable variables
    assert (found > 0).all()
    assert all((one == v.numpy()).all() for one, v in zip(before, model.variables, strict=True))
    # What is normalized by its batch does not depend on the scale of the kernel: ten times the kernel, a tenth of it.
    kernel = model.layers[0].kernel
    model.layers[3].rate = 0.0
    kernel.assign(10 * kernel.numpy())
    scaled = norms_of_gradients(model, images, labels)[0]
    kernel.assign(kernel.numpy() / 10)
    assert norms_of_gradients(model, images, labels)[0] == pytest.approx(10 * scaled, rel=0.1)


def test_tokens_are_given_as_they_are(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            layers.Embedding(5, 2),
            layers.LSTM(2),
            layers.Dense(2, activation="softmax"),
        ]
    )
    tokens = np.array([[1, 2, 3], [4, 0, 1]], np.int32)
    assert norms_of_gradients(model, tokens, LABELS[:2]).shape == (3,)  # kernel, recurrent kernel, and of the answer


def test_what_cannot_be_measured_is_told(keras: Any) -> None:
    model = two_layers(keras)
    with pytest.raises(UsageError) as error:
        gradient_at(3)(model, IMAGES, LABELS)
    assert error.value.message == "The gradient is measured at kernel 3, but the model has 2."
    assert error.value.hint == "Take a place from 1 to 2, or -1 for the last one."
    with pytest.raises(UsageError, match="The gradient is measured at kernel 0"):
        gradient_at(0)
    bare = keras.Sequential([keras.Input((2,)), keras.layers.Softmax()])
    with pytest.raises(UsageError, match="The model has no kernel"):
        norms_of_gradients(bare, IMAGES, LABELS)
    with pytest.raises(UsageError, match="There are no examples"):
        norms_of_gradients(model, IMAGES[:0], LABELS[:0])


def test_measures_have_names_by_place() -> None:
    found = gradient_measures(1, 2, -1, -2, variants=("a", "b"))
    assert [m.name for m in found] == ["gradient_1", "gradient_2", "gradient_last", "gradient_last_2"]
    assert {(m.variants, m.at, m.labels) for m in found} == {(("a", "b"), "start", True)}
    assert gradient_measures(1, variants=("a",), at="end")[0].at == "end"

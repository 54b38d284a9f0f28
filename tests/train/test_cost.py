"""Multiply-adds, counted by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from fortydays.train.cost import count_of, multiply_adds


def test_layers_are_counted_as_one_does_on_paper(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same"),  # 8 * 8 positions, 3 * 3 * 3 inputs, 4 filters
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.DepthwiseConv2D(3, padding="same"),  # 4 * 4 positions, 3 * 3 * 4
            layers.SeparableConv2D(2, 3, padding="same"),  # 4 * 4 positions, 3 * 3 * 4 and 4 * 2
            layers.Flatten(),
            layers.Dense(5),  # 32 * 5
        ]
    )
    assert multiply_adds(model) == 64 * 27 * 4 + 16 * 36 + 16 * (36 + 8) + 32 * 5


def test_a_model_inside_a_model_counts(keras: Any) -> None:
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    assert multiply_adds(keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(2)])) == 4 * 3 + 3 * 2


SEQUENCE = (7, 5)  # steps, numbers at each
IMAGE = (4, 6, 3)

LAYERS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any], int]] = {
    # Each step multiplies its 5 inputs and the 4 numbers before it with 4 gates (3 in a GRU).
    "lstm": (SEQUENCE, lambda k: k.layers.LSTM(4), 7 * (5 + 4) * 4 * 4),
    "unrolled lstm": (SEQUENCE, lambda k: k.layers.LSTM(4, unroll=True), 7 * (5 + 4) * 4 * 4),
    "gru": (SEQUENCE, lambda k: k.layers.GRU(4), 7 * (5 + 4) * 3 * 4),
    "simple": (SEQUENCE, lambda k: k.layers.SimpleRNN(4, return_sequences=True), 7 * (5 + 4) * 4),
    "bidirectional": (SEQUENCE, lambda k: k.layers.Bidirectional(k.layers.GRU(4)), 2 * 7 * (5 + 4) * 3 * 4),
    "at each step": (SEQUENCE, lambda k: k.layers.TimeDistributed(k.layers.Dense(2)), 7 * 5 * 2),
    "einsum": (SEQUENCE, lambda k: k.layers.EinsumDense("abc,cd->abd", output_shape=(None, 2)), 7 * 5 * 2),
    "einsum with dots": (SEQUENCE, lambda k: k.layers.EinsumDense("...x,xy->...y", output_shape=2), 7 * 5 * 2),
    # Queries, keys and values, 7 x 7 products of each of 2 heads, as many sums of values, and the way back.
    "attention": (
        SEQUENCE,
        lambda k: Itself(k, k.layers.MultiHeadAttention(2, 3)),
        3 * 7 * 5 * 6 + 2 * (2 * 7 * 7 * 3) + 7 * 6 * 5,
    ),
    "grouped": (IMAGE, lambda k: k.layers.Conv2D(6, 3, groups=3, padding="same"), 4 * 6 * 9 * 6),
    "transposed": (IMAGE, lambda k: k.layers.Conv2DTranspose(2, 3, strides=2, padding="same"), 4 * 6 * 9 * 3 * 2),
    "one axis": (SEQUENCE, lambda k: k.layers.Conv1D(4, 3), 5 * 3 * 5 * 4),
    "a layer of one's own": (
        SEQUENCE,
        lambda k: k.layers.Lambda(lambda x: k.ops.matmul(x, k.ops.transpose(x[0]))),
        7 * 7 * 5,
    ),
    "layer normalization": (SEQUENCE, lambda k: k.layers.LayerNormalization(), 0),
    "nested in time": (
        SEQUENCE,
        lambda k: k.layers.TimeDistributed(k.Sequential([k.Input((5,)), k.layers.Dense(3), k.layers.Dense(2)])),
        7 * (5 * 3 + 3 * 2),
    ),
    "depthwise, each channel twice": (
        IMAGE,
        lambda k: k.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
        4 * 6 * 9 * 6,
    ),
    "nothing": (SEQUENCE, lambda k: k.layers.GlobalAveragePooling1D(), 0),
}


def Itself(keras: Any, attention: Any) -> Any:  # noqa: N802 - stands for a layer
    inputs = keras.Input(SEQUENCE)
    return keras.Model(inputs, attention(inputs, inputs))


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_that_multiplies_is_counted(keras: Any, name: str) -> None:
    shape, layer, expected = LAYERS[name]
    assert multiply_adds(keras.Sequential([keras.Input(shape), layer(keras)])) == expected


def test_a_layer_that_is_used_twice_counts_twice(keras: Any) -> None:
    shared, inputs = keras.layers.Dense(4), keras.Input((4,))
    assert multiply_adds(keras.Model(inputs, shared(shared(inputs)))) == 2 * 4 * 4


def test_several_inputs_are_counted_together(keras: Any) -> None:
    words, picture = keras.Input((3,), dtype="int32"), keras.Input((4,))
    seen = keras.layers.Embedding(10, 2)(words)  # picked from a table: nothing is multiplied
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(seen), picture])
    assert multiply_adds(keras.Model([words, picture], keras.layers.Dense(2)(joined))) == (3 * 2 + 4) * 2


def test_a_model_that_is_used_twice_counts_twice(keras: Any) -> None:
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    one, other = keras.Input((4,)), keras.Input((4,))
    joined = keras.layers.Concatenate()([inner(one), inner(other)])
    assert multiply_adds(keras.Model([one, other], keras.layers.Dense(2)(joined))) == 2 * 4 * 4 + 8 * 2


def test_a_text_of_any_length_is_counted_at_the_length_that_is_told(keras: Any) -> None:
    model = keras.Sequential([keras.Input((None, 5)), keras.layers.SimpleRNN(4), keras.layers.Dense(2)])
    assert multiply_adds(model, shape=(3,)) == 3 * (5 * 4 + 4 * 4) + 4 * 2
    assert multiply_adds(keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)]), shape=(3,)) == 5 * 2


def test_what_cannot_be_told_is_unknown_and_has_a_reason(keras: Any) -> None:
    of_any_length = keras.Sequential([keras.Input((None, 5)), keras.layers.LSTM(4)])
    counted = count_of(of_any_length)
    assert (counted.multiply_adds, counted.reason) == (None, "its input has no fixed size: [(None, 5)]")

    def until_small(x: Any) -> Any:
        weights = keras.ops.ones((5, 5)) / 10
        return keras.ops.while_loop(lambda x: keras.ops.max(x) > 1, lambda x: (keras.ops.matmul(x, weights),), (x,))[0]

    def broken(x: Any) -> Any:
        raise RuntimeError("no")

    counted = count_of(keras.Sequential([keras.Input((5,)), keras.layers.Lambda(until_small)]))
    assert counted.multiply_adds is None
    assert counted.reason.endswith("depends on what is computed")
    model = keras.Sequential([keras.Input((5,)), keras.layers.Activation("relu")])
    model.layers[0].call = broken
    counted = count_of(model)
    assert counted.multiply_adds is None
    assert "RuntimeError" in counted.reason and "no" in counted.reason
    assert count_of(keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])).reason == ""

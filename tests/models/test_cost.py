"""Multiply-adds, counted by hand."""

from typing import Any

from fortydays.models.cost import multiply_adds


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

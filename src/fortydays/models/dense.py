"""Networks of dense layers."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def dense_network(
    *, activation: str | None = "relu", units: int = 128, input_shape: tuple[int, ...] = (28, 28), classes: int = 10
) -> "Callable[[], keras.Model]":
    """The network of day 1: flatten, one hidden dense layer, softmax.

    Args:
        activation: of the hidden layer, by its Keras name; None leaves it linear.
        units: in the hidden layer.
        input_shape: of an image.
        classes: how many probabilities it gives.

    Returns:
        A builder: each call gives a fresh, untrained model.
    """

    def build() -> "keras.Model":
        import keras
        from keras import layers

        return keras.Sequential(
            [
                keras.Input(input_shape),
                layers.Flatten(),
                layers.Dense(units, activation=activation),
                layers.Dense(classes, activation="softmax"),
            ]
        )

    return build

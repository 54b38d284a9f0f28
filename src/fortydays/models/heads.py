"""Small networks that learn from the features of a large one."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from fortydays.models.standardization import standardization

if TYPE_CHECKING:
    import keras


def linear_head(shape: tuple[int, ...], classes: int, *, dropout: float = 0.0) -> "Callable[[], keras.Model]":
    """A builder of multinomial logistic regression on standardized features, of whatever scale.

    Args:
        shape: of the features of one image: (1, 1, channels); or of the pixels, (height, width, channels); or of the
            features of one text: (channels,).
        classes: how many there are.
        dropout: share of the features that training hides at each step.
    """

    def build() -> "keras.Model":
        import keras
        from keras import layers

        return keras.Sequential(
            [
                keras.Input(shape),
                standardization(),
                layers.Flatten(),
                *([layers.Dropout(dropout)] if dropout else []),
                layers.Dense(classes, activation="softmax", kernel_initializer="zeros"),
            ]
        )

    return build


def fine_tuned_head(
    backbone: str, side: int, shape: tuple[int, int, int], classes: int, *, dropout: float = 0.2
) -> "Callable[[], keras.Model]":
    """A builder of a backbone's last block, to be trained further, with a new last layer.

    Args:
        backbone: its name.
        side: pixels of the images that the backbone sees, upwards and sideways.
        shape: of what the last block is given: (side / 32, side / 32, block_features), rounded up.
        classes: how many there are.
        dropout: share of the averaged features that training hides at each step.
    """

    def build() -> "keras.Model":
        import keras
        from keras import layers

        from fortydays.models.backbones import last_block

        return keras.Sequential(
            [
                keras.Input(shape),
                last_block(backbone, side),
                layers.GlobalAveragePooling2D(),
                layers.Dropout(dropout),
                layers.Dense(classes, activation="softmax"),
            ]
        )

    return build


def tuned_encoder(encoder: str, length: int, count: int, classes: int) -> "Callable[[], keras.Model]":
    """A builder of an encoder's last layers, to be trained further, with a linear layer behind them.

    Args:
        encoder: its name.
        length: pieces of the texts that it sees.
        count: how many layers. With all of them, the model takes pieces; with fewer, what the layers before give.
        classes: how many there are.
    """

    def build() -> "keras.Model":
        import keras
        from keras import layers

        from fortydays.models.encoders import find_encoder

        found = find_encoder(encoder)
        part = found.build_last(length, count)
        given = keras.Input(part.input_shape[1:], dtype=part.input.dtype)
        # The features have the length 1, so each number is small; standardized ones would each have a deviation of 1.
        features = layers.Rescaling(found.features**0.5)(part(given))
        return keras.Model(given, layers.Dense(classes, activation="softmax", kernel_initializer="zeros")(features))

    return build

"""A training problem one can see through: 6 x 6 pictures of three classes, each with its own bright band of rows."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from fortydays.data.arrays import Split, TrainingData
from fortydays.train.recipe import Recipe
from made_up_data import data_of, split_of

CLASSES = 3
SIZE = 6
RECIPE = Recipe(epochs=2, batch_size=32, learning_rate=0.01)


def made_up_split(count: int, *, seed: int, channels: tuple[int, ...] = ()) -> Split:
    """Rows 2k and 2k + 1 of class k are brighter than the noise, but not by so much that one step learns it."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count).astype(np.uint8)
    images = random.integers(0, 160, (count, SIZE, SIZE)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] += 60
    return split_of(images.reshape(count, SIZE, SIZE, *channels), labels)


def made_up_data(train: int = 256, *, channels: tuple[int, ...] = ()) -> TrainingData:
    return data_of(
        made_up_split(train, seed=1, channels=channels),
        made_up_split(64, seed=2, channels=channels),
        classes=CLASSES,
    )


def misleading_data() -> TrainingData:
    """Half of the training labels are wrong, so that learning them by heart soon makes the validation loss worse."""
    train = made_up_split(64, seed=3)
    wrong = np.random.default_rng(4).random(64) < 0.5
    labels = np.where(wrong, (train.labels + 1) % CLASSES, train.labels).astype(np.uint8)
    return data_of(split_of(train.array, labels), made_up_split(64, seed=2), classes=CLASSES)


def linear() -> Any:
    """Every pixel votes for every class."""
    from keras import Input, Sequential, layers

    return Sequential([Input((SIZE, SIZE)), layers.Flatten(), layers.Dense(CLASSES, activation="softmax")])


def penalized() -> Any:
    """A hidden layer, with an L2 penalty on its weights."""
    from keras import Input, Sequential, layers, regularizers

    return Sequential(
        [
            Input((SIZE, SIZE)),
            layers.Flatten(),
            layers.Dense(8, activation="relu", kernel_regularizer=regularizers.L2(0.01)),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def with_dropout() -> Any:
    """A hidden layer of which half the units are dropped."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((SIZE, SIZE)),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def convolutional() -> Any:
    """A convolution with batch normalization and dropout: moving averages and random numbers are part of its state."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((SIZE, SIZE, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def plain_convolutional() -> Any:
    """A convolution without anything random."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((SIZE, SIZE, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def bits(arrays: Sequence[Any]) -> str:
    """The arrays' bytes as one short text: equal texts mean equal bits."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[:16]


def without_times(columns: dict[str, list[float]]) -> dict[str, list[float]]:
    return {name: values for name, values in columns.items() if name != "seconds"}

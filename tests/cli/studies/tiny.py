"""A study small enough for a test: handwritten digits of 8 x 8 pixels, trained in a second."""

import keras
from keras import layers

from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confident_mistakes, confusion_matrix, first_layer_weights
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.01)


def network() -> keras.Model:
    """One hidden layer with dropout."""
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )


def linear() -> keras.Model:
    """No hidden layer."""
    return keras.Sequential([keras.Input((8, 8)), layers.Flatten(), layers.Dense(10, activation="softmax")])


study = Study(
    title="Tiny",
    dataset="digits",
    variants=(
        Variant(name="network", model=network, recipe=RECIPE, group="nets"),
        Variant(name="linear", model=linear, recipe=RECIPE),
    ),
    claims=(
        Threshold(sentence="Better than guessing", variant="network", metric="test_accuracy", at_least=0.5),
        Threshold(sentence="Never wrong", variant="network", metric="test_accuracy", at_least=1.0),
        Comparison(
            sentence="Depth helps", metric="test_accuracy", variant="network", than="linear", direction="above"
        ),
    ),
    seeds=(0, 1),
    exhibits=(
        confusion_matrix(variant="network"),
        confident_mistakes(variant="network", count=4),
        first_layer_weights(variant="network", count=4),
    ),
)

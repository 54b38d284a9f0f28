"""A study of seconds whose models are registered: a convolutional network and a linear one, on digits of 8 x 8."""

from typing import Any

from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=6, batch_size=32, learning_rate=0.01)


def convolution() -> Any:
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((8, 8)),
            layers.Normalization(axis=None),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(8, 3, padding="same"),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def linear() -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input((8, 8)), layers.Flatten(), layers.Dense(10, activation="softmax")])


study = Study(
    title="Registered networks",
    dataset="digits",
    variants=(
        # Both views of a digit, as it is and mirrored, are averaged: nonsense for digits, but part of the graph.
        Variant(name="convolution", model=convolution, recipe=RECIPE.replace(test_views="flip")),
        Variant(name="linear model", model=linear, recipe=RECIPE, description="nothing hidden"),
    ),
    claims=(
        Threshold(sentence="It beats guessing", variant="convolution", metric="test_accuracy", at_least=0.3),
        Comparison(
            sentence="It beats a linear model", metric="test_accuracy", variant="convolution", than="linear model",
            direction="above",
        ),
        Threshold(sentence="Linear is perfect", variant="linear model", metric="test_accuracy", at_least=1.0),
    ),
    seeds=(0, 1),
)  # fmt: skip

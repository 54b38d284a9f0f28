"""Day 1. A first neural network: what do 128 hidden units add to a linear classifier on MNIST?"""

import keras
from keras import layers

from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confident_mistakes, confusion_matrix, first_layer_weights
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=5, batch_size=32, optimizer="adam", learning_rate=0.001)


def network() -> keras.Model:
    """28 x 28 pixels, 128 hidden units, 10 probabilities."""
    return keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def linear() -> keras.Model:
    """The plain baseline: every pixel votes for every digit, and the votes are added."""
    return keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(10, activation="softmax")])


study = Study(
    title="First neural network",
    dataset="mnist",
    variants=(
        Variant(name="network", model=network, recipe=RECIPE, description="one hidden layer of 128 units"),
        Variant(name="linear", model=linear, recipe=RECIPE, description="no hidden layer"),
    ),
    claims=(
        Threshold(
            sentence="The first network is right on at least 97% of the test images",
            variant="network",
            metric="test_accuracy",
            at_least=0.97,
        ),
        Comparison(
            sentence="The hidden layer makes the network more accurate than a linear classifier",
            metric="test_accuracy",
            variant="network",
            than="linear",
            direction="above",
        ),
    ),
    first=(first_layer_weights(variant="linear"), first_layer_weights(variant="network", count=32)),
    exhibits=(confusion_matrix(variant="network"), confident_mistakes(variant="network", count=25)),
)

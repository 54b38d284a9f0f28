"""Day NN. TITLE: does a hidden layer read small digits better than a linear classifier?"""

import keras
from keras import layers

from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confusion_matrix, first_layer_weights
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=40, batch_size=32, optimizer="adam", learning_rate=0.003, schedule="cosine")


def network() -> keras.Model:
    """8 x 8 pixels, 32 hidden units, 10 probabilities."""
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def linear() -> keras.Model:
    """The control: every pixel votes for every digit, and the votes are added."""
    return keras.Sequential([keras.Input((8, 8)), layers.Flatten(), layers.Dense(10, activation="softmax")])


study = Study(
    title="TITLE",
    dataset="digits",
    variants=(
        Variant(name="network", model=network, recipe=RECIPE, description="one hidden layer of 32 units"),
        Variant(name="linear", model=linear, recipe=RECIPE, description="no hidden layer"),
    ),
    claims=(
        Threshold(
            sentence="The network is right on at least nine in ten of the test images",
            variant="network",
            metric="test_accuracy",
            at_least=0.9,
        ),
        Comparison(
            sentence="The hidden layer makes the network more accurate than a linear classifier",
            metric="test_accuracy",
            variant="network",
            than="linear",
            direction="above",
        ),
    ),
    first=(first_layer_weights(variant="linear"),),
    exhibits=(confusion_matrix(variant="network"),),
)

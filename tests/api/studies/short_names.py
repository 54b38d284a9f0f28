"""A study that takes all it needs from the package's public names; it trains in a second."""

import keras
from keras import layers

from fortydays import Recipe, Study, Threshold, Variant


def network() -> keras.Model:
    """One layer on pictures of 8 x 8 pixels."""
    return keras.Sequential([keras.Input((8, 8)), layers.Flatten(), layers.Dense(10, activation="softmax")])


study = Study(
    title="Short names",
    dataset="digits",
    variants=(Variant(name="network", model=network, recipe=Recipe(epochs=2, batch_size=16, learning_rate=0.01)),),
    claims=(Threshold(sentence="Better than guessing", variant="network", metric="test_accuracy", at_least=0.5),),
    seeds=(0, 1),
)

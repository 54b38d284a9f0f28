"""Day 2. Activation functions: what does the non-linearity of the hidden layer do, and which one is best?"""

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fortydays.models.dense import dense_network
from fortydays.study.claims import Comparison, Equivalent, InEverySeed
from fortydays.study.design import Measure, Study, Variant
from fortydays.study.exhibits import confusion_matrix
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=5, batch_size=32, optimizer="adam", learning_rate=0.001, evaluate_every=100)


def one_layer() -> keras.Model:
    """What two layers without an activation should be no better than."""
    return keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(10, activation="softmax")])


def collapse_error(model: keras.Model, images: NDArray[np.uint8]) -> float:
    """Largest difference between two linear layers and the one layer they multiply out to, over all probabilities.

    With no activation, (x W1 + b1) W2 + b2 = x (W1 W2) + (b1 W2 + b2).
    """
    hidden, output = (layer for layer in model.layers if layer.get_weights())
    (w1, b1), (w2, b2) = hidden.get_weights(), output.get_weights()
    pixels = images.reshape(len(images), -1).astype(np.float64) / 255
    composed = pixels @ (w1.astype(np.float64) @ w2) + (b1 @ w2 + b2)
    probabilities = np.exp(composed - composed.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    two_layers = model.predict(images.astype(np.float32) / 255, batch_size=5000, verbose=0)
    return float(np.abs(two_layers - probabilities).max())


study = Study(
    title="Activation functions",
    dataset="mnist",
    variants=(
        Variant(name="relu", model=dense_network(activation="relu"), recipe=RECIPE, description="max(0, z)"),
        Variant(name="sigmoid", model=dense_network(activation="sigmoid"), recipe=RECIPE, description="1 / (1 + e⁻ᶻ)"),
        Variant(name="tanh", model=dense_network(activation="tanh"), recipe=RECIPE, description="tanh z"),
        Variant(name="gelu", model=dense_network(activation="gelu"), recipe=RECIPE, description="z Φ(z)"),
        Variant(name="none", model=dense_network(activation=None), recipe=RECIPE, description="z, two linear layers"),
        Variant(name="one layer", model=one_layer, recipe=RECIPE, description="no hidden layer at all"),
    ),
    claims=(
        Comparison(
            sentence="ReLU reaches 95% validation accuracy in fewer steps than sigmoid",
            metric="steps_to_0.95",
            variant="relu",
            than="sigmoid",
            direction="below",
        ),
        Comparison(
            sentence="ReLU is more accurate than sigmoid after 5 epochs",
            metric="test_accuracy",
            variant="relu",
            than="sigmoid",
            direction="above",
        ),
        InEverySeed(
            sentence="Without an activation, two layers compute what one matrix computes",
            variant="none",
            metric="collapse_error",
            at_most=1e-5,
        ),
        Equivalent(
            sentence="Without an activation, two layers are no more accurate than one",
            metric="test_accuracy",
            variant="none",
            like="one layer",
            within=0.005,
        ),
    ),
    targets=(0.95,),
    measures=(Measure(name="collapse_error", variants=("none",), function=collapse_error),),
    exhibits=(confusion_matrix(variant="relu"), confusion_matrix(variant="none")),
)

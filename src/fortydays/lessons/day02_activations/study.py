"""Day 2. Activation functions: what does the non-linearity of the hidden layer do, and which one is best?"""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from fortydays.models.dense import dense_network
from fortydays.study.claims import Comparison, InEverySeed, NotWorse
from fortydays.study.design import Measure, Study, Variant
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.overviews import MetricOverview
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=5, batch_size=32, optimizer="adam", learning_rate=0.001, evaluate_every=100)


def bend(activation: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> float:
    """The share of an activation's variance that no straight line explains, if z is standard normal: 0 for a line."""
    z = np.linspace(-6, 6, 12001)
    weights = np.exp(-(z**2) / 2)
    centered = activation(z) - np.average(activation(z), weights=weights)
    explained = np.average(z * centered, weights=weights) ** 2
    return float(1 - explained / np.average(centered**2, weights=weights))


BENDS = {
    "relu": bend(lambda z: np.maximum(0, z)),
    "sigmoid": bend(expit),
    "tanh": bend(np.tanh),
    "gelu": bend(lambda z: z * ndtr(z)),
    "stretched": bend(lambda z: 4 * expit(z) - 2),
    "squeezed": bend(lambda z: expit(4 * z) - 0.5),
}


def one_layer() -> keras.Model:
    """What two layers without an activation should be no better than."""
    return keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(10, activation="softmax")])


def rescaled_sigmoid(*, scale: float = 1, inputs: float = 1) -> Callable[[], keras.Model]:
    """The network with scale · (σ(inputs · z) − 1/2) in its hidden layer. Its slope at zero is scale · inputs / 4."""

    def build() -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((28, 28)),
                layers.Flatten(),
                layers.Dense(128),
                layers.Rescaling(inputs),
                layers.Activation("sigmoid"),
                layers.Rescaling(scale, offset=-scale / 2),
                layers.Dense(10, activation="softmax"),
            ]
        )

    return build


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
        Variant(name="stretched", model=rescaled_sigmoid(scale=4), recipe=RECIPE, description="4 σ(z) − 2"),
        Variant(name="squeezed", model=rescaled_sigmoid(inputs=4), recipe=RECIPE, description="σ(4z) − 1/2"),
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
        NotWorse(  # one layer, so two are no better
            sentence="Without an activation, two layers are no more accurate than one",
            metric="test_accuracy",
            variant="one layer",
            than="none",
            within=0.005,
        ),
        NotWorse(  # a tenth of an epoch
            sentence="4 σ(z) − 2, a sigmoid with slope 1 at zero, reaches 95% at most 170 steps after ReLU",
            metric="steps_to_0.95",
            variant="stretched",
            than="relu",
            within=170,
        ),
        Comparison(  # both have slope 1 at zero
            sentence="σ(4z) − 1/2, with slope 1 at zero too but bent more, reaches 95% in fewer steps than 4 σ(z) − 2",
            metric="steps_to_0.95",
            variant="squeezed",
            than="stretched",
            direction="below",
        ),
    ),
    targets=(0.95,),
    measures=(Measure(name="collapse_error", variants=("none",), function=collapse_error),),
    first=(
        MetricOverview(
            title="Steps to 95% against the bend of the activation",
            caption="Steps until the validation accuracy reaches 95%, with their 95% interval over seeds. The bend is "
            "the share of the activation's variance that no straight line explains, if z is standard normal.",
            metric="steps_to_0.95",
            lines={name: {name: share} for name, share in BENDS.items()},
            x_label="bend of the activation",
            y_from=0,
        ),
    ),
    exhibits=(confusion_matrix(variant="relu"), confusion_matrix(variant="none")),
)

"""The towers of dense layers of day 11: six kinds, any depth, and how much of the gradient reaches their bottom."""

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers

from fortydays.study.bench import Bench
from fortydays.study.gradients import SMALLEST, norms_of_gradients
from fortydays.train.framework import build_model

KINDS = {
    "sigmoid": "sigmoids, Glorot's initial weights",
    "tanh": "tanh, Glorot's initial weights",
    "relu glorot": "ReLUs, Glorot's initial weights",
    "relu he": "ReLUs, He's initial weights",
    "normalized": "batch normalization before each ReLU",
    "residual": "each layer adds to what it is given",
}
"""What the towers are made of."""

DEPTHS = (2, 5, 10, 20, 40)
WIDTH, CLASSES = 100, 10
_EXAMPLES = 256


def name_of(depth: int) -> str:
    """What the size of the gradient in a tower of a depth is called."""
    return f"gradient_of_{depth}"


def tower(kind: str, depth: int, entry: "keras.KerasTensor", *first: layers.Layer) -> keras.Model:
    """A network with so many hidden dense layers of 100 units.

    Args:
        kind: one of :data:`KINDS`.
        depth: hidden layers.
        entry: its input, images.
        first: what comes before the images are flattened.
    """
    values = entry
    for layer in (*first, layers.Flatten()):
        values = layer(values)
    for place in range(depth):
        values = _hidden(kind, values, first=place == 0)
    return keras.Model(entry, layers.Dense(CLASSES, activation="softmax")(values))


def _hidden(kind: str, values: "keras.KerasTensor", *, first: bool) -> "keras.KerasTensor":
    if kind in ("sigmoid", "tanh"):
        return layers.Dense(WIDTH, activation=kind)(values)
    if kind == "relu glorot":
        return layers.Dense(WIDTH, activation="relu")(values)
    dense = layers.Dense(WIDTH, kernel_initializer="he_normal")
    if kind == "normalized":
        return layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(dense(values)))
    rectified = layers.Activation("relu")(dense(values))
    # The first layer has another width than the images, so there is nothing to add it to.
    return layers.add([values, rectified]) if kind == "residual" and not first else rectified


def sizes_of_gradients(kind: str, bench: Bench) -> Mapping[str, float]:
    """log10 of the norm of the gradient at the second layer, before training, by the metric of each depth.

    256 validation images are drawn for each seed.
    """
    assert bench.dataset is not None
    images = bench.dataset.training.validation
    drawn = np.sort(bench.random.choice(len(images), _EXAMPLES, replace=False))
    pixels = np.asarray(images.array[drawn])
    mean, deviation = pixels.mean() / 255, pixels.std() / 255
    found = {}
    for depth in DEPTHS:
        bench.say(f"{depth} layers")

        def build(depth: int = depth) -> keras.Model:
            scaled = layers.Normalization(mean=mean, variance=deviation**2)
            return tower(kind, depth, keras.Input(pixels.shape[1:]), scaled)

        model = build_model(build, seed=bench.seed, precision="float32")
        norms = norms_of_gradients(model, pixels, images.labels[drawn])
        found[name_of(depth)] = float(np.log10(max(norms[1], SMALLEST)))
    return found

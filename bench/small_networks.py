"""The network of the page "Train it here" in NumPy: what the page's band is made with, and its script is tested by.

The page's script trains the same network from the same random numbers. The two are written apart: this one works on
whole batches and arrays, the script on one digit and one number after another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIXELS = 784
CLASSES = 10
BATCH = 20
_ORDER, _WEIGHTS, _DROPOUT = 1, 2, 3  # streams of random numbers
_BETA1, _BETA2, _RHO, _MOMENTUM, _EPSILON = 0.9, 0.999, 0.9, 0.9, 1e-7

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a network is trained.

    Attributes:
        activation: "relu", "tanh", "sigmoid" or "none".
        optimizer: "sgd", "momentum", "rmsprop" or "adam", as Keras computes them.
        rate: the learning rate.
        dropout: the share of the hidden units that a step leaves out.
        width: how many hidden units there are.
        epochs: how often all digits are shown.
    """

    activation: str
    optimizer: str
    rate: float
    dropout: float
    width: int
    epochs: int


class Random:
    """The generator of ``play.js``, mulberry32: the same numbers from 0 to 1, many at once."""

    def __init__(self, seed: int, stream: int) -> None:
        self._state = (seed * 1_000_003 + stream) % 2**32

    def __call__(self, count: int) -> Floats:
        """The next numbers, shape (count,)."""
        counted = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x6D2B79F5) + np.uint64(self._state)
        state = counted.astype(np.uint32)
        self._state = (self._state + count * 0x6D2B79F5) % 2**32
        mixed = (state ^ (state >> 15)) * (state | 1)
        mixed ^= mixed + (mixed ^ (mixed >> 7)) * (mixed | 61)
        return (mixed ^ (mixed >> 14)) / 2.0**32


def shuffled(count: int, random: Random) -> NDArray[np.intp]:
    """The whole numbers below ``count`` in an order drawn by Fisher and Yates's method, from the last on."""
    order = np.arange(count)
    for last, drawn in zip(range(count - 1, 0, -1), random(count - 1), strict=True):
        other = int(drawn * (last + 1))
        order[last], order[other] = order[other], order[last]
    return order


def initial(width: int, seed: int) -> list[Floats]:
    """Weights and biases before training: Glorot and Bengio's uniform ones, as Keras's Dense has them, and zeros."""
    random = Random(seed, _WEIGHTS)

    def drawn(inputs: int, outputs: int) -> Floats:
        return ((2 * random(inputs * outputs) - 1) * np.sqrt(6 / (inputs + outputs))).reshape(inputs, outputs)

    return [drawn(PIXELS, width), np.zeros(width), drawn(width, CLASSES), np.zeros(CLASSES)]


def forward(
    parameters: list[Floats], x: Floats, activation: str, mask: Floats | float = 1.0
) -> tuple[Floats, Floats, Floats]:
    """What the layers give: hidden values without and with the ``mask`` of dropout, and probabilities."""
    w1, b1, w2, b2 = parameters
    hidden = _ACTIVATIONS[activation][0](x @ w1 + b1)
    masked = hidden * mask
    logits = masked @ w2 + b2
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return hidden, masked, powers / powers.sum(axis=1, keepdims=True)


def gradients(
    parameters: list[Floats], x: Floats, labels: NDArray[Any], activation: str, mask: Floats | float = 1.0
) -> list[Floats]:
    """The gradients of the mean cross-entropy of a batch."""
    hidden, masked, answers = forward(parameters, x, activation, mask)
    errors = (answers - np.eye(CLASSES)[labels]) / len(x)
    back = (errors @ parameters[2].T) * mask * _ACTIVATIONS[activation][1](hidden)
    return [x.T @ back, back.sum(axis=0), masked.T @ errors, errors.sum(axis=0)]


def train(
    setting: Setting,
    seed: int,
    shown: tuple[NDArray[Any], NDArray[Any]],
    held_out: tuple[NDArray[Any], NDArray[Any]],
) -> dict[str, list[float]]:
    """The curves of one network.

    Args:
        setting: how it is trained.
        seed: of its weights, the order of the digits and dropout.
        shown: pixels from 0 to 1, shape (n, 784), and labels of what it learns from.
        held_out: the same of what it is measured on as well.

    Returns:
        ``train_loss``, ``train_accuracy``, ``validation_loss`` and ``validation_accuracy``, before training and after
        each epoch.
    """
    parameters = initial(setting.width, seed)
    kept = [[np.zeros_like(p) for p in parameters] for _ in range(2)]
    order, drops = Random(seed, _ORDER), Random(seed, _DROPOUT)
    curves: dict[str, list[float]] = {}
    steps = 0
    x, labels = shown
    for epoch in range(setting.epochs + 1):
        if epoch:
            for batch in shuffled(len(x), order).reshape(-1, BATCH):
                mask: Floats | float = 1.0
                if setting.dropout:
                    drawn = drops(BATCH * setting.width).reshape(BATCH, setting.width)
                    mask = (drawn >= setting.dropout) / (1 - setting.dropout)
                found = gradients(parameters, x[batch], labels[batch], setting.activation, mask)
                steps += 1
                _OPTIMIZERS[setting.optimizer](parameters, found, setting.rate, *kept, steps)
        for split, (pixels, right) in (("train", shown), ("validation", held_out)):
            answers = forward(parameters, pixels, setting.activation)[2]
            losses = -np.log(answers[np.arange(len(right)), right])
            curves.setdefault(f"{split}_loss", []).append(float(losses.mean()))
            curves.setdefault(f"{split}_accuracy", []).append(float((answers.argmax(axis=1) == right).mean()))
    return curves


_ACTIVATIONS: Mapping[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0).astype(float)),
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
    "none": (lambda z: z, np.ones_like),
}
"""By name, the activation of a sum, and its slope by what it gave."""

_Arrays = list[Floats]


def _sgd(p: _Arrays, g: _Arrays, rate: float, _m: _Arrays, _v: _Arrays, _t: int) -> None:
    for values, slope in zip(p, g, strict=True):
        values[...] -= rate * slope


def _momentum(p: _Arrays, g: _Arrays, rate: float, m: _Arrays, _v: _Arrays, _t: int) -> None:
    for values, slope, speed in zip(p, g, m, strict=True):
        speed[...] = _MOMENTUM * speed - rate * slope
        values[...] += speed


def _rmsprop(p: _Arrays, g: _Arrays, rate: float, _m: _Arrays, v: _Arrays, _t: int) -> None:
    for values, slope, square in zip(p, g, v, strict=True):
        square[...] = _RHO * square + (1 - _RHO) * slope**2
        values[...] -= rate * slope / np.sqrt(square + _EPSILON)


def _adam(p: _Arrays, g: _Arrays, rate: float, m: _Arrays, v: _Arrays, t: int) -> None:
    step = rate * np.sqrt(1 - _BETA2**t) / (1 - _BETA1**t)
    for values, slope, mean, square in zip(p, g, m, v, strict=True):
        mean[...] = _BETA1 * mean + (1 - _BETA1) * slope
        square[...] = _BETA2 * square + (1 - _BETA2) * slope**2
        values[...] -= step * mean / (np.sqrt(square) + _EPSILON)


_OPTIMIZERS = {"sgd": _sgd, "momentum": _momentum, "rmsprop": _rmsprop, "adam": _adam}

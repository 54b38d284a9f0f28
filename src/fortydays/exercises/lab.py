"""A laboratory for studies that take a second: the small digits of scikit-learn, and a network in NumPy.

The exercises that ask for a study give a reader these functions, so that the study itself is what is left to write.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fortydays.base import files
from fortydays.base.errors import DataError, unknown_name
from fortydays.data.places import package_folder

HIDDEN = 32
EVERY = 10
"""Steps between two looks at the validation images."""

_PART = 64
_FILE = "digits.csv.gz"
_TRAIN, _VALIDATION = 1000, 397

_ACTIVATIONS: "dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]]" = {
    "relu": (lambda z: np.maximum(z, 0), lambda h: h > 0),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda h: h * (1 - h)),
    "tanh": (np.tanh, lambda h: 1 - h**2),
}
"""Each with its slope, as a function of what it gives."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Images of digits with their labels.

    Attributes:
        pixels: float64 from 0 to 1, shape (images, 8, 8).
        labels: the digits, int64, shape (images,).
    """

    pixels: np.ndarray
    labels: np.ndarray

    def first(self, count: int) -> "Images":
        """The first ``count`` of them."""
        return Images(pixels=self.pixels[:count], labels=self.labels[:count])


@dataclass(frozen=True, kw_only=True, eq=False)
class Digits:
    """The small digits, divided in one way for everybody: 1,000 to train with, 397 to validate, 400 to test."""

    train: Images
    validation: Images
    test: Images


@functools.cache
def digits() -> Digits:
    """The 1,797 handwritten digits that scikit-learn brings along (Alpaydin and Kaynak, 1998).

    Raises:
        DataError: scikit-learn is not installed whole.
    """
    folder = package_folder("sklearn", "datasets/data")
    if folder is None or not (folder / _FILE).is_file():
        raise DataError(
            f"The digits are not there: scikit-learn is installed without its file {_FILE}.",
            hint="Install the locked packages again: make setup",
        )
    with files.storage_errors("read", folder / _FILE):
        table = np.loadtxt(folder / _FILE, delimiter=",")
    table = table[np.random.default_rng(0).permutation(len(table))]
    pixels, labels = table[:, :-1].reshape(-1, 8, 8) / 16, table[:, -1].astype(np.int64)
    ends = (0, _TRAIN, _TRAIN + _VALIDATION, len(table))
    parts = [Images(pixels=pixels[a:b], labels=labels[a:b]) for a, b in itertools.pairwise(ends)]
    return Digits(train=parts[0], validation=parts[1], test=parts[2])


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A trained network: 64 pixels, one hidden layer, 10 digits.

    Attributes:
        first: weights and bias of the hidden layer, shapes (64, hidden) and (hidden,).
        second: those of the last layer.
        activation: of the hidden layer.
        steps: of its training.
    """

    first: tuple[np.ndarray, np.ndarray]
    second: tuple[np.ndarray, np.ndarray]
    activation: str
    steps: int

    def accuracy(self, images: Images) -> float:
        """The share of images that it is right about."""
        return float((self._votes(images.pixels).argmax(axis=1) == images.labels).mean())

    def _votes(self, pixels: np.ndarray) -> np.ndarray:
        # In small parts, because a library of linear algebra would start threads for the whole, which cost more.
        parts = np.array_split(pixels.reshape(len(pixels), -1), max(1, len(pixels) // _PART))
        bend = _ACTIVATIONS[self.activation][0]
        return np.concatenate(
            [bend(x @ self.first[0] + self.first[1]) @ self.second[0] + self.second[1] for x in parts]
        )


def learn(
    images: Images,
    *,
    seed: int,
    activation: str = "relu",
    learning_rate: float = 0.5,
    steps: int = 300,
    dropout: float = 0.0,
    change: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    until: tuple[float, Images] | None = None,
) -> Network:
    """Train a network with stochastic gradient descent, in batches of 32.

    Args:
        images: to learn from.
        seed: decides the first weights, the batches, the dropout and what ``change`` draws.
        activation: "relu", "sigmoid" or "tanh".
        learning_rate: of every step.
        steps: at most so many.
        dropout: the share of hidden units that is left out in each step.
        change: makes the pixels that are learned from out of those of a batch, each time anew, or None.
        until: a share and images: training ends when this share of them is right, looked up every 10 steps.

    Raises:
        UsageError: there is no such activation.
    """
    if activation not in _ACTIVATIONS:
        raise unknown_name("activation", activation, _ACTIVATIONS)
    rng = np.random.default_rng(seed)
    bend, slope = _ACTIVATIONS[activation]
    w1, b1 = rng.normal(0, 64**-0.5, (64, HIDDEN)), np.zeros(HIDDEN)
    w2, b2 = rng.normal(0, HIDDEN**-0.5, (HIDDEN, 10)), np.zeros(10)
    answers = np.eye(10)
    for step in range(1, steps + 1):
        batch = rng.integers(0, len(images.labels), 32)
        pixels = images.pixels[batch]
        x = (pixels if change is None else change(pixels, rng)).reshape(32, 64)
        h = bend(x @ w1 + b1)
        kept = (rng.uniform(size=h.shape) >= dropout) / (1 - dropout) if dropout else 1.0
        z = (h * kept) @ w2 + b2
        p = np.exp(z - z.max(axis=1, keepdims=True))
        wrong = (p / p.sum(axis=1, keepdims=True) - answers[images.labels[batch]]) / 32
        back = (wrong @ w2.T) * kept * slope(h)
        w2, b2 = w2 - learning_rate * (h * kept).T @ wrong, b2 - learning_rate * wrong.sum(axis=0)
        w1, b1 = w1 - learning_rate * x.T @ back, b1 - learning_rate * back.sum(axis=0)
        made = Network(first=(w1, b1), second=(w2, b2), activation=activation, steps=step)
        if until is not None and step % EVERY == 0 and made.accuracy(until[1]) >= until[0]:
            break
    return made


@functools.cache
def steps_to(share: float, *, seed: int, activation: str = "relu", learning_rate: float = 0.5) -> int:
    """Steps until a network has this share of the validation images right; 1,000 where it is not there by then."""
    found = digits()
    return learn(
        found.train, seed=seed, activation=activation, learning_rate=learning_rate, steps=1000,
        until=(share, found.validation),
    ).steps  # fmt: skip

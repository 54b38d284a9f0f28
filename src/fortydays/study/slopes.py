"""How far back a network hears that reads words: how much its answer changes with each of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.inputs.tokens import PADDING
from fortydays.study.design import Measure
from fortydays.train import backends

if TYPE_CHECKING:
    import keras


def slopes_of_words(model: "keras.Model", tokens: NDArray[np.int32]) -> NDArray[np.float32]:
    """How much the answer of a network of two classes changes with each word: the norm of a gradient.

    The gradient is that of the log-odds of the second class with respect to the vector of each word.

    Args:
        model: whose first layer with vectors is a ``keras.layers.Embedding``.
        tokens: int32, shape (n, length).

    Returns:
        float32, shape (n, length).
    """
    import keras

    embedding = next(layer for layer in model.layers if isinstance(layer, keras.layers.Embedding))
    rest = keras.Model([embedding.output, model.inputs[0]], model.outputs[0])
    words = keras.ops.convert_to_tensor(tokens)
    vectors = keras.ops.convert_to_numpy(embedding(words))

    def log_odds(values: Any) -> Any:
        logarithms = keras.ops.log(keras.ops.clip(rest([values, words], training=False), 1e-7, 1.0))
        return logarithms[:, 1] - logarithms[:, 0]

    found: NDArray[np.float32] = np.linalg.norm(backends.backend().gradient(log_odds, vectors), axis=-1)
    return found


def slope_at(distance: int, *, texts: int = 256) -> "Callable[[keras.Model, NDArray[np.int32]], float]":
    """A measure: the logarithm of the slope of the word at a distance from the end, in the mean over texts.

    Args:
        distance: 1 for the last word.
        texts: how many, the first ones without filling.

    Returns:
        A function from a model and tokens to the mean of log10 of :func:`slopes_of_words`; a slope below 1e-12 counts
        as that.
    """

    def measure(model: "keras.Model", tokens: NDArray[np.int32]) -> float:
        full = np.asarray(tokens)
        full = full[(full != PADDING).all(axis=1)][:texts]
        if not len(full):
            return 0.0
        slopes = slopes_of_words(model, full)[:, -distance]
        return float(np.log10(np.maximum(slopes, 1e-12)).mean())

    return measure


def slope_measures(*distances: int, variants: tuple[str, ...]) -> tuple[Measure, ...]:
    """The measures ``slope_1`` and so on of some variants, by the distances of words from the end."""
    return tuple(Measure(name=name_at(each), variants=variants, function=slope_at(each)) for each in distances)


def name_at(distance: int) -> str:
    """What the measure at a distance is called."""
    return f"slope_{distance}"

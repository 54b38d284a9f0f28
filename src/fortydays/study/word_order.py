"""What a network that reads words makes of their order: how it answers when the words of every text are shuffled."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.inputs.tokens import PADDING
from fortydays.study.design import Measure

if TYPE_CHECKING:
    import keras

_BATCH = 125

SHUFFLED, LOST, CHANGED = "shuffled_accuracy", "lost_accuracy", "changed_share"
"""The measures of :func:`order_measures`."""


def shuffled_words(tokens: NDArray[np.int32], *, seed: int = 0) -> NDArray[np.int32]:
    """Each text with its words in another order; what fills it up stays where it is.

    Args:
        tokens: int32, shape (n, length); 0 fills up.
        seed: of the orders, one for each text. It is no seed of a trial: all trials see the same texts.

    Returns:
        int32, shape (n, length); ``tokens`` stay as they were.
    """
    random, found = np.random.default_rng(seed), np.array(tokens)
    for text in found:
        words = text != PADDING
        text[words] = random.permutation(text[words])
    return found


def accuracy_on_shuffled(model: "keras.Model", tokens: NDArray[np.int32], labels: NDArray[np.uint8]) -> float:
    """The share of texts whose class is named when their words are shuffled.

    Args:
        model: ends with probabilities.
        tokens: int32, shape (n, length).
        labels: uint8, shape (n,).
    """
    return float(np.mean(_answers(model, shuffled_words(tokens)) == labels))


def accuracy_lost(model: "keras.Model", tokens: NDArray[np.int32], labels: NDArray[np.uint8]) -> float:
    """The accuracy on texts as they are minus :func:`accuracy_on_shuffled`, with the same arguments."""
    return float(np.mean(_answers(model, tokens) == labels)) - accuracy_on_shuffled(model, tokens, labels)


def share_changed(model: "keras.Model", tokens: NDArray[np.int32]) -> float:
    """The share of texts to which a model gives another answer when their words are shuffled."""
    return float(np.mean(_answers(model, tokens) != _answers(model, shuffled_words(tokens))))


def order_measures(*, variants: tuple[str, ...]) -> tuple[Measure, ...]:
    """The measures :data:`SHUFFLED`, :data:`LOST` and :data:`CHANGED` of some variants, on all validation texts."""
    return (
        Measure(name=SHUFFLED, variants=variants, function=accuracy_on_shuffled, labels=True),
        Measure(name=LOST, variants=variants, function=accuracy_lost, labels=True),
        Measure(name=CHANGED, variants=variants, function=share_changed),
    )


def _answers(model: "keras.Model", tokens: NDArray[np.int32]) -> NDArray[np.intp]:
    """The class that a model names for each text. Texts go in batches, because attention takes much memory."""
    import keras

    parts = [
        keras.ops.convert_to_numpy(
            model(keras.ops.convert_to_tensor(np.asarray(tokens[start : start + _BATCH])), training=False)
        ).argmax(axis=1)
        for start in range(0, len(tokens), _BATCH)
    ]
    return np.concatenate(parts)

"""What of a text decides an answer, where its features are the sum of a vector for each piece of a word.

The logit of a class is linear in the features. So what a piece adds to it is exact: its vector, divided by the length
of the sum, times the weights of the class. What the mean text would get is divided among all pieces and subtracted.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.inputs.wordpieces import PADDING, PIECES, Wordpieces
from fortydays.models.encoders import VECTORS

if TYPE_CHECKING:
    import keras

_TOGETHER = 16


def what_decides(
    encoder: "keras.Model",
    takes: Wordpieces,
    texts: Sequence[str],
    weights: NDArray[np.float32],
    labels: Sequence[int],
    mean: NDArray[np.float32],
    *,
    most: int,
) -> list[tuple[tuple[str, float], ...]]:
    """For each text the words that change the logit of a class most, with by how much, the most telling first.

    Args:
        encoder: from :meth:`fortydays.models.encoders.Encoder.build`, with its weights.
        takes: what it is given.
        texts: n of them.
        weights: float32, shape (features, classes), what each feature adds to the logit of each class.
        labels: n classes.
        mean: float32, shape (features,), the features of the mean text.
        most: words of a text.
    """
    import keras

    inner = keras.Model(encoder.input, encoder.get_layer(VECTORS).output)
    tokens = np.stack([takes.encode(text)[PIECES] for text in texts])
    found = []
    for start in range(0, len(texts), _TOGETHER):
        some = tokens[start : start + _TOGETHER]
        vectors = np.asarray(keras.ops.convert_to_numpy(inner(some, training=False)), np.float32)
        for row, of_text, label in zip(some, vectors, labels[start : start + _TOGETHER], strict=True):
            there = (row != PADDING)[:, None]
            length = np.linalg.norm((of_text * there).sum(axis=0))
            added = (of_text / max(float(length), 1e-12) - mean / there.sum()) @ weights[:, label]
            found.append(_words(takes, row, added, most))
    return found


def _words(
    takes: Wordpieces, tokens: NDArray[np.int32], added: NDArray[np.float32], most: int
) -> tuple[tuple[str, float], ...]:
    """The words of a text that add most, the same ones together."""
    total: dict[str, float] = {}
    for word, places in takes.words_of_pieces(tokens):
        total[word] = total.get(word, 0.0) + float(added[places].sum())
    telling = [(word, round(much, 3)) for word, much in total.items() if any(map(str.isalnum, word))]
    return tuple(sorted(telling, key=lambda each: -abs(each[1]))[:most])

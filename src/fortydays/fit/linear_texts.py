"""Multinomial logistic regression on n-grams: the heads that analyses train on texts, many times, in a second or so.

Most numbers of a text are zero, so they are kept as a sparse matrix. Stochastic gradient descent goes over the texts a
few times, in an order that is always the same: there is no seed.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.fit.softmax_regression import Heads
from fortydays.inputs.input import Arrays
from fortydays.inputs.ngrams import NGRAMS, SCALE, VALUES

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SPREADS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Of which :func:`choose_spread` chooses: how much the losses of all texts weigh against the squares of weights."""

_PASSES = 8
_LEAST = 1e-7


def sparse(arrays: Arrays, size: int) -> "csr_array":
    """The values of texts as a matrix.

    Args:
        arrays: of texts, as :class:`fortydays.inputs.ngrams.Ngrams` makes them.
        size: numbers of n-grams.

    Returns:
        float32, shape (texts, size): the values of a text have a length of about 1.
    """
    from scipy.sparse import csr_array

    numbers, values = np.asarray(arrays[NGRAMS]), np.asarray(arrays[VALUES])
    there = values != 0
    edges = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)  # scikit-learn takes no others
    return csr_array((values[there] / np.float32(SCALE), numbers[there], edges), shape=(len(numbers), size))


def learned(
    features: "csr_array",
    labels: NDArray[np.intp],
    rows: NDArray[np.intp],
    asked: "csr_array",
    *,
    classes: int,
    spread: float,
) -> NDArray[np.float32]:
    """The probabilities, float32, shape (m, classes), that a head gives after learning from some of the texts.

    Of more than two classes, one head is trained for each against the others, and their answers are brought to a sum
    of 1. The arguments are those of :func:`fortydays.fit.softmax_regression.learned`, as sparse matrices.
    """
    from sklearn.linear_model import SGDClassifier

    seen, found = np.unique(labels[rows]), np.zeros((asked.shape[0], classes), np.float32)
    if len(seen) == 1:
        found[:, seen] = 1.0
        return found
    model = SGDClassifier(
        loss="log_loss", alpha=1 / (spread * len(rows)), max_iter=_PASSES, tol=None, random_state=0, average=True
    )
    model.fit(features[rows], labels[rows])
    found[:, seen] = model.predict_proba(asked)
    return found


def choose_spread(
    features: "csr_array",
    labels: NDArray[np.intp],
    rows: NDArray[np.intp],
    held_out: NDArray[np.intp],
    *,
    classes: int,
) -> float:
    """The one of :data:`SPREADS` whose head gives the held-out labels the smallest cross-entropy."""
    best, least = SPREADS[0], np.inf
    for spread in SPREADS:
        found = learned(features, labels, rows, features[held_out], classes=classes, spread=spread)
        loss = -np.log(np.maximum(found[np.arange(len(held_out)), labels[held_out]], _LEAST)).mean()
        if loss >= least:
            break  # it has one valley along the spreads
        best, least = spread, float(loss)
    return best


SPARSE = Heads(learned=learned, choose_spread=choose_spread, usual=10.0)
"""Heads on features of which most are zero: the n-grams of texts."""

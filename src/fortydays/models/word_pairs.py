"""The plain baseline for texts: which words and pairs of words occur, and a linear model of that.

Wang and Manning (2012), "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification": each word or pair is
weighted by how much more often it occurs in texts of one class than of the other, as in naive Bayes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.inputs.tokens import PADDING

STRENGTHS = (0.1, 1.0, 10.0)
"""What is tried as C, the inverse strength of regularization; validation texts choose."""

_MOST = 2**16


@dataclass(frozen=True, kw_only=True, eq=False)
class WordPairs:
    """A trained model of words and pairs of words, for two classes.

    Attributes:
        known: the numbers of the words and pairs that it knows, ascending.
        weights: the log-odds of the second class that each adds to a text.
        bias: the log-odds of a text without any.
        strength: the value of :data:`STRENGTHS` that was chosen.
    """

    known: NDArray[np.int64]
    weights: NDArray[np.float64]
    bias: float
    strength: float

    def log_odds(self, tokens: NDArray[np.int32]) -> NDArray[np.float64]:
        """The log-odds of the second class, float64, shape (n,), of texts as tokens, int32, shape (n, length)."""
        found: NDArray[np.float64] = _occurring(tokens, self.known) @ self.weights + self.bias
        return found

    def accuracy(self, tokens: NDArray[np.int32], labels: NDArray[Any]) -> float:
        """The share of texts whose class it names."""
        return float(np.mean((self.log_odds(tokens) > 0) == (np.asarray(labels) == 1)))


def train_word_pairs(
    train: tuple[NDArray[np.int32], NDArray[Any]],
    validation: tuple[NDArray[np.int32], NDArray[Any]],
    *,
    strengths: Sequence[float] = STRENGTHS,
    pairs: bool = True,
) -> WordPairs:
    """Train the model; of several strengths of regularization, the best on validation texts is taken.

    Args:
        train: tokens, int32, shape (n, length), and labels 0 or 1, shape (n,). Tokens of 0 fill texts up.
        validation: the same.
        strengths: values of C to try; of equals the first.
        pairs: whether pairs of neighbors count; False for words alone.
    """
    from sklearn.linear_model import LogisticRegression

    tokens, labels = train[0], np.asarray(train[1]) == 1
    known = np.unique(_numbers(tokens)[0])
    if not pairs:
        known = known[known < _MOST]
    occurring = _occurring(tokens, known)
    of_second, of_first = (1 + np.asarray(occurring[side].sum(axis=0)).ravel() for side in (labels, ~labels))
    ratio = np.log(of_second / of_second.sum()) - np.log(of_first / of_first.sum())
    weighted = occurring.multiply(ratio).tocsr()
    best: tuple[float, WordPairs] | None = None
    for strength in strengths:
        fitted = LogisticRegression(C=strength, solver="liblinear", dual=True, random_state=0, max_iter=200)
        fitted.fit(weighted, labels)
        found = WordPairs(
            known=known, weights=fitted.coef_[0] * ratio, bias=float(fitted.intercept_[0]), strength=strength
        )
        accuracy = found.accuracy(*validation)
        if best is None or accuracy > best[0]:
            best = (accuracy, found)
    assert best is not None
    return best[1]


def measured(model: WordPairs, splits: Mapping[str, tuple[NDArray[np.int32], NDArray[Any]]]) -> dict[str, float]:
    """The accuracy on splits by name, as metrics such as "test_accuracy"."""
    return {f"{name}_accuracy": model.accuracy(*split) for name, split in splits.items()}


def _numbers(tokens: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number for each word and each pair of neighbors, and the text that it is in."""
    words = tokens.astype(np.int64)
    row, column = np.nonzero(words != PADDING)
    pair_row, pair_column = np.nonzero((words[:, 1:] != PADDING) & (words[:, :-1] != PADDING))
    pairs = words[pair_row, pair_column] * _MOST + words[pair_row, pair_column + 1]
    return np.concatenate([words[row, column], pairs]), np.concatenate([row, pair_row])


def _occurring(tokens: NDArray[np.int32], known: NDArray[np.int64]) -> Any:
    """Which of the known words and pairs occur in which text: a sparse matrix of zeros and ones."""
    from scipy.sparse import csr_matrix

    numbers, rows = _numbers(tokens)
    place = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    is_known = known[place] == numbers
    ones = np.ones(int(is_known.sum()))
    found = csr_matrix((ones, (rows[is_known], place[is_known])), shape=(len(tokens), len(known)))
    found.data[:] = 1.0  # where the same word occurred several times
    return found

"""Multinomial logistic regression on features: the head that analyses train, many times, in a second or so each.

It is the same kind of head as the classifier's, a linear layer and a softmax, but scikit-learn trains it to its
optimum. On one machine the same features and labels always give the same answer, and there is no seed.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPREADS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Of which :func:`choose_spread` chooses."""

_LEAST = 1e-7
"""A smaller probability than this counts as this, so that one photograph does not decide the choice."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """A trained head.

    Attributes:
        model: scikit-learn's; None where it has seen one class only.
        seen: the labels that it has learned, ascending.
        classes: how many there are.
    """

    model: Any
    seen: NDArray[np.intp]
    classes: int

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """How probable each class is; a class that was not learned has probability 0.

        Args:
            features: float32, shape (n, channels).

        Returns:
            float32, shape (n, classes).
        """
        found = np.zeros((len(features), self.classes), np.float32)
        found[:, self.seen] = 1.0 if self.model is None else self.model.predict_proba(features)
        return found


def train(
    features: NDArray[np.float32], labels: NDArray[np.intp], rows: NDArray[np.intp], *, classes: int, spread: float
) -> Head:
    """Train a head.

    Features are standardised by those that it learns from. The sum of losses is minimised together with half the sum
    of squared weights, times the channels, over ``spread`` squared. This is a prior under which a logit of an average
    photograph has that standard deviation, however many channels there are.

    Args:
        features: float32, shape (n, channels).
        labels: shape (n,), from 0 up to ``classes``.
        rows: which of the features to learn from; at least one. Only these are copied, as float32.
        classes: how many there are; some may have no example.
        spread: the smaller, the smoother.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    seen = np.unique(labels[rows])
    if len(seen) == 1:
        return Head(model=None, seen=seen, classes=classes)
    # Of two classes scikit-learn trains one column of weights, the difference of the two that are meant here: it is
    # twice as large, and its square costs twice what the squares of the two cost.
    strength = spread**2 / features.shape[1] * (2 if len(seen) == 2 else 1)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=200))
    with warnings.catch_warnings():
        # In float32 the last steps may find nothing better. What they would change, changes hardly an answer.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features[rows], labels[rows])
    return Head(model=model, seen=seen, classes=classes)


def choose_spread(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    learned: NDArray[np.intp],
    held_out: NDArray[np.intp],
    *,
    classes: int,
) -> float:
    """The one of :data:`SPREADS` whose head gives the held-out labels the smallest cross-entropy.

    Args:
        features: float32, shape (n, channels).
        labels: shape (n,).
        learned: rows to learn from.
        held_out: rows to judge by, none of them among the others.
        classes: how many there are.
    """
    best, least = SPREADS[0], np.inf
    for spread in SPREADS:
        found = train(features, labels, learned, classes=classes, spread=spread).probabilities(features[held_out])
        loss = -np.log(np.maximum(found[np.arange(len(held_out)), labels[held_out]], _LEAST)).mean()
        if loss >= least:
            # The loss has one valley along the spreads; what follows would only be slower to train.
            break
        best, least = spread, float(loss)
    return best


def some_of_each(
    labels: NDArray[np.intp], rows: NDArray[np.intp], share: float, random: np.random.Generator
) -> NDArray[np.intp]:
    """A share of the rows of each class, at least one.

    Of two shares drawn with equal generators the smaller one is in the larger.

    Args:
        labels: shape (n,).
        rows: which of them to choose from.
        share: from 0 to 1.
        random: where chance comes from.

    Returns:
        Chosen rows, ascending.
    """
    chosen = []
    for label in np.unique(labels[rows]):
        members = random.permutation(rows[labels[rows] == label])
        chosen.append(members[: max(1, round(share * len(members)))])
    return np.sort(np.concatenate(chosen)) if chosen else rows

"""Multinomial logistic regression on features: the head that analyses train, many times, in a second or so each.

It is the same kind of head as the classifier's, a linear layer and a softmax, but scikit-learn trains it to its
optimum. On one machine the same features and labels always give the same answer, and there is no seed.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPREADS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Of which :func:`choose_spread` chooses."""

_LEAST = 1e-7
"""A smaller probability than this counts as this, so that one photograph does not decide the choice."""


def learned(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    rows: NDArray[np.intp],
    asked: NDArray[np.float32],
    *,
    classes: int,
    spread: float,
) -> NDArray[np.float32]:
    """The probabilities, float32, shape (m, classes), that a head gives after learning from some of the features.

    Features are standardised by those that it learns from. The sum of losses is minimised together with half the sum
    of squared weights, times the channels, over ``spread`` squared. This is a prior under which a logit of an average
    photograph has that standard deviation, however many channels there are.

    Args:
        features: float32, shape (n, channels).
        labels: shape (n,), from 0 up to ``classes``.
        rows: which of the features to learn from; at least one. Only these are copied, as float32.
        asked: float32, shape (m, channels): what the head answers.
        classes: how many there are; one that has no example has the probability 0.
        spread: the smaller, the smoother.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    seen, found = np.unique(labels[rows]), np.zeros((len(asked), classes), np.float32)
    if len(seen) == 1:
        found[:, seen] = 1.0
        return found
    # Of two classes scikit-learn trains one column of weights, the difference of the two that are meant here: it is
    # twice as large, and its square costs twice what the squares of the two cost.
    strength = spread**2 / features.shape[1] * (2 if len(seen) == 2 else 1)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=200))
    with warnings.catch_warnings():
        # In float32 the last steps may find nothing better. What they would change, changes hardly an answer.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features[rows], labels[rows])
    found[:, seen] = model.predict_proba(asked)
    return found


def choose_spread(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    rows: NDArray[np.intp],
    held_out: NDArray[np.intp],
    *,
    classes: int,
) -> float:
    """The one of :data:`SPREADS` whose head gives the held-out labels the smallest cross-entropy.

    It learns from some rows and is judged by others, which are held out; the rest is as for :func:`learned`.
    """
    best, least = SPREADS[0], np.inf
    for spread in SPREADS:
        found = learned(features, labels, rows, features[held_out], classes=classes, spread=spread)
        loss = -np.log(np.maximum(found[np.arange(len(held_out)), labels[held_out]], _LEAST)).mean()
        if loss >= least:
            # The loss has one valley along the spreads; what follows would only be slower to train.
            break
        best, least = spread, float(loss)
    return best


def some_of_each(
    labels: NDArray[np.intp], rows: NDArray[np.intp], share: float, random: np.random.Generator
) -> NDArray[np.intp]:
    """A share, from 0 to 1, of the rows of each class, at least one; ascending.

    Of two shares drawn with equal generators the smaller one is in the larger.
    """
    chosen = []
    for label in np.unique(labels[rows]):
        members = random.permutation(rows[labels[rows] == label])
        chosen.append(members[: max(1, round(share * len(members)))])
    return np.sort(np.concatenate(chosen)) if chosen else rows


@dataclass(frozen=True, kw_only=True)
class Heads:
    """A way to train heads: the functions of this module, or others with the same arguments and results.

    ``usual`` is the spread where there is nothing to choose it by.
    """

    learned: Callable[..., NDArray[np.float32]]
    choose_spread: Callable[..., float]
    usual: float


DENSE = Heads(learned=learned, choose_spread=choose_spread, usual=2.0)
"""Heads on features of which each has a number: those of a pretrained network."""

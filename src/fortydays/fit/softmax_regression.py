"""Multinomial logistic regression on features: the head that analyses train, many times, in a second or so each.

It is the same kind of head as the classifier's, a linear layer and a softmax, but trained close to its optimum by
L-BFGS (Liu and Nocedal, 1989): on one machine, the same features and labels always give the same answer, and no seed
is part of it. Features stay float32, so that a hundred thousand photographs fit into the memory of a small machine;
only losses are added up in float64.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPREADS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Of which :func:`choose_spread` chooses."""

_STEPS = 200
_ENOUGH = 1e-5
"""A step that lowers the loss by a smaller share than this is the last: what follows changes hardly an answer."""

_AT_ONCE = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class Regression:
    """A head that was trained.

    Attributes:
        weights: float32, shape (channels, classes), for features as they are given, not standardised.
        bias: float32, shape (classes,).
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: NDArray[np.float32], rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """What it says of some features.

        Args:
            features: float32, shape (n, channels).
            rows: which of them; all by default. They are not all copied at once.

        Returns:
            float32, shape (n, classes).
        """
        n = len(features) if rows is None else len(rows)
        found = np.empty((n, len(self.bias)), np.float32)
        for start in range(0, n, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            found[part] = features[part if rows is None else rows[part]] @ self.weights + self.bias
        return found


def train(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    rows: NDArray[np.intp],
    *,
    classes: int,
    spread: float,
    start: Regression | None = None,
) -> Regression:
    """Train a head.

    Features are standardised by those that it learns from, and the sum of losses is minimised together with half the
    sum of squared weights over ``spread`` squared: a prior under which a logit of an average photograph has that
    standard deviation, however many channels there are.

    Args:
        features: float32, shape (n, channels).
        labels: shape (n,), from 0 up to ``classes``.
        rows: which of the features to learn from; at least one. Only these are copied, as float32.
        classes: how many there are; some may have no example.
        spread: the smaller, the smoother.
        start: a head to begin from.
    """
    from scipy.optimize import minimize

    chosen, wanted = features[rows], labels[rows]
    n, channels = chosen.shape
    middle = chosen.mean(axis=0, dtype=np.float64).astype(np.float32)
    chosen -= middle
    deviation = np.sqrt(np.einsum("ij,ij->j", chosen, chosen) / n)
    # A channel that is the same in all tells nothing, and would be divided by zero.
    scale = (np.where(deviation > 0, deviation, 1.0) * np.sqrt(channels)).astype(np.float32)
    chosen /= scale
    places, ridge = np.arange(n), 1 / (n * spread**2)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        values = flat.astype(np.float32).reshape(channels + 1, classes)
        scores = chosen @ values[:-1]
        scores += values[-1]
        scores -= scores.max(axis=1, keepdims=True)
        right = scores[places, wanted].astype(np.float64)
        np.exp(scores, out=scores)
        total = scores.sum(axis=1)
        found = float((np.log(total.astype(np.float64)) - right).mean()) + ridge / 2 * float(flat @ flat)
        scores /= total[:, None]
        scores[places, wanted] -= 1
        scores /= n
        gradient = np.concatenate([chosen.T @ scores, scores.sum(axis=0)[None]])
        return found, gradient.astype(np.float64).ravel() + ridge * flat

    first = np.zeros((channels + 1, classes))
    if start is not None:
        first[:-1] = start.weights * scale[:, None]
        first[-1] = start.bias + middle @ start.weights
    options: dict[str, Any] = {"maxiter": _STEPS, "ftol": _ENOUGH, "gtol": 1e-6}
    best = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(channels + 1, classes)
    weights = best[:-1] / scale[:, None]
    return Regression(weights=weights.astype(np.float32), bias=(best[-1] - middle @ weights).astype(np.float32))


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
    best, least, head = SPREADS[0], np.inf, None
    for spread in SPREADS:
        head = train(features, labels, learned, classes=classes, spread=spread, start=head)
        logits = head.logits(features, held_out).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(held_out)), labels[held_out]]
        if losses.mean() >= least:
            # The loss has one valley along the spreads; what follows would only be slower to train.
            break
        best, least = spread, float(losses.mean())
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

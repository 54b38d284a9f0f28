"""Whether more photographs would help: heads trained on ever larger parts of those there are, and a law through them.

The accuracy of a classifier grows with the number of its examples like a power law (Hestness et al., 2017):
``a - b n^-c``. It is fitted to what was measured and asked for twice as many photographs, not for more: a law through
a handful of points says nothing of what is far away. How sure that is, is found by drawing again, a thousand times,
both which photographs were learned from and which were validated on (the bootstrap; Efron, 1979).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.progress import SILENT, Progress
from fortydays.base.values import fields_as_json
from fortydays.fit.softmax_regression import DENSE, Heads, some_of_each

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Of the photographs of each class, to learn from."""

DRAWS = 5
"""How often each share but the whole is drawn; from :data:`MANY` photographs on, three times."""

MANY = 10_000

FEWEST_SIZES, FEWEST_VALIDATED = 4, 50
"""Through fewer points than this no law is drawn, nor through shares of fewer validation photographs."""

RESAMPLES = 1000
CONFIDENCE = 0.95

WORTH = 0.005
"""A gain in accuracy of less than this is none to collect twice as many photographs for."""

UNSURE = 0.015
"""Where the gain may be less than :data:`WORTH`, but also more than this, nothing can be told."""

MORE, FLAT, UNKNOWN = "more", "flat", "unknown"

_EXPONENTS = np.linspace(0.05, 1.5, 30)
_NOISE = 0.002
"""Points are never taken to be surer than this: no law fits them all exactly."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """What heads reach, one for each draw, that learn from so many photographs.

    The accuracy on the validation photographs is the mean over the draws. Its 95% interval is over draws of
    photographs to learn from and to validate on.
    """

    images: int
    accuracy: float
    low: float
    high: float
    draws: int


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """The accuracy ``limit - factor * n ** -exponent`` after learning from n photographs."""

    limit: float
    factor: float
    exponent: float

    def at(self, images: float) -> float:
        """The accuracy after that many."""
        return float(self.limit - self.factor * images**-self.exponent)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What twice as many photographs would probably give.

    The gain, with its 95% interval, is by how much the law grows from all there are to twice as many; negative where
    it falls. The accuracy is what was measured with all there are, and the gain.
    """

    images: int
    accuracy: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """Whether more photographs would help: "more", "flat" (they would not) or "unknown".

    The points were measured on so many validated photographs, the fewest to learn from first. Law and prediction are
    None where there are too few points.
    """

    points: tuple[CurvePoint, ...]
    validated: int
    law: PowerLaw | None
    twice: Prediction | None
    verdict: str
    noun: str = "photograph"

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.twice is None:
            return f"There are too few {self.noun}s to tell whether more would help."
        now, then = f"{100 * self.points[-1].accuracy:.1f}%", f"{100 * self.twice.accuracy:.1f}%"
        low, high = _points(self.twice.low), _points(self.twice.high)
        if self.verdict == MORE:
            return (
                f"Twice as many {self.noun}s to learn from would probably raise the accuracy from {now} to about "
                f"{then} (a gain of {low.lstrip('+')} to {high.lstrip('+')} points)."
            )
        if self.verdict == FLAT:
            return (
                f"The curve is flat: more {self.noun}s alone will not help. The accuracy is {now}, and twice as many "
                f"would probably change it by {low} to {high} points."
            )
        return (
            f"There are too few {self.noun}s to tell whether more would help: the accuracy is {now}, and twice as "
            f"many may change it by {low} to {high} points."
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**fields_as_json(self), "sentence": self.sentence}


def measure_learning_curve(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    validation_features: NDArray[np.float32],
    validation_labels: NDArray[np.intp],
    *,
    classes: int,
    noun: str = "photograph",
    by: Heads = DENSE,
    progress: Progress = SILENT,
) -> LearningCurve:
    """Train heads on ever larger parts of the photographs, and say what twice as many would give.

    The parts have their share of each class, and within a draw the smaller ones are in the larger ones. All heads are
    of the same kind (:mod:`fortydays.fit.softmax_regression`); how smooth they are is chosen once, on a fifth of the
    photographs to learn from. Features are float32, shape (n, channels), n at least 1; labels of shape (n,). One of
    those that are learned from is called by the ``noun``, and the heads are trained ``by`` a method.
    """
    rows = np.arange(len(labels))
    held_out = some_of_each(labels, rows, 1 / 5, np.random.default_rng([0, 0]))
    others = np.setdiff1d(rows, held_out, assume_unique=True)
    spread = by.usual
    if len(others):
        few = some_of_each(labels, others, min(1.0, 5_000 / len(others)), np.random.default_rng([0, 1]))
        spread = by.choose_spread(features, labels, few, held_out, classes=classes)
    draws = _draws(labels, rows)
    task, done, count = f"Learning from parts of the {noun}s", 0, sum(len(parts) for parts in draws.values())
    progress.start(task, total=float(count), unit="heads")
    right: list[NDArray[np.bool_]] = []
    for parts in draws.values():
        answers = []
        for part in parts:
            found = by.learned(features, labels, part, validation_features, classes=classes, spread=spread)
            answers.append(found.argmax(axis=1) == validation_labels)
            done += 1
            progress.advance(task, done=float(done))
        right.append(np.stack(answers))
    progress.finish(task)
    return replace(curve_of(list(draws), right), noun=noun)


def _draws(labels: NDArray[np.intp], rows: NDArray[np.intp]) -> dict[int, list[NDArray[np.intp]]]:
    """The parts to learn from by how many photographs they have; none too small to have two of each class."""
    count, fewest = DRAWS if len(rows) < MANY else 3, 2 * len(np.unique(labels))
    found: dict[int, list[NDArray[np.intp]]] = {}
    for share in SHARES:
        parts = [
            some_of_each(labels, rows, share, np.random.default_rng([0, 2, draw]))
            for draw in range(count if share < 1 else 1)
        ]
        size = len(parts[0])
        if share == 1 or fewest <= size < len(rows):
            found.setdefault(size, parts)
    return found


def curve_of(images: Sequence[int], right: Sequence[NDArray[np.bool_]]) -> LearningCurve:
    """A learning curve from what heads answered.

    Args:
        images: how many photographs the heads of each size learned from, ascending.
        right: for each size bool, shape (draws, m): whether each head answered each validation photograph rightly.
    """
    sizes, validated = np.asarray(images, np.float64), right[0].shape[1]
    measured = np.array([answers.mean() for answers in right])
    again = _resampled(right, np.random.default_rng([0, 3]))
    lows, highs = _interval(again)
    points = tuple(
        CurvePoint(images=int(n), accuracy=float(a), low=float(lo), high=float(hi), draws=len(answers))
        for n, a, lo, hi, answers in zip(images, measured, lows, highs, right, strict=True)
    )
    if len(points) < FEWEST_SIZES or validated < FEWEST_VALIDATED:
        return LearningCurve(points=points, validated=validated, law=None, twice=None, verdict=UNKNOWN)
    weights = 1 / (again.var(axis=0) + _NOISE**2)
    (law,) = _laws(sizes, measured[None], weights)
    now, largest = float(measured[-1]), float(sizes[-1])
    gains = np.array([each.at(2 * largest) - each.at(largest) for each in _laws(sizes, again, weights)])
    # No accuracy is more than 1, whatever the law says.
    gain = min(law.at(2 * largest) - law.at(largest), 1 - now)
    ends = _interval(np.minimum(gains, 1 - again[:, -1])[:, None])[:, 0]
    low, high = min(float(ends[0]), gain), max(float(ends[1]), gain)
    worth = gain >= WORTH
    verdict = MORE if worth and low > 0 else FLAT if not worth and high < UNSURE else UNKNOWN
    twice = Prediction(images=2 * int(largest), accuracy=now + gain, gain=gain, low=low, high=high)
    return LearningCurve(points=points, validated=validated, law=law, twice=twice, verdict=verdict)


def _resampled(right: Sequence[NDArray[np.bool_]], random: np.random.Generator) -> NDArray[np.float64]:
    """The accuracies of each size, shape (:data:`RESAMPLES`, sizes), with draws and photographs drawn again.

    All sizes share the draws and the photographs of a resample, as they share them in the first place.
    """
    answers, found = [each.astype(np.float32) for each in right], np.empty((RESAMPLES, len(right)))
    validated, draws = right[0].shape[1], max(len(each) for each in right)
    for accuracies in found:
        photographs = random.multinomial(validated, np.full(validated, 1 / validated)).astype(np.float32) / validated
        chosen = random.multinomial(draws, np.full(draws, 1 / draws)) / draws
        for size, each in enumerate(answers):
            of_draws = each @ photographs
            accuracies[size] = of_draws @ chosen if len(each) == draws else of_draws.mean()
    return found


def _points(share: float) -> str:
    """A difference of shares in points, such as "+0.5"; nothing has no sign."""
    said = f"{100 * share:+.1f}"
    return "0.0" if float(said) == 0 else said


def _interval(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)


def _laws(sizes: NDArray[np.float64], accuracies: NDArray[np.float64], weights: NDArray[np.float64]) -> list[PowerLaw]:
    """The law nearest to each row of accuracies, by weighted squares, for limits of at most 1.

    For a given exponent the law is a line, which has a formula; so the exponents are tried one by one, and there is no
    search that could end elsewhere than at the best.
    """
    best = np.full(len(accuracies), np.inf)
    found = np.zeros((len(accuracies), 3))
    total = weights.sum()
    for exponent in _EXPONENTS:
        # In units of the largest size, so that powers of large numbers need not be subtracted.
        x = (sizes / sizes[-1]) ** -exponent
        middle_x, middle_y = weights @ x / total, accuracies @ weights / total
        slope = (accuracies - middle_y[:, None]) @ (weights * (x - middle_x)) / (weights @ (x - middle_x) ** 2)
        limit = middle_y - slope * middle_x
        above = limit > 1
        slope = np.where(above, (accuracies - 1) @ (weights * x) / (weights @ x**2), slope)
        limit = np.minimum(limit, 1.0)
        error = (accuracies - limit[:, None] - slope[:, None] * x) ** 2 @ weights
        better = error < best
        best = np.where(better, error, best)
        fitted = np.stack([limit, -slope * sizes[-1] ** exponent, np.full(len(limit), exponent)], axis=1)
        found = np.where(better[:, None], fitted, found)
    return [PowerLaw(limit=float(a), factor=float(b), exponent=float(c)) for a, b, c in found]

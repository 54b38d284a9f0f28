"""Learning curves: what the trials of a variant saw during training, seed by seed and in the mean."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fortydays.report.results import VariantResults
from fortydays.study.document import Trial


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """A quantity against training, for one variant.

    Attributes:
        seeds: one ``(x, y)`` for each finished trial, in the order of seeds; float64.
        x: where every one of these trials has a point.
        mean: the mean over seeds there.
        std: the standard deviation over seeds there (with n - 1), or None for a single seed.
    """

    seeds: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]
    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64] | None


def axis(variants: Iterable[VariantResults]) -> str:
    """What training is measured in: "epoch" where there is one point for each, "step" where there are more."""
    for variant in variants:
        for trial in variant.finished:
            epochs = trial.history.get("epoch", ())
            if any(later <= earlier for earlier, later in pairwise(epochs)):
                return "step"
    return "epoch"


def curve(trials: Sequence[Trial], field: str, *, against: str) -> Curve | None:
    """The curve of a field of the history over some trials of one variant, or None if none of them has it.

    The mean goes as far as every trial does: where some have stopped, the mean of the others would be one of
    different trials.
    """
    seeds = tuple(
        (np.asarray(t.history[against], np.float64), np.asarray(t.history[field], np.float64))
        for t in trials
        if t.history.get(against) and t.history.get(field)
    )
    if not seeds:
        return None
    x = functools.reduce(np.intersect1d, (points for points, _ in seeds))
    values = np.stack([np.interp(x, points, y) for points, y in seeds])
    std = values.std(axis=0, ddof=1) if len(seeds) > 1 else None
    return Curve(seeds=seeds, x=x, mean=values.mean(axis=0), std=std)


def floor_of_interest(means: Iterable[NDArray[np.float64]]) -> float:
    """Where an accuracy axis begins: below every final value and most of the way there, but not at chance level."""
    known = list(means)
    final, top = min(float(m[-1]) for m in known), max(float(m.max()) for m in known)
    lowest = min(float(m.min()) for m in known)
    return max(lowest - 0.02 * (top - lowest), final - 4 * max(top - final, 0.05))


def ceiling_of_interest(means: Iterable[NDArray[np.float64]]) -> float | None:
    """Where a loss axis ends, likewise."""
    known = list(means)
    final, highest = max(float(m[-1]) for m in known), max(float(m.max()) for m in known)
    ceiling = min(1.05 * highest, 4 * final)
    return ceiling if ceiling > 0 else None

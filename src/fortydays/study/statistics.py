"""From the numbers of a few seeds to intervals, and from an interval to how many seeds would decide.

A trial differs from another in two ways: its seed, and the examples that it is tested on. So there are two intervals.

*Over the seeds.* Student's (1908): with n independent trials, mean m and standard deviation s, the mean over all
possible seeds lies in ``m ± t(n-1) s / sqrt(n)`` in 95% of such studies. It speaks of these test examples only.

*Over the seeds and the test examples.* Each example was answered rightly or wrongly in the trial of each seed. These
answers are a table with two random factors that are crossed. The variance of its mean has three parts, which an
analysis of variance estimates (Searle, Casella and McCulloch, 1992, *Variance Components*, chapter 4); the quantile is
Student's, with the degrees of freedom of Satterthwaite (1946). It is what a bootstrap that draws seeds and examples
anew (Owen, 2007, "The pigeonhole bootstrap") aims at, and covers better: ``bench/simulate_claims.py`` compares them.

Two variants trained with the same seeds are compared by the differences within each seed and each example. The pairing
is fixed before any trial. It is worth much for the examples, which are easy or hard for both variants, and little for
the seeds: the same seed rarely does the same to two networks.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
POWER = 0.8
MOST_SEEDS_SUGGESTED = 1000

Trials = Mapping[str, Mapping[int, Mapping[str, float | None]]]
"""Metrics of the finished trials: variant -> seed -> metric -> value (None: a target never reached)."""

Answers = Mapping[str, Mapping[int, NDArray[np.bool_]]]
"""Which test examples were answered rightly: variant -> seed -> one truth value for each example."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean over seeds with its spread.

    Attributes:
        mean: the mean of the values.
        std: their standard deviation (with n - 1), or None where n is 1.
        low: lower end of the confidence interval of the mean, or None where n is 1.
        high: upper end, likewise.
        n: how many values.
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    n: int

    def as_dict(self) -> dict[str, float | int | None]:
        """The interval as JSON values."""
        return {"mean": self.mean, "std": self.std, "low": self.low, "high": self.high, "n": self.n}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The two ends of an interval."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """How far the ends are apart."""
        return self.high - self.low


@dataclass(frozen=True, kw_only=True)
class Uncertain:
    """A mean and how far it may be off, as far as one source of uncertainty goes.

    Attributes:
        mean: the mean.
        error: its standard error.
        freedom: degrees of freedom of the error.
        share: whether the mean is one of right answers, from 0 to 1. Its interval is then Wilson's (1927), for as many
            examples as would have this standard error: it stays within 0 and 1.
        examples: of a share, how many it rests on where all answers are right, or all wrong.
    """

    mean: float
    error: float
    freedom: float
    share: bool = False
    examples: float = math.inf

    def limits(self, *, confidence: float = CONFIDENCE) -> Limits:
        """The confidence interval of the mean."""
        t = student_t(self.freedom, confidence=confidence)
        if not self.share:
            return Limits(low=self.mean - t * self.error, high=self.mean + t * self.error)
        n, p = self._independent, self.mean
        middle = (p + t * t / (2 * n)) / (1 + t * t / n)
        half = t * math.sqrt(p * (1 - p) / n + (t / (2 * n)) ** 2) / (1 + t * t / n)
        # Where all answers are alike, one end is the mean itself; rounding must not take it away.
        return Limits(low=0.0 if p == 0 else middle - half, high=1.0 if p == 1 else middle + half)

    def p(self, bound: float) -> float:
        """How probable a mean at least as far from ``bound`` on either side would be, if that were the true mean."""
        error = self.error
        if self.share:
            error = math.sqrt(max(0.0, bound * (1 - bound)) / self._independent)
        distance = abs(self.mean - bound)
        if distance == 0:
            return 1.0
        return 0.0 if error == 0 else _two_sided(distance / error, self.freedom)

    @property
    def _independent(self) -> float:
        """How many independent answers would have this error."""
        variance = self.mean * (1 - self.mean)
        return variance / self.error**2 if self.error and variance else self.examples


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """What a claim is judged on: a quantity for each seed and, where it is made of answers, for each test example.

    Attributes:
        values: of each seed; at least two.
        examples: shape (seeds, examples), or None where the quantity is no mean over test examples. The mean of each
            row is the value of its seed.
        share: whether the quantity is one variant's share of right answers.
        apart: of a difference, the two numbers of each seed, where they are not to be paired; or None.
    """

    values: Sequence[float]
    examples: NDArray[np.float64] | None = None
    share: bool = False
    apart: Sequence[tuple[float, float]] | None = None

    @cached_property
    def spread(self) -> Interval:
        """Mean, standard deviation and Student's interval over the seeds."""
        return interval(self.values)

    @cached_property
    def over_seeds(self) -> Uncertain:
        """As far as the seeds go."""
        n = len(self.values)
        if self.apart is not None:
            first, second = ((interval(values).std or 0.0) ** 2 / n for values in zip(*self.apart, strict=True))
            error = math.sqrt(first + second)
            freedom = (n - 1) * (first + second) ** 2 / (first**2 + second**2) if error else n - 1
            return Uncertain(mean=self.spread.mean, error=error, freedom=freedom)
        return Uncertain(mean=self.spread.mean, error=(self.spread.std or 0.0) / math.sqrt(n), freedom=n - 1)

    @cached_property
    def over_both(self) -> Uncertain | None:
        """As far as seeds and test examples go, or None where there are no answers, or fewer than two examples."""
        if self.examples is None or min(self.examples.shape) < 2:
            return None
        seeds, count = self.examples.shape
        of_seeds, of_examples, rest = mean_squares(self.examples)
        total = max(of_seeds + of_examples - rest, of_seeds, of_examples)
        freedom = count - 1.0
        if total > 0:
            parts = of_seeds**2 / (seeds - 1) + of_examples**2 / (count - 1) + rest**2 / ((seeds - 1) * (count - 1))
            freedom = total**2 / parts
        error = math.sqrt(total / (seeds * count))
        return Uncertain(mean=self.spread.mean, error=error, freedom=freedom, share=self.share, examples=count)

    def limits(self, *, confidence: float = CONFIDENCE) -> Limits:
        """From the lower of the two lower ends to the higher of the two upper ends: mostly the wider interval."""
        found = [each.limits(confidence=confidence) for each in self._sources]
        return Limits(low=min(each.low for each in found), high=max(each.high for each in found))

    def p(self, bound: float) -> float:
        """The larger of the two probabilities of :meth:`Uncertain.p`."""
        return max(each.p(bound) for each in self._sources)

    def seeds_to_decide(self, bound: float, *, confidence: float = CONFIDENCE, power: float = POWER) -> int | None:
        """How many fresh seeds would decide on which side of a bound the mean is. See :func:`fresh_seeds`."""
        distance, n = self.spread.mean - bound, len(self.values)
        return fresh_seeds(distance, self.spread.std, n, floor=self.floor, confidence=confidence, power=power)

    @cached_property
    def floor(self) -> float:
        """The standard error that stays however many seeds there are: that of the test examples."""
        if self.over_both is None or self.examples is None:
            return 0.0
        seeds, count = self.examples.shape
        _, of_examples, rest = mean_squares(self.examples)
        return math.sqrt(max(of_examples - rest, 0.0) / (seeds * count))

    @property
    def _sources(self) -> tuple[Uncertain, ...]:
        return tuple(filter(None, (self.over_seeds, self.over_both)))


def mean_squares(table: NDArray[np.float64]) -> tuple[float, float, float]:
    """The mean squares of rows, of columns and of the rest, in a table of two crossed factors."""
    rows, columns = table.shape
    mean = table.mean()
    of_rows, of_columns = table.mean(axis=1) - mean, table.mean(axis=0) - mean
    rest = table - of_rows[:, None] - of_columns[None, :] - mean
    return (
        float(columns * (of_rows**2).sum() / (rows - 1)),
        float(rows * (of_columns**2).sum() / (columns - 1)),
        float((rest**2).sum() / ((rows - 1) * (columns - 1))),
    )


def interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """The mean of some values with Student's confidence interval.

    Args:
        values: one for each seed; at least one.
        confidence: of the interval, between 0 and 1.
    """
    n = len(values)
    if n == 0:
        raise ValueError("an interval needs at least one value")
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean=mean, std=None, low=None, high=None, n=1)
    # Equal values give exactly zero; the rounding of their mean must not turn into a spread.
    spread = 0.0 if len(set(values)) == 1 else math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    mean = values[0] if spread == 0.0 else mean
    half = student_t(n - 1, confidence=confidence) * spread / math.sqrt(n)
    return Interval(mean=mean, std=spread, low=mean - half, high=mean + half, n=n)


def wilson(right: int, of: int, *, confidence: float = CONFIDENCE) -> Limits:
    """The interval of Wilson (1927) of a share, such as that of the right answers of one trial.

    Args:
        right: how many.
        of: how many in all; at least 1.
        confidence: of the interval.
    """
    p = right / of
    error = math.sqrt(p * (1 - p) / of)
    share = Uncertain(mean=p, error=error, freedom=math.inf, share=True, examples=of)
    return share.limits(confidence=confidence)


def student_t(degrees_of_freedom: float, *, confidence: float) -> float:
    """The two-sided quantile of Student's distribution, such as 2.776 for 4 degrees of freedom and 95%."""
    # scipy.special loads in a tenth of the time of scipy.stats.
    from scipy.special import ndtri, stdtrit

    if math.isinf(degrees_of_freedom):
        return float(ndtri(0.5 + confidence / 2))
    return float(stdtrit(degrees_of_freedom, 0.5 + confidence / 2))


def _two_sided(t: float, freedom: float) -> float:
    from scipy.special import ndtr, stdtr

    return 2 * float(ndtr(-t) if math.isinf(freedom) else stdtr(freedom, -t))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Each probability of a family, adjusted so that 5% bounds the risk of any false verdict in it (Holm, 1979)."""
    adjusted, largest = [0.0] * len(probabilities), 0.0
    for rank, index in enumerate(sorted(range(len(probabilities)), key=probabilities.__getitem__)):
        largest = max(largest, min(1.0, (len(probabilities) - rank) * probabilities[index]))
        adjusted[index] = largest
    return adjusted


def benjamini_hochberg(probabilities: Sequence[float]) -> list[float]:
    """Each probability of a family, adjusted so that 5% bounds the expected share of false ones among the verdicts.

    The method is that of Benjamini and Hochberg (1995).
    """
    adjusted, smallest, count = [0.0] * len(probabilities), 1.0, len(probabilities)
    order = sorted(range(count), key=probabilities.__getitem__)
    for rank in range(count, 0, -1):
        smallest = min(smallest, probabilities[order[rank - 1]] * count / rank)
        adjusted[order[rank - 1]] = smallest
    return adjusted


def confidence_of_look(earlier: int) -> float:
    """The confidence of an interval where a part of the seeds was judged before, ``earlier`` times.

    Who adds seeds until a verdict comes finds one too easily. The first look has the usual risk of 5%. The second gets
    a quarter of that, and each further one half of the one before: all later looks together add at most 2.5%.
    """
    return CONFIDENCE if not earlier else 1 - (1 - CONFIDENCE) / 2 ** (earlier + 1)


def fresh_seeds(
    distance: float,
    std: float | None,
    n: int,
    *,
    floor: float = 0.0,
    confidence: float = CONFIDENCE,
    power: float = POWER,
) -> int | None:
    """How many fresh seeds decide with the wanted power, if the true mean is the one that was seen.

    Fresh means: not those that the distance was seen in. The standard deviation of a few seeds is often too small, so
    the upper end of its one-sided 80% interval is taken (Browne, 1995).

    Args:
        distance: how far the mean is from the bound.
        std: standard deviation over the seeds; None where it is not known.
        n: how many seeds it was found with.
        floor: the standard error of the test examples. It widens the interval, and fresh seeds do not change it: they
            are tested on the same examples.
        confidence: of the interval.
        power: with which probability the interval is to exclude the bound.

    Returns:
        The smallest such number, at least 2. None where no spread is known, or no number up to a thousand is enough.
    """
    if std is None or distance == 0 or n < 2:
        return None
    from scipy.special import chdtri, nctdtr

    std *= math.sqrt((n - 1) / chdtri(n - 1, 0.8))
    counts = np.arange(2, MOST_SEEDS_SUGGESTED + 1)
    quantiles = np.array([student_t(count - 1, confidence=confidence) for count in counts.tolist()])
    if std == 0:
        return 2 if abs(distance) > student_t(math.inf, confidence=confidence) * floor else None
    of_seeds = std / np.sqrt(counts)
    wider = np.sqrt(1 + (floor / of_seeds) ** 2)  # by how much the examples widen the interval
    with np.errstate(all="ignore"):
        reached = 1 - nctdtr(counts - 1, np.minimum(abs(distance) / of_seeds, 1000.0), quantiles * wider)
    enough = np.flatnonzero(reached >= power)
    return int(counts[enough[0]]) if len(enough) else None

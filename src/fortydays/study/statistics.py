"""From the numbers of a few seeds to an interval, and from an interval to how many seeds would decide.

The interval is Student's (1908): with n independent trials, mean m and standard deviation s, the mean over all
possible seeds lies in ``m ± t(n-1) s / sqrt(n)`` in 95% of such studies. Two variants trained with the same seeds are
compared by the differences within each seed (a paired comparison), which removes what the seed does to both. The
spread is that of training: the test examples are the same for all trials, so it says nothing about other test sets
(Bouthillier et al., 2021, "Accounting for Variance in Machine Learning Benchmarks").
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
MOST_SEEDS_SUGGESTED = 1000


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


def student_t(degrees_of_freedom: int, *, confidence: float) -> float:
    """The two-sided quantile of Student's distribution, such as 2.776 for 4 degrees of freedom and 95%."""
    # scipy.special loads in a tenth of the time of scipy.stats.
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, 0.5 + confidence / 2))


def seeds_to_decide(distance: float, std: float | None, *, confidence: float = CONFIDENCE) -> int | None:
    """How many seeds would probably make the interval exclude a bound, if mean and spread stay as they are.

    Args:
        distance: how far the mean is from the bound.
        std: standard deviation over the seeds; None where it is not known.
        confidence: of the interval.

    Returns:
        The smallest such n, at least 2; None where no spread is known or more than a thousand would be needed.
    """
    if std is None or distance == 0:
        return None
    for n in range(2, MOST_SEEDS_SUGGESTED + 1):
        if student_t(n - 1, confidence=confidence) * std / math.sqrt(n) < abs(distance):
            return n
    return None

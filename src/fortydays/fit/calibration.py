"""Confidence that is worth its name: temperature scaling, and from which confidence on to say "unknown"."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.registry.evaluation import calibration_error
from fortydays.registry.gates import share_interval

COLDEST, HOTTEST = 0.05, 20.0
"""Between these the temperature is searched: where every answer is right, the best one would be zero."""

CONFIDENCE = 0.95
"""Of the interval of a rate of false alarms."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a temperature does to how far confidence is from accuracy.

    Attributes:
        temperature: what logits are divided by; more than 1 makes answers less confident.
        images: how many photographs the errors were measured on.
        before: expected calibration error without the temperature, from 0 to 1.
        after: the same with it.
    """

    temperature: float
    images: int
    before: float
    after: float

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "temperature": self.temperature,
            "images": self.images,
            "error_before": self.before,
            "error_after": self.after,
        }


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Below which confidence an answer becomes "unknown", and how often that is a false alarm.

    Attributes:
        below: the largest probability of an answer must be less than this to be "unknown".
        false_alarms: share of photographs of known classes below it, from 0 to 1.
        low: lower end of the 95% interval of that share (Wilson, 1927).
        high: upper end.
        images: how many photographs of known classes it was measured on.
    """

    below: float
    false_alarms: float
    low: float
    high: float
    images: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "below": self.below,
            "false_alarms": self.false_alarms,
            "low": self.low,
            "high": self.high,
            "images": self.images,
        }


def softmax(logits: NDArray[np.float32], *, temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities from logits.

    Args:
        logits: float32, shape (n, classes).
        temperature: what they are divided by.

    Returns:
        float32, shape (n, classes); each row adds up to 1.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True), np.float32)


def temperature(logits: NDArray[np.float32], labels: NDArray[np.intp]) -> float:
    """The temperature that gives some labels the smallest cross-entropy (Guo et al., 2017).

    It is searched between :data:`COLDEST` and :data:`HOTTEST`. Where every answer is right, colder is always better
    and the labels say nothing of how cold: then it is 1, and confidence stays as it was.

    Args:
        logits: float32, shape (n, classes), of photographs that nothing was learned from.
        labels: shape (n,).

    Raises:
        ValueError: there is no logit, or one of them is not a number.
    """
    from scipy.optimize import minimize_scalar

    values = np.asarray(logits, np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError("a temperature needs at least one row of finite logits")
    values = values - values.max(axis=1, keepdims=True)
    chosen = values[np.arange(len(labels)), labels]
    if bool(np.all(values.argmax(axis=1) == labels)):
        return 1.0

    def loss(log_temperature: float) -> float:
        cold = 1 / math.exp(log_temperature)
        return float((np.log(np.exp(values * cold).sum(axis=1)) - chosen * cold).mean())

    found = minimize_scalar(
        loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method="bounded", options={"xatol": 1e-6}
    )
    return float(math.exp(found.x))


def calibrated(logits: NDArray[np.float32], labels: NDArray[np.intp], *, temperature: float) -> Calibration:
    """What a temperature does to the expected calibration error.

    Args:
        logits: float32, shape (n, classes); rather not of the photographs that the temperature was found with.
        labels: shape (n,).
        temperature: from :func:`temperature`.
    """
    return Calibration(
        temperature=temperature,
        images=len(labels),
        before=calibration_error(softmax(logits), labels),
        after=calibration_error(softmax(logits, temperature=temperature), labels),
    )


def unknown_threshold(probabilities: NDArray[np.float32], *, false_alarms: float = 0.05) -> Threshold | None:
    """The confidence below which at most a share of further photographs of known classes is expected.

    Of n photographs, the k-th smallest confidence has k / (n + 1) of further ones of their kind below it, on average
    (Vovk, Gammerman and Shafer, 2005). To go by confidence is the baseline of Hendrycks and Gimpel (2017): the
    probability of the most probable class, as it is. It catches part of what belongs to no class, never all of it.

    Args:
        probabilities: float32, shape (n, classes), of photographs of known classes that nothing was learned from.
        false_alarms: how many further ones may be called unknown, as a share; at least 0 and less than 1.

    Returns:
        The threshold, with the rate on these photographs; None where they are too few for such a share: under 19 for
        a twentieth.

    Raises:
        ValueError: there is no photograph, or the share is none.
    """
    if not len(probabilities):
        raise ValueError("a threshold needs at least one photograph")
    if not 0 <= false_alarms < 1:
        raise ValueError(f"{false_alarms} is no share of false alarms: expected at least 0 and less than 1")
    confidences = np.sort(np.asarray(probabilities).max(axis=1))
    # What 0.29 * 100 falls short of 29 by is rounding.
    rank = math.floor(false_alarms * (len(confidences) + 1) + 1e-9)
    return threshold_at(probabilities, below=float(confidences[rank - 1])) if rank else None


def threshold_at(probabilities: NDArray[np.float32], *, below: float) -> Threshold:
    """How often a threshold is a false alarm among photographs of known classes.

    Args:
        probabilities: float32, shape (n, classes); at least one row.
        below: what the largest probability must be less than to be "unknown".
    """
    unknown, images = int((np.asarray(probabilities).max(axis=1) < below).sum()), len(probabilities)
    low, high = share_interval(unknown, images, confidence=CONFIDENCE)
    return Threshold(below=below, false_alarms=unknown / images, low=max(0.0, low), high=min(1.0, high), images=images)

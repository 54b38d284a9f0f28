"""Confidence that is worth its name: temperature scaling, and from which confidence on to say "unknown".

The temperature is applied to probabilities, at the end of the ONNX file: softmax(log(p) / T) is what a network gives
whose logits are divided by T. So it suits every model that gives probabilities: one that averages over several views,
one in int8, one whose softmax is a layer of its own. The weights stay as they were trained.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.registry.contents import CONFIDENCE_SCHEMA
from fortydays.registry.evaluation import calibration_error
from fortydays.registry.gates import share_interval
from fortydays.registry.inference import OUTPUT

COLDEST, HOTTEST = 0.05, 20.0
"""Between these the temperature is searched: where every answer is right, the best one would be zero."""

_SMALLEST = float(np.finfo(np.float32).tiny)

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


def as_logits(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities as logits, but for a constant of each image."""
    return np.log(np.maximum(probabilities, _SMALLEST)).astype(np.float32)


def with_temperature(content: bytes, temperature: float) -> bytes:
    """An ONNX file whose answers are those of logits divided by a temperature; the same file where that is 1.

    Args:
        content: the file, with one output of probabilities.
        temperature: above 1, the model becomes less sure of all its answers; which is most probable stays.
    """
    if temperature == 1.0:
        return content
    import onnx
    from onnx import helper, numpy_helper

    trained = f"{OUTPUT}_as_trained"
    model = onnx.load_model_from_string(content)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [trained if name == OUTPUT else name for name in names]
    model.graph.initializer.append(numpy_helper.from_array(np.array(1 / temperature, np.float32), "coldness"))
    model.graph.node.extend(
        [
            helper.make_node("Log", [trained], ["log_of_trained"]),
            helper.make_node("Mul", ["log_of_trained", "coldness"], ["calibrated_logits"]),
            helper.make_node("Softmax", ["calibrated_logits"], [OUTPUT], axis=1),
        ]
    )
    return bytes(model.SerializeToString(deterministic=True))


def measured_confidence(logits: NDArray[np.float32], labels: NDArray[np.intp]) -> tuple[float, dict[str, Any] | None]:
    """A model's temperature, and what its ``confidence.json`` says, both from images that nothing was learned from.

    The rate of false alarms is measured on other images than the threshold was chosen on: temperature and threshold
    are found on every second image and tried on the others, and the other way round (two-fold cross-fitting). The
    model gets those that all images give.

    Args:
        logits: shape (n, classes), of validation images.
        labels: shape (n,).

    Returns:
        The temperature and the document; 1 and None where the images are too few for a threshold.
    """
    even = np.arange(len(labels)) % 2 == 0
    alarms = 0
    for half in (even, ~even):
        if not half.any():
            return 1.0, None
        cooled = temperature(logits[half], labels[half])
        threshold = unknown_threshold(softmax(logits[half], temperature=cooled))
        if threshold is None:
            return 1.0, None
        others = softmax(logits[~half], temperature=cooled)
        alarms += int((others.max(axis=1) < threshold.below).sum())
    cooled = temperature(logits, labels)
    threshold = unknown_threshold(softmax(logits, temperature=cooled))
    assert threshold is not None
    return cooled, {
        "schema_version": CONFIDENCE_SCHEMA,
        "temperature": cooled,
        "unknown_below": threshold.below,
        "false_alarms": alarms / len(labels),
        "images": len(labels),
    }


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

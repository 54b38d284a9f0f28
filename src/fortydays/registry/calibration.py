"""Confidence that is worth its name: temperature scaling, and from which confidence on to say "unknown".

The temperature is applied to probabilities, at the end of the ONNX file: softmax(log(p) / T) is what a network gives
whose logits are divided by T. So it suits every model that gives probabilities: one that averages over several views,
one in int8, one whose softmax is a layer of its own. The weights stay as they were trained.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fortydays.registry.contents import Confidence
from fortydays.registry.evaluation import calibration_error
from fortydays.registry.gates import share_interval
from fortydays.registry.inference import OUTPUT

COLDEST, HOTTEST = 0.05, 20.0
"""Between these the temperature is searched: where every answer is right, the best one would be zero."""

_SMALLEST = float(np.finfo(np.float32).tiny)

FEWEST_FOR_THRESHOLD = 19
"""Examples, for a threshold of what is unknown: of fewer, none can be a twentieth."""

FEWEST_FOR_TEMPERATURE = 20
"""Examples, for a temperature: of fewer, a single mistake would decide on it."""

CONFIDENCE = 0.95
"""Of the interval of a rate of false alarms."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a temperature does to the expected calibration error, from 0 to 1, on so many images."""

    temperature: float
    images: int
    error_before: float
    error_after: float


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
    """Probabilities from logits that are divided by a temperature; both float32, shape (n, classes)."""
    from scipy import special

    return np.asarray(special.softmax(np.asarray(logits, np.float64) / temperature, axis=1), np.float32)


def as_logits(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities as logits, but for a constant of each image."""
    return np.log(np.maximum(probabilities, _SMALLEST)).astype(np.float32)


def with_temperature(content: bytes, temperature: float) -> bytes:
    """An ONNX file whose answers are those of logits divided by a temperature; the same file where that is 1.

    Above 1, the model becomes less sure of all its answers; which is most probable stays.
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


def measured_confidence(logits: NDArray[np.float32], labels: NDArray[np.intp]) -> tuple[float, Confidence | None]:
    """A model's temperature and confidence, from validation images: shapes (n, classes) and (n,).

    The rate of false alarms is measured on other images than the threshold was chosen on: temperature and threshold
    are found on every second image and tried on the others, and the other way round (two-fold cross-fitting). The
    model gets those that all images give. Where the images are too few for a threshold, these are 1 and None.
    """
    even = np.arange(len(labels)) % 2 == 0
    alarms = 0
    for half in (even, ~even):
        if not half.any():
            return 1.0, None
        cooled = temperature(logits[half], labels[half])
        below = unknown_threshold(softmax(logits[half], temperature=cooled))
        if below is None:
            return 1.0, None
        others = softmax(logits[~half], temperature=cooled)
        alarms += int((others.max(axis=1) < below).sum())
    cooled = temperature(logits, labels)
    below = unknown_threshold(softmax(logits, temperature=cooled))
    assert below is not None
    return cooled, Confidence(
        temperature=cooled, unknown_below=below, false_alarms=alarms / len(labels), images=len(labels)
    )


def temperature(logits: NDArray[np.float32], labels: NDArray[np.intp]) -> float:
    """The temperature that gives some labels the smallest cross-entropy (Guo et al., 2017).

    It is searched between :data:`COLDEST` and :data:`HOTTEST`. Where every answer is right, colder is always better
    and the labels say nothing of how cold: then it is 1, and confidence stays as it was.

    Args:
        logits: float32, shape (n, classes), finite, of photographs that nothing was learned from; n at least 1.
        labels: shape (n,).
    """
    from scipy.optimize import minimize_scalar

    values = np.asarray(logits, np.float64)
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


def helpful_temperature(logits: NDArray[np.float32], labels: NDArray[np.intp]) -> float:
    """The temperature as :func:`temperature` finds it, where that is known to help; else 1.

    It is known where there are at least :data:`FEWEST_FOR_TEMPERATURE` examples, and the temperature of either half of
    them makes the cross-entropy of the other half smaller, on average (two-fold cross-validation).

    Args:
        logits: as of :func:`temperature`.
        labels: likewise.
    """
    if len(labels) < FEWEST_FOR_TEMPERATURE:
        return 1.0
    even = np.arange(len(labels)) % 2 == 0
    before = after = 0.0
    for half in (even, ~even):
        cooled = temperature(logits[half], labels[half])
        before += _loss(logits[~half], labels[~half], 1.0)
        after += _loss(logits[~half], labels[~half], cooled)
    return temperature(logits, labels) if after < before else 1.0


def _loss(logits: NDArray[np.float32], labels: NDArray[np.intp], temperature: float) -> float:
    """The sum of the cross-entropies."""
    from scipy import special

    logs = special.log_softmax(np.asarray(logits, np.float64) / temperature, axis=1)
    return -float(logs[np.arange(len(labels)), labels].sum())


def calibrated(logits: NDArray[np.float32], labels: NDArray[np.intp], *, temperature: float) -> Calibration:
    """What a temperature does to the expected calibration error: rather not on photographs that it was found with."""
    return Calibration(
        temperature=temperature,
        images=len(labels),
        error_before=calibration_error(softmax(logits), labels),
        error_after=calibration_error(softmax(logits, temperature=temperature), labels),
    )


def unknown_threshold(probabilities: NDArray[np.float32]) -> float | None:
    """The confidence below which at most a twentieth of further photographs of known classes is expected.

    Of n photographs, the k-th smallest confidence has k / (n + 1) of further ones of their kind below it, on average
    (Vovk, Gammerman and Shafer, 2005). To go by confidence is the baseline of Hendrycks and Gimpel (2017): the
    probability of the most probable class, as it is. It catches part of what belongs to no class, never all of it.

    Args:
        probabilities: float32, shape (n, classes), of photographs of known classes that nothing was learned from.

    Returns:
        The threshold; None where there are under 19 photographs, too few to tell of a twentieth.
    """
    confidences = np.sort(np.asarray(probabilities).max(axis=1))
    rank = (len(confidences) + 1) // 20
    return float(confidences[rank - 1]) if rank else None


def threshold_at(probabilities: NDArray[np.float32], *, below: float) -> Threshold:
    """How often a threshold is a false alarm among photographs of known classes, from probabilities (n, classes)."""
    unknown, images = int((np.asarray(probabilities).max(axis=1) < below).sum()), len(probabilities)
    low, high = share_interval(unknown, images, confidence=CONFIDENCE)
    return Threshold(below=below, false_alarms=unknown / images, low=max(0.0, low), high=min(1.0, high), images=images)

"""A model measured as a service would run it: from its ONNX file, on validation examples, which it has not learned."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.base.settings import keep_onnx_runtime_silent
from fortydays.data.arrays import Split, TrainingData
from fortydays.inputs.input import Arrays, count_of, rows_of
from fortydays.registry.inference import NUMBERS_AT_ONCE, OnnxModel
from fortydays.study.graphs import OPSET

BINS = 15
"""Of the calibration error: intervals of confidence of equal width (Guo et al., 2017)."""

MOST_NUMBERS = 2**28
"""Numbers that are measured at most, such as pixels times channels: all of the journey's data sets, and 1,783 large
photographs."""

_AT_ONCE = 256
"""Examples that are changed and answered together at most: divisible by 4, so that turns of up to 4 ways go on."""

REFERENCE_MILLISECONDS = 2.0
"""What the reference graph (see :func:`reference_graph`) takes at most on a core of today with nothing else to do:
between 1.5 and 1.8 ms were measured on an AMD EPYC."""

_TIMED = 60
_UNTIMED = 5


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """The share, from 0 to 1, of answers that stay when each example is changed once in a way that means nothing."""

    change: str
    images: int
    same: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What a model does on validation data. Shares are from 0 to 1, and classes in the order of the labels.

    Attributes:
        loss: mean cross-entropy.
        calibration_chance: what the expected calibration error would be, in 19 of 20 cases at most, if the confidence
            were right: with few images it is large by chance alone.
        class_accuracy: share of right answers for each class; NaN where it has no image.
        right: bool, shape (images,), whether each was answered rightly.
        largest_share: share of the images that the most frequent class has: what always naming it would get.
        milliseconds: time for one image on one thread, the least of several.
        reference_milliseconds: the same for the reference graph, measured in the same seconds.
        bytes: size of the model's file.
    """

    images: int
    accuracy: float
    loss: float
    calibration_error: float
    calibration_chance: float
    class_images: tuple[int, ...]
    class_accuracy: tuple[float, ...]
    right: NDArray[np.bool_]
    largest_share: float
    behaviours: tuple[Behaviour, ...]
    milliseconds: float
    reference_milliseconds: float = REFERENCE_MILLISECONDS
    bytes: int

    @property
    def worst_class(self) -> int:
        """The label whose images are answered rightly least often."""
        return int(np.nanargmin(self.class_accuracy))

    def as_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """As JSON values, without the answers to single images."""
        return {
            "images": self.images,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "calibration_error": self.calibration_error,
            "class_accuracy": {
                name: None if np.isnan(value) else value
                for name, value in zip(classes, self.class_accuracy, strict=True)
            },
            "behaviours": [asdict(behaviour) for behaviour in self.behaviours],
            "milliseconds": self.milliseconds,
            "reference_milliseconds": self.reference_milliseconds,
            "bytes": self.bytes,
        }


def measure(content: bytes, data: TrainingData, *, threads: int) -> Measured:
    """Measure the content of an ONNX file on the validation split. The time of one example is taken on one thread.

    Raises UnsafeModelError where the file is not one to run, or its answers are no probabilities.
    """
    model = OnnxModel(content, threads=threads)
    validation, disturbances = some_of(data.validation), data.input.disturbances
    labels = np.asarray(validation.labels).astype(np.intp)
    parts: list[NDArray[np.float32]] = []
    same = np.zeros((len(disturbances), len(labels)), np.bool_)
    # Divisible by four, so that turns of up to four ways go on.
    at_once = max(4, min(_AT_ONCE, NUMBERS_AT_ONCE // model.signature.numbers) // 4 * 4)
    for start in range(0, len(labels), at_once):
        inputs = validation.rows(slice(start, start + at_once)).inputs
        parts.append(model.predict(inputs))
        here = parts[-1].argmax(axis=1)
        for row, disturbance in enumerate(disturbances):
            there = model.predict(in_turn(list(disturbance.ways(inputs)))).argmax(axis=1)
            same[row, start : start + len(here)] = there == here
    one, reference, first = OnnxModel(content, threads=1), reference_graph(), validation.rows(slice(at_once)).inputs
    milliseconds, reference_milliseconds = side_by_side(
        lambda turn: one.predict(rows_of(first, [turn % count_of(first)])),
        lambda _turn: reference(),
    )
    probabilities = np.concatenate(parts)
    right = probabilities.argmax(axis=1) == labels
    return Measured(
        images=len(labels),
        accuracy=float(right.mean()),
        loss=cross_entropy(probabilities, labels),
        calibration_error=calibration_error(probabilities, labels),
        calibration_chance=calibration_by_chance(probabilities),
        class_images=tuple(np.bincount(labels, minlength=probabilities.shape[1]).tolist()),
        class_accuracy=tuple(
            float(right[labels == label].mean()) if np.any(labels == label) else float("nan")
            for label in range(probabilities.shape[1])
        ),
        right=right,
        largest_share=float(np.bincount(labels).max() / len(labels)),
        behaviours=tuple(
            Behaviour(change=disturbance.change, images=len(labels), same=float(stayed.mean()))
            for disturbance, stayed in zip(disturbances, same, strict=True)
        ),
        milliseconds=milliseconds,
        reference_milliseconds=reference_milliseconds,
        bytes=len(content),
    )


def some_of(split: Split) -> Split:
    """A split, or as many of its examples, evenly spaced, as have :data:`MOST_NUMBERS` together."""
    each = sum(int(np.prod(array.shape[1:])) for array in split.inputs.values())
    most = max(1, MOST_NUMBERS // each)
    if len(split) <= most:
        return split
    return split.rows(evenly(len(split), most))


def evenly(many: int, count: int) -> NDArray[np.intp]:
    """So many of the rows, evenly spaced; all where there are no more."""
    return np.linspace(0, many - 1, min(count, many)).astype(np.intp)


def cross_entropy(probabilities: NDArray[np.float32], labels: NDArray[np.intp]) -> float:
    """Mean negative logarithm of the probability of the right class; no probability counts as less than 1e-7."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(chosen, 1e-7, 1.0)).mean())


def calibration_error(probabilities: NDArray[np.float32], labels: NDArray[np.intp]) -> float:
    """Expected calibration error: how far confidence is from accuracy, on average over the images (Guo et al., 2017).

    Images are put into :data:`BINS` intervals by the probability of their most probable class; within each, the mean
    of these is compared with the share of right answers.

    Args:
        probabilities: float32, shape (n, classes).
        labels: shape (n,).

    Returns:
        From 0 to 1.
    """
    confidence, which = _confidence(probabilities)
    return _gap(confidence, which, probabilities.argmax(axis=1) == labels)


def _confidence(probabilities: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The confidence of each answer, and the interval that it is in."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    # An interval holds its upper end, so that a probability of exactly 1 is in the last one.
    return confidence, np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)


def _gap(confidence: NDArray[np.float64], which: NDArray[np.intp], right: NDArray[np.bool_]) -> float:
    gaps = np.bincount(which, confidence, minlength=BINS) - np.bincount(which, right, minlength=BINS)
    return float(np.abs(gaps).sum() / max(1, len(confidence)))


_DRAWS = 1_000


def calibration_by_chance(probabilities: NDArray[np.float32]) -> float:
    """What the calibration error would be of a model whose confidence is right, in 19 of 20 cases at most.

    Which answers are right is drawn anew with the probabilities, float32, shape (n, classes), that the model gives for
    it (consistency resampling, Broecker and Smith, 2007).
    """
    confidence, which = _confidence(probabilities)
    # The seed is part of the method: the same model always gets the same answer.
    random = np.random.default_rng(0)
    found = [_gap(confidence, which, random.random(len(confidence)) < confidence) for _ in range(_DRAWS)]
    return float(np.quantile(found, 0.95))


def in_turn(ways: Sequence[Arrays]) -> Arrays:
    """Each example changed in one way: the first in the first, the second in the second, and so on from the start."""
    rows = np.arange(count_of(ways[0]))
    return {name: np.stack([way[name] for way in ways])[rows % len(ways), rows] for name in ways[0]}


def side_by_side(model: Callable[[int], object], reference: Callable[[int], object]) -> tuple[float, float]:
    """The milliseconds that two functions of the number of the turn compute for, each the least of several, in turns.

    What this thread computes is counted, not what the clock on the wall says: while another program has the core, the
    wall's clock goes on. Where other programs fill caches and memory, both functions become slower together.
    """
    least = [float("inf"), float("inf")]
    for turn in range(_UNTIMED + _TIMED):
        for which, run in enumerate((model, reference)):
            began = clock.cpu_seconds()
            run(turn)
            if turn >= _UNTIMED:
                least[which] = min(least[which], clock.cpu_seconds() - began)
    return 1000 * least[0], 1000 * least[1]


def reference_graph() -> Callable[[], object]:
    """A graph to compare times with: four products of matrices of 256 x 256 numbers, on one thread."""
    keep_onnx_runtime_silent()
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    shape = [256, 256]
    numbers = np.full(shape, 1 / 256, np.float32)
    names = ["x0", "x1", "x2", "x3", "x4"]
    graph = helper.make_graph(
        [helper.make_node("MatMul", [before, "w"], [after]) for before, after in itertools.pairwise(names)],
        "reference",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(numbers, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {names[0]: numbers})

"""Temperature, and from which confidence on an answer is one."""

import math

import made_up_versions
import numpy as np
import pytest

from fortydays.inputs.images import IMAGE
from fortydays.registry.calibration import (
    as_logits,
    calibrated,
    helpful_temperature,
    measured_confidence,
    softmax,
    temperature,
    threshold_at,
    unknown_threshold,
    with_temperature,
)
from fortydays.registry.inference import OnnxModel


def confident(right: int, wrong: int, *, logit: float) -> tuple[np.ndarray, np.ndarray]:
    """Two classes, always answered with the first by a margin of ``logit``, which is right so often."""
    logits = np.tile(np.array([logit, 0], np.float32), (right + wrong, 1))
    return logits, np.array([0] * right + [1] * wrong)


def confidences(*values: float) -> np.ndarray:
    return np.array([[value, 1 - value] for value in values], np.float32)


def test_softmax_is_the_textbooks_and_colder_is_surer() -> None:
    logits = np.array([[math.log(3), 0], [1000, 0]], np.float32)

    assert softmax(logits) == pytest.approx(np.array([[0.75, 0.25], [1, 0]]))
    assert softmax(logits, temperature=0.5)[0] == pytest.approx([0.9, 0.1])
    assert softmax(logits).dtype == np.float32


def test_the_temperature_makes_confidence_what_accuracy_is() -> None:
    # Right in 3 of 4 with a margin of 4: divided by 4 / log(3) the answer has the probability 3/4.
    logits, labels = confident(75, 25, logit=4)

    found = temperature(logits, labels)

    assert found == pytest.approx(4 / math.log(3), rel=1e-4)
    assert softmax(logits, temperature=found)[0, 0] == pytest.approx(0.75, abs=1e-4)


def test_a_temperature_is_kept_only_where_it_is_known_to_help() -> None:
    enough = confident(16, 4, logit=9)
    assert helpful_temperature(*enough) == temperature(*enough) > 1
    assert helpful_temperature(*confident(15, 4, logit=9)) == 1.0
    # Every second answer is right: of one half none, and what that half asks for harms the other one.
    logits, labels = np.tile(np.array([0.5, 0], np.float32), (40, 1)), np.arange(40) % 2
    assert temperature(logits, labels) > 10
    assert helpful_temperature(logits, labels) == 1.0


def test_where_every_answer_is_right_confidence_stays_as_it_was() -> None:
    logits, labels = confident(10, 0, logit=2)

    assert temperature(logits, labels) == 1.0


@pytest.mark.parametrize(("logit", "right", "expected"), [(1e-3, 99, 0.05), (1000, 60, 20.0)])
def test_the_temperature_stays_within_its_bounds(logit: float, right: int, expected: float) -> None:
    assert temperature(*confident(right, 100 - right, logit=logit)) == pytest.approx(expected, rel=1e-3)


def test_the_errors_before_and_after_are_those_of_confidence_against_accuracy() -> None:
    logits, labels = confident(75, 25, logit=math.log(9))  # says 90%

    found = calibrated(logits, labels, temperature=2.0)  # says 3/4, since the square root of 9 is 3

    assert found.error_before == pytest.approx(0.15, abs=1e-6)
    assert found.error_after == pytest.approx(0.0, abs=1e-6)
    assert (found.temperature, found.images) == (2.0, 100)


def test_the_threshold_leaves_no_more_than_a_twentieth_of_further_ones_below_it() -> None:
    # The second smallest of 39: a fortieth one has two of forty places below it, and three would be too many.
    assert unknown_threshold(confidences(0.9, 0.6, 0.8, 0.7, *[0.95] * 35)) == pytest.approx(0.7)
    assert unknown_threshold(confidences(0.9, 0.6, 0.8, 0.7, *[0.95] * 34)) == pytest.approx(0.6)


def test_of_too_few_there_is_no_threshold() -> None:
    assert unknown_threshold(confidences(*[0.9] * 18)) is None
    assert unknown_threshold(confidences(*[0.9] * 19)) is not None


def test_on_other_photographs_the_same_threshold_has_another_rate_of_false_alarms() -> None:
    found = threshold_at(confidences(0.6, 0.75, 0.8, 0.9, 0.95), below=0.75)

    assert (found.below, found.false_alarms, found.images) == (0.75, 0.2, 5)  # 0.75 itself is not below it
    # Wilson's interval for 1 of 5.
    assert (found.low, found.high) == pytest.approx((0.036, 0.624), abs=1e-3)
    assert threshold_at(confidences(0.9), below=0.75).low == 0.0


def onnx_and_images() -> tuple[bytes, np.ndarray]:
    """A model of two classes whose logits are three times the first and the second of two pixels, as shares of 255."""
    weights = np.diag([3.0, 3.0]).astype(np.float32)
    return made_up_versions.onnx_of(weights, image=(1, 2)), np.array([[[255, 0]], [[0, 0]], [[0, 255]]], np.uint8)


def test_a_temperature_at_the_end_of_an_onnx_file_divides_its_logits() -> None:
    content, images = onnx_and_images()
    before = OnnxModel(content, threads=1).predict({IMAGE: images})

    after = OnnxModel(with_temperature(content, 2.0), threads=1).predict({IMAGE: images})

    # By hand: the logits are 3 and 0, and half of that with the temperature.
    assert before[0] == pytest.approx([math.exp(3) / (math.exp(3) + 1), 1 / (math.exp(3) + 1)], abs=1e-6)
    assert after[0] == pytest.approx([math.exp(1.5) / (math.exp(1.5) + 1), 1 / (math.exp(1.5) + 1)], abs=1e-6)
    assert after[1] == pytest.approx([0.5, 0.5])
    assert with_temperature(content, 1.0) == content


def test_an_answer_of_which_a_model_is_wholly_sure_stays_a_number() -> None:
    weights = np.array([[1000.0, 0.0], [0.0, 0.0]], np.float32)
    content = with_temperature(made_up_versions.onnx_of(weights, image=(1, 2)), 3.0)

    answers = OnnxModel(content, threads=1).predict({IMAGE: np.array([[[255, 0]]], np.uint8)})

    assert answers.tolist() == [[1.0, 0.0]]


def test_false_alarms_are_counted_on_other_images_than_the_threshold_was_chosen_on() -> None:
    # Even images are sure, odd ones less so. The threshold of the even half calls all odd images unknown, that of the
    # odd half no even one: 20 of 40. Counted on the images of the choice, it would be 1 of 20 twice, or 2 of 40.
    sure = np.array([[math.log(0.9 / 0.1), 0.0]] * 20) * np.linspace(1, 1.1, 20)[:, None]
    less = np.array([[math.log(0.6 / 0.4), 0.0]] * 20) * np.linspace(1, 1.1, 20)[:, None]
    logits = np.stack([sure, less], axis=1).reshape(40, 2).astype(np.float32)

    cooled, told = measured_confidence(logits, np.zeros(40, np.intp))

    assert cooled == 1.0  # all are right, so they say nothing of the temperature
    assert told is not None
    assert (told.temperature, told.false_alarms, told.images) == (1.0, 0.5, 40)
    assert 0.6 < told.unknown_below < 0.62


def test_too_few_images_give_no_threshold_and_no_temperature() -> None:
    for count in (1, 37):
        assert measured_confidence(np.zeros((count, 2), np.float32), np.zeros(count, np.intp)) == (1.0, None)


def test_an_overconfident_model_becomes_as_sure_as_it_is_right() -> None:
    # Always sure at 99%, right in three of four cases, in both halves: log(99) / log(3) = 4.18.
    logits = np.tile(np.array([math.log(99), 0], np.float32), (80, 1))
    labels = np.array(([0, 0] * 3 + [1, 1]) * 10)

    cooled, told = measured_confidence(logits, labels)

    assert cooled == pytest.approx(math.log(99) / math.log(3), abs=0.01)
    assert told is not None
    assert told.temperature == cooled
    assert told.unknown_below == pytest.approx(0.75, abs=0.001)
    assert softmax(as_logits(softmax(logits)), temperature=cooled)[0, 0] == pytest.approx(0.75, abs=0.001)

"""Temperature, and from which confidence on an answer is one."""

import math

import numpy as np
import pytest

from fortydays.fit.calibration import calibrated, softmax, temperature, threshold_at, unknown_threshold


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


def test_where_every_answer_is_right_confidence_stays_as_it_was() -> None:
    logits, labels = confident(10, 0, logit=2)

    assert temperature(logits, labels) == 1.0


@pytest.mark.parametrize(("logit", "right", "expected"), [(1e-3, 99, 0.05), (1000, 60, 20.0)])
def test_the_temperature_stays_within_its_bounds(logit: float, right: int, expected: float) -> None:
    assert temperature(*confident(right, 100 - right, logit=logit)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("logits", [np.zeros((0, 2), np.float32), np.array([[np.nan, 0]], np.float32)])
def test_without_numbers_there_is_no_temperature(logits: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least one row of finite logits"):
        temperature(logits, np.zeros(len(logits), np.intp))


def test_the_errors_before_and_after_are_those_of_confidence_against_accuracy() -> None:
    logits, labels = confident(75, 25, logit=math.log(9))  # says 90%

    found = calibrated(logits, labels, temperature=2.0)  # says 3/4, since the square root of 9 is 3

    assert found.before == pytest.approx(0.15, abs=1e-6)
    assert found.after == pytest.approx(0.0, abs=1e-6)
    assert found.as_dict() == {
        "temperature": 2.0, "images": 100, "error_before": found.before, "error_after": found.after,
    }  # fmt: skip


def test_the_threshold_leaves_no_more_than_a_share_of_further_ones_below_it() -> None:
    # The second smallest of five: a sixth one has two of six places below it, and three would be too many.
    found = unknown_threshold(confidences(0.9, 0.6, 0.8, 0.7, 0.95), false_alarms=0.4)

    assert found is not None
    assert found.below == pytest.approx(0.7)  # 0.6 is below it, 0.7 itself is not
    assert (found.false_alarms, found.images) == (0.2, 5)
    # Wilson's interval for 1 of 5.
    assert (found.low, found.high) == pytest.approx((0.036, 0.624), abs=1e-3)


def test_of_too_few_there_is_no_threshold() -> None:
    assert unknown_threshold(confidences(*[0.9] * 18)) is None
    assert unknown_threshold(confidences(*[0.9] * 19)) is not None


def test_equal_confidences_at_the_threshold_are_all_known() -> None:
    found = unknown_threshold(confidences(0.7, 0.7, 0.7, 0.9), false_alarms=0.5)

    assert found is not None
    assert found.below == pytest.approx(0.7)
    assert found.false_alarms == 0


def test_a_share_that_rounding_makes_a_little_less_counts_in_full() -> None:
    # 0.29 * 100 is 28.999999999999996.
    found = unknown_threshold(confidences(*np.linspace(0.5, 0.99, 99)), false_alarms=0.29)

    assert found is not None
    assert found.false_alarms == pytest.approx(28 / 99)


def test_on_other_photographs_the_same_threshold_has_another_rate_of_false_alarms() -> None:
    found = threshold_at(confidences(0.6, 0.7, 0.8, 0.9), below=0.75)

    assert (found.below, found.false_alarms, found.images) == (0.75, 0.5, 4)
    assert threshold_at(confidences(0.9), below=0.75).low == 0.0


def test_a_threshold_of_nothing_or_of_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one photograph"):
        unknown_threshold(np.zeros((0, 2), np.float32))
    with pytest.raises(ValueError, match=r"1\.0 is no share of false alarms"):
        unknown_threshold(confidences(0.9), false_alarms=1.0)

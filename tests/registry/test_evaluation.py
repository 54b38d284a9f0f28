import numpy as np
import pytest

from fortydays.registry.evaluation import (
    brighter_and_darker,
    calibration_error,
    cross_entropy,
    in_turn,
    shifted_by_one,
)


def test_calibration_error_is_the_mean_gap_between_confidence_and_accuracy() -> None:
    # Two images at 0.9, one of them right: a gap of 0.4. Two at 0.6, both right: a gap of 0.4 as well.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], np.float32)
    labels = np.array([0, 1, 0, 0])

    assert calibration_error(probabilities, labels) == pytest.approx(0.4)


def test_a_model_that_is_certain_and_right_is_calibrated() -> None:
    probabilities = np.eye(4, dtype=np.float32)

    assert calibration_error(probabilities, np.arange(4)) == 0
    assert calibration_error(probabilities, np.array([1, 0, 3, 2])) == 1


def test_images_with_the_same_confidence_fall_into_one_interval() -> None:
    # Ten intervals of a tenth: 0.3 belongs to the third, with its upper end, though 10 x 0.3 is a hair above 3.
    probabilities = np.array([[0.3, 0.25, 0.25, 0.2], [0.21, 0.2, 0.2, 0.39]], np.float64)

    found = calibration_error(probabilities.astype(np.float32), np.array([0, 3]), bins=2)

    # One interval, up to a half: mean confidence 0.345, accuracy 1.
    assert found == pytest.approx(1 - 0.345)


def test_cross_entropy_is_the_mean_logarithm_and_never_infinite() -> None:
    probabilities = np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)

    assert cross_entropy(probabilities, np.array([0, 0])) == pytest.approx(np.log(2) / 2)
    assert cross_entropy(probabilities, np.array([0, 1])) == pytest.approx((np.log(2) + np.log(1e7)) / 2)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_shift_moves_by_one_pixel_each_way_and_repeats_the_edge(channels: tuple[int, ...]) -> None:
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3)
    images = np.broadcast_to(image.reshape(1, 3, 3, *(1 for _ in channels)), (1, 3, 3, *channels))

    up, down, left, right = (moved.reshape(3, 3, -1)[:, :, 0].tolist() for moved in shifted_by_one(images))

    assert up == [[3, 4, 5], [6, 7, 8], [6, 7, 8]]
    assert down == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert left == [[1, 2, 2], [4, 5, 5], [7, 8, 8]]
    assert right == [[0, 0, 1], [3, 3, 4], [6, 6, 7]]


def test_each_image_is_changed_once_in_one_of_the_ways_in_turn() -> None:
    ways = [np.full((5, 1, 1), way, np.uint8) for way in (10, 20)]

    assert in_turn(ways).ravel().tolist() == [10, 20, 10, 20, 10]


def test_brightness_changes_by_a_tenth_and_stays_within_a_byte() -> None:
    images = np.array([[[0, 100, 250]]], np.uint8)

    assert [changed.tolist() for changed in brighter_and_darker(images)] == [[[[0, 110, 255]]], [[[0, 91, 227]]]]

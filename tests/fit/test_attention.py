"""Where a classifier looks, on maps small enough to multiply by hand."""

import numpy as np
import pytest

from fortydays.fit.attention import SHARE, class_activation, overlay


def test_the_map_of_a_class_is_what_each_place_adds_to_its_logit() -> None:
    maps = np.array([[[1, 0], [0, 1]], [[2, 2], [0, 0]]], np.float32)
    weights = np.array([[1, -1], [2, 1]], np.float32)

    # For class 0 the places add 1, 2, 6 and 0; for class 1 -1, 1, 0 and 0.
    assert class_activation(maps, weights, 0) == pytest.approx(np.array([[1 / 6, 2 / 6], [1, 0]]))
    assert class_activation(maps, weights, 1) == pytest.approx(np.array([[0, 1], [0, 0]]))
    assert class_activation(maps, weights, 0).dtype == np.float32


def test_where_nothing_speaks_for_a_class_the_map_is_empty() -> None:
    maps, weights = np.ones((2, 3, 1), np.float32), np.array([[-1.0]], np.float32)

    assert class_activation(maps, weights, 0).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_the_overlay_is_lightest_where_the_map_is_highest_and_keeps_the_photograph_below() -> None:
    grey = np.full((40, 60, 3), 100, np.uint8)

    shown = overlay(grey, np.array([[0, 1]], np.float32))

    assert (shown.shape, shown.dtype) == ((40, 60, 3), np.uint8)
    lightness = shown.astype(float).mean(axis=2)
    steps = np.diff(lightness[20])
    assert steps.min() >= 0
    assert steps.max() < 8
    assert lightness[20, -1] > lightness[20, 0] + 50
    darker = overlay(np.zeros((40, 60, 3), np.uint8), np.array([[0, 1]], np.float32))
    assert np.ptp(shown.astype(int) - darker) <= 2
    assert (shown.astype(int) - darker).mean() == pytest.approx(100 * (1 - SHARE), abs=1)

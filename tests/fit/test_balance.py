"""How uneven classes are, and what is done about it."""

import numpy as np
import pytest

from fortydays.fit.balance import balance


def test_even_classes_need_nothing() -> None:
    found = balance(np.array([0, 1] * 10), ("cat", "dog"))

    assert (found.ratio, found.weighted, found.weights, found.largest_share) == (1.0, False, (1.0, 1.0), 0.5)
    assert found.sentence == "The classes are even: 10 photographs of each to learn from."


def test_slightly_uneven_classes_are_told_and_left_alone() -> None:
    found = balance(np.array([0] * 14 + [1] * 10), ("cat", "dog"))

    assert not found.weighted
    assert found.sentence == (
        "The largest class, 'cat', has 1.4 times as many photographs to learn from as the smallest, 'dog'; that is "
        "even enough to need nothing done about it."
    )


def test_uneven_classes_are_weighted_so_that_each_weighs_the_same() -> None:
    found = balance(np.array([0] * 6 + [1] * 2 + [2] * 4), ("a", "b", "c"))

    assert found.weights == pytest.approx((12 / 18, 2.0, 1.0))
    assert np.dot(found.weights, found.counts) == pytest.approx(12)
    assert (found.largest, found.smallest, found.largest_share, found.ratio) == ("a", "b", 0.5, 3.0)
    assert found.sentence.endswith(
        "the loss of a photograph is multiplied with 0.67 in the largest class and up to 2.00 in the smallest."
    )
    assert found.as_dict()["weights"] == list(found.weights)


def test_names_that_a_terminal_would_act_on_are_made_harmless() -> None:
    assert "\x1b" not in balance(np.array([0, 0, 1]), ("\x1b[31mred", "blue")).sentence

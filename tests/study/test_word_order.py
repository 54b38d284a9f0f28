"""Texts whose words are shuffled, and what networks made by hand answer to them."""

from typing import Any

import numpy as np
import pytest

from fortydays.study.word_order import (
    accuracy_lost,
    accuracy_on_shuffled,
    order_measures,
    share_changed,
    shuffled_words,
)

TEXTS = np.array([[0, 0, 2, 3, 4, 5, 6, 7, 8, 9]] * 300, np.int32)
LABELS = np.ones(300, np.uint8)


def network(keras: Any, *, last_word_only: bool) -> Any:
    """It says 1 where the last word, or any word, is a 9."""
    tokens = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(10, 1)
    vectors = embedding(tokens)
    heard = vectors[:, -1] if last_word_only else keras.ops.max(vectors, axis=1)
    model = keras.Model(tokens, keras.layers.Dense(2, activation="softmax", name="answer")(heard))
    embedding.set_weights([np.eye(10)[:, 9:].astype(np.float32)])
    model.get_layer("answer").set_weights([np.array([[0, 2]], np.float32), np.array([1, 0], np.float32)])
    return model


def test_each_text_keeps_its_words_and_what_fills_it_up() -> None:
    found = shuffled_words(TEXTS)
    assert (found[:, :2] == 0).all()
    assert (np.sort(found[:, 2:], axis=1) == TEXTS[:, 2:]).all()
    assert len({tuple(text) for text in found.tolist()}) > 250  # an order of its own for each
    assert TEXTS[0].tolist() == [0, 0, 2, 3, 4, 5, 6, 7, 8, 9]


def test_the_orders_depend_on_the_seed_alone() -> None:
    assert (shuffled_words(TEXTS) == shuffled_words(TEXTS)).all()
    assert (shuffled_words(TEXTS) != shuffled_words(TEXTS, seed=1)).any()


def test_a_network_that_ignores_the_order_loses_nothing(keras: Any) -> None:
    model = network(keras, last_word_only=False)
    assert accuracy_on_shuffled(model, TEXTS, LABELS) == 1.0
    assert accuracy_lost(model, TEXTS, LABELS) == 0.0
    assert share_changed(model, TEXTS) == 0.0


def test_a_network_that_needs_the_order_is_right_where_chance_leaves_it_alone(keras: Any) -> None:
    model = network(keras, last_word_only=True)
    stayed = float(np.mean(shuffled_words(TEXTS)[:, -1] == 9))
    assert 0 < stayed < 0.3  # one in eight
    assert accuracy_on_shuffled(model, TEXTS, LABELS) == pytest.approx(stayed)
    assert accuracy_lost(model, TEXTS, LABELS) == pytest.approx(1 - stayed)
    assert share_changed(model, TEXTS) == pytest.approx(1 - stayed)
    # Where all answers were wrong, shuffling can only gain.
    assert accuracy_lost(model, TEXTS, 1 - LABELS) == pytest.approx(stayed - 1)


def test_the_measures_know_the_labels_where_they_need_them() -> None:
    found = {measure.name: measure.labels for measure in order_measures(variants=("a",))}
    assert found == {"shuffled_accuracy": True, "lost_accuracy": True, "changed_share": False}

"""Accuracy in parts of texts, and tests of behaviour with made-up sentences, by hand."""

from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.data.arrays import Split, TrainingData
from fortydays.inputs.numbers import Numbers
from fortydays.inputs.tokens import TOKENS, Tokens
from fortydays.study.behaviour import (
    NEGATION,
    Difference,
    Negation,
    Part,
    accuracies_of,
    named_parts,
    negation_measures,
    negation_of,
    part_measures,
)
from fortydays.tasks.classification import Classification

NOT, GOOD, BAD = 2, 3, 4
TEXT = Tokens(length=6, vocabulary=("not", "good", "bad"))
SPLIT = Split(
    inputs={TOKENS: np.array([[0, BAD], [0, GOOD], [0, GOOD], [NOT, GOOD]], np.int32)},
    labels=np.array([0, 0, 1, 1], np.uint8),
    about={"stars": np.array([1, 4, 7, 10], np.uint8)},
)
DATA = TrainingData(input=TEXT, task=Classification(classes=2), train=SPLIT, validation=SPLIT)
ASKED = Negation(frames=("it is {}", "{}"), good=("good",), bad=("bad",))


def words_count(tokens: np.ndarray) -> np.ndarray:
    """It adds up words: "not" is a little bad."""
    return np.array([0.0, 0.0, -0.5, 1.0, -1.0])[tokens].sum(axis=1)


def order_counts(tokens: np.ndarray) -> np.ndarray:
    """It turns a word around that has "not" before it."""
    turned = np.where(tokens[:, :-1] == NOT, -1, 1)
    return (np.array([0.0, 0.0, 0.0, 1.0, -1.0])[tokens[:, 1:]] * turned).sum(axis=1)


def test_each_part_has_its_own_accuracy() -> None:
    parts = named_parts("stars", {"1": (1, 1), "4_to_7": (4, 7), "none": (5, 6)})
    sure_over_mild = Difference(name="sure_share", more=(parts[0],), less=(parts[1],))
    # Right about the first, wrong about the second, right about both others.
    assert accuracies_of(words_count, SPLIT, (*parts, sure_over_mild)) == {
        "stars_1_accuracy": 1.0,
        "stars_4_to_7_accuracy": 0.5,
        "stars_none_accuracy": 0.0,
        "sure_share": 0.5,
    }


def test_a_number_that_is_not_known_of_the_texts_is_refused() -> None:
    with pytest.raises(UsageError, match="There is no number 'star' of these examples"):
        accuracies_of(words_count, SPLIT, (Part(name="a", about="star", least=1, most=1),))


def test_who_adds_up_words_is_moved_by_not_the_wrong_way_before_bad() -> None:
    assert negation_of(words_count, TEXT, ASKED) == {
        "plain_share": 1.0,
        "not_good_share": 0.0,  # 0.5 is still positive
        "not_bad_share": 0.0,  # and "not bad" is worse than "bad"
        "moved_share": 0.5,
    }


def test_who_reads_in_order_is_right_about_all() -> None:
    assert set(negation_of(order_counts, TEXT, ASKED).values()) == {1.0}


def test_sentences_are_for_texts_and_a_frame_has_one_place() -> None:
    with pytest.raises(UsageError, match="Sentences can be made up for texts in tokens, but the examples are numbers"):
        negation_of(words_count, Numbers(shape=(3,)), ASKED)
    with pytest.raises(UsageError, match=r"The frame 'it is' has 0 places for an adjective; expected one \{\}"):
        Negation(frames=("it is",), good=("good",), bad=("bad",))
    with pytest.raises(UsageError, match="needs frames, good and bad adjectives; one of these is empty"):
        Negation(frames=("{}",), good=(), bad=("bad",))


def test_measures_of_a_network_are_those_of_its_answers(keras: Any) -> None:
    tokens = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(5, 2)
    model = keras.Model(tokens, keras.layers.Softmax()(keras.ops.sum(embedding(tokens), axis=1)))
    table = np.zeros((5, 2), np.float32)
    table[:, 1] = (0, 0, -0.5, 1, -1)
    embedding.set_weights([table])

    measures = (
        *part_measures(named_parts("stars", {"1": (1, 1), "4": (4, 4)}), variants=("words",)),
        *negation_measures(ASKED, variants=("words",)),
    )
    assert [each.name for each in measures] == ["stars_1_accuracy", "stars_4_accuracy", *NEGATION]
    assert [each.of(model, DATA) for each in measures] == [1.0, 0.0, 1.0, 0.0, 0.0, 0.5]
    # Another model is asked anew: one with the answers turned around.
    embedding.set_weights([-table])
    other = keras.Model(tokens, keras.layers.Softmax()(keras.ops.sum(embedding(tokens), axis=1)))
    assert measures[0].of(other, DATA) == 0.0

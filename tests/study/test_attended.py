"""The deletion test: words that are chosen by attention, by gradient and by chance, in networks made by hand."""

from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import UsageError
from fortydays.data.arrays import Split
from fortydays.inputs.tokens import TOKENS, UNKNOWN, Tokens
from fortydays.study.attended import (
    ATTENTION,
    KNOWN_WORDS,
    attended_words,
    changed_without,
    deletion_measures,
    difference_measure,
    weights_of_words,
    without_words,
)
from fortydays.study.design import Shown

DULL, GOOD, LOUD = 2, 3, 4
LENGTH = KNOWN_WORDS + 10


def network(keras: Any, *, attention: str = ATTENTION, attends: float = 5.0) -> Any:
    """It says positive where a text has the word GOOD, and attends to the word LOUD more than to all others."""
    tokens = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(6, 2)
    scores = keras.layers.Embedding(6, 1, name="scores")
    vectors = embedding(tokens)
    weights = keras.layers.Softmax(axis=1, name=attention)(scores(tokens))
    heard = keras.ops.sum(vectors, axis=1) + 0 * keras.ops.sum(weights * vectors, axis=1)
    model = keras.Model(tokens, keras.layers.Dense(2, activation="softmax", name="answer")(heard))
    embedding.set_weights([np.array([[0, 0], [0, 0], [0, 0], [1, 0], [0, 0], [0, 0]], np.float32)])
    scores.set_weights([np.array([[0], [0], [0], [0], [attends], [0]], np.float32)])
    model.get_layer("answer").set_weights([np.array([[0, 4], [0, 0]], np.float32), np.array([1, 0], np.float32)])
    return model


def texts(count: int = 4) -> np.ndarray:
    """Dull texts with one GOOD and one LOUD word each, filled up before the first word."""
    found = np.full((count, LENGTH), DULL, np.int32)
    found[:, :5] = 0
    found[:, 20] = UNKNOWN
    found[np.arange(count), 30 + np.arange(count)] = GOOD
    found[np.arange(count), 60 + np.arange(count)] = LOUD
    return found


def test_known_words_with_the_highest_scores_are_replaced() -> None:
    tokens = np.array([[0, UNKNOWN, 5, 3, 4], [0, 0, 0, 0, 2]], np.int32)
    scores = np.array([[9, 8, 1, 3, 3], [5, 5, 5, 5, 1]])
    assert without_words(tokens, scores, 1).tolist() == [[0, 1, 5, 1, 4], [0, 0, 0, 0, 1]]
    assert without_words(tokens, scores, 2).tolist() == [[0, 1, 5, 1, 1], [0, 0, 0, 0, 1]]
    assert without_words(tokens, scores, 9).tolist() == [[0, 1, 1, 1, 1], [0, 0, 0, 0, 1]]
    assert tokens[0].tolist() == [0, UNKNOWN, 5, 3, 4]


def test_the_weights_are_those_of_the_layer_and_add_up_to_one(keras: Any) -> None:
    found = weights_of_words(network(keras), texts(2))
    assert (found.dtype.name, found.shape) == ("float32", (2, LENGTH))
    assert found.sum(axis=1) == pytest.approx(1)
    assert found.argmax(axis=1).tolist() == [60, 61]
    assert found[0, 60] == pytest.approx(np.exp(5) / (np.exp(5) + LENGTH - 1), rel=1e-4)


def test_a_model_without_attention_is_told_what_is_missing(keras: Any) -> None:
    with pytest.raises(UsageError, match="The model has no layer with the name 'attention'") as refused:
        weights_of_words(network(keras, attention="other"), texts())
    assert refused.value.hint == "Give the layer that makes the weights name='attention'."


def test_the_answer_changes_where_the_chosen_word_is_the_one_that_counts(keras: Any) -> None:
    model = network(keras)
    by = {way: [changed_without(way, count)(model, texts()) for count in (1, 2)] for way in ("attention", "gradient")}
    assert by["attention"] == [0, 0]  # it attends to the loud word, and then to the first of the dull ones
    # In a sum, the gradient is the same at each word: the first ones are taken.
    assert by["gradient"] == [0, 0]
    # The good word of text i has 24 + i known words before it, and the loud one is replaced before all of them.
    assert [changed_without("attention", count)(model, texts()) for count in (28, 29)] == [0.75, 1.0]


def test_attention_that_points_at_what_counts_changes_every_answer(keras: Any) -> None:
    model = network(keras)
    model.get_layer("scores").set_weights([np.array([[0], [0], [0], [5], [1], [0]], np.float32)])
    assert changed_without("attention", 1)(model, texts()) == 1.0
    assert difference_measure("attention", "gradient", 1, variants=("a",)).function(model, texts()) == 1.0
    assert difference_measure("gradient", "attention", 1, variants=("a",)).function(model, texts()) == -1.0


def test_words_by_chance_are_the_same_for_all_models_and_hit_as_often_as_chance(keras: Any) -> None:
    many = texts(40).repeat(10, axis=0)
    model = network(keras)
    half = changed_without("random", (LENGTH - 6) // 2)(model, many)
    assert 0.35 < half < 0.65
    assert changed_without("random", (LENGTH - 6) // 2)(network(keras, attends=-5), many) == half
    assert changed_without("random", LENGTH)(model, many) == 1.0


def test_texts_with_few_known_words_are_left_out_and_the_first_ones_are_taken(keras: Any) -> None:
    model = network(keras)
    model.get_layer("scores").set_weights([np.array([[0], [0], [0], [5], [1], [0]], np.float32)])
    short, dull = texts(1), texts(1)
    short[:, : LENGTH - KNOWN_WORDS + 1] = 0
    dull[dull == GOOD] = DULL
    measure = changed_without("attention", 1, texts=2)
    assert measure(model, short) == 0.0
    assert measure(model, np.concatenate([short, texts(1), dull])) == 0.5
    assert measure(model, np.concatenate([dull, dull, texts(1)])) == 0.0


def test_measures_have_names_with_their_way_and_number() -> None:
    found = deletion_measures(5, 10, variants=("a", "b"), ways=("attention", "random"))
    assert [m.name for m in found] == ["attention_5_share", "attention_10_share", "random_5_share", "random_10_share"]
    assert {m.variants for m in found} == {("a", "b")}
    assert difference_measure("gradient", "random", 5, variants=("a",)).name == "gradient_over_random_5_share"


def test_a_way_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="There is no way to choose words 'atention'") as refused:
        changed_without("atention", 5)
    assert refused.value.message.endswith("Did you mean 'attention'?")
    assert refused.value.hint == "Known: attention, gradient, random."


def test_the_table_tells_the_words_with_the_most_attention_and_their_share(keras: Any) -> None:
    tokens = np.concatenate([np.zeros((1, LENGTH), np.int32), texts(3)])
    exhibit = attended_words(variant="a", texts=2, words=2)
    made = exhibit.make(
        Shown(
            variant="a",
            seed=7,
            model=network(keras),
            input=Tokens(length=LENGTH, vocabulary=("dull", "good", "loud", "other")),
            test=Split(inputs={TOKENS: tokens}, labels=np.array([0, 1, 0, 1], np.uint8)),
            probabilities=np.array([[1, 0], [0.2, 0.8], [0.3, 0.7], [0, 1]], np.float32),
            classes=("bad", "fine"),
        )
    )
    assert (made["kind"], made["variant"], made["seed"]) == ("table", "a", 7)
    assert made["columns"] == ["what it is", "answer", "words"]
    (label, answer, words), second = made["rows"]
    assert (label, answer) == ("fine", "fine 80%")
    assert words.startswith("loud 58%, ")
    assert second[:2] == ["bad", "fine 70%"]

"""The networks of days 18 and 19, untrained: what fills texts up has no part in their answers, and what order has."""

from typing import Any

import numpy as np
import pytest

from fortydays.inputs.tokens import PADDING

WORDS = np.random.default_rng(0).integers(2, 10_000, (3, 24)).astype(np.int32)
FILLED = np.concatenate([np.full((3, 9), PADDING, np.int32), WORDS], axis=1)
NAMES = ("mean of vectors", "words", "words and pairs")


def network(name: str) -> Any:
    from fortydays.lessons.day18_word_embeddings.study import reader
    from fortydays.lessons.day19_sentiment.study import words_alone, words_and_pairs

    return {"mean of vectors": reader(), "words": words_alone, "words and pairs": words_and_pairs}[name]()


def answers(model: Any, tokens: np.ndarray) -> np.ndarray:
    return np.asarray(model(tokens))[:, 1]


@pytest.mark.parametrize("name", NAMES)
def test_a_network_answers_the_same_with_and_without_filling(keras: Any, name: str) -> None:
    keras.utils.set_random_seed(1)
    model = network(name)
    assert answers(model, FILLED) == pytest.approx(answers(model, WORDS), abs=1e-6)
    assert np.ptp(answers(model, WORDS)) > 1e-4  # it does not answer the same to everything


@pytest.mark.parametrize("name", NAMES)
def test_only_pairs_know_the_order_of_words(keras: Any, name: str) -> None:
    keras.utils.set_random_seed(1)
    model = network(name)
    changed = np.abs(answers(model, WORDS) - answers(model, WORDS[:, ::-1])).max()
    assert (changed > 1e-4) == (name == "words and pairs")


def test_a_pair_is_numbered_by_both_words_and_their_order_and_filling_has_none(keras: Any) -> None:
    from fortydays.lessons.day19_sentiment.study import BUCKETS, numbers_of_pairs

    tokens = np.array([[0, 5, 7, 5], [0, 0, 20_001, 20_000]], np.int32)
    found = np.asarray(numbers_of_pairs(keras.ops.convert_to_tensor(tokens)))
    assert found[0].tolist() == [0, 0, 1 + 5 * 8_191 + 7, 1 + 7 * 8_191 + 5]
    assert found[1].tolist() == [0, 0, 0, 1 + (20_001 * 8_191 + 20_000) % BUCKETS]

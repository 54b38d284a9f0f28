"""The networks of days 20 and 21, untrained: what fills texts up has no part in them, and what they make of order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fortydays.inputs.tokens import PADDING
from fortydays.study.attended import weights_of_words
from fortydays.study.word_order import shuffled_words

WORDS = np.random.default_rng(0).integers(2, 10_000, (3, 24)).astype(np.int32)
FILLED = np.concatenate([np.full((3, 9), PADDING, np.int32), WORDS], axis=1)


def transformers() -> dict[str, Callable[[], Any]]:
    from fortydays.lessons.day21_transformers.study import learned, no_positions, sinusoidal, transformer

    return {each.__name__: transformer(each) for each in (no_positions, sinusoidal, learned)}


def answers(model: Any, tokens: np.ndarray) -> np.ndarray:
    return np.asarray(model(tokens))[:, 1]


def built(keras: Any, build: Callable[[], Any]) -> Any:
    keras.utils.set_random_seed(1)
    return build()


@pytest.mark.parametrize("name", ["no_positions", "sinusoidal", "learned"])
def test_a_transformer_answers_the_same_with_and_without_filling(keras: Any, name: str) -> None:
    model = built(keras, transformers()[name])
    assert answers(model, FILLED) == pytest.approx(answers(model, WORDS), abs=1e-6)
    assert np.ptp(answers(model, WORDS)) > 1e-3  # it does not answer the same to everything


def test_only_a_transformer_without_positions_answers_the_same_to_shuffled_words(keras: Any) -> None:
    changes = {}
    for name, build in transformers().items():
        model = built(keras, build)
        changes[name] = np.abs(answers(model, FILLED) - answers(model, shuffled_words(FILLED))).max()
    assert changes["no_positions"] < 1e-6
    assert changes["sinusoidal"] > 1e-4
    assert changes["learned"] > 1e-4


def test_places_beyond_the_last_learned_one_share_its_vector(keras: Any) -> None:
    from fortydays.lessons.day21_transformers.study import PLACES, learned

    tokens = keras.Input((None,), dtype="int32")
    model = keras.Model(tokens, learned(keras.layers.Embedding(3, 64)(tokens), tokens))
    found = np.asarray(model(np.full((1, PLACES + 2), 2, np.int32)))[0]
    assert (found[-1] == found[-3]).all()  # the places 514 and 512
    assert (found[-4] != found[-3]).any()


def test_one_head_has_as_many_weights_as_four(keras: Any) -> None:
    from fortydays.lessons.day21_transformers.study import learned, transformer

    assert transformer(learned, heads=1)().count_params() == transformer(learned)().count_params()


@pytest.mark.parametrize("name", ["attention", "words_alone"])
def test_attention_is_shared_among_the_words_alone(keras: Any, name: str) -> None:
    from fortydays.lessons.day20_attention import study

    weights = weights_of_words(built(keras, getattr(study, name)), FILLED)
    assert (weights[:, :9] == 0).all()
    assert (weights[:, 9:] > 0).all()
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_attention_over_words_alone_has_no_order(keras: Any) -> None:
    from fortydays.lessons.day20_attention.study import attention, words_alone

    alone, both_ways = built(keras, words_alone), built(keras, attention)
    assert answers(alone, shuffled_words(FILLED)) == pytest.approx(answers(alone, FILLED), abs=1e-6)
    assert np.abs(answers(both_ways, shuffled_words(FILLED)) - answers(both_ways, FILLED)).max() > 1e-5

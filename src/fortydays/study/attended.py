"""Which words an attention layer looks at, and whether these are the words that count: the deletion test.

Words are replaced by the token of an unknown word, those with the highest scores first. Where the scores point at what
the network's answer rests on, the answer changes sooner than where words are replaced at random (Serrano and Smith,
2019, "Is Attention Interpretable?").
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError, unknown_name
from fortydays.inputs.tokens import FIRST_WORD, UNKNOWN, Tokens
from fortydays.study.design import Exhibit, Measure, Shown
from fortydays.study.slopes import slopes_of_words

if TYPE_CHECKING:
    import keras

ATTENTION = "attention"
"""The name of the layer that gives the weight of each word, shape (n, length, 1), which add up to 1 over the words."""

KNOWN_WORDS = 100
"""Words with a token of their own that a text needs in order to be part of the test."""

_BATCH = 1_024
"""Texts that are answered at once: a recurrent layer takes its steps one by one, however many texts there are."""

_SLOPES = 256
"""Texts whose gradients are taken at once: these need every step of a recurrent layer in memory."""


def weights_of_words(model: "keras.Model", tokens: NDArray[np.int32]) -> NDArray[np.float32]:
    """The weight that an attention layer gives each word of a text.

    Args:
        model: with a layer that has the name :data:`ATTENTION`.
        tokens: int32, shape (n, length).

    Returns:
        float32, shape (n, length).

    Raises:
        UsageError: the model has no such layer.
    """
    import keras

    layer = next((layer for layer in model.layers if layer.name == ATTENTION), None)
    if layer is None:
        raise UsageError(
            f"The model has no layer with the name {ATTENTION!r}, whose output would be the weights of the words.",
            hint=f"Give the layer that makes the weights name={ATTENTION!r}.",
        )
    return in_batches(keras.Model(model.input, layer.output), tokens)[..., 0]


def _random(model: "keras.Model", tokens: NDArray[np.int32]) -> NDArray[np.float32]:  # noqa: ARG001 - as the others
    """The same numbers for all models, so that all lose the same words."""
    return np.random.default_rng(0).random(np.shape(tokens), np.float32)


def _slopes(model: "keras.Model", tokens: NDArray[np.int32]) -> NDArray[np.float32]:
    parts = [slopes_of_words(model, tokens[start : start + _SLOPES]) for start in range(0, len(tokens), _SLOPES)]
    return np.concatenate(parts)


WAYS: "dict[str, Callable[[keras.Model, NDArray[np.int32]], NDArray[np.float32]]]" = {
    "attention": weights_of_words,
    "gradient": _slopes,
    "random": _random,
}
"""By what words can be chosen: their attention, the norm of the gradient of their vector, or by chance."""


def without_words(tokens: NDArray[np.int32], scores: NDArray[Any], count: int) -> NDArray[np.int32]:
    """Texts in which known words are replaced by the token of an unknown one.

    Args:
        tokens: int32, shape (n, length).
        scores: shape (n, length); the words with the highest ones are replaced, of equals the first.
        count: how many words of each text. A text with fewer known words loses all of them.

    Returns:
        int32, shape (n, length); ``tokens`` stay as they were.
    """
    known = tokens >= FIRST_WORD
    order = np.argsort(np.where(known, -np.asarray(scores, np.float64), np.inf), axis=1, kind="stable")
    chosen = np.zeros(tokens.shape, bool)
    np.put_along_axis(chosen, order[:, :count], True, axis=1)
    found: NDArray[np.int32] = np.where(chosen & known, np.int32(UNKNOWN), tokens)
    return found


def changed_without(way: str, count: int, *, texts: int = 512) -> "Callable[[keras.Model, NDArray[np.int32]], float]":
    """A measure: the share of texts whose answer changes when words are replaced.

    Args:
        way: how the words are chosen, one of :data:`WAYS`.
        count: how many words of each text.
        texts: the first ones with :data:`KNOWN_WORDS` known words.

    Returns:
        A function from a model and tokens to the share. It gives 0 where no text is long enough.

    Raises:
        UsageError: there is no such way.
    """
    if way not in WAYS:
        raise unknown_name("way to choose words", way, WAYS)

    def measure(model: "keras.Model", tokens: NDArray[np.int32]) -> float:
        chosen = _long_enough(np.asarray(tokens))[:texts]
        if not len(chosen):
            return 0.0
        changed = without_words(chosen, WAYS[way](model, chosen), count)
        before, after = np.split(in_batches(model, np.concatenate([chosen, changed])).argmax(axis=1), 2)
        return float(np.mean(before != after))

    return measure


def deletion_measures(*counts: int, variants: tuple[str, ...], ways: tuple[str, ...] = tuple(WAYS)) -> list[Measure]:
    """The measures :func:`changed_without` of some variants, for ways and numbers of words; see :func:`name_of`."""
    return [
        Measure(name=name_of(way, count), variants=variants, function=changed_without(way, count))
        for way in ways
        for count in counts
    ]


def name_of(way: str, count: int) -> str:
    """What the measure for a way and a number of words is called."""
    return f"{way}_{count}_share"


def difference_measure(way: str, than: str, count: int, *, variants: tuple[str, ...]) -> Measure:
    """A measure: how many more answers change by one way to choose words than by another, as a share of all texts."""
    more, less = changed_without(way, count), changed_without(than, count)

    def measure(model: "keras.Model", tokens: NDArray[np.int32]) -> float:
        return more(model, tokens) - less(model, tokens)

    return Measure(name=name_of_difference(way, than, count), variants=variants, function=measure)


def name_of_difference(way: str, than: str, count: int) -> str:
    """What the measure of the difference of two ways is called."""
    return f"{way}_over_{than}_{count}_share"


def attended_words(*, variant: str, texts: int = 6, words: int = 8) -> Exhibit:
    """A table of some test texts, each with the words that have the most attention, and their share of it.

    Args:
        variant: whose trial; its model has a layer with the name :data:`ATTENTION`.
        texts: how many, the first ones with :data:`KNOWN_WORDS` known words.
        words: how many of each text.
    """

    def make(shown: Shown) -> dict[str, Any]:
        assert isinstance(shown.input, Tokens)
        tokens, labels = np.asarray(shown.test.array), np.asarray(shown.test.labels)
        places = np.flatnonzero((tokens >= FIRST_WORD).sum(axis=1) >= KNOWN_WORDS)[:texts]
        rows = []
        for place, weights in zip(places, weights_of_words(shown.model, tokens[places]), strict=True):
            answer = int(shown.probabilities[place].argmax())
            said = f"{shown.classes[answer]} {100 * shown.probabilities[place, answer]:.0f}%"
            order = np.argsort(-weights, kind="stable")[:words]
            told = [f"{_word(shown.input, tokens[place, at])} {100 * weights[at]:.0f}%" for at in order]
            rows.append([shown.classes[labels[place]], said, ", ".join(told)])
        return {
            "kind": "table",
            "variant": shown.variant,
            "seed": shown.seed,
            "title": "The words with the most attention",
            "caption": f"The first test texts of at least {KNOWN_WORDS} known words. Beside each word: its share of "
            "the attention. A question mark stands for a word that the network does not know.",
            "columns": ["what it is", "answer", "words"],
            "rows": rows,
        }

    return Exhibit(variant=variant, make=make)


def _word(text: Tokens, token: int) -> str:
    return text.vocabulary[token - FIRST_WORD] if token >= FIRST_WORD else "?"


def _long_enough(tokens: NDArray[np.int32]) -> NDArray[np.int32]:
    found: NDArray[np.int32] = tokens[(tokens >= FIRST_WORD).sum(axis=1) >= KNOWN_WORDS]
    return found


def in_batches(model: "keras.Model", tokens: NDArray[np.int32]) -> NDArray[np.float32]:
    """What a model gives for texts, float32; its first axis is theirs."""
    import keras

    parts = [
        keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(tokens[start : start + _BATCH]), training=False))
        for start in range(0, max(1, len(tokens)), _BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)

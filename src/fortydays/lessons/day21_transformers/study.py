"""Day 21. Transformer from scratch: what does self-attention make of the order of the words?"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from fortydays.inputs.tokens import FIRST_WORD, PADDING
from fortydays.lessons.day16_recurrent_networks.study import RECIPE, WIDTH, WORDS, bag_of_words, count_words_and_pairs
from fortydays.models.words import mean_of_words
from fortydays.study.claims import Comparison, Equivalent, InEverySeed, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.overviews import CurveOverview, LinesOverview, SearchOverview
from fortydays.study.search import Search
from fortydays.study.word_order import CHANGED, LOST, SHUFFLED, order_measures

RATES = Search(field="learning_rate", values=(0.0003, 0.001, 0.003))
HEADS = 4
PLACES = 512  # a learned position for each place of a text of this length; later places share the last one
ENCODINGS = ("no positions", "sinusoidal", "learned")


def place_of_words(tokens: Any) -> Any:
    """The place of each word in what is seen of its text: 1 for the first word, 0 for what fills up."""
    return ops.cumsum(ops.cast(ops.not_equal(tokens, PADDING), "int32"), axis=1)


def no_positions(vectors: Any, tokens: Any) -> Any:  # noqa: ARG001 - as the others
    """The vectors as they are."""
    return vectors


def sinusoidal(vectors: Any, tokens: Any) -> Any:
    """Sines and cosines of the place are added, from a wave of 6 words to one of 47,000 (Vaswani et al., 2017)."""
    rates = np.exp(-np.arange(WIDTH // 2) * math.log(10_000) / (WIDTH // 2)).astype(np.float32)
    angles = ops.expand_dims(ops.cast(place_of_words(tokens), "float32"), -1) * rates
    return vectors + ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


def learned(vectors: Any, tokens: Any) -> Any:
    """A vector of the place is added, which is a weight as those of the words are."""
    return vectors + layers.Embedding(PLACES + 1, WIDTH)(ops.minimum(place_of_words(tokens), PLACES))


def self_attention(vectors: Any, tokens: Any, heads: int) -> Any:
    """Each word asks all words of its text, and adds up what they offer: in several heads beside each other."""

    def of_heads(name: str) -> Any:  # (texts, heads, length, width of a head)
        return layers.Permute((2, 1, 3))(
            layers.Reshape((-1, heads, WIDTH // heads))(layers.Dense(WIDTH, name=name)(vectors))
        )

    asked, found, offered = of_heads("query"), of_heads("key"), of_heads("value")
    filling = ops.cast(ops.equal(tokens, PADDING), "float32")[:, None, None, :]
    scores = ops.matmul(asked, ops.swapaxes(found, 2, 3))
    shares = ops.softmax(scores / math.sqrt(WIDTH // heads) - 1e9 * filling)
    heard = ops.matmul(shares, offered)
    return layers.Dense(WIDTH, name="output")(layers.Reshape((-1, WIDTH))(layers.Permute((2, 1, 3))(heard)))


def transformer(positions: Callable[[Any, Any], Any], *, heads: int = HEADS) -> Callable[[], keras.Model]:
    """One block of a transformer's encoder, and the mean of what it makes of the words."""

    def build() -> keras.Model:
        tokens = keras.Input((None,), dtype="int32")
        words = layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens) * math.sqrt(WIDTH)
        x = positions(words, tokens)
        x = layers.LayerNormalization()(x + self_attention(x, tokens, heads))
        each_word = layers.Dense(WIDTH)(layers.Dense(2 * WIDTH, activation="relu")(x))
        x = layers.LayerNormalization()(x + each_word)
        return keras.Model(tokens, layers.Dense(2, activation="softmax")(mean_of_words(x, tokens)))

    return build


study = Study(
    title="Transformer from scratch",
    dataset="imdb",
    variants=(
        *(
            Variant(
                name=name,
                model=transformer(positions),
                recipe=RECIPE,
                group="positions",
                description=f"one block of {HEADS} heads, {told}",
                search=RATES,
            )
            for name, positions, told in zip(
                ENCODINGS,
                (no_positions, sinusoidal, learned),
                ("which does not know the places", "sines and cosines of the places", "a vector for each place"),
                strict=True,
            )
        ),
        Variant(
            name="one head",
            model=transformer(learned, heads=1),
            recipe=RECIPE,
            description="one block of 1 head, a vector for each place",
            search=RATES,
        ),
        Variant(
            name="bag of words",
            model=bag_of_words,
            recipe=RECIPE,
            description="no attention: the mean of the vectors of the words",
            search=Search(field="learning_rate", values=(0.001, 0.003, 0.01)),
        ),
    ),
    drills=(
        Drill(
            name="word pairs",
            do=count_words_and_pairs,
            metrics=("test_accuracy", "train_accuracy", "validation_accuracy"),
            description="words and pairs of words that occur, in a linear model",
        ),
    ),
    measures=order_measures(variants=ENCODINGS),
    claims=(
        Threshold(
            sentence="A transformer of one block with learned positions reaches at least 87%",
            variant="learned",
            metric="test_accuracy",
            at_least=0.87,
        ),
        InEverySeed(
            sentence="Without positions, no answer changes when the words of all texts are shuffled",
            variant="no positions",
            metric=CHANGED,
            at_most=0.0,
        ),
        Comparison(
            sentence="Learned positions are more accurate than none",
            metric="test_accuracy",
            variant="learned",
            than="no positions",
            direction="above",
        ),
        Threshold(
            sentence="With learned positions, shuffled words cost at least one point of accuracy",
            variant="learned",
            metric=LOST,
            at_least=0.01,
        ),
        Equivalent(
            sentence="Four heads and one are equally accurate, to one point",
            metric="test_accuracy",
            variant="learned",
            like="one head",
            within=0.01,
        ),
        Comparison(
            sentence="The transformer is more accurate than a bag of words",
            metric="test_accuracy",
            variant="learned",
            than="bag of words",
            direction="above",
        ),
        Comparison(
            sentence="Words and pairs of words in a linear model are more accurate than the transformer",
            metric="test_accuracy",
            variant="word pairs",
            than="learned",
            direction="above",
        ),
    ),
    first=(
        LinesOverview(
            title="What each encoding of positions loses when the words are shuffled",
            caption="Accuracy on the validation texts as they are, and with the words of each text in another order; "
            "the mean with its 95% interval over seeds. The network was trained on texts in order.",
            lines={
                "in order": {(name, "validation_accuracy"): name for name in ENCODINGS},
                "shuffled": {(name, SHUFFLED): name for name in ENCODINGS},
            },
            x_label="positions",
            y_label="validation accuracy",
        ),
    ),
    exhibits=(
        CurveOverview(
            title="Accuracy in training and validation",
            caption="The mean over seeds, in a band from the lowest to the highest. Dashed: training.",
            variants=ENCODINGS,
            fields=("validation_accuracy", "train_accuracy"),
            y_label="accuracy",
        ),
        SearchOverview(
            title="Accuracy against the learning rate",
            caption="Validation accuracy of each rate that was tried, with one standard deviation over tuning seeds "
            "to each side. A ring marks the rate that was chosen.",
            variants=(*ENCODINGS, "one head", "bag of words"),
            x_label="learning rate (logarithmic)",
        ),
        confusion_matrix(variant="learned"),
    ),
)

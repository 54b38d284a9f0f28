"""Day 19. Project: sentiment. Which pipeline is the best within a minute of training, and where is it wrong?"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import layers, ops

from fortydays.inputs.tokens import FIRST_WORD, PADDING
from fortydays.models.words import largest_of_words, mean_of_words
from fortydays.study.behaviour import (
    NEGATION,
    NOT_BAD,
    NOT_GOOD,
    Difference,
    Negation,
    Part,
    accuracies_of,
    named_parts,
    negation_measures,
    negation_of,
    part_measures,
)
from fortydays.study.bench import Bench
from fortydays.study.claims import Comparison, InEverySeed, NotWorse, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.overviews import CostOverview, CurveOverview, LinesOverview
from fortydays.study.plain_texts import ACCURACIES, learned_plainly
from fortydays.study.search import Search
from fortydays.train.recipe import Recipe

WORDS, WIDTH, FILTERS = 20_000, 32, 64
BUCKETS = 2**17
"""Pairs of words share so many vectors, because there are too many pairs for one each."""

RECIPE = Recipe(epochs=4, batch_size=64, schedule="cosine", warmup=0.1, vocabulary=WORDS, length=400)
LSTM_RECIPE = RECIPE.replace(epochs=2, length=200)
FAST = Search(field="learning_rate", values=(0.001, 0.003, 0.01))
SLOW = Search(field="learning_rate", values=(0.0003, 0.001, 0.003))
UNLIKE = {"unlike variants": "each pipeline trains as long as fits into a minute"}

STARS = (1, 2, 3, 4, 7, 8, 9, 10)
LENGTHS = {"to 100": (0, 100), "to 200": (101, 200), "to 400": (201, 400), "longer": (401, 2_500)}
BY_STARS = named_parts("stars", {str(each): (each, each) for each in STARS})
BY_LENGTH = named_parts("words", {name.replace(" ", "_"): ends for name, ends in LENGTHS.items()})
SURE_OVER_MILD = Difference(
    name="sure_over_mild_share", more=(BY_STARS[0], BY_STARS[-1]), less=(BY_STARS[3], BY_STARS[4])
)
PARTS: tuple[Part | Difference, ...] = (*BY_STARS, *BY_LENGTH, SURE_OVER_MILD)

NEGATIONS = Negation(
    frames=(
        "this film is {}",
        "i saw it with a friend last week and the film was {}",
        "what the actors do here is {} from the first scene to the last",
        "we watched it to the end . it is {} . that is all there is to say about it",
    ),
    good=("good", "great", "funny", "interesting", "exciting", "impressive", "convincing", "original"),
    bad=("bad", "boring", "stupid", "terrible", "dull", "predictable", "annoying", "disappointing"),
)


def words_alone() -> keras.Model:
    """The mean of the words' vectors."""
    tokens = keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens)
    return keras.Model(tokens, layers.Dense(2, activation="softmax")(mean_of_words(vectors, tokens)))


def numbers_of_pairs(tokens: Any) -> Any:
    """A number from 1 for each word with the word before it; 0 where one of the two is missing."""
    before = ops.pad(tokens[:, :-1], ((0, 0), (1, 0)))
    both = ops.logical_and(ops.not_equal(before, PADDING), ops.not_equal(tokens, PADDING))
    return ops.where(both, 1 + (before * 8_191 + tokens) % BUCKETS, PADDING)


def words_and_pairs() -> keras.Model:
    """The mean of the words' vectors, beside the mean of the vectors of pairs of neighbors."""
    tokens = keras.Input((None,), dtype="int32")
    pairs = numbers_of_pairs(tokens)
    vectors = layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens)
    of_words = mean_of_words(vectors, tokens)
    of_pairs = mean_of_words(layers.Embedding(1 + BUCKETS, WIDTH)(pairs), pairs)
    return keras.Model(tokens, layers.Dense(2, activation="softmax")(layers.concatenate([of_words, of_pairs])))


def convolution() -> keras.Model:
    """Filters over five words each; of each filter, the place in the text that it answers to most (Kim, 2014)."""
    tokens = keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens)
    found = layers.Conv1D(FILTERS, 5, activation="relu", padding="same")(vectors)
    return keras.Model(tokens, layers.Dense(2, activation="softmax")(largest_of_words(found, tokens)))


def lstm() -> keras.Model:
    """An LSTM, which answers from the mean and the largest of its states."""
    tokens = keras.Input((None,), dtype="int32")
    states = layers.LSTM(64, return_sequences=True)(layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens))
    read = layers.concatenate([mean_of_words(states, tokens), largest_of_words(states, tokens)])
    return keras.Model(tokens, layers.Dense(2, activation="softmax")(read))


def counted(*, pairs: bool) -> Callable[[Bench], Mapping[str, float]]:
    """A drill: words, or words and pairs, in a linear model, with all that the networks are measured by."""

    def drill(bench: Bench) -> Mapping[str, float]:
        learned = learned_plainly(bench, pairs=pairs)
        training, answer = learned.dataset.training, learned.model.log_odds
        return {
            **learned.accuracies(),
            **accuracies_of(answer, training.validation, PARTS),
            **negation_of(answer, training.input, NEGATIONS),
        }

    return drill


NETWORKS = {
    "words": (words_alone, RECIPE, FAST, "the mean of the words' vectors"),
    "words and pairs": (words_and_pairs, RECIPE, FAST, "the same, and the mean of the vectors of pairs of words"),
    "convolution": (convolution, RECIPE.replace(epochs=2, precision="float32"), SLOW, "filters over five words each"),
    "lstm": (lstm, LSTM_RECIPE, SLOW, "an LSTM over the last 200 words"),
}
LINEAR = {"single words": False, "word pairs": True}
ALL = (*LINEAR, *NETWORKS)

study = Study(
    title="Project: sentiment",
    dataset="imdb",
    variants=tuple(
        Variant(name=name, model=model, recipe=recipe, group="networks", description=told, search=search)
        for name, (model, recipe, search, told) in NETWORKS.items()
    ),
    drills=tuple(
        Drill(
            name=name,
            do=counted(pairs=pairs),
            metrics=(*ACCURACIES, *(part.name for part in PARTS), *NEGATION),
            group="linear models",
            description=f"{'words and pairs of words' if pairs else 'words'} that occur, in a linear model",
        )
        for name, pairs in LINEAR.items()
    ),
    measures=(
        *part_measures(PARTS, variants=tuple(NETWORKS)),
        *negation_measures(NEGATIONS, variants=tuple(NETWORKS)),
    ),
    claims=(
        Threshold(
            sentence="An LSTM that is trained for about a minute reaches at least 90%",
            variant="lstm",
            metric="test_accuracy",
            at_least=0.9,
        ),
        InEverySeed(
            sentence="The network of words and pairs is trained within a minute",
            variant="words and pairs",
            metric="train_seconds",
            at_most=60,
        ),
        Comparison(
            sentence="Pairs of words make a network of words more accurate",
            metric="test_accuracy",
            variant="words and pairs",
            than="words",
            direction="above",
        ),
        Comparison(
            sentence="The network of words and pairs is more accurate than the LSTM",
            metric="test_accuracy",
            variant="words and pairs",
            than="lstm",
            direction="above",
            expected=UNLIKE,
        ),
        NotWorse(
            sentence="The network of words and pairs is at most one point less accurate than the linear model of them",
            metric="test_accuracy",
            variant="words and pairs",
            than="word pairs",
            within=0.01,
        ),
        Threshold(
            sentence="The network of words and pairs is right at least 10 points more often about reviews of 1 and 10 "
            "stars than about those of 4 and 7",
            variant="words and pairs",
            metric=SURE_OVER_MILD.name,
            at_least=0.1,
        ),
        Comparison(
            sentence='Who sees pairs of words reads "not good" as bad more often than who sees words alone',
            metric=NOT_GOOD,
            variant="word pairs",
            than="single words",
            direction="above",
        ),
        Comparison(
            sentence='The LSTM reads "not bad" as good more often than the mean of the words does',
            metric=NOT_BAD,
            variant="lstm",
            than="words",
            direction="above",
            expected=UNLIKE,
        ),
    ),
    first=(
        CostOverview(
            title="Accuracy against seconds of training",
            caption="Test accuracy with its 95% interval over seeds, against the mean seconds of training. Of the "
            "linear models, reading and measuring are in these seconds, too.",
            metric="test_accuracy",
            lines={name: (name,) for name in ALL},
            cost="train_seconds",
            x_axis="logarithmic",
        ),
        LinesOverview(
            title="Accuracy by stars",
            caption="Of the validation texts with so many stars, the share that is named rightly, with its 95% "
            "interval over seeds. There are no reviews with 5 or 6 stars.",
            lines={
                name: {(name, part.name): star for part, star in zip(BY_STARS, STARS, strict=True)}
                for name in ("word pairs", "words and pairs", "lstm")
            },
            x_label="stars",
            y_label="accuracy",
        ),
    ),
    exhibits=(
        LinesOverview(
            title="Accuracy by length",
            caption="Of the validation texts of so many words, the share that is named rightly, with its 95% interval "
            "over seeds.",
            lines={
                name: {(name, part.name): length for part, length in zip(BY_LENGTH, LENGTHS, strict=True)}
                for name in ALL
            },
            x_label="words of the text",
            y_label="accuracy",
        ),
        LinesOverview(
            title='What is made of "not"',
            caption='Of made-up sentences, the share that is read as it is meant: without "not", with "not" before '
            'a good adjective, and with "not" before a bad one; with its 95% interval over seeds.',
            lines={
                name: {
                    (name, metric): told
                    for metric, told in zip(NEGATION, ("plain", "not good", "not bad"), strict=False)
                }
                for name in ALL
            },
            x_label="sentences",
            y_label="read rightly",
            y_from=0,
        ),
        CurveOverview(
            title="Accuracy in training and validation",
            caption="The mean over seeds, in a band from the lowest to the highest. Dashed: training.",
            variants=tuple(NETWORKS),
            fields=("validation_accuracy", "train_accuracy"),
            y_label="accuracy",
        ),
        confusion_matrix(variant="words and pairs"),
    ),
)

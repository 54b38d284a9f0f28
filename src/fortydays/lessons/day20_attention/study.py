"""Day 20. Attention: does a network that says which words it looks at point at the words that count?"""

from typing import Any

import keras
from keras import layers, ops

from fortydays.inputs.tokens import FIRST_WORD, PADDING
from fortydays.lessons.day16_recurrent_networks.study import RECIPE, WIDTH, WORDS, bag_of_words, count_words_and_pairs
from fortydays.models.words import mean_of_words
from fortydays.study.attended import (
    ATTENTION,
    attended_words,
    deletion_measures,
    difference_measure,
    name_of,
    name_of_difference,
)
from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.overviews import CurveOverview, LinesOverview, SearchOverview
from fortydays.study.search import Search

RATES = Search(field="learning_rate", values=(0.0003, 0.001, 0.003))
FAST = Search(field="learning_rate", values=(0.001, 0.003, 0.01))

DELETED = (5, 10, 20)
ATTENDING = ("attention", "words alone")
LINES = {"attention": "most attention", "gradient": "largest gradient", "random": "by chance"}


def attended(vectors: Any, tokens: Any) -> Any:
    """The mean of the vectors of a text's words, weighted by how much attention each gets."""
    hidden = layers.Dense(WIDTH, activation="tanh")(vectors)
    scores = layers.Dense(1, use_bias=False)(hidden)
    filling = ops.expand_dims(ops.cast(ops.equal(tokens, PADDING), "float32"), -1)
    weights = layers.Softmax(axis=1, name=ATTENTION)(scores - 1e9 * filling)
    return ops.sum(weights * vectors, axis=1)


def read_both_ways(vectors: Any) -> Any:
    """The states of an LSTM that reads forward beside those of one that reads backward."""
    return layers.Bidirectional(layers.LSTM(WIDTH, return_sequences=True))(vectors)


def attention() -> keras.Model:
    """Attention over the states of a bidirectional LSTM."""
    tokens = keras.Input((None,), dtype="int32")
    states = read_both_ways(layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens))
    return keras.Model(tokens, layers.Dense(2, activation="softmax")(attended(states, tokens)))


def plain_mean() -> keras.Model:
    """The same LSTM, all of whose states count alike."""
    tokens = keras.Input((None,), dtype="int32")
    states = read_both_ways(layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens))
    return keras.Model(tokens, layers.Dense(2, activation="softmax")(mean_of_words(states, tokens)))


def words_alone() -> keras.Model:
    """Attention over the vectors of the words, without an LSTM: a bag of words whose words do not count alike."""
    tokens = keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens)
    return keras.Model(tokens, layers.Dense(2, activation="softmax")(attended(vectors, tokens)))


study = Study(
    title="Attention",
    dataset="imdb",
    variants=(
        Variant(
            name="attention",
            model=attention,
            recipe=RECIPE,
            group="both ways",
            description="a bidirectional LSTM, and attention over its states",
            search=RATES,
        ),
        Variant(
            name="plain mean",
            model=plain_mean,
            recipe=RECIPE,
            group="both ways",
            description="the same LSTM, and the mean of its states",
            search=RATES,
        ),
        Variant(
            name="words alone",
            model=words_alone,
            recipe=RECIPE,
            group="no recurrence",
            description="attention over the vectors of the words",
            search=FAST,
        ),
        Variant(
            name="bag of words",
            model=bag_of_words,
            recipe=RECIPE,
            group="no recurrence",
            description="the mean of the vectors of the words",
            search=FAST,
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
    measures=(
        *deletion_measures(*DELETED, variants=ATTENDING),
        difference_measure("attention", "random", 10, variants=ATTENDING),
        difference_measure("gradient", "attention", 10, variants=ATTENDING),
    ),
    claims=(
        Threshold(
            sentence="The network with attention reaches at least 90%",
            variant="attention",
            metric="test_accuracy",
            at_least=0.9,
        ),
        Comparison(
            sentence="Attention over the states of an LSTM is more accurate than their mean",
            metric="test_accuracy",
            variant="attention",
            than="plain mean",
            direction="above",
        ),
        Threshold(
            sentence="Without the 10 words with the most attention, at least 10 more of 100 answers change than "
            "without 10 words by chance",
            variant="attention",
            metric=name_of_difference("attention", "random", 10),
            at_least=0.1,
        ),
        Threshold(
            sentence="Without the 10 words with the largest gradient, more answers change than without those with the "
            "most attention",
            variant="attention",
            metric=name_of_difference("gradient", "attention", 10),
            at_least=0.0,
        ),
        Comparison(
            sentence="Attention points better at what counts where no LSTM has mixed the words",
            metric=name_of_difference("attention", "random", 10),
            variant="words alone",
            than="attention",
            direction="above",
        ),
        Comparison(
            sentence="Words and pairs of words in a linear model are more accurate than the network with attention",
            metric="test_accuracy",
            variant="word pairs",
            than="attention",
            direction="above",
        ),
    ),
    first=(
        LinesOverview(
            title="Does attention point at the words that count?",
            caption="How many answers of the network with attention change when words of a text are replaced by the "
            "token of an unknown word: those with the most attention, those with the largest gradient, or words by "
            "chance. The mean over 512 validation texts, with its 95% interval over seeds.",
            lines={
                told: {("attention", name_of(way, count)): count for count in DELETED} for way, told in LINES.items()
            },
            x_label="replaced words",
            y_label="answers that change",
            y_from=0,
        ),
    ),
    exhibits=(
        LinesOverview(
            title="The same without an LSTM",
            caption="As above, of the network whose attention is over the vectors of the words.",
            lines={
                told: {("words alone", name_of(way, count)): count for count in DELETED} for way, told in LINES.items()
            },
            x_label="replaced words",
            y_label="answers that change",
            y_from=0,
        ),
        attended_words(variant="attention"),
        CurveOverview(
            title="Accuracy in training and validation",
            caption="The mean over seeds, in a band from the lowest to the highest. Dashed: training.",
            variants=("attention", "plain mean", "words alone"),
            fields=("validation_accuracy", "train_accuracy"),
            y_label="accuracy",
        ),
        SearchOverview(
            title="Accuracy against the learning rate",
            caption="Validation accuracy of each rate that was tried, with one standard deviation over tuning seeds "
            "to each side. A ring marks the rate that was chosen.",
            variants=("attention", "plain mean", "words alone", "bag of words"),
            x_label="learning rate (logarithmic)",
        ),
        confusion_matrix(variant="attention"),
    ),
)

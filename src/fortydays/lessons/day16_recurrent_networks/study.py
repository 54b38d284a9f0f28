"""Day 16. Recurrent networks: how far back does a network hear that reads a text word by word?"""

from collections.abc import Mapping

import keras
from keras import layers

from fortydays.data.arrays import Reading
from fortydays.inputs.tokens import FIRST_WORD, TOKENS
from fortydays.models.word_pairs import measured, train_word_pairs
from fortydays.models.words import largest_of_words, mean_of_words
from fortydays.study.bench import Bench
from fortydays.study.claims import Comparison, InEverySeed, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.overviews import CurveOverview, MetricsOverview, SearchOverview
from fortydays.study.search import Search
from fortydays.study.slopes import name_at, slope_measures
from fortydays.train.recipe import Recipe

WORDS = 10_000
WIDTH = 64

JOURNAL = Recipe(epochs=5, batch_size=32, learning_rate=0.001, vocabulary=WORDS, length=200)
RECIPE = JOURNAL.replace(epochs=3, batch_size=64, schedule="cosine", warmup=0.1)
RATES = Search(field="learning_rate", values=(0.0001, 0.0003, 0.001, 0.003))

DISTANCES = (1, 2, 5, 10, 20, 50, 100, 200)
LOOKED_AT = ("last state", "pooled", "bag of words")


def bag_of_words() -> keras.Model:
    """The mean of the words' vectors: the order of the words is lost."""
    tokens = keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens)
    return keras.Model(tokens, layers.Dense(2, activation="softmax")(mean_of_words(vectors, tokens)))


def last_state() -> keras.Model:
    """A recurrent network that answers from its state after the last word."""
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(FIRST_WORD + WORDS, WIDTH),
            layers.SimpleRNN(WIDTH),
            layers.Dense(2, activation="softmax"),
        ]
    )


def pooled() -> keras.Model:
    """The same recurrent network, which answers from the mean and the largest of its states."""
    tokens = keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(FIRST_WORD + WORDS, WIDTH)(tokens)
    states = layers.SimpleRNN(WIDTH, return_sequences=True)(vectors)
    heard = layers.concatenate([mean_of_words(states, tokens), largest_of_words(states, tokens)])
    return keras.Model(tokens, layers.Dense(2, activation="softmax")(heard))


def count_words_and_pairs(bench: Bench) -> Mapping[str, float]:
    """The baseline: which words and pairs of words occur in the whole text, and a linear model of that."""
    assert bench.dataset is not None
    whole = bench.dataset.read_as(Reading(length=2_500))
    splits = {"train": whole.training.train, "validation": whole.training.validation, "test": whole.test.open()}
    arrays = {name: (split.inputs[TOKENS], split.labels) for name, split in splits.items()}
    bench.say("counting words and pairs of words")
    model = train_word_pairs(arrays["train"], arrays["validation"])
    return measured(model, arrays)


study = Study(
    title="Recurrent networks",
    dataset="imdb",
    variants=(
        Variant(
            name="last state",
            model=last_state,
            recipe=RECIPE,
            description="a simple recurrent network, which answers from its last state",
            search=RATES,
        ),
        Variant(
            name="pooled",
            model=pooled,
            recipe=RECIPE,
            description="the same, which answers from the mean and the largest of all states",
            search=RATES,
        ),
        Variant(
            name="bag of words",
            model=bag_of_words,
            recipe=RECIPE,
            description="no recurrence: the mean of the words' vectors",
            search=Search(field="learning_rate", values=(0.001, 0.003, 0.01)),
        ),
        Variant(
            name="journal",
            model=last_state,
            recipe=JOURNAL,
            description="the journal's setting: the last state, a constant rate",
            expected={"not converged": "five epochs at a constant rate are what the journal gives"},
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
    measures=slope_measures(*DISTANCES, variants=LOOKED_AT),
    claims=(
        Threshold(
            sentence="The journal's recurrent network reaches at least 83%",
            variant="journal",
            metric="test_accuracy",
            at_least=0.83,
        ),
        Comparison(
            sentence="The mean of the words' vectors is more accurate than the last state of a recurrent network",
            metric="test_accuracy",
            variant="bag of words",
            than="last state",
            direction="above",
        ),
        Comparison(
            sentence="A word 100 places before the end counts less for the last state than for the bag of words",
            metric=name_at(100),
            variant="last state",
            than="bag of words",
            direction="below",
        ),
        Comparison(
            sentence="A recurrent network that answers from all its states is more accurate than from the last one",
            metric="test_accuracy",
            variant="pooled",
            than="last state",
            direction="above",
        ),
        Comparison(
            sentence="A recurrent network that answers from all its states is more accurate than a bag of words",
            metric="test_accuracy",
            variant="pooled",
            than="bag of words",
            direction="above",
        ),
        InEverySeed(
            sentence="Words and pairs of words in a linear model reach 90%, without a network",
            variant="word pairs",
            metric="test_accuracy",
            at_least=0.9,
        ),
    ),
    first=(
        MetricsOverview(
            title="How much each word counts, by its distance from the end",
            caption="The norm of the gradient of the answer with respect to the vector of a word, as a power of ten: "
            "the mean over texts of 200 words and more, with its 95% interval over seeds. At -2 a word counts a "
            "hundredth of what it counts at 0.",
            variants=LOOKED_AT,
            metrics={name_at(each): each for each in DISTANCES},
            x_label="words from the end (logarithmic)",
            y_label="gradient, power of ten",
            x_axis="logarithmic",
        ),
    ),
    exhibits=(
        CurveOverview(
            title="Accuracy in training and validation",
            caption="The mean over seeds, in a band from the lowest to the highest. Dashed: training.",
            variants=LOOKED_AT,
            fields=("validation_accuracy", "train_accuracy"),
            y_label="accuracy",
        ),
        SearchOverview(
            title="Accuracy against the learning rate",
            caption="Validation accuracy of each rate that was tried, with one standard deviation over tuning seeds "
            "to each side. A ring marks the rate that was chosen.",
            variants=LOOKED_AT,
            x_label="learning rate (logarithmic)",
        ),
        confusion_matrix(variant="bag of words"),
    ),
)

"""Day 17. LSTM and GRU: does a state that is changed by adding remember longer than one that is made anew?"""

from collections.abc import Callable, Mapping

import keras
from keras import layers

from fortydays.inputs.tokens import FIRST_WORD
from fortydays.lessons.day16_recurrent_networks.study import JOURNAL, RECIPE, WIDTH, WORDS, count_words_and_pairs
from fortydays.lessons.day17_lstm_gru.memory import DISTANCES, metric_at, name_of, remembered
from fortydays.study.bench import Bench
from fortydays.study.claims import Comparison, Equivalent, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.overviews import CurveOverview, MetricsOverview
from fortydays.study.search import Search
from fortydays.study.slopes import name_at, slope_measures

RATES = Search(field="learning_rate", values=(0.0003, 0.001, 0.003, 0.01))
PLACES = (1, 2, 5, 10, 20, 50, 100, 200)

# As many weights in the recurrent layer as an LSTM of 64 units has: 33,024; 32,984 and 33,033 here.
NETWORKS = {
    "simple rnn": lambda: layers.SimpleRNN(152),
    "lstm": lambda: layers.LSTM(WIDTH),
    "gru": lambda: layers.GRU(77),
}


def reader(layer: Callable[[], layers.Layer], *, words: int = WORDS, classes: int = 2) -> Callable[[], keras.Model]:
    """Vectors of words, a recurrent layer, and an answer from its last state."""

    def build() -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((None,), dtype="int32"),
                layers.Embedding(FIRST_WORD + words, WIDTH),
                layer(),
                layers.Dense(classes, activation="softmax"),
            ]
        )

    return build


def remember(layer: Callable[[], layers.Layer]) -> Callable[[Bench], Mapping[str, float]]:
    """A drill: train the network to say which symbol came first, behind more and more others."""

    def drill(bench: Bench) -> Mapping[str, float]:
        return remembered(bench, lambda words, classes: reader(layer, words=words, classes=classes))

    return drill


study = Study(
    title="LSTM and GRU",
    dataset="imdb",
    variants=(
        *(
            Variant(
                name=name,
                model=reader(layer),
                recipe=RECIPE,
                group="equal size",
                description="33,000 weights in the recurrent layer, answers from its last state",
                search=RATES,
            )
            for name, layer in NETWORKS.items()
        ),
        *(
            Variant(
                name=f"journal {name}",
                model=reader(layer),
                recipe=JOURNAL,
                group="journal",
                description="the journal's setting: 64 units, a constant rate",
                expected={"not converged": "five epochs at a constant rate are what the journal gives"},
            )
            for name, layer in (("lstm", lambda: layers.LSTM(WIDTH)), ("gru", lambda: layers.GRU(WIDTH)))
        ),
    ),
    drills=(
        *(
            Drill(
                name=f"{name} remembers",
                do=remember(layer),
                metrics=tuple(map(metric_at, DISTANCES)),
                group="memory",
                description="names the first symbol behind others",
            )
            for name, layer in NETWORKS.items()
        ),
        Drill(
            name="word pairs",
            do=count_words_and_pairs,
            metrics=("test_accuracy", "train_accuracy", "validation_accuracy"),
            description="words and pairs of words that occur, in a linear model",
        ),
    ),
    measures=slope_measures(*PLACES, variants=tuple(NETWORKS)),
    claims=(
        Threshold(
            sentence="The journal's LSTM reaches at least 88%",
            variant="journal lstm",
            metric="test_accuracy",
            at_least=0.88,
        ),
        Threshold(
            sentence="The journal's GRU reaches at least 87%",
            variant="journal gru",
            metric="test_accuracy",
            at_least=0.87,
        ),
        Comparison(
            sentence="With as many weights, an LSTM is more accurate than a simple recurrent network",
            metric="test_accuracy",
            variant="lstm",
            than="simple rnn",
            direction="above",
        ),
        Equivalent(
            sentence="With as many weights, LSTM and GRU are equally accurate, to one point",
            metric="test_accuracy",
            variant="gru",
            like="lstm",
            within=0.01,
        ),
        Comparison(
            sentence="Behind 100 symbols, a GRU still names the first one more often than a simple recurrent network",
            metric=name_of(100),
            variant="gru remembers",
            than="simple rnn remembers",
            direction="above",
        ),
        Comparison(
            sentence="Behind 100 symbols, a GRU still names the first one more often than an LSTM",
            metric=name_of(100),
            variant="gru remembers",
            than="lstm remembers",
            direction="above",
        ),
    ),
    first=(
        MetricsOverview(
            title="How long each network remembers",
            caption="How often a network that was trained for 1,000 steps names the first of eight symbols, behind "
            "other symbols; with its 95% interval over seeds. Guessing is right in one case of eight.",
            variants=tuple(f"{name} remembers" for name in NETWORKS),
            metrics={name_of(each): each for each in DISTANCES},
            x_label="symbols behind the first one (logarithmic)",
            y_label="right answers",
            x_axis="logarithmic",
            y_from=0,
        ),
    ),
    exhibits=(
        MetricsOverview(
            title="How much each word counts, by its distance from the end",
            caption="The norm of the gradient of the answer with respect to the vector of a word, as a power of ten: "
            "the mean over texts of 200 words and more, with its 95% interval over seeds.",
            variants=tuple(NETWORKS),
            metrics={name_at(each): each for each in PLACES},
            x_label="words from the end (logarithmic)",
            y_label="gradient, power of ten",
            x_axis="logarithmic",
        ),
        CurveOverview(
            title="Accuracy in training and validation",
            caption="The mean over seeds, in a band from the lowest to the highest. Dashed: training.",
            variants=tuple(NETWORKS),
            fields=("validation_accuracy", "train_accuracy"),
            y_label="accuracy",
        ),
        confusion_matrix(variant="lstm"),
    ),
)

"""Day 18. Word embeddings: when are vectors of words that others have learned worth more than those of one's own?"""

from collections.abc import Callable, Mapping

import keras
from keras import layers

from fortydays.inputs.tokens import FIRST_WORD
from fortydays.models.words import mean_of_words
from fortydays.study.bench import Bench
from fortydays.study.claims import Best, Comparison, Equivalent, Threshold
from fortydays.study.design import Measure, Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.overviews import CurveOverview, MetricOverview, SearchOverview
from fortydays.study.plain_texts import ACCURACIES, learned_plainly
from fortydays.study.search import Search
from fortydays.study.word_vectors import cosine_of_pairs, covered_share
from fortydays.study.words_shown import map_of_words, nearest_words
from fortydays.train.recipe import Recipe

WORDS, WIDTH, HIDDEN = 10_000, 50, 64
GLOVE = "glove-6b-50d"

RECIPE = Recipe(epochs=5, batch_size=64, schedule="cosine", warmup=0.1, vocabulary=WORDS, length=200)
READ_IN_ORDER = RECIPE.replace(epochs=3)
TRAINED = Search(field="learning_rate", values=(0.0003, 0.001, 0.003))
FROZEN = Search(field="learning_rate", values=(0.003, 0.01, 0.03))
"""A frozen table leaves little to change, so larger steps are tried."""

WIDE = Search(field="learning_rate", values=(0.001, 0.003, 0.01, 0.03))

UNLIKE = {"unlike variants": "a recurrent network has three epochs, as on days 16 and 17"}

FEW = {50: (60, 10), 500: (25, 32), 2500: (10, 64)}
"""Training texts of each class, and for how many epochs, in batches of how many, they are learned from."""

ALL = 22_257
"""Training texts in all."""

OPPOSITES = (
    ("good", "bad"), ("best", "worst"), ("great", "terrible"), ("love", "hate"), ("excellent", "awful"),
    ("wonderful", "horrible"), ("funny", "boring"), ("interesting", "dull"), ("strong", "weak"), ("beautiful", "ugly"),
)  # fmt: skip
"""Words that could stand in the same place of a sentence and say the opposite of each other."""

GROUPS = {
    "praise": ("good", "great", "best", "excellent", "wonderful", "love", "funny", "beautiful"),
    "blame": ("bad", "terrible", "worst", "awful", "horrible", "hate", "boring", "ugly"),
    "people": ("actor", "actress", "director", "writer", "man", "woman", "king", "queen"),
    "numbers": ("one", "two", "three", "four", "ten", "hundred"),
}
SHOWN = ("good", "terrible", "boring", "actor", "king", "three", "london")


def reader(*, trainable: bool = True, spread: float | None = None) -> Callable[[], keras.Model]:
    """The mean of the words' vectors, a hidden layer, and an answer.

    Args:
        trainable: whether the vectors are changed in training; frozen ones stay as they begin.
        spread: standard deviation of the random vectors that they begin with; None for Keras's own small ones.
    """
    begin = "uniform" if spread is None else keras.initializers.RandomNormal(stddev=spread)

    def build() -> keras.Model:
        tokens = keras.Input((None,), dtype="int32")
        embedding = layers.Embedding(FIRST_WORD + WORDS, WIDTH, embeddings_initializer=begin, trainable=trainable)
        text = mean_of_words(embedding(tokens), tokens)
        hidden = layers.Dense(HIDDEN, activation="relu")(text)
        return keras.Model(tokens, layers.Dense(2, activation="softmax")(hidden))

    return build


def in_order(*, trainable: bool = True) -> Callable[[], keras.Model]:
    """An LSTM over the words' vectors, which answers from the mean of its states."""

    def build() -> keras.Model:
        tokens = keras.Input((None,), dtype="int32")
        vectors = layers.Embedding(FIRST_WORD + WORDS, WIDTH, trainable=trainable)(tokens)
        states = layers.LSTM(HIDDEN, return_sequences=True)(vectors)
        return keras.Model(tokens, layers.Dense(2, activation="softmax")(mean_of_words(states, tokens)))

    return build


def count_pairs(examples: int | None = None) -> Callable[[Bench], Mapping[str, float]]:
    """A drill: the plain baseline, from some training texts of each class or from all."""

    def drill(bench: Bench) -> Mapping[str, float]:
        return learned_plainly(bench, examples=examples).accuracies()

    return drill


KEPT = reader(trainable=False)
RANDOM = reader(trainable=False, spread=0.6)  # GloVe's vectors have a standard deviation of 0.6, too

KINDS = {
    "learned": (reader(), "", TRAINED, "vectors learned from the task"),
    "glove frozen": (KEPT, GLOVE, FROZEN, "GloVe's vectors, which stay as they are"),
    "glove tuned": (reader(), GLOVE, TRAINED, "GloVe's vectors, trained further"),
}

study = Study(
    title="Word embeddings",
    dataset="imdb",
    variants=(
        *(
            Variant(
                name=name,
                model=model,
                recipe=RECIPE,
                vectors=vectors,
                group="all texts",
                description=told,
                search=search,
            )
            for name, (model, vectors, search, told) in KINDS.items()
        ),
        Variant(
            name="random frozen",
            model=RANDOM,
            recipe=RECIPE,
            group="all texts",
            description="random vectors, which stay as they are: a control",
            search=FROZEN,
            expected={"cannot learn": "it has no vectors to learn with: that is what it is the control of"},
        ),
        *(
            Variant(
                name=name,
                model=in_order(trainable=not vectors),
                recipe=READ_IN_ORDER,
                vectors=vectors,
                group="in order",
                description=f"an LSTM over {told}",
                search=TRAINED,
            )
            for name, vectors, told in (
                ("lstm learned", "", "vectors learned from the task"),
                ("lstm glove", GLOVE, "GloVe's vectors, which stay as they are"),
            )
        ),
        *(
            Variant(
                name=f"{name} {2 * count}",
                model=model,
                recipe=RECIPE.replace(epochs=epochs, batch_size=batch),
                vectors=vectors,
                examples=count,
                redrawn=True,
                group="few texts",
                description=f"{told}; {2 * count:,} texts, drawn for each seed",
                search=WIDE,
            )
            for count, (epochs, batch) in FEW.items()
            for name, (model, vectors, _, told) in KINDS.items()
        ),
    ),
    drills=(
        Drill(
            name="word pairs",
            do=count_pairs(),
            metrics=ACCURACIES,
            description="words and pairs of words that occur, in a linear model",
        ),
        *(
            Drill(
                name=f"word pairs {2 * count}",
                do=count_pairs(count),
                metrics=ACCURACIES,
                group="few texts",
                description=f"the same; {2 * count:,} texts, drawn for each seed",
            )
            for count in FEW
        ),
    ),
    measures=(
        Measure(name="covered_share", variants=("glove frozen",), function=covered_share, at="start"),
        Measure(name="cosine_of_opposites", variants=tuple(KINDS), function=cosine_of_pairs(OPPOSITES), data=True),
    ),
    claims=(
        Threshold(
            sentence="A network with vectors learned from the task reaches at least 86%",
            variant="learned",
            metric="test_accuracy",
            at_least=0.86,
        ),
        Comparison(
            sentence="From 100 texts, frozen GloVe vectors are more accurate than vectors learned from the task",
            metric="test_accuracy",
            variant="glove frozen 100",
            than="learned 100",
            direction="above",
        ),
        Comparison(
            sentence="From all texts, vectors learned from the task are more accurate than frozen GloVe vectors",
            metric="test_accuracy",
            variant="learned",
            than="glove frozen",
            direction="above",
        ),
        Comparison(
            sentence="Frozen GloVe vectors are more accurate than frozen random vectors",
            metric="test_accuracy",
            variant="glove frozen",
            than="random frozen",
            direction="above",
        ),
        Equivalent(
            sentence="From all texts, it makes at most one point of difference whether vectors that are trained begin "
            "as GloVe's",
            metric="test_accuracy",
            variant="glove tuned",
            like="learned",
            within=0.01,
        ),
        Comparison(
            sentence="Opposites such as good and bad lie nearer to each other in GloVe than in vectors learned from "
            "the task",
            metric="cosine_of_opposites",
            variant="glove frozen",
            than="learned",
            direction="above",
        ),
        Comparison(
            sentence="An LSTM over frozen GloVe vectors is more accurate than their mean",
            metric="test_accuracy",
            variant="lstm glove",
            than="glove frozen",
            direction="above",
            expected=UNLIKE,
        ),
        Best(
            sentence="Words and pairs of words in a linear model are more accurate than each of these networks",
            metric="test_accuracy",
            variant="word pairs",
            among=("learned", "glove frozen", "glove tuned", "lstm learned", "lstm glove"),
        ),
    ),
    first=(
        MetricOverview(
            title="When vectors that others have learned pay",
            caption="Test accuracy against the number of training texts, with its 95% interval over seeds. Of fewer "
            "than all texts, each seed draws its own, the same for all lines.",
            metric="test_accuracy",
            lines={
                name: {**{f"{name} {2 * count}": 2 * count for count in FEW}, name: ALL}
                for name in (*KINDS, "word pairs")
            },
            x_label="training texts (logarithmic)",
            x_axis="logarithmic",
        ),
    ),
    exhibits=(
        nearest_words(variant="learned", words=SHOWN, title="Nearest words, learned from the task"),
        nearest_words(variant="glove frozen", words=SHOWN, title="Nearest words, GloVe"),
        map_of_words(variant="learned", groups=GROUPS, title="A map of words, learned from the task"),
        map_of_words(variant="glove frozen", groups=GROUPS, title="A map of words, GloVe"),
        CurveOverview(
            title="Accuracy in training and validation",
            caption="The mean over seeds, in a band from the lowest to the highest. Dashed: training.",
            variants=tuple(KINDS),
            fields=("validation_accuracy", "train_accuracy"),
            y_label="accuracy",
        ),
        SearchOverview(
            title="Accuracy against the learning rate",
            caption="Validation accuracy of each rate that was tried, with one standard deviation over tuning seeds "
            "to each side. A ring marks the rate that was chosen.",
            variants=(*KINDS, "random frozen"),
            x_label="learning rate (logarithmic)",
        ),
        confusion_matrix(variant="learned"),
    ),
)

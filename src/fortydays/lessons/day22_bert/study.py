"""Day 22. BERT: how many labels is it worth that a network has read much text before?"""

from collections.abc import Callable, Mapping

import numpy as np

from fortydays.data.arrays import Reading, Split
from fortydays.inputs.tokens import TOKENS
from fortydays.inputs.wordpieces import PADDING, PIECES, WORDPIECES
from fortydays.models.heads import linear_head, tuned_encoder
from fortydays.models.word_pairs import measured, train_word_pairs
from fortydays.study.bench import Bench
from fortydays.study.claims import Comparison, ThresholdOfBest
from fortydays.study.design import Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.features import TextFeatures, some_of_each_class
from fortydays.study.overviews import MetricOverview, SearchOverview
from fortydays.study.search import Search
from fortydays.train.recipe import Recipe

ENCODER, LENGTH, LAYERS = "minilm", 128, 6
VECTOR = TextFeatures(backbone=ENCODER, length=LENGTH)
LAST = TextFeatures(backbone=ENCODER, length=LENGTH, last_layers=2)
ALL = TextFeatures(backbone=ENCODER, length=LENGTH, last_layers=LAYERS)

HEAD = Recipe(epochs=10, batch_size=128, schedule="cosine", warmup=0.1, units=WORDPIECES, length=LENGTH)
RATES = Search(field="learning_rate", values=(0.0001, 0.0003, 0.001, 0.003))
TUNED = Recipe(
    epochs=3, batch_size=16, optimizer="adamw", learning_rate=0.0001, schedule="linear", warmup=0.1,
    weight_decay=0.01, decayed="kernels", clip_norm=1.0, units=WORDPIECES, length=LENGTH,
)  # fmt: skip
# Tries are as costly as trials here, but for the test texts: one seed.
TUNED_RATES = Search(field="learning_rate", values=(0.00003, 0.0001, 0.0003), seeds=(1000,))

FEW = {100: (40, 20), 300: (40, 32), 1_000: (30, 64), 3_000: (20, 64), 10_000: (10, 128)}
"""Numbers of labels, half of each class; for how many epochs, and in batches of how many, a head learns from them."""

EVERY = 22_257
COMPARED = 1_000
WHOLE = 1_000  # words: more than nearly every review has
FITTING = (128, 256, 512)
UNLIKE = {"unlike variants": "each trains as long as suits it"}


def frozen(count: int) -> str:
    """The name of the variant with so many labels whose encoder stays as it is."""
    return "frozen" if count == EVERY else f"frozen {count}"


def ngrams(count: int) -> str:
    """The name of the drill with so many labels."""
    return "n-grams" if count == EVERY else f"n-grams {count}"


def count_pairs(labels: int, *, reading: Reading, array: str) -> Callable[[Bench], dict[str, float]]:
    """A drill: a linear model of words and pairs, from the very labels that a variant with this seed is given."""

    def drill(bench: Bench) -> dict[str, float]:
        assert bench.dataset is not None
        read = bench.dataset.read_as(reading)
        splits = {"train": read.training.train, "validation": read.training.validation, "test": read.test.open()}
        arrays = {name: (split.inputs[array], np.asarray(split.labels)) for name, split in splits.items()}
        if labels < EVERY:
            rows = some_of_each_class(arrays["train"][1], labels // 2, seed=bench.seed)
            arrays["train"] = (arrays["train"][0][rows], arrays["train"][1][rows])
        return measured(train_word_pairs(arrays["train"], arrays["validation"]), arrays)

    return drill


def begin_only(bench: Bench) -> Mapping[str, float]:
    """The same linear model on the pieces that the encoder is given, and how many reviews that is the whole of."""
    assert bench.dataset is not None
    longest = bench.dataset.read_as(Reading(units=WORDPIECES, length=max(FITTING))).training.train
    counted = count_pairs(EVERY, reading=Reading(units=WORDPIECES, length=LENGTH), array=PIECES)(bench)
    return counted | {fits(length): share_that_fits(longest, length) for length in FITTING}


def fits(length: int) -> str:
    """The name of the metric: the share of the reviews that have less than so many pieces."""
    return f"fits_{length}_share"


def share_that_fits(texts: Split, length: int) -> float:
    """The share of texts with at least one place left of so many."""
    return float(np.mean(np.asarray(texts.inputs[PIECES])[:, length - 1] == PADDING))


def with_labels(count: int) -> Variant:
    """A linear head on the encoder's vectors, from so many labels."""
    epochs, batch = FEW.get(count, (HEAD.epochs, HEAD.batch_size))
    return Variant(
        name=frozen(count),
        model=linear_head(VECTOR.shape, 2),
        recipe=HEAD.replace(epochs=epochs, batch_size=batch),
        search=RATES,
        features=VECTOR,
        examples=count // 2 if count < EVERY else None,
        redrawn=count < EVERY,
        group="frozen encoder",
        description=f"a linear head on MiniLM's vectors, {count:,} labels",
    )


def tuned(name: str, features: TextFeatures, description: str) -> Variant:
    """Some of the encoder's layers, trained further."""
    return Variant(
        name=name,
        model=tuned_encoder(ENCODER, LENGTH, features.last_layers, 2),
        recipe=TUNED,
        search=TUNED_RATES,
        features=features,
        examples=COMPARED // 2,
        redrawn=True,
        group="tuned",
        description=f"{description}, {COMPARED:,} labels",
    )


ACCURACIES = ("test_accuracy", "train_accuracy", "validation_accuracy")
LAST_LAYERS, ALL_LAYERS = "last layers 1000", "all layers 1000"

study = Study(
    title="BERT",
    dataset="imdb",
    variants=(
        *map(with_labels, (*FEW, EVERY)),
        tuned(LAST_LAYERS, LAST, "the last two of six layers trained further"),
        tuned(ALL_LAYERS, ALL, "all layers trained further"),
    ),
    drills=(
        *(
            Drill(
                name=ngrams(count),
                do=count_pairs(count, reading=Reading(length=WHOLE), array=TOKENS),
                metrics=ACCURACIES,
                group="words and pairs",
                description=f"words and pairs of words in a linear model, {count:,} labels",
            )
            for count in (*FEW, EVERY)
        ),
        Drill(
            name="n-grams of the beginning",
            do=begin_only,
            metrics=(*ACCURACIES, *map(fits, FITTING)),
            description=f"the same, of the {LENGTH} pieces that the encoder is given, all labels",
        ),
    ),
    claims=(
        ThresholdOfBest(
            sentence="The best of these encoders reaches the journal's 92%",
            among=(frozen(EVERY), LAST_LAYERS, ALL_LAYERS),
            metric="test_accuracy",
            at_least=0.92,
        ),
        Comparison(
            sentence="With 100 labels, the frozen encoder is more accurate than n-grams",
            metric="test_accuracy",
            variant=frozen(100),
            than=ngrams(100),
            direction="above",
        ),
        Comparison(
            sentence="With all labels, n-grams are more accurate than the frozen encoder",
            metric="test_accuracy",
            variant=ngrams(EVERY),
            than=frozen(EVERY),
            direction="above",
        ),
        Comparison(
            sentence="With all labels, n-grams of the same 128 pieces are more accurate than the frozen encoder",
            metric="test_accuracy",
            variant="n-grams of the beginning",
            than=frozen(EVERY),
            direction="above",
        ),
        Comparison(
            sentence="With 1,000 labels, training the last two layers further beats the frozen encoder",
            metric="test_accuracy",
            variant=LAST_LAYERS,
            than=frozen(COMPARED),
            direction="above",
            expected=UNLIKE,
        ),
        Comparison(
            sentence="With 1,000 labels, training all layers further beats training the last two",
            metric="test_accuracy",
            variant=ALL_LAYERS,
            than=LAST_LAYERS,
            direction="above",
        ),
        Comparison(
            sentence="With 1,000 labels, an encoder whose last two layers are trained beats n-grams",
            metric="test_accuracy",
            variant=LAST_LAYERS,
            than=ngrams(COMPARED),
            direction="above",
        ),
    ),
    first=(
        MetricOverview(
            title="What a label is worth",
            caption="Test accuracy against the number of labels, with its 95% interval over seeds. Each seed draws "
            "its own reviews, the same ones for all ways. The encoder reads the first 128 pieces of a review, n-grams "
            "are of the whole review.",
            metric="test_accuracy",
            lines={
                "frozen encoder": {frozen(count): count for count in (*FEW, EVERY)},
                "n-grams": {ngrams(count): count for count in (*FEW, EVERY)},
                "last two layers trained": {LAST_LAYERS: COMPARED},
                "all layers trained": {ALL_LAYERS: COMPARED},
            },
            x_label="labels (logarithmic)",
            x_axis="logarithmic",
        ),
    ),
    exhibits=(
        SearchOverview(
            title="Accuracy of the head against the learning rate",
            caption="Validation accuracy of each rate that was tried, with one standard deviation over tuning seeds "
            "to each side. A ring marks the rate that was chosen.",
            variants=tuple(map(frozen, (*FEW, EVERY))),
            x_label="learning rate (logarithmic)",
        ),
        confusion_matrix(variant=LAST_LAYERS),
    ),
)

"""Day 11. Deep architectures: what does depth gain, and what becomes of the gradient on its way down?"""

from collections.abc import Callable, Mapping

import keras
from keras import layers

from fortydays.lessons.day05_first_convolutions.study import JOURNAL, RECIPE, convolutions
from fortydays.lessons.day07_batch_normalization.study import BOTH
from fortydays.lessons.day07_batch_normalization.study import RECIPE as DAY_7
from fortydays.lessons.day11_deep_architectures.towers import DEPTHS, KINDS, name_of, sizes_of_gradients, tower
from fortydays.study.bench import Bench
from fortydays.study.claims import Comparison, InEverySeed, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.overviews import CurveOverview, MetricsOverview
from fortydays.train.recipe import Recipe

EPOCHS = 10
TOWER = Recipe(epochs=5, batch_size=128, optimizer="adam", learning_rate=0.001, schedule="cosine", warmup=0.1)
TRAINED = ("sigmoid", "relu glorot", "relu he", "normalized", "residual")
"""Kinds of towers that are trained, too."""

DEPTH = 20


def drill(kind: str) -> Callable[[Bench], Mapping[str, float]]:
    """The size of the gradient near the input of towers of one kind, for each depth."""

    def measured(bench: Bench) -> Mapping[str, float]:
        return sizes_of_gradients(kind, bench)

    return measured


def flat(kind: str) -> Callable[[], keras.Model]:
    """A tower of twenty layers that takes images."""

    def build() -> keras.Model:
        return tower(kind, DEPTH, keras.Input((32, 32, 3)), layers.Normalization())

    return build


study = Study(
    title="Deep architectures",
    dataset="cifar10",
    variants=(
        Variant(
            name="shallow",
            model=convolutions(normalized=True),
            recipe=RECIPE.replace(epochs=EPOCHS),
            group="on photographs",
            description="day 5's two convolutions",
        ),
        Variant(
            name="deep",
            model=BOTH,
            recipe=DAY_7.replace(epochs=EPOCHS, evaluate_every=None),
            group="on photographs",
            description="day 7's five convolutions, with normalization and dropout",
        ),
        Variant(
            name="journal shallow",
            model=convolutions(normalized=False),
            recipe=JOURNAL.replace(epochs=EPOCHS),
            group="on photographs",
            description="the journal's setting: two convolutions, a constant rate",
        ),
        *(
            Variant(
                name=f"{kind} {DEPTH}",
                model=flat(kind),
                recipe=TOWER,
                group="twenty dense layers",
                description=KINDS[kind],
                expected={"nothing learned": "its gradient vanishes before it reaches the first layers"}
                if kind == "sigmoid"
                else {},
            )
            for kind in TRAINED
        ),
    ),
    drills=tuple(
        Drill(
            name=kind,
            do=drill(kind),
            metrics=tuple(map(name_of, DEPTHS)),
            group="gradients",
            description=words,
        )
        for kind, words in KINDS.items()
    ),
    claims=(
        Threshold(
            sentence="The deep network reaches at least 80%",
            variant="deep",
            metric="test_accuracy",
            at_least=0.8,
            demonstration=True,
        ),
        Comparison(
            sentence="The deep network is more accurate than the shallow one",
            metric="test_accuracy",
            variant="deep",
            than="shallow",
            direction="above",
            expected={"unlike variants": "each has the recipe that suits it"},
        ),
        Threshold(
            sentence="The journal's shallow network reaches about 70% (at least 69.5%)",
            variant="journal shallow",
            metric="test_accuracy",
            about=0.7,
        ),
        InEverySeed(
            sentence="With 20 layers of sigmoids, the gradient at the second one is below a billionth",
            variant="sigmoid",
            metric=name_of(20),
            at_most=-9.0,
        ),
        Comparison(
            sentence="At 40 layers of ReLUs, He's initial weights keep a larger gradient than Glorot's",
            metric=name_of(40),
            variant="relu he",
            than="relu glorot",
            direction="above",
        ),
        Comparison(
            sentence="Twenty layers of ReLUs with Glorot's weights learn less of their training images than with He's",
            metric="train_accuracy",
            variant="relu glorot 20",
            than="relu he 20",
            direction="below",
        ),
        Comparison(
            sentence="Residual connections make twenty layers more accurate on test images than He's weights do",
            metric="test_accuracy",
            variant="residual 20",
            than="relu he 20",
            direction="above",
        ),
    ),
    first=(
        MetricsOverview(
            title="How much of the gradient arrives at the second layer, before any training",
            caption="The norm of the gradient at the second layer's weights, as a power of ten, in towers of dense "
            "layers of 100 units; with its 95% interval over seeds. What float32 rounds to zero is at -40.",
            variants=tuple(KINDS),
            metrics={name_of(depth): depth for depth in DEPTHS},
            x_label="layers (logarithmic)",
            y_label="gradient, power of ten",
            x_axis="logarithmic",
        ),
    ),
    exhibits=(
        CurveOverview(
            title="Do twenty layers learn?",
            caption="Training accuracy after each epoch, in a band from the lowest to the highest seed.",
            variants=tuple(f"{kind} {DEPTH}" for kind in TRAINED),
            fields=("train_accuracy",),
            y_label="training accuracy",
            y_from=0,
        ),
        confusion_matrix(variant="deep"),
    ),
)

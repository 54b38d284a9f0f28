"""Day 4. Overfitting and regularization: which habits keep a network from learning its examples by heart?"""

from collections.abc import Callable

import keras
from keras import layers, regularizers

from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confident_mistakes
from fortydays.study.overviews import CurveOverview
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=40, batch_size=128, optimizer="adam", learning_rate=0.001)
FEW = RECIPE.replace(batch_size=32)  # of 1,000 images, batches of 128 would be 7 steps an epoch
JOURNAL = Recipe(epochs=30, batch_size=64, optimizer="adam", learning_rate=0.001, patience=3)


def network(
    *, units: tuple[int, int] = (512, 256), l2: float = 0.0, input_dropout: float = 0.0, dropout: float = 0.0
) -> Callable[[], keras.Model]:
    """Two hidden layers, wide enough to learn the training images by heart, with what may keep them from it."""

    def build() -> keras.Model:
        model = keras.Sequential([keras.Input((28, 28)), layers.Flatten()])
        if input_dropout:
            model.add(layers.Dropout(input_dropout))
        for width in units:
            penalty = regularizers.L2(l2) if l2 else None
            model.add(layers.Dense(width, activation="relu", kernel_regularizer=penalty))
            if dropout:
                model.add(layers.Dropout(dropout))
        model.add(layers.Dense(10, activation="softmax"))
        return model

    return build


study = Study(
    title="Overfitting and regularization",
    dataset="mnist",
    variants=(
        Variant(name="plain", model=network(), recipe=RECIPE, description="nothing"),
        Variant(
            name="l2", model=network(l2=1e-5), recipe=RECIPE, description="weights cost 0.00001 times their square"
        ),
        Variant(
            name="dropout",
            model=network(input_dropout=0.4, dropout=0.5),
            recipe=RECIPE,
            description="two fifths of the pixels, half of the units",
        ),
        Variant(
            name="early stopping",
            model=network(),
            recipe=RECIPE.replace(patience=3),
            description="patience of 3 epochs",
        ),
        Variant(
            name="all three",
            model=network(l2=1e-5, input_dropout=0.4, dropout=0.5),
            recipe=RECIPE.replace(patience=3),
            description="l2, dropout and early stopping",
        ),
        Variant(
            name="journal",
            model=network(units=(256, 128), l2=0.001, dropout=0.5),
            recipe=JOURNAL,
            description="l2 a hundred times as strong, half of the units of a smaller network",
        ),
        Variant(
            name="plain few", model=network(), recipe=FEW, group="1,000 images", examples=100, description="nothing"
        ),
        Variant(
            name="l2 few", model=network(l2=1e-5), recipe=FEW, group="1,000 images", examples=100, description="as l2"
        ),
        Variant(
            name="dropout few",
            model=network(input_dropout=0.4, dropout=0.5),
            recipe=FEW,
            group="1,000 images",
            examples=100,
            description="as dropout",
        ),
    ),
    claims=(
        Threshold(
            sentence="All three together reach 98.0%",
            variant="all three",
            metric="test_accuracy",
            at_least=0.98,
            demonstration=True,
        ),
        Comparison(
            sentence="All three together at least halve the gap between training and test",
            metric="accuracy_gap",
            variant="all three",
            than="plain",
            direction="below",
            scale=0.5,
        ),
        Threshold(
            sentence="The journal's own setting reaches about 98% (at least 97.5%)",
            variant="journal",
            metric="test_accuracy",
            about=0.98,
        ),
        Comparison(
            sentence="The journal's own setting has a smaller gap than the plain network",
            metric="accuracy_gap",
            variant="journal",
            than="plain",
            direction="below",
        ),
        Comparison(
            sentence="All three together have a lower loss on test images than the plain network",
            metric="test_loss",
            variant="all three",
            than="plain",
            direction="below",
        ),
        Comparison(
            sentence="With 1,000 training images, dropout makes the network more accurate",
            metric="test_accuracy",
            variant="dropout few",
            than="plain few",
            direction="above",
        ),
        Comparison(
            sentence="With 1,000 training images, dropout lowers the loss on test images",
            metric="test_loss",
            variant="dropout few",
            than="plain few",
            direction="below",
        ),
    ),
    first=(
        CurveOverview(
            title="Where the two losses part",
            caption="Mean loss over seeds after each epoch, in a band from the lowest to the highest seed. Dashed: on "
            "training images, as it is during training, so with dropout where there is dropout. Solid: on validation "
            "images, without dropout.",
            variants=("plain", "all three"),
            fields=("train_loss", "validation_loss"),
            y_label="loss",
            y_from=0,
        ),
    ),
    exhibits=(confident_mistakes(variant="all three", count=25),),
)

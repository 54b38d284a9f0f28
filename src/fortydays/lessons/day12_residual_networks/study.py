"""Day 12. Residual networks: why do deeper networks become worse, and what does it help to add a block's input?"""

from collections.abc import Callable

import keras
from keras import layers

from fortydays.models.historical import resnet
from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.gradients import gradient_measures
from fortydays.study.overviews import CostOverview, CurveOverview, MetricOverview
from fortydays.train.recipe import Recipe

RECIPE = Recipe(
    epochs=8, batch_size=128, optimizer="adam", learning_rate=0.002, schedule="cosine", warmup=0.1, flip="alternating"
)
JOURNAL = Recipe(epochs=20, batch_size=64, optimizer="adam", learning_rate=0.001)
FEW_STEPS = {"not converged": "it has less than a twentieth of the paper's steps, and all four have as many"}


def network(*, blocks: int, shortcuts: bool) -> Callable[[], keras.Model]:
    """Three stages of so many blocks of two convolutions: 6 blocks + 2 layers."""

    def build() -> keras.Model:
        return resnet(blocks=blocks, pooled=True, shortcuts=shortcuts)

    return build


def wide() -> keras.Model:
    """One block in each stage, and four times as many filters."""
    return resnet(blocks=1, filters=64, pooled=True)


def journal() -> keras.Model:
    """A residual network as one writes it from the journal's description."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D(2)(x)
    for filters in (32, 64, 128):
        shortcut = layers.Conv2D(filters, 1)(x)
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(layers.add([shortcut, x]))
        x = layers.MaxPooling2D(2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


PLAIN, RESIDUAL, DEPTHS = ("plain 20", "plain 44"), ("residual 20", "residual 44"), (20, 44)

study = Study(
    title="Residual networks",
    dataset="cifar10",
    variants=(
        *(
            Variant(
                name=f"{kind} {6 * blocks + 2}",
                model=network(blocks=blocks, shortcuts=kind == "residual"),
                recipe=RECIPE,
                group="depth",
                description=f"{blocks} blocks in each stage, {words}",
                expected=FEW_STEPS,
            )
            for kind, words in (("plain", "no shortcuts"), ("residual", "each adds its input"))
            for blocks in (3, 7)
        ),
        Variant(
            name="wide",
            model=wide,
            recipe=RECIPE.replace(epochs=15, shift=2),
            description="8 layers, four times as many filters, 15 epochs",
        ),
        Variant(name="journal", model=journal, recipe=JOURNAL, description="three blocks, a constant rate"),
    ),
    measures=gradient_measures(2, variants=(*PLAIN, *RESIDUAL)),
    claims=(
        Comparison(
            sentence="Without shortcuts, 44 layers fit their training images worse than 20 layers do",
            metric="train_accuracy",
            variant="plain 44",
            than="plain 20",
            direction="below",
        ),
        Comparison(
            sentence="Before training, the gradient near the input is larger in 44 plain layers than in 20",
            metric="gradient_2",
            variant="plain 44",
            than="plain 20",
            direction="above",
        ),
        Comparison(
            sentence="With shortcuts, 44 layers are more accurate on test images than without",
            metric="test_accuracy",
            variant="residual 44",
            than="plain 44",
            direction="above",
        ),
        Comparison(
            sentence="With shortcuts, 44 layers are more accurate on test images than 20 layers",
            metric="test_accuracy",
            variant="residual 44",
            than="residual 20",
            direction="above",
        ),
        Threshold(
            sentence="A wide residual network of 8 layers reaches 86% after 15 epochs",
            variant="wide",
            metric="test_accuracy",
            at_least=0.86,
            demonstration=True,
        ),
        Threshold(
            sentence="A network as the journal describes it reaches about 86% after 20 epochs (at least 85.5%)",
            variant="journal",
            metric="test_accuracy",
            about=0.86,
        ),
    ),
    first=(
        MetricOverview(
            title="What becomes of training images when a network gets deeper",
            caption="Training accuracy after 8 epochs with 20 and with 44 layers, with its 95% interval over seeds.",
            metric="train_accuracy",
            lines={
                "plain": dict(zip(PLAIN, DEPTHS, strict=True)),
                "residual": dict(zip(RESIDUAL, DEPTHS, strict=True)),
            },
            x_label="layers",
        ),
    ),
    exhibits=(
        CostOverview(
            title="Accuracy and what it costs",
            caption="Test accuracy over the multiply-adds for one image. The two lines have 8 epochs, wide has 15 and "
            "journal 20.",
            metric="test_accuracy",
            lines={"plain": PLAIN, "residual": RESIDUAL, "wide": ("wide",), "journal": ("journal",)},
        ),
        CurveOverview(
            title="Do deeper networks learn more slowly?",
            caption="Training accuracy after each epoch, in a band from the lowest to the highest seed.",
            variants=(*PLAIN, *RESIDUAL),
            fields=("train_accuracy",),
            y_label="training accuracy",
        ),
        confusion_matrix(variant="wide"),
    ),
)

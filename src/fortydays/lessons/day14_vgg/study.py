"""Day 14. VGG: is a stack of small windows better than a large one, and how many of them are useful?"""

from collections.abc import Callable

import keras
from keras import layers

from fortydays.models.speed import speed_network
from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.overviews import CostOverview, CurveOverview
from fortydays.study.speedrun import PRESETS
from fortydays.train.recipe import Recipe

RECIPE = Recipe(
    epochs=10, batch_size=128, optimizer="adam", learning_rate=0.002, schedule="cosine", warmup=0.1, flip="alternating"
)
FAST = PRESETS[0.9]


def stacks(*, convolutions: int, window: int, active: bool = True) -> Callable[[], keras.Model]:
    """Three blocks of convolutions and pooling. In each, the last convolution has all filters, the others half.

    Without ``active``, nothing stands between the convolutions of a block.
    """

    def build() -> keras.Model:
        model = keras.Sequential([keras.Input((32, 32, 3)), layers.Normalization()])
        for filters in (32, 64, 128):
            for place in range(1, convolutions + 1):
                last = place == convolutions
                count = filters if last else filters // 2
                model.add(layers.Conv2D(count, window, padding="same", use_bias=False))
                if active or last:
                    model.add(layers.BatchNormalization(momentum=0.9))
                    model.add(layers.Activation("relu"))
            model.add(layers.MaxPooling2D(2))
        model.add(layers.GlobalAveragePooling2D())
        model.add(layers.Dense(10, activation="softmax"))
        return model

    return build


study = Study(
    title="VGG",
    dataset="cifar10",
    variants=(
        *(
            Variant(name=name, model=model, recipe=RECIPE, group="windows", description=words)
            for name, model, words in (
                ("one 5x5", stacks(convolutions=1, window=5), "a window of 5 x 5 in each block"),
                ("two 3x3", stacks(convolutions=2, window=3), "two of 3 x 3, which see as much"),
                ("two in line", stacks(convolutions=2, window=3, active=False), "the same two, nothing between them"),
                ("three 3x3", stacks(convolutions=3, window=3), "three of 3 x 3, which see 7 x 7"),
            )
        ),
        Variant(
            name="fast",
            model=speed_network(widths=FAST.network["widths"]),
            recipe=FAST.recipe,
            description="VGG's blocks with all that makes them learn fast, 5 epochs",
        ),
    ),
    claims=(
        Comparison(
            sentence="Two windows of 3 x 3 are more accurate than one of 5 x 5, which sees as much",
            metric="test_accuracy",
            variant="two 3x3",
            than="one 5x5",
            direction="above",
        ),
        Comparison(
            sentence="Two windows of 3 x 3 need less than three quarters of the multiply-adds of one of 5 x 5",
            metric="multiply_adds",
            variant="two 3x3",
            than="one 5x5",
            direction="below",
            scale=0.75,
        ),
        Comparison(
            sentence="Training with two windows of 3 x 3 takes less time than with one of 5 x 5",
            metric="train_seconds",
            variant="two 3x3",
            than="one 5x5",
            direction="below",
        ),
        Comparison(
            sentence="With normalization and ReLU between them, two windows are more accurate than without",
            metric="test_accuracy",
            variant="two 3x3",
            than="two in line",
            direction="above",
        ),
        Comparison(
            sentence="Three windows of 3 x 3 are more accurate than two",
            metric="test_accuracy",
            variant="three 3x3",
            than="two 3x3",
            direction="above",
        ),
        Threshold(
            sentence="With the fast recipe, blocks of two windows of 3 x 3 reach 89% in 5 epochs",
            variant="fast",
            metric="test_accuracy",
            at_least=0.89,
            demonstration=True,
        ),
    ),
    first=(
        CostOverview(
            title="What windows of 3 x 3 and of 5 x 5 cost, and what they are worth",
            caption="Test accuracy over the multiply-adds for one image, with its 95% interval over seeds. The line "
            "joins two and three windows in each block.",
            metric="test_accuracy",
            lines={
                "3x3": ("two 3x3", "three 3x3"),
                "one 5x5": ("one 5x5",),
                "two in line": ("two in line",),
                "fast": ("fast",),
            },
        ),
    ),
    exhibits=(
        CurveOverview(
            title="How fast they learn",
            caption="Validation accuracy after each epoch, in a band from the lowest to the highest seed.",
            variants=("one 5x5", "two 3x3", "two in line", "three 3x3", "fast"),
            fields=("validation_accuracy",),
            y_label="validation accuracy",
        ),
        confusion_matrix(variant="fast"),
    ),
)

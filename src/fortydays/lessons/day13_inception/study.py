"""Day 13. Inception: what do windows of several sizes gain, and what do the 1 x 1 convolutions save?"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from fortydays.models.historical import convolution, googlenet, inception
from fortydays.study.claims import Comparison, NotWorse, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confusion_matrix
from fortydays.study.overviews import CostOverview, CurveOverview
from fortydays.train.recipe import Recipe

RECIPE = Recipe(
    epochs=12, batch_size=128, optimizer="adam", learning_rate=0.002, schedule="cosine", warmup=0.1, flip="alternating"
)


def one_path(x: Any, *, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> Any:
    """A single 3 x 3 convolution that gives as many maps as an inception module."""
    return convolution(x, one + three[1] + five[1] + pooled, 3)


def unreduced(x: Any, *, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> Any:
    """An inception module without the 1 x 1 convolutions before the larger windows."""
    around = layers.MaxPooling2D(3, strides=1, padding="same")(x)
    return layers.Concatenate()(
        [
            convolution(x, one, 1),
            convolution(x, three[1], 3),
            convolution(x, five[1], 5),
            convolution(around, pooled, 1),
        ]
    )


def network(module: Callable[..., Any]) -> Callable[[], keras.Model]:
    """Day 6's GoogLeNet with three modules of a kind."""

    def build() -> keras.Model:
        return googlenet(module=module)

    return build


study = Study(
    title="Inception",
    dataset="cifar10",
    variants=(
        Variant(
            name="inception",
            model=network(inception),
            recipe=RECIPE,
            description="four paths, 1 x 1 before the larger windows",
        ),
        Variant(
            name="without 1x1",
            model=network(unreduced),
            recipe=RECIPE,
            description="four paths, the larger windows see all maps",
        ),
        Variant(
            name="one path",
            model=network(one_path),
            recipe=RECIPE,
            description="a single 3 x 3 convolution with as many maps",
        ),
    ),
    claims=(
        Threshold(
            sentence="Inception reaches about 77% after 12 epochs (at least 76.5%)",
            variant="inception",
            metric="test_accuracy",
            about=0.77,
            demonstration=True,
        ),
        Comparison(
            sentence="Inception is more accurate than one path with as many maps",
            metric="test_accuracy",
            variant="inception",
            than="one path",
            direction="above",
        ),
        NotWorse(
            sentence="With 1 x 1 convolutions, the accuracy is at most a point lower than without",
            metric="test_accuracy",
            variant="inception",
            than="without 1x1",
            within=0.01,
        ),
        Comparison(
            sentence="With 1 x 1 convolutions, an image needs less than half of the multiply-adds",
            metric="multiply_adds",
            variant="inception",
            than="without 1x1",
            direction="below",
            scale=0.5,
        ),
        Comparison(
            sentence="With 1 x 1 convolutions, training takes less time",
            metric="train_seconds",
            variant="inception",
            than="without 1x1",
            direction="below",
        ),
    ),
    first=(
        CostOverview(
            title="What a module costs, and what it is worth",
            caption="Test accuracy over the multiply-adds for one image, with its 95% interval over seeds. The three "
            "networks have as many maps behind each module.",
            metric="test_accuracy",
            lines={name: (name,) for name in ("inception", "without 1x1", "one path")},
        ),
    ),
    exhibits=(
        CurveOverview(
            title="How fast the three learn",
            caption="Validation accuracy after each epoch, in a band from the lowest to the highest seed.",
            variants=("inception", "without 1x1", "one path"),
            fields=("validation_accuracy",),
            y_label="validation accuracy",
        ),
        confusion_matrix(variant="inception"),
    ),
)

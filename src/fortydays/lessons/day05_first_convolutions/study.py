"""Day 5. First convolutional network: what does looking at neighbourhoods gain, at the same number of parameters?"""

from collections.abc import Callable

import keras
from keras import layers

from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confident_mistakes, confusion_matrix, feature_maps, first_filters
from fortydays.train.recipe import Recipe

JOURNAL = Recipe(epochs=5, batch_size=64, optimizer="adam", learning_rate=0.001)
RECIPE = JOURNAL.replace(learning_rate=0.004, schedule="cosine", warmup=0.1, flip="alternating")


def convolutions(*, normalized: bool) -> Callable[[], keras.Model]:
    """The journal's network: two convolutions, each with its pooling, and two dense layers."""

    def build() -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                *([layers.Normalization()] if normalized else []),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(64, activation="relu"),
                layers.Dense(10, activation="softmax"),
            ]
        )

    return build


def dense() -> keras.Model:
    """As many parameters, to within one in a hundred, and no idea that pixels have neighbours."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Normalization(),
            layers.Flatten(),
            layers.Dense(54, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


study = Study(
    title="First convolutional network",
    dataset="cifar10",
    variants=(
        Variant(
            name="convolution",
            model=convolutions(normalized=True),
            recipe=RECIPE,
            description="normalized input, mirrored images, a rate that rises and falls",
        ),
        Variant(
            name="dense", model=dense, recipe=RECIPE, description="the same recipe and size, without convolutions"
        ),
        Variant(
            name="journal",
            model=convolutions(normalized=False),
            recipe=JOURNAL,
            description="the journal's setting: the same convolutions, a constant rate",
        ),
    ),
    claims=(
        Threshold(
            sentence="A convolutional network reaches 73.5% after 5 epochs",
            variant="convolution",
            metric="test_accuracy",
            at_least=0.735,
            demonstration=True,
        ),
        Comparison(
            sentence="At equal size, convolutions are more accurate than dense layers",
            metric="test_accuracy",
            variant="convolution",
            than="dense",
            direction="above",
        ),
        Threshold(
            sentence="The journal's setting reaches about 70% (at least 69.5%)",
            variant="journal",
            metric="test_accuracy",
            about=0.7,
        ),
        Comparison(
            sentence="The recipe, not the network, makes the difference: ours is more accurate than the journal's",
            metric="test_accuracy",
            variant="convolution",
            than="journal",
            direction="above",
        ),
    ),
    exhibits=(
        first_filters(variant="convolution"),
        feature_maps(variant="convolution"),
        confusion_matrix(variant="convolution"),
        confident_mistakes(variant="convolution"),
    ),
)

"""Day 7. Batch normalization and dropout: what does each of them do for a convolutional network, and both together?"""

from collections.abc import Callable

import keras
from keras import layers

from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confident_mistakes, confusion_matrix
from fortydays.train.recipe import Recipe

RECIPE = Recipe(
    epochs=10,
    batch_size=128,
    optimizer="adam",
    learning_rate=0.003,
    schedule="cosine",
    warmup=0.1,
    flip="alternating",
    evaluate_every=176,  # two checks in an epoch: a target reached is seen within half of one
)
TENFOLD = RECIPE.replace(learning_rate=10 * RECIPE.learning_rate)
JOURNAL = Recipe(epochs=10, batch_size=64, optimizer="adam", learning_rate=0.001)


def network(*, normalized: bool, dropout: float) -> Callable[[], keras.Model]:
    """Five convolutions in four blocks, each convolution with or without normalization, and a dense head."""

    def build() -> keras.Model:
        model = keras.Sequential([keras.Input((32, 32, 3)), layers.Normalization()])
        for filters in ((32,), (64,), (128,), (128, 128)):
            for count in filters:
                model.add(layers.Conv2D(count, 3, padding="same"))
                if normalized:
                    # The averages used after training follow the last tens of steps; with Keras's 0.99, hundreds.
                    model.add(layers.BatchNormalization(momentum=0.9))
                model.add(layers.Activation("relu"))
            model.add(layers.MaxPooling2D(2))
        model.add(layers.Flatten())
        model.add(layers.Dense(256, activation="relu"))
        if dropout:
            model.add(layers.Dropout(dropout))
        model.add(layers.Dense(10, activation="softmax"))
        return model

    return build


def journal() -> keras.Model:
    """The journal's network, to the letter."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


NEITHER = network(normalized=False, dropout=0.0)
NORMALIZATION = network(normalized=True, dropout=0.0)
DROPOUT = network(normalized=False, dropout=0.5)
BOTH = network(normalized=True, dropout=0.5)

study = Study(
    title="Batch normalization and dropout",
    dataset="cifar10",
    targets=(0.7,),
    variants=(
        Variant(name="both", model=BOTH, recipe=RECIPE, group="two by two", description="normalization and dropout"),
        Variant(
            name="normalization", model=NORMALIZATION, recipe=RECIPE, group="two by two", description="no dropout"
        ),
        Variant(name="dropout", model=DROPOUT, recipe=RECIPE, group="two by two", description="no normalization"),
        Variant(name="neither", model=NEITHER, recipe=RECIPE, group="two by two", description="convolutions alone"),
        Variant(
            name="normalization x10",
            model=NORMALIZATION,
            recipe=TENFOLD,
            group="tenfold rate",
            description="ten times the learning rate",
        ),
        Variant(
            name="neither x10",
            model=NEITHER,
            recipe=TENFOLD,
            group="tenfold rate",
            description="ten times the learning rate",
        ),
        Variant(name="journal", model=journal, recipe=JOURNAL, description="the journal's network and recipe"),
    ),
    claims=(
        Threshold(
            sentence="Convolutions with batch normalization and dropout reach 82% in 10 epochs",
            variant="both",
            metric="test_accuracy",
            at_least=0.82,
            demonstration=True,
        ),
        Comparison(
            sentence="Batch normalization reaches 70% validation accuracy in fewer steps",
            metric="steps_to_0.7",
            variant="normalization",
            than="neither",
            direction="below",
        ),
        Comparison(
            sentence="At ten times the learning rate, the network with batch normalization is the more accurate",
            metric="test_accuracy",
            variant="normalization x10",
            than="neither x10",
            direction="above",
        ),
        Comparison(
            sentence="Dropout makes the gap between training and test smaller",
            metric="accuracy_gap",
            variant="both",
            than="normalization",
            direction="below",
        ),
        Comparison(
            sentence="With normalization already there, dropout makes the network more accurate",
            metric="test_accuracy",
            variant="both",
            than="normalization",
            direction="above",
        ),
        Threshold(
            sentence="The journal's setting reaches about 82% (at least 81.5%)",
            variant="journal",
            metric="test_accuracy",
            about=0.82,
        ),
    ),
    exhibits=(
        confusion_matrix(variant="both"),
        confident_mistakes(variant="both"),
    ),
)

"""Day 6. Deeper convolutional networks: what does depth buy, and what did four famous networks pay for it?"""

from collections.abc import Callable

import keras
from keras import layers

from fortydays.models.historical import alexnet, googlenet, lenet, resnet
from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confident_mistakes, confusion_matrix, first_filters
from fortydays.study.overviews import CostOverview, MetricOverview
from fortydays.train.recipe import Recipe

JOURNAL = Recipe(epochs=15, batch_size=64, optimizer="adam", learning_rate=0.001)
RECIPE = JOURNAL.replace(batch_size=128, learning_rate=0.002, schedule="cosine", warmup=0.1, flip="alternating")
SHORT = RECIPE.replace(epochs=10)


def blocks(*, normalized: bool = True, convolutions: int = 2, window: int = 3) -> Callable[[], keras.Model]:
    """The journal's network: two blocks of convolutions, pooling, dropout, and a dense head.

    Args:
        normalized: whether the first layer gives inputs a mean of 0 and a deviation of 1.
        convolutions: in each block, one after the other; the journal has two.
        window: pixels that each convolution sees in a row; the journal has three.
    """

    def build() -> keras.Model:
        model = keras.Sequential([keras.Input((32, 32, 3))])
        if normalized:
            model.add(layers.Normalization())
        for filters in (32, 64):
            for _ in range(convolutions):
                model.add(layers.Conv2D(filters, window, padding="same", activation="relu"))
            model.add(layers.MaxPooling2D(2))
            model.add(layers.Dropout(0.25))
        model.add(layers.Flatten())
        model.add(layers.Dense(512, activation="relu"))
        model.add(layers.Dropout(0.5))
        model.add(layers.Dense(10, activation="softmax"))
        return model

    return build


def added() -> keras.Model:
    """Blocks of three convolutions, of which the last two only learn what to add to what the first one gives."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Normalization()(inputs)
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        y = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        y = layers.Conv2D(filters, 3, padding="same")(y)
        x = layers.Activation("relu")(layers.Add()([x, y]))
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def plain() -> keras.Model:
    """The small ResNet without its shortcuts: as many layers, as many parameters."""
    return resnet(shortcuts=False)


study = Study(
    title="Deeper convolutional networks",
    dataset="cifar10",
    variants=(
        Variant(
            name="one",
            model=blocks(convolutions=1),
            recipe=RECIPE,
            group="depth",
            description="conv-pool-dropout twice",
        ),
        Variant(
            name="blocks",
            model=blocks(),
            recipe=RECIPE,
            group="depth",
            description="conv-conv-pool-dropout twice, with a recipe for 15 epochs",
        ),
        Variant(
            name="three",
            model=blocks(convolutions=3),
            recipe=RECIPE,
            group="depth",
            description="conv-conv-conv-pool-dropout twice",
        ),
        Variant(
            name="three added",
            model=added,
            recipe=RECIPE,
            group="depth",
            description="the same, with a shortcut around the last two",
        ),
        Variant(
            name="one 5x5",
            model=blocks(convolutions=1, window=5),
            recipe=RECIPE,
            group="depth",
            description="conv-pool-dropout twice, with windows of 5 x 5",
        ),
        Variant(
            name="journal",
            model=blocks(normalized=False),
            recipe=JOURNAL,
            description="the journal's setting: the same blocks, a constant rate",
        ),
        Variant(name="lenet", model=lenet, recipe=SHORT, group="history", description="1998: pooled maps"),
        Variant(name="alexnet", model=alexnet, recipe=SHORT, group="history", description="2012: ReLU and dropout"),
        Variant(name="googlenet", model=googlenet, recipe=SHORT, group="history", description="2014: parallel paths"),
        Variant(name="resnet", model=resnet, recipe=SHORT, group="history", description="2015: residual blocks"),
        Variant(name="plain", model=plain, recipe=SHORT, group="history", description="resnet without shortcuts"),
    ),
    claims=(
        Comparison(
            sentence="Two convolutions in a block are more accurate than one",
            metric="test_accuracy",
            variant="blocks",
            than="one",
            direction="above",
        ),
        Comparison(
            sentence="Three convolutions in a block are more accurate than two",
            metric="test_accuracy",
            variant="three",
            than="blocks",
            direction="above",
        ),
        Comparison(
            sentence="With a shortcut around the last two, blocks of three convolutions are more accurate",
            metric="test_accuracy",
            variant="three added",
            than="three",
            direction="above",
        ),
        Comparison(
            sentence="Two windows of 3 x 3 are more accurate than one of 5 x 5, which sees as much",
            metric="test_accuracy",
            variant="blocks",
            than="one 5x5",
            direction="above",
        ),
        Threshold(
            sentence="Blocks of two convolutions reach 80.0% after 15 epochs",
            variant="blocks",
            metric="test_accuracy",
            at_least=0.8,
            demonstration=True,
        ),
        Threshold(
            sentence="The journal's setting reaches about 80% (at least 79.5%)",
            variant="journal",
            metric="test_accuracy",
            about=0.8,
        ),
        Comparison(
            sentence="The small AlexNet is more accurate than LeNet-5, fourteen years older",
            metric="test_accuracy",
            variant="alexnet",
            than="lenet",
            direction="above",
        ),
        Comparison(
            sentence="The small ResNet is more accurate than the small AlexNet",
            metric="test_accuracy",
            variant="resnet",
            than="alexnet",
            direction="above",
        ),
        Comparison(
            sentence="The small ResNet is more accurate than without its shortcuts",
            metric="test_accuracy",
            variant="resnet",
            than="plain",
            direction="above",
        ),
    ),
    first=(
        MetricOverview(
            title="Depth by itself, with and without shortcuts",
            caption="Test accuracy over the convolutions in each of the two blocks, with its 95% interval over seeds. "
            "All else is equal.",
            metric="test_accuracy",
            lines={
                "of 3 x 3": {"one": 1, "blocks": 2, "three": 3},
                "3 x 3, with a shortcut": {"three added": 3},
                "one of 5 x 5": {"one 5x5": 1},
            },
            x_label="convolutions in each block",
        ),
        CostOverview(
            title="What depth is worth, and what it costs",
            caption="Test accuracy over the multiply-adds for one image, with its 95% interval over seeds. The blocks "
            "have 15 epochs and the others 10, so compare within these two groups.",
            metric="test_accuracy",
            lines={
                "one, two, three 3 x 3": ("one", "blocks", "three"),
                "one 5 x 5": ("one 5x5",),
                **{name: (name,) for name in ("lenet", "alexnet", "googlenet", "resnet", "plain")},
            },
        ),
    ),
    exhibits=(
        first_filters(variant="blocks"),
        confusion_matrix(variant="blocks"),
        confident_mistakes(variant="blocks"),
    ),
)

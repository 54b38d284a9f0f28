"""Day 15. Vision transformers: what is attention between patches worth, and how many images does it need?"""

from collections.abc import Callable

import keras
from keras import layers

from fortydays.models.positions import learned_positions
from fortydays.study.claims import Best, Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import attention_maps, position_similarity
from fortydays.study.overviews import CurveOverview, MetricOverview
from fortydays.train.recipe import Recipe

PATCH, SIDE = 4, 8
WIDTH, HEADS = 48, 3

RECIPE = Recipe(
    epochs=10,
    batch_size=128,
    optimizer="adamw",
    learning_rate=0.002,
    schedule="cosine",
    warmup=0.1,
    weight_decay=0.05,
    decayed="kernels",
    clip_norm=1.0,
    flip="alternating",
    shift=2,
)

SHARES = {"third": (1500, 3), "ninth": (500, 9)}
"""Training images of each class, of 4,500, and how many times as many epochs: all take the same number of steps."""

AS_MANY_STEPS = {"unlike variants": "fewer images are shown more often, so that all take the same number of steps"}
LONGER = {"unlike variants": "the claim gives the transformer three times as many epochs"}


def patches(images: "keras.KerasTensor") -> "keras.KerasTensor":
    """Each patch of 4 x 4 pixels as 48 numbers, all by the same weights: no patch sees another one."""
    return layers.Conv2D(WIDTH, PATCH, strides=PATCH)(images)


def stem(images: "keras.KerasTensor") -> "keras.KerasTensor":
    """As many places and numbers, by convolutions that overlap: a place sees 9 x 9 pixels."""
    x = images
    for filters, step in ((16, 1), (16, 2), (WIDTH, 2)):
        x = layers.Conv2D(filters, 3, strides=step, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.Activation("relu")(x)
    return layers.Conv2D(WIDTH, 1)(x)


def block(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """One block of a transformer: places look at each other, then each one computes alone. Both add to x."""
    normalized = layers.LayerNormalization()(x)
    attention = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
    x = layers.add([x, attention(normalized, normalized)])
    hidden = layers.Dense(2 * WIDTH)(layers.LayerNormalization()(x))
    hidden = layers.Activation("gelu")(hidden)
    return layers.add([x, layers.Dense(WIDTH)(hidden)])


def transformer(
    first: Callable[["keras.KerasTensor"], "keras.KerasTensor"], *, blocks: int
) -> Callable[[], keras.Model]:
    """A vision transformer: the 8 x 8 places of an image go through some blocks; their mean gives the answer."""

    def build() -> keras.Model:
        images = keras.Input((32, 32, 3))
        rows = layers.Reshape((SIDE * SIDE, WIDTH))(first(layers.Normalization()(images)))
        x = learned_positions(name="positions")(rows)
        for _ in range(blocks):
            x = block(x)
        x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
        return keras.Model(images, layers.Dense(10, activation="softmax")(x))

    return build


def narrow() -> keras.Model:
    """Day 7's network with normalization and dropout, narrower: it costs no more than the transformers."""
    model = keras.Sequential([keras.Input((32, 32, 3)), layers.Normalization()])
    for counts in ((16,), (32,), (64,), (80, 80)):
        for filters in counts:
            model.add(layers.Conv2D(filters, 3, padding="same"))
            model.add(layers.BatchNormalization(momentum=0.9))
            model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(10, activation="softmax"))
    return model


PATCHES, STEM = transformer(patches, blocks=3), transformer(stem, blocks=2)

study = Study(
    title="Vision transformers",
    dataset="cifar10",
    variants=(
        Variant(
            name="patches",
            model=PATCHES,
            recipe=RECIPE,
            group="equal cost",
            description="patches of 4 x 4 pixels, three blocks",
        ),
        Variant(
            name="stem",
            model=STEM,
            recipe=RECIPE,
            group="equal cost",
            description="a stem of convolutions in the place of one block",
        ),
        Variant(
            name="convolutions",
            model=narrow,
            recipe=RECIPE,
            group="equal cost",
            description="the control: day 7's network, narrower",
        ),
        Variant(
            name="stem plain",
            model=STEM,
            recipe=RECIPE.replace(flip="none", shift=0),
            description="the same on images as they are",
        ),
        Variant(name="stem long", model=STEM, recipe=RECIPE.replace(epochs=30), description="30 epochs"),
        *(
            Variant(
                name=f"{name} {share}",
                model=model,
                recipe=RECIPE.replace(epochs=RECIPE.epochs * times),
                examples=examples,
                redrawn=True,
                group="fewer images",
                description=f"a {share} of the images, {times} times as many epochs",
            )
            for name, model in (("patches", PATCHES), ("convolutions", narrow))
            for share, (examples, times) in SHARES.items()
        ),
    ),
    claims=(
        Threshold(
            sentence="After 30 epochs, the small transformer with a stem reaches the journal's 85% (at least 84.5%)",
            variant="stem long",
            metric="test_accuracy",
            about=0.85,
        ),
        Comparison(
            sentence="A stem of convolutions in the place of one block makes the transformer more accurate",
            metric="test_accuracy",
            variant="stem",
            than="patches",
            direction="above",
        ),
        Best(
            sentence="At no more multiply-adds, convolutions alone are more accurate than both transformers",
            metric="test_accuracy",
            variant="convolutions",
            among=("patches", "stem"),
        ),
        Comparison(
            sentence="Convolutions alone are more accurate after 10 epochs than the transformer with a stem after 30",
            metric="test_accuracy",
            variant="convolutions",
            than="stem long",
            direction="above",
            expected=LONGER,
        ),
        Comparison(
            sentence="The transformer with a stem is more accurate with mirrored and shifted images than without",
            metric="test_accuracy",
            variant="stem",
            than="stem plain",
            direction="above",
        ),
        Comparison(
            sentence="Convolutions with a third of the images are more accurate than patches with all of them",
            metric="test_accuracy",
            variant="convolutions third",
            than="patches",
            direction="above",
            expected=AS_MANY_STEPS,
        ),
    ),
    first=(
        MetricOverview(
            title="What more images are worth",
            caption="Test accuracy over the number of training images, with its 95% interval over seeds. All take as "
            "many steps: fewer images are shown more often. Stem has the same cost, and all images.",
            metric="test_accuracy",
            lines={
                "convolutions": {"convolutions ninth": 5_000, "convolutions third": 15_000, "convolutions": 45_000},
                "patches": {"patches ninth": 5_000, "patches third": 15_000, "patches": 45_000},
                "stem": {"stem": 45_000},
            },
            x_label="training images",
            x_axis="logarithmic",
        ),
    ),
    exhibits=(
        attention_maps(variant="patches"),
        position_similarity(variant="patches"),
        CurveOverview(
            title="Who learns faster?",
            caption="Validation accuracy after each epoch, in a band from the lowest to the highest seed.",
            variants=("patches", "stem", "convolutions"),
            fields=("validation_accuracy",),
            y_label="validation accuracy",
        ),
    ),
)

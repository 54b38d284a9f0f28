"""Day 9. Transfer learning: what are the features of a network that has seen ImageNet worth on other images?"""

import keras
from keras import layers

from fortydays.lessons.day07_batch_normalization.study import NORMALIZATION
from fortydays.lessons.day07_batch_normalization.study import RECIPE as DAY_7
from fortydays.models.heads import fine_tuned_head, linear_head
from fortydays.models.standardization import standardization
from fortydays.study.claims import Best, Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confident_mistakes, confusion_matrix
from fortydays.study.features import Features
from fortydays.study.overviews import MetricOverview
from fortydays.train.recipe import Recipe

BACKBONE, SIDE, CLASSES = "mobilenetv2-1.0", 96, 10
FEATURES = Features(backbone=BACKBONE, side=SIDE)
RANDOM = Features(backbone=BACKBONE, side=SIDE, pretrained=False)
MAPS = Features(backbone=BACKBONE, side=SIDE, before_last_block=True)

HEAD = Recipe(epochs=10, batch_size=128, optimizer="adam", learning_rate=0.001, schedule="cosine", warmup=0.1)
FINE = HEAD.replace(epochs=1, batch_size=64, learning_rate=0.0005)
FROM_SCRATCH = DAY_7.replace(evaluate_every=None)

FEW = {10: (100, 20), 100: (80, 50), 1000: (40, 100)}
"""Training images of each class, and for how many epochs, in batches of how many, they are learned from."""

SCRATCH = (10, 100, 1000)
"""The numbers of training images of each class, drawn for each seed, that are also learned from without features."""

IT_IS_IMAGENET = "It is ImageNet that helps: features of random weights are worse"
TOO_SHORT = "From 100 images of each class, transfer learns more than a small network does from 1,000"
UNLIKE = {"unlike variants": "each trains as long, and computes as exactly, as suits it"}


def few(count: int, recipe: Recipe) -> Recipe:
    """The recipe for some images of each class: more epochs, smaller batches."""
    epochs, batch = FEW[count]
    return recipe.replace(epochs=epochs, batch_size=batch)


def random_convolutions() -> keras.Model:
    """A linear head on one layer of random filters, averaged over each quarter of the image: 1,280 numbers, too."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Normalization(),
            layers.Conv2D(
                320, 6, strides=2, activation="relu", kernel_initializer="he_normal", bias_initializer="random_normal",
                trainable=False,
            ),
            layers.AveragePooling2D(7),
            layers.Flatten(),
            standardization(),
            layers.Dense(CLASSES, activation="softmax", kernel_initializer="zeros"),
        ]
    )  # fmt: skip


study = Study(
    title="Transfer learning",
    dataset="cifar10",
    variants=(
        Variant(
            name="transfer",
            model=linear_head(FEATURES.shape, CLASSES),
            recipe=HEAD,
            features=FEATURES,
            group="transfer",
            description="a linear head on MobileNetV2's features",
        ),
        Variant(
            name="random features",
            model=linear_head(RANDOM.shape, CLASSES),
            recipe=HEAD,
            features=RANDOM,
            redrawn=True,
            group="controls",
            description="the same head; MobileNetV2 has seen nothing, and each seed has its own",
        ),
        Variant(
            name="raw pixels",
            model=linear_head((32, 32, 3), CLASSES),
            recipe=HEAD,
            group="controls",
            description="the same head on the pixels themselves",
        ),
        Variant(
            name="random convolutions",
            model=random_convolutions,
            recipe=HEAD.replace(precision="float32"),
            group="controls",
            description="the same head on one layer of random filters",
        ),
        Variant(
            name="fine-tuned",
            model=fine_tuned_head(BACKBONE, SIDE, MAPS.shape, CLASSES),
            recipe=FINE,
            features=MAPS,
            description="the last block trained further",
        ),
        *(
            Variant(
                name=f"transfer {count}",
                model=linear_head(FEATURES.shape, CLASSES),
                recipe=few(count, HEAD),
                features=FEATURES,
                examples=count,
                redrawn=True,
                group="transfer",
                description=f"{count:,} images of each class, drawn for each seed",
            )
            for count in FEW
        ),
        *(
            Variant(
                name=f"scratch {count}",
                model=NORMALIZATION,
                recipe=few(count, FROM_SCRATCH),
                examples=count,
                redrawn=True,
                group="from scratch",
                description=f"day 7's network, {count:,} images of each class, drawn for each seed",
            )
            for count in SCRATCH
        ),
        Variant(
            name="scratch 4500",
            model=NORMALIZATION,
            recipe=FROM_SCRATCH,
            group="from scratch",
            description="day 7's network, all 4,500 images of each class, with day 7's recipe",
        ),
    ),
    claims=(
        Threshold(
            sentence="A linear head on MobileNetV2's features reaches 85% in 10 epochs",
            variant="transfer",
            metric="test_accuracy",
            at_least=0.85,
        ),
        Comparison(
            sentence=IT_IS_IMAGENET,
            metric="test_accuracy",
            variant="transfer",
            than="random features",
            direction="above",
        ),
        Best(
            sentence="Features of ImageNet are better than random features, raw pixels and random convolutions",
            metric="test_accuracy",
            variant="transfer",
            among=("random features", "raw pixels", "random convolutions"),
        ),
        Comparison(
            sentence="Training the last block further makes it more accurate",
            metric="test_accuracy",
            variant="fine-tuned",
            than="transfer",
            direction="above",
            expected=UNLIKE,
        ),
        Comparison(
            sentence=TOO_SHORT, metric="test_accuracy", variant="transfer 100", than="scratch 1000", direction="above"
        ),
        Comparison(
            sentence="From 100 images of each class, transfer learns more than day 7's network does from 1,000",
            metric="test_accuracy",
            variant="transfer 100",
            than="scratch 1000",
            direction="above",
            expected=UNLIKE,
        ),
        Comparison(
            sentence="From 100 images of each class, transfer learns more than day 7's network does from all 4,500",
            metric="test_accuracy",
            variant="transfer 100",
            than="scratch 4500",
            direction="above",
            expected=UNLIKE,
        ),
    ),
    first=(
        MetricOverview(
            title="What an image is worth",
            caption="Test accuracy against the number of training images, with its 95% interval over seeds. Up to "
            "1,000 images of each class, each seed draws its own.",
            metric="test_accuracy",
            lines={
                "transfer": {**{f"transfer {count}": count for count in FEW}, "transfer": 4500},
                "from scratch": {f"scratch {count}": count for count in (*SCRATCH, 4500)},
            },
            x_label="training images of each class (logarithmic)",
            x_axis="logarithmic",
        ),
    ),
    exhibits=(confusion_matrix(variant="transfer"), confident_mistakes(variant="transfer")),
    withdrawn={
        IT_IS_IMAGENET: "The control could not learn. The network with random weights makes features so close to zero "
        "that the head could not bring them to a standard deviation of 1, so the head did not learn even its training "
        "images. The difference said nothing about ImageNet. The claim on the best of three controls takes its place.",
        TOO_SHORT: "The small network had 10 epochs where the others had 40 to 60. With 40 epochs of day 7's, "
        "the claim falls: see the claim that takes its place.",
    },
)

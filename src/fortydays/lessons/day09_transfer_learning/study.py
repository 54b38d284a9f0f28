"""Day 9. Transfer learning: what are the features of a network that has seen ImageNet worth on other images?"""

from fortydays.lessons.day05_first_convolutions.study import RECIPE as FROM_SCRATCH
from fortydays.lessons.day05_first_convolutions.study import convolutions
from fortydays.models.heads import fine_tuned_head, linear_head
from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confident_mistakes, confusion_matrix
from fortydays.study.features import Features
from fortydays.train.recipe import Recipe

BACKBONE, SIDE, CLASSES = "mobilenetv2-1.0", 96, 10
FEATURES = Features(backbone=BACKBONE, side=SIDE)
RANDOM = Features(backbone=BACKBONE, side=SIDE, pretrained=False)
MAPS = Features(backbone=BACKBONE, side=SIDE, before_last_block=True)

HEAD = Recipe(epochs=10, batch_size=128, optimizer="adam", learning_rate=0.001, schedule="cosine", warmup=0.1)
FINE = HEAD.replace(epochs=1, batch_size=64, learning_rate=0.0005)

FEW = {10: (60, 20), 100: (40, 50), 1000: (10, 100)}
"""Training images of each class, and for how many epochs, in batches of how many, they are learned from."""


def few(count: int, recipe: Recipe) -> Recipe:
    """The recipe for some images of each class: more epochs, smaller batches."""
    epochs, batch = FEW[count]
    return recipe.replace(epochs=epochs, batch_size=batch)


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
            description="the same head; MobileNetV2 has seen nothing",
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
                group="transfer",
                description=f"{count:,} images of each class",
            )
            for count in FEW
        ),
        *(
            Variant(
                name=f"scratch {count}",
                model=convolutions(normalized=True),
                recipe=few(count, FROM_SCRATCH),
                examples=count,
                group="from scratch",
                description=f"day 5's network, {count:,} images of each class",
            )
            for count in FEW
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
            sentence="It is ImageNet that helps: features of random weights are worse",
            metric="test_accuracy",
            variant="transfer",
            than="random features",
            direction="above",
        ),
        Comparison(
            sentence="Training the last block further makes it more accurate",
            metric="test_accuracy",
            variant="fine-tuned",
            than="transfer",
            direction="above",
        ),
        Comparison(
            sentence="From 100 images of each class, transfer learns more than a small network does from 1,000",
            metric="test_accuracy",
            variant="transfer 100",
            than="scratch 1000",
            direction="above",
        ),
    ),
    exhibits=(confusion_matrix(variant="transfer"), confident_mistakes(variant="transfer")),
    withdrawn={
        "It is ImageNet that helps: features of random weights are worse": "The control cannot learn. The network "
        "with random weights makes features so close to zero that the head cannot bring them to a standard deviation "
        "of 1, so the head does not learn even its training images. The difference says nothing about ImageNet."
    },
)

"""Day 8. Data augmentation: what does a network gain from images that were never taken, and how long must it train?"""

from fortydays.lessons.day05_first_convolutions.study import JOURNAL, convolutions
from fortydays.lessons.day07_batch_normalization.study import BOTH, RECIPE
from fortydays.study.claims import Best, Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import augmentation_sheet, confusion_matrix
from fortydays.study.overviews import CurveOverview

# A fifteenth of the training images: where images are few, made ones are missed most, and thirty epochs of ten
# variants with all of them would take far longer than a reader waits.
EXAMPLES = 300
NONE = RECIPE.replace(epochs=30, flip="none", evaluate_every=None)

KINDS = (
    ("flip", "alternating", "mirrored in every other epoch"),
    ("shift", 2, "moved by up to 2 pixels each way"),
    ("rotation", 10, "turned by up to 10 degrees"),
    ("zoom", 0.1, "enlarged or reduced by up to a tenth"),
    ("contrast", 0.2, "up to a fifth more or less contrast"),
    ("cutout", 8, "a square of 8 x 8 pixels covered"),
    ("mixup", 0.2, "mixed with another image"),
)
TOGETHER = NONE.replace(**{field: dose for field, dose, _ in KINDS})
TWO = NONE.replace(**{field: dose for field, dose, _ in KINDS if field in ("flip", "shift")})
LONG = 150

# Day 5's network in the journal's setting; the journal's layers turn by a tenth of a full turn.
SHORT = JOURNAL.replace(epochs=10)
LAYERS = SHORT.replace(flip="random", rotation=36, zoom=0.1, contrast=0.1)

# Claims that were withdrawn.
AT_ONCE = "In 30 epochs, augmentation makes the network more accurate"
OF_ALL = "All seven together are more accurate than any of them alone"

study = Study(
    title="Data augmentation",
    dataset="cifar10",
    variants=(
        *(
            Variant(name=name, model=BOTH, recipe=recipe, examples=EXAMPLES, group=group, description=words)
            for name, recipe, group, words in (
                ("none", NONE, "with and without", "images as they are"),
                ("together", TOGETHER, "with and without", "all seven at once"),
                ("none 150", NONE.replace(epochs=LONG), "five times as long", "images as they are, 150 epochs"),
                ("together 150", TOGETHER.replace(epochs=LONG), "five times as long", "all seven at once, 150 epochs"),
                ("flip and shift", TWO, "alone", "mirrored and moved"),
                *((field, NONE.replace(**{field: dose}), "alone", words) for field, dose, words in KINDS),
            )
        ),
        Variant(
            name="journal without",
            model=convolutions(normalized=False),
            recipe=SHORT,
            group="journal",
            description="the journal's small network, images as they are",
        ),
        Variant(
            name="journal with",
            model=convolutions(normalized=False),
            recipe=LAYERS,
            group="journal",
            description="mirrored, turned, zoomed, changed in contrast",
        ),
    ),
    claims=(
        Comparison(
            sentence="Augmentation makes the gap between training and test smaller",
            metric="accuracy_gap",
            variant="together",
            than="none",
            direction="below",
        ),
        Comparison(
            sentence="In 30 epochs, all seven changes together make the network more accurate",
            metric="test_accuracy",
            variant="together",
            than="none",
            direction="above",
        ),
        Comparison(
            sentence="In 30 epochs, mirroring and shifting together make the network more accurate",
            metric="test_accuracy",
            variant="flip and shift",
            than="none",
            direction="above",
        ),
        Comparison(
            sentence="In 150 epochs, all seven changes together make the network more accurate",
            metric="test_accuracy",
            variant="together 150",
            than="none 150",
            direction="above",
        ),
        Comparison(sentence=AT_ONCE, metric="test_accuracy", variant="together", than="none", direction="above"),
        Best(
            sentence=OF_ALL,
            metric="test_accuracy",
            variant="together",
            among=tuple(field for field, _, _ in KINDS),
        ),
        Best(
            sentence="In 30 epochs, all seven together are more accurate than any of them alone",
            metric="test_accuracy",
            variant="together",
            among=tuple(field for field, _, _ in KINDS),
        ),
        Comparison(
            sentence="In 10 epochs, augmentation makes the journal's small network less accurate",
            metric="test_accuracy",
            variant="journal with",
            than="journal without",
            direction="below",
        ),
        Threshold(
            sentence="The journal's small network reaches about 65% with augmentation (at least 64.5%)",
            variant="journal with",
            metric="test_accuracy",
            about=0.65,
        ),
        Threshold(
            sentence="The journal's small network reaches about 70% without augmentation (at least 69.5%)",
            variant="journal without",
            metric="test_accuracy",
            about=0.7,
        ),
    ),
    withdrawn={
        AT_ONCE: "It tested seven changes at once, in too few epochs for all of them. The claims on all seven in 30 "
        "and in 150 epochs, and on mirroring and shifting, take its place.",
        OF_ALL: "It did not say in how many epochs. The claim that says so is tested on the same variants.",
    },
    first=(
        CurveOverview(
            title="Accuracy against epochs",
            caption="Validation accuracy after each epoch, in a band from the lowest to the highest seed. Each "
            "training ends with a learning rate of zero, so a short one is not the first part of a long one.",
            variants=("none", "together", "none 150", "together 150"),
            fields=("validation_accuracy",),
            y_label="validation accuracy",
            y_from=0.3,
        ),
    ),
    exhibits=(
        augmentation_sheet(
            variant="together",
            kinds={
                **{f"{field}: {words}": NONE.replace(**{field: dose}) for field, dose, words in KINDS},
                "all seven together": TOGETHER,
            },
        ),
        confusion_matrix(variant="together 150"),
    ),
)

"""Day 10. Project: five flowers. How well does a pretrained network tell photographs apart that it has never seen?"""

from fortydays.models.heads import linear_head
from fortydays.study.claims import Comparison, Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confident_mistakes, confusion_matrix
from fortydays.study.features import Features
from fortydays.study.overviews import SplitOverview
from fortydays.study.search import Search
from fortydays.train.recipe import Recipe

CLASSES = 5
LITE = Features(backbone="efficientnet-lite0", side=224)
MOBILE = Features(backbone="mobilenetv2-1.0", side=224)
SMALL = Features(backbone="mobilenetv2-0.35", side=224)

# What `forty fit` does with a folder of photographs, but with more rates to choose from.
RECIPE = Recipe(epochs=30, batch_size=64, optimizer="adam", learning_rate=0.001, schedule="cosine", warmup=0.1)
SEARCH = Search(field="learning_rate", values=(0.00003, 0.0001, 0.0003, 0.001, 0.003), finals=(1002, 1003, 1004, 1005))
JOURNAL = Recipe(epochs=10, batch_size=32, optimizer="adam", learning_rate=0.001)

study = Study(
    title="Project: five flowers",
    dataset="tf_flowers",
    seeds=tuple(range(20)),  # five draws of the photographs to learn from would tell little
    variants=(
        Variant(
            name="efficientnet-lite0",
            model=linear_head(LITE.shape, CLASSES),
            recipe=RECIPE,
            search=SEARCH,
            features=LITE,
            description="a linear head, its rate chosen on validation",
        ),
        Variant(
            name="mobilenetv2",
            model=linear_head(MOBILE.shape, CLASSES),
            recipe=RECIPE,
            search=SEARCH,
            features=MOBILE,
            description="the same on the journal's backbone",
        ),
        Variant(
            name="mobilenetv2 small",
            model=linear_head(SMALL.shape, CLASSES),
            recipe=RECIPE,
            search=SEARCH,
            features=SMALL,
            description="the same, a third as wide",
        ),
        Variant(
            name="journal",
            model=linear_head(MOBILE.shape, CLASSES, dropout=0.2),
            recipe=JOURNAL,
            features=MOBILE,
            description="ten epochs at a constant rate, with dropout",
        ),
        *(
            Variant(
                name=f"{count} of each",
                model=linear_head(LITE.shape, CLASSES),
                recipe=RECIPE.replace(epochs=60, batch_size=min(64, count)),
                search=SEARCH,
                features=LITE,
                examples=count,
                redrawn=True,
                group="fewer photographs",
                description=f"{count} photographs of each flower, drawn for each seed",
            )
            for count in (10, 30, 100)
        ),
    ),
    claims=(
        Threshold(
            sentence="Five flowers are told apart with at least 90%",
            variant="efficientnet-lite0",
            metric="test_accuracy",
            at_least=0.90,
        ),
        Threshold(
            sentence="Five flowers are told apart with more than 92%, as the journal promises",
            variant="efficientnet-lite0",
            metric="test_accuracy",
            at_least=0.92,
        ),
        Threshold(
            sentence="The journal's setting, MobileNetV2 and ten epochs, reaches more than 92%",
            variant="journal",
            metric="test_accuracy",
            at_least=0.92,
        ),
        Comparison(
            sentence="The backbone makes the difference: EfficientNet-Lite0 is more accurate than MobileNetV2",
            metric="test_accuracy",
            variant="efficientnet-lite0",
            than="mobilenetv2",
            direction="above",
        ),
        Threshold(
            sentence="100 photographs of each flower are enough for 90%",
            variant="100 of each",
            metric="test_accuracy",
            at_least=0.90,
        ),
    ),
    first=(
        SplitOverview(
            title="Other seeds, other photographs",
            caption="Mean accuracy on the test photographs and, beside it, on the validation photographs. The long "
            "line is Wilson's 95% interval for other photographs, the short one in it the 95% interval over seeds. "
            "The validation photographs also chose the learning rates of the first three.",
            variants=("efficientnet-lite0", "mobilenetv2", "mobilenetv2 small", "journal"),
            examples="photographs",
        ),
    ),
    exhibits=(
        confusion_matrix(variant="efficientnet-lite0"),
        confident_mistakes(variant="efficientnet-lite0", count=15),
    ),
)

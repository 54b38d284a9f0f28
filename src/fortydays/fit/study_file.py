"""The study that ``forty fit`` writes: a file like a day's, to read, to run again, and to change.

It is named by its content, so that a model that was made by it can be made again, whatever was fitted since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fortydays.base import files
from fortydays.base.settings import Settings
from fortydays.data.own.collection import folder_of
from fortydays.data.own.dataset import OwnPhotographs
from fortydays.models.backbones import Backbone

HEAD, FINE_TUNED = "head", "fine-tuned"
"""The variants: a linear head on the backbone's features; the same with the backbone's last block trained further."""

_STEPS = 1_200
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 200
_BATCH = 64

_TEMPLATE = '''"""{title}: a classifier of photographs, as `forty fit` wrote it. To run it again: forty run FILE"""

from fortydays.models.heads import {imports}
from fortydays.study.claims import Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.exhibits import confident_mistakes, confusion_matrix
from fortydays.study.features import Features
from fortydays.study.search import Search
from fortydays.train.recipe import Recipe

CLASSES = {classes}
FEATURES = Features(backbone="{backbone}", side={side})
RECIPE = Recipe(
    epochs={epochs},
    batch_size={batch},
    optimizer="adam",
    learning_rate=0.001,
    schedule="cosine",
    warmup=0.1,
    class_weights="{weights}",
)
{more}
study = Study(
    title="{title}",
    dataset="{dataset}",
    variants=(
        Variant(
            name="{head}",
            model=linear_head(FEATURES.shape, CLASSES),
            recipe=RECIPE,
            features=FEATURES,
            search=Search(field="learning_rate", values=(0.0001, 0.0003, 0.001)),
            description="a linear head on the features of {seen_by}",
        ),
{variants}    ),
    claims=(
{claims}    ),
    seeds={seeds},
    exhibits=(confusion_matrix(variant="{head}"), confident_mistakes(variant="{head}")),
)
'''

_FINE_TUNED = """        Variant(
            name="{name}",
            model=fine_tuned_head(MAPS.backbone, MAPS.side, MAPS.shape, CLASSES),
            recipe=RECIPE.replace(epochs={epochs}, batch_size={batch}, learning_rate=0.0005),
            features=MAPS,
            description="the last block of {seen_by} trained further",
        ),
"""

_CLAIM = """        Threshold(
            sentence="{sentence}",
            variant="{variant}",
            metric="test_accuracy",
            at_least={least!r},
        ),
"""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be trained.

    Attributes:
        backbone: whose features are learned from.
        fine_tuning_epochs: of its last block; 0 for none.
        target: the share of test photographs that must be right, or None.
        balanced: whether photographs of small classes count more.
        seeds: of the trials.
    """

    backbone: Backbone
    fine_tuning_epochs: int = 0
    target: float | None = None
    balanced: bool = False
    seeds: tuple[int, ...] = (0, 1, 2)


def study_text(photographs: OwnPhotographs, plan: Plan) -> str:
    """The study as Python.

    Args:
        photographs: what it is of.
        plan: what is trained.
    """
    train = photographs.of("train")
    batch = min(_BATCH, len(train))
    steps = max(1, len(train) // batch)
    epochs = min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, round(_STEPS / steps)))
    variants = [HEAD, FINE_TUNED] if plan.fine_tuning_epochs else [HEAD]
    backbone = plan.backbone
    maps = f'MAPS = Features(backbone="{backbone.name}", side={photographs.side}, before_last_block=True)\n'
    return _TEMPLATE.format(
        title=photographs.collection,
        imports="fine_tuned_head, linear_head" if plan.fine_tuning_epochs else "linear_head",
        classes=len(photographs.classes),
        backbone=backbone.name,
        seen_by=backbone.title,
        side=photographs.side,
        epochs=epochs,
        batch=batch,
        weights="balanced" if plan.balanced else "none",
        more=maps if plan.fine_tuning_epochs else "",
        dataset=photographs.name,
        head=HEAD,
        variants=_FINE_TUNED.format(
            name=FINE_TUNED, epochs=plan.fine_tuning_epochs, batch=min(32, len(train)), seen_by=backbone.title
        )
        if plan.fine_tuning_epochs
        else "",
        claims="".join(_claims(photographs, plan, variants)),
        seeds=plan.seeds,
    )


def _claims(photographs: OwnPhotographs, plan: Plan, variants: Sequence[str]) -> list[str]:
    labels = photographs.labels[photographs.of("train")]
    guess = max(int((labels == label).sum()) for label in range(len(photographs.classes))) / len(labels)
    found = []
    for variant in variants:
        which = f"The {variant} model" if len(variants) > 1 else "The model"
        said = f"{which} is right more often than naming the most frequent class always would be"
        found.append(_CLAIM.format(sentence=said, variant=variant, least=round(guess, 6)))
        if plan.target is not None:
            said = f"{which} is right on at least {100 * plan.target:g}% of the test photographs"
            found.append(_CLAIM.format(sentence=said, variant=variant, least=plan.target))
    return found


def write_study(text: str, name: str, settings: Settings) -> Path:
    """Write a study where it stays, under a name made of its content; one that was changed since is set aside.

    Args:
        text: from :func:`study_text`.
        name: of the collection.
        settings: where the workspace is.

    Raises:
        StorageError: the workspace cannot be written.
    """
    digest = files.sha256_of_bytes(text.encode())
    folder = files.make_folder(folder_of(name, settings) / "studies")
    path = folder / f"{name[:28].strip('-_')}-{digest[:8]}.py"
    if files.is_file(path) and files.sha256_of_file(path) != digest:
        files.set_aside(path)  # what a reader made of it is theirs, and not what its name says
    if not files.is_file(path):
        files.write_text(path, text)
    return path

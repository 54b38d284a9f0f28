"""The card of a model version: what it is, what it can do and cannot, and how to call it. All of it from evidence."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.settings import Settings, keep_matplotlib_in_workspace
from fortydays.base.templates import plain_text
from fortydays.base.text import counted
from fortydays.data.arrays import Dataset, Split
from fortydays.data.own.dataset import label_of
from fortydays.registry.contents import CARD_FILE, PICTURE_FILE, Confidence
from fortydays.registry.scratch import scratch
from fortydays.study.exhibits import surest_mistakes

if TYPE_CHECKING:
    from fortydays.registry.registry import Registry, Version

_PICTURES = 15
_COLUMNS = 5
_WORDS = 120
"""Characters of an example in words."""

_TASKS = {"image": "image-classification", "text": "text-classification"}
"""What model hubs call the task, by what an example is called."""


def write_card(
    folder: Path,
    *,
    name: str,
    lineage: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]],
    probabilities: NDArray[np.float32],
    dataset: Dataset,
    confidence: Confidence | None = None,
) -> None:
    """Write ``README.md``, a model card as model hubs know it, and the picture it shows, into a folder.

    The claims are those of the study, with their verdicts. ``probabilities`` are the trial's answers on the test split
    of the dataset, kept since it was trained, shape (n, classes).

    Raises:
        StorageError: the folder cannot be written.
    """
    test, classes = dataset.test.open(), dataset.classes
    labels = np.asarray(test.labels)
    right = probabilities.argmax(axis=1) == labels
    per_class: list[dict[str, Any]] = [
        {"name": each, "images": int(np.sum(labels == k)), "right": float(right[labels == k].mean())}
        for k, each in enumerate(classes)
        if np.any(labels == k)
    ]
    pictures, in_words = _shown(dataset, test, surest_mistakes(probabilities, labels, classes, most=_PICTURES))
    if pictures:
        files.write_bytes(folder / PICTURE_FILE, _sheet(pictures))
    text = plain_text(Path(__file__).parent / "templates" / "card.md.jinja").render(
        card_data=_front_matter(
            name, lineage["dataset"], lineage["trial"]["metrics"]["test_accuracy"], noun=dataset.training.input.NOUN
        ),
        name=name,
        counted=counted,
        input=dataset.training.input,
        lineage=lineage,
        study=lineage["study"],
        trial=lineage["trial"],
        over=lineage["trial"]["over_seeds"].get("test_accuracy", {"n": 0}),
        dataset=lineage["dataset"],
        data_version=label_of(lineage["dataset"].get("data_version")),
        code=lineage["code"],
        machine=lineage["machine"],
        threads=counted(lineage["machine"]["threads"], "thread"),
        # A file in int8 is another model; the test split was opened for the one that was trained, and only once.
        of_int8=evaluation["onnx"]["precision"] == "int8",
        evaluation=evaluation,
        per_class=per_class,
        claims=claims,
        mistakes=int(np.sum(~right)),
        has_pictures=bool(pictures),
        in_words=in_words,
        picture=PICTURE_FILE,
        classes=classes,
        worst=min(per_class, key=lambda row: row["right"]) if per_class else None,
        confidence=confidence,
    )
    files.write_text(folder / CARD_FILE, text)


def read_card(version: "Version", registry: "Registry", settings: Settings) -> str:
    """The card of a registered version. Raises NotWholeError where its files are missing or altered."""
    with scratch(settings) as folder:
        registry.fetch(version, folder / "version")
        return with_version(folder / "version", version)


def with_version(folder: Path, version: "Version") -> str:
    """The card in a version's folder, with the number that the version got when its files were sealed already."""
    path = folder / CARD_FILE
    with files.storage_errors("read", path):
        text = path.read_text("utf-8")
    return text.replace(f"\n# {version.name}\n", f"\n# {version.name}, version {version.version}\n", 1)


def _shown(
    dataset: Dataset, test: Split, mistakes: Iterable[tuple[int, str]]
) -> tuple[list[tuple[NDArray[np.uint8], str]], list[dict[str, str]]]:
    """The examples at some places as pictures with their labels, or in words where they are no pictures."""
    input = dataset.training.input
    pictures, in_words = [], []
    for place, label in mistakes:
        example = {name: array[place] for name, array in test.inputs.items()}
        picture = input.picture(example)
        if picture is None:
            in_words.append({"label": label, "words": _short(input.words(example))})
        else:
            pictures.append((picture, label))
    return pictures, in_words


def _front_matter(name: str, dataset: Mapping[str, Any], accuracy: float, *, noun: str) -> str:
    """What model hubs read of a card, in their own words; the ``noun`` is what an example is called."""
    from huggingface_hub import EvalResult, ModelCardData

    task = _TASKS.get(noun, "tabular-classification")
    result = EvalResult(
        task_type=task,
        dataset_type=dataset["name"],
        dataset_name=dataset["name"],
        dataset_split="test",
        dataset_revision=dataset["digest"],
        metric_type="accuracy",
        metric_value=round(accuracy, 6),
    )
    return ModelCardData(
        model_name=name,
        library_name="onnx",
        pipeline_tag=task,
        tags=[task, "keras", "fortydays"],
        datasets=[dataset["name"]],
        metrics=["accuracy"],
        eval_results=[result],
    ).to_yaml()


def _short(words: str) -> str:
    """The beginning of what a model saw, as a cell of a table."""
    cut = words if len(words) <= _WORDS else f"{words[:_WORDS]}..."
    return cut.replace("|", "/").replace("\n", " ")


def _sheet(pictures: Sequence[tuple[NDArray[np.uint8], str]]) -> bytes:
    """Pictures with their labels under them, as one PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    keep_matplotlib_in_workspace()
    rows = -(-len(pictures) // _COLUMNS)
    figure = Figure(figsize=(1.7 * _COLUMNS, 1.95 * rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for number, axes in enumerate(figure.subplots(rows, _COLUMNS, squeeze=False).flat):
        axes.axis("off")
        if number < len(pictures):
            image, label = pictures[number]
            axes.imshow(image, cmap="gray" if image.ndim == 2 else None, interpolation="nearest")
            axes.set_title(label.replace(" → ", " →\n"), y=-0.32, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    return buffer.getvalue()

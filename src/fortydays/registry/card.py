"""The card of a model version: what it is, what it can do and cannot, and how to call it. All of it from evidence."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.settings import Settings, keep_matplotlib_in_workspace
from fortydays.base.text import counted
from fortydays.data.arrays import Dataset
from fortydays.data.own.dataset import label_of
from fortydays.registry.contents import CARD_FILE, PICTURE_FILE
from fortydays.registry.scratch import scratch
from fortydays.study.exhibits import surest_mistakes

if TYPE_CHECKING:
    from fortydays.registry.catalog import Catalog, Version

_PICTURES = 15
_COLUMNS = 5
_WORDS = 120
"""Characters of an example in words."""

_TEMPLATE = """---
{{ card_data }}
---

# {{ name }}

It takes {{ input.title }} and gives the probability of each of {{ classes | length }} classes. It has
{{ trial.parameters | thousands }} parameters and was trained by the study *{{ study.title }}*
{%- if study.day %} of day {{ study.day }}{% endif %}, variant *{{ study.variant }}*
{%- if study.description %} ({{ study.description }}){% endif %}, with seed {{ trial.seed }}: the best on the
validation split of those it was chosen from.

## Numbers

| what | on | value |
|---|---|---|
{% for row in numbers -%}
| {{ row | join(" | ") }} |
{% endfor %}
It was trained in {{ trial.precision }} and computes in {{ evaluation.onnx.precision }}. On
{{ evaluation.onnx.images | thousands }} validation images
{%- if evaluation.onnx.precision == "int8" %} it gives the same class as Keras in
{{ evaluation.onnx.agreement | percent }} of the cases.
{%- else %} no probability differs from Keras's by more than {{ "%.1e" | format(evaluation.onnx.difference) }}.
{%- endif %}

## Each class

{% if evaluation.onnx.precision == "int8" -%}
Of the float32 model it was made from:

{% endif -%}
| class | test images | right |
|---|---|---|
{% for row in per_class -%}
| {{ row.name }} | {{ row.images | thousands }} | {{ row.right | percent }} |
{% endfor %}
## What the study claims

{% for claim in claims -%}
- {{ claim.claim }}: **{{ claim.verdict }}**
{% else -%}
Nothing.
{% endfor %}
## Where it fails

Of {{ dataset.test | thousands }} test images, {{ mistakes | thousands }} are answered wrongly
{%- if evaluation.onnx.precision == "int8" %} by the float32 model{% endif %}.
{%- if has_pictures %} Those it was surest about, each with what it is → what the model said:

![The most confident mistakes]({{ picture }})
{%- elif in_words %} Those it was surest about, each with what it is → what the model said:

| mistake | what the model saw |
|---|---|
{% for row in in_words -%}
| {{ row.label }} | {{ row.words }} |
{% endfor %}
{%- endif %}

## Limits

- It knows {{ classes | length }} classes and answers with one of them whatever it is shown:
  {{ classes | join(", ") }}.
{% if confidence -%}
- An answer whose highest probability is below {{ confidence.unknown_below | percent }} is marked as *unknown*: what it
  was shown looks unlike what it has learned. Of {{ confidence.images | thousands }} held-out images of known
  classes, {{ confidence.false_alarms | percent }} were so marked wrongly. Its logits are divided by a temperature of
  {{ "%.3g" | format(confidence.temperature) }}, so that its probabilities are as high as they are right.
{% endif -%}
- It has learned {{ dataset.train | thousands }} images of {{ dataset.name }} and nothing else. On pictures of
  another origin, expect less than the numbers above.
{% if worst -%}
- It is least reliable on *{{ worst.name }}*: {{ worst.right | percent }} right.
{% endif -%}
- The spread above is that of training. How much the numbers depend on the choice of test images is not in it.

## How to call it

```python
import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
inputs = {  # any number of {{ input.NOUN }}s
{%- for spec in input.arrays %}
    "{{ spec.name }}": np.zeros((1, {{ spec.shape | join(", ") }}), "{{ spec.dtype }}"),
{%- endfor %}
}
(probabilities,) = session.run(["probabilities"], inputs)
```

`labels.json` has the classes in the order of the probabilities; `preprocessing.json` says how any {{ input.NOUN }}
becomes such arrays.
{%- if input.note %} {{ input.note }}{% endif %}

## What it is made of

| | |
|---|---|
{% for row in parts -%}
| {{ row | join(" | ") }} |
{% endfor %}
All of it, and every package, is in `lineage.json`.
"""


def write_card(
    folder: Path,
    *,
    name: str,
    lineage: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]],
    probabilities: NDArray[np.float32],
    dataset: Dataset,
    confidence: Mapping[str, Any] | None = None,
) -> None:
    """Write ``README.md``, a model card as model hubs know it, and the picture it shows, into a folder.

    Args:
        folder: where to.
        name: of the model.
        lineage: what it is made of.
        evaluation: what was measured on validation data.
        claims: of the study, with their verdicts.
        probabilities: the trial's answers on the test split, kept since it was trained, shape (n, classes).
        dataset: whose test split has the classes and pictures of what was answered.
        confidence: what :data:`~fortydays.registry.contents.CONFIDENCE_FILE` holds, where the version has it.

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
    input, pictures, in_words = dataset.training.input, [], []
    for place, label in surest_mistakes(probabilities, labels, classes, most=_PICTURES):
        example = {name: array[place] for name, array in test.inputs.items()}
        picture = input.picture(example)
        if picture is None:
            in_words.append({"label": label, "words": _short(input.words(example))})
        else:
            pictures.append((picture, label))
    if pictures:
        files.write_bytes(folder / PICTURE_FILE, _sheet(pictures))
    text = _render(
        name=name,
        input=input,
        study=lineage["study"],
        trial=lineage["trial"],
        metrics=lineage["trial"]["metrics"],
        dataset=lineage["dataset"],
        evaluation=evaluation,
        per_class=per_class,
        claims=claims,
        mistakes=int(np.sum(~right)),
        has_pictures=bool(pictures),
        in_words=in_words,
        numbers=_numbers(lineage, evaluation),
        parts=_parts(lineage),
        picture=PICTURE_FILE,
        classes=classes,
        worst=min(per_class, key=lambda row: row["right"]) if per_class else None,
        confidence=confidence,
    )
    files.write_text(folder / CARD_FILE, text)


def read_card(version: "Version", catalog: "Catalog", settings: Settings) -> str:
    """The card of a registered version, after checking its files.

    Raises:
        NotWholeError: they are missing or altered.
    """
    with scratch(settings) as folder:
        catalog.fetch(version, folder / "version")
        return with_version(folder / "version", version)


def with_version(folder: Path, version: "Version") -> str:
    """The card in a version's folder, with the number that the version got when its files were sealed already."""
    path = folder / CARD_FILE
    with files.storage_errors("read", path):
        text = path.read_text("utf-8")
    return text.replace(f"\n# {version.name}\n", f"\n# {version.name}, version {version.version}\n", 1)


def _numbers(lineage: Mapping[str, Any], evaluation: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What, on which images, and how much."""
    metrics, over = lineage["trial"]["metrics"], lineage["trial"]["over_seeds"].get("test_accuracy")
    # A file in int8 is another model; the test split was opened for the one that was trained, and only once.
    of_int8 = evaluation["onnx"]["precision"] == "int8"
    rows = [
        (
            f"accuracy of {'the float32 model it was made from' if of_int8 else 'this model'}",
            f"{lineage['dataset']['test']:,} test images, opened once",
            _percent(metrics["test_accuracy"]),
        )
    ]
    if over and over["n"] > 1:
        what = f"accuracy over {over['n']} seeds, mean ± half the 95% interval of the mean"
        half = (over["high"] - over["low"]) / 2
        rows.append((what, "the same", f"{_percent(over['mean'])} ± {100 * half:.2f}"))
    rows += [
        ("accuracy of this file", f"{evaluation['images']:,} validation images", _percent(evaluation["accuracy"])),
        ("cross-entropy", "the same", f"{evaluation['loss']:.4f}"),
        ("expected calibration error", "the same", f"{evaluation['calibration_error']:.4f}"),
    ]
    for behaviour in evaluation["behaviours"]:
        what = f"the same answer when {behaviour['change']}"
        rows.append((what, f"{behaviour['images']:,} of them", _percent(behaviour["same"])))
    return [
        *rows,
        ("time for one image", "one thread of the machine that registered it", f"{evaluation['milliseconds']:.2f} ms"),
        ("size of the model's file", "", f"{evaluation['bytes'] / 1e6:.2f} MB"),
    ]


def _parts(lineage: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What it is made of, in words."""
    dataset, code, run, machine = lineage["dataset"], lineage["code"], lineage["run"], lineage["machine"]
    version = dataset.get("data_version")
    threads = counted(machine["threads"], "thread")
    commit = f", commit {code['commit']}{'' if code['clean'] else ' with changes'}" if "commit" in code else ""
    return [
        ("dataset", f"{dataset['name']}, version {dataset['version']}, splits {dataset['split_version']}"),
        ("its SHA-256", dataset["digest"]),
        *([("data version", f"{label_of(version)}, SHA-256 {version['digest']}")] if version else []),
        ("its licence", dataset["licence"]),
        ("run", f"{run['id']}, ended {run['ended']}"),
        ("code", f"fortydays {code['version']}{commit}"),
        ("study and engine", f"{code['study'][:16]}, {code['engine'][:16]}"),
        ("weights", lineage["trial"]["weights_digest"]),
        (
            "machine",
            f"{machine['cpu_model']}, {machine['system']}, {machine['backend']} on {threads}",
        ),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _render(**values: Any) -> str:
    """The card's text. The front matter, in the words of model hubs, is written by their own library."""
    from huggingface_hub import EvalResult, ModelCardData

    metrics, dataset = values["metrics"], values["dataset"]
    data = ModelCardData(
        model_name=values["name"],
        library_name="onnx",
        pipeline_tag="image-classification",
        tags=["image-classification", "keras", "fortydays"],
        datasets=[dataset["name"]],
        metrics=["accuracy"],
        eval_results=[
            EvalResult(
                task_type="image-classification",
                dataset_type=dataset["name"],
                dataset_name=dataset["name"],
                dataset_split="test",
                dataset_revision=dataset["digest"],
                metric_type="accuracy",
                metric_value=round(metrics["test_accuracy"], 6),
            )
        ],
    )
    text: str = _environment().from_string(_TEMPLATE).render(card_data=data.to_yaml(), **values)
    return f"{text.strip()}\n"


def _environment() -> Any:
    import jinja2

    # The card is Markdown for a file; nothing of it is HTML.
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    environment.filters |= {"percent": _percent, "thousands": lambda value: f"{value:,}"}
    return environment


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

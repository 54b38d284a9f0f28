"""The pictures and tables of a day, as JSON values that a page and a terminal can both show.

There are four kinds, and a report needs to know only these:

* ``matrix``: ``rows``, ``columns`` (names) and ``values`` (numbers);
* ``pictures``: ``pictures``, each with a ``png`` (base64) and a ``label``, laid out in ``columns``;
* ``lines``: ``lines``, each with a ``name``, ``x`` and ``y``, and the axes' labels;
* ``table``: ``columns`` (names) and ``rows``.

All have ``kind``, ``title``, ``caption``, ``variant`` and ``seed``.
"""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.study.design import Exhibit, Shown


def confusion_matrix(*, variant: str) -> Exhibit:
    """How often each class of the test split was taken for each class."""

    def make(shown: Shown) -> dict[str, Any]:
        counts = count_confusions(shown.test.labels, shown.probabilities.argmax(axis=1), len(shown.classes))
        worst = _worst_confusion(counts, shown.classes)
        return _exhibit(
            "matrix",
            shown,
            title="Confusion matrix on the test split",
            caption=f"Rows are what the picture shows, columns what the model said. {worst}",
            rows=list(shown.classes),
            columns=list(shown.classes),
            values=counts.tolist(),
        )

    return Exhibit(variant=variant, make=make)


def confident_mistakes(*, variant: str, count: int = 25) -> Exhibit:
    """The test images the model was surest about and wrong."""

    def make(shown: Shown) -> dict[str, Any]:
        answers = shown.probabilities.argmax(axis=1)
        confidence = shown.probabilities.max(axis=1)
        wrong = np.flatnonzero(answers != shown.test.labels)
        chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
        return _exhibit(
            "pictures",
            shown,
            title=f"The {len(chosen)} most confident mistakes",
            caption=f"Out of {len(wrong)} mistakes on {len(answers):,} test images. "
            "Under each: what it is → what the model said, and how sure it was.",
            columns=5,
            pictures=[
                {
                    "png": png(shown.test.images[i]),
                    "label": f"{shown.classes[shown.test.labels[i]]} → {shown.classes[answers[i]]} "
                    f"{100 * confidence[i]:.0f}%",
                    "index": int(i),
                }
                for i in chosen
            ],
        )

    return Exhibit(variant=variant, make=make)


def first_layer_weights(*, variant: str, count: int = 32) -> Exhibit:
    """The weights from every pixel to some units of the first dense layer, as pictures."""

    def make(shown: Shown) -> dict[str, Any]:
        shape = shown.test.images.shape[1:]
        kernel = next(w for layer in shown.model.layers for w in layer.get_weights() if w.ndim == 2)
        # The units that matter most to what follows: those with the largest weights.
        strongest = np.argsort(-np.linalg.norm(kernel, axis=0), kind="stable")[:count]
        return _exhibit(
            "pictures",
            shown,
            title="What the first layer looks for",
            caption=f"The {len(strongest)} of {kernel.shape[1]} units with the largest weights. "
            "White pixels speak for the unit, black against it, grey does not matter to it.",
            columns=8,
            pictures=[{"png": png(_as_picture(kernel[:, unit].reshape(shape))), "label": ""} for unit in strongest],
        )

    return Exhibit(variant=variant, make=make)


def count_confusions(labels: NDArray[Any], answers: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """How often each class (row) was answered with each class (column); int64, shape (classes, classes)."""
    pairs = labels.astype(np.int64) * classes + answers.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def png(image: NDArray[np.uint8]) -> str:
    """An image, uint8 of shape (h, w), (h, w, 1) or (h, w, 3), as base64 text of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _as_picture(weights: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Weights as grey values: zero is the middle, the largest weight in size is white or black."""
    largest = float(np.abs(weights).max()) or 1.0
    return np.round(127.5 + 127.5 * weights / largest).astype(np.uint8)


def _worst_confusion(counts: NDArray[np.int64], classes: tuple[str, ...]) -> str:
    mistakes = counts - np.diag(np.diag(counts))
    if not mistakes.any():
        return "There is no mistake."
    row, column = divmod(int(mistakes.argmax()), len(classes))
    return f"The commonest mistake: {classes[row]} taken for {classes[column]}, {mistakes[row, column]} times."


def _exhibit(kind: str, shown: Shown, **content: Any) -> dict[str, Any]:
    return {"kind": kind, "variant": shown.variant, "seed": shown.seed, **content}

"""The pictures and tables of a day, as JSON values that a page and a terminal can both show.

There are four kinds, and a report needs to know only these:

* ``matrix``: ``rows``, ``columns`` (names) and ``values`` (numbers);
* ``pictures``: ``pictures``, each with a ``png`` (base64) and a ``label``, laid out in ``columns``; in a single one,
  they are rows that belong together;
* ``lines``: ``lines``, each with a ``name``, ``x`` and ``y``, and the axes' labels;
* ``table``: ``columns`` (names) and ``rows``.

All have ``kind``, ``title``, ``caption``, ``variant`` and ``seed``.
"""

import base64
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError
from fortydays.base.text import counted
from fortydays.study.design import Exhibit, Shown
from fortydays.study.fields import FieldError
from fortydays.train import augmentation
from fortydays.train.recipe import Recipe

if TYPE_CHECKING:
    import keras

FILTER_SIDE = 24
"""About how many pixels wide a filter is drawn."""

MAP_SIDE = 32
"""At least how many pixels high and wide a feature map is drawn."""

MAP_GAP = 2
"""Pixels between two pictures of a row; they are transparent."""

_BATCH = 8  # images that are shown together, of which the others may be mixed into the first

GREYS = 32
"""Steps from black to white in a feature map: as many as one sees, and half the bytes of 255."""


def _check(exhibit: str, *, image: object = None, **counts: object) -> None:
    """Refuse arguments of an exhibit when the study is made, long before the exhibit is.

    Raises:
        FieldError: a count is not a whole number from 1, or an image's position not one from 0.
    """
    for name, value, least in [(name, value, 1) for name, value in counts.items()] + [("image", image, 0)]:
        if name == "image" and value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise FieldError(
                f"The argument {name!r} of {exhibit} is {value!r}; expected a whole number, at least {least}.",
                field=name,
                owner=exhibit,
            )


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


def confident_mistakes(*, variant: str, count: int = 25, side: int = 56) -> Exhibit:
    """The test images the model was surest about and wrong.

    Args:
        variant: whose trial.
        count: at most how many.
        side: about how many pixels the shorter side of a larger image is shown with: it is reduced by a whole number,
            because evidence is committed.
    """
    _check("confident_mistakes", count=count, side=side)

    def make(shown: Shown) -> dict[str, Any]:
        mistakes = surest_mistakes(shown.probabilities, np.asarray(shown.test.labels), shown.classes, most=count)
        wrong = int(np.sum(shown.probabilities.argmax(axis=1) != shown.test.labels))
        return _exhibit(
            "pictures",
            shown,
            title=f"The {len(mistakes)} most confident mistakes",
            caption=f"Out of {wrong:,} mistakes on {len(shown.test):,} test images. "
            "Under each: what it is → what the model said, and how sure it was.",
            columns=5,
            pictures=[
                {"png": png(_small(_picture_of(shown, i), side)), "label": label, "index": i} for i, label in mistakes
            ],
        )

    return Exhibit(variant=variant, make=make)


def surest_mistakes(
    probabilities: NDArray[np.float32], labels: NDArray[Any], classes: Sequence[str], *, most: int
) -> list[tuple[int, str]]:
    """The wrong answers with the highest probabilities: the place of each, and in words what it is and what was said.

    Args:
        probabilities: float32, shape (n, classes).
        labels: shape (n,).
        classes: names of the labels.
        most: how many.
    """
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != labels)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:most].tolist()
    return [(i, f"{classes[labels[i]]} → {classes[answers[i]]} {100 * confidence[i]:.0f}%") for i in chosen]


def _picture_of(shown: Shown, place: int) -> NDArray[np.uint8]:
    """A test example as pixels. Raises UsageError where it is no picture."""
    picture = shown.input.picture({name: array[place] for name, array in shown.test.inputs.items()})
    if picture is None:
        raise UsageError(f"The test split holds {shown.input.KIND}, no images that can be shown.")
    return picture


def first_layer_weights(*, variant: str, count: int = 32) -> Exhibit:
    """The weights from every pixel to some units of the first dense layer, as pictures."""
    _check("first_layer_weights", count=count)

    def make(shown: Shown) -> dict[str, Any]:
        shape = shown.test.array.shape[1:]
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


def first_filters(*, variant: str, count: int = 32) -> Exhibit:
    """The filters of the first convolution, enlarged: in color where they look at color.

    Each picture has a scale of its own, on which zero is the middle. A filter over red, green and blue is a color
    picture, so that what it answers to most is an image patch of that look (Krizhevsky et al., 2012, figure 3).

    Args:
        variant: whose trial.
        count: at most how many filters, those with the largest weights first.

    Raises (when the exhibit is made):
        UsageError: the model has no convolution, or its first one looks at neither grey nor color images.
    """
    _check("first_filters", count=count)

    def make(shown: Shown) -> dict[str, Any]:
        kernel = next((w for w in _weights(shown.model) if w.ndim == 4), None)
        if kernel is None:
            raise UsageError(
                f"The model of {shown.variant!r} has no convolution, so there are no filters to show.",
                hint="For a network of dense layers, show first_layer_weights(variant=...).",
            )
        height, width, channels, filters = kernel.shape
        if channels not in (1, 3):
            raise UsageError(
                f"The first convolution of {shown.variant!r} looks at {channels} channels; "
                "only filters over 1 (grey) or 3 (red, green and blue) can be shown as pictures."
            )
        strongest = np.argsort(-np.linalg.norm(kernel.reshape(-1, filters), axis=0), kind="stable")[:count]
        factor = max(1, FILTER_SIDE // max(height, width))
        which = (
            f"All {filters} filters, those with the largest weights first"
            if len(strongest) == filters
            else f"The {len(strongest)} of {filters} filters with the largest weights"
        )
        meaning = (
            "White pixels speak for the filter, black against it, grey does not matter to it."
            if channels == 1
            else "What looks like the picture speaks for the filter, what looks like its negative against it; "
            "mid-grey does not matter to it."
        )
        return _exhibit(
            "pictures",
            shown,
            title="What the first convolution looks for",
            caption=f"{which}, {height} × {width} pixels each, on a scale of its own. {meaning}",
            columns=8,
            pictures=[{"png": png(_enlarged(_as_picture(kernel[..., k]), factor)), "label": ""} for k in strongest],
        )

    return Exhibit(variant=variant, make=make)


def feature_maps(*, variant: str, image: int | None = None, maps: int = 8, layers: int = 12) -> Exhibit:
    """What the convolutions and poolings make of one photograph, layer by layer.

    Shown is each layer's output after its activation, also where that is a layer of its own, behind a normalization
    or behind the sum of a residual block. A row has the maps that are largest in the mean, each on a scale of its own.

    Args:
        variant: whose trial.
        image: which image of the test split; the first that the model names rightly unless given.
        maps: at most how many maps of a layer.
        layers: at most how many layers; of more, as many evenly spaced ones with the first and the last.

    Raises (when the exhibit is made):
        UsageError: the model has no convolution, its layers are not joined as a Sequential or functional model, or
            there is no such image.
    """
    _check("feature_maps", image=image, maps=maps, layers=layers)

    def make(shown: Shown) -> dict[str, Any]:
        chosen = _chosen(shown, image)
        photograph = shown.test.array[chosen]
        scaled = photograph[np.newaxis].astype(np.float32) / np.float32(255)
        found = _named(list(_stages(shown.model, scaled)))
        if not any(stage.convolution for _, stage in found):
            raise UsageError(
                f"The model of {shown.variant!r} has no convolution, so there are no feature maps to show."
            )
        places = np.linspace(0, len(found) - 1, min(layers, len(found))).round()
        kept = [found[int(place)] for place in places]
        large = png(_enlarged(photograph, 2))
        rows: list[dict[str, Any]] = [{"png": large, "label": "the photograph", "index": chosen}]
        for name, stage in kept:
            values = stage.values
            strongest = np.argsort(-values.mean(axis=(0, 1)), kind="stable")[:maps]
            height, width, channels = values.shape
            rows.append(
                {
                    "png": png(_row_of_maps(values[:, :, strongest]), transparent=0),
                    "label": f"{name}: {height} × {width}, {counted(channels, 'map')}",
                }
            )
        label, answer = shown.classes[shown.test.labels[chosen]], int(shown.probabilities[chosen].argmax())
        some = f" {len(kept)} of {len(found)} layers are shown." if len(kept) < len(found) else ""
        signs = any((stage.values < 0).any() for _, stage in kept)
        return _exhibit(
            "pictures",
            shown,
            title="One photograph, layer by layer",
            caption=f"Test image {chosen}, {label}; the model says {shown.classes[answer]}, "
            f"{100 * shown.probabilities[chosen, answer]:.0f}% sure. Each row has the maps of a layer (at most "
            f"{maps}) that are largest in the mean, after the activation. Black is nothing, white the map's own "
            f"largest value{'; in a layer that has negative values, zero is mid-grey' if signs else ''}.{some}",
            columns=1,
            pictures=rows,
        )

    return Exhibit(variant=variant, make=make)


def augmentation_sheet(
    *, variant: str, kinds: Mapping[str, Recipe], image: int | None = None, times: int = 6
) -> Exhibit:
    """One photograph as training shows it in some epochs: a row of pictures for each of some recipes.

    The pictures are made by what training itself calls, with the trial's seed. The photograph is from the test split,
    which training never shows; what a recipe mixes into it are the test images that follow.

    Args:
        variant: whose trial.
        kinds: for the label of each row, the recipe whose augmentation it shows.
        image: which image of the test split; the first that the model names rightly unless given.
        times: pictures in a row, one for each epoch from the first.

    Raises (when the exhibit is made):
        UsageError: the test split holds no images, or none of that number.
    """
    _check("augmentation_sheet", image=image, times=times)

    def make(shown: Shown) -> dict[str, Any]:
        chosen = _chosen(shown, image)
        photograph = _picture_of(shown, chosen)
        rows: list[dict[str, Any]] = [{"png": png(photograph), "label": "the photograph", "index": chosen}]
        for label, recipe in kinds.items():
            pictures = _augmented(shown, recipe, chosen=chosen, epochs=times)
            rows.append({"png": png(_row_of_pictures(pictures), transparent=0), "label": label})
        return _exhibit(
            "pictures",
            shown,
            title="One photograph, augmented",
            caption=f"Test image {chosen}, {shown.classes[shown.test.labels[chosen]]}, as "
            f"{counted(times, 'epoch')} would show it if it were a training image. The label of each row says what "
            "its recipe does to it.",
            columns=1,
            pictures=rows,
        )

    return Exhibit(variant=variant, make=make)


def count_confusions(labels: NDArray[Any], answers: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """How often each class (row) was answered with each class (column); int64, shape (classes, classes)."""
    pairs = labels.astype(np.int64) * classes + answers.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def png(image: NDArray[np.uint8], *, transparent: int | None = None) -> str:
    """An image, uint8 of shape (h, w), (h, w, 1) or (h, w, 3), as base64 text of a PNG file.

    Args:
        image: at least one pixel high and wide.
        transparent: a grey value that lets the page through, or None. In color, the grey of that value.
    """
    from PIL import Image

    buffer = io.BytesIO()
    pixels = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    options = {} if transparent is None else {"transparency": transparent if pixels.ndim == 2 else (transparent,) * 3}
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True, **options)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _small(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """An image whose shorter side has at least so many pixels, and less than twice as many; a smaller one as it is."""
    from PIL import Image

    factor = min(image.shape[:2]) // side
    if factor < 2:
        return image
    pixels = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    return np.asarray(Image.fromarray(pixels).reduce(factor))


def _enlarged(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Each pixel as a square of so many pixels a side."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _weights(model: "keras.Model") -> Iterator[NDArray[Any]]:
    """The weights of a model layer by layer, those of models inside it in their place."""
    for layer in model.layers:
        yield from _weights(layer) if hasattr(layer, "layers") else layer.get_weights()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stage:
    """A convolution or pooling and what it, and the activation after it, make of one image.

    Attributes:
        layer: the convolution or pooling.
        convolution: which of the two.
        values: float32, shape (height, width, channels).
    """

    layer: "keras.layers.Layer"
    convolution: bool
    values: NDArray[np.float32]


def _stages(model: "keras.Model", image: NDArray[np.float32]) -> Iterator[_Stage]:
    """The convolutions and poolings of a model in their order, those of models inside it in their place."""
    import keras

    # A Sequential model keeps its graph in a functional one.
    graph: Any = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise UsageError(
            f"The layers of the model {model.name!r} are not joined as a Sequential or functional model, "
            "so there is no telling what lies between them."
        )
    nodes = [node for depth in sorted(graph._nodes_by_depth, reverse=True) for node in graph._nodes_by_depth[depth]]
    uses: dict[int, list[Any]] = defaultdict(list)
    for node in nodes:
        for tensor in node.input_tensors:
            uses[id(tensor)].append(node)
    wanted: dict[int, tuple[Any, Any]] = {}
    for node in nodes:
        layer = node.operation
        if isinstance(layer, keras.Model):
            wanted.setdefault(id(node.input_tensors[0]), (layer, node.input_tensors[0]))
        elif _is_convolution(layer) or _is_pooling(layer):
            after = _activated(node, uses)
            if len(after.shape) == 4:
                # The two paths of a residual block end in the same activation.
                wanted.setdefault(id(after), (layer, after))
    if not wanted:
        return
    outputs = keras.Model(graph.inputs, [tensor for _, tensor in wanted.values()])([image], training=False)
    # Keras gives a single output without its list.
    for (layer, _), output in zip(wanted.values(), keras.tree.flatten(outputs), strict=True):
        values = np.asarray(keras.ops.convert_to_numpy(output), np.float32)
        if isinstance(layer, keras.Model):
            yield from _stages(layer, values)
        else:
            yield _Stage(layer=layer, convolution=_is_convolution(layer), values=values[0])


def _is_convolution(layer: Any) -> bool:
    return hasattr(layer, "get_weights") and any(len(w.shape) == 4 for w in layer.weights)


def _is_pooling(layer: Any) -> bool:
    return "pooling" in type(layer).__module__.split(".")


def _activated(node: Any, uses: dict[int, list[Any]]) -> Any:
    """The output of the activation that follows a layer, or the layer's own where it has one or none follows."""
    own = node.outputs[0]
    activation = getattr(node.operation, "activation", None)
    if getattr(activation, "__name__", "linear") != "linear":
        return own
    while len(following := uses[id(node.outputs[0])]) == 1:
        node = following[0]
        # What works on every value alone, and sums of two paths, keep the shape.
        if node.outputs[0].shape != own.shape or _is_convolution(node.operation) or _is_pooling(node.operation):
            break
        if {"activations", "nn"} & set(type(node.operation).__module__.split(".")):
            return node.outputs[0]
    return own


def _named(stages: list[_Stage]) -> list[tuple[str, _Stage]]:
    """Each stage with its layer's name, or with its kind and number where Keras made up the name."""
    counts: dict[str, int] = defaultdict(int)
    found = []
    for stage in stages:
        kind = "convolution" if stage.convolution else "pooling"
        counts[kind] += 1
        # Keras numbers the names it makes up through the whole process, so they would tell what ran before.
        made_up = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", type(stage.layer).__name__).lower()
        given = not re.fullmatch(rf"{made_up}(_\d+)?", stage.layer.name)
        found.append((stage.layer.name if given else f"{kind} {counts[kind]}", stage))
    return found


def _chosen(shown: Shown, image: int | None) -> int:
    """The test image of this number, or the first that the model names rightly."""
    chosen = _first_right(shown) if image is None else image
    if not 0 <= chosen < len(shown.test):
        raise UsageError(f"There is no test image {chosen}; the split has {len(shown.test):,}, counted from 0.")
    return chosen


def _first_right(shown: Shown) -> int:
    """The first test image that the model names rightly; the first of all where there is none."""
    return int(np.argmax(shown.probabilities.argmax(axis=1) == shown.test.labels))


def _row_of_maps(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Maps, shape (h, w, n), side by side, each on its own scale, with gaps of the grey value 0, which no map has."""
    largest = np.abs(values).max(axis=(0, 1))
    share = values / np.where(largest > 0, largest, 1)
    if (values < 0).any():
        share = (share + 1) / 2
    greys = np.maximum(np.round(np.round(share * GREYS) * (255 / GREYS)), 1).astype(np.uint8)
    # All maps get the same room, so that those of one layer stand under those of the layer before.
    side = max(MAP_SIDE, *values.shape[:2])
    greys = greys.repeat(side // max(values.shape[:2]), axis=0).repeat(side // max(values.shape[:2]), axis=1)
    height, width, maps = greys.shape
    row = np.zeros((side, maps * (side + MAP_GAP) - MAP_GAP), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    for k in range(maps):
        start = k * (side + MAP_GAP) + left
        row[top : top + height, start : start + width] = greys[:, :, k]
    return row


def _augmented(shown: Shown, recipe: Recipe, *, chosen: int, epochs: int) -> NDArray[np.uint8]:
    """An image in a batch with those that follow, as a recipe shows it epoch by epoch; shape (epochs, h, w, ...)."""
    import keras

    test, shape = shown.test, shown.input.arrays[0].shape
    batch = np.roll(np.arange(len(test), dtype=np.int32), -chosen)[:_BATCH]
    shows, pictures = augmentation.Presentation.of(shown.input, recipe, test.inputs), []
    for epoch in range(epochs):
        (drawn,) = augmentation.draws_of_epoch(
            recipe,
            seed=shown.seed,
            epoch=epoch,
            order=batch[np.newaxis],
            examples=len(test),
            shape=shape,
        )
        seen = shows.shown(test.rows(batch).inputs, drawn)
        pictures.append(np.rint(255 * keras.ops.convert_to_numpy(seen)[0]).astype(np.uint8))
    return np.stack(pictures)


def _row_of_pictures(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures, shape (n, h, w) or (n, h, w, channels), side by side, with gaps of 0, which no pixel has any more."""
    gap = np.zeros((pictures.shape[1], MAP_GAP, *pictures.shape[3:]), np.uint8)
    parts = [part for picture in pictures for part in (np.maximum(picture, 1), gap)]
    return np.concatenate(parts[:-1], axis=1)


def _as_picture(weights: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Weights as grey values or colors: zero is the middle, the largest weight in size is white or black."""
    largest = float(np.abs(weights).max()) or 1.0
    return np.round(127.5 + 127.5 * weights / largest).astype(np.uint8)


def _worst_confusion(counts: NDArray[np.int64], classes: tuple[str, ...]) -> str:
    mistakes = counts - np.diag(np.diag(counts))
    if not mistakes.any():
        return "There is no mistake."
    row, column = divmod(int(mistakes.argmax()), len(classes))
    return f"The commonest mistake: {classes[row]} taken for {classes[column]}, {_times(mistakes[row, column])}."


def _times(count: np.int64) -> str:
    return counted(int(count), "time")


def _exhibit(kind: str, shown: Shown, **content: Any) -> dict[str, Any]:
    return {"kind": kind, "variant": shown.variant, "seed": shown.seed, **content}

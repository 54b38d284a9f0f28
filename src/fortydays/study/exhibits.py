"""The pictures and tables of a day, as JSON values that a page and a terminal can both show.

There are four kinds, and a report needs to know only these:

* ``matrix``: ``rows``, ``columns`` (names) and ``values`` (numbers);
* ``pictures``: ``pictures``, each with a ``png`` (base64) and a ``label``, laid out in ``columns``; in a single one,
  they are rows that belong together;
* ``lines``: ``lines``, each with a ``name``, ``x`` and ``y``, and the axes' labels. Those of
  :mod:`fortydays.study.overviews` have intervals and marked points too;
* ``table``: ``columns`` (names) and ``rows``.

All have ``kind``, ``title``, ``caption``, ``variant`` and ``seed``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError, unknown_name
from fortydays.base.text import counted
from fortydays.study.attention import attention_layers, attention_of, grid_of
from fortydays.study.design import Exhibit, Shown
from fortydays.study.fields import FieldError
from fortydays.study.pictures import (
    GAP,
    MAP_SIDE,
    beside,
    enlarged,
    png,
    reduced,
    row_of_maps,
    row_of_pictures,
    stacked,
    weights_as_picture,
)
from fortydays.study.stages import is_convolution, names_of, stages, weights_of
from fortydays.train import augmentation
from fortydays.train.recipe import Recipe

FILTER_SIDE = 24
"""About how many pixels wide a filter is drawn."""

_BATCH = 8  # images that are shown together, of which the others may be mixed into the first


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
            caption=f"Rows are what is right, columns what the model said. {worst}",
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
                {"png": png(reduced(_picture_of(shown, i), side)), "label": label, "index": i} for i, label in mistakes
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
    """The weights from every pixel to some units of the first dense layer, as pictures.

    Where that layer is the only one, its units are the classes: the weights are the template of each.
    """
    _check("first_layer_weights", count=count)

    def make(shown: Shown) -> dict[str, Any]:
        shape = shown.test.array.shape[1:]
        kernel, *others = (w for layer in shown.model.layers for w in layer.get_weights() if w.ndim == 2)
        if not others and kernel.shape[1] == len(shown.classes):
            return _exhibit(
                "pictures",
                shown,
                title="The template of each class",
                caption="White pixels speak for the class, black against it, grey does not matter to it.",
                columns=5,
                pictures=[
                    {"png": png(weights_as_picture(kernel[:, place].reshape(shape))), "label": name}
                    for place, name in enumerate(shown.classes)
                ],
            )
        # The units that matter most to what follows: those with the largest weights.
        strongest = np.argsort(-np.linalg.norm(kernel, axis=0), kind="stable")[:count]
        return _exhibit(
            "pictures",
            shown,
            title="What the first layer looks for",
            caption=f"The {len(strongest)} of {kernel.shape[1]} units with the largest weights. "
            "White pixels speak for the unit, black against it, grey does not matter to it.",
            columns=8,
            pictures=[
                {"png": png(weights_as_picture(kernel[:, unit].reshape(shape))), "label": ""} for unit in strongest
            ],
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
        kernel = next((w for w in weights_of(shown.model) if w.ndim == 4), None)
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
            pictures=[
                {"png": png(enlarged(weights_as_picture(kernel[..., k]), factor)), "label": ""} for k in strongest
            ],
        )

    return Exhibit(variant=variant, make=make)


def feature_maps(*, variant: str, image: int | None = None, maps: int = 8, layers: int = 12) -> Exhibit:
    """What the convolutions and poolings make of one photograph, layer by layer.

    Shown is each layer's output after its activation, also where that is a layer of its own, behind a normalization
    or behind the sum of a residual block. A row has the maps that are largest in the mean, each on a scale of its own.

    Args:
        variant: whose trial.
        image: which image of the test split; None for the first that the model names rightly.
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
        found = list(stages(shown.model, scaled))
        if not any(is_convolution(layer) for layer, _ in found):
            raise UsageError(
                f"The model of {shown.variant!r} has no convolution, so there are no feature maps to show."
            )
        places = np.linspace(0, len(found) - 1, min(layers, len(found))).round()
        names = names_of([layer for layer, _ in found])
        kept = [(names[int(place)], found[int(place)][1]) for place in places]
        large = png(enlarged(photograph, 2))
        rows: list[dict[str, Any]] = [{"png": large, "label": "the photograph", "index": chosen}]
        for name, values in kept:
            strongest = np.argsort(-values.mean(axis=(0, 1)), kind="stable")[:maps]
            height, width, channels = values.shape
            rows.append(
                {
                    "png": png(row_of_maps(values[:, :, strongest]), transparent=0),
                    "label": f"{name}: {height} × {width}, {counted(channels, 'map')}",
                }
            )
        label, answer = shown.classes[shown.test.labels[chosen]], int(shown.probabilities[chosen].argmax())
        some = f" {len(kept)} of {len(found)} layers are shown." if len(kept) < len(found) else ""
        signs = any((values < 0).any() for _, values in kept)
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


def before_and_after(*, variant: str, layer: str, count: int = 6) -> Exhibit:
    """Photographs as they are, and as a layer passes them on that makes images of images.

    Args:
        variant: whose trial.
        layer: the layer's name in the model.
        count: how many test images, from the first.

    Raises (when the exhibit is made):
        UsageError: the model has no such layer, or what it gives is no image.
    """
    _check("before_and_after", count=count)

    def make(shown: Shown) -> dict[str, Any]:
        import keras

        found = {each.name: each for each in shown.model.layers}
        if layer not in found:
            raise unknown_name("layer", layer, found, of=f"the model of {shown.variant!r}")
        before = shown.test.array[:count]
        after = keras.ops.convert_to_numpy(found[layer](before.astype(np.float32)))
        if after.shape[0] != len(before) or after.ndim != 4 or after.shape[-1] not in (1, 3):
            raise UsageError(f"The layer {layer!r} of {shown.variant!r} gives {after.shape}, which are no images.")
        rows = [(f"{len(before)} test images", before), (f"after {layer}", after.clip(0, 255).astype(np.uint8))]
        return _exhibit(
            "pictures",
            shown,
            title="What the network sees",
            caption=f"The first {len(before)} test images, as they are and as the layer {layer} passes them on.",
            columns=1,
            pictures=[
                {
                    "png": png(row_of_pictures(np.stack([enlarged(each, 2) for each in row])), transparent=0),
                    "label": label,
                }
                for label, row in rows
            ],
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
        image: which image of the test split; None for the first that the model names rightly.
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
            rows.append({"png": png(row_of_pictures(pictures), transparent=0), "label": label})
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


def attention_maps(*, variant: str, block: int | None = None, count: int = 6) -> Exhibit:
    """Photographs, and beside each where the heads of an attention layer look: a map for each head.

    A map has the share of attention that each place of the image gets, in the mean over all places that ask. It is for
    networks whose places are square patches of the image, row by row, without a place for anything else.

    Args:
        variant: whose trial.
        block: which attention layer of the model, counted from 1; None for the last one.
        count: how many test images, from the first.

    Raises (when the exhibit is made):
        UsageError: the model has no such layer, or its places do not cover the image.
    """
    _check("attention_maps", count=count, **({} if block is None else {"block": block}))

    def make(shown: Shown) -> dict[str, Any]:
        layers = attention_layers(shown.model)
        if not layers:
            raise UsageError(f"The model of {shown.variant!r} has no attention layer, so there are no maps to show.")
        if block is not None and block > len(layers):
            raise UsageError(
                f"The attention layer {block} of {shown.variant!r} is to be shown; "
                f"the model has {counted(len(layers), 'attention layer')}."
            )
        chosen = len(layers) if block is None else block
        images = shown.test.array[:count]
        scaled = images.astype(np.float32) / np.float32(255)
        # In the mean over the places that ask: shape (images, heads, places).
        shares = attention_of(shown.model, layers[chosen - 1], scaled).mean(axis=2)
        heads, places = shares.shape[1:]
        grid = grid_of(places, height=images.shape[1], width=images.shape[2])
        rows = []
        for place in range(len(images)):
            maps = row_of_maps(shares[place].reshape(heads, *grid).transpose(1, 2, 0))
            what, answer = shown.classes[shown.test.labels[place]], int(shown.probabilities[place].argmax())
            sure = f"{shown.classes[answer]} {100 * shown.probabilities[place, answer]:.0f}%"
            photograph = reduced(_picture_of(shown, place), MAP_SIDE)
            rows.append(
                {"png": png(beside(photograph, maps), transparent=0), "label": f"{what} → {sure}", "index": place}
            )
        return _exhibit(
            "pictures",
            shown,
            title="Where the attention heads look",
            caption=f"Each row has a test image, and a map for each of the {counted(heads, 'head')} of attention "
            f"layer {chosen} of {len(layers)}: the share of attention that each of the {places} places gets, in the "
            "mean over all places that ask. Black is nothing, white the map's own largest share. Spread evenly, each "
            f"place would get {100 / places:.1f}%; the largest share in these maps is {100 * shares.max():.1f}%. "
            "Under each: what it is → what the model said, and how sure it was.",
            columns=1,
            pictures=rows,
        )

    return Exhibit(variant=variant, make=make)


def position_similarity(*, variant: str, layer: str = "positions") -> Exhibit:
    """How alike the learned vectors of places are: for each place of an image, a map of its cosines with all others.

    Args:
        variant: whose trial.
        layer: the name of the layer in the model that has the vectors: one weight of shape (places, width), for square
            patches of the image, row by row.

    Raises (when the exhibit is made):
        UsageError: the model has no such layer, or what it has are no vectors of such places.
    """

    def make(shown: Shown) -> dict[str, Any]:
        found = {each.name: each for each in shown.model.layers}
        if layer not in found:
            raise unknown_name("layer", layer, found, of=f"the model of {shown.variant!r}")
        weights = found[layer].get_weights()
        if len(weights) != 1 or weights[0].ndim != 2:
            shapes = ", ".join(str(w.shape) for w in weights) or "no weights"
            raise UsageError(
                f"The layer {layer!r} of {shown.variant!r} has {shapes}; expected one weight of shape (places, width)."
            )
        vectors = weights[0].astype(np.float64)
        rows, columns = grid_of(len(vectors), height=shown.test.array.shape[1], width=shown.test.array.shape[2])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        alike = (units := vectors / np.where(lengths > 0, lengths, 1)) @ units.T
        # All maps at once, so that all have the same scale: each has its largest value, 1, at its own place.
        strip = row_of_maps(alike.reshape(rows, columns, -1).astype(np.float32))
        wide = (strip.shape[1] + GAP) // len(vectors) * columns
        lines = [strip[:, place * wide : (place + 1) * wide - GAP] for place in range(rows)]
        zero = "black is -1 and mid-grey 0" if (alike < 0).any() else "black is 0"
        return _exhibit(
            "pictures",
            shown,
            title="How alike the positions are",
            caption=f"The image has {rows} × {columns} places, and so have the maps. Each shows the cosines of the "
            f"learned vector of its own place with those of all places. White is 1, {zero}. "
            f"{_neighbors(alike, rows, columns)}",
            columns=1,
            pictures=[
                {"png": png(stacked(lines), transparent=0), "label": f"a map for each of {rows} × {columns} places"}
            ],
        )

    return Exhibit(variant=variant, make=make)


def _neighbors(alike: NDArray[np.float64], rows: int, columns: int) -> str:
    """In words, how alike places are that touch each other, and all others."""
    down, across = np.divmod(np.arange(rows * columns), columns)
    steps = np.abs(down[:, None] - down) + np.abs(across[:, None] - across)
    near, far = alike[steps == 1], alike[steps > 1]
    if not near.size or not far.size:
        return "There are too few places to compare."
    return f"In the mean, it is {near.mean():.2f} for places side by side, and {far.mean():.2f} for all others."


def count_confusions(labels: NDArray[Any], answers: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """How often each class (row) was answered with each class (column); int64, shape (classes, classes)."""
    pairs = labels.astype(np.int64) * classes + answers.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _chosen(shown: Shown, image: int | None) -> int:
    """The test image of this number, or the first that the model names rightly, or the first of all."""
    chosen = int(np.argmax(shown.probabilities.argmax(axis=1) == shown.test.labels)) if image is None else image
    if not 0 <= chosen < len(shown.test):
        raise UsageError(f"There is no test image {chosen}; the split has {len(shown.test):,}, counted from 0.")
    return chosen


def _augmented(shown: Shown, recipe: Recipe, *, chosen: int, epochs: int) -> NDArray[np.uint8]:
    """An image in a batch with those that follow, as a recipe shows it epoch by epoch; shape (epochs, h, w, ...)."""
    import keras

    test, shape = shown.test, shown.input.arrays[0].shape
    batch = np.roll(np.arange(len(test), dtype=np.int32), -chosen)[:_BATCH]
    shows, pictures = augmentation.Augmentation.of(shown.input, recipe, test.inputs), []
    for epoch in range(epochs):
        (drawn,) = augmentation.draws_of_epoch(
            recipe,
            seed=shown.seed,
            epoch=epoch,
            order=batch[np.newaxis],
            examples=len(test),
            shape=shape,
        )
        seen = shows.augmented(test.rows(batch).inputs, drawn)
        pictures.append(np.rint(255 * keras.ops.convert_to_numpy(seen)[0]).astype(np.uint8))
    return np.stack(pictures)


def _worst_confusion(counts: NDArray[np.int64], classes: tuple[str, ...]) -> str:
    mistakes = counts - np.diag(np.diag(counts))
    if not mistakes.any():
        return "There is no mistake."
    row, column = divmod(int(mistakes.argmax()), len(classes))
    times = counted(int(mistakes[row, column]), "time")
    return f"The commonest mistake: {classes[row]} taken for {classes[column]}, {times}."


def _exhibit(kind: str, shown: Shown, **content: Any) -> dict[str, Any]:
    return {"kind": kind, "variant": shown.variant, "seed": shown.seed, **content}

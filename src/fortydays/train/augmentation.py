"""What a network is shown of an example, in training and when tested.

Images are mirrored, shifted, turned, zoomed, cropped, changed in contrast, or have a square covered; examples of any
kind can be mixed. What is drawn for each example of an epoch derives from the seed and the epoch, like the order, and
is computed in NumPy: every backend and the tests' reference show the same pixels, and a killed trial goes on with the
same bits. Only the pixels themselves are moved and changed inside the compiled epoch. They are moved by arithmetic on
whole numbers, interpolation included, so that two backends can differ only in how they round what comes after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.inputs.input import Arrays, Input, some_of
from fortydays.train.recipe import Recipe

if TYPE_CHECKING:
    from fortydays.train.backends import Loss

DRAWN = 5
"""Numbers drawn for an image: mirrored (0 or 1), rows and columns shifted, and the corner of the covered square."""

DRAWN_IN_ALL = 10
"""Numbers drawn where a recipe turns, zooms, changes contrast or mixes: five more, in units of 1/:data:`ONE`.

They are the cosine and the sine of the turn, both times the side that zooming shows; the factor of contrast; the place
in the batch of the image that is mixed in (a whole number); and the share that the image itself keeps.
"""

DRAWN_WITH_A_CROP = 14
"""Numbers drawn where a recipe crops: four more, in units of 1/:data:`ONE`.

The cosine and the sine before are times the height of the rectangle, as a share of the image's; the first two are the
same times its width. The others say how far its middle is from that of the image, downwards and to the right, in half
pixels.
"""

ONE = 2**16
"""What stands for 1 among the drawn numbers that are not whole."""

LARGEST_SIDE = 2048
"""Pixels that a turned or zoomed image may be high and wide: its places are counted in whole numbers of 32 bits."""

_FINE = 2**8
"""Steps between two pixels in interpolation: a weighted sum of four pixels is then exact in float32 (24 bits)."""

_COSINE, _SINE, _CONTRAST, _PARTNER, _SHARE = range(DRAWN, DRAWN_IN_ALL)
_WIDE_COSINE, _WIDE_SINE, _BELOW, _BESIDE = range(DRAWN_IN_ALL, DRAWN_WITH_A_CROP)

_NARROWEST, _WIDEST = 3 / 4, 4 / 3
"""Width over height of the rectangles that a crop takes, in shares of the image's."""

VIEWS = {
    "none": (((0, 0, 0), 1.0),),
    "flip": (((0, 0, 0), 0.5), ((1, 0, 0), 0.5)),
    "flip and shift": (
        ((0, 0, 0), 0.25),
        ((1, 0, 0), 0.25),
        ((0, -1, -1), 0.125),
        ((1, -1, -1), 0.125),
        ((0, 1, 1), 0.125),
        ((1, 1, 1), 0.125),
    ),
}
"""The views whose answers are averaged, as (mirrored, rows, columns), and their weights (Jordan, 2024)."""

_DRAWS, _FIRST_FLIPS = 1, 2  # keep these random numbers apart from those of the order


def augments(recipe: Recipe) -> bool:
    """Whether the recipe shows anything but the examples as they are."""
    return recipe.flip != "none" or recipe.shift > 0 or recipe.cutout > 0 or _draws_more(recipe)


def resamples(recipe: Recipe) -> bool:
    """Whether the recipe shows images between whose pixels one must interpolate."""
    return recipe.rotation > 0 or recipe.zoom > 0 or recipe.crop > 0


def changes_of_examples(recipe: Recipe) -> dict[str, object]:
    """The fields, with their values, by which a recipe shows examples as they are not, in training or when tested."""
    names = ("flip", "shift", "cutout", "rotation", "zoom", "crop", "contrast", "mixup", "test_views")
    return {name: value for name in names if (value := getattr(recipe, name)) not in ("none", 0)}


def _draws_more(recipe: Recipe) -> bool:
    return resamples(recipe) or recipe.contrast > 0 or recipe.mixup > 0


def draws_of_epoch(
    recipe: Recipe, *, seed: int, epoch: int, order: NDArray[np.int32], examples: int, shape: tuple[int, ...]
) -> NDArray[np.int32]:
    """What is drawn for every example of an epoch.

    Args:
        recipe: its ``flip``, ``shift``, ``cutout``, ``rotation``, ``zoom``, ``crop``, ``contrast`` and
            ``mixup``.
        seed: the trial's seed.
        epoch: counted from 0.
        order: int32, shape (steps, batch): the epoch's batches.
        examples: number of training examples.
        shape: of an example's array; of images (height, width) or (height, width, channels).

    Returns:
        int32, shape (steps, batch, 10); (steps, batch, 14) where the recipe crops; (steps, batch, 5) where it only
        mirrors, shifts and covers; or (steps, batch, 0) where it shows the examples as they are.
    """
    if not augments(recipe):
        return np.zeros((*order.shape, 0), np.int32)
    random = np.random.default_rng([seed, epoch, _DRAWS])
    columns = DRAWN_WITH_A_CROP if recipe.crop else DRAWN_IN_ALL if _draws_more(recipe) else DRAWN
    drawn = np.zeros((*order.shape, columns), np.int32)
    if recipe.flip == "random":
        drawn[..., 0] = random.integers(0, 2, order.shape)
    elif recipe.flip == "alternating":
        # Every image has its own first side and then shows the other one each time (Jordan, 2024): two epochs show
        # both sides of all images, where independent draws would show half of them the same side twice.
        first = np.random.default_rng([seed, 0, _FIRST_FLIPS]).integers(0, 2, examples)
        drawn[..., 0] = (first[order] + epoch) % 2
    if recipe.shift:
        drawn[..., 1:3] = random.integers(-recipe.shift, recipe.shift + 1, (*order.shape, 2))
    if recipe.cutout:
        # The square's middle is anywhere in the image, so that it may stick out (DeVries and Taylor, 2017).
        height, width = shape[:2]
        drawn[..., 3] = random.integers(0, height, order.shape) - recipe.cutout // 2
        drawn[..., 4] = random.integers(0, width, order.shape) - recipe.cutout // 2
    if _draws_more(recipe):
        drawn[..., DRAWN:] = _more_draws(recipe, random, order.shape, shape)
    return drawn


def _more_draws(
    recipe: Recipe, random: np.random.Generator, shape: tuple[int, ...], image: tuple[int, ...]
) -> NDArray[np.int32]:
    """The numbers after the first five, int32, shape (steps, batch, 5 or 9); what is not drawn changes nothing."""
    places = np.arange(shape[1])
    angle = (
        np.deg2rad(random.uniform(-recipe.rotation, recipe.rotation, shape)) if recipe.rotation else np.zeros(shape)
    )
    side = random.uniform(1 - recipe.zoom, 1 + recipe.zoom, shape) if recipe.zoom else np.ones(shape)
    factor = random.uniform(1 - recipe.contrast, 1 + recipe.contrast, shape) if recipe.contrast else np.ones(shape)
    share, partner = np.ones(shape), np.broadcast_to(places, shape)
    if recipe.mixup:
        share = random.beta(recipe.mixup, recipe.mixup, shape)
        partner = (places + random.integers(1, shape[1], shape)) % shape[1]
    more = [side * np.cos(angle), side * np.sin(angle), factor, partner / ONE, share]
    if recipe.crop:  # drawn last, so that it changes none of the others
        height, width, below, beside = _crops(recipe, random, shape, image)
        cosine, sine = more[:2]
        more = [height * cosine, height * sine, *more[2:], width * cosine, width * sine, below, beside]
    return np.rint(np.stack(more, axis=-1) * ONE).astype(np.int32)


def _crops(
    recipe: Recipe, random: np.random.Generator, shape: tuple[int, ...], image: tuple[int, ...]
) -> tuple[NDArray[np.float64], ...]:
    """Heights and widths of rectangles, as shares of the image's, and how far their middles are from its own.

    The latter in half pixels, downwards and to the right. A rectangle lies wholly in the image.
    """
    area = random.uniform(1 - recipe.crop, 1, shape)
    ratio = np.exp(random.uniform(np.log(_NARROWEST), np.log(_WIDEST), shape))
    height, width = (np.minimum(1.0, np.sqrt(side)) for side in (area / ratio, area * ratio))
    below, beside = (
        random.uniform(-1, 1, shape) * (1 - share) * size
        for share, size in zip((height, width), image[:2], strict=True)
    )
    return height, width, below, beside


def moved(images: Any, drawn: Any) -> Any:
    """Images mirrored and shifted as drawn; what a shift uncovers shows the image's own edge, reflected.

    Args:
        images: tensor of any type, shape (n, height, width) or (n, height, width, channels).
        drawn: int32, shape (n, 3) or with more columns.

    Returns:
        A tensor of the same type and shape.
    """
    from keras import ops

    n, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
    mirrored, down, right = (drawn[:, i : i + 1] for i in range(3))
    rows = _reflected(ops.arange(height, dtype="int32")[None, :] - down, height)
    columns = _reflected(ops.arange(width, dtype="int32")[None, :] - right, width)
    columns = columns + mirrored * (width - 1 - 2 * columns)
    image = ops.reshape(ops.arange(n, dtype="int32"), (-1, 1, 1)) * height
    pixels = (image + rows[:, :, None]) * width + columns[:, None, :]
    return ops.take(ops.reshape(images, (-1, *images.shape[3:])), pixels, axis=0)


def _reflected(positions: Any, size: int) -> Any:
    """Positions outside an axis, by less than its size, mirrored at its first and last element."""
    from keras import ops

    return (size - 1) - ops.abs((size - 1) - ops.abs(positions))


def resampled(images: Any, drawn: Any, *, cropped: bool = False) -> Any:
    """Images mirrored, cropped, then turned about their middle and zoomed, then shifted, by one interpolation.

    What comes to lie outside an image shows its own edge, reflected. Between pixels, the four around are weighted by
    how near they are (bilinear interpolation), in steps of 1/256 of a pixel.

    Args:
        images: uint8 tensor, shape (n, height, width) or (n, height, width, channels), at most :data:`LARGEST_SIDE`
            high and wide.
        drawn: int32, shape (n, 10), or (n, 14) where they are cropped.
        cropped: whether they are.

    Returns:
        float32 from 0 to 1, of the same shape. Where no turn, zoom or crop is drawn, the pixels of :func:`moved`.
    """
    from keras import ops

    return ops.cast(interpolated(images, drawn, cropped=cropped), "float32") / (255.0 * _FINE**2)


def interpolated(images: Any, drawn: Any, *, cropped: bool = False) -> Any:
    """What :func:`resampled` gives, before it is divided: int32, in 1/65536 of a pixel's value."""
    from keras import ops

    n, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
    mirrored, down, right, cosine, sine = (ops.reshape(drawn[:, i], (-1, 1, 1)) for i in (0, 1, 2, _COSINE, _SINE))
    # Places are counted from the middle, in half pixels, so that the middle of an even number of pixels is one too.
    below = 2 * (ops.reshape(ops.arange(height, dtype="int32"), (1, -1, 1)) - down) - (height - 1)
    beside = 2 * (ops.reshape(ops.arange(width, dtype="int32"), (1, 1, -1)) - right) - (width - 1)
    rows = cosine * below + sine * beside + (height - 1) * ONE
    if cropped:
        rows = rows + ops.reshape(drawn[:, _BELOW], (-1, 1, 1))
    # The row is found before the column is computed. A program is known by its operations one by one, and without a
    # crop it is what it was before there were crops.
    row, row_share = _pixel_and_share(rows)
    if cropped:
        cosine, sine = (ops.reshape(drawn[:, i], (-1, 1, 1)) for i in (_WIDE_COSINE, _WIDE_SINE))
    columns = cosine * beside - sine * below + (width - 1) * ONE
    if cropped:
        columns = columns + ops.reshape(drawn[:, _BESIDE], (-1, 1, 1))
    column, column_share = _pixel_and_share(columns)
    image = ops.reshape(ops.arange(n, dtype="int32"), (-1, 1, 1)) * height
    flat = ops.reshape(images, (-1, *images.shape[3:]))
    of_channels = (1,) * (len(images.shape) - 3)

    def weighed(row: Any, column: Any, weight: Any) -> Any:
        column = _folded(column, width)
        column = column + mirrored * (width - 1 - 2 * column)
        pixels = ops.take(flat, (image + _folded(row, height)) * width + column, axis=0)
        return ops.cast(pixels, "int32") * ops.reshape(weight, (-1, height, width, *of_channels))

    return (
        weighed(row, column, (_FINE - row_share) * (_FINE - column_share))
        + weighed(row, column + 1, (_FINE - row_share) * column_share)
        + weighed(row + 1, column, row_share * (_FINE - column_share))
        + weighed(row + 1, column + 1, row_share * column_share)
    )


def _pixel_and_share(places: Any) -> tuple[Any, Any]:
    """Places in half pixels of 1/:data:`ONE`: the pixel before each, and how far on to the next it is, of 256."""
    from keras import ops

    step = 2 * ONE // _FINE
    fine = ops.right_shift(places + step // 2, step.bit_length() - 1)
    return ops.right_shift(fine, _FINE.bit_length() - 1), ops.bitwise_and(fine, _FINE - 1)


def _folded(positions: Any, size: int) -> Any:
    """Positions outside an axis, however far, mirrored at its first and last element as often as it takes."""
    from keras import ops

    return (size - 1) - ops.abs((size - 1) - ops.mod(positions, max(1, 2 * (size - 1))))


def contrasted(images: Any, drawn: Any) -> Any:
    """Images with their contrast changed around the mean of each image and channel, cut off at 0 and 1.

    Args:
        images: float32 tensor from 0 to 1, shape (n, height, width) or (n, height, width, channels).
        drawn: int32, shape (n, 10).
    """
    from keras import ops

    means = ops.mean(images, axis=(1, 2), keepdims=True)
    return ops.clip(means + _of_example(drawn, _CONTRAST, images) * (images - means), 0.0, 1.0)


def covered(images: Any, drawn: Any, *, side: int, fill: NDArray[np.float32]) -> Any:
    """Images with a square covered (cutout).

    Args:
        images: float tensor, shape (n, height, width, ...).
        drawn: int32, shape (n, 5) or (n, 10).
        side: of the square, in pixels.
        fill: what it is covered with, shape () or (channels,).
    """
    from keras import ops

    height, width = images.shape[1:3]
    rows, columns = ops.arange(height, dtype="int32")[None, :], ops.arange(width, dtype="int32")[None, :]
    top, left = drawn[:, 3:4], drawn[:, 4:5]
    in_rows = ops.logical_and(rows >= top, rows < top + side)
    in_columns = ops.logical_and(columns >= left, columns < left + side)
    hidden = ops.logical_and(in_rows[:, :, None], in_columns[:, None, :])
    hidden = ops.reshape(hidden, (-1, height, width, *(1,) * (len(images.shape) - 3)))
    return ops.where(hidden, ops.cast(fill, images.dtype), images)


def mixed(examples: Any, drawn: Any) -> Any:
    """Examples shown through each other: of each its share, and the rest of its partner in the batch (mixup).

    Args:
        examples: float32 tensor, shape (n, ...).
        drawn: int32, shape (n, 10).
    """
    share = _of_example(drawn, _SHARE, examples)
    return share * examples + (1.0 - share) * _of_partners(examples, drawn)


def _of_example(drawn: Any, column: int, like: Any) -> Any:
    """A drawn number that is not whole, as float32, shaped to be multiplied with examples."""
    from keras import ops

    return ops.reshape(ops.cast(drawn[:, column], "float32") / float(ONE), (-1, *(1,) * (len(like.shape) - 1)))


def _of_partners(values: Any, drawn: Any) -> Any:
    from keras import ops

    return ops.take(values, drawn[:, _PARTNER], axis=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Augmentation:
    """How examples are shown to a network, inside a compiled program.

    Attributes:
        input: what the examples are.
        recipe: how they are changed in training.
        fill: what covered squares show, float32, shape () or (channels,).
    """

    input: Input
    recipe: Recipe
    fill: NDArray[np.float32]

    @classmethod
    def of(cls, input: Input, recipe: Recipe, train: Arrays) -> "Augmentation":
        """The augmentation that a recipe asks for, of a training split with these arrays."""
        fill = mean_colour(train) if recipe.cutout else np.zeros((), np.float32)
        return cls(input=input, recipe=recipe, fill=fill)

    def plain(self, inputs: Mapping[str, Any]) -> Any:
        """What the network gets of a batch as it is."""
        from keras import ops

        return self.input.in_network(inputs, ops.cast)

    def augmented(self, inputs: Mapping[str, Any], drawn: Any) -> Any:
        """What the network gets of a batch in training, changed as drawn.

        Args:
            inputs: tensors by name.
            drawn: int32, shape (n, 14), (n, 10), (n, 5) or (n, 0): what :func:`draws_of_epoch` gives for the batch.
        """
        recipe = self.recipe
        if not augments(recipe):
            return self.plain(inputs)
        ((name, images),) = inputs.items()  # of what has more arrays, no recipe changes any
        if resamples(recipe):
            images = resampled(images, drawn, cropped=recipe.crop > 0)
        else:
            if recipe.flip != "none" or recipe.shift:
                images = moved(images, drawn)
            images = self.plain({name: images})
        if recipe.contrast:
            images = contrasted(images, drawn)
        if recipe.cutout:
            images = covered(images, drawn, side=recipe.cutout, fill=self.fill)
        return mixed(images, drawn) if recipe.mixup else images

    def losses(self, loss: "Loss", labels: Any, outputs: Any, drawn: Any) -> Any:
        """The loss of each example in training: of a mixed one, that for both labels by their shares.

        Args:
            loss: one value for each example.
            labels: int32 tensor, shape (n,).
            outputs: of the network, shape (n, ...).
            drawn: as for :meth:`augmented`.

        Returns:
            float32, shape (n,).
        """
        if not self.recipe.mixup:
            return loss(labels, outputs)
        share = _of_example(drawn, _SHARE, labels)
        of_partners = loss(_of_partners(labels, drawn), outputs)
        return share * loss(labels, outputs) + (1.0 - share) * of_partners

    def heavier_labels(self, labels: Any, drawn: Any) -> Any:
        """The right label of each example: of a mixed one, that with the larger share (its own if neither is).

        Args:
            labels: int32 tensor, shape (n,).
            drawn: as for :meth:`augmented`.
        """
        from keras import ops

        if not self.recipe.mixup:
            return labels
        return ops.where(drawn[:, _SHARE] >= ONE // 2, labels, _of_partners(labels, drawn))


def views(input: Input, inputs: Mapping[str, Any], test_views: str) -> list[tuple[Any, float]]:
    """The views of a batch that a test averages over: what the network gets of each, and its weight.

    Args:
        input: what the examples are.
        inputs: tensors by name.
        test_views: a name in :data:`VIEWS`.
    """
    from keras import ops

    found = []
    for view, weight in VIEWS[test_views]:
        shown = inputs
        if any(view):
            ((name, images),) = inputs.items()
            drawn = ops.broadcast_to(ops.convert_to_tensor(np.array([view], np.int32)), (ops.shape(images)[0], 3))
            shown = {name: moved(images, drawn)}
        found.append((input.in_network(shown, ops.cast), weight))
    return found


def mean_colour(arrays: Arrays) -> NDArray[np.float32]:
    """The mean of :func:`some_of` the images, from 0 to 1, float32, shape () or (channels,): what cutout shows.

    Args:
        arrays: of images.
    """
    (images,) = some_of(arrays).values()
    return np.asarray(images.mean(axis=(0, 1, 2), dtype=np.float64) / 255, np.float32)

"""What a network is shown of an image: mirrored, shifted, or with a square covered, in training and when tested.

What is drawn for each image of an epoch derives from the seed and the epoch, like the order, and is computed in NumPy:
every backend and the reference engine show the same pixels, and a killed trial goes on with the same bits. Only the
pixels themselves are moved inside the compiled epoch.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.train.recipe import Recipe

DRAWN = 5
"""Numbers drawn for an image: mirrored (0 or 1), rows and columns shifted, and the corner of the covered square."""

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
    """Whether the recipe shows anything but the images as they are."""
    return recipe.flip != "none" or recipe.shift > 0 or recipe.cutout > 0


def draws_of_epoch(
    recipe: Recipe, *, seed: int, epoch: int, order: NDArray[np.int32], examples: int, image_shape: tuple[int, ...]
) -> NDArray[np.int32]:
    """What is drawn for every image of an epoch.

    Args:
        recipe: its ``flip``, ``shift`` and ``cutout``.
        seed: the trial's seed.
        epoch: counted from 0.
        order: int32, shape (steps, batch): the epoch's batches.
        examples: number of training examples.
        image_shape: (height, width) or (height, width, channels).

    Returns:
        int32, shape (steps, batch, 5), or (steps, batch, 0) where the recipe shows the images as they are.
    """
    if not augments(recipe):
        return np.zeros((*order.shape, 0), np.int32)
    random = np.random.default_rng([seed, epoch, _DRAWS])
    drawn = np.zeros((*order.shape, DRAWN), np.int32)
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
        height, width = image_shape[:2]
        drawn[..., 3] = random.integers(0, height, order.shape) - recipe.cutout // 2
        drawn[..., 4] = random.integers(0, width, order.shape) - recipe.cutout // 2
    return drawn


def moved(images: Any, drawn: Any) -> Any:
    """Images mirrored and shifted as drawn; what a shift uncovers shows the image's own edge, reflected.

    Args:
        images: tensor of any type, shape (n, height, width) or (n, height, width, channels).
        drawn: int32, shape (n, 5) or (n, 3).

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


def covered(images: Any, drawn: Any, *, side: int, fill: NDArray[np.float32]) -> Any:
    """Images with a square covered (cutout).

    Args:
        images: float tensor, shape (n, height, width, ...).
        drawn: int32, shape (n, 5).
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


def scaled(images: Any) -> Any:
    """uint8 images as float32 from 0 to 1, inside a graph."""
    from keras import ops

    return ops.cast(images, "float32") / 255.0


def shown(images: Any, drawn: Any, recipe: Recipe, *, fill: NDArray[np.float32]) -> Any:
    """What the network gets of a batch in training: uint8 images, augmented as drawn, as float32 from 0 to 1."""
    if recipe.flip != "none" or recipe.shift:
        images = moved(images, drawn)
    images = scaled(images)
    return covered(images, drawn, side=recipe.cutout, fill=fill) if recipe.cutout else images


def views(images: Any, test_views: str) -> list[tuple[Any, float]]:
    """The views of a batch that a test averages over: float32 images from 0 to 1, each with its weight."""
    from keras import ops

    found = []
    for view, weight in VIEWS[test_views]:
        drawn = ops.broadcast_to(ops.convert_to_tensor(np.array([view], np.int32)), (ops.shape(images)[0], 3))
        found.append((scaled(moved(images, drawn) if any(view) else images), weight))
    return found


ENOUGH = 5000
"""How many training images statistics are taken from."""


def some_of(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most :data:`ENOUGH` of the images, evenly spaced."""
    if len(images) <= ENOUGH:
        return images
    return np.take(images, np.linspace(0, len(images) - 1, ENOUGH).astype(np.intp), axis=0)


def mean_colour(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean of :func:`some_of` the images, from 0 to 1, float32, shape () or (channels,): what cutout shows."""
    return np.asarray(some_of(images).mean(axis=(0, 1, 2), dtype=np.float64) / 255, np.float32)

"""Whether a model and a recipe fit a dataset: asked before anything is compiled."""

from typing import TYPE_CHECKING

from fortydays.base.errors import UsageError
from fortydays.data.arrays import TrainingData
from fortydays.inputs.input import check_arrays
from fortydays.train.augmentation import LARGEST_SIDE, changes_of_examples, resamples
from fortydays.train.recipe import Recipe

if TYPE_CHECKING:
    import keras


def check_model_fits(model: "keras.Model", data: TrainingData) -> None:
    """Raise UsageError where a model's input or output does not have the data's shape."""
    specs = data.input.arrays
    begin = f"keras.Input({specs[0].shape})"
    if len(specs) > 1:
        inputs = ", ".join(f'"{s.name}": keras.Input({s.shape}, dtype="{s.dtype}", name="{s.name}")' for s in specs)
        begin = f"keras.Model({{{inputs}}}, ...)"
    if not model.built:
        raise UsageError("The model does not say which examples it takes.", hint=f"Begin it with {begin}.")
    taken, found = getattr(model, "input", None), [tuple(each.shape[1:]) for each in model.inputs]
    if len(specs) == 1:
        fits = len(found) == 1 and _takes(found[0], specs[0].shape)
    else:
        shapes = {n: tuple(t.shape[1:]) for n, t in taken.items()} if isinstance(taken, dict) else {}
        fits = shapes.keys() == {s.name for s in specs} and all(_takes(shapes[s.name], s.shape) for s in specs)
    if not fits:
        wanted = ", ".join(f"{s.name} {s.shape}" for s in specs)
        raise UsageError(
            f"The model's input has shape {', '.join(map(str, found))}; "
            f"the dataset's {data.input.NOUN}s have {wanted}.",
            hint=f"Begin it with {begin}.",
        )
    data.task.check_model(tuple(model.output_shape))


def _takes(shape: tuple[int | None, ...], given: tuple[int, ...]) -> bool:
    """Whether a model's input has a shape; None stands for any size, such as the length of a text."""
    return len(shape) == len(given) and all(
        of_model in (None, size) for of_model, size in zip(shape, given, strict=True)
    )


def check_recipe_fits(recipe: Recipe, data: TrainingData) -> None:
    """Raise UsageError where a recipe asks for what cannot be done with the data.

    A recipe may change examples only in the ways that their kind of input knows. A batch may not be larger than the
    training split, a shift or a square not as large as an image, an image that is turned, zoomed or cropped not
    larger than :data:`LARGEST_SIDE`.
    """
    try:
        check_arrays(data.train.inputs, data.input.arrays)
    except ValueError as error:
        raise UsageError(f"The training examples are not what the dataset says: {error}.") from error
    noun, known = data.input.NOUN, data.input.FIELDS
    unknown = {name: value for name, value in changes_of_examples(recipe).items() if name not in known}
    if unknown:
        raise UsageError(
            f"The recipe has {', '.join(f'{n}={v!r}' for n, v in unknown.items())}, but the dataset's examples are "
            f"{data.input.KIND}, which cannot be changed in that way.",
            hint="Leave these fields unset."
            + (f" For {data.input.KIND} there are: {', '.join(known)}." if known else ""),
        )
    _check_sizes_fit(recipe, data.input.arrays[0].shape)
    if recipe.batch_size > len(data.train):
        raise UsageError(
            f"The batch size is {recipe.batch_size}, but the training split has {len(data.train)} {noun}s.",
            hint=f"Set batch_size to at most {len(data.train)}.",
        )


def _check_sizes_fit(recipe: Recipe, shape: tuple[int, ...]) -> None:
    """The same for what the recipe does with places in images."""
    if not (resamples(recipe) or recipe.shift or recipe.cutout):
        return
    height, width = shape[:2]
    if resamples(recipe) and max(height, width) > LARGEST_SIDE:
        raise UsageError(
            f"The recipe turns, zooms or crops images, but they are {height} x {width}.",
            hint=f"Set rotation=0, zoom=0 and crop=0, or use images of at most {LARGEST_SIDE} pixels a side.",
        )
    if recipe.shift and recipe.shift >= min(height, width):
        raise UsageError(
            f"The recipe shifts images by up to {recipe.shift} pixels, but they are {height} x {width}.",
            hint=f"Set shift to at most {min(height, width) - 1}.",
        )
    if recipe.cutout and recipe.cutout >= min(height, width):
        raise UsageError(
            f"The recipe covers a square of {recipe.cutout} pixels, but the images are {height} x {width}.",
            hint=f"Set cutout to at most {min(height, width) - 1}.",
        )

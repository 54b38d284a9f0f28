"""A rehearsal of a study: all code of its reader's is called once before anything is trained.

A slip in a measure, an exhibit or the last variant's model would come to light after hours of training. Here it does
within seconds, on untrained models.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fortydays.base.errors import FortydaysError, UsageError, in_words
from fortydays.base.machine import describe_machine
from fortydays.base.progress import SILENT, Progress
from fortydays.data.arrays import Dataset, Split, TrainingData
from fortydays.inputs.numbers import Numbers
from fortydays.study.design import Exhibit, Shown, Study, Variant
from fortydays.study.features import read_as, with_features, with_few
from fortydays.train import backends
from fortydays.train.checks import check_model_fits, check_recipe_fits
from fortydays.train.cost import count_of
from fortydays.train.framework import build_model, has_convolutions, load_keras, model_errors, resolve_precision

if TYPE_CHECKING:
    import keras

_MOST_SHOWN = 10_000
_MOST_BYTES = 2**26
"""Of the training images that exhibits are given in the place of the test split."""


def rehearse(
    study: Study, variants: Sequence[Variant], dataset: Dataset, *, threads: int, progress: Progress = SILENT
) -> None:
    """Build the model of each variant, let it answer, and call its measures and exhibits.

    Measures see an untrained model and the validation images, as many as later; exhibits see training images and
    made-up probabilities. Of variants that learn from features, the features are zeros, as the real ones take long.
    The ``progress`` is warned of a variant whose multiply-adds cannot be counted: claims and tables lack them.

    Raises:
        UsageError: a recipe or a model does not fit the data, a model cannot be computed, or a measure or an exhibit
            fails. The message says which, and in a reader's file the line.
    """
    load_keras(threads=threads)
    rng = np.random.default_rng(0)
    for variant in variants:
        examples = read_as(dataset, variant.recipe)
        train, input = examples.training.train, examples.training.input
        count = min(len(train), _MOST_SHOWN, max(16, _MOST_BYTES // input.numbers))
        seen = train.rows(slice(count))
        probabilities = rng.dirichlet(np.ones(len(dataset.classes)), count).astype(np.float32)
        data = _stand_in(variant, examples)
        check_recipe_fits(variant.recipe, data)
        model = _untrained(variant, data)
        if reason := count_of(model, shape=data.input.arrays[0].shape).reason:
            progress.warn(f"{variant.name}: the multiply-adds are not counted: {reason}.")
        for measure in study.measures:
            if variant.name in measure.variants:
                with _told_of(f"The measure {measure.name!r} of {variant.name!r}"):
                    _check_number(measure.of(model, data))
        for exhibit in study.all_exhibits:
            if isinstance(exhibit, Exhibit) and exhibit.variant == variant.name:
                shown = Shown(
                    variant=variant.name,
                    seed=0,
                    model=model,
                    input=input,
                    test=seen,
                    probabilities=probabilities,
                    classes=dataset.classes,
                )
                with _told_of(f"An exhibit of {variant.name!r}"):
                    json.dumps(exhibit.make(shown))


def _stand_in(variant: Variant, dataset: Dataset) -> TrainingData:
    """Data of the shapes and types that the variant trains on; zeros stand for features."""
    if variant.features is not None and variant.features.computed:
        made_of = Numbers(shape=variant.features.shape, dtype=variant.features.kept_as)

        def zeros(split: Split, name: str) -> Split:  # noqa: ARG001
            # Of one number in memory: features of all examples may be larger than what there is.
            features = np.broadcast_to(np.zeros((), made_of.dtype), (len(split), *made_of.shape))
            return Split(inputs=made_of.named(features), labels=split.labels)

        dataset = with_features(dataset, variant.features, zeros)
    return with_few(dataset, variant.examples).training


def _untrained(variant: Variant, data: TrainingData) -> "keras.Model":
    """The model of a variant, which has answered two examples as in training."""

    def seen(count: int = 16) -> Any:
        return data.input.in_numpy(data.train.rows(slice(count)).inputs)

    fast = backends.backend().bfloat16_is_fast(on_processor=describe_machine().bfloat16_is_fast)
    model = build_model(variant.model, seed=0, precision="float32", seen=seen)
    check_model_fits(model, data)
    precision = resolve_precision(variant.recipe, convolutions=has_convolutions(model), bfloat16_is_fast=fast)
    if precision != "float32":
        model = build_model(variant.model, seed=0, precision=precision, seen=seen)
    with model_errors(precision):
        model(seen(2), training=True)
    return model


def _check_number(value: object) -> None:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UsageError(f"It gives {type(value).__name__}; expected a number.") from None


@contextmanager
def _told_of(part: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        hint = error.hint if isinstance(error, FortydaysError) else ""
        raise UsageError(
            f"{part} fails. {in_words(error)}",
            hint=hint or "It was called before training, on an untrained model, so nothing is lost.",
        ) from error

"""Probes: what the network of a variant can do, found out once, after its trials and beside them.

No probe changes a trial, and a probe that fails fails no run. What is found is kept in the run's folder, so that a run
that goes on does not look again.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import StorageError, TrainingFailedError, in_words
from fortydays.base.progress import Progress
from fortydays.data.arrays import TrainingData
from fortydays.inputs.input import some_of
from fortydays.study.design import Study, Variant
from fortydays.study.features import Prepared, first_of_each_class, prepare, read_as
from fortydays.study.plan import Plan
from fortydays.study.runs import RunFolder, variant_folder
from fortydays.train.augmentation import changes_of_examples
from fortydays.train.framework import ModelBuilder, build_model, part_of
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trainer

if TYPE_CHECKING:
    import keras

FITTED = 500
"""Training examples that a control is to learn by heart."""

WELL = 0.95
"""The accuracy on them that says that it can."""

MOST_STEPS = 1500
"""How long it may try. Whether a network can learn does not depend on how long its trials are."""

_STEPS_OF_EPOCH = 25

_MOST_SHOWN = 1000
_MOST_NUMBERS = 2**22
"""Of the examples that a standardization is probed with."""

TINY = np.float32(1e-9)
"""What features are multiplied with, to see whether their scale matters."""

SMALLEST = np.float32(2e-31)
"""The smallest float32 whose millionth part has all digits. Smaller columns say nothing of a layer."""


def probes_of(
    plan: Plan, run: RunFolder, trials: Sequence[Mapping[str, Any]], recipes: Mapping[str, Recipe], progress: Progress
) -> dict[str, dict[str, Any]]:
    """What is found out about each variant, as fields of its details in the evidence.

    Args:
        plan: of the run.
        run: in whose folder it is kept.
        trials: of the run, as the evidence tells them.
        recipes: by variant, with what a search chose.
        progress: told of the work.

    Raises:
        StorageError: the run's folder cannot be written.
    """
    controls = controls_of(plan.source.study) if plan.is_whole else ()
    found = {}
    for variant in plan.variants:
        path = run.path / "probes" / f"{variant_folder(variant.name)}.json"
        kept = _read(path, progress)
        if kept is None:
            own = [t for t in trials if t["variant"] == variant.name]
            is_control = variant.name in controls
            try:
                kept = probe(plan, variant, recipes[variant.name], own, is_control=is_control, say=progress)
            except Exception as error:  # what was trained is worth keeping without it
                progress.warn(f"{variant.name!r} could not be probed: {in_words(error)}")
                kept = {}
            else:
                files.make_folder(path.parent)
                files.write_json(path, kept)
        found[variant.name] = kept
    return found


def controls_of(study: Study) -> tuple[str, ...]:
    """The members of a study that another one is compared with in a claim."""
    named: list[str] = []
    for claim in study.standing:
        for field in ("than", "like", "among"):
            others = getattr(claim, field, ())
            named += [others] if isinstance(others, str) else others
    return tuple(dict.fromkeys(named))


def _read(path: Path, progress: Progress) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        return files.read_json(path)
    except StorageError as error:
        aside = files.set_aside(path)
        progress.warn(f"{error.message} It is kept as {aside.name}; the variant is probed again.")
        return None


def probe(
    plan: Plan,
    variant: Variant,
    recipe: Recipe,
    trials: Sequence[Mapping[str, Any]],
    *,
    is_control: bool,
    say: Progress,
) -> dict[str, Any]:
    """What is found out about one variant.

    Args:
        plan: of a study with the variant.
        variant: the variant.
        recipe: its recipe, with what a search chose.
        trials: of the variant, as the evidence tells them.
        is_control: whether another variant is compared with it, so that it is to show that it can learn.
        say: told of the work.
    """
    assert plan.dataset is not None  # a study with variants has one
    found: dict[str, Any] = {}
    prepared = prepare(
        read_as(plan.dataset, recipe),
        variant.model,
        features=variant.features_of(plan.seeds[0]),
        vectors=variant.vectors,
        examples=variant.examples,
        seed=variant.drawn_with(plan.seeds[0]),
        settings=plan.settings,
        progress=say,
    )
    standardized = standardization_of(
        prepared.builder, prepared.dataset.training, of_features=variant.features is not None
    )
    if standardized is not None:
        found["standardized"] = standardized
    if is_control:
        found["fits"] = _fits(plan, variant, recipe, trials, prepared, say)
    return found


# ------------------------------------------------------------------------------------------------- standardized inputs


def standardization_of(builder: ModelBuilder, data: TrainingData, *, of_features: bool) -> dict[str, Any] | None:
    """What the normalization layers at the beginning of a model make of training examples that they have adapted to.

    Args:
        builder: of the model.
        data: with the training examples, of which at most 1,000 are taken.
        of_features: whether the examples are features, whose scale is arbitrary.

    Returns:
        The fields of :class:`fortydays.study.document.Standardized`, of all these layers together; None where a model
        begins with none.
    """
    import keras

    most = min(_MOST_SHOWN, max(16, _MOST_NUMBERS // data.input.numbers))
    # The same to adapt to and to look at: it is the layers that are probed, and not the choice of the examples.
    examples = data.input.in_numpy(some_of(data.train.inputs, most))
    model = build_model(builder, seed=0, precision="float32", seen=lambda: examples)
    found = [
        _of_layer(layer, numbers, of_features=of_features)
        for layer in model.layers
        if isinstance(layer, keras.layers.Normalization) and (numbers := _given(layer, model, examples)) is not None
    ]
    if not found:
        return None
    scales = [each["any_scale"] for each in found]
    return {
        "deviation": max((each["deviation"] for each in found), key=lambda value: abs(value - 1)),
        "smallest": min(each["smallest"] for each in found),
        "largest": max(each["largest"] for each in found),
        "any_scale": None if None in scales else all(scales),
    }


def _given(layer: Any, model: "keras.Model", examples: Any) -> NDArray[np.float32] | None:
    """What a layer is given, where nothing but a change of scale and shape lies before it; else None."""
    import keras

    before = part_of(model, layer.input)
    kinds = keras.layers
    harmless = (kinds.InputLayer, kinds.Rescaling, kinds.Reshape, kinds.Flatten)
    if not all(isinstance(each, harmless) for each in before.layers):
        return None
    given = examples if len(before.layers) == 1 else before(examples, training=False)
    return np.asarray(keras.ops.convert_to_numpy(given), np.float32)


def _of_layer(layer: Any, given: NDArray[np.float32], *, of_features: bool) -> dict[str, Any]:
    import keras

    def answers(of: Any, numbers: NDArray[np.float32]) -> NDArray[np.float64]:
        columns = keras.ops.convert_to_numpy(of(numbers)).astype(np.float64)
        return np.asarray(columns.reshape(-1, given.shape[-1]))

    columns = given.reshape(-1, given.shape[-1])
    varying = columns.min(axis=0) < columns.max(axis=0)
    standard = answers(layer, given)
    if not np.isfinite(standard).all():
        raise FloatingPointError("the standardized inputs are not all finite numbers")
    deviation = float(standard[:, varying].std()) if varying.any() else 0.0
    of_columns = standard[:, varying].std(axis=0) if varying.any() and layer.axis == (-1,) else np.array([deviation])
    any_scale = None
    if of_features and layer.input_mean is None:
        again = type(layer).from_config(layer.get_config())
        again.adapt(given * TINY)
        # MiniLM has columns of 1e-33. So much smaller still, they would be no float32 with all its digits.
        largest = np.abs(columns).max(axis=0) * TINY
        held = (largest >= SMALLEST) | (largest.max() < SMALLEST)
        difference = np.abs(answers(again, given * TINY) - standard)[:, held]
        any_scale = bool(difference.max() <= 1e-3 * np.abs(standard[:, held]).max())
    return {
        "deviation": deviation,
        "smallest": float(of_columns.min()),
        "largest": float(of_columns.max()),
        "any_scale": any_scale,
    }


# -------------------------------------------------------------------------------------------- learning 500 examples


def _fits(
    plan: Plan,
    variant: Variant,
    recipe: Recipe,
    trials: Sequence[Mapping[str, Any]],
    prepared: Prepared,
    progress: Progress,
) -> dict[str, Any]:
    """Whether a variant can learn some of its training examples by heart: see :func:`fit_few`.

    A variant whose trials know all their training examples need not be trained again to tell.
    """
    data = prepared.dataset.training
    best = max((t["metrics"].get("train_accuracy") or 0.0 for t in trials), default=0.0)
    if best > WELL:
        return {"accuracy": best, "examples": len(data.train), "steps": 0}
    return fit_few(
        prepared.builder,
        recipe,
        data,
        seed=plan.seeds[0],
        most_steps=MOST_STEPS,
        task=f"checking that {variant.name} can learn",
        progress=progress,
        bfloat16_is_fast=plan.bfloat16_is_fast,
        substitutes=plan.request.engine == "compiled",
    )


def fit_few(
    builder: ModelBuilder,
    recipe: Recipe,
    data: TrainingData,
    *,
    seed: int,
    most_steps: int,
    task: str,
    progress: Progress,
    bfloat16_is_fast: bool = False,
    substitutes: bool = True,
) -> dict[str, Any]:
    """Train on at most 500 examples, as many of each class, until the network knows more than 95% of them.

    Optimizer, rate, schedule and regularization are the recipe's. Examples are shown as they are.

    Args:
        builder: of the variant's model.
        recipe: of the variant.
        data: of the variant.
        seed: of the training.
        most_steps: to train, in whole epochs; one epoch at least.
        task: what the progress calls it.
        progress: told of the steps.
        bfloat16_is_fast: see :class:`Trainer`.
        substitutes: see :class:`Trainer`.

    Returns:
        The fields of :class:`fortydays.study.document.Fits`.
    """
    few = first_of_each_class(data.train, max(1, FITTED // data.task.classes))
    batch = min(recipe.batch_size, len(few))
    # An epoch shows each example several times, so that few evaluations are needed.
    shown = few.rows(np.tile(np.arange(len(few)), math.ceil(_STEPS_OF_EPOCH * batch / len(few))))
    steps_of_epoch = len(shown) // batch
    plain = {name: "none" if isinstance(value, str) else 0 for name, value in changes_of_examples(recipe).items()}
    recipe = recipe.replace(
        **plain,
        batch_size=batch,
        epochs=max(1, most_steps // steps_of_epoch),
        patience=None,
        evaluate_every=None,
        ema=0.0,  # an average lags behind what is learned
    )
    of_few = TrainingData(input=data.input, task=data.task, train=shown, validation=few)
    trainer = Trainer(
        builder=builder, recipe=recipe, data=of_few, bfloat16_is_fast=bfloat16_is_fast, substitutes=substitutes
    )
    progress.start(task, total=float(recipe.epochs * steps_of_epoch), unit="steps")
    note = ""
    try:
        trained = trainer.train(
            seed=seed, until=WELL, report=lambda done, *_: progress.advance(task, done=float(done))
        )
        last = trained.history.points[-1]
        note = f"{100 * last.validation_accuracy:.1f}% of {len(few)} training examples"
        return {"accuracy": last.validation_accuracy, "examples": len(few), "steps": last.step}
    except TrainingFailedError as error:
        note = error.message
        return {"accuracy": None, "examples": len(few), "steps": 0}
    finally:
        progress.finish(task, note=note)

"""Every field of a recipe changes what is trained, and by as much as its definition says."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_training import CLASSES, RECIPE, bits, linear, without_times

from fortydays.data.arrays import TrainingData
from fortydays.train.augmentation import draws_of_epoch
from fortydays.train.framework import build_optimizer
from fortydays.train.order import batches_of_epoch
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trained, Trainer, values_of

TrainerOf = Callable[..., Trainer]
WHOLE = Recipe(epochs=2, batch_size=256, optimizer="sgd", learning_rate=0.5)
"""Two steps of plain gradient descent, each on all 256 images, so that their order does not matter."""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": "cosine"},
        {"schedule": "linear", "learning_rate": 0.25},
        {"warmup": 0.5},
        {"weight_decay": 0.1, "optimizer_options": {"momentum": 0.5}},
        {"loss": "mean_squared_error"},
        {"class_weights": "balanced", "label_smoothing": 0.3},
        {"weight_decay": 0.1, "decayed": "kernels"},
        {"clip_norm": 0.05},
        {"clip_norm": 100.0},
        {"clip_norm": 0.05, "weight_decay": 0.1, "optimizer_options": {"momentum": 0.5}},
    ],
    ids=str,
)
def test_two_steps_are_those_of_the_textbook(
    changes: dict[str, Any], trainer_of: TrainerOf, data: TrainingData
) -> None:
    recipe = WHOLE.replace(**changes)
    trainer = trainer_of(linear, recipe, data)
    trainer.reset(seed=0)
    before = values_of(trainer.model.variables)
    found = trainer.train(seed=0, recipe=recipe)
    # Two steps of a rate of 1: the cosine has fallen to half at its middle, as has the line; the warmup is at half.
    first, second = {"cosine": (1, 0.5), "linear": (1, 0.5)}.get(recipe.schedule, (1, 1))
    first = 0.5 if recipe.warmup else first
    weights, losses = by_hand(before, data, recipe, (recipe.learning_rate * first, recipe.learning_rate * second))
    for expected, variable in zip(weights, found.variables, strict=True):
        assert np.abs(expected - variable).max() < 1e-5
    assert found.history.as_columns()["train_loss"] == pytest.approx(losses, rel=1e-5)


def by_hand(
    weights: list[NDArray[Any]], data: TrainingData, recipe: Recipe, rates: tuple[float, float]
) -> tuple[list[NDArray[Any]], list[float]]:
    """Gradient descent on a softmax of one matrix, in NumPy: the weights and the losses before each step."""
    matrix, shift = (w.astype(np.float64) for w in weights)
    images = data.train.array.reshape(len(data.train), -1) / 255
    truth = np.eye(CLASSES)[data.train.labels]
    truth = truth * (1 - recipe.label_smoothing) + recipe.label_smoothing / CLASSES
    counts = np.bincount(data.train.labels)
    balanced = recipe.class_weights == "balanced"
    weight = (len(images) / (CLASSES * counts))[data.train.labels] if balanced else np.ones(len(images))
    assert weight.mean() == pytest.approx(1)
    velocity = [np.zeros_like(matrix), np.zeros_like(shift)]
    losses = []
    for rate in rates:
        logits = images @ matrix + shift
        answers = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        if recipe.loss == "crossentropy":
            losses.append(float((weight * -(truth * np.log(answers)).sum(axis=1)).mean()))
            slope = weight[:, None] * (answers - truth) / len(images)
        else:
            losses.append(float(((answers - truth) ** 2).mean()))
            outer = 2 * (answers - truth) / truth.size
            slope = answers * (outer - (outer * answers).sum(axis=1, keepdims=True))
        gradients = [images.T @ slope, slope.sum(axis=0)]
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        if recipe.clip_norm:
            assert norm > 0.05  # or it would clip nothing
            gradients = [g * min(1, recipe.clip_norm / norm) for g in gradients]
        momentum = float(recipe.optimizer_options.get("momentum", 0))
        velocity = [momentum * v - rate * g for v, g in zip(velocity, gradients, strict=True)]
        decays = (recipe.weight_decay, recipe.weight_decay if recipe.decayed == "all" else 0)
        matrix, shift = (
            w * (1 - rate * decay) + v for w, v, decay in zip((matrix, shift), velocity, decays, strict=True)
        )
    return [matrix, shift], losses


def test_what_is_evaluated_and_kept_is_the_average_of_the_weights(trainer_of: TrainerOf, data: TrainingData) -> None:
    recipe = WHOLE.replace(ema=0.75)
    trainer = trainer_of(linear, recipe, data)
    trainer.reset(seed=0)
    before = values_of(trainer.model.variables)
    found = trainer.train(seed=0, recipe=recipe)
    # Training itself goes on with the weights: its losses are those without averages.
    rate = recipe.learning_rate
    first, _ = by_hand(before, data, recipe, (rate,))
    second, losses = by_hand(before, data, recipe, (rate, rate))
    assert found.history.as_columns()["train_loss"] == pytest.approx(losses, rel=1e-5)
    # After the first step the average is what there is; after the second, a quarter is new.
    for one, two, variable in zip(first, second, found.variables, strict=True):
        assert np.abs(0.75 * one + 0.25 * two - variable).max() < 1e-5
    images = data.validation.array.reshape(len(data.validation), -1) / 255
    for point, (matrix, shift) in zip(
        found.history.points,
        (first, [0.75 * one + 0.25 * two for one, two in zip(first, second, strict=True)]),
        strict=True,
    ):
        right = (images @ matrix + shift).argmax(axis=1) == data.validation.labels
        assert point.validation_accuracy == pytest.approx(right.mean(), abs=1e-6)
    assert bits(values_of(trainer.model.variables)) == bits(found.variables)
    assert bits(values_of(trainer.reader_model().variables)) == bits(found.variables)


def test_averages_are_kept_of_the_best_epoch_and_change_nothing_of_the_training(
    trainer_of: TrainerOf, misleading: TrainingData
) -> None:
    changes = {"learning_rate": 0.1, "epochs": 12}
    plain = trained(trainer_of, misleading, **changes)
    averaged = trained(trainer_of, misleading, **changes, ema=0.5)
    for one, other in zip(plain.history.points, averaged.history.points, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-5)
    stopped = trained(trainer_of, misleading, **changes, ema=0.5, patience=2)
    assert stopped.best_epoch < 12
    best = trained(trainer_of, misleading, **changes | {"epochs": stopped.best_epoch}, ema=0.5)
    assert bits(stopped.variables) == bits(best.variables)


KERNELS = {"kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel"}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_only_kernels_decay_where_the_recipe_says_so(optimizer: str, keras: Any) -> None:
    """One step with gradients of zero: what decays is smaller by the rate times the decay, the rest is as it was."""
    layers, inputs = keras.layers, keras.Input((6,), dtype="int32")
    words = layers.Embedding(6, 4)(inputs)
    seen = layers.LayerNormalization()(layers.MultiHeadAttention(2, 2)(words, words))
    seen = layers.LSTM(3)(layers.SeparableConv1D(4, 3)(seen))
    model = keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(seen))
    recipe = Recipe(epochs=1, optimizer=optimizer, learning_rate=0.5, weight_decay=0.1, decayed="kernels")
    made = build_optimizer(recipe, model.trainable_variables)
    made.build(model.trainable_variables)
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape, np.float32))
    made.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
    names = {v.name for v in model.trainable_variables}
    assert names == {*KERNELS, "bias", "gamma", "beta", "embeddings"}
    for variable in model.trainable_variables:
        expected = 0.95 if variable.name in KERNELS else 1.0
        assert variable.numpy() == pytest.approx(np.full(variable.shape, expected), rel=1e-6), variable.path


def test_substitutes_have_the_names_by_which_weights_decay(trainer_of: TrainerOf, pictures: TrainingData) -> None:
    def model() -> Any:
        from keras import Input, Sequential, layers

        return Sequential(
            [
                Input((6, 6, 1)),
                layers.DepthwiseConv2D(3, padding="same"),
                layers.Conv2D(4, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.LayerNormalization(),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )

    substituted = trainer_of(model, RECIPE, pictures).model
    assert [v.name for v in substituted.trainable_variables] == [v.name for v in model().trainable_variables]


def trained(trainer_of: TrainerOf, data: TrainingData, **changes: Any) -> Trained:
    recipe = RECIPE.replace(**changes)
    return trainer_of(linear, recipe, data).train(seed=0, recipe=recipe)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "nadam"},
        {"optimizer": "adagrad"},
        {"optimizer": "lion"},
        {"batch_size": 64},
        {"precision": "bfloat16"},
        {"learning_rate": 0.02},
        {"schedule": "linear"},
        {"schedule": "cosine"},
        {"warmup": 0.5},
        {"epochs": 3},
        {"rotation": 10.0},
        {"zoom": 0.1},
        {"crop": 0.3},
        {"clip_norm": 0.1},
        {"ema": 0.5},
        {"contrast": 0.2},
    ],
    ids=str,
)
def test_a_field_changes_the_weights_and_training_still_learns(
    changes: dict[str, Any], trainer_of: TrainerOf, data: TrainingData
) -> None:
    plain, changed = trained(trainer_of, data), trained(trainer_of, data, **changes)
    assert bits(changed.variables) != bits(plain.variables)
    losses = [p.train_loss for p in changed.history.points]
    assert losses[-1] < losses[0]


def test_a_step_of_mixed_examples_is_that_of_mixed_images_and_labels(
    trainer_of: TrainerOf, data: TrainingData
) -> None:
    recipe = WHOLE.replace(mixup=0.4, epochs=1)
    trainer = trainer_of(linear, recipe, data)
    trainer.reset(seed=0)
    matrix, shift = (v.astype(np.float64) for v in values_of(trainer.model.variables))
    found = trainer.train(seed=0, recipe=recipe)
    order = batches_of_epoch(seed=0, epoch=0, examples=256, batch_size=256)
    drawn = draws_of_epoch(recipe, seed=0, epoch=0, order=order, examples=256, shape=(6, 6))[0]
    partner, share = drawn[:, 8], drawn[:, 9:] / 2**16
    images, labels = data.train.array[order[0]].reshape(256, -1) / 255, np.eye(CLASSES)[data.train.labels[order[0]]]
    images, truth = (share * x + (1 - share) * x[partner] for x in (images, labels))
    logits = images @ matrix + shift
    answers = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    slope = (answers - truth) / 256
    for expected, variable in zip(
        (matrix - 0.5 * images.T @ slope, shift - 0.5 * slope.sum(axis=0)), found.variables, strict=True
    ):
        assert np.abs(expected - variable).max() < 1e-5
    assert found.history.points[0].train_loss == pytest.approx(-(truth * np.log(answers)).sum(axis=1).mean(), rel=1e-5)
    right = np.mean(answers.argmax(axis=1) == truth.argmax(axis=1))
    assert found.history.points[0].train_accuracy == pytest.approx(right, abs=1e-6)


def test_the_validation_loss_is_not_weighted_by_class(trainer_of: TrainerOf, data: TrainingData) -> None:
    changes = {"class_weights": "balanced", "learning_rate": 1e-30, "epochs": 1}
    plain, weighted = (
        trained(trainer_of, data, **{**changes, "class_weights": "none"}),
        trained(trainer_of, data, **changes),
    )
    (one,), (other,) = plain.history.points, weighted.history.points
    assert other.validation_loss == one.validation_loss
    assert other.train_loss != one.train_loss


def test_adamw_without_weight_decay_is_adam(trainer_of: TrainerOf, data: TrainingData) -> None:
    adam, adamw = trained(trainer_of, data), trained(trainer_of, data, optimizer="adamw")
    for one, other in zip(adam.variables, adamw.variables, strict=True):
        assert np.abs(one - other).max() < 1e-6


def test_bfloat16_keeps_its_weights_in_float32(trainer_of: TrainerOf, data: TrainingData) -> None:
    found = trained(trainer_of, data, precision="bfloat16")
    assert {v.dtype for v in found.variables} == {np.dtype(np.float32)}
    assert trainer_of(linear, RECIPE.replace(precision="bfloat16"), data).precision == "bfloat16"


def test_more_evaluations_change_nothing_but_the_history(trainer_of: TrainerOf, data: TrainingData) -> None:
    plain, often = trained(trainer_of, data), trained(trainer_of, data, evaluate_every=3)
    assert bits(often.variables) == bits(plain.variables)
    # 8 steps an epoch, evaluations after every third step of the trial, and at the end of each epoch.
    assert [p.step for p in often.history.points] == [3, 6, 8, 9, 12, 15, 16]
    assert [p.epoch for p in often.history.points] == [0, 0, 1, 1, 1, 1, 2]
    ends, of_epochs = [often.history.points[i] for i in (2, 6)], plain.history.points
    assert [p.step for p in of_epochs] == [8, 16]
    for one, other in zip(ends, of_epochs, strict=True):
        assert (one.validation_loss, one.validation_accuracy) == (other.validation_loss, other.validation_accuracy)
    # A point's train loss is the mean over the steps since the point before.
    first_epoch = [p.train_loss for p in often.history.points[:3]]
    assert (3 * first_epoch[0] + 3 * first_epoch[1] + 2 * first_epoch[2]) / 8 == pytest.approx(
        of_epochs[0].train_loss, rel=1e-6
    )


def test_the_recorded_rate_is_that_of_the_last_step(trainer_of: TrainerOf, data: TrainingData) -> None:
    found = trained(trainer_of, data, schedule="linear", learning_rate=0.16)
    assert [p.learning_rate for p in found.history.points] == pytest.approx([0.09, 0.01])


def test_one_trainer_serves_all_rates_and_lengths_but_no_other_program(
    trainer_of: TrainerOf, data: TrainingData
) -> None:
    trainer = trainer_of(linear, RECIPE, data)
    changes = {"learning_rate": 1.0, "schedule": "cosine", "warmup": 0.5, "epochs": 9, "patience": 2}
    trainer.check_shares_program(RECIPE.replace(**changes, monitor="validation_accuracy", evaluate_every=5))
    with pytest.raises(ValueError, match=r"these fields differ: \['batch_size', 'loss'\]"):
        trainer.train(seed=0, recipe=RECIPE.replace(batch_size=16, loss="mean_squared_error", epochs=1))


def test_patience_ends_training_and_monitor_chooses_the_epoch(trainer_of: TrainerOf, misleading: TrainingData) -> None:
    changes = {"learning_rate": 0.1, "epochs": 12}
    full = trained(trainer_of, misleading, **changes).history.as_columns()
    for monitor, better in (("validation_loss", min), ("validation_accuracy", max)):
        found = trained(trainer_of, misleading, **changes, patience=2, monitor=monitor)
        values = full[monitor][: found.epochs]
        assert found.epochs < 12
        assert found.best_epoch == values.index(better(values)) + 1 == found.epochs - 2
        seen = without_times(found.history.as_columns())
        assert seen == {name: column[: found.epochs] for name, column in without_times(full).items()}

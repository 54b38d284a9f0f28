"""The compiled epoch gives what ``keras.Model.fit`` gives: same weights at the start, same batches, same steps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from keras_fit import FitTrainer
from tiny_training import RECIPE, linear, penalized, plain_convolutional, with_dropout

from fortydays.base.errors import TrainingFailedError, UsageError
from fortydays.data.arrays import TrainingData
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trainer

TrainerOf = Callable[..., Trainer]


def reference(builder: Any, recipe: Recipe, data: TrainingData) -> FitTrainer:
    return FitTrainer(builder=builder, recipe=recipe, data=data, bfloat16_is_fast=False)


@pytest.mark.parametrize(
    ("builder", "changes"),
    [
        (penalized, {}),
        (linear, {"loss": "mean_squared_error", "optimizer": "rmsprop", "weight_decay": 0.01, "warmup": 0.3}),
        (
            linear,
            {
                "label_smoothing": 0.1,
                "optimizer": "sgd",
                "learning_rate": 0.1,
                "optimizer_options": {"momentum": 0.9},
                "schedule": "cosine",
            },
        ),
        (plain_convolutional, {"batch_size": 50}),  # five batches and six images that are left out
        (plain_convolutional, {"flip": "alternating", "shift": 2, "cutout": 2, "test_views": "flip and shift"}),
        (
            plain_convolutional,
            {"flip": "random", "rotation": 20.0, "zoom": 0.2, "contrast": 0.3, "cutout": 2},
        ),
        (linear, {"mixup": 0.3, "class_weights": "balanced", "label_smoothing": 0.1}),
        (plain_convolutional, {"optimizer": "muon", "learning_rate": 0.05, "flip": "random"}),
        (plain_convolutional, {"crop": 0.6, "flip": "random", "rotation": 10.0}),
        (
            penalized,
            {"optimizer": "adamw", "weight_decay": 0.1, "decayed": "kernels", "clip_norm": 0.3, "ema": 0.8},
        ),
    ],
    ids=[
        "l2 penalty",
        "squared error, weight decay, warmup",
        "smoothing, momentum, cosine",
        "convolution",
        "augmentation",
        "more augmentation",
        "mixing, class weights",
        "muon",
        "crop",
        "kernels decay, clipped, averaged",
    ],
)
def test_histories_agree(
    builder: Any, changes: dict[str, Any], trainer_of: TrainerOf, data: TrainingData, pictures: TrainingData
) -> None:
    recipe = RECIPE.replace(epochs=3, **changes)
    examples = pictures if builder is plain_convolutional else data
    compiled = trainer_of(builder, recipe, examples).train(seed=4, recipe=recipe)
    fitted = reference(builder, recipe, examples).train(seed=4)
    ours, keras = compiled.history.as_columns(), fitted.history.as_columns()
    assert ours["step"] == keras["step"]
    assert ours["epoch"] == keras["epoch"] == [1, 2, 3]
    for name in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate"):
        assert ours[name] == pytest.approx(keras[name], abs=1e-4), name
    assert ours["train_loss"][-1] < ours["train_loss"][0]
    for one, other in zip(compiled.variables, fitted.variables, strict=True):
        assert np.abs(one - other).max() < 1e-4


def test_both_stop_at_the_same_epoch_and_keep_the_same_weights(
    trainer_of: TrainerOf, misleading: TrainingData
) -> None:
    recipe = RECIPE.replace(epochs=12, learning_rate=0.1, patience=1)
    compiled = trainer_of(linear, recipe, misleading).train(seed=0, recipe=recipe)
    trainer = reference(linear, recipe, misleading)
    fitted = trainer.train(seed=0)
    assert (fitted.epochs, fitted.best_epoch) == (compiled.epochs, compiled.best_epoch)
    assert fitted.best_epoch < fitted.epochs < 12
    for one, other in zip(compiled.variables, fitted.variables, strict=True):
        assert np.abs(one - other).max() < 1e-3
    best = min(p.validation_loss for p in fitted.history.points)
    assert trainer.evaluate(misleading.validation).loss == pytest.approx(best, rel=1e-5)


def test_both_fail_where_the_loss_is_no_number(keras: Any, data: TrainingData) -> None:
    recipe = RECIPE.replace(learning_rate=1e30)
    with pytest.raises(TrainingFailedError, match=r"The loss became nan by step \d, with a learning rate of 1e\+30\."):
        reference(with_dropout, recipe, data).train(seed=0)


def test_both_refuse_the_same(keras: Any, data: TrainingData, pictures: TrainingData) -> None:
    with pytest.raises(UsageError, match="The batch size is 1000"):
        reference(linear, RECIPE.replace(batch_size=1000), data)
    with pytest.raises(UsageError, match="The model's input has shape"):
        reference(linear, RECIPE, pictures)

"""Examples that are no images: float32 numbers, which a network gets as they are."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from keras_fit import FitTrainer
from numpy.typing import NDArray
from tiny_training import CLASSES, RECIPE, bits, linear

from fortydays.base.errors import UsageError
from fortydays.data.arrays import Split, TrainingData
from fortydays.inputs.images import IMAGE, Images
from fortydays.train.evaluation import Evaluator
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Trainer, values_of
from made_up_data import data_of, split_of

TrainerOf = Callable[..., Trainer]


def made_up_split(count: int, *, seed: int) -> Split:
    """Eight numbers of an example, of which that of its class is larger; far below 0 and above 1."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count).astype(np.uint8)
    features = random.normal(0, 3, (count, 1, 1, 8)).astype(np.float32)
    features[np.arange(count), 0, 0, labels] += 6
    return split_of(features, labels)


@pytest.fixture(scope="module")
def features() -> TrainingData:
    return data_of(made_up_split(128, seed=1), made_up_split(64, seed=2), classes=CLASSES)


def head() -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input((1, 1, 8)), layers.Flatten(), layers.Dense(CLASSES, activation="softmax")])


def with_normalization() -> Any:
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((1, 1, 8)),
            layers.Normalization(),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def answers(variables: list[NDArray[Any]], split: Split) -> NDArray[Any]:
    matrix, shift = (v.astype(np.float64) for v in variables)
    logits = split.array.reshape(len(split), 8).astype(np.float64) @ matrix + shift
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_a_step_is_that_of_the_textbook_on_the_numbers_as_they_are(
    trainer_of: TrainerOf, features: TrainingData
) -> None:
    recipe = Recipe(epochs=1, batch_size=128, optimizer="sgd", learning_rate=0.1)
    trainer = trainer_of(head, recipe, features)
    trainer.reset(seed=0)
    before = values_of(trainer.model.variables)
    found = trainer.train(seed=0, recipe=recipe)
    truth = np.eye(CLASSES)[features.train.labels]
    slope = (answers(before, features.train) - truth) / 128
    expected = before[0] - 0.1 * features.train.array.reshape(128, 8).T @ slope, before[1] - 0.1 * slope.sum(axis=0)
    for one, other in zip(expected, found.variables, strict=True):
        assert np.abs(one - other).max() < 1e-5


def test_evaluation_takes_them_as_they_are_and_fills_the_last_batch(
    trainer_of: TrainerOf, features: TrainingData
) -> None:
    trainer = trainer_of(head, RECIPE, features)
    expected = answers(list(trainer.train(seed=0, recipe=RECIPE).variables), features.validation)
    evaluator = Evaluator(
        model=trainer.model,
        input=features.input,
        task=features.task,
        loss=trainer.loss,
        batch_size=50,
        test_views="none",
        convolutions=False,
    )
    found = evaluator.evaluate(features.validation)
    assert np.abs(found.outputs - expected).max() < 1e-5
    assert found.accuracy == np.mean(expected.argmax(axis=1) == features.validation.labels)


def test_mixing_and_adapted_layers_work_on_them_and_both_engines_agree(features: TrainingData, keras: Any) -> None:
    recipe = RECIPE.replace(mixup=0.3, class_weights="balanced", epochs=2)
    compiled = Trainer(builder=with_normalization, recipe=recipe, data=features).train(seed=4)
    fitted = FitTrainer(builder=with_normalization, recipe=recipe, data=features, bfloat16_is_fast=False).train(seed=4)
    ours, theirs = compiled.history.as_columns(), fitted.history.as_columns()
    for name in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"):
        assert ours[name] == pytest.approx(theirs[name], abs=1e-4), name
    plain = RECIPE.replace(epochs=2)
    unmixed = Trainer(builder=with_normalization, recipe=plain, data=features).train(seed=4)
    assert bits(unmixed.variables) != bits(compiled.variables)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"flip": "random"}, "flip='random'"),
        ({"shift": 1, "cutout": 1}, "shift=1, cutout=1"),
        ({"rotation": 15.0, "zoom": 0.1, "contrast": 0.2}, "rotation=15.0, zoom=0.1, contrast=0.2"),
        ({"test_views": "flip"}, "test_views='flip'"),
    ],
    ids=str,
)
def test_what_is_for_images_only_is_refused(changes: dict[str, Any], told: str, features: TrainingData) -> None:
    with pytest.raises(UsageError) as raised:
        Trainer(builder=head, recipe=RECIPE.replace(mixup=0.2, **changes), data=features)
    assert raised.value.message == (
        f"The recipe has {told}, but the dataset's examples are numbers, which cannot be changed in that way."
    )
    assert raised.value.hint == "Leave these fields unset. For numbers there are: mixup."


def test_numbers_of_another_kind_are_refused(data: TrainingData) -> None:
    train = Split(inputs={IMAGE: data.train.array.astype(np.float64)}, labels=data.train.labels)
    with pytest.raises(UsageError) as raised:
        Trainer(builder=linear, recipe=RECIPE, data=dataclasses.replace(data, train=train))
    assert raised.value.message == (
        "The training examples are not what the dataset says: "
        "image is float64 of shape (6, 6); expected uint8 of (6, 6)."
    )


def test_images_too_large_to_turn_are_refused(keras: Any) -> None:
    large = split_of(np.zeros((4, 1, 2049), np.uint8), np.zeros(4, np.uint8))
    data = data_of(large, large, classes=CLASSES)
    for changes in ({"rotation": 1.0}, {"zoom": 0.1}):
        with pytest.raises(UsageError) as raised:
            Trainer(builder=linear, recipe=RECIPE.replace(batch_size=4, **changes), data=data)
        assert raised.value.message == "The recipe turns, zooms or crops images, but they are 1 x 2049."
        assert raised.value.hint == "Set rotation=0, zoom=0 and crop=0, or use images of at most 2048 pixels a side."


def flat(data: TrainingData) -> TrainingData:
    def of(split: Split) -> Split:
        return split_of(split.array.reshape(len(split), 8), split.labels)

    return data_of(of(data.train), of(data.validation), classes=data.task.classes)


def of_a_row(*before: Any) -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input((8,)), *before, layers.Dense(CLASSES, activation="softmax")])


def test_rows_of_a_table_are_learned_from_as_the_same_numbers_in_another_shape_are(
    keras: Any, features: TrainingData
) -> None:
    recipe = RECIPE.replace(epochs=2, mixup=0.5)
    of_table = Trainer(builder=of_a_row, recipe=recipe, data=flat(features)).train(seed=3)
    of_places = Trainer(builder=head, recipe=recipe, data=features).train(seed=3)

    assert bits(of_table.variables) == bits(of_places.variables)


def test_normalization_adapts_to_rows_of_a_table(keras: Any, features: TrainingData) -> None:
    trainer = Trainer(
        builder=lambda: of_a_row(keras.layers.Normalization()), recipe=RECIPE.replace(epochs=30), data=flat(features)
    )
    assert trainer.train(seed=0).history.points[-1].validation_accuracy > 0.7


def test_rows_are_no_images(keras: Any, features: TrainingData) -> None:
    with pytest.raises(UsageError, match=r"has shift=2, but the dataset's examples are numbers"):
        Trainer(builder=of_a_row, recipe=RECIPE.replace(shift=2), data=flat(features))
    whole = Split(inputs={IMAGE: np.zeros((64, 8), np.uint8)}, labels=features.validation.labels)
    data = TrainingData(input=Images(shape=(2, 4)), task=features.task, train=whole, validation=whole)
    with pytest.raises(UsageError, match=r"image is uint8 of shape \(8,\); expected uint8 of \(2, 4\)"):
        Trainer(builder=of_a_row, recipe=RECIPE, data=data)

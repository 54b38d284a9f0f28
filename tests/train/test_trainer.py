"""The engine: the same bits every time, whatever was trained before and however the work was cut."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_training import (
    CLASSES,
    RECIPE,
    SIZE,
    bits,
    convolutional,
    linear,
    made_up_split,
    with_dropout,
    without_times,
)

from fortydays.base.errors import TrainingFailedError, UsageError
from fortydays.data.arrays import TrainingData
from fortydays.inputs.images import Images
from fortydays.train import trainer as engine
from fortydays.train.backends import backend
from fortydays.train.framework import set_variables
from fortydays.train.trainer import Trained, Trainer
from made_up_data import data_of

TrainerOf = Callable[..., Trainer]


def trained(trainer: Trainer, seed: int) -> Trained:
    # The trainer may be of a test that asked for another length; this much a recipe can change afterwards.
    return trainer.train(seed=seed, recipe=RECIPE)


def same(one: Trained, other: Trained) -> bool:
    histories = [without_times(t.history.as_columns()) for t in (one, other)]
    return bits(one.variables) == bits(other.variables) and histories[0] == histories[1]


@pytest.mark.parametrize("builder", [linear, with_dropout, convolutional])
def test_a_seed_gives_the_same_bits_again_and_another_seed_others(
    builder: Any, trainer_of: TrainerOf, data: TrainingData, pictures: TrainingData
) -> None:
    trainer = trainer_of(builder, RECIPE, pictures if builder is convolutional else data)
    first = trained(trainer, 0)
    other = trained(trainer, 1)
    assert same(first, trained(trainer, 0))
    assert same(other, trained(trainer, 1))
    assert not same(first, other)
    assert first.history.points[-1].train_loss < first.history.points[0].train_loss


def test_an_evaluation_takes_no_more_examples_at_once_than_memory_holds(
    data: TrainingData, keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def batches(trainer: Trainer) -> list[int]:
        sizes: list[int] = []
        run = trainer._validation._run

        def watched(inputs: Any, labels: Any) -> Any:
            sizes.append(len(labels))
            return run(inputs, labels)

        monkeypatch.setattr(trainer._validation, "_run", watched)
        found.append(trainer.evaluate(data.validation))
        return sizes

    found: list[Any] = []
    whole = Trainer(builder=linear, recipe=RECIPE, data=data)
    assert batches(whole) == [256]  # 64 examples, filled up to the training split
    # The largest layer makes 36 numbers of 36: 288 bytes of an example, of which 30 fit.
    monkeypatch.setattr(engine, "MOST_EVALUATED_BYTES", 30 * 288 + 1)
    bounded = Trainer(builder=linear, recipe=RECIPE, data=data)
    assert batches(bounded) == [30, 30, 30]
    one, other = found
    assert one.accuracy == other.accuracy
    assert one.outputs == pytest.approx(other.outputs, abs=1e-6)
    monkeypatch.setattr(engine, "MOST_EVALUATED_BYTES", 1)
    assert batches(Trainer(builder=linear, recipe=RECIPE, data=data)) == [1] * 64


def test_compiling_once_is_no_different_from_compiling_anew(trainer_of: TrainerOf, data: TrainingData) -> None:
    used = trainer_of(with_dropout, RECIPE, data)
    used.train(seed=5, recipe=RECIPE.replace(epochs=3, learning_rate=0.5))
    fresh = Trainer(builder=with_dropout, recipe=RECIPE, data=data)
    assert same(trained(used, 0), trained(fresh, 0))


def test_the_model_has_the_weights_of_the_trial_and_gets_them_back(trainer_of: TrainerOf, data: TrainingData) -> None:
    trainer = trainer_of(linear, RECIPE, data)
    found = trained(trainer, 0)
    loss = trainer.evaluate(data.validation).loss
    assert loss == pytest.approx(found.history.points[-1].validation_loss, rel=1e-6)
    trained(trainer, 1)
    assert trainer.evaluate(data.validation).loss != loss
    set_variables(trainer.model, found.variables)
    assert trainer.evaluate(data.validation).loss == loss


def test_how_the_work_is_cut_changes_no_bit(
    trainer_of: TrainerOf, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPE.replace(epochs=1, batch_size=2)  # 128 steps; the first call does 4, the next eight times as many
    trainer = trainer_of(with_dropout, recipe, data)

    def told() -> tuple[Trained, list[int]]:
        steps: list[int] = []
        found = trainer.train(seed=0, recipe=recipe, report=lambda done, total, loss, accuracy: steps.append(done))
        return found, steps

    monkeypatch.setattr(engine, "SECONDS_BETWEEN_REPORTS", 1e9)
    whole, steps = told()
    assert steps == [4, 36, 100, 128]  # dead units are counted after step 100
    monkeypatch.setattr(engine, "SECONDS_BETWEEN_REPORTS", 0.0)
    singly, steps = told()
    assert steps == [4, *range(5, 129)]
    assert same(whole, singly)
    monkeypatch.setattr(engine, "SECONDS_BETWEEN_REPORTS", 1e9)
    monkeypatch.setattr(engine, "LONGEST_CHUNK", 20)
    by_twenty, steps = told()
    assert steps == [4, 24, 44, 64, 84, 100, 120, 128]
    assert same(whole, by_twenty)


def test_reports_tell_the_steps_the_loss_and_the_accuracy(
    trainer_of: TrainerOf, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SECONDS_BETWEEN_REPORTS", 1e9)
    told: list[tuple[int, int, float, float]] = []
    found = trainer_of(linear, RECIPE, data).train(seed=0, recipe=RECIPE, report=lambda *state: told.append(state))
    assert [state[:2] for state in told] == [(4, 16), (8, 16), (16, 16)]
    first, second = found.history.points
    halves, (_, _, loss, accuracy) = told[:2], told[2]
    assert sum(half[2] for half in halves) / 2 == pytest.approx(first.train_loss, rel=1e-6)
    assert sum(half[3] for half in halves) / 2 == pytest.approx(first.train_accuracy, rel=1e-6)
    assert loss == pytest.approx(second.train_loss, rel=1e-6)
    assert accuracy == pytest.approx(second.train_accuracy, rel=1e-6)


def test_a_trial_that_was_stopped_leaves_no_trace_in_the_next(trainer_of: TrainerOf, data: TrainingData) -> None:
    trainer = trainer_of(with_dropout, RECIPE, data)
    whole = trained(trainer, 0)

    def stop(done: int, *_: Any) -> None:
        if done == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(seed=0, recipe=RECIPE, report=stop)
    assert same(trained(trainer, 0), whole)


def test_the_last_weights_are_kept_without_patience_and_the_best_with(
    trainer_of: TrainerOf, misleading: TrainingData
) -> None:
    recipe = RECIPE.replace(learning_rate=0.1, epochs=12)
    trainer = trainer_of(linear, recipe, misleading)
    last = trainer.train(seed=0, recipe=recipe)
    assert last.best_epoch == last.epochs == 12
    best = trainer.train(seed=0, recipe=recipe.replace(patience=1))
    assert best.best_epoch == best.epochs - 1 < 11
    until = trainer.train(seed=0, recipe=recipe.replace(epochs=best.best_epoch))
    assert bits(best.variables) == bits(until.variables) != bits(last.variables)
    set_variables(trainer.model, best.variables)
    smallest = min(p.validation_loss for p in best.history.points)
    assert trainer.evaluate(misleading.validation).loss == pytest.approx(smallest, rel=1e-6)


def test_a_loss_that_is_no_number_is_told_with_step_and_rate(trainer_of: TrainerOf, data: TrainingData) -> None:
    # The rate rises over eight steps; the first loss is that of the untrained network.
    recipe = RECIPE.replace(learning_rate=9e30, warmup=0.5)
    with pytest.raises(TrainingFailedError) as raised:
        trainer_of(with_dropout, recipe, data).train(seed=0, recipe=recipe)
    told = re.fullmatch(
        r"The loss became nan at step ([2-8]), with a learning rate of (\d)e\+30\.", raised.value.message
    )
    assert told
    assert told[1] == told[2]
    assert raised.value.hint == "Try a lower learning rate: --set learning_rate=..."


def test_a_network_ruined_by_the_very_last_step_has_failed_too(trainer_of: TrainerOf, data: TrainingData) -> None:
    recipe = RECIPE.replace(batch_size=256, epochs=1, learning_rate=1e30)
    kept: list[Any] = []
    with pytest.raises(TrainingFailedError) as raised:
        trainer_of(with_dropout, recipe, data).train(seed=0, recipe=recipe, keep=kept.append)
    assert raised.value.message == "The validation loss is nan after step 1, with a learning rate of 1e+30."
    assert kept == []


def test_a_batch_must_fit_into_the_training_split(keras: Any, data: TrainingData) -> None:
    with pytest.raises(UsageError) as raised:
        Trainer(builder=linear, recipe=RECIPE.replace(batch_size=257), data=data)
    assert raised.value.message == "The batch size is 257, but the training split has 256 images."
    assert raised.value.hint == "Set batch_size to at most 256."


def test_a_model_must_fit_the_data(keras: Any, data: TrainingData, pictures: TrainingData) -> None:
    def too_many_classes() -> Any:
        return keras.Sequential([keras.Input((SIZE, SIZE)), keras.layers.Flatten(), keras.layers.Dense(10)])

    def one_answer_a_row() -> Any:
        return keras.Sequential([keras.Input((SIZE, SIZE)), keras.layers.Dense(CLASSES)])

    def no_input() -> Any:
        return keras.Sequential([keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(CLASSES)])

    for builder, message in (
        (too_many_classes, r"The model's output has shape (None, 10); expected (None, 3), one probability for each"),
        (one_answer_a_row, r"The model's output has shape (None, 6, 3); expected (None, 3)"),
        (no_input, "The model does not say which examples it takes."),
    ):
        with pytest.raises(UsageError) as raised:
            Trainer(builder=builder, recipe=RECIPE, data=data)
        assert message in raised.value.message
    assert raised.value.hint == "Begin it with keras.Input((6, 6))."
    with pytest.raises(UsageError) as raised:
        Trainer(builder=linear, recipe=RECIPE, data=pictures)
    assert raised.value.message == "The model's input has shape (6, 6); the dataset's images have image (6, 6, 1)."
    assert raised.value.hint == "Begin it with keras.Input((6, 6, 1))."


@pytest.mark.parametrize("when", ["built", "trained"])
def test_a_layer_that_cannot_compute_in_bfloat16_is_named_with_its_line(
    keras: Any, data: TrainingData, when: str
) -> None:
    class Doubled(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool = False) -> Any:
            if keras.backend.standardize_dtype(inputs.dtype) == "bfloat16" and (training or when == "built"):
                raise TypeError("float32 was expected")
            return 2 * inputs

    def model() -> Any:
        last = keras.layers.Dense(CLASSES, activation="softmax")
        return keras.Sequential([keras.Input((SIZE, SIZE)), keras.layers.Flatten(), Doubled(name="doubled"), last])

    Trainer(builder=model, recipe=RECIPE.replace(precision="float32"), data=data)
    with pytest.raises(UsageError) as raised:
        Trainer(builder=model, recipe=RECIPE.replace(precision="bfloat16"), data=data)
    place = r"tests/train/test_trainer\.py, line \d+: The model cannot be built at the layer 'doubled' \(Doubled\): "
    assert re.search(place + "TypeError: .*float32 was expected", raised.value.message)
    assert 'set precision="float32" in the recipe' in raised.value.hint


def test_a_trainer_makes_examples_into_numbers_only_for_layers_that_adapt(
    keras: Any, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def normalized() -> Any:
        layers = [keras.layers.Normalization(axis=None), *linear().layers]
        return keras.Sequential([keras.Input((SIZE, SIZE)), *layers])

    made: list[tuple[int, ...]] = []
    in_numpy = Images.in_numpy
    monkeypatch.setattr(
        Images, "in_numpy", lambda self, arrays: made.append((found := in_numpy(self, arrays)).shape) or found
    )
    Trainer(builder=linear, recipe=RECIPE, data=data)
    assert made == []  # of photographs they would take gigabytes
    Trainer(builder=normalized, recipe=RECIPE, data=data)
    assert made == [(256, SIZE, SIZE)]


def test_parameters_are_the_numbers_the_optimizer_may_change(trainer_of: TrainerOf, pictures: TrainingData) -> None:
    # 4 filters of 3 x 3 and 4 shifts, 4 scales and 4 shifts, 64 x 3 weights and 3 shifts; no moving averages.
    assert trainer_of(convolutional, RECIPE, pictures).num_parameters == 40 + 8 + 195


def test_a_shift_that_leaves_nothing_of_an_image_is_refused(data: TrainingData, keras: Any) -> None:
    recipe = RECIPE.replace(shift=SIZE)
    with pytest.raises(UsageError, match="shifts images by up to 6 pixels, but they are 6 x 6") as raised:
        Trainer(builder=linear, recipe=recipe, data=data)
    assert raised.value.hint == "Set shift to at most 5."


def test_a_square_that_covers_every_image_is_refused(data: TrainingData, keras: Any) -> None:
    with pytest.raises(UsageError, match="covers a square of 6 pixels, but the images are 6 x 6") as raised:
        Trainer(builder=linear, recipe=RECIPE.replace(cutout=SIZE), data=data)
    assert raised.value.hint == "Set cutout to at most 5."


def test_the_readers_model_has_keras_layers_and_the_trained_weights(
    trainer_of: TrainerOf, pictures: TrainingData
) -> None:
    trainer = trainer_of(convolutional, RECIPE, pictures)
    found = trained(trainer, 0)
    model = trainer.reader_model()
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    assert bits([v.numpy() for v in model.variables]) == bits(found.variables)


def test_evaluation_is_that_of_numpy_also_where_the_last_batch_is_not_full(
    trainer_of: TrainerOf, data: TrainingData
) -> None:
    from fortydays.train.evaluation import Evaluator

    trainer = trainer_of(linear, RECIPE, data)
    matrix, shift = (v.astype(np.float64) for v in trained(trainer, 0).variables)
    split = made_up_split(25, seed=9)
    logits = split.array.reshape(25, -1) / 255 @ matrix + shift
    answers = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    def in_tens() -> Evaluator:
        return Evaluator(
            model=trainer.model,
            input=data.input,
            task=data.task,
            loss=trainer.loss,
            batch_size=10,
            test_views="none",
            convolutions=False,
        )

    evaluator, kept = in_tens(), in_tens()
    kept.keep_on_device(split)
    for found in (trainer.evaluate(split), evaluator.evaluate(split), kept.evaluate(split)):
        assert found.outputs.shape == (25, CLASSES)
        assert found.outputs.dtype == np.float32
        assert np.abs(found.outputs - answers).max() < 1e-6
        assert found.loss == pytest.approx(-np.log(answers[np.arange(25), split.labels]).mean(), rel=1e-5)
        assert found.metrics == {"accuracy": found.accuracy}
        assert found.accuracy == np.mean(answers.argmax(axis=1) == split.labels)


@pytest.mark.parametrize(
    ("train", "validation", "batch"), [(64, 64, 100), (40, 130, 130), (256, 64, 256), (40, 6000, 5000)]
)
def test_an_evaluation_is_filled_up_to_no_more_than_a_split_holds(
    train: int, validation: int, batch: int, keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    made = engine.Evaluator
    monkeypatch.setattr(engine, "Evaluator", lambda **given: sizes.append(given["batch_size"]) or made(**given))
    examples = data_of(made_up_split(train, seed=1), made_up_split(validation, seed=2), classes=CLASSES)
    trainer = Trainer(builder=linear, recipe=RECIPE, data=examples)
    assert sizes == [batch]
    assert trainer.evaluate(examples.validation).outputs.shape == (validation, CLASSES)


# --------------------------------------------------------------------------------------- other examples for each seed


def normalized() -> Any:
    """A Keras model that standardizes its inputs, and what a layer with random weights makes of them."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((SIZE, SIZE)),
            layers.Flatten(),
            layers.Normalization(),
            layers.Dense(8, activation="relu", trainable=False),
            layers.Normalization(),
            layers.Dropout(0.2),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def some_rows(data: TrainingData, rows: Any) -> TrainingData:
    return replace(data, train=data.train.rows(rows))


@pytest.mark.parametrize("substitutes", [True, False])
def test_rows_of_a_larger_split_are_learned_from_as_these_examples_alone(
    substitutes: bool, keras: Any, data: TrainingData
) -> None:
    first, second = np.arange(0, 128), np.arange(100, 228)
    recipe = RECIPE.replace(flip="alternating")
    shared = Trainer(
        builder=normalized,
        recipe=recipe,
        data=some_rows(data, first),
        device_train=backend().on_device(data.train),
        rows=first,
        substitutes=substitutes,
    )
    shared.train(seed=3)
    shared.learn_from(some_rows(data, second), second)
    alone = Trainer(builder=normalized, recipe=recipe, data=some_rows(data, second), substitutes=substitutes)

    found, expected = shared.train(seed=5), alone.train(seed=5)

    for one, other in zip(found.variables, expected.variables, strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    assert shared.steps_per_epoch == alone.steps_per_epoch == 4
    own = shared.reader_model()(data.input.in_numpy(data.validation.inputs), training=False)
    assert shared.evaluate(data.validation).outputs == pytest.approx(np.asarray(own), abs=1e-6)


def test_statistics_behind_random_weights_are_those_of_the_seed(keras: Any, data: TrainingData) -> None:
    trainer = Trainer(builder=normalized, recipe=RECIPE, data=data)
    for seed in (0, 1):
        trained(trainer, seed)
        own = trainer.reader_model()(data.input.in_numpy(data.validation.inputs), training=False)
        assert trainer.evaluate(data.validation).outputs == pytest.approx(np.asarray(own), abs=1e-6)

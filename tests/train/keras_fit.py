"""The reference engine: the same trial through ``keras.Model.fit``, which the compiled epoch is tested against.

It sees the same batches in the same order, with the same learning rates, and is evaluated by the same code.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.base.errors import TrainingFailedError
from fortydays.data.arrays import Split, TrainingData
from fortydays.inputs.input import some_of
from fortydays.train.augmentation import Augmentation, draws_of_epoch
from fortydays.train.checks import check_model_fits, check_recipe_fits
from fortydays.train.evaluation import Evaluation, Evaluator
from fortydays.train.framework import (
    ModelBuilder,
    build_loss,
    build_model,
    build_optimizer,
    build_training_loss,
    has_convolutions,
    resolve_precision,
    set_variables,
)
from fortydays.train.history import History, Point
from fortydays.train.order import batches_of_epoch, evaluation_steps
from fortydays.train.recipe import Recipe
from fortydays.train.schedule import rates_of
from fortydays.train.trainer import (
    Trained,
    check_finite,
    monitored,
    stopping_of,
    values_of,
)


class FitTrainer:
    """Trains one model architecture on one dataset through ``keras.Model.fit``.

    Takes what :class:`~fortydays.train.trainer.Trainer` takes and gives what it gives.
    """

    def __init__(self, *, builder: ModelBuilder, recipe: Recipe, data: TrainingData, bfloat16_is_fast: bool) -> None:
        check_recipe_fits(recipe, data)
        self._builder, self._recipe, self._data = builder, recipe, data
        self.model = build_model(builder, seed=0, precision="float32")
        self.convolutions = has_convolutions(self.model)
        self.precision = resolve_precision(recipe, convolutions=self.convolutions, bfloat16_is_fast=bfloat16_is_fast)
        check_model_fits(self.model, data)
        self.loss = build_loss(recipe, data.task)
        self.steps_per_epoch = len(data.train) // recipe.batch_size

    def evaluate(self, split: Split) -> Evaluation:
        """Evaluate the model as it is now."""
        return self._evaluator(self._recipe.test_views).evaluate(split)

    def _evaluator(self, test_views: str) -> Evaluator:
        # As a graph of plain kernels, whatever the layers: the reference differs where it can.
        return Evaluator(
            model=self.model,
            input=self._data.input,
            task=self._data.task,
            loss=self.loss,
            batch_size=1000,
            test_views=test_views,
            convolutions=True,
        )

    def train(self, *, seed: int) -> Trained:
        """Train one trial from a fresh start.

        Raises:
            TrainingFailedError: the loss became NaN or infinite.
        """
        import keras

        used = self._recipe
        data, steps = self._data, self.steps_per_epoch
        train = data.train
        loss = build_training_loss(used, self.loss, labels=train.labels, task=data.task)
        model = self.model = build_model(
            self._builder,
            seed=seed,
            precision=self.precision,
            seen=lambda: data.input.in_numpy(some_of(train.inputs)),
        )
        evaluator = self._evaluator("none")
        augmentation = Augmentation.of(data.input, used, train.inputs)
        shape = data.input.arrays[0].shape
        rates = rates_of(used, steps)

        def batches() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
            for epoch in range(used.epochs):
                order = batches_of_epoch(seed=seed, epoch=epoch, examples=len(train), batch_size=used.batch_size)
                drawn = draws_of_epoch(used, seed=seed, epoch=epoch, order=order, examples=len(train), shape=shape)
                for batch, of_batch in zip(order, drawn, strict=True):
                    seen = keras.ops.convert_to_numpy(augmentation.augmented(train.rows(batch).inputs, of_batch))
                    yield seen, np.column_stack([train.labels[batch].astype(np.int32), of_batch])

        points: list[Point] = []
        stopping = stopping_of(used)
        best: list[Any] = []
        began = clock.seconds()

        class Watch(keras.callbacks.Callback):  # type: ignore[misc]
            """Looks at the validation split where the recipe says so."""

            step = 0  # of the trial
            epoch = 0  # whole ones done
            looked_at = 0  # step of this epoch
            loss_sum = accuracy_sum = 0.0  # over the steps of this epoch that have been looked at

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                self.epoch, self.looked_at, self.loss_sum, self.accuracy_sum = epoch, 0, 0.0, 0.0

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                self.step += 1
                if not np.isfinite(logs["loss"]):
                    raise TrainingFailedError(
                        f"The loss became {logs['loss']} by step {self.step}, "
                        f"with a learning rate of {rates[self.step - 1]:g}.",
                        hint="Try a lower learning rate: --set learning_rate=...",
                    )
                if batch + 1 < steps and batch + 1 in evaluation_steps(self.epoch * steps, steps, used.evaluate_every):
                    self.look(batch + 1, logs)

            def look(self, done: int, logs: Any) -> None:
                # Keras puts averages in their place only when all is over.
                trained = values_of(model.trainable_variables) if used.ema else []
                if used.ema:
                    model.optimizer.finalize_variable_values(model.trainable_variables)
                evaluation = evaluator.evaluate(data.validation)
                for variable, value in zip(model.trainable_variables, trained, strict=False):
                    variable.assign(value)
                check_finite(evaluation, step=self.step, rate=float(rates[self.step - 1]))
                # Keras gives means over the epoch so far; what came since the last look is the rest.
                loss_sum, accuracy_sum = logs["loss"] * done, logs["accuracy"] * done
                points.append(
                    Point(
                        step=self.step,
                        epoch=self.epoch + (done == steps),
                        train_loss=float((loss_sum - self.loss_sum) / (done - self.looked_at)),
                        train_accuracy=float((accuracy_sum - self.accuracy_sum) / (done - self.looked_at)),
                        validation_loss=evaluation.loss,
                        validation_accuracy=evaluation.accuracy,
                        learning_rate=float(rates[self.step - 1]),
                        seconds=clock.seconds() - began,
                    )
                )
                self.looked_at, self.loss_sum, self.accuracy_sum = done, loss_sum, accuracy_sum

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                nonlocal stopping, best
                self.look(steps, logs)
                stopping = stopping.after(epoch + 1, monitored(used, points[-1]))
                if used.patience is not None and stopping.best_epoch == epoch + 1:
                    best = values_of(model.variables)
                if stopping.should_stop:
                    model.stop_training = True

        class Rates(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
            """The recipe's rates, looked up by step; Keras's own loop may keep its state where no callback sees it."""

            def __call__(self, step: Any) -> Any:
                return keras.ops.take(keras.ops.convert_to_tensor(rates), step)

        # What Keras takes for labels has beside them what was drawn: whole numbers which float32, that it makes of
        # them, holds exactly.
        def losses(labels: Any, probabilities: Any) -> Any:
            labels = keras.ops.cast(labels, "int32")
            return augmentation.losses(loss, labels[:, 0], probabilities, labels[:, 1:])

        def accuracy(labels: Any, probabilities: Any) -> Any:
            labels = keras.ops.cast(labels, "int32")
            right = augmentation.heavier_labels(labels[:, 0], labels[:, 1:])
            return keras.ops.equal(keras.ops.cast(keras.ops.argmax(probabilities, axis=-1), "int32"), right)

        optimizer = build_optimizer(used, model.trainable_variables)
        optimizer.learning_rate = Rates()
        model.compile(
            optimizer=optimizer,
            loss=losses,
            metrics=[accuracy],
        )
        # One generator for all epochs: Keras reads ahead, so data that changes at an epoch's end would change early.
        model.fit(batches(), shuffle=False, steps_per_epoch=steps, epochs=used.epochs, callbacks=[Watch()], verbose=0)
        if best:
            set_variables(model, best)
        return Trained(
            history=History(points=tuple(points)),
            variables=values_of(model.variables),
            epochs=points[-1].epoch,
            best_epoch=stopping.best_epoch if best else points[-1].epoch,
            train_seconds=clock.seconds() - began,
        )

"""One variant's trainer: builds and compiles once, then trains with as many seeds and learning rates as asked.

A trial is a pure function of (code, data, recipe, seed, backend, threads). Its state after an epoch is handed out as a
checkpoint, from which another process goes on with the same bits. The trainer itself touches no disk.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.base.errors import TrainingFailedError
from fortydays.data.arrays import Split, TrainingData
from fortydays.inputs.input import some_of
from fortydays.train.augmentation import Augmentation, draws_of_epoch
from fortydays.train.backends import LONGEST_CHUNK, Backend, DeviceSplit, backend
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.checks import check_model_fits, check_recipe_fits
from fortydays.train.evaluation import Evaluation, Evaluator
from fortydays.train.framework import (
    ModelBuilder,
    adapt,
    build_loss,
    build_model,
    build_optimizer,
    build_training_loss,
    has_convolutions,
    model_errors,
    numbers_of_largest_layer,
    read_statistics,
    resolve_precision,
    set_variables,
)
from fortydays.train.history import History, Point, points_from_columns
from fortydays.train.order import batches_of_epoch, evaluation_steps
from fortydays.train.recipe import Recipe
from fortydays.train.schedule import rates_of
from fortydays.train.stopping import Stopping
from fortydays.train.substitutes import substituted
from fortydays.train.units import EARLY, dead_units

if TYPE_CHECKING:
    import keras

Report = Callable[[int, int, float, float], None]
"""Told after each chunk of steps: steps done, steps in all, loss, accuracy. May raise to stop the trial."""

SECONDS_BETWEEN_REPORTS = 0.25
"""How long one call into the graph aims to take: an interrupt is noticed after it."""

FIRST_CHUNK = 4
"""Steps of a trial's first call; the next ones do as many as take that long."""

KEEP_AFTER = 1.0
"""Seconds of training between two states that are kept. A trial that is killed loses them and an epoch at most."""

MOST_EVALUATED_BYTES = 2**29
"""Of what the largest layer takes in and gives on for a batch of an evaluation. Memory holds a few times as much."""

FEWEST_EVALUATED = 100
"""Examples that a batch of an evaluation has at least, as far as memory holds them."""

FREE_FIELDS = ("learning_rate", "schedule", "warmup", "epochs", "patience", "monitor", "evaluate_every")
"""What may differ between two recipes that share one compiled program."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A finished trial.

    Attributes:
        history: what was seen on the way.
        variables: the model's variables, as kept (the best epoch's with early stopping, else the last).
        epochs: epochs trained.
        best_epoch: the epoch whose weights were kept.
        train_seconds: of the training loop, evaluations included; compilation and the making of initial weights not.
        resumed_from_epoch: epochs that an earlier process had done, or 0.
        dead_units: where they were asked for, by ReLU layer the share of dead units, as
            :func:`fortydays.train.units.dead_units` gives it: "early", after step :data:`~fortydays.train.units.EARLY`
            (None where the trial has no such step), and at the "end", with the kept weights.
    """

    history: History
    variables: Sequence[NDArray[Any]]
    epochs: int
    best_epoch: int
    train_seconds: float
    resumed_from_epoch: int = 0
    dead_units: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


class Trainer:
    """Trains one model architecture on one dataset.

    Args:
        builder: builds a fresh model.
        recipe: decides what is compiled; later recipes may differ in :data:`FREE_FIELDS` only.
        data: training and validation examples.
        device_train: the training split on the device, where several trainers share it.
        rows: where the training examples are in ``device_train``, which has more; None where it has just these.
        bfloat16_is_fast: whether "auto" precision may take bfloat16.
        substitutes: whether layers may be computed by :mod:`fortydays.train.substitutes`.
        on: what compiles and computes; the backend that ``KERAS_BACKEND`` asks for, unless given.

    Raises:
        UsageError: the batch is larger than the training split, or the model does not fit the data, or a layer of it
            cannot be computed.
    """

    def __init__(
        self,
        *,
        builder: ModelBuilder,
        recipe: Recipe,
        data: TrainingData,
        device_train: DeviceSplit | None = None,
        rows: NDArray[np.intp] | None = None,
        bfloat16_is_fast: bool = False,
        substitutes: bool = True,
        on: Backend | None = None,
    ) -> None:
        check_recipe_fits(recipe, data)
        began = clock.seconds()
        self._builder, self._recipe, self._data, self._rows = builder, recipe, data, rows
        self._substitutes = substitutes
        self._chunk = FIRST_CHUNK
        model = build_model(builder, seed=0, precision="float32")
        self.convolutions = has_convolutions(model)
        self.precision = resolve_precision(recipe, convolutions=self.convolutions, bfloat16_is_fast=bfloat16_is_fast)
        self._backend = on or backend()
        check_model_fits(model, data)
        self._looked_at = model
        if self.precision != "float32":
            model = build_model(builder, seed=0, precision=self.precision)
        adapt(model, self._seen)
        read_statistics(model, examples_vary=rows is not None)
        self.model = model = self._substituted(model)
        self.optimizer = build_optimizer(recipe, model.trainable_variables)
        self.optimizer.build(model.trainable_variables)
        self._fresh_optimizer = values_of(self.optimizer.variables)
        self.loss = build_loss(recipe, data.task)
        self.training_loss = build_training_loss(recipe, self.loss, labels=data.train.labels, task=data.task)
        self._validation = self._evaluator("none")
        self._validation.keep_on_device(data.validation)
        self._reports = self._validation if recipe.test_views == "none" else self._evaluator(recipe.test_views)
        self.steps_per_epoch = len(data.train) // recipe.batch_size
        self._epoch = self._backend.compile_epoch(
            model=model,
            optimizer=self.optimizer,
            loss=self.training_loss,
            train=device_train or self._backend.on_device(data.train),
            augmentation=Augmentation.of(data.input, recipe, data.train.inputs),
            convolutions=self.convolutions,
        )
        # Compile outside the clock of any trial: a call that does no step, and one evaluation.
        order = np.zeros((self.steps_per_epoch, recipe.batch_size), np.int32)
        drawn = self._drawn(recipe, seed=0, epoch=0, order=order)
        with model_errors(self.precision):
            self._epoch.run(order, drawn, np.zeros(self.steps_per_epoch, np.float32), 0, 0)
            seen = self._validation.evaluate(data.validation)
        data.task.check_outputs(seen.outputs)
        self.compile_seconds = clock.seconds() - began

    def learn_from(self, data: TrainingData, rows: NDArray[np.intp]) -> None:
        """Train the next trials on other examples of ``device_train``, as many of each class as before.

        The validation examples are the same.
        """
        self._data, self._rows = data, rows

    @property
    def num_parameters(self) -> int:
        """How many numbers the optimizer may change."""
        return int(sum(np.prod(v.shape) for v in self.model.trainable_variables))

    def evaluate(self, split: Split) -> Evaluation:
        """Evaluate the model as it is now, over the recipe's test views."""
        return self._reports.evaluate(split)

    def reader_model(self) -> "keras.Model":
        """The reader's own model, of Keras's layers, with the variables as they are now."""
        model = build_model(self._builder, seed=0, precision=self.precision)
        set_variables(model, values_of(self.model.variables))
        return model

    def _evaluator(self, test_views: str) -> Evaluator:
        return Evaluator(
            model=self.model,
            input=self._data.input,
            task=self._data.task,
            loss=self.loss,
            batch_size=self._evaluated_at_once(),
            test_views=test_views,
            convolutions=self.convolutions,
            on=self._backend,
        )

    def _evaluated_at_once(self) -> int:
        """Examples in a batch of an evaluation: no more than memory holds, and than the larger split.

        So little is filled up.
        """
        most = 1000 if self.convolutions else 5000
        most = min(most, max(1, MOST_EVALUATED_BYTES // (4 * max(1, numbers_of_largest_layer(self.model)))))
        return min(most, max(FEWEST_EVALUATED, len(self._data.train), len(self._data.validation)))

    def _drawn(self, recipe: Recipe, *, seed: int, epoch: int, order: NDArray[np.int32]) -> NDArray[np.int32]:
        examples, shape = len(self._data.train), self._data.input.arrays[0].shape
        return draws_of_epoch(recipe, seed=seed, epoch=epoch, order=order, examples=examples, shape=shape)

    def reset(self, seed: int) -> None:
        """Give model and optimizer the state of a fresh trial with this seed, without compiling again."""
        fresh = build_model(self._builder, seed=seed, precision=self.precision, seen=self._seen)
        set_variables(self.model, values_of(self._substituted(fresh).variables))
        assign(self.optimizer.variables, self._fresh_optimizer)

    def _seen(self) -> Any:
        """What the network gets of some training examples, in NumPy."""
        return self._data.input.in_numpy(some_of(self._data.train.inputs))

    def _substituted(self, model: "keras.Model") -> "keras.Model":
        if not self._substitutes:
            return model
        return substituted(model, replacements=self._backend.replacements(convolutions=self.convolutions))

    def check_shares_program(self, recipe: Recipe) -> None:
        """Raise ValueError unless the recipe can be trained with what is compiled."""
        compiled = self._recipe.as_dict()
        changed = {name for name, value in recipe.as_dict().items() if value != compiled[name]} - set(FREE_FIELDS)
        if changed:
            raise ValueError(f"another program is needed, because these fields differ: {sorted(changed)}")

    def train(
        self,
        *,
        seed: int,
        recipe: Recipe | None = None,
        resume: Checkpoint | None = None,
        keep: Callable[[Checkpoint], None] | None = None,
        report: Report | None = None,
        count_dead: bool = False,
        until: float = math.inf,
    ) -> Trained:
        """Train one trial, from a fresh start or from a checkpoint.

        Args:
            seed: of the initial weights, the order of the images and the layers' random generators.
            recipe: the trainer's own, unless given; may differ in :data:`FREE_FIELDS` only.
            resume: the state after some epochs of this very trial.
            keep: given the state, to write it down: after the first epoch and the last one, and after an epoch that
                ends :data:`KEEP_AFTER` seconds of training or more after the last state that was given.
            report: told after each chunk of steps.
            count_dead: whether dead units are counted, which changes nothing of the training.
            until: the validation accuracy above which it ends after an epoch.

        Returns:
            The finished trial; the model has its weights.

        Raises:
            TrainingFailedError: the loss became NaN or infinite.
        """
        recipe = recipe or self._recipe
        self.check_shares_program(recipe)
        self.reset(seed)
        self._chunk = FIRST_CHUNK
        state = _State(stopping=stopping_of(recipe))
        if resume is not None:
            state = self._resume(resume)
        resumed_from, kept = state.epoch, -math.inf
        rates = rates_of(recipe, self.steps_per_epoch).reshape(recipe.epochs, self.steps_per_epoch)
        while state.epoch < recipe.epochs and not state.stopping.should_stop and not state.accuracy > until:
            state = self._train_epoch(
                state, seed=seed, recipe=recipe, rates=rates[state.epoch], report=report, count_dead=count_dead
            )
            ended = state.epoch == recipe.epochs or state.stopping.should_stop
            if keep is not None and (ended or state.seconds >= kept + KEEP_AFTER):
                began = clock.seconds()
                keep(self._checkpoint(state))
                state = dataclasses.replace(state, seconds=state.seconds + clock.seconds() - began)
                kept = state.seconds
        best_epoch = state.epoch
        if recipe.patience is not None and state.best:
            set_variables(self.model, state.best)
            best_epoch = state.stopping.best_epoch
        else:
            self._take_averages()
        dead = self._dead_units() if count_dead else {}
        return Trained(
            history=History(points=state.points),
            variables=values_of(self.model.variables),
            epochs=state.epoch,
            best_epoch=best_epoch,
            train_seconds=state.seconds,
            resumed_from_epoch=resumed_from,
            dead_units={name: {"early": state.dead_early.get(name), "end": share} for name, share in dead.items()},
        )

    def _take_averages(self) -> None:
        """Give the model the averages of its weights, where the recipe asks for them; they exist after a step."""
        if self._recipe.ema:
            self.optimizer.finalize_variable_values(self.model.trainable_variables)

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """While the block runs, the model has what is evaluated of it; then again what is trained."""
        trained = values_of(self.model.trainable_variables) if self._recipe.ema else []
        self._take_averages()
        try:
            yield
        finally:
            if trained:
                assign(self.model.trainable_variables, trained)

    def _dead_units(self) -> dict[str, float]:
        set_variables(self._looked_at, values_of(self.model.variables))
        return dead_units(self._looked_at, self._data)

    def _train_epoch(
        self,
        state: "_State",
        *,
        seed: int,
        recipe: Recipe,
        rates: NDArray[np.float32],
        report: Report | None,
        count_dead: bool,
    ) -> "_State":
        began = clock.seconds()
        order = batches_of_epoch(
            seed=seed, epoch=state.epoch, examples=len(self._data.train), batch_size=recipe.batch_size
        )
        drawn = self._drawn(recipe, seed=seed, epoch=state.epoch, order=order)
        if self._rows is not None:
            order = self._rows[order].astype(np.int32)
        before = state.epoch * self.steps_per_epoch
        total = recipe.epochs * self.steps_per_epoch
        points = list(state.points)
        evaluation: Evaluation | None = None
        dead_early = state.dead_early
        done = 0
        for stop in evaluation_steps(before, self.steps_per_epoch, recipe.evaluate_every):
            losses: list[NDArray[np.float32]] = []
            accuracies: list[NDArray[np.float32]] = []
            while done < stop:
                end = min(done + self._chunk, stop)
                if before + done < EARLY < before + end:
                    end = EARLY - before
                started = clock.seconds()
                chunk_losses, chunk_accuracies = self._epoch.run(order, drawn, rates, done, end)
                if not np.isfinite(chunk_losses).all():
                    raise _diverged(chunk_losses, before + done, rates[done:end])
                losses.append(chunk_losses)
                accuracies.append(chunk_accuracies)
                self._chunk = _next_chunk(end - done, clock.seconds() - started)
                done = end
                if count_dead and before + done == EARLY:
                    started = clock.seconds()
                    with self._averaged():
                        dead_early = self._dead_units()
                    began += clock.seconds() - started  # no part of the training
                if report:
                    report(before + done, total, float(chunk_losses.mean()), float(chunk_accuracies.mean()))
            with self._averaged():
                evaluation = self._validation.evaluate(self._data.validation)
            check_finite(evaluation, step=before + done, rate=float(rates[done - 1]))
            points.append(
                Point(
                    step=before + done,
                    epoch=state.epoch + (done == self.steps_per_epoch),
                    train_loss=float(np.concatenate(losses).mean(dtype=np.float64)),
                    train_accuracy=float(np.concatenate(accuracies).mean(dtype=np.float64)),
                    validation_loss=evaluation.loss,
                    validation_accuracy=evaluation.accuracy,
                    learning_rate=float(rates[done - 1]),
                    seconds=state.seconds + clock.seconds() - began,
                )
            )
        last = points[-1]
        stopping = state.stopping.after(last.epoch, monitored(recipe, last))
        best = state.best
        if recipe.patience is not None and stopping.best_epoch == last.epoch:
            with self._averaged():
                best = tuple(values_of(self.model.variables))
        return _State(
            epoch=last.epoch,
            points=tuple(points),
            stopping=stopping,
            best=best,
            dead_early=dead_early,
            seconds=state.seconds + clock.seconds() - began,
        )

    def _checkpoint(self, state: "_State") -> Checkpoint:
        return Checkpoint(
            state={
                "epoch": state.epoch,
                "seconds": state.seconds,
                "stopping": dataclasses.asdict(state.stopping),
                "points": History(points=state.points).as_columns(),
                "dead_early": dict(state.dead_early),
            },
            variables=values_of(self.model.variables),
            optimizer=values_of(self.optimizer.variables),
            best=state.best,
        )

    def _resume(self, found: Checkpoint) -> "_State":
        set_variables(self.model, found.variables)
        assign(self.optimizer.variables, found.optimizer)
        return _State(
            epoch=found.state["epoch"],
            points=points_from_columns(found.state["points"]),
            stopping=Stopping(**found.state["stopping"]),
            best=tuple(found.best),
            dead_early=found.state["dead_early"],
            seconds=found.state["seconds"],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _State:
    """A trial between two epochs, besides the variables of model and optimizer."""

    stopping: Stopping
    epoch: int = 0
    points: tuple[Point, ...] = ()
    best: tuple[NDArray[Any], ...] = ()
    dead_early: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def accuracy(self) -> float:
        """The last validation accuracy."""
        return self.points[-1].validation_accuracy if self.points else 0.0


def _next_chunk(done: int, seconds: float) -> int:
    """How many steps to do next, so that a call takes about :data:`SECONDS_BETWEEN_REPORTS`."""
    wanted = int(done * SECONDS_BETWEEN_REPORTS / max(seconds, 1e-6))
    return max(1, min(wanted, LONGEST_CHUNK, 8 * done))


def stopping_of(recipe: Recipe) -> Stopping:
    """Early stopping as a recipe asks for it, before the first epoch."""
    return Stopping(patience=recipe.patience, higher_is_better=recipe.monitor == "validation_accuracy")


def monitored(recipe: Recipe, point: Point) -> float:
    """The number that a recipe's early stopping watches."""
    return point.validation_loss if recipe.monitor == "validation_loss" else point.validation_accuracy


def _diverged(losses: NDArray[np.float32], first_step: int, rates: NDArray[np.float32]) -> TrainingFailedError:
    at = int(np.flatnonzero(~np.isfinite(losses))[0])
    return TrainingFailedError(
        f"The loss became {losses[at]} at step {first_step + at + 1}, with a learning rate of {rates[at]:g}.",
        hint="Try a lower learning rate: --set learning_rate=...",
    )


def check_finite(evaluation: Evaluation, *, step: int, rate: float) -> None:
    """Raise TrainingFailedError where the loss on the validation split is no number: the last step can do that."""
    if not math.isfinite(evaluation.loss):
        raise TrainingFailedError(
            f"The validation loss is {evaluation.loss} after step {step}, with a learning rate of {rate:g}.",
            hint="Try a lower learning rate: --set learning_rate=...",
        )


def values_of(variables: Sequence[Any]) -> list[NDArray[Any]]:
    """Copies of the values of some Keras variables."""
    return [np.array(v.numpy()) for v in variables]


def assign(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    """Give some Keras variables these values, in order."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)

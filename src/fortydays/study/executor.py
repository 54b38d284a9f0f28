"""Who trains: an executor takes specs of trials and gives their outcomes. This one trains here, in this process.

An executor touches no run's folder. It asks the driver for a trial's kept state and hands it each new one, through
:class:`Callbacks`; the driver alone reads and writes.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import TrainingFailedError
from fortydays.base.machine import describe_machine
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset, Reading
from fortydays.study.bench import carry_out
from fortydays.study.design import Study
from fortydays.study.features import AnyFeatures, prepare, read_as, some_of_each_class, with_rows
from fortydays.study.trial import TrialOutcome, TrialSpec, run_trial, trial_result
from fortydays.train import backends
from fortydays.train.backends import DeviceSplit
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import FREE_FIELDS, Trainer


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """What an executor tells and asks its driver. It calls them in the driver's process, from the driver's thread.

    Attributes:
        started: a spec is begun, with so many steps in all.
        resume: gives the state from which a trial goes on, or None. It is not asked for a try.
        keep: is given states of a trial, as :meth:`Trainer.train` says.
        report: is told after each chunk of steps: steps done, steps in all, loss, accuracy.
        doing: is told what a drill does now.
    """

    started: Callable[[TrialSpec, int], None]
    report: Callable[[TrialSpec, int, int, float, float], None]
    resume: Callable[[TrialSpec], Checkpoint | None] = lambda spec: None  # noqa: ARG005
    keep: Callable[[TrialSpec, Checkpoint], None] = lambda spec, state: None  # noqa: ARG005
    doing: Callable[[TrialSpec, str], None] = lambda spec, text: None  # noqa: ARG005


_PROCESSOR = "processor"
"""Where a kept state says on which kind of processor it was computed."""


class Executor(Protocol):
    """Trains what is asked for, and carries out drills, here or elsewhere."""

    def map(self, specs: deque[TrialSpec], callbacks: Callbacks) -> Generator[TrialOutcome, None, None]:
        """The outcomes of specs, in the order of completion: the driver keeps each trial as soon as it has ended.

        Args:
            specs: a queue that is emptied from the left. The driver may add to it while it takes outcomes: the trials
                of a variant can be asked for when the tries of its search are over.
            callbacks: to the driver.

        Raises:
            FortydaysError: the study, its data or its model is not what it should be. A trial that could not be
                trained to its end is no error but an outcome.
        """


class InProcess:
    """Trains one spec after another in this process, where Keras is loaded. Drills do not need it.

    Specs of one variant that stand beside each other share one compiled program, also where each seed draws its
    training images; variants beside each other that learn from the same images share those on the device. ``dataset``
    is the study's, or None where it has none.
    """

    def __init__(self, *, study: Study, dataset: Dataset | None, settings: Settings, progress: Progress) -> None:
        self._variants = {variant.name: variant for variant in study.variants}
        self._drills = {drill.name: drill for drill in study.drills}
        self._study, self._dataset, self._settings, self._progress = study, dataset, settings, progress
        self._ready: _Ready | None = None
        self._shared: tuple[tuple[AnyFeatures | None, int | None, int | None, Reading], DeviceSplit] | None = None
        self._machine = this_machine(computing=bool(study.variants))
        self._processor = processor_kind()

    def map(self, specs: deque[TrialSpec], callbacks: Callbacks) -> Generator[TrialOutcome, None, None]:
        """See :class:`Executor`."""
        while specs:
            spec = specs.popleft()
            outcome = (
                self._trained(spec, spec.recipe, callbacks) if spec.recipe else self._carried_out(spec, callbacks)
            )
            outcome.result["machine"] = self._machine
            yield outcome

    def _carried_out(self, spec: TrialSpec, callbacks: Callbacks) -> TrialOutcome:
        callbacks.started(spec, 1)
        found = carry_out(
            self._drills[spec.variant],
            seed=spec.seed,
            settings=self._settings,
            say=lambda text: callbacks.doing(spec, text),
            dataset=self._dataset,
        )
        return TrialOutcome(spec=spec, result=trial_result(spec, **found))

    def _trained(self, spec: TrialSpec, recipe: Recipe, callbacks: Callbacks) -> TrialOutcome:
        compile_seconds = self._prepare(spec, recipe)
        assert self._ready is not None
        callbacks.started(spec, recipe.epochs * self._ready.trainer.steps_per_epoch)
        try:
            outcome = run_trial(
                spec,
                study=self._study,
                dataset=self._ready.dataset,
                trainer=self._ready.trainer,
                resume=None if spec.validation_only else self._of_this_processor(spec, callbacks.resume(spec)),
                keep=None if spec.validation_only else lambda state: callbacks.keep(spec, self._stamped(state)),
                report=lambda *seen: callbacks.report(spec, *seen),
            )
        except TrainingFailedError as error:
            failed = trial_result(spec, status="failed", error=error.message)
            outcome = TrialOutcome(spec=spec, result=failed, hint=error.hint)
        return dataclasses.replace(outcome, compile_seconds=compile_seconds)

    def _stamped(self, state: Checkpoint) -> Checkpoint:
        """A state with the kind of processor that computed it."""
        return dataclasses.replace(state, state={**state.state, _PROCESSOR: self._processor})

    def _of_this_processor(self, spec: TrialSpec, state: Checkpoint | None) -> Checkpoint | None:
        """A kept state; None where another kind of processor computed it: bits of both would be mixed."""
        if state is None or state.state.get(_PROCESSOR, self._processor) == self._processor:
            return state
        self._progress.say(
            f"{spec.variant}, seed {spec.seed}, was begun on another kind of processor. It begins anew."
        )
        return None

    def _prepare(self, spec: TrialSpec, recipe: Recipe) -> float:
        """Have a spec's program compiled; the seconds that took, 0 where the spec before has the same program."""
        variant = self._variants[spec.variant]
        features, seed = variant.features_of(spec.seed), variant.drawn_with(spec.seed)
        # Large features are computed, and on the device, of the examples alone that a seed draws.
        alone = features is not None and features.computed and features.trained_further and seed is not None
        compiled = {name: value for name, value in recipe.as_dict().items() if name not in FREE_FIELDS}
        # What is covered gets the mean color of the examples, which is part of the program.
        of_examples = seed if recipe.cutout or alone else None
        key = (spec.variant, spec.engine, spec.bfloat16_is_fast, compiled, features, of_examples)
        if self._ready is not None and self._ready.key == key:
            dataset, rows = _drawn(self._ready.whole, None if alone else variant.examples, seed)
            if rows is not None:
                self._ready.trainer.learn_from(dataset.training, rows)
                self._ready = dataclasses.replace(self._ready, dataset=dataset)
            return 0.0
        self._ready = None  # its memory is needed
        assert self._dataset is not None  # a study with variants has one
        # Where each seed draws its examples, all are on the device, and a program takes some of them.
        examples = variant.examples if seed is None or alone else None
        prepared = prepare(
            read_as(self._dataset, recipe),
            variant.model,
            features=features,
            vectors=variant.vectors,
            examples=examples,
            seed=seed if alone else None,
            settings=self._settings,
            progress=self._progress,
        )
        whole = prepared.dataset
        dataset, rows = _drawn(whole, None if alone else variant.examples, seed)
        learned_from = (features, examples, seed if alone else None, Reading.of(recipe.as_dict()))
        if self._shared is None or self._shared[0] != learned_from:
            self._shared = None  # likewise
            self._shared = (learned_from, backends.backend().on_device(whole.training.train))
        data = dataset.training
        self._progress.say(f"Compiling {variant.name}")
        trainer = Trainer(
            builder=prepared.builder,
            recipe=recipe,
            data=data,
            bfloat16_is_fast=spec.bfloat16_is_fast,
            device_train=self._shared[1],
            rows=rows,
            substitutes=spec.engine == "compiled",
        )
        if trainer.precision == "bfloat16" and not spec.bfloat16_is_fast:
            self._progress.warn(
                f"{variant.name} trains in bfloat16, which this processor only emulates: "
                "expect it to take about twice as long as float32. The recipe's precision=auto would not."
            )
        self._ready = _Ready(key=key, whole=whole, dataset=dataset, trainer=trainer)
        return trainer.compile_seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ready:
    """A variant's trainer, all that its trials draw their training examples from, and what it learns from now."""

    key: tuple[Any, ...]
    whole: Dataset
    dataset: Dataset
    trainer: Trainer


def _drawn(whole: Dataset, examples: int | None, seed: int | None) -> tuple[Dataset, NDArray[np.intp] | None]:
    """The dataset with the training examples of each class that a seed draws, and where they are; all without one."""
    if examples is None or seed is None:
        return whole, None
    rows = some_of_each_class(whole.training.train.labels, examples, seed=seed)
    return with_rows(whole, rows), rows


def processor_kind() -> str:
    """The kind of this processor: model and instructions. Another kind may compute other bits."""
    machine = describe_machine()
    return ", ".join([machine.cpu_model, *machine.flags])


def this_machine(*, computing: bool = True) -> str:
    """The machine that this process computes on, in a few words: processor, accelerator, cores, system.

    An accelerator is told only where the backend is ``computing`` here, because the backend takes long to load.
    """
    return describe_machine().in_words(backends.backend().accelerator() if computing else None)

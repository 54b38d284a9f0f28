"""How the trials of a study are run, here and in this process: prepared, continued, kept, and gathered as evidence."""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fortydays import __version__
from fortydays.base import clock, files
from fortydays.base.arrays import load_arrays, save_arrays
from fortydays.base.errors import (
    ExitCode,
    FortydaysError,
    StorageError,
    StudyChangedError,
    TrainingFailedError,
    UsageError,
    unknown_name,
)
from fortydays.base.machine import describe_machine
from fortydays.base.progress import Progress
from fortydays.base.revision import revision
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import Dataset, TrainingData
from fortydays.study import evidence as documents
from fortydays.study.code import engine_digest, study_digest
from fortydays.study.design import Shown, Study, Variant
from fortydays.study.features import Features, Given, given, runtime
from fortydays.study.rehearsal import rehearse
from fortydays.study.runs import RunFolder, RunState, TrialFolder, create_run, damaged_runs, unfinished_run
from fortydays.study.search import Search, choose
from fortydays.study.trial import AnyTrainer, digest_of_arrays, failed_trial, run_trial
from fortydays.train import backends
from fortydays.train import checkpoint as checkpoints
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.framework import numerical_switches
from fortydays.train.recipe import Recipe

if TYPE_CHECKING:
    from fortydays.train.framework import ModelBuilder

ENGINES = ("compiled", "plain", "fit")
"""How trials are trained: the compiled epoch; the same with Keras's own layers, without substitutes; the reference."""


@dataclass(frozen=True, kw_only=True)
class StudySource:
    """A study and where it was written down.

    Attributes:
        day: number of the day, or None for a study of one's own.
        name: slug of the day, or the name of the study's own file.
        path: the file.
        study: its content.
    """

    day: int | None
    name: str
    path: Path
    study: Study


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a study.

    Attributes:
        seeds: how many trials of each variant, or None for the study's own seeds. More than it has are counted on.
        only: variants or groups; empty for all.
        settings: ``FIELD=VALUE`` for every variant's recipe.
        engine: one of :data:`ENGINES`.
        command: as it was typed, for the run to tell how it goes on; no part of what the run is.
    """

    seeds: int | None = None
    only: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    engine: str = "compiled"
    command: str = ""

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise unknown_name("engine", self.engine, ENGINES)
        if self.seeds is not None and not 1 <= self.seeds <= 1000:
            raise UsageError(f"--seeds is {self.seeds}; expected a whole number from 1 to 1000.")

    def seeds_of(self, study: Study) -> tuple[int, ...]:
        """The seeds to train with: the study's own first, then the next whole numbers that are free."""
        if self.seeds is None:
            return study.seeds
        taken = set(study.seeds) | {s for v in study.variants if v.search for s in v.search.seeds}
        further = (s for s in itertools.count(max(study.seeds) + 1) if s not in taken)
        return (*study.seeds, *(next(further) for _ in range(self.seeds - len(study.seeds))))[: self.seeds]


class Listener(Protocol):
    """Told how a run goes, after it is on disk; a tracker is one."""

    def started(self, run: RunFolder) -> None:
        """The run has begun or goes on."""

    def trial_ended(self, run: RunFolder) -> None:
        """One more trial of the run has a result."""

    def ended(self, run: RunFolder) -> None:
        """The run has its evidence."""


class StudyInterruptedError(FortydaysError):
    """The reader stopped the run; what is done is kept."""

    exit_code = ExitCode.INTERRUPTED


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A run about to be worked on."""

    source: StudySource
    request: Request
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    dataset: Dataset
    settings: Settings
    identity: dict[str, Any]


def run_study(
    source: StudySource,
    request: Request,
    settings: Settings,
    *,
    progress: Progress,
    listener: Listener | None = None,
    fresh: bool = False,
) -> tuple[RunFolder, dict[str, Any]]:
    """Run a study's trials, from the start or from where an interrupted run stopped.

    Args:
        source: the study.
        request: what is asked of it.
        settings: where state lives, and threads.
        progress: told of the work.
        listener: told of results.
        fresh: begin anew, even where an interrupted run could go on.

    Returns:
        The run's folder and its evidence.

    Raises:
        UsageError: an unknown variant, a setting that does not fit, or a mistake in the study's own functions.
        StudyChangedError: an interrupted run cannot go on, because what it is a function of has changed.
        StudyInterruptedError: the reader stopped it.
        StorageError: the workspace cannot be read or written.
    """
    plan = _plan(source, request, settings, progress)
    run, resumed = _open_run(plan, progress, fresh=fresh)
    with _held(run):
        for folder in (run.path / "searches", *(t.path for t in run.trials())):
            files.remove_leftovers(folder)
        run.update(state=str(RunState.RUNNING), command=request.command)
        if resumed:
            done = sum(t.result.exists() for t in run.trials())
            progress.say(f"Continuing {run.run_id}: {done} of {len(plan.variants) * len(plan.seeds)} trials are done.")
        if listener:
            listener.started(run)
        began = clock.seconds()
        try:
            evidence = _work(plan, run, progress, listener)
        except KeyboardInterrupt as interrupt:
            done = sum(t.result.exists() for t in run.trials())
            seconds = _added(run.read().get("seconds", {}), {"total": clock.seconds() - began})
            run.update(state=str(RunState.INTERRUPTED), seconds=seconds)
            raise StudyInterruptedError(
                f"Stopped. {done} of {len(plan.variants) * len(plan.seeds)} trials are done and kept."
            ) from interrupt
        spent = {**evidence["seconds"], "total": clock.seconds() - began}
        evidence["seconds"] = _added(run.read().get("seconds", {}), spent)
        files.write_json(run.evidence, evidence)
        failed = any(t["error"] for t in evidence["trials"])
        run.update(state=str(RunState.FAILED if failed else RunState.FINISHED))
        if listener:
            listener.ended(run)
    return run, evidence


def _added(before: Mapping[str, float], spent: Mapping[str, float]) -> dict[str, float]:
    """Seconds of earlier processes that worked on a run and of this one; a killed one left none."""
    return {name: before.get(name, 0.0) + value for name, value in spent.items()}


def _plan(source: StudySource, request: Request, settings: Settings, progress: Progress) -> _Plan:
    study = source.study
    variants = tuple(_with_settings(variant, request.settings) for variant in study.select(request.only))
    dataset = library.load(study.dataset, settings, progress)
    machine = describe_machine()
    revision()  # as it is now, when the code has just been loaded; looked up once for a process
    identity = {
        "study": study_digest(source.path),
        "engine": engine_digest(),
        "dataset": dataset.digest,
        "split_version": dataset.split_version,
        "recipes": {v.name: v.recipe.as_dict() for v in variants},
        "searches": {v.name: v.search.as_dict() if v.search else None for v in variants},
        "features": {v.name: {**v.features.as_dict(), "onnxruntime": runtime()} for v in variants if v.features},
        "examples": {v.name: v.examples for v in variants if v.examples is not None},
        "packages": documents.package_versions(backends.backend().PACKAGES),
        "threads": settings.threads,
        "backend": backends.wanted(),
        "accelerator": backends.backend().accelerator(),
        # The same code in other instructions adds in another order, and "auto" may choose another precision.
        "processor": [machine.cpu_model, *machine.flags],
        "python": machine.python,
        "switches": numerical_switches(),
    }
    return _Plan(
        source=source,
        request=request,
        variants=variants,
        seeds=request.seeds_of(study),
        dataset=dataset,
        settings=settings,
        identity=identity,
    )


def _with_settings(variant: Variant, settings: Sequence[str]) -> Variant:
    """The variant with the reader's settings, which also take the place of a search over the same field."""
    named = {setting.partition("=")[0].strip() for setting in settings}
    search = None if variant.search is not None and variant.search.field in named else variant.search
    return dataclasses.replace(variant, recipe=variant.recipe.with_settings(settings), search=search)


def _open_run(plan: _Plan, progress: Progress, *, fresh: bool) -> tuple[RunFolder, bool]:
    """The interrupted run that can go on, whose code is the same that was rehearsed, or a new one."""
    request = {
        "seeds": list(plan.seeds),
        "only": list(plan.request.only),
        "settings": list(plan.request.settings),
        "engine": plan.request.engine,
    }
    name = plan.source.name
    day = plan.source.day
    for damaged in damaged_runs(plan.settings.runs):
        progress.warn(f"The run {damaged.run_id} is left out: its run.json is damaged.")
    found = None if fresh else unfinished_run(plan.settings.runs, name=name, day=day, request=request)
    if found is None:
        rehearse(plan.source.study, plan.variants, plan.dataset, threads=plan.settings.threads)
        run = create_run(plan.settings.runs, day=plan.source.day, name=name, request=request, identity=plan.identity)
        return run, False
    before = found.read()["identity"]
    # What an older version of the program did not write down, because nothing had it, was empty.
    changed = [key for key, value in plan.identity.items() if _as_now(key, before.get(key) or {}) != (value or {})]
    if changed:
        hint = "Start over with --fresh; the interrupted run stays where it is."
        if changed == ["threads"]:
            hint = f"Set FORTYDAYS_THREADS={before['threads']} to continue. {hint}"
        raise StudyChangedError(
            f"The interrupted run {found.run_id} cannot continue: {_in_words(changed)} changed since.", hint=hint
        )
    return found, True


def _as_now(key: str, recorded: Any) -> Any:
    """A part of a run's identity as today's version of the program would have written it down."""
    kinds: dict[str, type] = {"recipes": Recipe, "features": Features}
    if key not in kinds:
        return recorded
    return {variant: documents.with_defaults(kinds[key], fields) for variant, fields in recorded.items()}


def _in_words(changed: Sequence[str]) -> str:
    words = {
        "study": "the study file",
        "engine": "the training engine",
        "dataset": "the dataset",
        "split_version": "the rule of the splits",
        "recipes": "the recipes",
        "searches": "what is searched",
        "features": "the features that are learned from",
        "examples": "the number of training images",
        "processor": "the processor",
        "python": "the version of Python",
        "switches": "an environment variable that changes how the backend computes",
        "packages": "the installed packages",
        "threads": "the number of threads",
        "backend": "the backend",
        "accelerator": "the accelerator",
    }
    return " and ".join(words.get(name, name) for name in changed)


def make_trainer(
    engine: str,
    *,
    builder: "ModelBuilder",
    recipe: Recipe,
    data: TrainingData,
    bfloat16_is_fast: bool,
    device_train: Any = None,
) -> AnyTrainer:
    """What trains the trials of a variant.

    Args:
        engine: one of :data:`ENGINES`.
        builder: builds the variant's model.
        recipe: how it is trained.
        data: what training may see.
        bfloat16_is_fast: whether "auto" precision may be bfloat16.
        device_train: the training split, where it is on the device already; the reference engine has no use for it.
    """
    if engine == "fit":
        from fortydays.train.keras_fit import FitTrainer

        return FitTrainer(builder=builder, recipe=recipe, data=data, bfloat16_is_fast=bfloat16_is_fast)
    from fortydays.train.trainer import Trainer

    return Trainer(
        builder=builder,
        recipe=recipe,
        data=data,
        bfloat16_is_fast=bfloat16_is_fast,
        device_train=device_train,
        substitutes=engine == "compiled",
    )


@contextmanager
def _held(run: RunFolder) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(files.locked(run.lock, timeout=0))
        except TimeoutError:
            raise UsageError(
                f"Another process is working on {run.run_id}.",
                hint="Wait for it, or begin another run with --fresh.",
            ) from None
        yield


def _work(plan: _Plan, run: RunFolder, progress: Progress, listener: Listener | None) -> dict[str, Any]:
    from fortydays.train.framework import load_keras

    load_keras(threads=plan.settings.threads)
    machine = describe_machine()
    trials: list[dict[str, Any]] = []
    details: dict[str, Any] = {}
    compile_seconds = 0.0
    steps = _StepCounter(plan, progress)
    shared: dict[str, Any] = {}
    progress.start(_STUDY_TASK, total=float(steps.total), unit="steps")
    for variant in plan.variants:
        work = _VariantWork(
            plan=plan,
            run=run,
            variant=variant,
            progress=progress,
            steps=steps,
            bfloat16_is_fast=backends.backend().bfloat16_is_fast(on_processor=machine.bfloat16_is_fast),
            shared=shared,
        )
        recipe, search = work.choose_recipe()
        for seed in plan.seeds:
            trials.append(work.trial(seed, recipe))
            if listener:
                listener.trial_ended(run)
        details[variant.name] = work.details(recipe, search)
        compile_seconds += work.compile_seconds
    progress.finish(_STUDY_TASK)
    study = plan.source.study
    return {
        "schema_version": documents.SCHEMA_VERSION,
        "day": plan.source.day,
        "name": plan.source.name,
        "title": study.title,
        "created": clock.timestamp(),
        "run_id": run.run_id,
        "dataset": {
            "name": plan.dataset.name,
            "digest": plan.dataset.digest,
            "split_version": plan.dataset.split_version,
            "classes": list(plan.dataset.classes),
            "train": len(plan.dataset.training.train),
            "validation": len(plan.dataset.training.validation),
            "test": len(plan.dataset.test.open()),
        },
        "seeds": list(plan.seeds),
        "request": run.read()["request"],
        "code": {
            "study": plan.identity["study"],
            "engine": plan.identity["engine"],
            "version": __version__,
            **_revision(),
        },
        "packages": plan.identity["packages"],
        "machine": {
            **dataclasses.asdict(machine),
            "flags": list(machine.flags),
            "accelerator": plan.identity["accelerator"],
        },
        "threads": plan.settings.threads,
        "backend": backends.wanted(),
        "details": details,
        "trials": trials,
        "variants": documents.summarize(trials),
        **documents.judgements(study, trials),
        "exhibits": _exhibits(plan, run, progress, trials, details),
        "seconds": {
            "training": sum(t["train_seconds"] for t in trials),
            "compilation": compile_seconds,
        },
        "results_digest": documents.results_digest(trials),
    }


def _revision() -> dict[str, Any]:
    found = revision()
    return dataclasses.asdict(found) if found else {}


_STUDY_TASK = "study"

_TRY = ("value", "seed", "validation_accuracy")
"""The fields of one try of a search; the accuracy of one that failed is None."""


class _StepCounter:
    """Tells the progress of the whole study in steps, over all its trials and tries."""

    def __init__(self, plan: _Plan, progress: Progress) -> None:
        self._progress = progress
        self._labels = np.asarray(plan.dataset.training.train.labels)
        self._done = 0
        self.total = 0
        for variant in plan.variants:
            tries = len(variant.search.values) * len(variant.search.seeds) if variant.search else 0
            self.total += (tries + len(plan.seeds)) * self.of(variant, variant.recipe)

    def of(self, variant: Variant, recipe: Recipe) -> int:
        """Steps of one trial, if it trains all its epochs."""
        examples = len(self._labels)
        if variant.examples is not None:
            examples = int(np.minimum(np.bincount(self._labels), variant.examples).sum())
        return recipe.epochs * max(1, examples // recipe.batch_size)

    def within(self, steps: int) -> None:
        """The running trial has done so many steps."""
        self._progress.advance(_STUDY_TASK, done=float(self._done + steps))

    def trial_ended(self, variant: Variant, recipe: Recipe) -> None:
        """A trial is over; steps that early stopping saved count as done."""
        self._done += self.of(variant, recipe)
        self._progress.advance(_STUDY_TASK, done=float(self._done))


class _VariantWork:
    """The trials of one variant: the trainer is built when the first one has to be trained, and reused."""

    def __init__(
        self,
        *,
        plan: _Plan,
        run: RunFolder,
        variant: Variant,
        progress: Progress,
        steps: _StepCounter,
        bfloat16_is_fast: bool,
        shared: dict[str, Any],
    ) -> None:
        self._plan, self._run, self._variant = plan, run, variant
        self._progress, self._steps = progress, steps
        self._bfloat16_is_fast = bfloat16_is_fast
        self._shared = shared  # what the trainers of all variants share: training data on the device
        self._trainer: AnyTrainer | None = None
        self._found: Given | None = None

    @property
    def compile_seconds(self) -> float:
        """How long building and compiling took; 0 where every trial was already done."""
        return self._trainer.compile_seconds if self._trainer else 0.0

    @property
    def given(self) -> Given:
        """What the trials are given; prepared when it is first asked for."""
        if self._found is None:
            variant, plan = self._variant, self._plan
            self._found = given(
                plan.dataset,
                variant.model,
                features=variant.features,
                examples=variant.examples,
                settings=plan.settings,
                progress=self._progress,
            )
        return self._found

    def choose_recipe(self) -> tuple[Recipe, dict[str, Any] | None]:
        """The variant's recipe, with the searched field set to the value that is best on the validation split."""
        search = self._variant.search
        if search is None:
            return self._variant.recipe, None
        path = self._run.path / "searches" / f"{self._variant.folder}.json"
        tries = self._read_tries(path)
        for value in search.values:
            for seed in search.seeds:
                if not any(t["value"] == value and t["seed"] == seed for t in tries):
                    tries.append(self._try(search, value, seed))
                    files.write_json(path, {"tries": tries})
                self._steps.trial_ended(self._variant, self._variant.recipe)
        outcome = choose(search, tries)
        if not outcome["tries"]:
            self._progress.warn(f"{self._variant.name}: every {search.field} that was tried failed.")
        return self._variant.recipe.replace(**{search.field: outcome["chosen"]}), outcome

    def trial(self, seed: int, recipe: Recipe) -> dict[str, Any]:
        """The result of one trial: from disk where it is done, else trained."""
        folder = self._run.trial_of(self._variant.name, seed)
        result = self._read_result(folder)
        if result is None:
            result = self._train(folder, seed, recipe)
        self._steps.trial_ended(self._variant, recipe)
        return result

    def details(self, recipe: Recipe, search: dict[str, Any] | None) -> dict[str, Any]:
        """What the evidence says of the variant besides its numbers."""
        from fortydays.train.cost import multiply_adds
        from fortydays.train.framework import build_model, has_convolutions, resolve_precision

        model = build_model(self._variant.model, seed=0, precision="float32")
        frozen, counted = self.given.frozen, multiply_adds(model)
        examples = {} if self._variant.examples is None else {"examples": self._variant.examples}
        return {
            "description": self._variant.description,
            "group": self._variant.group,
            "parameters": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
            "multiply_adds": None if counted is None else counted + (frozen.multiply_adds if frozen else 0),
            **self.given.details(),
            **examples,
            "precision": resolve_precision(
                recipe, convolutions=has_convolutions(model), bfloat16_is_fast=self._bfloat16_is_fast
            ),
            "recipe": recipe.as_dict(),
            "search": search,
        }

    def _train(self, folder: TrialFolder, seed: int, recipe: Recipe) -> dict[str, Any]:
        task = f"{self._variant.name}, seed {seed}"
        identity = self._identity(seed, recipe)
        trainer = self._ready()
        self._progress.start(task, total=float(self._steps.of(self._variant, recipe)), unit="steps")
        note = "stopped"
        try:
            outcome = run_trial(
                study=self._plan.source.study,
                variant=self._variant.name,
                seed=seed,
                recipe=recipe,
                trainer=trainer,
                dataset=self.given.dataset,
                resume=self._resumable(folder.checkpoint, identity),
                keep=lambda state: checkpoints.save(folder.checkpoint, state, identity=identity),
                report=self._report(task),
            )
        except TrainingFailedError as error:
            note = "failed"
            result = failed_trial(variant=self._variant.name, seed=seed, error=error)
            self._progress.warn(f"{task} failed: {error.message} {error.hint}")
        else:
            result = outcome.result
            note = f"test accuracy {100 * result['metrics']['test_accuracy']:.2f}%"
            if result["error"]:
                self._progress.warn(f"{task}: {result['error']} The trial and its weights are kept: {folder.path}")
            save_arrays(folder.weights, outcome.variables)
            save_arrays(folder.predictions, [outcome.probabilities])
        finally:
            self._progress.finish(task, note=note)
        files.write_json(folder.result, result)
        files.remove(folder.checkpoint)
        return result

    def _try(self, search: Search, value: Any, seed: int) -> dict[str, Any]:
        """One try of a search: trained like a trial, looked at on the validation split only."""
        shown = f"{value:g}" if isinstance(value, float) else value
        task = f"{self._variant.name}, {search.field} {shown}, seed {seed}"
        recipe = self._variant.recipe.replace(**{search.field: value})
        trainer = self._ready()
        self._progress.start(task, total=float(self._steps.of(self._variant, recipe)), unit="steps")
        accuracy: float | None
        try:
            trainer.train(seed=seed, recipe=recipe, report=self._report(task))
            accuracy = trainer.evaluate(self.given.dataset.training.validation).accuracy
        except TrainingFailedError:
            accuracy = None
        note = "failed" if accuracy is None else f"validation accuracy {100 * accuracy:.2f}%"
        self._progress.finish(task, note=note)
        return {"value": value, "seed": seed, "validation_accuracy": accuracy}

    def _ready(self) -> AnyTrainer:
        if self._trainer is None:
            data = self.given.dataset.training
            self._progress.say(f"Compiling {self._variant.name}")
            which = files.sha256_of_json(
                [self._variant.features.as_dict() if self._variant.features else None, self._variant.examples]
            )
            if which not in self._shared and self._plan.request.engine != "fit":
                self._shared.clear()  # variants that share data stand beside each other; others need the memory
                self._shared[which] = backends.backend().on_device(data.train)
            self._trainer = make_trainer(
                self._plan.request.engine,
                builder=self.given.builder,
                recipe=self._variant.recipe,
                data=data,
                bfloat16_is_fast=self._bfloat16_is_fast,
                device_train=self._shared.get(which),
            )
            if self._trainer.precision == "bfloat16" and not self._bfloat16_is_fast:
                self._progress.warn(
                    f"{self._variant.name} trains in bfloat16, which this processor only emulates: "
                    "expect it to take about twice as long as float32. The recipe's precision=auto would not."
                )
        return self._trainer

    def _report(self, task: str) -> Any:
        def report(done: int, total: int, loss: float, accuracy: float) -> None:  # noqa: ARG001
            self._progress.advance(task, done=float(done), note=f"loss {loss:.3f}  accuracy {100 * accuracy:.1f}%")
            self._steps.within(done)

        return report

    def _identity(self, seed: int, recipe: Recipe) -> str:
        plan = {name: v for name, v in self._plan.identity.items() if name not in ("recipes", "searches")}
        return files.sha256_of_json({**plan, "variant": self._variant.name, "seed": seed, "recipe": recipe.as_dict()})

    def _resumable(self, path: Path, identity: str) -> Checkpoint | None:
        try:
            return checkpoints.load(path, identity=identity)
        except StorageError as error:
            if not path.exists():
                raise
            aside = files.set_aside(path)
            self._progress.warn(f"{error.message} It is kept as {aside.name}; the trial begins anew.")
            return None

    def _read_result(self, folder: TrialFolder) -> dict[str, Any] | None:
        if not folder.result.exists():
            return None
        try:
            result = files.read_json(folder.result)
            if result["status"] == "finished":
                found = digest_of_arrays(load_arrays(folder.weights))
                if found != result["weights_digest"]:
                    raise StorageError(f"{folder.weights} is damaged: its digest is not the recorded one.")
                if len(load_arrays(folder.predictions)) != 1:
                    raise StorageError(f"{folder.predictions} is damaged: its array is not there.")
        except (StorageError, KeyError) as error:
            aside = files.set_aside(folder.path)
            message = error.message if isinstance(error, StorageError) else f"{folder.result} is damaged."
            self._progress.warn(f"{message} The trial is kept as {aside.name} and trained again.")
            return None
        return result

    def _read_tries(self, path: Path) -> list[dict[str, Any]]:
        if not path.exists():
            return []
        try:
            tries = [{name: t[name] for name in _TRY} for t in files.read_json(path)["tries"]]
            if not all(isinstance(t["validation_accuracy"], float | None) for t in tries):
                raise StorageError("an accuracy is no number")
            return tries
        except (StorageError, KeyError, TypeError):
            aside = files.set_aside(path)
            self._progress.warn(f"{path} is damaged. It is kept as {aside.name}; the search begins anew.")
            return []


def _exhibits(
    plan: _Plan, run: RunFolder, progress: Progress, trials: Sequence[dict[str, Any]], details: dict[str, Any]
) -> list[dict[str, Any]]:
    """The exhibits of the study, and the best trial's model kept as a file."""
    from fortydays.train.framework import build_model, set_variables

    builders = {v.name: v.model for v in plan.variants}

    def restored(trial: Mapping[str, Any]) -> Any:
        name = trial["variant"]
        model = build_model(builders[name], seed=trial["seed"], precision=details[name]["precision"])
        folder = run.trial_of(trial["variant"], trial["seed"])
        set_variables(model, load_arrays(folder.weights))
        return model

    best = documents.best_trial(trials)
    if best is not None:
        try:
            _save_model(restored(best), run.best_model)
        except Exception as error:  # a reader's own layer need not be one that Keras can save
            progress.warn(f"The best model is not kept as a file, its weights are: {type(error).__name__}: {error}")
    made = []
    for exhibit in plan.source.study.exhibits:
        trial = documents.best_trial([t for t in trials if t["variant"] == exhibit.variant])
        if trial is None:
            continue
        (probabilities,) = load_arrays(run.trial_of(trial["variant"], trial["seed"]).predictions)
        shown = Shown(
            variant=trial["variant"],
            seed=trial["seed"],
            model=restored(trial),
            test=plan.dataset.test.open(),
            probabilities=probabilities,
            classes=plan.dataset.classes,
        )
        try:
            content = exhibit.make(shown)
            json.dumps(content, allow_nan=False)  # what cannot be written is as good as none
            made.append(content)
        except Exception as error:  # a study's own code; a picture that fails must not cost the trials
            progress.warn(f"An exhibit of {exhibit.variant!r} failed: {type(error).__name__}: {error}")
    return made


def _save_model(model: Any, path: Path) -> None:
    """Save a Keras model as a ``.keras`` file, atomically. Keras writes to a path of that ending only."""
    temporary = path.with_name(f".part-{path.name}")
    with files.storage_errors("write", path):
        model.save(temporary)
    try:
        files.write_bytes(path, temporary.read_bytes())
    finally:
        temporary.unlink(missing_ok=True)

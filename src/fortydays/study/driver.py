"""From spec to spec: what of a run is still to be trained, and how each outcome is kept in the run's folder.

Only the driver writes the run's folder while its trials are trained, whoever trains them.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base import files
from fortydays.base.arrays import load_arrays, save_arrays
from fortydays.base.errors import StorageError, TrainingFailedError
from fortydays.base.progress import Progress
from fortydays.study import openings
from fortydays.study.assembly import Chosen
from fortydays.study.design import Variant
from fortydays.study.drills import Drill
from fortydays.study.executor import Callbacks, Executor
from fortydays.study.plan import Plan
from fortydays.study.runs import RunFolder, TrialFolder, variant_folder
from fortydays.study.search import Search, choose
from fortydays.study.trial import TrialOutcome, TrialSpec, digest_of_arrays
from fortydays.train import checkpoint as checkpoints
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.recipe import Recipe

STUDY_TASK = "study"
"""The task of the progress that counts the steps of all trials and tries."""


class Driver:
    """Hands the trials of a run, whose folder this process holds, to an executor and keeps what comes back.

    Attributes:
        chosen: by variant, its recipe and the outcome of its search, as soon as its tries are over.
        compile_seconds: of all building and compiling so far.
    """

    def __init__(self, plan: Plan, run: RunFolder, *, progress: Progress) -> None:
        self._plan, self._run, self._progress = plan, run, progress
        self._variants = {variant.name: variant for variant in plan.variants}
        self._specs: deque[TrialSpec] = deque()
        self._tries: dict[str, list[dict[str, Any]]] = {}
        self._results: dict[tuple[str, int], dict[str, Any]] = {}
        self._steps = _Steps(plan, progress)
        self._lost: list[TrialSpec] = []
        self.chosen: dict[str, Chosen] = {}
        self.compile_seconds = 0.0

    def trials(self, executor: Executor) -> list[dict[str, Any]]:
        """The results of all trials, in the order of the plan: those that are kept, and the others trained.

        Raises:
            StorageError: the run's folder cannot be written.
            TrainingFailedError: what trains has ended again and again while it was at a trial, or at a try of a
                search. All other trials are kept.
            FortydaysError: what the executor raises.
        """
        self._progress.start(
            STUDY_TASK, total=float(self._steps.total), unit="steps" if self._plan.variants else "drills"
        )
        for variant in self._plan.variants:
            self._specs.extend(self._first_of(variant))
        for drill in self._plan.drills:
            self._specs.extend(self._missing(drill, None))
        callbacks = Callbacks(
            started=self._started, report=self._report, resume=self._resume, keep=self._keep, doing=self._doing
        )
        try:
            with closing(executor.map(self._specs, callbacks)) as outcomes:
                for outcome in outcomes:
                    self._take(outcome)
        finally:
            for spec in self._steps.running:
                self._progress.finish(self._task(spec), note="stopped")
        if self._lost:
            done = len(self._plan.trials) - len(self._lost)
            named = "; ".join(map(self._task, self._lost))
            raise TrainingFailedError(
                f"Not trained: {named}. {done} of {len(self._plan.trials)} trials are done and kept.",
                hint="Give the same command again to train what is left; without --on, this machine does.",
            )
        self._progress.finish(STUDY_TASK)
        return [self._results[trial] for trial in self._plan.trials]

    # ------------------------------------------------------------------------------------- what is still to be done

    def _first_of(self, variant: Variant) -> list[TrialSpec]:
        """The tries of a variant's search that are not kept; where none is left, its trials."""
        search = variant.search
        if search is None:
            self.chosen[variant.name] = variant.recipe, None
            return self._missing(variant, variant.recipe)
        kept = self._read_tries(self._tries_of(variant))
        due = search.due(list(kept.values()))
        self._tries[variant.name] = [kept[place] for place in due if place in kept]
        for _ in self._tries[variant.name]:
            self._steps.ended(variant.name, variant.recipe)
        missing = [place for place in due if place not in kept]
        return self._specs_of(variant, search, missing) if missing else self._after_tries(variant, search)

    def _specs_of(self, variant: Variant, search: Search, places: Sequence[tuple[Any, int]]) -> list[TrialSpec]:
        return [
            self._plan.spec(variant.name, seed, variant.recipe.replace(**{search.field: value}), validation_only=True)
            for value, seed in places
        ]

    def _after_tries(self, variant: Variant, search: Search) -> list[TrialSpec]:
        """What the end of a try allows: the search's second round, or the trials with the value that it chose.

        Nothing while others of its round are missing: they have been handed out.
        """
        tries = self._tries[variant.name]
        due = search.due(tries)
        if len(tries) == len(search.places) < len(due):
            return self._specs_of(variant, search, due[len(tries) :])
        if len(tries) < len(due):
            return []
        outcome = choose(search, tries)
        if not outcome["tries"]:
            self._progress.warn(f"{variant.name}: every {search.field} that was tried failed.")
        recipe = variant.recipe.replace(**{search.field: outcome["chosen"]})
        self.chosen[variant.name] = recipe, outcome
        return self._missing(variant, recipe)

    def _missing(self, each: Variant | Drill, recipe: Recipe | None) -> list[TrialSpec]:
        """The trials of a variant with a recipe, or of a drill without one, that are not kept."""
        missing = []
        for seed in self._plan.seeds:
            result = self._read_result(self._run.trial_of(each.name, seed), weights=recipe is not None)
            if result is None:
                missing.append(self._plan.spec(each.name, seed, recipe))
            else:
                self._trial_ended(each.name, recipe, seed, result)
        return missing

    def _trial_ended(self, name: str, recipe: Recipe | None, seed: int, result: dict[str, Any]) -> None:
        self._results[name, seed] = result
        self._steps.ended(name, recipe)

    # --------------------------------------------------------------------------------------- what an executor tells

    def _started(self, spec: TrialSpec, steps: int) -> None:
        self._progress.start(self._task(spec), total=float(steps), unit="steps" if spec.recipe else "drill")
        self._steps.running[spec] = 0

    def _report(self, spec: TrialSpec, done: int, total: int, loss: float, accuracy: float) -> None:  # noqa: ARG002
        note = f"loss {loss:.3f}  accuracy {100 * accuracy:.1f}%"
        self._progress.advance(self._task(spec), done=float(done), note=note)
        self._steps.running[spec] = done
        self._steps.tell()

    def _doing(self, spec: TrialSpec, text: str) -> None:
        self._progress.advance(self._task(spec), done=0.0, note=text)

    def _keep(self, spec: TrialSpec, state: Checkpoint) -> None:
        path = self._run.trial_of(spec.variant, spec.seed).checkpoint
        checkpoints.save(path, state, identity=spec.digest)

    def _resume(self, spec: TrialSpec) -> Checkpoint | None:
        path = self._run.trial_of(spec.variant, spec.seed).checkpoint
        try:
            return checkpoints.load(path, identity=spec.digest)
        except StorageError as error:
            if not path.exists():
                raise
            aside = files.set_aside(path)
            self._progress.warn(f"{error.message} It is kept as {aside.name}; the trial begins anew.")
            return None

    def _take(self, outcome: TrialOutcome) -> None:
        """Keep an outcome."""
        spec = outcome.spec
        self.compile_seconds += outcome.compile_seconds
        if outcome.lost and spec.validation_only:
            # A value whose tries failed has lost against the others; of this one nothing is known.
            raise TrainingFailedError(
                f"{self._task(spec)}, could not be tried: {outcome.result['error']}",
                hint=f"What is done is kept. {outcome.hint}",
            )
        failed = outcome.result["status"] == "failed"
        note = "failed" if failed else _in_words(outcome)
        if failed and not spec.validation_only:
            self._progress.warn(f"{self._task(spec)} failed: {outcome.result['error']} {outcome.hint}")
        self._progress.finish(self._task(spec), note=note)
        del self._steps.running[spec]
        if outcome.lost:  # nothing is known of it: it is not kept, and the same command trains it again
            self._lost.append(spec)
            return
        if spec.validation_only:
            self._keep_try(outcome, self._variants[spec.variant])
            return
        folder = self._run.trial_of(spec.variant, spec.seed)
        if not failed and spec.recipe is not None:
            opened = self._plan.opening(spec.variant, spec.recipe, seed=spec.seed, run=self._run.run_id)
            openings.note(self._plan.settings.workspace, opened)
            if outcome.result["error"]:
                said = outcome.result["error"]
                self._progress.warn(f"{self._task(spec)}: {said} The trial and its weights are kept: {folder.path}")
            save_arrays(folder.weights, outcome.variables)
            save_arrays(folder.predictions, [outcome.probabilities])
        files.write_json(folder.result, outcome.result)
        files.remove(folder.checkpoint)
        self._trial_ended(spec.variant, spec.recipe, spec.seed, outcome.result)

    def _keep_try(self, outcome: TrialOutcome, variant: Variant) -> None:
        spec, search = outcome.spec, variant.search
        assert search is not None
        value, accuracy = getattr(spec.recipe, search.field), outcome.result["metrics"].get("validation_accuracy")
        tries = self._tries[variant.name]
        tries.append({"value": value, "seed": spec.seed, "validation_accuracy": accuracy})
        files.write_json(self._tries_of(variant), {"tries": tries})
        self._steps.ended(variant.name, variant.recipe)
        # Before those of other variants: this one is compiled.
        self._specs.extendleft(reversed(self._after_tries(variant, search)))

    def _task(self, spec: TrialSpec) -> str:
        """What the progress of one trial or try is called."""
        search = self._variants[spec.variant].search if spec.validation_only else None
        if search is None:
            return f"{spec.variant}, seed {spec.seed}"
        value = getattr(spec.recipe, search.field)
        shown = f"{value:g}" if isinstance(value, float) else value
        return f"{spec.variant}, {search.field} {shown}, seed {spec.seed}"

    # ------------------------------------------------------------------------------------------------ what is kept

    def _tries_of(self, variant: Variant) -> Path:
        return self._run.path / "searches" / f"{variant_folder(variant.name)}.json"

    def _read_result(self, folder: TrialFolder, *, weights: bool) -> dict[str, Any] | None:
        if not folder.result.exists():
            return None
        try:
            result = files.read_json(folder.result)
            if result["status"] == "finished" and weights:
                found = digest_of_arrays(load_arrays(folder.weights))
                if found != result["weights_digest"]:
                    raise StorageError(f"{folder.weights} is damaged: its digest is not the recorded one.")
                if len(load_arrays(folder.predictions)) != 1:
                    raise StorageError(f"{folder.predictions} is damaged: its array is not there.")
        except (StorageError, KeyError) as error:
            aside = files.set_aside(folder.path)
            message = error.message if isinstance(error, StorageError) else f"{folder.result} is damaged."
            self._progress.warn(
                f"{message} The trial is kept as {aside.name} and {'trained' if weights else 'carried out'} again."
            )
            return None
        return result

    def _read_tries(self, path: Path) -> dict[tuple[Any, int], dict[str, Any]]:
        """By value and seed, each try that is kept; a validation accuracy of None is one that failed."""
        if not path.exists():
            return {}
        try:
            tries = files.read_json(path)["tries"]
            if not all(isinstance(each["validation_accuracy"], float | None) for each in tries):
                raise StorageError("an accuracy is no number")
            return {(each["value"], each["seed"]): each for each in tries}
        except (StorageError, KeyError, TypeError):
            aside = files.set_aside(path)
            self._progress.warn(f"{path} is damaged. It is kept as {aside.name}; the search begins anew.")
            return {}


def _in_words(outcome: TrialOutcome) -> str:
    """What a trial that came to its end has given, as its progress tells it."""
    metrics = outcome.result["metrics"]
    if outcome.spec.recipe is None:
        return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in metrics.items())
    kind = "validation" if outcome.spec.validation_only else "test"
    return f"{kind} accuracy {100 * metrics[f'{kind}_accuracy']:.2f}%"


class _Steps:
    """Tells the progress of the whole study in steps, over all its trials and tries. A drill is one step."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._progress = progress
        self._labels = np.asarray(plan.dataset.training.train.labels if plan.dataset else [])
        self._examples = {variant.name: variant.examples for variant in plan.variants}
        self._done = 0
        self.running: dict[TrialSpec, int] = {}
        self.total = len(plan.drills) * len(plan.seeds)
        for variant in plan.variants:
            tries = variant.search.most_tries if variant.search else 0
            self.total += (tries + len(plan.seeds)) * self.of(variant.name, variant.recipe)

    def of(self, name: str, recipe: Recipe | None) -> int:
        """Steps of one trial, if it trains all its epochs."""
        if recipe is None:
            return 1
        examples = len(self._labels)
        if (of_each := self._examples[name]) is not None:
            examples = int(np.minimum(np.bincount(self._labels), of_each).sum())
        return recipe.epochs * max(1, examples // recipe.batch_size)

    def ended(self, name: str, recipe: Recipe | None) -> None:
        """A trial is over; steps that early stopping saved count as done."""
        self._done += self.of(name, recipe)
        self.tell()

    def tell(self) -> None:
        """Tell how many steps are done, those of running trials included."""
        self._progress.advance(STUDY_TASK, done=float(self._done + sum(self.running.values())))

"""A search carried out: batches of candidates, successive halving, finals with more seeds, and what came of it.

Only validation examples judge. The tries are trained by an executor as those of a study's own search are: whole rungs
are added to what it is asked for, and nothing depends on the order in which they end.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError, TrainingFailedError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import counted
from fortydays.study.design import Variant
from fortydays.study.executor import Callbacks, Executor, InProcess
from fortydays.study.plan import Plan, Request, StudySource, make_plan
from fortydays.study.rehearsal import rehearse
from fortydays.study.runner import StudyInterruptedError
from fortydays.study.runs import RunState
from fortydays.study.search import FINALISTS
from fortydays.study.trial import TrialOutcome, TrialSpec
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import FREE_FIELDS
from fortydays.tune.found import Candidate, Ending, Finalist, Found, Reached
from fortydays.tune.halving import best, divisors_of, epochs_in, going_on
from fortydays.tune.kept import SearchFolder, Tried, begin, folder_of
from fortydays.tune.request import SEEDS_OF_FINALS, TuneRequest, most_epochs, tuning_seeds, variant_of
from fortydays.tune.sampler import Sampler, importance
from fortydays.tune.space import Space, Value, as_text

SEARCH_TASK = "search"
"""The task of the progress that counts all tries, in trainings for all epochs."""

AS_IT_WAS = "as it was"


def tune(
    source: StudySource,
    request: TuneRequest,
    settings: Settings,
    *,
    progress: Progress,
    fresh: bool = False,
    executor: Executor | None = None,
    starting: Callable[[], object] = lambda: None,
) -> "Tuned":
    """Search the recipe of one variant, from the start or from where the same search stopped.

    Args:
        source: the study.
        request: what is asked of the search.
        settings: where state lives, and threads.
        progress: told of the work.
        fresh: begin anew, even where the search could go on, or is over.
        executor: trains the tries; None for this process.
        starting: called before anything is trained, if something is. May raise to prevent it.

    Raises:
        UsageError: an unknown variant, values that do not fit, or a mistake in the study's own functions.
        StudyChangedError: an interrupted search cannot go on, because what it is a function of has changed.
        TrainingFailedError: all candidates, or all finalists, failed.
        StudyInterruptedError: the reader stopped it.
        StorageError: the workspace cannot be read or written.
    """
    space = Space.parse(request.settings)
    variant = variant_of(source.study, request, space)
    space.check(variant.recipe)
    plan = make_plan(source, Request(only=(variant.name,)), settings, progress)
    asked = {
        "day": source.day,
        "study": source.name if source.day is not None else str(source.path),
        "variant": variant.name,
        **request.as_asked,
    }
    label = f"day{source.day:02}" if source.day is not None else source.name
    folder = folder_of(settings.workspace / "searches", label=label, request=asked)
    identity = {**plan.identity, "sampler": {"optuna": metadata.version("optuna")}}
    with folder.held():
        resumed = begin(
            folder, request=asked, identity=identity, command=request.command, progress=progress, fresh=fresh
        )
        search = _Search(
            plan=plan,
            variant=variant,
            space=space,
            request=request,
            folder=folder,
            progress=progress,
            given=executor,
            starting=starting,
        )
        if resumed and search.tries:
            progress.say(f"Going on with the search: {kept_in_words(len(search.tries))}")
        try:
            if not resumed:
                starting()
                search.rehearse()
            with closing(search):
                found = search.result()
        except KeyboardInterrupt as interrupt:
            folder.update(state=str(RunState.INTERRUPTED))
            raise StudyInterruptedError(f"Stopped. {kept_in_words(len(search.tries))}") from interrupt
        except FortydaysError:
            folder.update(state=str(RunState.INTERRUPTED))
            raise
        folder.update(state=str(RunState.FINISHED))
    return Tuned(folder=folder, found=found, trained=search.trained)


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A search that came to its end: its folder, what it found, and how many tries were trained for it this time."""

    folder: SearchFolder
    found: Found
    trained: int


def kept_in_words(tries: int) -> str:
    """What a reader who stops now keeps."""
    return f"{tries:,} {'try is' if tries == 1 else 'tries are'} done and kept."


@dataclass(kw_only=True)
class _Running:
    """A candidate while it is tried."""

    number: int
    values: dict[str, Value]
    recipe: Recipe
    reached: list[Reached] = field(default_factory=list)

    @property
    def accuracies(self) -> list[float | None]:
        return [each.accuracy for each in self.reached]


class _Search:
    """The state of a search in this process, whose folder it holds."""

    def __init__(
        self,
        *,
        plan: Plan,
        variant: Variant,
        space: Space,
        request: TuneRequest,
        folder: SearchFolder,
        progress: Progress,
        given: Executor | None,
        starting: Callable[[], object],
    ) -> None:
        self._plan, self._variant, self._space, self._request = plan, variant, space, request
        self._folder, self._progress, self._executor = folder, progress, given
        self._seeds = tuning_seeds(plan.source.study)
        epochs = most_epochs(variant, space)
        self._divisors = divisors_of(width=request.width, epochs=epochs, halving=request.halving)
        self._starting = starting
        self._due: deque[TrialSpec] = deque()
        self._outcomes: Generator[TrialOutcome, None, None] | None = None
        self._names: dict[str, str] = {}
        self._shares: dict[str, float] = {}
        self._running: dict[str, float] = {}
        self._planned = 0.0
        self._done = self._told = self._total = 0.0
        self.trained = 0
        self.tries = folder.read_tries(progress)

    def rehearse(self) -> None:
        """Call all code of the study once, with the first and with the last of all values."""
        assert self._plan.dataset is not None  # a study with variants has one
        recipes = [
            self._space.recipe(self._variant.recipe, {each.field: each.ends[place] for each in self._space.fields})
            for place in (0, -1)
        ]
        variants = [dataclasses.replace(self._variant, recipe=recipe, search=None) for recipe in recipes]
        rehearse(self._plan.source.study, variants, self._plan.dataset, threads=self._plan.settings.threads)

    def result(self) -> Found:
        """Try all candidates, then the finalists with more seeds.

        Raises:
            TrainingFailedError: all candidates, or all finalists, failed.
        """
        request = self._request
        sizes = [
            min(request.width, request.candidates - first) for first in range(0, request.candidates, request.width)
        ]
        finals = FINALISTS * (SEEDS_OF_FINALS - 1) + SEEDS_OF_FINALS
        self._total = sum(map(self._cost, sizes)) + finals
        self._progress.start(SEARCH_TASK, total=self._total, unit="whole trainings")
        sampler = Sampler(self._space, seed=request.sampler_seed, rungs=len(self._divisors))
        tried: list[_Running] = []
        for place, size in enumerate(sizes):
            before, trained = len(tried), self.trained
            batch = [
                _Running(number=number, values=values, recipe=self._space.recipe(self._variant.recipe, values))
                for number, values in enumerate(sampler.ask(size), start=before + 1)
            ]
            self._halve(batch)
            sampler.tell([each.accuracies for each in batch])
            tried += batch
            self._settle(self._cost(size))
            if self.trained > trained:
                self._tell_batch(place + 1, len(sizes), tried)
        finished = [each for each in tried if self._ending(each) is Ending.FINISHED]
        if not finished:
            raise TrainingFailedError(
                f"All {len(tried)} candidates failed: {self._last_error()}",
                hint="Search smaller learning rates, or fewer fields.",
            )
        finalists, before_all = self._finals(finished)
        self._progress.finish(SEARCH_TASK)
        return self._found(tried, finalists, before_all)

    def _found(self, tried: Sequence[_Running], finalists: Sequence[Finalist], before: Finalist) -> Found:
        source, dataset = self._plan.source, self._plan.dataset
        assert dataset is not None
        first = [(each.values, each.reached[0].accuracy) for each in tried if each.reached[0].accuracy is not None]
        return Found(
            day=source.day,
            name=source.name,
            title=source.study.title,
            variant=self._variant.name,
            dataset=dataset.name,
            dataset_digest=dataset.digest,
            validated=len(dataset.training.validation),
            space=self._space,
            width=self._request.width,
            divisors=self._divisors,
            sampler_seed=self._request.sampler_seed,
            seeds=self._seeds,
            candidates=tuple(
                Candidate(
                    number=each.number, values=each.values, ending=self._ending(each), reached=tuple(each.reached)
                )
                for each in tried
            ),
            finalists=tuple(finalists),
            before=before,
            importance=importance(self._space, [(values, a) for values, a in first if a is not None]),
            at_edge=tuple(
                each.field for each in self._space.fields if each.is_at_edge(finalists[0].values[each.field])
            ),
            optuna=metadata.version("optuna"),
            created=self._folder.read()["created"],
        )

    # --------------------------------------------------------------------------------------------------- the decisions

    def _halve(self, batch: Sequence[_Running]) -> None:
        """Try a batch in each rung, with fewer of it each time."""
        going: Sequence[_Running] = batch
        for rung, divisor in enumerate(self._divisors):
            specs = [self._spec(each, divisor=divisor) for each in going]
            self._train(specs, share=1 / divisor)
            for each, spec in zip(going, specs, strict=True):
                epochs = spec.recipe.epochs if spec.recipe else 0
                each.reached.append(Reached(epochs=epochs, accuracy=self.tries[spec.digest].accuracy))
            places = best([each.accuracies[-1] for each in going], going_on(len(batch), rung + 1))
            going = [going[place] for place in sorted(places)]  # in the order of asking

    def _finals(self, finished: Sequence[_Running]) -> tuple[list[Finalist], Finalist]:
        """The best candidates and the recipe as it was, trained with all tuning seeds; the candidates best first."""
        ranked = [finished[place] for place in best([each.accuracies[-1] for each in finished], len(finished))]
        unlike = [
            each for place, each in enumerate(ranked) if each.values not in [one.values for one in ranked[:place]]
        ]
        contenders = unlike[:FINALISTS]
        of_each = {each.number: [self._spec(each, seed=seed) for seed in self._seeds] for each in contenders}
        own = self._variant.recipe
        before = [self._named(own, seed, f"{AS_IT_WAS}, {counted(own.epochs, 'epoch')}") for seed in self._seeds]
        self._train([spec for specs in (*of_each.values(), before) for spec in specs], share=1.0)
        found = [self._finalist(each.number, each.values, of_each[each.number]) for each in contenders]
        order = best([each.spread.mean if each.spread else None for each in found], len(found))
        if not order:
            raise TrainingFailedError(
                f"All finalists failed with some seed: {self._last_error()}", hint="Search smaller learning rates."
            )
        failed = [each for place, each in enumerate(found) if place not in order]
        values = {name: self._space.value_in(own, name) for name in self._space.names}
        return [*(found[place] for place in order), *failed], self._finalist(None, values, before)

    def _finalist(self, number: int | None, values: Mapping[str, Value], specs: Sequence[TrialSpec]) -> Finalist:
        accuracies = tuple(self.tries[spec.digest].accuracy for spec in specs)
        return Finalist(number=number, values=values, accuracies=accuracies)

    def _ending(self, each: _Running) -> Ending:
        if each.accuracies[-1] is None:
            return Ending.FAILED
        return Ending.FINISHED if len(each.reached) == len(self._divisors) else Ending.STOPPED

    # ------------------------------------------------------------------------------------------------------- the tries

    def _spec(self, each: _Running, *, divisor: int = 1, seed: int | None = None) -> TrialSpec:
        """The try of a candidate for a part of its epochs; with the seed of the rungs, unless one is given."""
        recipe = each.recipe.replace(epochs=epochs_in(each.recipe.epochs, divisor))
        name = f"candidate {each.number}, {counted(recipe.epochs, 'epoch')}"
        return self._named(recipe, self._seeds[0] if seed is None else seed, name)

    def _named(self, recipe: Recipe, seed: int, name: str) -> TrialSpec:
        spec = self._plan.spec(self._variant.name, seed, recipe, validation_only=True)
        self._names.setdefault(spec.digest, name if seed == self._seeds[0] else f"{name}, seed {seed}")
        return spec

    def _train(self, specs: Sequence[TrialSpec], *, share: float) -> None:
        """Have those trained that are not kept, and keep what they give, each as soon as it has ended.

        ``share`` is what part of a whole training each is.

        Raises:
            FortydaysError: what the executor raises, or it has left some out.
            StorageError: the folder cannot be written.
        """
        missing = {spec.digest: spec for spec in specs if spec.digest not in self.tries}
        if not missing:
            return
        self._shares |= dict.fromkeys(missing, share)
        # What one compiled program trains stands together; of these, in the order of asking.
        programs = list(dict.fromkeys(map(_program, missing.values())))
        self._due.extend(sorted(missing.values(), key=lambda spec: programs.index(_program(spec))))
        if not self.trained:
            self._starting()
        # One for the whole search: what an executor has started, such as a cluster, trains the next rungs as well.
        if self._outcomes is None:
            executor = self._executor or InProcess(
                study=self._plan.source.study,
                dataset=self._plan.dataset,
                settings=self._plan.settings,
                progress=self._progress,
            )
            self._outcomes = executor.map(self._due, Callbacks(started=self._started, report=self._report))
        while lost := missing.keys() - self.tries.keys():
            outcome = next(self._outcomes, None)
            if outcome is None:
                raise FortydaysError(
                    f"What trains has ended without {self._names[min(lost)]}.", hint="Give the same command again."
                )
            self._take(outcome)

    def close(self) -> None:
        """Let the executor go. What it trains is given up."""
        if self._outcomes is not None:
            self._outcomes.close()
        for digest in self._running:
            self._progress.finish(self._names[digest], note="stopped")
        self._running.clear()

    def _started(self, spec: TrialSpec, steps: int) -> None:
        self._progress.start(self._names[spec.digest], total=float(steps), unit="steps")
        self._running[spec.digest] = 0.0

    def _report(self, spec: TrialSpec, done: int, total: int, loss: float, accuracy: float) -> None:
        note = f"loss {loss:.3f}  accuracy {100 * accuracy:.1f}%"
        self._progress.advance(self._names[spec.digest], done=float(done), note=note)
        self._running[spec.digest] = done / total * self._shares[spec.digest]
        self._tell()

    def _take(self, outcome: TrialOutcome) -> None:
        digest = outcome.spec.digest
        if outcome.lost:
            # A candidate that failed is one that others are better than. This one may be better than they are.
            raise TrainingFailedError(
                f"{self._names[digest]} could not be trained: {outcome.result['error']}",
                hint=f"{kept_in_words(len(self.tries))} {outcome.hint}",
            )
        accuracy = outcome.result["metrics"].get("validation_accuracy")
        self.tries[digest] = Tried(
            accuracy=None if accuracy is None else float(accuracy), error=str(outcome.result["error"])
        )
        self._folder.write_tries(self.tries)
        self.trained += 1
        note = "failed" if accuracy is None else f"validation accuracy {100 * accuracy:.2f}%"
        if digest in self._running:
            self._progress.finish(self._names[digest], note=note)
            del self._running[digest]
        self._done += self._shares[digest]
        self._tell()

    def _last_error(self) -> str:
        return next((each.error for each in reversed(self.tries.values()) if each.error), "no try came to its end.")

    # ---------------------------------------------------------------------------------------------------- the progress

    def _cost(self, size: int) -> float:
        """What a batch takes, in trainings for all epochs."""
        return sum(going_on(size, rung) / divisor for rung, divisor in enumerate(self._divisors))

    def _settle(self, cost: float) -> None:
        """A batch is over; what was kept already, and those that failed, count as done."""
        self._planned += cost
        self._done = self._planned
        self._tell()

    def _tell(self) -> None:
        # Sums of parts come in other orders, and may differ by a last digit.
        self._told = min(self._total, max(self._told, self._done + sum(self._running.values())))
        self._progress.advance(SEARCH_TASK, done=self._told)

    def _tell_batch(self, place: int, of: int, tried: Sequence[_Running]) -> None:
        finished = [each for each in tried if self._ending(each) is Ending.FINISHED]
        places = best([each.accuracies[-1] for each in finished], 1)
        if places:
            leader = finished[places[0]]
            values = ", ".join(f"{name}={as_text(value)}" for name, value in leader.values.items())
            self._progress.say(
                f"Batch {place} of {of}: best so far {100 * (leader.accuracies[-1] or 0):.2f}%, {values}"
            )
        else:
            self._progress.say(f"Batch {place} of {of}: no candidate has come to its end.")


def _program(spec: TrialSpec) -> str:
    """What two specs have alike that share a compiled program."""
    fields: Mapping[str, Any] = spec.recipe.as_dict() if spec.recipe else {}
    return files.sha256_of_json({name: value for name, value in fields.items() if name not in FREE_FIELDS})

"""The executor that trains on a cluster: who trains what, what comes back, and what becomes of workers that die.

The driver's process starts workers (:mod:`.crew`). It gives each one spec at a time and asks all for news; a worker
never waits for it. When a worker dies, its spec is given out again, with the newest state that came back as an
argument.
"""

import contextlib
import dataclasses
import sys
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fortydays.base.errors import FortydaysError, StudyChangedError, in_words
from fortydays.base.files import sha256_of_bytes
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.cluster.connection import connected, variables_of_workers
from fortydays.cluster.crew import SECONDS_OF_WAITING, Crew, Member
from fortydays.cluster.link import Call, Link
from fortydays.cluster.losses import AGAIN, MOST_ATTEMPTS, TOO_LITTLE_MEMORY, deaths, is_of_memory
from fortydays.cluster.nodes import Examiner, Node
from fortydays.cluster.place import Place
from fortydays.cluster.scheduling import choose
from fortydays.cluster.shipping import send_dataset, study_files
from fortydays.cluster.worker import StudyFiles, TrialWorker
from fortydays.study.executor import Callbacks
from fortydays.study.trial import TrialOutcome, TrialSpec, trial_result


@dataclass(kw_only=True, eq=False)
class _Worker(Member):
    """A worker, and what it does now."""

    variant: str = ""
    spec: TrialSpec | None = None
    outcome: Any = None
    news: Any = None


@dataclass(kw_only=True)
class _Told:
    """What the driver was told of a trial: a trial that is begun again does not begin twice for it."""

    started: bool = False
    done: int = -1
    attempts: int = 0


class RayExecutor:
    """Trains specs on a cluster. It connects when it is given the first, and leaves when all outcomes are taken.

    Args:
        place: the cluster.
        settings: where state lives, and threads.
        progress: told of the work.
    """

    def __init__(self, *, place: Place, settings: Settings, progress: Progress) -> None:
        self._place, self._settings, self._progress = place, settings, progress

    def map(self, specs: deque[TrialSpec], callbacks: Callbacks) -> Generator[TrialOutcome, None, None]:
        """See :class:`~fortydays.study.executor.Executor`.

        Raises:
            FortydaysError: the cluster cannot be used, a node does not fit, or what a worker raised.
        """
        if not specs:
            return
        from fortydays.train.framework import numerical_switches

        first = specs[0]
        variables = variables_of_workers(numerical_switches(), backend=first.backend)
        with connected(self._place, self._settings, self._progress, variables=variables) as link:
            examiner = Examiner(
                link,
                self._place,
                self._settings,
                self._progress,
                backend=first.backend,
                threads=first.threads,
                dataset=first.dataset,
            )
            nodes = self._with_dataset(link, first, examiner.first())
            yield from Work(
                ray=link.ray,
                call=link.call,
                specs=specs,
                callbacks=callbacks,
                settings=self._shared_settings,
                progress=self._progress,
                nodes=nodes,
                examine=lambda new: self._with_dataset(link, first, examiner.joined(new)),
                study=study_of(first),
            ).outcomes()

    @property
    def _shared_settings(self) -> Settings | None:
        """What workers on this machine share; on others they read their own."""
        return self._settings if self._place.workers else None

    def _with_dataset(self, link: Link, spec: TrialSpec, nodes: list[Node]) -> list[Node]:
        """The same nodes, of which those that fit have been given the dataset of a spec. Raises DataError."""
        if spec.dataset:
            fitting = [node for node in nodes if not node.problems]
            send_dataset(link, spec.dataset, fitting, self._settings, self._progress)
        return nodes


def study_of(spec: TrialSpec) -> StudyFiles | None:
    """The files of the study of a spec, where it is one of one's own. Raises StudyChangedError."""
    if spec.day is not None:
        return None
    found = study_files(Path(spec.path))
    if sha256_of_bytes(found.content[found.study]) != spec.sha256:
        raise StudyChangedError(
            f"{spec.path} has changed since its trials were asked for, so it is not run.",
            hint="Give the same command again, to continue or begin anew with the study as it is now.",
        )
    return found


@dataclass(kw_only=True)
class Work:
    """Trains specs with workers of a cluster that is connected. All that it asks of Ray goes through ``call``."""

    ray: Any
    call: Call
    specs: deque[TrialSpec]
    callbacks: Callbacks
    settings: Settings | None
    progress: Progress
    nodes: list[Node]
    examine: Callable[[list[Node]], list[Node]]
    study: StudyFiles | None
    told: dict[TrialSpec, _Told] = field(default_factory=dict)

    def outcomes(self) -> Generator[TrialOutcome, None, None]:
        """The outcomes in the order of completion."""
        self.crew = Crew(
            ray=self.ray,
            call=self.call,
            nodes=self.nodes,
            threads=self.specs[0].threads,
            what="trial",
            member=_Worker,
            begin=self._begin,
            examine=self.examine,
            progress=self.progress,
        )
        try:
            while self.specs or self._busy:
                self._give_out()
                ready = self.crew.wait([each for worker in self._busy for each in (worker.outcome, worker.news)])
                for worker in self._busy:
                    if worker.outcome in ready or worker.news in ready:
                        outcome = self._heard(worker, ended=worker.outcome in ready)
                        if outcome is not None:
                            yield outcome
        except ConnectionError as error:
            raise FortydaysError(
                "The connection to the cluster was lost.",
                hint=AGAIN,
            ) from error
        finally:
            self.crew.end()

    @property
    def _busy(self) -> list[_Worker]:
        return [worker for worker in self.crew.members if worker.spec is not None]

    # ----------------------------------------------------------------------------------------------- giving work out

    def _give_out(self) -> None:
        """Give specs to the workers that have begun and are free, and start others for what is left."""
        idle = [worker for worker in self.crew.members if worker.spec is None and worker.greeting is None]
        # Those that have a variant compiled that waits choose first.
        waiting = {spec.variant for spec in self.specs}
        idle.sort(key=lambda worker: worker.variant not in waiting)
        for worker in idle:
            if self.specs:
                self._give(worker)
        self.crew.grow(len(self.specs) - sum(worker.greeting is not None for worker in self.crew.members))

    def _begin(self, options: Mapping[str, Any]) -> Any:
        """A new worker on the cluster."""
        places = [str(Path.cwd()), str(Path(sys.argv[0] or ".").resolve().parent)]
        # It is asked for news while it trains.
        actor = self.ray.remote(TrialWorker).options(max_concurrency=3, **options)
        return self.call(actor.remote, settings=self.settings, not_ours=places)

    def _give(self, worker: _Worker) -> None:
        others = {other.variant for other in self.crew.members if other is not worker}
        place = choose(self.specs, last=worker.variant, others=others)
        spec = self.specs[place]
        del self.specs[place]
        told = self.told.setdefault(spec, _Told())
        told.attempts += 1
        state = None
        if spec.recipe is not None and not spec.validation_only:
            state = self.callbacks.resume(spec)
        worker.variant, worker.spec = spec.variant, spec
        worker.outcome = self.call(lambda: worker.handle.train.remote(spec, self.study, state))
        worker.news = self.call(lambda: worker.handle.news.remote(SECONDS_OF_WAITING))

    # --------------------------------------------------------------------------------------------- what workers tell

    def _heard(self, worker: _Worker, *, ended: bool) -> TrialOutcome | None:
        """Tell the driver what a worker has told, and give back its outcome where it has ended."""
        spec = worker.spec
        assert spec is not None
        try:
            if not ended:
                self._tell(spec, self.call(self.ray.get, worker.news))
                worker.news = self.call(lambda: worker.handle.news.remote(SECONDS_OF_WAITING))
                return None
            with contextlib.suppress(*deaths(self.ray)):  # what it has found may be there, though it has died since
                self._tell(spec, self.call(self.ray.get, worker.news))
            found, rest = self.call(self.ray.get, worker.outcome)
            self._tell(spec, rest)
        except deaths(self.ray) as error:
            return self._died(worker, spec, error)
        except self.ray.exceptions.RayError as error:
            said = in_words(getattr(error, "cause", None) or error)
            raise FortydaysError(
                f"{spec.variant}, seed {spec.seed}, could not be trained on the cluster: {printable(said)[:500]}",
                hint="What is done is kept. Without --on, the same command says more.",
            ) from error
        if isinstance(found, FortydaysError):
            raise found
        worker.spec = None
        return self._with_where(spec, found, worker)

    def _tell(self, spec: TrialSpec, news: list[tuple[Any, ...]]) -> None:
        told = self.told[spec]
        for name, *content in news:
            if name in ("say", "warn"):
                getattr(self.progress, name)(*content)
            elif name == "started":
                if not told.started:
                    told.started = True
                    self.callbacks.started(spec, *content)
            elif name == "report":
                # A trial that was begun again is told of when it is further than it was.
                if content[0] > told.done:
                    told.done = content[0]
                    self.callbacks.report(spec, *content)
            elif name in ("keep", "doing"):
                getattr(self.callbacks, name)(spec, *content)

    def _with_where(self, spec: TrialSpec, found: TrialOutcome, worker: _Worker) -> TrialOutcome:
        where = {"worker": f"worker {worker.number}", "attempts": self.told[spec].attempts}
        # The spec that was asked for: a worker's names the study where it lies there.
        return dataclasses.replace(found, spec=spec, result={**found.result, **where})

    # ------------------------------------------------------------------------------------------------------- deaths

    def _died(self, worker: _Worker, spec: TrialSpec, error: Exception) -> TrialOutcome | None:
        """Give the spec of a dead worker out again; after the last attempt, what became of it."""
        self.crew.remove(worker)
        told = self.told[spec]
        if told.attempts < MOST_ATTEMPTS:
            self.progress.warn(
                f"The worker that trained {spec.variant}, seed {spec.seed}, has ended by itself. The trial goes on "
                f"from what is kept of it (attempt {told.attempts + 1} of {MOST_ATTEMPTS})."
            )
            self.specs.appendleft(spec)
            return None
        if not told.started:
            self.callbacks.started(spec, 1)
        result = trial_result(
            spec,
            status="failed",
            error=f"{MOST_ATTEMPTS} workers have ended by themselves while they trained it.",
            attempts=told.attempts,
        )
        hint = TOO_LITTLE_MEMORY if is_of_memory(self.ray, error) else "Train it without --on to see why."
        return TrialOutcome(spec=spec, result=result, hint=hint, lost=True)

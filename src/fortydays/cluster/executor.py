"""The executor that trains on a cluster: who trains what, what comes back, and what becomes of workers that die.

The driver's process starts workers, each an actor of Ray with as many CPUs as a trial has threads. It gives each one
spec at a time and asks all for news; a worker never waits for it. When a worker dies, its spec is given out again,
with the newest state that came back as an argument.
"""

import contextlib
import dataclasses
import sys
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fortydays.base.errors import FortydaysError, StudyChangedError, in_words
from fortydays.base.files import sha256_of_bytes
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.cluster.connection import connected, variables_of_workers
from fortydays.cluster.link import Call, Link
from fortydays.cluster.losses import AGAIN, MOST_ATTEMPTS, TOO_LITTLE_MEMORY, deaths, is_of_memory
from fortydays.cluster.nodes import Node, alive, nodes_that_fit
from fortydays.cluster.place import Place
from fortydays.cluster.scheduling import choose
from fortydays.cluster.shipping import send_dataset, study_files
from fortydays.cluster.worker import StudyFiles, TrialWorker
from fortydays.study.executor import Callbacks
from fortydays.study.trial import TrialOutcome, TrialSpec, trial_result

_SECONDS_OF_NEWS = 1.0
"""How long a worker waits for the next news when it is asked."""


@dataclass(kw_only=True, eq=False)
class _Worker:
    """A worker, and what it does now."""

    number: int
    handle: Any
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
            nodes = self._nodes(link, first)
            yield from Work(
                ray=link.ray,
                call=link.call,
                specs=specs,
                callbacks=callbacks,
                settings=self._shared_settings,
                progress=self._progress,
                nodes=nodes,
                study=study_of(first),
            ).outcomes()

    @property
    def _shared_settings(self) -> Settings | None:
        """What workers on this machine share; on others they read their own."""
        return self._settings if self._place.workers else None

    def _nodes(self, link: Link, spec: TrialSpec) -> list[Node]:
        """The nodes, which fit and have the dataset. Raises FortydaysError."""
        nodes = nodes_that_fit(
            link,
            self._place,
            self._settings,
            self._progress,
            backend=spec.backend,
            threads=spec.threads,
            dataset=spec.dataset,
        )
        if spec.dataset:
            link.call(send_dataset, link.ray, spec.dataset, nodes, self._settings, self._progress)
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
    study: StudyFiles | None
    workers: list[_Worker] = field(default_factory=list)
    told: dict[TrialSpec, _Told] = field(default_factory=dict)
    started: int = 0

    def outcomes(self) -> Generator[TrialOutcome, None, None]:
        """The outcomes in the order of completion."""
        try:
            while self.specs or self._busy:
                self._give_out()
                waiting = [each for worker in self._busy for each in (worker.outcome, worker.news)]
                ready = set(self.call(self.ray.wait, waiting, num_returns=1, timeout=_SECONDS_OF_NEWS)[0])
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
            for worker in self.workers:
                self._end(worker)

    @property
    def _busy(self) -> list[_Worker]:
        return [worker for worker in self.workers if worker.spec is not None]

    # ----------------------------------------------------------------------------------------------- giving work out

    def _give_out(self) -> None:
        """Give specs to the workers that are free, and to new ones where there is room."""
        idle = [worker for worker in self.workers if worker.spec is None]
        # Those that have a variant compiled that waits choose first.
        waiting = {spec.variant for spec in self.specs}
        idle.sort(key=lambda worker: worker.variant not in waiting)
        for worker in idle:
            if self.specs:
                self._give(worker)
        while self.specs and len(self.workers) < self._room():
            self._give(self._start())

    def _room(self) -> int:
        """How many workers there may be. Raises FortydaysError: there is no node left."""
        threads = self.specs[0].threads
        living = {node.id for node in self.call(alive, self.ray)}
        room = sum(node.places(threads) for node in self.nodes if node.id in living)
        if not room:
            raise FortydaysError(
                "The cluster has lost all nodes that had room for a trial.",
                hint=AGAIN,
            )
        return room

    def _start(self) -> _Worker:
        actor = self.ray.remote(TrialWorker)
        places = [str(Path.cwd()), str(Path(sys.argv[0] or ".").resolve().parent)]
        options = {"max_restarts": 0, "max_task_retries": 0, "max_concurrency": 3}
        # Reserved as long as it lives: so there are never more trials than the cores have room for.
        reserved = actor.options(num_cpus=self.specs[0].threads, **options)
        handle = self.call(reserved.remote, settings=self.settings, not_ours=places)
        self.started += 1
        worker = _Worker(number=self.started, handle=handle)
        self.workers.append(worker)
        return worker

    def _give(self, worker: _Worker) -> None:
        others = {other.variant for other in self.workers if other is not worker}
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
        worker.news = self.call(lambda: worker.handle.news.remote(_SECONDS_OF_NEWS))

    # --------------------------------------------------------------------------------------------- what workers tell

    def _heard(self, worker: _Worker, *, ended: bool) -> TrialOutcome | None:
        """Tell the driver what a worker has told, and give back its outcome where it has ended."""
        spec = worker.spec
        assert spec is not None
        try:
            self._tell(spec, self.call(self.ray.get, worker.news))
            if not ended:
                worker.news = self.call(lambda: worker.handle.news.remote(_SECONDS_OF_NEWS))
                return None
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
        self.workers.remove(worker)
        self._end(worker)
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

    def _end(self, worker: _Worker) -> None:
        with contextlib.suppress(Exception):  # it has ended, or the cluster has
            self.call(self.ray.kill, worker.handle, no_restart=True)

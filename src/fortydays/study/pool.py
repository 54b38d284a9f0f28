"""An executor that trains in worker processes: what a trial needs goes there, what it gives comes back.

A worker is started anew (spawned, not forked: TensorFlow does not survive a fork) and loads the study and its data
itself. Over its pipe it calls the driver's :class:`~fortydays.study.executor.Callbacks` by name, so that the driver
alone reads and writes the run's folder. Workers end with the driver, however that comes about.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

from fortydays.base import process
from fortydays.base.errors import FortydaysError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.study.executor import Callbacks, InProcess
from fortydays.study.plan import StudySource
from fortydays.study.trial import StudyReference, TrialOutcome, TrialSpec
from fortydays.train import backends

Load = Callable[[StudyReference, int], StudySource]
"""Loads a study, for a number of threads. A function at the top of a module, which a worker can import."""

_SECONDS_TO_END = 1.0


class Pool:
    """Trains specs in processes beside each other.

    Args:
        workers: how many processes.
        load: gives a worker the study.
        settings: the workspace; a worker computes with the threads that its spec names.
        progress: told what workers say.
    """

    def __init__(self, *, workers: int, load: Load, settings: Settings, progress: Progress) -> None:
        self._count, self._load, self._settings, self._progress = workers, load, settings, progress

    def map(self, specs: deque[TrialSpec], callbacks: Callbacks) -> Generator[TrialOutcome, None, None]:
        """See :class:`~fortydays.study.executor.Executor`. Workers live until all outcomes are taken.

        Raises:
            FortydaysError: what a worker raised; or one has ended by itself.
        """
        context = multiprocessing.get_context("spawn")
        workers: dict[Connection, Any] = {}
        try:
            for _ in range(self._count):
                here, there = context.Pipe()
                workers[here] = context.Process(target=work, args=(there, self._load, self._settings), daemon=True)
                workers[here].start()
                there.close()
            yield from self._outcomes(specs, callbacks, list(workers))
        finally:
            for connection, worker in workers.items():
                connection.close()
                worker.terminate()
            for worker in workers.values():
                worker.join(_SECONDS_TO_END)
                worker.kill()

    def _outcomes(
        self, specs: deque[TrialSpec], callbacks: Callbacks, idle: list[Connection]
    ) -> Generator[TrialOutcome, None, None]:
        busy: dict[Connection, TrialSpec] = {}
        while specs or busy:
            while specs and idle:
                connection = idle.pop()
                busy[connection] = spec = specs.popleft()
                with _heard(spec):
                    connection.send(spec)
            for connection in [c for c in busy if c in wait(list(busy))]:
                spec = busy[connection]
                with _heard(spec):
                    name, *content = connection.recv()
                if name == "outcome":
                    idle.append(connection)
                    del busy[connection]
                    yield content[0]
                elif name == "error":
                    raise content[0]
                elif name in ("say", "warn"):
                    getattr(self._progress, name)(*content)
                else:
                    answer = getattr(callbacks, name)(spec, *content)
                    if name == "resume":
                        with _heard(spec):
                            connection.send(answer)


@contextmanager
def _heard(spec: TrialSpec) -> Iterator[None]:
    """While something is sent to a worker or received from it: say so where it has gone."""
    try:
        yield
    except (EOFError, OSError):
        raise FortydaysError(
            f"The process that trains {spec.variant}, seed {spec.seed}, has ended by itself.",
            hint="There may be too little memory for so many. What is done is kept.",
        ) from None


def work(driver: Connection, load: Load, settings: Settings) -> None:
    """A worker: trains one spec after another, until the driver closes the connection.

    Args:
        driver: to send messages to: a name, and what belongs to it.
        load: gives the study.
        settings: the workspace.
    """
    process.end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the driver decides

    def tell(name: str, *content: Any) -> None:
        driver.send((name, *content))

    def resume(spec: TrialSpec) -> Any:  # noqa: ARG001
        tell("resume")
        return driver.recv()

    callbacks = Callbacks(
        started=lambda spec, steps: tell("started", steps),  # noqa: ARG005
        report=lambda spec, *seen: tell("report", *seen),  # noqa: ARG005
        resume=resume,
        keep=lambda spec, state: tell("keep", state),  # noqa: ARG005
        doing=lambda spec, text: tell("doing", text),  # noqa: ARG005
    )
    executors: dict[tuple[StudyReference, str], InProcess] = {}
    try:
        while True:
            spec = driver.recv()
            key = (spec.study, spec.dataset)
            try:
                if key not in executors:
                    executors[key] = executor_for(spec, load, settings, _Told(tell))
                (outcome,) = executors[key].map(deque([spec]), callbacks)
            except FortydaysError as error:
                tell("error", error)
            else:
                tell("outcome", outcome)
    except (EOFError, OSError):  # the driver has gone
        return


def executor_for(spec: TrialSpec, load: Load, settings: Settings, progress: Progress) -> InProcess:
    """What trains a spec in this process.

    Args:
        spec: of the trial.
        load: gives the study.
        settings: the workspace.
        progress: told of the work.

    Raises:
        FortydaysError: the study, the backend or the dataset is another one here than the spec says.
    """
    study = load(spec.study, spec.threads).study
    dataset = library.load(spec.dataset, settings, progress) if spec.dataset else None
    for what, asked, found in (
        ("backend", spec.backend, backends.wanted()),
        ("digest of the dataset", spec.dataset_digest, dataset.digest if dataset else ""),
    ):
        if asked != found:
            raise FortydaysError(
                f"{spec.variant}, seed {spec.seed}, is to be trained where the {what} is {asked}; here it is {found}.",
                hint="Start over with --fresh.",
            )
    return InProcess(study=study, dataset=dataset, settings=settings, progress=progress)


class _Told:
    """The progress of a worker: messages reach the driver; how far its preparations are does not."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell

    def start(self, task: str, *, total: float | None, unit: str) -> None:
        pass

    def advance(self, task: str, *, done: float, note: str = "") -> None:
        pass

    def finish(self, task: str, *, note: str = "") -> None:
        pass

    def say(self, message: str) -> None:
        self._tell("say", message)

    def warn(self, message: str) -> None:
        self._tell("warn", message)

"""An executor that trains in worker processes: what a trial needs goes there, what it gives comes back.

An executor of another kind gives the same evidence, because a trial is a value. A worker,
``python worker_pool.py DESCRIPTOR``, is a new process, because TensorFlow does not survive a fork. It loads the study
and its data itself. Over its connection it calls the driver's :class:`~fortydays.study.executor.Callbacks` by name, so
that the driver alone reads and writes the run's folder. Workers end with the driver, however that one ends.
"""

import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection, Pipe, wait
from types import SimpleNamespace
from typing import Any

from fortydays.base.errors import FortydaysError
from fortydays.base.process import child_environment, end_with_parent
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.study.executor import Callbacks, InProcess
from fortydays.study.plan import StudySource
from fortydays.study.trial import TrialOutcome, TrialSpec
from fortydays.study.tries import with_at_most
from fortydays.train import backends

Load = Callable[[TrialSpec], StudySource]
"""Loads the study that a trial is of. A function at the top of a module, which a worker can import."""


class Pool:
    """Trains specs in so many processes beside each other, each with the threads that its spec names.

    ``load`` gives a worker the study. ``progress`` is told what workers say.
    """

    def __init__(self, *, workers: int, load: Load, settings: Settings, progress: Progress) -> None:
        self._count, self._load, self._settings, self._progress = workers, load, settings, progress

    def map(self, specs: deque[TrialSpec], callbacks: Callbacks) -> Generator[TrialOutcome, None, None]:
        """See :class:`~fortydays.study.executor.Executor`. Workers live until all outcomes are taken.

        Raises:
            FortydaysError: what a worker raised; or one has ended by itself.
        """
        workers: dict[Connection, subprocess.Popen[bytes]] = {}
        try:
            for _ in range(self._count):
                here, there = Pipe()
                with there:
                    workers[here] = subprocess.Popen(
                        [sys.executable, __file__, str(there.fileno())],
                        env=child_environment(),
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        pass_fds=(there.fileno(),),
                    )
            yield from self._outcomes(specs, callbacks, list(workers))
        finally:
            for connection, worker in workers.items():
                connection.close()
                worker.kill()
                worker.wait()

    def _outcomes(
        self, specs: deque[TrialSpec], callbacks: Callbacks, idle: list[Connection]
    ) -> Generator[TrialOutcome, None, None]:
        busy: dict[Connection, TrialSpec] = {}
        while specs or busy:
            while specs and idle:
                connection = idle.pop()
                busy[connection] = spec = specs.popleft()
                with _heard(spec):
                    connection.send((self._load, self._settings, spec))
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


def work(driver: Connection) -> None:
    """A worker: trains one spec after another, until the driver closes the connection.

    For each spec it receives what loads the study, the settings and the spec. It sends messages: a name, and what
    belongs to it.
    """

    def tell(name: str, *content: Any) -> None:
        driver.send((name, *content))

    def ignore(*_: Any, **__: Any) -> None:
        pass

    def resume(spec: TrialSpec) -> Any:
        tell("resume")
        return driver.recv()

    # Of its progress the messages are told, and not how far its preparations are.
    told: Any = SimpleNamespace(
        start=ignore, advance=ignore, finish=ignore, say=partial(tell, "say"), warn=partial(tell, "warn")
    )
    callbacks = Callbacks(
        started=lambda spec, steps: tell("started", steps),
        report=lambda spec, *seen: tell("report", *seen),
        resume=resume,
        keep=lambda spec, state: tell("keep", state),
        doing=lambda spec, text: tell("doing", text),
    )
    executors: dict[tuple[int | None, str, int | None], InProcess] = {}
    try:
        while True:
            load, settings, spec = driver.recv()
            key = (spec.day, spec.sha256, spec.examples)
            try:
                if key not in executors:
                    executors[key] = executor_for(spec, load, settings, told)
                (outcome,) = executors[key].map(deque([spec]), callbacks)
            except FortydaysError as error:
                tell("error", error)
            else:
                tell("outcome", outcome)
    except (EOFError, OSError):  # the driver has gone
        return


def executor_for(spec: TrialSpec, load: Load, settings: Settings, progress: Progress) -> InProcess:
    """What trains a spec in this process, with the study that ``load`` gives.

    Raises:
        FortydaysError: the study, the backend or the dataset is another one here than the spec says.
    """
    study = load(spec).study
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
    dataset = with_at_most(dataset, spec.examples) if dataset else None
    return InProcess(study=study, dataset=dataset, settings=settings, progress=progress)


if __name__ == "__main__":
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the driver decides
    work(Connection(int(sys.argv[1])))

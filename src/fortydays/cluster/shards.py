"""Work in parts on a cluster: each part is done by one worker, and given to another where that one dies.

What a part is, and what works on it, is another room's. A worker is an actor of Ray with as many CPUs as it computes
with threads. It holds one piece of one part at a time, so that what waits in memory does not grow with the work.
"""

import importlib
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fortydays.base.errors import FortydaysError, in_words
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.cluster.connection import connected, variables_of_workers
from fortydays.cluster.crew import Crew, Member
from fortydays.cluster.link import Call
from fortydays.cluster.losses import AGAIN, MOST_ATTEMPTS, TOO_LITTLE_MEMORY, deaths, is_of_memory
from fortydays.cluster.nodes import Examiner, Node
from fortydays.cluster.place import Place

PART = "part"
"""What a piece of the work is called where something is said of all of them."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work in parts, which are numbered.

    Attributes:
        worker: of the class of what works, ``module:name``; its ``do`` is called for each piece.
        arguments: of the class, in their order. They are sent once, however many workers there are.
        pieces: gives the arguments of ``do`` for each piece of a part, in their order. What ``do`` returns for the
            last one is what the part gives.
        named: what a part is called in messages.
        packages: that what comes out depends on, besides those that trials depend on.
    """

    worker: str
    arguments: Sequence[Any]
    pieces: Callable[[int], Iterator[tuple[Any, ...]]]
    named: Callable[[int], str]
    packages: tuple[str, ...] = ()


class PieceWorker:
    """Works on one piece after another, in a process of its own.

    Args:
        worker: see :class:`Job`.
        not_ours: places of the driver's machine where Python would look for modules first.
        arguments: see :class:`Job`.
    """

    def __init__(self, worker: str, not_ours: Sequence[str], *arguments: Any) -> None:
        sys.path[:] = [place for place in sys.path if place not in not_ours]
        self._worker, self._arguments = worker, arguments
        self._made: Any = None

    def greet(self) -> None:
        """Return at once, as soon as the process has begun."""

    def do(self, *piece: Any) -> Any:
        """What comes of a piece, or the error that it cannot be done here."""
        try:
            if self._made is None:
                module, _, name = self._worker.partition(":")
                self._made = getattr(importlib.import_module(module), name)(*self._arguments)
                self._arguments = ()
            return self._made.do(*piece)
        except FortydaysError as error:
            error.__traceback__ = error.__cause__ = error.__context__ = None  # they hold what cannot be sent
            return error


def done_on(
    place: Place, job: Job, numbers: Sequence[int], *, settings: Settings, progress: Progress
) -> Generator[tuple[int, Any], None, None]:
    """Do parts at a place: the number of each and what it gave, in the order of completion.

    The cluster is connected when the first is asked for, and left when all are taken. Without a number nothing is
    started.

    Args:
        place: the cluster.
        job: what is done.
        numbers: of the parts.
        settings: threads of a worker.
        progress: told of the work.

    Raises:
        FortydaysError: the cluster cannot be used, a node does not fit, workers die of a part again and again, or
            what a worker raised.
    """
    if not numbers:
        return
    from fortydays.train import backends
    from fortydays.train.framework import numerical_switches

    backend = backends.wanted()
    variables = variables_of_workers(numerical_switches(), backend=backend)
    with connected(place, settings, progress, variables=variables) as link:
        examiner = Examiner(
            link,
            place,
            settings,
            progress,
            backend=backend,
            threads=settings.threads,
            packages=job.packages,
            what=PART,
        )
        yield from Shards(
            ray=link.ray,
            call=link.call,
            job=job,
            due=deque(numbers),
            threads=settings.threads,
            progress=progress,
            nodes=examiner.first(),
            examine=examiner.joined,
        ).results()


@dataclass(kw_only=True, eq=False)
class _Worker(Member):
    """A worker, and the part that it works on."""

    part: int | None = None
    pieces: Iterator[tuple[Any, ...]] = field(default_factory=lambda: iter(()))
    answer: Any = None


@dataclass(kw_only=True)
class Shards:
    """Does parts with workers of a cluster that is connected. All that it asks of Ray goes through ``call``."""

    ray: Any
    call: Call
    job: Job
    due: deque[int]
    threads: int
    progress: Progress
    nodes: Sequence[Node]
    examine: Callable[[list[Node]], list[Node]]
    attempts: dict[int, int] = field(default_factory=dict)
    sent: list[Any] = field(default_factory=list)

    def results(self) -> Generator[tuple[int, Any], None, None]:
        """The number of each part and what it gave, in the order of completion."""
        self.crew = Crew(
            ray=self.ray,
            call=self.call,
            nodes=self.nodes,
            threads=self.threads,
            what=PART,
            member=_Worker,
            begin=self._begin,
            examine=self.examine,
            progress=self.progress,
        )
        try:
            self.sent = [self.call(self.ray.put, each) for each in self.job.arguments]
            while self.due or self._busy:
                self._give_out()
                ready = self.crew.wait([worker.answer for worker in self._busy])
                for worker in self._busy:
                    if worker.answer in ready:
                        yield from self._heard(worker)
        except ConnectionError as error:
            raise FortydaysError("The connection to the cluster was lost.", hint=AGAIN) from error
        finally:
            self.crew.end()

    @property
    def _busy(self) -> list[_Worker]:
        return [worker for worker in self.crew.members if worker.part is not None]

    def _give_out(self) -> None:
        """Give parts to the workers that have begun and are free, and start others for what is left."""
        for worker in self.crew.members:
            if self.due and worker.part is None and worker.greeting is None:
                self._give(worker)
        self.crew.grow(len(self.due) - sum(worker.greeting is not None for worker in self.crew.members))

    def _begin(self, options: Mapping[str, Any]) -> Any:
        """A new worker on the cluster."""
        not_ours = [str(Path.cwd()), str(Path(sys.argv[0] or ".").resolve().parent)]
        actor = self.ray.remote(PieceWorker).options(**options)
        return self.call(actor.remote, self.job.worker, not_ours, *self.sent)

    def _give(self, worker: _Worker) -> None:
        number = self.due.popleft()
        self.attempts[number] = self.attempts.get(number, 0) + 1
        worker.part, worker.pieces = number, self.job.pieces(number)
        self._send(worker, next(worker.pieces))

    def _send(self, worker: _Worker, piece: tuple[Any, ...]) -> None:
        worker.answer = self.call(lambda: worker.handle.do.remote(*piece))

    def _heard(self, worker: _Worker) -> Iterator[tuple[int, Any]]:
        """Send the next piece of a worker's part; of the last one, what the part gave."""
        number = worker.part
        assert number is not None
        try:
            found = self.call(self.ray.get, worker.answer)
            if isinstance(found, FortydaysError):
                raise found
            piece = next(worker.pieces, None)
            if piece is not None:
                self._send(worker, piece)
                return
        except deaths(self.ray) as error:
            self._died(worker, number, error)
            return
        except self.ray.exceptions.RayError as error:
            said = in_words(getattr(error, "cause", None) or error)
            raise FortydaysError(
                f"{_sentence(self.job.named(number))} could not be done on the cluster: {printable(said)[:500]}",
                hint="What is done is kept. Without --on, the same command says more.",
            ) from error
        worker.part, worker.answer = None, None
        yield number, found

    def _died(self, worker: _Worker, number: int, error: Exception) -> None:
        """Have the part of a dead worker done by another. Raises FortydaysError after the last attempt."""
        self.crew.remove(worker)
        attempts, name = self.attempts[number], self.job.named(number)
        if attempts >= MOST_ATTEMPTS:
            hint = TOO_LITTLE_MEMORY if is_of_memory(self.ray, error) else "Without --on, the same command says more."
            raise FortydaysError(
                f"{attempts} workers have ended by themselves while they worked on {name}.",
                hint=f"What is done is kept. {hint}",
            )
        self.progress.warn(
            f"The worker on {name} has ended by itself. Another one begins that part (attempt {attempts + 1} of "
            f"{MOST_ATTEMPTS})."
        )
        self.due.appendleft(number)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]

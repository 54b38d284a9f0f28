"""Parts of some work on a cluster that is played: who does which, and what becomes of a part whose worker dies."""

import sys
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from played import EXCEPTIONS, UTIL, DiedError, FailedError

from fortydays.base.errors import DataError, FortydaysError
from fortydays.base.settings import read_settings
from fortydays.cluster import shards
from fortydays.cluster.link import LostClusterError
from fortydays.cluster.nodes import Node
from fortydays.cluster.place import Place
from fortydays.cluster.shards import Job, PieceWorker, Shards, done_on


class Adder:
    """What works in these tests: adds up the numbers of a part's pieces, beginning with what it was made with."""

    def __init__(self, start: int) -> None:
        if start < 0:
            raise DataError("It starts below zero.", hint="Start above.")
        self.start = self.sum = start

    def do(self, number: int, first: bool) -> int:
        self.sum = (self.start if first else self.sum) + number
        return self.sum


class PlayedRay:
    """Plays a cluster with one node. ``deaths`` has how often a worker dies of a number, and with what."""

    exceptions, util = EXCEPTIONS, UTIL

    def __init__(self, deaths: dict[int, list[Exception]] | None = None, *, cpus: int = 2) -> None:
        self.deaths, self.cpus = deaths or {}, cpus
        self.done: list[tuple[int, int]] = []
        self.alive: dict[int, Any] = {}
        self.most = self.started = self.put_times = 0
        self.under_way: set[int] = set()

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": "n1", "Alive": bool(self.cpus), "NodeManagerAddress": "here", "Resources": {"CPU": self.cpus}}
        ]

    def put(self, value: Any) -> Any:
        self.put_times += 1
        return value

    def remote(self, kind: type[PieceWorker]) -> Any:
        def start(*given: Any) -> Any:
            self.started += 1
            name, worker = self.started, kind(*given)
            handle = SimpleNamespace(
                do=SimpleNamespace(remote=lambda *piece: self._do(name, worker, piece)),
                greet=SimpleNamespace(remote=lambda: worker.greet),
                name=name,
            )
            self.alive[name] = handle
            self.most = max(self.most, len(self.alive))
            return handle

        def with_options(**options: Any) -> Any:
            self.options = options
            return SimpleNamespace(remote=start)

        return SimpleNamespace(options=with_options)

    def _do(self, name: int, worker: PieceWorker, piece: tuple[Any, ...]) -> Any:
        assert name not in self.under_way  # one piece at a time
        self.under_way.add(name)

        def answer() -> Any:
            self.under_way.discard(name)
            if ends := self.deaths.get(piece[0]):
                end = ends.pop(0)
                if isinstance(end, DiedError):
                    del self.alive[name]
                raise end
            self.done.append((name, piece[0]))
            return worker.do(*piece)

        return answer

    def wait(self, waiting: list[Any], *, num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        assert 1 <= num_returns <= len(waiting)  # or Ray raises
        assert timeout <= 1
        begun = [each for each in waiting if each.__name__ == "greet"][:num_returns]
        ready = begun or waiting[-1:]  # who began last is done first
        return ready, [each for each in waiting if each not in ready]

    def get(self, answer: Any) -> Any:
        return answer()

    def kill(self, handle: Any, *, no_restart: bool) -> None:
        assert no_restart
        self.alive.pop(handle.name, None)


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker takes places of another machine out of the path."""
    monkeypatch.setattr(sys, "path", list(sys.path))


def job(*, start: int = 100) -> Job:
    def pieces(number: int) -> Iterator[tuple[int, bool]]:
        yield 10 * number, True
        yield 10 * number + 1, False

    return Job(
        worker=f"{__name__}:Adder",
        arguments=(start,),
        pieces=pieces,
        named=lambda number: f"part {number} (all of it)",
    )


def call(function: Any, *arguments: Any, **named: Any) -> Any:
    """As a link calls while the cluster is there."""
    return function(*arguments, **named)


def work(ray: PlayedRay, said: list[str], *parts: int, threads: int = 1, start: int = 100) -> Shards:
    progress: Any = SimpleNamespace(say=said.append, warn=said.append)
    nodes = [Node(id="n1", number=1, address="here", cpus=ray.cpus)]
    return Shards(
        ray=ray, call=call, job=job(start=start), due=deque(parts), threads=threads, progress=progress, nodes=nodes,
        examine=list,
    )  # fmt: skip


def test_each_part_is_done_once_in_whatever_order() -> None:
    ray, said = PlayedRay(), list[str]()
    found = list(work(ray, said, 1, 2, 3).results())
    assert dict(found) == {1: 100 + 10 + 11, 2: 100 + 20 + 21, 3: 100 + 30 + 31}
    assert [number for number, _ in found] != [1, 2, 3]
    assert sorted(number for _, number in ray.done) == [10, 11, 20, 21, 30, 31]
    assert len({name for name, number in ray.done if number in (10, 11)}) == 1  # a part stays with its worker
    assert (ray.most, ray.put_times, ray.alive, said) == (2, 1, {}, [])


def test_a_worker_takes_as_many_cpus_as_it_has_threads() -> None:
    ray = PlayedRay()
    assert len(list(work(ray, [], 1, 2, threads=2).results())) == 2
    assert ray.most == 1
    assert (ray.options["num_cpus"], ray.options["scheduling_strategy"]) == (2, ("n1", False))


def test_no_more_workers_are_started_than_there_are_parts() -> None:
    ray = PlayedRay()
    assert len(list(work(ray, [], 1).results())) == 1
    assert ray.started == 1


def test_a_part_whose_worker_dies_is_begun_again_by_another() -> None:
    ray, said = PlayedRay({11: [DiedError()]}, cpus=1), list[str]()
    assert dict(work(ray, said, 1, 2).results()) == {1: 121, 2: 141}
    assert ray.done == [(1, 10), (2, 10), (2, 11), (2, 20), (2, 21)]
    assert said == [
        "The worker on part 1 (all of it) has ended by itself. Another one begins that part (attempt 2 of 3)."
    ]


@pytest.mark.parametrize(
    ("end", "hint"),
    [
        (DiedError(), "What is done is kept. Without --on, the same command says more."),
        (MemoryError(), "What is done is kept. There may be too little memory for so many at once."),
        (DiedError("the node ran out of memory"), "What is done is kept. There may be too little memory for so many"),
    ],
)
def test_the_third_death_of_a_part_ends_the_work(end: Exception, hint: str) -> None:
    ray, said = PlayedRay({10: [end] * 3}), list[str]()
    with pytest.raises(FortydaysError) as raised:
        list(work(ray, said, 1, 2, 3, 4).results())
    assert raised.value.message == "3 workers have ended by themselves while they worked on part 1 (all of it)."
    assert raised.value.hint.startswith(hint)
    assert len(said) == 2
    assert ray.alive == {}


def test_an_error_on_a_node_is_told_as_it_is_and_ends_the_workers() -> None:
    ray = PlayedRay()
    with pytest.raises(DataError, match="It starts below zero") as raised:
        list(work(ray, [], 1, 2, start=-1).results())
    assert raised.value.hint == "Start above."
    assert ray.alive == {}


def test_what_nobody_foresaw_on_a_node_is_told_without_a_traceback() -> None:
    with pytest.raises(FortydaysError) as raised:
        list(work(PlayedRay({10: [FailedError("disk on fire")]}), [], 1).results())
    assert raised.value.message == ("Part 1 (all of it) could not be done on the cluster: FailedError: disk on fire")


def test_a_cluster_that_is_lost_is_told() -> None:
    with pytest.raises(FortydaysError, match="The connection to the cluster was lost"):
        list(work(PlayedRay({10: [ConnectionError("gone")]}), [], 1).results())
    with pytest.raises(FortydaysError, match="lost all nodes that had room for a part") as raised:
        list(work(PlayedRay(cpus=0), [], 1).results())
    assert "give the same command again" in raised.value.hint


@pytest.mark.parametrize("step", ["put", "nodes", "start", "wait", "get"])
def test_a_cluster_that_ends_at_whatever_step_ends_the_work_with_what_the_link_says(step: str) -> None:
    """A link raises instead of calling: nothing is asked of Ray any more, not even to end the workers."""
    ray, gone = PlayedRay(), list[str]()

    def of_a_link(function: Any, *arguments: Any, **named: Any) -> Any:
        name = {"alive": "nodes"}.get(function.__name__, function.__name__)
        if gone or name == step:
            gone.append(name)
            raise LostClusterError("The cluster has ended.", hint="Again.")
        return function(*arguments, **named)

    said = list[str]()
    lost = work(ray, said, 1, 2)
    lost.call = of_a_link
    with pytest.raises(LostClusterError, match="The cluster has ended"):
        list(lost.results())
    assert gone[0] == step
    assert ray.done == []
    assert said == []  # no worker is said to have died


def test_who_takes_no_more_ends_the_workers() -> None:
    results = work(ray := PlayedRay(), [], 1, 2, 3).results()
    next(results)
    assert ray.alive
    results.close()
    assert ray.alive == {}


def test_nothing_is_started_where_nothing_is_to_be_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    def connected(*_: Any, **__: Any) -> None:
        raise AssertionError("a cluster was started")

    monkeypatch.setattr(shards, "connected", connected)
    settings = read_settings({"FORTYDAYS_HOME": str(tmp_path)})
    progress: Any = SimpleNamespace()
    assert list(done_on(Place(workers=1), job(), [], settings=settings, progress=progress)) == []
    with pytest.raises(AssertionError, match="a cluster was started"):
        list(done_on(Place(workers=1), job(), [1], settings=settings, progress=progress))

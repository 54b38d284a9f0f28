"""The workers of a command on a cluster that is played: nodes come and go, and other programs have CPUs."""

import dataclasses
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from played import EXCEPTIONS, UTIL, DiedError, FailedError

from fortydays.base import clock
from fortydays.base.errors import DataError, FortydaysError
from fortydays.cluster.crew import Crew, Member
from fortydays.cluster.nodes import Node


class PlayedRay:
    """Plays nodes, of which each has CPUs, and actors that begin unless other programs have the CPUs of their node."""

    exceptions, util = EXCEPTIONS, UTIL

    def __init__(self, **cpus: int) -> None:
        self.cpus = cpus
        self.taken: set[str] = set()
        self.fails: list[Exception] = []
        self.begun: list[dict[str, Any]] = []
        self.killed: list[str] = []

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": name, "Alive": True, "NodeManagerAddress": f"10.0.0.{name[1:]}", "Resources": {"CPU": cpus}}
            for name, cpus in self.cpus.items()
        ]

    def begin(self, options: Mapping[str, Any]) -> Any:
        self.begun.append(dict(options))
        node = options["scheduling_strategy"][0]

        def greet() -> None:
            if self.fails:
                raise self.fails.pop(0)

        greet.node = node  # type: ignore[attr-defined]
        return SimpleNamespace(greet=SimpleNamespace(remote=lambda: greet), node=node)

    def wait(self, waiting: list[Any], *, num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        ready = [each for each in waiting if getattr(each, "node", "") not in self.taken][:num_returns]
        return ready, [each for each in waiting if each not in ready]

    def get(self, reference: Any) -> Any:
        return reference()

    def kill(self, handle: Any, *, no_restart: bool) -> None:
        assert no_restart
        self.killed.append(handle.node)


class Moments:
    """A clock that is moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(clock, "seconds", lambda: self.now)

    def later(self, seconds: float = 2.0) -> None:
        self.now += seconds


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Moments:
    return Moments(monkeypatch)


def call(function: Any, *arguments: Any, **named: Any) -> Any:
    return function(*arguments, **named)


def crew(ray: PlayedRay, said: list[str], *, threads: int = 1, problems: Mapping[str, str] | None = None) -> Crew[Any]:
    """On the nodes that are there now. ``problems`` has by node what is found on it, should it join later."""
    progress: Any = SimpleNamespace(say=said.append, warn=said.append)
    nodes = [
        Node(id=name, number=number, address="here", cpus=cpus) for number, (name, cpus) in enumerate(ray.cpus.items())
    ]

    def examine(new: list[Node]) -> list[Node]:
        found = problems or {}
        if "no room" in found.values():
            raise DataError("It has no room for the dataset.")
        return [dataclasses.replace(n, problems=(found[n.id],) if n.id in found else ()) for n in new]

    return Crew(
        ray=ray, call=call, nodes=nodes, threads=threads, what="trial", member=Member, begin=ray.begin,
        examine=examine, progress=progress,
    )  # fmt: skip


def places(found: Crew[Any]) -> list[str]:
    return [member.node.id for member in found.members]


def have_begun(found: Crew[Any]) -> list[bool]:
    return [member.greeting is None for member in found.members]


def test_workers_are_spread_over_the_nodes_and_take_what_they_have(moments: Moments) -> None:
    found = crew(ray := PlayedRay(n1=4, n2=5), [], threads=2)
    found.grow(9)
    assert places(found) == ["n1", "n2", "n1", "n2"]
    assert {each["num_cpus"] for each in ray.begun} == {2}
    assert [each["scheduling_strategy"] for each in ray.begun[:2]] == [("n1", False), ("n2", False)]
    assert [(each["max_restarts"], each["max_task_retries"]) for each in ray.begun] == [(0, 0)] * 4
    found.grow(9)
    assert len(found.members) == 4


def test_no_more_are_started_than_are_wanted(moments: Moments) -> None:
    found = crew(PlayedRay(n1=4), [])
    found.grow(0)
    found.grow(-3)
    assert found.members == []
    found.grow(1)
    assert len(found.members) == 1


def test_a_worker_whose_cpus_other_programs_have_has_not_begun_and_that_is_said_once(moments: Moments) -> None:
    ray, said = PlayedRay(n1=1, n2=1), list[str]()
    found = crew(ray, said)
    ray.taken.add("n2")
    found.grow(2)
    found.wait([])
    assert have_begun(found) == [True, False]
    assert said == []
    for _ in range(3):
        moments.later(31)
        found.wait([])
    assert said == [
        "1 worker could not begin for 30 seconds. Other programs may have the CPUs of the cluster. The work goes on "
        "as soon as they are free."
    ]
    ray.taken.clear()
    found.wait([])
    assert have_begun(found) == [True, True]


def test_all_that_is_ready_is_heard_at_once_and_not_the_first_one_alone(moments: Moments) -> None:
    found = crew(PlayedRay(n1=2), [])
    first, second = object(), object()
    assert found.wait([first, second]) == {first, second}


def test_a_node_that_joins_is_examined_and_used(moments: Moments) -> None:
    ray, said = PlayedRay(n1=1), list[str]()
    found = crew(ray, said, problems={"n3": "Python is 3.12.1, here 3.11.7"})
    found.grow(5)
    assert places(found) == ["n1"]
    ray.cpus |= {"n2": 2, "n3": 8}
    found.grow(5)
    assert places(found) == ["n1"]  # nodes are not asked for more often than once a second
    moments.later()
    found.grow(5)
    assert places(found) == ["n1", "n2", "n2"]
    assert said == [
        "Node 2 (10.0.0.2) has joined, with room for 2 trials.",
        "Node 3 (10.0.0.3) has joined and is not used: Python is 3.12.1, here 3.11.7.",
    ]
    moments.later()
    found.grow(5)
    assert len(said) == 2  # it is examined once


def test_a_node_that_cannot_keep_the_dataset_is_not_used(moments: Moments) -> None:
    ray, said = PlayedRay(n1=1), list[str]()
    found = crew(ray, said, problems={"n2": "no room"})
    ray.cpus["n2"] = 2
    found.grow(5)
    assert places(found) == ["n1"]
    assert said == ["What has joined the cluster is not used, node 2 (10.0.0.2): It has no room for the dataset."]


def test_where_all_nodes_are_replaced_the_work_goes_on(moments: Moments) -> None:
    ray = PlayedRay(n1=1)
    found = crew(ray, [])
    found.grow(1)
    ray.cpus = {"n7": 1}
    found.remove(found.members[0])
    moments.later()
    found.grow(1)
    assert places(found) == ["n7"]
    ray.cpus = {}
    moments.later()
    with pytest.raises(FortydaysError, match="The cluster has lost all nodes that had room for a trial"):
        found.grow(1)


@pytest.mark.parametrize(
    ("end", "hint"),
    [(DiedError(), "Do they start without --on?"), (MemoryError(), "There may be too little memory for so many")],
)
def test_workers_that_end_before_they_begin_are_not_started_for_ever(
    moments: Moments, end: Exception, hint: str
) -> None:
    ray = PlayedRay(n1=1)
    ray.fails = [end] * 3
    found = crew(ray, [])
    for _ in range(2):
        found.grow(1)
        found.wait([])
        assert found.members == []
        found.grow(1)
        assert found.members == []  # the node is left alone for a while
        moments.later(20.0)
    found.grow(1)
    with pytest.raises(FortydaysError) as raised:
        found.wait([])
    assert raised.value.message == "3 workers have ended by themselves before they began to work."
    assert hint in raised.value.hint


def test_workers_that_end_with_their_node_do_not_end_the_work(moments: Moments) -> None:
    """A node that has gone looks alive for some seconds, and has room."""
    ray = PlayedRay(n1=1, n2=1)
    found = crew(ray, [])
    found.grow(2)
    found.wait([])
    for _ in range(5):  # as often as nodes go
        gone = found.members[1]
        found.remove(gone)
        ray.fails = [DiedError()]
        found.grow(1)
        found.wait([])
        assert places(found) == ["n1"]
        found.grow(1)
        assert places(found) == ["n1"]  # nothing more is started on it
        del ray.cpus[gone.node.id]
        ray.cpus[f"n{len(ray.begun) + 10}"] = 1
        moments.later()
        found.grow(1)
        found.wait([])
        assert have_begun(found) == [True, True]


def test_one_that_begins_makes_good_for_those_that_did_not(moments: Moments) -> None:
    ray = PlayedRay(n1=1)
    found = crew(ray, [])
    for _ in range(3):
        ray.fails = [DiedError(), DiedError()]
        for _ in range(3):
            moments.later(20.0)
            found.grow(1)
            found.wait([])
        assert have_begun(found) == [True]
        found.remove(found.members[0])


def test_what_nobody_foresaw_at_the_start_of_a_worker_is_told_without_a_traceback(moments: Moments) -> None:
    ray = PlayedRay(n1=1)
    ray.fails = [FailedError("disk on fire")]
    found = crew(ray, [])
    found.grow(1)
    with pytest.raises(FortydaysError) as raised:
        found.wait([])
    assert raised.value.message == "A worker could not be started on the cluster: FailedError: disk on fire"


def test_all_workers_end_at_the_end_those_that_have_not_begun_too(moments: Moments) -> None:
    ray = PlayedRay(n1=1, n2=1)
    ray.taken.add("n2")
    found = crew(ray, [])
    found.grow(2)
    found.wait([])
    found.end()
    assert ray.killed == ["n1", "n2"]
    assert found.members == []

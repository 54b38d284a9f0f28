"""What becomes of trials whose workers die, told with a cluster that is played: no process is started."""

import dataclasses
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from played import EXCEPTIONS, UTIL, DiedError, FailedError

from fortydays.base.errors import FortydaysError, UsageError
from fortydays.cluster.executor import Work
from fortydays.cluster.link import LostClusterError
from fortydays.cluster.nodes import Node
from fortydays.study.executor import Callbacks
from fortydays.study.trial import TrialOutcome, TrialSpec, trial_result
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.recipe import Recipe


class PlayedRay:
    """Plays a cluster: ``script`` has by variant what becomes of each attempt: states that come back, then an end.

    An end is None for an outcome, or an exception. An object to wait for is a function that gives its value.
    """

    exceptions, util = EXCEPTIONS, UTIL

    def __init__(self, script: dict[str, list[tuple[list[Any], Any]]], *, cpus: int = 2) -> None:
        self.script, self.cpus = script, cpus
        self.begun: list[tuple[str, Any]] = []
        self.alive: list[Any] = []
        self.most = 0

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": "n1", "Alive": bool(self.cpus), "NodeManagerAddress": "here", "Resources": {"CPU": self.cpus}}
        ]

    def remote(self, kind: type) -> Any:
        def start(**_: Any) -> Any:
            worker = SimpleNamespace()
            worker.train = SimpleNamespace(remote=lambda *given: self._train(worker, *given))
            worker.news = SimpleNamespace(remote=lambda seconds: worker.told)
            worker.greet = SimpleNamespace(remote=lambda: lambda: None)
            self.alive.append(worker)
            self.most = max(self.most, len(self.alive))
            return worker

        def with_options(**options: Any) -> Any:
            self.options = options
            return SimpleNamespace(remote=start)

        return SimpleNamespace(options=with_options)

    def _train(self, worker: Any, spec: TrialSpec, study: Any, state: Any) -> Any:
        self.begun.append((spec.variant, state and state.state["epoch"]))
        states, end = self.script[spec.variant].pop(0)
        news = [("started", 10), *(("keep", s) for s in states), ("report", 5, 10, 0.5, 0.9)]

        def told() -> Any:
            if isinstance(end, DiedError) and not news:
                raise end
            given, news[:] = list(news), []
            return given

        def outcome() -> Any:
            if isinstance(end, DiedError):
                self.alive.remove(worker)
            if isinstance(end, Exception) and not isinstance(end, FortydaysError):
                raise end
            found = end or TrialOutcome(spec=dataclasses.replace(spec, path="there"), result=trial_result(spec))
            return found, [("say", "last words")]

        worker.told = told
        return outcome

    def wait(self, waiting: list[Any], *, num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        assert 1 <= num_returns <= len(waiting)  # or Ray raises
        assert timeout <= 1
        return waiting[:num_returns], waiting[num_returns:]

    def get(self, reference: Any) -> Any:
        return reference()

    def kill(self, worker: Any, *, no_restart: bool) -> None:
        assert no_restart
        if worker in self.alive:
            self.alive.remove(worker)


def specs(*variants: str, threads: int = 1) -> deque[TrialSpec]:
    return deque(
        TrialSpec(
            variant=variant, seed=0, recipe=Recipe(epochs=5), dataset="", dataset_digest="", backend="tensorflow",
            threads=threads, bfloat16_is_fast=False,
        )
        for variant in variants
    )  # fmt: skip


class Driver:
    """Remembers what it is told, and keeps states."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.kept: dict[str, Checkpoint] = {}
        self.said: list[str] = []
        self.progress: Any = SimpleNamespace(say=self.said.append, warn=self.said.append)

    def callbacks(self) -> Callbacks:
        def keep(spec: TrialSpec, state: Checkpoint) -> None:
            self.kept[spec.variant] = state

        return Callbacks(
            started=lambda spec, steps: self.told.append(("started", spec.variant, steps)),
            report=lambda spec, done, *_: self.told.append(("report", spec.variant, done)),
            resume=lambda spec: self.kept.get(spec.variant),
            keep=keep,
        )


def call(function: Any, *arguments: Any, **named: Any) -> Any:
    """As a link calls while the cluster is there."""
    return function(*arguments, **named)


def work(ray: PlayedRay, waiting: deque[TrialSpec], driver: Driver) -> Work:
    node = Node(id="n1", number=1, address="here", cpus=2)
    return Work(
        ray=ray, call=call, specs=waiting, callbacks=driver.callbacks(), settings=None, progress=driver.progress,
        nodes=[node], examine=list, study=None,
    )  # fmt: skip


def state(epoch: int) -> Checkpoint:
    return Checkpoint(state={"epoch": epoch}, variables=(), optimizer=())


def test_outcomes_name_the_worker_and_are_of_the_spec_that_was_asked_for() -> None:
    ray, driver = PlayedRay({"a": [([], None)], "b": [([], None)], "c": [([], None)]}), Driver()
    waiting = specs("a", "b", "c")
    asked = list(waiting)
    outcomes = list(work(ray, waiting, driver).outcomes())
    assert [outcome.spec for outcome in outcomes] == asked
    assert [(o.result["worker"], o.result["attempts"]) for o in outcomes] == [
        ("worker 1", 1), ("worker 2", 1), ("worker 1", 1)
    ]  # fmt: skip
    assert ray.most == 2  # CPUs of the only node
    assert ray.alive == []
    assert "last words" in driver.said


def test_a_trial_whose_worker_dies_goes_on_from_the_newest_state_that_came_back() -> None:
    ray = PlayedRay({"a": [([state(1), state(2)], DiedError()), ([state(3)], DiedError()), ([], None)]})
    driver = Driver()
    (outcome,) = work(ray, specs("a"), driver).outcomes()
    assert ray.begun == [("a", None), ("a", 2), ("a", 3)]
    assert (outcome.result["status"], outcome.result["attempts"]) == ("finished", 3)
    assert outcome.result["worker"] == "worker 3"
    # The driver sees one trial, which is never further back than it was.
    assert driver.told == [("started", "a", 10), ("report", "a", 5)]
    assert [said for said in driver.said if "ended by itself" in said] == [
        "The worker that trained a, seed 0, has ended by itself. The trial goes on from what is kept of it "
        f"(attempt {attempt} of 3)."
        for attempt in (2, 3)
    ]


def test_the_third_death_gives_a_trial_up_and_the_others_are_trained() -> None:
    ray = PlayedRay({"a": [([], DiedError())] * 3, "b": [([], None)]}, cpus=1)
    outcomes = {o.spec.variant: o for o in work(ray, specs("a", "b"), Driver()).outcomes()}
    assert outcomes["b"].result["status"] == "finished"
    failed = outcomes["a"]
    assert (failed.result["status"], failed.result["attempts"]) == ("failed", 3)
    assert failed.result["error"] == "3 workers have ended by themselves while they trained it."
    assert failed.hint == "Train it without --on to see why."
    assert failed.lost


def test_where_memory_was_short_it_is_said() -> None:
    ray = PlayedRay({"a": [([], DiedError("killed: the node ran out of memory"))] * 3})
    (failed,) = work(ray, specs("a"), Driver()).outcomes()
    assert failed.hint == "There may be too little memory for so many at once."


def test_a_mistake_in_the_study_is_raised_as_it_is_and_ends_the_workers() -> None:
    mistake = UsageError("The model cannot be built.", hint="Change it.")
    ray = PlayedRay({"a": [([], mistake)], "b": [([], None)]})
    with pytest.raises(UsageError) as raised:
        list(work(ray, specs("a", "b"), Driver()).outcomes())
    assert raised.value is mistake
    assert ray.alive == []


def test_what_nobody_foresaw_on_a_node_is_told_without_a_traceback() -> None:
    ray = PlayedRay({"a": [([], FailedError("disk on fire"))]})
    with pytest.raises(FortydaysError) as raised:
        list(work(ray, specs("a"), Driver()).outcomes())
    assert raised.value.message == "a, seed 0, could not be trained on the cluster: FailedError: disk on fire"


def test_a_connection_that_is_lost_is_told() -> None:
    ray = PlayedRay({"a": [([], ConnectionError("gone"))]})
    with pytest.raises(FortydaysError) as raised:
        list(work(ray, specs("a"), Driver()).outcomes())
    assert raised.value.message == "The connection to the cluster was lost."


def test_a_cluster_that_has_ended_is_told_as_the_link_tells_it_and_not_waited_for() -> None:
    ray, driver = PlayedRay({"a": [([], DiedError())], "b": [([], None)]}), Driver()

    def of_a_link(function: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except DiedError as error:
            raise LostClusterError("The cluster has ended.", hint="Again.") from error

    lost = work(ray, specs("a", "b"), driver)
    lost.call = of_a_link
    with pytest.raises(LostClusterError, match="The cluster has ended"):
        list(lost.outcomes())
    assert ray.begun == [("a", None), ("b", None)]  # no trial was given out again
    assert driver.said == []


def test_a_cluster_without_a_node_left_is_told() -> None:
    with pytest.raises(FortydaysError, match="The cluster has lost all nodes that had room for a trial") as raised:
        list(work(PlayedRay({}, cpus=0), specs("a"), Driver()).outcomes())
    assert "give the same command again" in raised.value.hint


def test_a_trial_takes_as_many_cpus_as_it_has_threads() -> None:
    ray = PlayedRay({"a": [([], None)], "b": [([], None)]})
    assert len(list(work(ray, specs("a", "b", threads=2), Driver()).outcomes())) == 2
    assert ray.most == 1
    assert (ray.options["num_cpus"], ray.options["scheduling_strategy"]) == (2, ("n1", False))

"""The workers of one command on a cluster: on which node each one is, which have begun, and what nodes come and go.

A worker is an actor of Ray. It is started on one node, with as many CPUs as it computes with threads. Until it
answers, other programs may have these CPUs: so it is given no work before.
"""

import contextlib
import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fortydays.base import clock
from fortydays.base.errors import FortydaysError, in_words
from fortydays.base.progress import Progress
from fortydays.base.text import counted, printable
from fortydays.cluster.link import Call
from fortydays.cluster.losses import AGAIN, MOST_ATTEMPTS, TOO_LITTLE_MEMORY, deaths, is_of_memory
from fortydays.cluster.nodes import MOST_NODES, Node, alive, on_node

SECONDS_OF_WAITING = 1.0
"""How long news is waited for before nodes are looked at again."""

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_TO_BEGIN = 30.0
"""After which it is said that a worker has not begun: it takes about ten seconds on an idle machine."""

_SECONDS_OF_REST = 15.0
"""How long a node is left alone after a worker has ended there before it began. A node that has gone looks alive for
some seconds, and every worker that is started there ends so."""


@dataclass(kw_only=True, eq=False)
class Member:
    """A worker.

    Attributes:
        number: in the order in which they were started, from 1.
        handle: of its actor.
        node: that it is on.
        greeting: what to wait for until it has begun; None from then on.
        asked: the moment at which it was started.
    """

    number: int
    handle: Any
    node: Node
    greeting: Any
    asked: float


M = TypeVar("M", bound=Member)


class Crew(Generic[M]):
    """The workers of one command. All that is asked of Ray goes through ``call``.

    Args:
        ray: the module, connected.
        call: see :class:`~fortydays.cluster.link.Link`.
        nodes: that fit.
        threads: of each worker.
        what: a worker works on, such as "trial".
        member: the class of a worker here.
        begin: starts an actor with options of Ray. The actor has a method ``greet``, which returns at once.
        examine: finds what is wrong with nodes that join later, and gives them what they lack.
        progress: told of nodes and workers.
    """

    def __init__(
        self,
        *,
        ray: Any,
        call: Call,
        nodes: Sequence[Node],
        threads: int,
        what: str,
        member: type[M],
        begin: Callable[[Mapping[str, Any]], Any],
        examine: Callable[[list[Node]], list[Node]],
        progress: Progress,
    ) -> None:
        self.members: list[M] = []
        self._ray, self._call, self._progress = ray, call, progress
        self._nodes, self._threads, self._what = list(nodes), threads, what
        self._member, self._begin, self._examine = member, begin, examine
        self._seen = {node.id for node in nodes}
        self._started = 0
        self._failures: list[str] = []  # the node of each worker that has ended before it began
        self._rests: dict[str, float] = {}
        self._looked: float | None = None
        self._has_told = False

    def grow(self, more: int) -> None:
        """Start so many more workers, as far as nodes have room.

        Raises:
            FortydaysError: there is no node left.
        """
        self._look()
        while more > 0 and (node := self._node_with_room()) is not None:
            self._start(node)
            more -= 1

    def wait(self, references: Sequence[Any]) -> set[Any]:
        """Which of some references are ready; for the first one, a second is waited.

        Workers that have begun are known as such afterwards.

        Raises:
            FortydaysError: workers end before they begin, again and again.
        """
        every = [each.greeting for each in self.members if each.greeting is not None] + list(references)
        if not every:
            threading.Event().wait(SECONDS_OF_WAITING / 10)
            return set()
        found = self._call(self._ray.wait, every, num_returns=1, timeout=SECONDS_OF_WAITING)[0]
        if found:  # Ray gives as many as are asked for
            found = self._call(self._ray.wait, every, num_returns=len(every), timeout=0)[0]
        ready = set(found)
        self._welcome(ready)
        return ready

    def remove(self, member: M) -> None:
        """Leave out a worker, and end it where it has not ended."""
        self.members.remove(member)
        self._kill([member.handle])

    def end(self) -> None:
        """End all workers."""
        self._kill([member.handle for member in self.members])
        self.members.clear()

    # ------------------------------------------------------------------------------------------------------ workers

    def _start(self, node: Node) -> None:
        options = {
            # Reserved as long as it lives: so there are never more workers than the cores have room for.
            "num_cpus": self._threads,
            "max_restarts": 0,
            "max_task_retries": 0,
            "scheduling_strategy": on_node(self._ray, node),
        }
        handle = self._begin(options)
        self._started += 1
        self.members.append(
            self._member(
                number=self._started,
                handle=handle,
                node=node,
                greeting=self._call(handle.greet.remote),
                asked=clock.seconds(),
            )
        )

    def _welcome(self, ready: Collection[Any]) -> None:
        """Find out which workers have begun, and which have ended before."""
        for member in [each for each in self.members if each.greeting in ready]:
            try:
                self._call(self._ray.get, member.greeting)
            except deaths(self._ray) as error:
                self.remove(member)
                self._failures.append(member.node.id)
                self._rests[member.node.id] = clock.seconds() + _SECONDS_OF_REST
                if len(self._failures) >= MOST_ATTEMPTS:
                    hint = TOO_LITTLE_MEMORY if is_of_memory(self._ray, error) else "Do they start without --on?"
                    raise FortydaysError(
                        f"{len(self._failures)} workers have ended by themselves before they began to work.",
                        hint=f"What is done is kept. {hint}",
                    ) from error
            except self._ray.exceptions.RayError as error:
                said = in_words(getattr(error, "cause", None) or error)
                raise FortydaysError(
                    f"A worker could not be started on the cluster: {printable(said)[:500]}",
                    hint="What is done is kept. Without --on, the same command says more.",
                ) from error
            else:
                member.greeting = None
                self._failures.clear()
        late = [m for m in self.members if m.greeting and clock.seconds() - m.asked > _SECONDS_TO_BEGIN]
        if late and not self._has_told:
            self._has_told = True
            self._progress.warn(
                f"{counted(len(late), 'worker')} could not begin for {_SECONDS_TO_BEGIN:.0f} seconds. Other programs "
                "may have the CPUs of the cluster. The work goes on as soon as they are free."
            )

    def _kill(self, handles: Sequence[Any]) -> None:
        def kill() -> None:
            for handle in handles:
                with contextlib.suppress(Exception):  # it has ended
                    self._ray.kill(handle, no_restart=True)

        with contextlib.suppress(Exception):  # the cluster has ended
            self._call(kill)

    # -------------------------------------------------------------------------------------------------------- nodes

    def _node_with_room(self) -> Node | None:
        """The node with the most free places, of equals the first."""
        used, now = Counter(member.node.id for member in self.members), clock.seconds()
        awake = [node for node in self._nodes if self._rests.get(node.id, now) <= now]
        free = {node.id: node.places(self._threads) - used[node.id] for node in awake}
        best = max(awake, key=lambda node: free[node.id], default=None)
        return best if best is not None and free[best.id] > 0 else None

    def _look(self) -> None:
        """See which nodes are there. Raises FortydaysError: there is none left."""
        if self._looked is not None and clock.seconds() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        living = {node.id: node for node in self._call(alive, self._ray)}
        self._nodes = [node for node in self._nodes if node.id in living]
        self._failures = [node for node in self._failures if node in living]  # the others say nothing of workers
        new = [node for node in living.values() if node.id not in self._seen]
        if new := new[: max(0, MOST_NODES - len(self._nodes))]:
            self._join(new)
        if not any(node.places(self._threads) for node in self._nodes):
            raise FortydaysError(f"The cluster has lost all nodes that had room for a {self._what}.", hint=AGAIN)
        self._looked = clock.seconds()

    def _join(self, new: Sequence[Node]) -> None:
        """Use nodes that have joined, where they fit."""
        numbered = [dataclasses.replace(node, number=number) for number, node in enumerate(new, len(self._seen) + 1)]
        self._seen |= {node.id for node in numbered}
        try:
            found = self._examine(numbered)
        except FortydaysError as error:  # such as a dataset that one of them has no room for
            said = ", ".join(f"node {node.number} ({node.address})" for node in numbered)
            self._progress.warn(f"What has joined the cluster is not used, {said}: {error.message}")
            return
        for node in found:
            if node.problems:
                problems = ", ".join(node.problems)
                self._progress.warn(f"Node {node.number} ({node.address}) has joined and is not used: {problems}.")
            else:
                self._progress.say(
                    f"Node {node.number} ({node.address}) has joined, with room for "
                    f"{counted(node.places(self._threads), self._what)}."
                )
                self._nodes.append(node)

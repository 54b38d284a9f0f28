"""What nodes a cluster has, what is installed on them, and what does not fit: found before anything is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fortydays.base.errors import FortydaysError, in_words
from fortydays.base.machine import describe_machine
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import counted, printable
from fortydays.cluster.link import Link
from fortydays.cluster.place import Place

MOST_NODES = 1000
_MOST_DIFFERENCES = 4
"""Of packages that are named for a node."""

_SECONDS_TO_EXAMINE = 120.0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What trials on a machine depend on.

    Attributes:
        python: version.
        packages: versions of the packages that numbers can depend on, and of Ray.
        code: digest of this program.
        processor: kind of processor, see :func:`fortydays.study.executor.processor_kind`.
        has_data: whether the dataset that was asked for is in the cache there; True where none was.
    """

    python: str
    packages: Mapping[str, str]
    code: str
    processor: str
    has_data: bool = True


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node of a cluster.

    Attributes:
        id: Ray's name of it.
        number: in the order of their addresses, from 1; what it is called here.
        address: where it is.
        cpus: that Ray may hand out there.
        facts: what was found on it, or None where it could not be examined.
        problems: what does not fit, in words; empty where trials can be trained on it.
    """

    id: str
    number: int
    address: str
    cpus: int
    facts: Facts | None = None
    problems: tuple[str, ...] = field(default=())

    def places(self, threads: int) -> int:
        """How many trials of so many threads it has room for."""
        return self.cpus // threads


def facts_here(
    backend: str, *, dataset: str = "", settings: Settings | None = None, packages: Sequence[str] = ()
) -> Facts:
    """What trials on this machine depend on.

    Args:
        backend: that is computed on.
        dataset: its name, or "" for none.
        settings: of the driver, where this machine shares its workspace; None for this machine's own.
        packages: that matter besides those that trials depend on.
    """
    from fortydays.study.code import program_digest
    from fortydays.study.evidence import package_versions
    from fortydays.study.executor import processor_kind
    from fortydays.train import backends

    return Facts(
        python=describe_machine().python,
        packages=package_versions((*backends.backend(backend).PACKAGES, "onnxruntime", "ray", *packages)),
        code=program_digest(),
        processor=processor_kind(),
        has_data=not dataset or has_dataset(dataset, settings or read_settings()),
    )


def has_dataset(name: str, settings: Settings) -> bool:
    """Whether a dataset is in the cache, or in the workspace, or was sent, if it is of a reader's own."""
    from fortydays.data import library
    from fortydays.data.own import alone
    from fortydays.data.own import dataset as own

    try:
        return alone.has(name, settings) if own.is_own(name) else library.place(name, settings)[1]
    except FortydaysError:
        return False


def differences(here: Facts, there: Facts) -> tuple[str, ...]:
    """In what a node differs so that trials cannot be trained on it, in words; empty where in nothing.

    Another kind of processor is no difference: each trial names its machine.
    """
    found = []
    if there.python != here.python:
        found.append(f"Python is {there.python}, here {here.python}")
    names = sorted({*here.packages, *there.packages})
    other = [name for name in names if here.packages.get(name) != there.packages.get(name)]
    found += [
        f"{name} is {there.packages.get(name, 'not installed')}, here {here.packages.get(name, 'not installed')}"
        for name in other[:_MOST_DIFFERENCES]
    ]
    if len(other) > _MOST_DIFFERENCES:
        found.append(f"{len(other) - _MOST_DIFFERENCES} other packages differ")
    if there.code != here.code:
        found.append("its code of fortydays is not the code here")
    return tuple(found)


def examined(
    ray: Any,
    here: Facts,
    nodes: Sequence[Node] | None = None,
    *,
    backend: str,
    dataset: str,
    settings: Settings | None,
    packages: Sequence[str] = (),
) -> list[Node]:
    """Nodes, each examined by a process on it.

    Args:
        ray: the module, connected.
        here: facts of this machine, to compare with.
        nodes: to examine; None for all that are alive.
        backend: that is computed on.
        dataset: that is needed, or "".
        settings: of this machine, where the nodes share its workspace; else None.
        packages: that matter besides those that trials depend on.

    Raises:
        FortydaysError: there are more nodes than are used.
    """
    if nodes is None:
        nodes = alive(ray)
    if len(nodes) > MOST_NODES:
        raise FortydaysError(f"The cluster has {len(nodes):,} nodes; expected at most {MOST_NODES:,}.")
    examine = ray.remote(facts_here)
    asked = {}
    for node in nodes:
        options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": on_node(ray, node)}
        answer = examine.options(**options).remote(backend, dataset=dataset, settings=settings, packages=packages)
        asked[answer] = node
    ready = set(ray.wait(list(asked), num_returns=len(asked), timeout=_SECONDS_TO_EXAMINE)[0]) if asked else set()
    return [_found(ray, node, here, answer if answer in ready else None) for answer, node in asked.items()]


def _found(ray: Any, node: Node, here: Facts, answer: Any) -> Node:
    if answer is None:
        problems: tuple[str, ...] = (f"it has not answered within {_SECONDS_TO_EXAMINE:.0f} seconds",)
        return _with(node, None, problems)
    try:
        facts: Facts = ray.get(answer)
    except Exception as error:  # whatever is wrong there, it is what is wrong with the node
        said = in_words(getattr(error, "cause", None) or error).strip().splitlines() or ["unknown"]
        return _with(node, None, (f"this program does not start there: {printable(said[-1])[:300]}",))
    return _with(node, facts, differences(here, facts))


def _with(node: Node, facts: Facts | None, problems: tuple[str, ...]) -> Node:
    return Node(id=node.id, number=node.number, address=node.address, cpus=node.cpus, facts=facts, problems=problems)


def alive(ray: Any) -> list[Node]:
    """The nodes that are alive, in the order of their addresses."""
    living = [each for each in ray.nodes() if each["Alive"]]
    living.sort(key=lambda each: (each["NodeManagerAddress"], each["NodeID"]))
    return [
        Node(
            id=each["NodeID"],
            number=number,
            address=each["NodeManagerAddress"],
            cpus=int(each["Resources"].get("CPU", 0)),
        )
        for number, each in enumerate(living, 1)
    ]


def on_node(ray: Any, node: Node) -> Any:
    """What makes Ray start something on a node, and nowhere else."""
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id=node.id, soft=False)


class Examiner:
    """Examines the nodes of a cluster for one command.

    Args:
        link: to the cluster.
        place: the cluster.
        settings: of this machine.
        progress: told of the nodes.
        backend: that is computed on.
        threads: of each worker.
        dataset: that is needed, or "". It need not be there yet.
        packages: that matter besides those that trials depend on.
        what: each piece of the work is called.
    """

    def __init__(
        self,
        link: Link,
        place: Place,
        settings: Settings,
        progress: Progress,
        *,
        backend: str,
        threads: int,
        dataset: str = "",
        packages: Sequence[str] = (),
        what: str = "trial",
    ) -> None:
        self._link, self._place, self._progress = link, place, progress
        self._threads, self._what = threads, what
        self._here = facts_here(backend, dataset=dataset, settings=settings, packages=packages)
        self._asked = {
            "backend": backend,
            "dataset": dataset,
            "settings": settings if place.workers else None,
            "packages": packages,
        }

    def first(self) -> list[Node]:
        """The nodes of the cluster, after it was seen that all fit. Another kind of processor is told.

        Raises:
            FortydaysError: as :func:`check_nodes`.
        """
        nodes = self.joined(None)
        check_nodes(nodes, threads=self._threads, what=self._what)
        if any(node.facts and node.facts.processor != self._here.processor for node in nodes):
            self._progress.warn(
                "Some nodes have another kind of processor than this machine: "
                f"their {self._what}s may have other bits."
            )
        if not self._place.workers:
            room = sum(node.places(self._threads) for node in nodes)
            self._progress.say(f"{counted(len(nodes), 'node')}, room for {counted(room, self._what)} at once")
        return nodes

    def joined(self, nodes: Sequence[Node] | None) -> list[Node]:
        """Nodes with what was found on them, and what does not fit; None for all that are alive."""
        found: list[Node] = self._link.call(examined, self._link.ray, self._here, nodes, **self._asked)
        return found


def check_nodes(nodes: Sequence[Node], *, threads: int, what: str = "trial") -> None:
    """Make sure that trials, or what the work's pieces are called, are the same on every node, and that one has room.

    Raises:
        FortydaysError: a node does not fit, or none has enough CPUs. The message names the nodes.
    """
    wrong = [node for node in nodes if node.problems]
    if wrong:
        told = "; ".join(f"node {node.number} ({node.address}): {', '.join(node.problems)}" for node in wrong[:5])
        more = f"; and {len(wrong) - 5} more nodes" if len(wrong) > 5 else ""
        raise FortydaysError(
            f"{what.capitalize()}s would not be the same on all nodes. {told[:1].upper()}{told[1:]}{more}.",
            hint="Install the same there as here (locks/run.txt and locks/ray.txt), or take these nodes out.",
        )
    if said := lack_of_room(nodes, threads=threads, what=what):
        raise FortydaysError(said, hint="Set FORTYDAYS_THREADS to fewer; another number of threads gives other bits.")


def lack_of_room(nodes: Sequence[Node], *, threads: int, what: str = "trial") -> str:
    """That no node has room for a trial, or what the work's pieces are called, in words; "" where one has."""
    if any(node.places(threads) for node in nodes):
        return ""
    most = max((node.cpus for node in nodes), default=0)
    return f"No node has the {counted(threads, 'CPU')} that a {what} takes, one for each thread; the most is {most}."

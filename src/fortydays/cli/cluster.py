"""``--on``: trials on a cluster; ``forty cluster``: what nodes there are, and what does not fit."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import ExitCode
from fortydays.base.settings import Settings, read_settings
from fortydays.cli import streams
from fortydays.cli.progress import working
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.base.progress import Progress
    from fortydays.cluster.nodes import Node
    from fortydays.cluster.place import Place
    from fortydays.study.executor import Executor

On = Annotated[
    str | None,
    typer.Option(
        "--on", metavar="PLACE", help="Train on a cluster: local:N, HOST:PORT or ray://HOST:PORT (make setup-ray)."
    ),
]
"""The option of commands that can train on a cluster."""


def checked_place(on: str | None, settings: Settings) -> "Place | None":
    """The place that ``--on`` names, after it was seen that it can be used; None without the option.

    Raises as :func:`fortydays.cluster.connection.check_place`.
    """
    if on is None:
        return None
    from fortydays.cluster.connection import check_place
    from fortydays.cluster.place import parse_place

    place = parse_place(on)
    check_place(place, settings)
    return place


def executor_on(place: "Place | None", settings: Settings, progress: "Progress") -> "Executor | None":
    """What trains at a place; None for this process."""
    if place is None:
        return None
    from fortydays.cluster.executor import RayExecutor

    return RayExecutor(place=place, settings=settings, progress=progress)


def cluster(
    on: Annotated[
        str, typer.Option("--on", metavar="PLACE", help="The cluster: local:N, HOST:PORT or ray://HOST:PORT.")
    ],
    as_json: AsJson = False,
) -> int:
    """Show the nodes of a cluster: versions, room for trials, and what does not fit.

    Exit code 3 where trials cannot be trained on all of them, or none has room for one.
    """
    settings = read_settings()
    place = checked_place(on, settings)
    assert place is not None
    from fortydays.cluster.connection import connected, variables_of_workers
    from fortydays.cluster.nodes import examined, facts_here, lack_of_room
    from fortydays.train import backends
    from fortydays.train.framework import numerical_switches

    backend, threads = backends.wanted(), settings.threads
    with (
        working("Stopped.") as progress,
        connected(
            place, settings, progress, variables=variables_of_workers(numerical_switches(), backend=backend)
        ) as link,
    ):
        progress.say("Looking at the nodes")
        nodes = link.call(
            examined,
            link.ray,
            facts_here(backend),
            backend=backend,
            dataset="",
            settings=settings if place.workers else None,
        )
    lacking = lack_of_room(nodes, threads=threads)
    if as_json:
        told = [_as_json(n, threads) for n in nodes]
        streams.print_json({"place": str(place), "threads": threads, "problem": lacking, "nodes": told})
    else:
        _print(nodes, threads)
        if lacking:
            streams.console().print(lacking)
    return int(ExitCode.NOT_MET if lacking or any(node.problems for node in nodes) else ExitCode.DONE)


def _as_json(node: "Node", threads: int) -> dict[str, Any]:
    facts = node.facts
    return {
        "node": node.number,
        "address": node.address,
        "cpus": node.cpus,
        "trials": node.places(threads),
        "processor": facts.processor if facts else None,
        "python": facts.python if facts else None,
        "packages": dict(facts.packages) if facts else None,
        "problems": list(node.problems),
    }


def _print(nodes: "list[Node]", threads: int) -> None:
    from rich.table import Column
    from rich.text import Text

    from fortydays.report.tables import Table, number

    table = Table(
        number("node"),
        "address",
        number("CPUs"),
        number("trials at once"),
        "Python",
        Column("what does not fit", overflow="fold"),
    )
    for node in nodes:
        said = Text("\n".join(node.problems), "yellow") if node.problems else Text("nothing", "green")
        python = node.facts.python if node.facts else "unknown"
        table.add_row(str(node.number), node.address, str(node.cpus), str(node.places(threads)), python, said)
    streams.console().print(table)
    versions = {tuple(node.facts.packages.items()) for node in nodes if node.facts}
    if len(versions) == 1:
        streams.console().print(", ".join(f"{name} {version}" for name, version in versions.pop()))

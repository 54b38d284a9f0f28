"""Where trials are trained besides this process: what ``--on`` names."""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.settings import Settings, available_cores
from fortydays.base.text import counted, shown

MOST_WORKERS = 64
"""Of this machine, that can be asked for."""

FORMS = "local:N, HOST:PORT or ray://HOST:PORT"
"""What ``--on`` takes."""

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cluster of one's own on this machine, with so many workers, or the address of one that runs.

    Attributes:
        workers: of this machine; 0 for a cluster that runs.
        address: ``HOST:PORT`` of a cluster that runs, or "".
        client: whether that is the port of the Ray Client: for whoever is no node of the cluster.
    """

    workers: int = 0
    address: str = ""
    client: bool = False

    def __str__(self) -> str:
        return f"local:{self.workers}" if self.workers else f"{'ray://' if self.client else ''}{self.address}"


def parse_place(text: str) -> Place:
    """The place that a text names.

    Raises:
        UsageError: it names none.
    """
    kind, _, rest = text.partition(":")
    if kind == "local":
        if not rest.isdecimal() or len(rest) > 4 or not 1 <= int(rest) <= MOST_WORKERS:
            raise UsageError(
                f"--on is {shown(text)}; expected local:N, with N workers on this machine, from 1 to {MOST_WORKERS}.",
                hint="For example: --on local:2",
            )
        return Place(workers=int(rest))
    client = text.startswith("ray://")
    host, _, port = text.removeprefix("ray://").rpartition(":")
    if not _HOST.fullmatch(host) or not port.isdecimal() or len(port) > 5 or not 1 <= int(port) <= 65535:
        raise UsageError(
            f"--on is {shown(text)}; expected {FORMS}.",
            hint="For example: --on local:2, or --on ray://192.0.2.7:10001",
        )
    return Place(address=f"{host}:{port}", client=client)


def require_ray() -> None:
    """Make sure that Ray is installed, without loading it.

    Raises:
        FortydaysError: it is not; the hint is the one command that installs it.
    """
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("grpc") is None:
        in_checkout = (Path(__file__).parents[3] / "locks" / "ray.txt").is_file()
        command = "make setup-ray" if in_checkout else "pip install 'fortydays[ray]'"
        raise FortydaysError("--on needs Ray, which is not installed.", hint=f"Install it: {command}")


def check_room(place: Place, settings: Settings) -> None:
    """Make sure that the workers of this machine have a core for each of their threads.

    Raises:
        UsageError: there are fewer cores.
    """
    cores, threads = available_cores(), settings.threads
    if place.workers * threads > cores:
        fitting = cores // threads
        either = f"--on local:{fitting}, or " if fitting else ""
        raise UsageError(
            f"{place} is {counted(place.workers, 'worker')} with {counted(threads, 'thread')} each, but this machine "
            f"has {counted(cores, 'core')}.",
            hint=f"Take {either}fewer threads: FORTYDAYS_THREADS={max(1, cores // place.workers)}. Another number of "
            "threads gives other bits.",
        )

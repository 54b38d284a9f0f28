"""Real clusters on this machine, of nodes that ``ray start`` starts: for tests, and for drills in bench/."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from fortydays.cluster.connection import cluster_folder, python_for_ray

TOKEN = "0123456789abcdef" * 4

OF_RAY = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": TOKEN,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "no_grpc_proxy": "127.0.0.1,localhost",
}
"""Environment of a cluster, and of the commands that use it."""

SECONDS = 300.0
"""That a node may take to start."""


@contextlib.contextmanager
def cluster(*cpus: int) -> Iterator["Cluster"]:
    """A real cluster on the loopback with a token: a node with so many CPUs each, the first one the head.

    Each node has a workspace of its own, which is empty.
    """
    found = Cluster(folder=cluster_folder(), client_port=free_port())
    try:
        found.add(cpus[0])
        written = found.folder / "node1" / "ray_current_cluster"
        until = time.monotonic() + SECONDS
        while not (written.exists() and (address := written.read_text().strip())):
            if found.nodes[0].poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"Ray does not start: {(found.folder / 'node1.txt').read_text()[-2000:]}")
            time.sleep(0.2)
        found.address = address
        for each in cpus[1:]:
            found.add(each)
        yield found
    finally:
        for node in found.nodes:
            end_all(node)
        shutil.rmtree(found.folder, ignore_errors=True)


@dataclass(kw_only=True)
class Cluster:
    """A cluster of this machine.

    Attributes:
        folder: of its files.
        client_port: at which the head takes clients.
        nodes: the processes that hold its nodes, the head first.
        address: of the head.
        started: how many nodes were started.
    """

    folder: Path
    client_port: int
    nodes: list[subprocess.Popen[Any]] = field(default_factory=list)
    address: str = ""
    started: int = 0

    @property
    def client(self) -> str:
        """The address for clients."""
        return f"ray://127.0.0.1:{self.client_port}"

    @property
    def host(self) -> str:
        """Where its nodes are. Where a machine has an address of its own, Ray takes that for 127.0.0.1."""
        return self.address.rpartition(":")[0]

    def add(self, cpus: int) -> None:
        """Start one more node, in a folder of its own."""
        self.started += 1
        name = f"node{self.started}"
        (self.folder / name).mkdir()
        role = (
            (f"--address={self.address}",)
            if self.address
            else ("--head", "--port=0", f"--ray-client-server-port={self.client_port}", "--include-dashboard=false")
        )
        command = [
            python_for_ray(self.folder / name), "-P", "-m", "ray.scripts.scripts", "start", "--block", *role,
            "--node-ip-address=127.0.0.1", f"--num-cpus={cpus}", "--num-gpus=0", "--object-store-memory=268435456",
            "--min-worker-port=0", "--max-worker-port=0", "--include-log-monitor=false", "--disable-usage-stats",
            f"--temp-dir={self.folder / name}",
        ]  # fmt: skip
        of_its_own = {"FORTYDAYS_HOME": str(self.folder / f"home of {name}"), "FORTYDAYS_OFFLINE": "1"}
        with (self.folder / f"{name}.txt").open("w") as log:
            self.nodes.append(
                subprocess.Popen(
                    command,
                    env={**os.environ, **OF_RAY, **of_its_own},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def end_newest(self) -> None:
        """Kill the node that was started last, with all workers on it."""
        end_all(self.nodes.pop())

    def workers(self, name: str) -> list[psutil.Process]:
        """The processes of a kind of worker on all nodes, the oldest first."""
        found = [each for node in self.nodes for each in processes_named(name, node.pid)]
        return sorted(found, key=lambda each: each.create_time())


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def end_all(process: subprocess.Popen[Any]) -> None:
    """Kill a process and all that it has started."""
    below = []
    with contextlib.suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    for each in below:
        with contextlib.suppress(psutil.Error):
            each.kill()


def processes_named(name: str, root: int) -> list[psutil.Process]:
    """The processes below another one that have a name in their command line, the oldest first."""
    found = []
    with contextlib.suppress(psutil.Error):
        for each in psutil.Process(root).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if name in " ".join(each.cmdline()):
                    found.append((each.create_time(), each))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]

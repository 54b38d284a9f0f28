"""What plays Ray in tests that start no process: its errors, and how it says on which node something is to start."""

from types import SimpleNamespace
from typing import Any


class DiedError(Exception):
    """A worker has died."""


class FailedError(Exception):
    """What else Ray raises."""


EXCEPTIONS = SimpleNamespace(
    RayActorError=DiedError,
    WorkerCrashedError=DiedError,
    NodeDiedError=DiedError,
    ActorUnschedulableError=DiedError,
    ObjectLostError=DiedError,
    OutOfMemoryError=MemoryError,
    RayError=FailedError,
)


def on_node(node_id: str, soft: bool) -> tuple[str, bool]:
    """Where something is to start, and whether it may start elsewhere."""
    return node_id, soft


UTIL: Any = SimpleNamespace(scheduling_strategies=SimpleNamespace(NodeAffinitySchedulingStrategy=on_node))

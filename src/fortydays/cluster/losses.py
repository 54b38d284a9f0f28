"""What a cluster loses while it works: workers, nodes, its head; how Ray tells that, and how often one tries again."""

from collections.abc import Callable
from typing import Any

from fortydays.cluster.place import Place
from fortydays.cluster.reach import is_gone

MOST_ATTEMPTS = 3
"""Workers that may die of one piece of work."""

AGAIN = "What is done is kept. When the cluster is there again, give the same command again."

TOO_LITTLE_MEMORY = "There may be too little memory for so many at once."


def deaths(ray: Any) -> tuple[type[Exception], ...]:
    """What Ray raises where a worker has died, or what it was to give has gone with its node."""
    found = ray.exceptions
    return found.RayActorError, found.WorkerCrashedError, found.ObjectLostError, found.OutOfMemoryError


def is_of_memory(ray: Any, error: Exception) -> bool:
    """Whether a worker has died because memory was short."""
    return isinstance(error, ray.exceptions.OutOfMemoryError) or "memory" in str(error).lower()


def head_watch(ray: Any, place: Place) -> Callable[[], bool]:
    """Tells whether the head node of a connected cluster has ended. The Ray Client tells that by itself."""
    if place.client:
        return lambda: False
    address = str(ray.get_runtime_context().gcs_address)
    return lambda: is_gone(address)

"""What a cluster loses while it works: workers, nodes, its head; how Ray tells that, and how often one tries again."""

from typing import Any

from fortydays.cluster.link import LostClusterError
from fortydays.cluster.place import Place

MOST_ATTEMPTS = 3
"""Workers that may die of one piece of work."""

AGAIN = "What is done is kept. When the cluster is there again, give the same command again."

TOO_LITTLE_MEMORY = "There may be too little memory for so many at once."


def deaths(ray: Any) -> tuple[type[Exception], ...]:
    """What Ray raises where a worker has died, or what it was to give has gone with its node."""
    found = ray.exceptions
    return (
        found.RayActorError,
        found.WorkerCrashedError,
        found.NodeDiedError,
        found.ActorUnschedulableError,  # its node has gone before it began
        found.ObjectLostError,
        found.OutOfMemoryError,
    )


def is_of_memory(ray: Any, error: Exception) -> bool:
    """Whether a worker has died because memory was short."""
    return isinstance(error, ray.exceptions.OutOfMemoryError) or "memory" in str(error).lower()


def lost_cluster(place: Place) -> LostClusterError:
    """The error that a cluster is gone."""
    if place.workers:
        return LostClusterError(
            "The cluster on this machine has ended by itself.",
            hint="What is done is kept. Give the same command again to go on; if this happens again, take fewer "
            "workers, or leave out --on.",
        )
    return LostClusterError(f"The cluster {place} does not answer any more.", hint=AGAIN)

"""Asking MLflow's registry of models."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from fortydays.base.errors import FortydaysError
from fortydays.track.store import Store, refused_as, using_mlflow

EXISTS, MISSING = "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"
"""MLflow's words for what it refuses to make or has not got, see :func:`fortydays.track.store.refused_as`."""


def asking(store: Store) -> AbstractContextManager[None]:
    """Turn what MLflow raises inside the block into :class:`fortydays.base.errors.TrackingError`."""
    return using_mlflow(store.destination, hint="See what there is with: forty models")


def found(store: Store, ask: Callable[..., Any], *arguments: str) -> Any:
    """What MLflow answers, or None where it has no such thing."""
    try:
        with asking(store):
            return ask(*arguments)
    except FortydaysError as error:
        if refused_as(error, MISSING):
            return None
        raise

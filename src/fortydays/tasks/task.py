"""The interface of all tasks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """What a network is to find out of an example.

    Attributes:
        KIND: its name in documents.
        LOSSES: the losses that a recipe can name for it.
    """

    KIND: ClassVar[str]
    LOSSES: ClassVar[tuple[str, ...]]

    @abstractmethod
    def check_model(self, output_shape: tuple[int | None, ...]) -> None:
        """Raise UsageError where a model's output has another shape than this task needs."""

    @abstractmethod
    def check_outputs(self, outputs: NDArray[Any]) -> None:
        """Raise UsageError where a model's outputs are none for this task.

        Args:
            outputs: of a model that is not trained yet, shape (n, ...).
        """

    def right(self, outputs: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.bool_] | None:  # noqa: ARG002
        """Which examples are answered rightly, shape (n,), or None where an answer is not right or wrong."""
        return None

    @abstractmethod
    def measure(self, outputs: NDArray[Any], labels: NDArray[Any]) -> Mapping[str, float]:
        """How good outputs are, by the names of the metrics that the task has besides the loss.

        Args:
            outputs: shape (n, ...).
            labels: shape (n, ...).
        """

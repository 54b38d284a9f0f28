"""The interface of all tasks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from fortydays.tasks.metric import Metric


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """What a network is to find out of an example.

    Attributes:
        KIND: its name in documents.
        OUTPUT: what the network gives, as the ONNX file and the inference protocol name it.
        LOSSES: the losses that a recipe can name for it.
        METRICS: besides the loss; the first one decides which trial is best.
    """

    KIND: ClassVar[str]
    OUTPUT: ClassVar[str]
    LOSSES: ClassVar[tuple[str, ...]]
    METRICS: ClassVar[tuple[Metric, ...]]

    @abstractmethod
    def check_model(self, output_shape: tuple[int | None, ...]) -> None:
        """Raise UsageError where a model's output has another shape than this task needs."""

    @abstractmethod
    def check_outputs(self, outputs: NDArray[Any]) -> None:
        """Raise UsageError where a model's outputs are none for this task.

        Args:
            outputs: of a model that is not trained yet, shape (n, ...).
        """

    @abstractmethod
    def measure(self, outputs: NDArray[Any], labels: NDArray[Any]) -> Mapping[str, float]:
        """By the names of :attr:`METRICS`, how good outputs are.

        Args:
            outputs: shape (n, ...).
            labels: shape (n, ...).
        """

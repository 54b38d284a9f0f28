"""Classification: which one of some classes an example is of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError
from fortydays.tasks.metric import ACCURACY
from fortydays.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Classification(Task):
    """Labels are numbers of classes; a network gives a probability for each class.

    Attributes:
        classes: how many.
    """

    KIND: ClassVar[str] = "classification"
    LOSSES: ClassVar[tuple[str, ...]] = ("crossentropy", "mean_squared_error")

    classes: int

    def check_model(self, output_shape: tuple[int | None, ...]) -> None:
        """A probability for each class."""
        if len(output_shape) != 2 or output_shape[-1] != self.classes:
            raise UsageError(
                f"The model's output has shape {output_shape}; expected (None, {self.classes}), "
                f"one probability for each of the dataset's {self.classes} classes."
            )

    def check_outputs(self, outputs: NDArray[Any]) -> None:
        """None below zero, and those of one example add up to one."""
        sums = outputs.sum(axis=1, dtype=np.float64)
        # bfloat16 keeps two to three digits; an activation that is missing is off by far more.
        if outputs.min() < 0 or np.abs(sums - 1).max() > 0.05:
            raise UsageError(
                f"The model's answers are not probabilities: those of one example add up to {sums[0]:.3g}.",
                hint='End the model with layers.Dense(classes, activation="softmax").',
            )

    def right(self, outputs: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.bool_]:
        """Of which examples the most probable class is theirs."""
        return np.asarray(outputs.argmax(axis=1) == labels)

    def measure(self, outputs: NDArray[Any], labels: NDArray[Any]) -> Mapping[str, float]:
        """The share of examples that are answered rightly."""
        return {ACCURACY.name: float(np.mean(self.right(outputs, labels)))}

"""What a dataset is to the rest of the program: labelled examples in three splits.

The engine is given :class:`TrainingData`, which has no way to the test examples. Those are behind
:class:`SealedSplit`, which the study opens for each trial after its training, and for the day's pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.inputs.input import Arrays, Input
from fortydays.tasks.classification import Classification


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Labelled examples.

    Attributes:
        inputs: the arrays of the dataset's :class:`~fortydays.inputs.input.Input`, each of shape (n, ...).
        labels: uint8, shape (n,), the index of each example's class.
    """

    inputs: Arrays
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return int(self.labels.shape[0])

    @property
    def array(self) -> NDArray[Any]:
        """The only array, of an input that has one: images or numbers. Raises ValueError where there are more."""
        (array,) = self.inputs.values()
        return array

    def rows(self, which: Any) -> "Split":
        """The examples of a slice as a part of the same memory map, or those at an array of places, in memory."""
        inputs = {name: array[which] for name, array in self.inputs.items()}
        return Split(inputs=inputs, labels=np.asarray(self.labels)[which])


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """All that training and model choice may see: gradients are of ``train``, decisions of ``validation``."""

    input: Input
    task: Classification
    train: Split
    validation: Split


class SealedSplit:
    """Examples that are read only when :meth:`open` is called."""

    def __init__(self, read: Callable[[], Split]) -> None:
        self._read = read

    def open(self) -> Split:
        """Read the examples. A study does this for a trial when its training is over."""
        return self._read()


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A named, versioned, digest-checked collection of labelled images.

    Attributes:
        digest: SHA-256 of the decoded arrays, in hexadecimal; the same from every source.
        split_version: number of the rule that made the splits.
        classes: the classes' names; position is label.
    """

    name: str
    digest: str
    split_version: int
    classes: tuple[str, ...]
    training: TrainingData
    test: SealedSplit

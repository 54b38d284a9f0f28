"""What a dataset is to the rest of the program: labelled examples in three splits.

The engine is given :class:`TrainingData`, which has no way to the test examples. Those are behind
:class:`SealedSplit`, which the study opens for each trial after its training, and for the day's pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Labelled examples: images, or features that another network made of them.

    Attributes:
        images: uint8, shape (n, height, width) or (n, height, width, channels): pixels, which a network gets as
            numbers from 0 to 1. Or float32 of any shape (n, ...), such as (n, 20) for the rows of a table: features,
            numbers taken as they are; of the augmentations only mixup is for them.
        labels: uint8, shape (n,), the index of each example's class.
    """

    images: NDArray[Any]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return int(self.labels.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """All that training and model choice may see.

    Attributes:
        train: what gradients are computed on.
        validation: what stopping, schedules and model choice look at.
        num_classes: how many classes the labels name.
    """

    train: Split
    validation: Split
    num_classes: int


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
        name: the catalog's name, such as "mnist".
        digest: SHA-256 of the decoded arrays, in hexadecimal; the same from every source.
        split_version: number of the rule that made the splits.
        classes: the classes' names; position is label.
        training: the train and validation splits.
        test: the test split, sealed.
    """

    name: str
    digest: str
    split_version: int
    classes: tuple[str, ...]
    training: TrainingData
    test: SealedSplit

"""Splits of made-up examples, for tests of all rooms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.data.arrays import Split, TrainingData
from fortydays.inputs.images import Images
from fortydays.inputs.input import Input
from fortydays.inputs.numbers import Numbers
from fortydays.tasks.classification import Classification


def input_of(array: NDArray[Any]) -> Input:
    """Images where the examples are uint8, else numbers."""
    kind = Images if array.dtype == np.uint8 else Numbers
    return kind(shape=tuple(array.shape[1:]))


def split_of(array: NDArray[Any], labels: NDArray[Any]) -> Split:
    """Labelled images (uint8) or numbers (float32)."""
    return Split(inputs=input_of(array).named(array), labels=labels)


def data_of(train: Split, validation: Split, *, classes: int) -> TrainingData:
    """Two splits of images or numbers as what training may see."""
    return TrainingData(
        input=input_of(train.array), task=Classification(classes=classes), train=train, validation=validation
    )

"""A try: a study carried out on few examples, to see in seconds that it works. It gives no verdicts."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError
from fortydays.data.arrays import Dataset, Reading, SealedSplit, Split
from fortydays.data.splits import apportion
from fortydays.study.features import rows_of_split

MOST_EXAMPLES = 1_000_000
"""More than any dataset has is no try."""

_TRY = 4  # keeps these random numbers apart from those of the order, of augmentation and of subsets


def with_at_most(dataset: Dataset, examples: int | None) -> Dataset:
    """The dataset with at most so many examples in each split; the very dataset where that is None.

    Which ones they are is drawn, always alike. Each class has its share of them, and one example at least. The test
    split stays sealed. Name and digest stay those of the whole dataset.

    Raises:
        UsageError: there are fewer than classes.
    """
    if examples is None:
        return dataset
    if examples < len(dataset.classes):
        raise UsageError(
            f"--examples is {examples}, but {dataset.name!r} has {len(dataset.classes)} classes; "
            "expected one example of each at least.",
            hint=f"Take --examples {max(100, 10 * len(dataset.classes))}",
        )

    def few(split: Split) -> Split:
        return rows_of_split(split, _drawn(np.asarray(split.labels), examples))

    def read(reading: Reading) -> Dataset:
        assert dataset.texts is not None
        return with_at_most(dataset.texts(reading), examples)

    training = dataset.training
    return dataclasses.replace(
        dataset,
        training=dataclasses.replace(training, train=few(training.train), validation=few(training.validation)),
        test=SealedSplit(lambda: few(dataset.test.open())),
        texts=None if dataset.texts is None else read,
    )


def _drawn(labels: NDArray[np.uint8], examples: int) -> NDArray[np.intp]:
    """The places of the examples that a try has of a split, ascending."""
    if len(labels) <= examples:
        return np.arange(len(labels))
    counts = np.bincount(labels).astype(np.int64)
    present = (counts > 0).astype(np.int64)
    seats = present + apportion(counts - present, examples - int(present.sum()))
    order = np.random.default_rng([0, 0, _TRY]).permutation(len(labels))
    drawn = [order[labels[order] == label][:seat] for label, seat in enumerate(seats)]
    return np.sort(np.concatenate(drawn))

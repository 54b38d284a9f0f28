"""The fixed, stratified train / validation / test splits.

A split is a pure function of the labels, the dataset's digest and the number of the rule, so it is the same on
every machine and for every version of NumPy. Random generators do not promise that (NumPy lets the streams of
``Generator`` change between versions), so examples are put in order by a hash of (digest, rule, position) instead:
each example gets its own key, and within a class the smallest keys are held out.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class SplitSizes:
    """How many examples each split has."""

    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        """How many examples there are in all."""
        return self.train + self.validation + self.test


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitIndices:
    """Which examples each split has: positions in the published order, int64, ascending."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split_indices(
    labels: NDArray[np.uint8], *, digest: str, split_version: int, sizes: SplitSizes, official_test: int
) -> SplitIndices:
    """Split a dataset once and for all.

    The test split is the official one where the dataset has one (its last examples); else it is drawn from all
    examples. The validation split is drawn from the rest, and the training split is what remains. Each drawing is
    stratified: a class has its share of the drawn examples, rounded down or up (:func:`apportion`).

    Args:
        labels: uint8, shape (n,), in published order.
        digest: the dataset's digest.
        split_version: number of the rule; another number gives another split.
        sizes: examples in each split; their sum is n.
        official_test: how many of the last examples are the official test split; 0 if there is none.

    Raises:
        ValueError: the sizes do not fit the labels.
    """
    if sizes.total != len(labels) or official_test not in (0, sizes.test):
        raise ValueError(f"{sizes} with {official_test} official test examples does not fit {len(labels)} labels")
    pool = np.arange(len(labels), dtype=np.int64)
    if official_test:
        pool, test = pool[:-official_test], pool[-official_test:]
    keys = _keys(pool, digest=digest, split_version=split_version)
    if not official_test:
        test = _draw(pool, labels, keys, sizes.test)
        pool = np.setdiff1d(pool, test, assume_unique=True)
    validation = _draw(pool, labels, keys, sizes.validation)
    train = np.setdiff1d(pool, validation, assume_unique=True)
    return SplitIndices(train=train, validation=validation, test=test)


def apportion(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Share ``size`` seats among classes in proportion to ``counts``, by largest remainders (Hamilton's method).

    Whole numbers only, so that no rounding of floating point decides. Of equal remainders the first class wins.

    Args:
        counts: int64, shape (classes,), examples of each class, not all zero.
        size: how many to share out, at most the sum of the counts.

    Returns:
        int64, shape (classes,): each within 1 of the exact share, none above its count, ``size`` in all.
    """
    total = int(counts.sum())
    if not 0 <= size <= total or total == 0:
        raise ValueError(f"cannot share {size} among {total} examples")
    seats, remainders = np.divmod(counts * size, total)
    by_remainder = np.argsort(-remainders, kind="stable")
    seats[by_remainder[: size - int(seats.sum())]] += 1
    return seats


def _draw(
    pool: NDArray[np.int64], labels: NDArray[np.uint8], keys: NDArray[np.uint64], size: int
) -> NDArray[np.int64]:
    """The examples of the pool with the smallest keys of their class, as many as the class's share of ``size``."""
    seats = apportion(np.bincount(labels[pool]).astype(np.int64), size)
    drawn = []
    for label, seat in enumerate(seats):
        members = pool[labels[pool] == label]
        drawn.append(members[np.argsort(keys[members], kind="stable")][:seat])
    return np.sort(np.concatenate(drawn))


def _keys(pool: NDArray[np.int64], *, digest: str, split_version: int) -> NDArray[np.uint64]:
    """A 64-bit key for each example: BLAKE2b of "digest:rule:position"."""
    root = hashlib.blake2b(f"{digest}:{split_version}:".encode(), digest_size=8)
    content = bytearray()
    for position in pool:
        key = root.copy()
        key.update(b"%d" % position)
        content += key.digest()
    return np.frombuffer(bytes(content), ">u8").astype(np.uint64)

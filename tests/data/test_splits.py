import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fortydays.data.splits import SplitSizes, apportion, split_indices


@pytest.mark.parametrize(
    ("counts", "size", "expected"),
    [
        ([5, 5], 4, [2, 2]),
        ([6, 3, 1], 5, [3, 2, 0]),  # exact shares 3, 1.5, 0.5: of equal remainders the first class wins
        ([1, 1, 1], 2, [1, 1, 0]),
        ([7, 2], 3, [2, 1]),  # 2.33, 0.67
        ([0, 4], 4, [0, 4]),
        ([3, 0, 1], 0, [0, 0, 0]),
    ],
)
def test_seats_go_by_largest_remainder(counts: list[int], size: int, expected: list[int]) -> None:
    assert apportion(np.array(counts), size).tolist() == expected


@pytest.mark.parametrize(("counts", "size"), [([2, 1], 4), ([0, 0], 0), ([2], -1)])
def test_more_seats_than_examples_are_refused(counts: list[int], size: int) -> None:
    with pytest.raises(ValueError, match=f"cannot share {size} among {sum(counts)} examples"):
        apportion(np.array(counts), size)


@given(counts=st.lists(st.integers(0, 9_000), min_size=1, max_size=12), share=st.fractions(0, 1))
def test_every_class_is_within_one_of_its_exact_share(counts: list[int], share: float) -> None:
    total = sum(counts)
    size = int(total * share)
    if total == 0:
        return
    seats = apportion(np.array(counts), size).tolist()
    assert sum(seats) == size
    for seat, count in zip(seats, counts, strict=True):
        assert abs(seat - size * count / total) < 1
        assert 0 <= seat <= count


def test_the_smallest_keys_of_each_class_are_held_out() -> None:
    # Six training examples, two classes; two go to validation, so one of each class.
    labels = np.array([0, 1, 0, 1, 0, 1, 1, 0], np.uint8)
    split = split_indices(
        labels,
        digest="abc",
        split_version=1,
        sizes=SplitSizes(train=4, validation=2, test=2),
        official_test=2,
    )
    keys = [hashlib.blake2b(f"abc:1:{position}".encode(), digest_size=8).digest() for position in range(6)]
    smallest_of_class = [min((0, 2, 4), key=keys.__getitem__), min((1, 3, 5), key=keys.__getitem__)]
    assert split.validation.tolist() == sorted(smallest_of_class)
    assert split.train.tolist() == [position for position in range(6) if position not in smallest_of_class]
    assert split.test.tolist() == [6, 7]


def test_a_known_split_never_changes() -> None:
    # Written down once: these numbers must be the same on every machine and for every version of NumPy.
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1], np.uint8)
    split = split_indices(
        labels, digest="0" * 64, split_version=1, sizes=SplitSizes(train=5, validation=2, test=3), official_test=0
    )
    assert split.train.tolist() == [0, 3, 4, 5, 6]
    assert split.validation.tolist() == [1, 9]
    assert split.test.tolist() == [2, 7, 8]


def test_another_digest_or_rule_gives_another_split() -> None:
    labels = np.zeros(100, np.uint8)
    sizes = SplitSizes(train=50, validation=50, test=0)
    first, other_digest, other_rule = (
        split_indices(labels, digest=digest, split_version=version, sizes=sizes, official_test=0).train.tolist()
        for digest, version in (("a", 1), ("b", 1), ("a", 2))
    )
    assert first != other_digest
    assert first != other_rule


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit 4 labels"):
        split_indices(
            np.zeros(4, np.uint8),
            digest="a",
            split_version=1,
            sizes=SplitSizes(train=2, validation=1, test=2),
            official_test=0,
        )


@given(data=st.data(), labels=st.lists(st.integers(0, 4), min_size=3, max_size=80), official=st.booleans())
def test_splits_are_disjoint_complete_sorted_and_stratified(
    data: st.DataObject, labels: list[int], official: bool
) -> None:
    count = len(labels)
    test_size = data.draw(st.integers(1, count - 2))
    validation_size = data.draw(st.integers(1, count - test_size - 1))
    sizes = SplitSizes(train=count - test_size - validation_size, validation=validation_size, test=test_size)
    array = np.array(labels, np.uint8)
    split = split_indices(array, digest="d", split_version=1, sizes=sizes, official_test=test_size if official else 0)
    parts = (split.train, split.validation, split.test)
    assert [len(part) for part in parts] == [sizes.train, sizes.validation, sizes.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    for part in parts:
        assert part.tolist() == sorted(part.tolist())
    # Each drawing is within one of the class's share in the pool it was drawn from.
    development = np.concatenate([split.train, split.validation])
    drawings = [(split.validation, development), (split.train, development)]
    if not official:
        drawings.append((split.test, np.arange(count)))
    for part, pool in drawings:
        for label in range(5):
            exact = len(part) * np.count_nonzero(array[pool] == label) / len(pool)
            assert abs(np.count_nonzero(array[part] == label) - exact) < 1

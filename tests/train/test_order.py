"""The order of an epoch is derived from seed and epoch."""

import numpy as np
import pytest

from fortydays.train.order import batches_of_epoch


def order(seed: int = 0, epoch: int = 0, examples: int = 12, batch_size: int = 4) -> np.ndarray:
    return batches_of_epoch(seed=seed, epoch=epoch, examples=examples, batch_size=batch_size)


def test_every_example_is_in_exactly_one_batch() -> None:
    found = order()
    assert found.shape == (3, 4)
    assert found.dtype == np.int32
    assert sorted(found.ravel().tolist()) == list(range(12))


def test_what_does_not_fill_a_batch_is_left_out_of_the_epoch_and_not_always_the_same() -> None:
    left_out = []
    for epoch in range(20):
        found = order(epoch=epoch, examples=10).ravel().tolist()
        assert len(found) == len(set(found)) == 8
        left_out.append(tuple(sorted(set(range(10)) - set(found))))
    assert set().union(*left_out) == set(range(10))


def test_seeds_and_epochs_have_orders_of_their_own() -> None:
    orders = {order(seed=s, epoch=e, examples=100).tobytes() for s in range(5) for e in range(5)}
    assert len(orders) == 25


def test_equal_seed_and_epoch_give_the_same_order_whatever_was_drawn_before() -> None:
    first = order(seed=3, epoch=7)
    np.random.default_rng(0).random(10)
    np.random.seed(99)
    assert (order(seed=3, epoch=7) == first).all()


@pytest.mark.parametrize(("batch_size", "shape"), [(12, (1, 12)), (1, (12, 1)), (7, (1, 7))])
def test_the_number_of_batches_is_the_number_of_whole_ones(batch_size: int, shape: tuple[int, int]) -> None:
    assert order(batch_size=batch_size).shape == shape

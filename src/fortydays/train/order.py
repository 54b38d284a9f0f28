"""The order in which an epoch sees the training images, derived from the seed and the epoch and never stored."""

import numpy as np
from numpy.typing import NDArray


def batches_of_epoch(*, seed: int, epoch: int, examples: int, batch_size: int) -> NDArray[np.int32]:
    """Which example goes into which batch of an epoch.

    Deriving the order, instead of drawing it from a generator whose state must be saved, is what lets a killed
    run continue with the same bits.

    Args:
        seed: the trial's seed.
        epoch: counted from 0.
        examples: number of training examples.
        batch_size: examples in a batch.

    Returns:
        int32, shape (examples // batch_size, batch_size): indices without repetition.
    """
    steps = examples // batch_size
    order = np.random.default_rng([seed, epoch]).permutation(examples)
    return order[: steps * batch_size].astype(np.int32).reshape(steps, batch_size)


def evaluation_steps(before: int, steps: int, every: int | None) -> list[int]:
    """The steps of an epoch after which the validation split is evaluated; the last step always is one of them.

    Args:
        before: steps done in earlier epochs; ``every`` counts from the trial's start.
        steps: steps of the epoch.
        every: steps between two evaluations, or None.
    """
    inside = [] if every is None else [s for s in range(1, steps) if (before + s) % every == 0]
    return [*inside, steps]

"""Features that no network ever computed: round clouds, one for each class, around centres far or near."""

import numpy as np
from numpy.typing import NDArray


def clouds(
    each: int, *, classes: int, apart: float, channels: int = 64, seed: int = 0, draw: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """``each`` photographs of each class, class after class.

    The centres are ``apart`` away from the middle, the clouds are one wide in every channel. Another ``draw`` gives
    other photographs of the same classes.
    """
    centres = np.random.default_rng(seed).normal(size=(classes, channels)) * apart / np.sqrt(channels)
    labels = np.repeat(np.arange(classes), each)
    noise = np.random.default_rng([seed, draw]).normal(size=(len(labels), channels))
    return (centres[labels] + noise).astype(np.float32), labels

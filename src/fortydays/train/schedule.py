"""Learning-rate schedules as arrays: one rate for each step, computed before training starts.

Because the compiled epoch is handed the rates, a schedule is a pure function that can be tested by hand, and
trying another rate or schedule needs no new compilation.
"""

import numpy as np
from numpy.typing import NDArray

from fortydays.train.recipe import Recipe


def learning_rates(*, peak: float, schedule: str, warmup: float, total_steps: int) -> NDArray[np.float32]:
    """The learning rate of every step.

    With ``w = round(warmup * total_steps)``, step ``t < w`` has ``peak * (t + 1) / (w + 1)``; after that, with
    ``p = (t - w) / (total_steps - w)`` going from 0 to just below 1: "constant" stays at the peak, "linear" is
    ``peak * (1 - p)`` and "cosine" is ``peak * (1 + cos(pi p)) / 2`` (Loshchilov and Hutter, 2017, without
    restarts). No step has a rate of zero, so none is wasted.

    Args:
        peak: the highest rate.
        schedule: "constant", "linear" or "cosine".
        warmup: share of the steps to rise over, from 0 to below 1.
        total_steps: steps of the whole training.

    Returns:
        float32, shape (total_steps,).
    """
    warm = min(round(warmup * total_steps), total_steps - 1)
    step = np.arange(total_steps, dtype=np.float64)
    progress = np.clip((step - warm) / (total_steps - warm), 0.0, 1.0)
    if schedule == "constant":
        shape = np.ones(total_steps)
    elif schedule == "linear":
        shape = 1.0 - progress
    elif schedule == "cosine":
        shape = (1.0 + np.cos(np.pi * progress)) / 2.0
    else:
        raise ValueError(f"schedule is {schedule!r}; expected 'constant', 'linear' or 'cosine'")
    rising = (step + 1.0) / (warm + 1.0)
    return (peak * np.where(step < warm, rising, shape)).astype(np.float32)


def rates_of(recipe: Recipe, steps_per_epoch: int) -> NDArray[np.float32]:
    """The learning rate of every step of a trial, float32, shape (epochs * steps_per_epoch,)."""
    return learning_rates(
        peak=recipe.learning_rate,
        schedule=recipe.schedule,
        warmup=recipe.warmup,
        total_steps=recipe.epochs * steps_per_epoch,
    )

"""Early stopping as a pure state machine: fed with one number an epoch, it says which is best and when to end."""

import dataclasses
import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """Where early stopping stands (Prechelt, 1998, with the plain patience criterion).

    Attributes:
        patience: epochs without improvement after which training stops; None never stops.
        higher_is_better: True for an accuracy, False for a loss.
        best: the best value so far, or None before the first epoch.
        best_epoch: the epoch of the best value, counted from 1, or 0.
        waited: epochs since then.
    """

    patience: int | None
    higher_is_better: bool
    best: float | None = None
    best_epoch: int = 0
    waited: int = 0

    def after(self, epoch: int, value: float) -> "Stopping":
        """The state after an epoch (counted from 1) that ended with ``value``. A NaN never improves."""
        if not math.isnan(value) and (
            self.best is None or (value > self.best if self.higher_is_better else value < self.best)
        ):
            return dataclasses.replace(self, best=value, best_epoch=epoch, waited=0)
        return dataclasses.replace(self, waited=self.waited + 1)

    @property
    def should_stop(self) -> bool:
        """Whether the patience is used up."""
        return self.patience is not None and self.waited >= self.patience

"""Successive halving (Jamieson and Talwalkar, 2016), synchronous: who goes on is decided when all of a rung are known.

A batch of candidates is trained for a part of the epochs; the best third goes on to three times as many, and so on to
all. Each rung is a training of its own from the start, for fewer epochs: the learning rate's schedule comes to its end
in it, so what is compared is what such a training gives, and a try needs no state of another one. It costs at most
half again as much as going on from kept states would.
"""

from collections.abc import Sequence

REDUCTION = 3
"""Of so many candidates one goes on to the next rung, with so many times the epochs."""

MOST_RUNGS = 3


def divisors_of(*, width: int, epochs: int, halving: bool) -> tuple[int, ...]:
    """By what the epochs of a candidate are divided in each rung of a batch; the last one is 1.

    Args:
        width: candidates in a batch.
        epochs: the most that any candidate may have.
        halving: False trains every candidate to its end.
    """
    rungs = 1
    while (
        halving
        and rungs < MOST_RUNGS
        and REDUCTION**rungs <= epochs
        and going_on(width, rungs) < going_on(width, rungs - 1)
    ):
        rungs += 1
    return tuple(REDUCTION**power for power in reversed(range(rungs)))


def going_on(width: int, rung: int) -> int:
    """How many of a batch are trained in a rung, counted from 0, if none fails."""
    share: int = REDUCTION**rung
    return -(-width // share)


def epochs_in(epochs: int, divisor: int) -> int:
    """The epochs of a rung for a candidate that has so many in all; at least 1."""
    return -(-epochs // divisor)


def best(accuracies: Sequence[float | None], count: int) -> list[int]:
    """The places of the best, best first; of equals the first comes first. One that failed (None) never goes on."""
    known = [(-accuracy, place) for place, accuracy in enumerate(accuracies) if accuracy is not None]
    return [place for _, place in sorted(known)[:count]]

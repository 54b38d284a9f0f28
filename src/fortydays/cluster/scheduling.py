"""Which of the specs that wait a free worker is given: those of a variant stay together, as far as all can work."""

from collections.abc import Collection, Sequence

from fortydays.study.trial import TrialSpec


def choose(specs: Sequence[TrialSpec], *, last: str, others: Collection[str]) -> int:
    """The place of the spec that a worker takes.

    It goes on with the variant that it has compiled. Else it takes one that no other worker has compiled, so that each
    variant is compiled once. Where there is none, it takes the last spec, which the worker of its variant would come
    to last.

    Args:
        specs: that wait; at least one.
        last: name of the variant whose program the worker has compiled, or "".
        others: names of the variants that other workers have compiled.
    """
    for place, spec in enumerate(specs):
        if spec.variant == last:
            return place
    for place, spec in enumerate(specs):
        if spec.variant not in others:
            return place
    return len(specs) - 1

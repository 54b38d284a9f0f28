"""Trials of a variant stay together, as far as all workers can work."""

import pytest

from fortydays.cluster.scheduling import choose
from fortydays.study.trial import TrialSpec


def specs(*variants: str) -> list[TrialSpec]:
    return [
        TrialSpec(
            variant=variant, seed=seed, recipe=None, dataset="", dataset_digest="", backend="tensorflow", threads=1,
            bfloat16_is_fast=False,
        )
        for seed, variant in enumerate(variants)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("waiting", "last", "others", "place"),
    [
        (["a", "b", "b"], "b", {"a"}, 1),  # it goes on with what it has compiled
        (["a", "b", "c"], "", {"a"}, 1),  # what nobody has compiled
        (["a", "b", "c"], "z", set(), 0),
        (["a", "a", "b"], "c", {"a", "b"}, 2),  # all are compiled elsewhere: the one that would be come to last
    ],
)
def test_what_a_free_worker_takes(waiting: list[str], last: str, others: set[str], place: int) -> None:
    assert choose(specs(*waiting), last=last, others=others) == place


def test_two_workers_compile_four_variants_of_three_seeds_once_each() -> None:
    """The two work in turns, a trial each."""
    waiting = specs(*(variant for variant in "abcd" for _ in range(3)))
    last, compiled = ["", ""], []
    while waiting:
        for worker in (0, 1):
            spec = waiting.pop(choose(waiting, last=last[worker], others={last[1 - worker]}))
            if spec.variant != last[worker]:
                compiled.append(spec.variant)
            last[worker] = spec.variant
    assert sorted(compiled) == ["a", "b", "c", "d"]

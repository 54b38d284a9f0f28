"""What is told to Optuna decides what it proposes, and nothing else does."""

import pytest

from fortydays.tune.sampler import Sampler, importance
from fortydays.tune.space import Space

SPACE = Space.parse(["learning_rate=1e-4..1:log", "batch_size=16..64", "optimizer=adam,sgd", "patience=none,3"])


def asked(*, seed: int = 0, good: str = "adam") -> list[dict[str, object]]:
    """Three batches, of whose candidates those with one optimizer come to their end."""
    sampler, found = Sampler(SPACE, seed=seed, rungs=2), []
    for _ in range(3):
        batch = sampler.ask(6)
        sampler.tell([[0.5, 0.9] if each["optimizer"] == good else [0.1] for each in batch])
        found += batch
    return found


def test_the_same_seed_and_answers_give_the_same_candidates() -> None:
    assert asked() == asked()
    assert asked() != asked(seed=1)
    # Before anything is told, answers change nothing.
    assert asked()[:6] == asked(good="sgd")[:6]
    assert asked()[12:] != asked(good="sgd")[12:]


def test_values_are_in_their_ranges_with_three_digits() -> None:
    for each in asked():
        rate, batch = each["learning_rate"], each["batch_size"]
        assert isinstance(rate, float)
        assert 0.0001 <= rate <= 1
        assert rate == float(f"{rate:.3g}")
        assert isinstance(batch, int)
        assert 16 <= batch <= 64
        assert each["patience"] in (None, 3)


def test_where_candidates_fail_fewer_are_proposed() -> None:
    space = Space.parse(["learning_rate=0..1"])
    sampler = Sampler(space, seed=0, rungs=1)
    for _ in range(6):
        batch = sampler.ask(10)
        rates = [each["learning_rate"] for each in batch]
        sampler.tell([[None] if rate > 0.5 else [0.9 - rate] for rate in rates])
    assert sum(rate > 0.5 for rate in rates) <= 2


def test_importance_names_the_field_that_matters_first() -> None:
    space = Space.parse(["learning_rate=0..1", "weight_decay=0..1"])
    tried = [({"learning_rate": a / 4, "weight_decay": b / 4}, 0.1 + a / 5) for a in range(5) for b in range(5)]
    found = importance(space, tried)
    assert list(found) == ["learning_rate", "weight_decay"]
    assert found["learning_rate"] > 0.9
    assert sum(found.values()) == pytest.approx(1)
    assert found == importance(space, tried)


def test_importance_is_not_told_of_few_or_equal_candidates() -> None:
    space = Space.parse(["learning_rate=0..1"])
    assert importance(space, [({"learning_rate": k / 4}, k / 4) for k in range(3)]) == {}
    assert importance(space, [({"learning_rate": k / 9}, 0.5) for k in range(9)]) == {}

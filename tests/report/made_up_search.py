"""A made-up search of three fields: one candidate chosen, one more trained to its end, one stopped, one failed."""

from typing import Any

from fortydays.tune.found import Candidate, Ending, Finalist, Found, Reached
from fortydays.tune.space import Space


def candidate(number: int, ending: Ending, *accuracies: float | None, **values: Any) -> Candidate:
    reached = tuple(Reached(epochs=3 + 6 * place, accuracy=a) for place, a in enumerate(accuracies))
    return Candidate(number=number, values=values, ending=ending, reached=reached)


def found(**changes: Any) -> Found:
    best = {"learning_rate": 0.1, "optimizer": "sgd", "patience": None}
    second = {"learning_rate": 0.01, "optimizer": "adam", "patience": 3}
    facts: dict[str, Any] = {
        "day": None,
        "name": "digits",
        "title": "A study",
        "variant": "network",
        "dataset": "digits",
        "dataset_digest": "0123456789abcdef" * 4,
        "validated": 200,
        "space": Space.parse(["learning_rate=1e-4..1e-1:log", "optimizer=adam,sgd", "patience=none,3"]),
        "width": 4,
        "divisors": (3, 1),
        "sampler_seed": 0,
        "seeds": (1000, 1001),
        "candidates": (
            candidate(1, Ending.FINISHED, 0.5, 0.9, **best),
            candidate(2, Ending.FAILED, None, learning_rate=0.05, optimizer="sgd", patience=3),
            candidate(3, Ending.FINISHED, 0.6, 0.85, **second),
            candidate(4, Ending.STOPPED, 0.2, learning_rate=0.0001, optimizer="adam", patience=None),
        ),
        "finalists": (
            Finalist(number=1, values=best, accuracies=(0.9, 0.92)),
            Finalist(number=3, values=second, accuracies=(0.85, None)),
        ),
        "before": Finalist(
            number=None,
            values={"learning_rate": 0.001, "optimizer": "adam", "patience": None},
            accuracies=(0.88, 0.89),
        ),
        "importance": {"learning_rate": 0.7, "optimizer": 0.2, "patience": 0.1},
        "at_edge": ("learning_rate",),
        "optuna": "5.0.0",
        "created": "2026-11-30T06:00:00Z",
    }
    return Found(**{**facts, **changes})

"""What claims are judged on: a quantity for each seed and, where it is made of answers, for each test example."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import StorageError
from fortydays.base.text import counted
from fortydays.study.statistics import Answers, Sample, Trials
from fortydays.tasks.metric import ACCURACY, GAP, OF_NETWORK, TRAINING_TIME, Metric

_TEST_ACCURACY = ACCURACY.of("test").name
_TRAIN_ACCURACY = ACCURACY.of("train").name

Declared = Mapping[str, Metric]
"""The metrics that the drills of a study declare, by name."""

NONE_DECLARED: Declared = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """What the finished trials of a study gave.

    Attributes:
        trials: their metrics.
        answers: which test examples they answered rightly, as far as that is known.
        by_example: by metric of drills, its number for each test example, as far as it has them.
        declared: the metrics that drills declare.
        looks: how often a part of the seeds was judged before.
        paired: whether two variants are compared within each seed. Else they are two samples (Welch, 1947).
    """

    trials: Trials
    answers: Answers = field(default_factory=dict)
    by_example: Mapping[str, Mapping[int, Mapping[str, NDArray[np.float64]]]] = field(default_factory=dict)
    declared: Declared = field(default_factory=lambda: NONE_DECLARED)
    looks: int = 0
    paired: bool = True


def findings_of(
    trials: Sequence[Mapping[str, Any]], *, examples: int = 0, declared: Declared = NONE_DECLARED, looks: int = 0
) -> Findings:
    """The findings that trials' entries in the evidence tell.

    Args:
        trials: the entries.
        examples: how many the test split has.
        declared: the metrics that drills declare.
        looks: how often some of the seeds were judged before.

    Raises:
        StorageError: the answers of a trial, or its numbers for each example, are damaged.
    """
    metrics: dict[str, dict[int, Mapping[str, float | None]]] = {}
    answers: dict[str, dict[int, NDArray[np.bool_]]] = {}
    by_example: dict[str, dict[int, dict[str, NDArray[np.float64]]]] = {}
    for trial in trials:
        if trial["status"] != "finished":
            continue
        variant, seed = trial["variant"], trial["seed"]
        metrics.setdefault(variant, {})[seed] = trial["metrics"]
        for metric, values in trial.get("by_example", {}).items():
            numbers = np.asarray(values, np.float64)
            if not numbers.size or abs(numbers.mean() - trial["metrics"].get(metric, np.inf)) > 1e-6:
                said = f"the numbers for each example of {variant!r}, seed {seed}, do not give its {metric}"
                raise _damaged(said)
            by_example.setdefault(variant, {}).setdefault(seed, {})[metric] = numbers
        if trial.get("right") and examples:
            right = _unpacked(trial["right"], examples)
            accuracy = trial["metrics"].get(_TEST_ACCURACY)
            if right is None or accuracy is None or abs(right.mean() - accuracy) > 1e-6:
                raise _damaged(f"the answers of {variant!r}, seed {seed}, do not give its test accuracy")
            answers.setdefault(variant, {})[seed] = right
    return Findings(trials=metrics, answers=answers, by_example=by_example, declared=declared, looks=looks)


def _damaged(said: str) -> StorageError:
    return StorageError(
        f"The evidence is damaged: {said}.", hint="Get the file again, or make it anew with `forty run`."
    )


def with_costs(trials: Sequence[Mapping[str, Any]], details: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Trials' entries with what their variants cost among the metrics, so that claims can be about it.

    Args:
        trials: the entries.
        details: by variant, what the evidence says of it. Drills get nothing.

    Returns:
        New entries. A finished trial of a variant has :data:`~fortydays.tasks.metric.OF_COST`, as far as they are
        known.
    """
    found = []
    for trial in trials:
        detail = details.get(trial["variant"], {})
        costs: dict[str, float] = {}
        if trial["status"] == "finished" and "recipe" in detail:
            costs = {name: detail[name] for name in OF_NETWORK if detail.get(name) is not None}
            costs[TRAINING_TIME.name] = trial["train_seconds"]
        # A measure of the study's own that has such a name stays what it is.
        found.append({**trial, "metrics": {**costs, **trial["metrics"]}})
    return found


def packed(right: NDArray[np.bool_]) -> str:
    """Truth values as text for JSON: one bit each, the first in the highest bit of the first byte, in base64."""
    return base64.b64encode(np.packbits(right).tobytes()).decode("ascii")


def _unpacked(text: str, count: int) -> NDArray[np.bool_] | None:
    """The inverse of :func:`packed`, or None where it is not so many values."""
    try:
        found = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except ValueError:  # not base64, or not ASCII
        return None
    return np.unpackbits(found, count=count).astype(bool) if len(found) == math.ceil(count / 8) else None


def sample_of(found: Findings, variant: str, metric: str, *, never: float = math.inf) -> tuple[Sample, str]:
    """A metric of one variant, and what else there is to know of it.

    Args:
        found: what the trials gave.
        variant: whose metric.
        metric: its name.
        never: the number for a target that a trial never reached.
    """
    of_variant = {seed: m for seed, m in found.trials.get(variant, {}).items() if metric in m}
    values = [m[metric] for m in of_variant.values()]
    missing = values.count(None)
    note = f"never reached in {missing} of {counted(len(values), 'seed')}" if missing else ""
    rows = [_by_example(found, variant, seed, metric) for seed in of_variant]
    share = metric == _TEST_ACCURACY
    note = "; ".join(filter(None, [note, _missing(rows)]))
    return Sample(values=[never if v is None else v for v in values], examples=_table(rows), share=share), note


def paired_sample(found: Findings, metric: str, variant: str, than: str, *, scale: float = 1.0) -> tuple[Sample, str]:
    """``metric(variant) - scale * metric(than)`` for each seed that both were trained with, and a note.

    The number of steps, or of seconds, until a target is reached is restricted to the shorter of the two trainings:
    who is not there by its end counts as arriving at it (the restricted mean; Royston and Parmar, 2013). Two variants
    that never get there are equal.

    Args:
        found: what the trials gave.
        metric: its name.
        variant: the one that is compared.
        than: the one that it is compared with.
        scale: what the other's metric is multiplied with first.
    """
    first, second = found.trials.get(variant, {}), found.trials.get(than, {})
    shared = sorted(set(first) & set(second))
    differences, apart, rows, never = [], [], [], {variant: 0, than: 0}
    for seed in shared:
        pair = [first[seed].get(metric), second[seed].get(metric)]
        limits = [limit for m in (first[seed], second[seed]) if (limit := m.get(f"{metric}_limit")) is not None]
        if len(limits) == 2:
            never[variant] += pair[0] is None or pair[0] > min(limits)
            never[than] += pair[1] is None or pair[1] > min(limits)
            pair = [min(limits) if value is None else min(value, *limits) for value in pair]
        if pair[0] is None or pair[1] is None:
            continue
        differences.append(pair[0] - scale * pair[1])
        apart.append((pair[0], scale * pair[1]))
        one, other = (_by_example(found, name, seed, metric) for name in (variant, than))
        rows.append(None if one is None or other is None else one - scale * other)
    notes = [
        f"{name} did not reach it in {count} of {counted(len(shared), 'seed')} (counted as reached at the end)"
        for name, count in never.items()
        if count
    ]
    alone = (set(first) ^ set(second)) if first and second else set()
    if alone:
        notes.append(f"seeds of one variant only are left out: {', '.join(map(str, sorted(alone)))}")
    if not found.paired:
        return Sample(values=differences, apart=apart), "; ".join(notes)
    return Sample(values=differences, examples=_table(rows)), "; ".join(filter(None, [*notes, _missing(rows)]))


def _by_example(found: Findings, variant: str, seed: int, metric: str) -> NDArray[np.float64] | None:
    """A metric of a trial as the mean of numbers for each test example, or None where it is none."""
    known = found.by_example.get(variant, {}).get(seed, {})
    if metric in known:
        return known[metric]
    right = found.answers.get(variant, {}).get(seed)
    if right is None or metric not in (_TEST_ACCURACY, GAP.name):
        return None
    if metric == _TEST_ACCURACY:
        return right.astype(np.float64)
    on_train = found.trials[variant][seed][_TRAIN_ACCURACY]
    return None if on_train is None else on_train - right.astype(np.float64)


def _missing(rows: Sequence[NDArray[np.float64] | None]) -> str:
    """A note where the answers of some seeds are known, and of others not."""
    missing = sum(row is None for row in rows)
    of = counted(len(rows), "seed")
    return (
        f"the answers of {missing} of {of} are not known, so test examples are not counted"
        if 0 < missing < len(rows)
        else ""
    )


def _table(rows: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    """The rows as one array, or None where one is missing."""
    known = [row for row in rows if row is not None]
    if not known or len(known) < len(rows) or len({len(row) for row in known}) > 1:
        return None
    return np.asarray(np.stack(known), np.float64)

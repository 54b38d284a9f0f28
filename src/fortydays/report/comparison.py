"""Two runs side by side: what was different about them, and what that did to the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fortydays.base.values import fields_as_json
from fortydays.report import numbers
from fortydays.report.results import Results, VariantResults
from fortydays.study.statistics import Interval, interval


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A fact in which two runs are not alike."""

    what: str
    first: str
    second: str


@dataclass(frozen=True, kw_only=True)
class MetricChange:
    """A metric of a variant in both runs, with its title and unit: mean and interval in the first and in the second.

    ``change`` is the second minus the first within each shared seed, or None where no seed is shared.
    """

    variant: str
    metric: str
    title: str
    unit: str
    first: Interval
    second: Interval
    change: Interval | None


@dataclass(frozen=True, kw_only=True)
class ComparisonOfRuns:
    """What a comparison found.

    Attributes:
        same_bits: whether everything the trials gave, except times, is equal to the last bit.
        differences: in what the runs are not alike.
        changes: metrics of the variants that both runs have.
        only_first: variants of the first run alone.
        only_second: variants of the second run alone.
    """

    same_bits: bool
    differences: tuple[Difference, ...]
    changes: tuple[MetricChange, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return {"schema_version": 1, **fields_as_json(self)}


METRICS = ("test_accuracy", "accuracy_gap", "test_loss", "train_seconds")
"""What is compared, besides the steps to a target and the metrics of drills."""


def compare_results(first: Results, second: Results) -> ComparisonOfRuns:
    """Compare two runs, of the same day or of two."""
    ours, theirs = {v.name: v for v in first.variants}, {v.name: v for v in second.variants}
    differences, changes = _differences(_facts(first), _facts(second)), []
    for name in [name for name in ours if name in theirs]:
        differences += _differences(_recipe(ours[name]), _recipe(theirs[name]), of=f"{name}: ")
        changes += _changes(ours[name], theirs[name])
    return ComparisonOfRuns(
        same_bits=bool(first.results_digest) and first.results_digest == second.results_digest,
        differences=tuple(differences),
        changes=tuple(changes),
        only_first=tuple(n for n in ours if n not in theirs),
        only_second=tuple(n for n in theirs if n not in ours),
    )


def _differences(ours: Mapping[str, str], theirs: Mapping[str, str], *, of: str = "") -> list[Difference]:
    return [
        Difference(what=f"{of}{name}", first=ours.get(name, ""), second=theirs.get(name, ""))
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name, "") != theirs.get(name, "")
    ]


def _facts(results: Results) -> dict[str, str]:
    dataset = results.dataset
    return {
        "day": f"{results.day}" if results.day is not None else results.name,
        "dataset": dataset.name if dataset else "",
        "dataset digest": dataset.digest[:12] if dataset else "",
        "split version": str(dataset.split_version) if dataset else "",
        "seeds": numbers.seeds_in_words(results.seeds),
        "asked for": ", ".join(filter(None, [*results.only, *results.settings, results.as_a_try])),
        "engine": results.engine,
        "study digest": results.code.get("study", "")[:12],
        "engine digest": results.code.get("engine", "")[:12],
        "fortydays": results.code.get("version", ""),
        "backend": results.backend,
        **{f"package {name}": version for name, version in results.packages.items()},
        "threads": str(results.threads),
        **{f"machine {name.replace('_', ' ')}": value for name, value in results.machine.items()},
    }


def _recipe(variant: VariantResults) -> dict[str, str]:
    if variant.is_drill:
        return {}
    settings = {field: numbers.setting(value) for field, value in variant.recipe.items()}
    parameters = f"{variant.parameters:,}" if variant.parameters is not None else ""
    return {**settings, "parameters": parameters, "trained in": variant.precision}


def _changes(first: VariantResults, second: VariantResults) -> list[MetricChange]:
    targets = [m for m in first.metrics if m.startswith("steps_to_")]
    return [
        MetricChange(
            variant=first.name,
            metric=metric,
            title=numbers.metric_title(metric, first.declared),
            unit=numbers.metric_unit(metric, first.declared),
            first=first.metrics[metric],
            second=second.metrics[metric],
            change=_paired(first, second, metric),
        )
        for metric in dict.fromkeys((*METRICS, *targets, *first.declared))
        if metric in first.metrics and metric in second.metrics
    ]


def _paired(first: VariantResults, second: VariantResults, metric: str) -> Interval | None:
    ours, theirs = _by_seed(first, metric), _by_seed(second, metric)
    differences = [theirs[seed] - ours[seed] for seed in sorted(ours.keys() & theirs.keys())]
    return interval(differences) if differences else None


def _by_seed(variant: VariantResults, metric: str) -> dict[int, float]:
    values = {
        trial.seed: trial.train_seconds if metric == "train_seconds" else trial.metrics.get(metric)
        for trial in variant.finished
    }
    return {seed: value for seed, value in values.items() if value is not None}

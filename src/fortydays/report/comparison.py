"""Two runs side by side: what was different about them, and what that did to the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fortydays.base.values import fields_as_json
from fortydays.report.results import Results, VariantResults
from fortydays.study.document import DatasetFacts
from fortydays.study.evidence import with_defaults
from fortydays.study.statistics import Interval, interval
from fortydays.train.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A fact in which two runs are not alike."""

    what: str
    first: str
    second: str


@dataclass(frozen=True, kw_only=True)
class MetricChange:
    """A metric of a variant in both runs.

    Attributes:
        variant: which variant.
        metric: which metric.
        title: of the metric.
        unit: of the metric.
        first: its mean and interval in the first run.
        second: in the second run.
        change: second minus first within each shared seed, or None where no seed is shared.
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
    shared = [name for name in ours if name in theirs]
    changes = [change for name in shared for change in _changes(ours[name], theirs[name])]
    return ComparisonOfRuns(
        same_bits=bool(first.results_digest) and first.results_digest == second.results_digest,
        differences=(*_facts(first, second), *(d for n in shared for d in _recipes(ours[n], theirs[n]))),
        changes=tuple(changes),
        only_first=tuple(n for n in ours if n not in theirs),
        only_second=tuple(n for n in theirs if n not in ours),
    )


def _facts(first: Results, second: Results) -> list[Difference]:
    from fortydays.report import numbers

    def facts(results: Results) -> Mapping[str, str]:
        return {
            "day": f"{results.day}" if results.day is not None else results.name,
            **_dataset_facts(results.dataset),
            "seeds": numbers.seeds_in_words(results.seeds),
            "asked for": ", ".join([*results.only, *results.settings]),
            "engine": results.engine,
            "study digest": results.code.get("study", "")[:12],
            "engine digest": results.code.get("engine", "")[:12],
            "fortydays": results.code.get("version", ""),
            "backend": results.backend,
            **{f"package {name}": version for name, version in results.packages.items()},
            "threads": str(results.threads) if results.threads is not None else "",
            **{f"machine {name.replace('_', ' ')}": value for name, value in results.machine.items()},
        }

    ours, theirs = facts(first), facts(second)
    return [
        Difference(what=name, first=ours.get(name, ""), second=theirs.get(name, ""))
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name, "") != theirs.get(name, "")
    ]


def _dataset_facts(dataset: DatasetFacts | None) -> dict[str, str]:
    if dataset is None:
        return {}
    return {
        "dataset": dataset.name,
        "dataset digest": dataset.digest[:12],
        "split version": str(dataset.split_version),
    }


def _recipes(first: VariantResults, second: VariantResults) -> list[Difference]:
    from fortydays.report import numbers

    def shown(variant: VariantResults) -> dict[str, str]:
        if variant.is_drill:
            return {}
        recipe = with_defaults(Recipe, variant.recipe)
        del recipe["optimizer_options"]  # each option is a field of its own here
        settings = {field: numbers.setting(value) for field, value in recipe.items()}
        parameters = f"{variant.parameters:,}" if variant.parameters is not None else ""
        return {**settings, "parameters": parameters, "trained in": variant.precision}

    ours, theirs = shown(first), shown(second)
    return [
        Difference(what=f"{first.name}: {field}", first=ours.get(field, ""), second=theirs.get(field, ""))
        for field in dict.fromkeys([*ours, *theirs])
        if ours.get(field, "") != theirs.get(field, "")
    ]


def _changes(first: VariantResults, second: VariantResults) -> list[MetricChange]:
    from fortydays.report import numbers

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
    differences = [theirs[seed] - ours[seed] for seed in sorted(set(ours) & set(theirs))]
    return interval(differences) if differences else None


def _by_seed(variant: VariantResults, metric: str) -> dict[int, float]:
    found = {}
    for trial in variant.finished:
        value = trial.train_seconds if metric == "train_seconds" else trial.metrics.get(metric)
        if value is not None:
            found[trial.seed] = value
    return found

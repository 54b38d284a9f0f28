"""The numbers of the variants, column by column: the same in the terminal and on a page."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len

from fortydays.report import numbers
from fortydays.report.results import Results, VariantResults

ABSENT = "–"
_MAIN = {
    "test_accuracy": "test accuracy", "accuracy_gap": "gap", "test_loss": "test loss", "train_seconds": "seconds",
}  # fmt: skip
"""The columns that every day has, as far as its variants have the metrics."""

_COMMON = {*_MAIN, "train_accuracy", "train_loss", "validation_accuracy", "validation_loss", "epochs"}


@dataclass(frozen=True, kw_only=True)
class NumberColumn:
    """A column of results: its title, and a cell for each variant of the study."""

    title: str
    cells: tuple[str, ...]

    @property
    def width(self) -> int:
        """Columns of the screen that it needs; a title may be broken between its words."""
        return max(map(cell_len, (*self.title.split(), *self.cells)), default=0)


def main_columns(results: Results) -> list[NumberColumn]:
    """The columns that every day has, as far as its variants have the metrics."""
    metrics = [m for m in _MAIN if any(m in v.metrics for v in results.variants)]
    return [_column(results, metric, _MAIN[metric]) for metric in metrics]


def other_columns(results: Results) -> list[NumberColumn]:
    """The metrics that only this study has: targets, measures and what drills declare."""
    return [_column(results, m, numbers.metric_title(m, results.declared)) for m in dict.fromkeys(_others(results))]


def cost_columns(results: Results) -> list[NumberColumn]:
    """What each variant costs, and what it gets for it."""
    variants = results.variants
    parameters = (ABSENT if v.parameters is None else f"{v.parameters:,}" for v in variants)
    multiply_adds = (ABSENT if v.multiply_adds is None else numbers.large(v.multiply_adds) for v in variants)
    return [
        NumberColumn(title="parameters", cells=tuple(parameters)),
        NumberColumn(title="multiply-adds", cells=tuple(multiply_adds)),
        _column(results, "train_seconds", "seconds"),
        _column(results, "test_accuracy", "test accuracy"),
    ]


def metric_cell(variant: VariantResults, metric: str) -> str:
    """A metric of a variant: mean and half-width, or in how many seeds a target was reached."""
    spread = variant.metrics.get(metric)
    if spread is None:
        reached, of = variant.reached(metric)
        return f"in {reached} of {of}" if of else ABSENT
    unit = numbers.metric_unit(metric, variant.declared)
    if metric == "test_accuracy":
        return numbers.mean_and_spread(spread, unit, digits=2)
    if metric == "accuracy_gap":
        return numbers.plain(spread.mean, unit, digits=2)
    if metric == "test_loss":
        return f"{spread.mean:.4f}"
    if metric == "train_seconds":
        return numbers.plain(spread.mean, "", digits=1)
    return numbers.mean_and_spread(spread, unit).removesuffix(" steps")


def share_cell(share: float | None) -> str:
    """A share of 1 in percent."""
    return ABSENT if share is None else numbers.with_unit(share, "share", digits=1)


def final_cell(variant: VariantResults, field: str) -> str:
    """Where a field of the history ends, in the mean over trials; "" where no trial has it."""
    last = [t.history[field][-1] for t in variant.finished if t.history.get(field)]
    unit = "share" if field.endswith("accuracy") else ""
    return numbers.with_unit(sum(last) / len(last), unit) if last else ""


def _column(results: Results, metric: str, title: str) -> NumberColumn:
    return NumberColumn(title=title, cells=tuple(metric_cell(v, metric) for v in results.variants))


def _others(results: Results) -> Iterator[str]:
    declared = results.declared.keys() - {m for m in _MAIN if any(m in v.metrics for v in results.variants)}
    trials = [t.metrics for v in results.variants for t in v.finished]
    for metric in (m for metrics in (*trials, *(v.metrics for v in results.variants)) for m in metrics):
        # Seconds to a target say what its steps say, in a unit that changes with the machine.
        hidden = metric in _COMMON or metric.endswith("_limit") or metric.startswith("seconds_to_")
        if metric in declared or not hidden:
            yield metric

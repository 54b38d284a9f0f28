"""The numbers of the trials as rows, for tables of other programs: a spreadsheet, pandas."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest

from fortydays.report.results import Results

Row = Mapping[str, object]
"""Cells by the name of their column."""

TRIAL = ("variant", "seed", "status", "error", "epochs", "best_epoch", "train_seconds")
"""The columns of every trial; its metrics follow."""


def trial_rows(results: Results) -> list[Row]:
    """One row for each trial, in the order of variants and seeds: how it went, and its metrics.

    Accuracies are shares of 1, times are seconds. A target that was never reached is None.
    """
    return [
        {name: getattr(trial, name) for name in TRIAL} | dict(trial.metrics)
        for variant in results.variants
        for trial in variant.trials
    ]


def history_rows(results: Results) -> list[Row]:
    """One row for each moment at which a trial was looked at in training: its step, its epoch, what was seen."""
    return list(_moments(results))


def _moments(results: Results) -> Iterator[Row]:
    for variant in results.variants:
        for trial in variant.trials:
            for values in zip_longest(*trial.history.values()):
                yield {"variant": variant.name, "seed": trial.seed} | dict(zip(trial.history, values, strict=True))

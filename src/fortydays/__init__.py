"""Forty days of deep learning and MLOps as software: studies that run, claims that are checked.

``import fortydays as fd`` gives the commands as functions, and the parts of a study. The import loads nothing else:
each name is looked up when it is used. :mod:`fortydays.api` has the functions, and docs/python.md examples.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fortydays.api import Fitted, Model, Plot, Predictions, Result, fit, load, run, show
    from fortydays.base.errors import FortydaysError
    from fortydays.study.claims import (
        Best,
        Comparison,
        Equivalent,
        InEverySeed,
        NotWorse,
        Threshold,
        ThresholdOfBest,
    )
    from fortydays.study.design import Exhibit, Measure, Study, Variant
    from fortydays.study.drills import Drill
    from fortydays.study.search import Search
    from fortydays.tasks.metric import Metric
    from fortydays.train.recipe import Recipe

__version__ = "0.1.0"

__all__ = [
    "Best", "Comparison", "Drill", "Equivalent", "Exhibit", "Fitted", "FortydaysError", "InEverySeed", "Measure",
    "Metric", "Model", "NotWorse", "Plot", "Predictions", "Recipe", "Result", "Search", "Study", "Threshold",
    "ThresholdOfBest", "Variant", "__version__", "fit", "load", "run", "show",
]  # fmt: skip

_HOMES = {
    "api": ("Fitted", "Model", "Plot", "Predictions", "Result", "fit", "load", "run", "show"),
    "base.errors": ("FortydaysError",),
    "study.claims": (
        "Best", "Comparison", "Equivalent", "InEverySeed", "NotWorse", "Threshold", "ThresholdOfBest",
    ),
    "study.design": ("Exhibit", "Measure", "Study", "Variant"),
    "study.drills": ("Drill",),
    "study.search": ("Search",),
    "tasks.metric": ("Metric",),
    "train.recipe": ("Recipe",),
}  # fmt: skip
"""The modules of this package that have the names above; a test holds the two against each other."""


if not TYPE_CHECKING:  # to whom it would say that there is any name

    def __getattr__(name: str) -> Any:
        import importlib

        for home, names in _HOMES.items():
            if name in names:
                return getattr(importlib.import_module(f"{__name__}.{home}"), name)
        raise AttributeError(f"fortydays has no {name!r}. It has: {', '.join(sorted(__all__))}.")


def __dir__() -> list[str]:
    return sorted(__all__)

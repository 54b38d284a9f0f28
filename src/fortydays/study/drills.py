"""Drills: named procedures on real parts, repeated for each seed, beside the variants of a study."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fortydays.base.errors import UsageError, unknown_name
from fortydays.study.fields import check_fields
from fortydays.tasks.metric import UNITS, Metric, metric_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fortydays.study.bench import Bench

NAME = re.compile(r"[a-z0-9][a-z0-9 .+-]{0,39}")
"""What a variant or a drill may be called."""

_METRIC = re.compile(r"[a-z][a-z0-9_]{0,39}")
_OF_THE_ENGINE = ("train_seconds", "epochs")


@dataclass(frozen=True, kw_only=True)
class Drill:
    """A procedure that is carried out once for each seed, each time in a fresh workspace.

    Attributes:
        name: what tables, claims and ``--only`` call it: lower case, digits, spaces, ``. + -``.
        do: is given a :class:`~fortydays.study.bench.Bench` and gives a finite number for each metric, by name. For a
            metric that is a mean over the test examples, it may give their numbers: an array of shape (examples,), in
            the order of the split. Claims about it then count the examples as well as the seeds.
        metrics: what it gives: metrics, or the names of metrics (see :func:`fortydays.tasks.metric.metric_of`).
        description: what is done, in a few words.
        group: drills of one group are shown together and can be asked for together with ``--only``.

    Raises:
        UsageError: a name cannot be used, there is no metric, or one is named twice.
    """

    name: str
    do: "Callable[[Bench], Mapping[str, float | NDArray[Any]]]"
    metrics: tuple[Metric | str, ...]
    description: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        check_fields(self)
        if not NAME.fullmatch(self.name):
            raise UsageError(
                f"A drill is named {self.name!r}; expected at most 40 of a-z, 0-9, space and . + -, "
                "starting with a letter or digit."
            )
        names = [metric.name for metric in self.measured]
        for name in names:
            if not _METRIC.fullmatch(name) or name in _OF_THE_ENGINE or name.endswith("_limit"):
                raise UsageError(
                    f"The drill {self.name!r} has the metric {name!r}; expected at most 40 of a-z, 0-9 and _, "
                    "starting with a letter. Taken are names that end with _limit, and "
                    f"{' and '.join(_OF_THE_ENGINE)}."
                )
        if not names or len(set(names)) < len(names):
            raise UsageError(
                f"The drill {self.name!r} {'has a metric twice' if names else 'has no metric'}.",
                hint="Name each number that it gives, once: metrics=(...,)",
            )
        for metric in self.measured:
            if metric.unit not in UNITS:
                raise unknown_name("unit", metric.unit, UNITS, about=f"the metric {metric.name!r}")

    @cached_property
    def measured(self) -> tuple[Metric, ...]:
        """The metrics, each as a value."""
        return tuple(metric_of(each) if isinstance(each, str) else each for each in self.metrics)

    def as_dict(self) -> dict[str, Any]:
        """What evidence says of it, as JSON values."""
        return {
            "description": self.description,
            "group": self.group,
            "metrics": [dataclasses.asdict(metric) for metric in self.measured],
        }


def declared_metrics(details: Mapping[str, Mapping[str, Any]]) -> dict[str, Metric]:
    """By name, the metrics of the drills in the details of some evidence."""
    told = [metric for detail in details.values() for metric in detail.get("metrics", ())]
    return {metric["name"]: Metric(**metric) for metric in told}

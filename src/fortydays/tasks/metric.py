"""A number by which a network is judged, with all that tables, claims and pages have to know of it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SPLITS = ("test", "train", "validation")

UNITS = ("", "share", "steps", "seconds", "ratio")
"""What a number may be counted in."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number by which a network is judged.

    Attributes:
        name: in evidence and claims, such as "test_accuracy".
        title: in tables, such as "test accuracy".
        unit: one of :data:`UNITS`: "share" (of 1, shown in percent), "steps", "seconds", "ratio", or "" for none.
        better: "higher", "lower", or "" where neither is.
        exact: whether the same trial gives the same number each time. A time does not.
    """

    name: str
    title: str
    unit: str = ""
    better: str = ""
    exact: bool = True

    def of(self, split: str) -> "Metric":
        """The same on one of :data:`SPLITS`."""
        return dataclasses.replace(self, name=f"{split}_{self.name}", title=f"{split} {self.title}")


ACCURACY = Metric(name="accuracy", title="accuracy", unit="share", better="higher")
LOSS = Metric(name="loss", title="loss", better="lower")
GAP = Metric(name="accuracy_gap", title="training minus test accuracy", unit="share", better="lower")
SHARE = Metric(name="share", title="share", unit="share")
STEPS = Metric(name="steps_to_", title="steps to", unit="steps", better="lower")
SECONDS = Metric(name="seconds_to_", title="seconds to", unit="seconds", better="lower", exact=False)
TRAINING_TIME = Metric(name="train_seconds", title="training time", unit="seconds", better="lower", exact=False)
PARAMETERS = Metric(name="parameters", title="parameters", better="lower")
MULTIPLY_ADDS = Metric(name="multiply_adds", title="multiply-adds", better="lower")

OF_NETWORK = (PARAMETERS.name, MULTIPLY_ADDS.name)
"""Numbers of a network itself. They are the same with every seed, whatever it learns."""

OF_COST = (*OF_NETWORK, TRAINING_TIME.name)
"""What a variant costs: claims may be about it, and no trial has it among its metrics."""

_KNOWN = {
    metric.name: metric
    for metric in (
        GAP,
        TRAINING_TIME,
        PARAMETERS,
        MULTIPLY_ADDS,
        *(m.of(split) for m in (ACCURACY, LOSS) for split in SPLITS),
    )
}
_TO_A_TARGET = (STEPS, SECONDS)


def metric_of(name: str, declared: Mapping[str, Metric] = MappingProxyType({})) -> Metric:
    """The metric of a name in evidence or a claim; a study's own measure is a number without a unit.

    Args:
        name: such as "test_accuracy", "steps_to_0.95" or a measure's.
        declared: by name, the metrics that the drills of a study declare.
    """
    if name in declared:
        return declared[name]
    for metric in _TO_A_TARGET:
        if name.startswith(metric.name):
            return dataclasses.replace(metric, name=name, title=f"{metric.title} {name.removeprefix(metric.name)}")
    if name in _KNOWN:
        return _KNOWN[name]
    # A measure may say by its name what it is.
    for ending, like in (
        ("accuracy", ACCURACY),
        ("accuracy_gap", GAP),
        ("_share", SHARE),
        ("_steps", STEPS),
        ("_seconds", SECONDS),
    ):
        if name.endswith(ending):
            return dataclasses.replace(like, name=name, title=name.replace("_", " "), better="")
    return Metric(name=name, title=name.replace("_", " "))

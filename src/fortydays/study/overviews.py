"""Pictures of a whole run: what they show of its evidence, as values, and how they are made from it.

An exhibit is made from one trained trial. An overview is made from the numbers of all trials. Each gives an exhibit of
the kind ``lines``: see :class:`fortydays.study.exhibit_document.Lines`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fortydays.base.errors import UsageError, unknown_name
from fortydays.study.drills import declared_metrics
from fortydays.study.fields import check_fields
from fortydays.study.samples import findings_of, sample_of
from fortydays.study.statistics import wilson
from fortydays.tasks.metric import ACCURACY, OF_COST, OF_NETWORK, metric_of

AXES = ("linear", "logarithmic")

HISTORY = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
"""What the history of a trial tells of each epoch."""


@dataclass(frozen=True, kw_only=True)
class _Overview:
    title: str
    caption: str
    y_from: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    def _exhibit(self, lines: Sequence[Mapping[str, Any]], **axes: Any) -> dict[str, Any]:
        said = {"kind": "lines", "variant": "", "seed": None, "title": self.title, "caption": self.caption}
        return {**said, "y_from": self.y_from, **axes, "lines": list(lines)}


@dataclass(frozen=True, kw_only=True)
class MetricOverview(_Overview):
    """A metric of some variants over a number, or a name, that belongs to each. Each point has its 95% interval.

    Attributes:
        title: of the picture.
        caption: what it shows.
        y_from: where the vertical axis begins, in the metric's unit; None where the values decide.
        metric: such as "test_accuracy".
        lines: for the name of each line, the variants on it, each with its place on the horizontal axis: numbers
            everywhere, or names everywhere.
        x_label: what these places are.
        x_axis: one of :data:`AXES`.
    """

    metric: str
    lines: Mapping[str, Mapping[str, float | str]]
    x_label: str
    x_axis: str = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_places(self.title, self.x_axis, _places(self.lines))

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants or drills that it shows."""
        return tuple(dict.fromkeys(variant for line in self.lines.values() for variant in line))

    def make(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """The exhibit. A variant without a mean, such as one that did not reach a target, is left out."""
        means, order = evidence["variants"], list(evidence["details"])
        names = _names(_places(self.lines))
        drawn = []
        for name, line in self.lines.items():
            known = {v: means[v][self.metric] for v in line if self.metric in means.get(v, {})}
            points = [(names.index(p) if isinstance(p := line[v], str) else p, spread) for v, spread in known.items()]
            if points:
                drawn.append({"name": name, "look": min(map(order.index, known)), **_points(points)})
        metric = metric_of(self.metric, declared_metrics(evidence["details"]))
        axes = {"x_label": self.x_label, "x_axis": self.x_axis, "x_names": names}
        return self._exhibit(drawn, **axes, y_label=metric.title, y_unit=metric.unit)


@dataclass(frozen=True, kw_only=True)
class CostOverview(_Overview):
    """A metric of some variants over what their networks cost. Each point has its 95% interval.

    The costs of a network are those in the evidence, in millions. That of training is the mean of its seconds; drills
    have it, too: the seconds that one takes in all.

    Attributes:
        title: of the picture.
        caption: what it shows.
        y_from: where the vertical axis begins, in the metric's unit; None where the values decide.
        metric: such as "test_accuracy".
        lines: for the name of each line, the variants on it. The line goes from the cheapest to the most expensive.
        cost: "multiply_adds", "parameters" or "train_seconds".
        x_axis: one of :data:`AXES`.
    """

    metric: str
    lines: Mapping[str, tuple[str, ...]]
    cost: str = "multiply_adds"
    x_axis: str = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_axis(self.title, self.x_axis)
        if self.cost not in OF_COST:
            raise unknown_name("cost", self.cost, OF_COST, about=f"the overview {self.title!r}")
        if not any(self.lines.values()):
            raise UsageError(f"The overview {self.title!r} needs lines with variants.")

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants that it shows."""
        return tuple(dict.fromkeys(variant for line in self.lines.values() for variant in line))

    def make(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """The exhibit. A variant without a mean, or one whose cost is not known, is left out."""
        means, details = evidence["variants"], evidence["details"]
        order, drawn = list(details), []
        costs = self._costs(evidence)
        for name, line in self.lines.items():
            known = sorted((v for v in line if self.metric in means.get(v, {}) and v in costs), key=costs.__getitem__)
            if known:
                points = [(costs[v], means[v][self.metric]) for v in known]
                drawn.append({"name": name, "look": min(map(order.index, known)), **_points(points)})
        metric = metric_of(self.metric, declared_metrics(details))
        x_label = f"{metric_of(self.cost).title}, {'millions' if self.cost in OF_NETWORK else 'seconds'}"
        return self._exhibit(drawn, x_label=x_label, x_axis=self.x_axis, y_label=metric.title, y_unit=metric.unit)

    def _costs(self, evidence: Mapping[str, Any]) -> dict[str, float]:
        """By variant, where its points lie, as far as that is known."""
        if self.cost in OF_NETWORK:
            told = {name: detail.get(self.cost) for name, detail in evidence["details"].items()}
            return {name: cost / 1e6 for name, cost in told.items() if cost is not None}
        seconds: dict[str, list[float]] = {}
        for trial in evidence["trials"]:
            if trial["status"] == "finished":
                seconds.setdefault(trial["variant"], []).append(trial["train_seconds"])
        return {name: round(float(np.mean(each)), 1) for name, each in seconds.items()}


@dataclass(frozen=True, kw_only=True)
class MetricsOverview(_Overview):
    """Several metrics of some variants, such as one measure taken at several places. Each has its 95% interval.

    Attributes:
        title: of the picture.
        caption: what it shows.
        y_from: where the vertical axis begins, in the metrics' unit; None where the values decide.
        variants: whose metrics, a line for each; drills have metrics, too.
        metrics: each with its place on the horizontal axis. Not all have to have all of them.
        x_label: what these places are.
        y_label: what the metrics tell.
        x_axis: one of :data:`AXES`.
    """

    variants: tuple[str, ...]
    metrics: Mapping[str, float]
    x_label: str
    y_label: str
    x_axis: str = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_axis(self.title, self.x_axis)
        if not self.variants or not self.metrics:
            raise UsageError(f"The overview {self.title!r} needs variants, and metrics with their places.")

    def make(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """The exhibit. A metric that a variant does not have is left out."""
        order, drawn = list(evidence["details"]), []
        for name in self.variants:
            spreads = evidence["variants"].get(name, {})
            points = [(place, spreads[metric]) for metric, place in self.metrics.items() if metric in spreads]
            if points:
                drawn.append({"name": name, "look": order.index(name), **_points(points)})
        unit = metric_of(next(iter(self.metrics)), declared_metrics(evidence["details"])).unit
        return self._exhibit(drawn, x_label=self.x_label, x_axis=self.x_axis, y_label=self.y_label, y_unit=unit)


@dataclass(frozen=True, kw_only=True)
class LinesOverview(_Overview):
    """Lines whose points are each one metric of one variant, with its 95% interval.

    It shows what the others cannot: several measures of one variant beside each other, or two measures of several.

    Attributes:
        title: of the picture.
        caption: what it shows.
        y_from: where the vertical axis begins, in the metrics' unit; None where the values decide.
        lines: for the name of each line, its points: the name of a variant or drill and of a metric of it, with its
            place on the horizontal axis. Places are numbers everywhere, or names everywhere; metrics have one unit.
        x_label: what these places are.
        y_label: what the metrics tell.
        x_axis: one of :data:`AXES`.
    """

    lines: Mapping[str, Mapping[tuple[str, str], float | str]]
    x_label: str
    y_label: str
    x_axis: str = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_places(self.title, self.x_axis, _places(self.lines))
        for point in self.points:
            if not (isinstance(point, tuple) and len(point) == 2 and all(isinstance(part, str) for part in point)):
                raise UsageError(
                    f"The overview {self.title!r} has the point {point!r}; expected the name of a variant and of a "
                    "metric, such as ('one layer', 'test_accuracy')."
                )

    @property
    def points(self) -> tuple[tuple[str, str], ...]:
        """The variants or drills, each with a metric, that it shows."""
        return tuple(point for line in self.lines.values() for point in line)

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants or drills that it shows."""
        return tuple(dict.fromkeys(variant for variant, _ in self.points))

    def make(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """The exhibit. A metric without a mean is left out."""
        means, names, drawn = evidence["variants"], _names(_places(self.lines)), []
        for look, (name, line) in enumerate(self.lines.items()):
            points = [
                (names.index(place) if isinstance(place, str) else place, means[variant][metric])
                for (variant, metric), place in line.items()
                if metric in means.get(variant, {})
            ]
            if points:
                drawn.append({"name": name, "look": look, **_points(points)})
        unit = metric_of(self.points[0][1], declared_metrics(evidence["details"])).unit
        axes = {"x_label": self.x_label, "x_axis": self.x_axis, "x_names": names}
        return self._exhibit(drawn, **axes, y_label=self.y_label, y_unit=unit)


@dataclass(frozen=True, kw_only=True)
class SearchOverview(_Overview):
    """The validation accuracy of each value that some variants' searches tried; the chosen one of each is marked.

    Each point has one standard deviation over seeds to each side: the interval of a mean of two seeds says nothing.

    Attributes:
        title: of the picture.
        caption: what it shows.
        y_from: where the vertical axis begins, a share of 1; None where the values decide.
        variants: which have a search, all over the same field of numbers.
        x_label: what was searched.
        x_axis: one of :data:`AXES`.
    """

    variants: tuple[str, ...]
    x_label: str
    x_axis: str = "logarithmic"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_axis(self.title, self.x_axis)

    def make(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """The exhibit. A variant whose search was replaced by a setting is left out."""
        details, drawn = evidence["details"], []
        for name in self.variants:
            search = details[name]["search"]
            if search is None or not search["tries"]:
                continue
            tries = sorted(search["tries"], key=lambda each: each["value"])
            chosen = [place for place, each in enumerate(tries) if each["value"] == search["chosen"]]
            points = [(each["value"], _with_deviation(each["validation_accuracy"])) for each in tries]
            drawn.append({"name": name, "look": list(details).index(name), "marked": chosen, **_points(points)})
        metric = ACCURACY.of("validation")
        axes = {"x_label": self.x_label, "x_axis": self.x_axis}
        return self._exhibit(drawn, **axes, y_label=metric.title, y_unit=metric.unit)


@dataclass(frozen=True, kw_only=True)
class CurveOverview(_Overview):
    """What some variants' trials saw in each epoch: their mean, in a band from the lowest to the highest seed.

    Attributes:
        title: of the picture.
        caption: what it shows.
        y_from: where the vertical axis begins; None where the values decide.
        variants: whose trials.
        fields: of the history, of one unit: some of :data:`HISTORY`. Those of training are dashed.
        y_label: what they are.
    """

    variants: tuple[str, ...]
    fields: tuple[str, ...]
    y_label: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if len({each.rpartition("_")[2] for each in self.fields}) != 1 or not self.variants:
            raise UsageError(
                f"The overview {self.title!r} needs variants, and fields of one kind: losses, or accuracies."
            )
        if unknown := [each for each in self.fields if each not in HISTORY]:
            raise UsageError(
                f"The overview {self.title!r} shows {', '.join(unknown)}; expected some of {', '.join(HISTORY)}."
            )

    def make(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """The exhibit. A curve goes as far as each seed of its variant does."""
        drawn = []
        for name in self.variants:
            histories = [t["history"] for t in evidence["trials"] if t["variant"] == name and t["history"]]
            for field in self.fields:
                by_epoch = [_by_epoch(each, field) for each in histories]
                x = sorted(set.intersection(*map(set, by_epoch))) if by_epoch else []
                if not x:
                    continue
                values = np.array([[each[epoch] for epoch in x] for each in by_epoch])
                training = field.startswith("train_")
                drawn.append(
                    {
                        "name": f"{name}, {'training' if training else 'validation'}",
                        "look": list(evidence["details"]).index(name),
                        "dashed": training,
                        "x": x,
                        "y": values.mean(axis=0).tolist(),
                        "low": values.min(axis=0).tolist(),
                        "high": values.max(axis=0).tolist(),
                    }
                )
        unit = "share" if self.fields[0].endswith("accuracy") else ""
        return self._exhibit(drawn, x_label="epoch", y_label=self.y_label, y_unit=unit)


@dataclass(frozen=True, kw_only=True)
class SplitOverview(_Overview):
    """The accuracy of some variants on the test and on the validation split, each with two 95% intervals.

    One is over the seeds, for these examples. The other is Wilson's (1927), for other examples and this mean.

    Attributes:
        title: of the picture.
        caption: what it shows.
        y_from: where the vertical axis begins, a share of 1; None where the values decide.
        variants: whose trials.
        examples: what the examples are called.
    """

    variants: tuple[str, ...]
    examples: str = "examples"

    def make(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """The exhibit. A variant without a finished trial is left out."""
        known = [name for name in self.variants if evidence["variants"].get(name)]
        drawn: list[dict[str, Any]] = []
        for split, aside in (("test", -0.1), ("validation", 0.1)):
            count = evidence["dataset"][split]
            over_seeds = [evidence["variants"][name][ACCURACY.of(split).name] for name in known]
            limits = [wilson(round(spread["mean"] * count), count) for spread in over_seeds]
            places = [place + aside for place in range(len(known))]
            of_examples = [
                {**spread, "low": each.low, "high": each.high} for spread, each in zip(over_seeds, limits, strict=True)
            ]
            for varied, spreads in ((self.examples, of_examples), ("seeds", over_seeds)):
                points = _points(list(zip(places, spreads, strict=True)))
                drawn.append({"name": f"{split}, other {varied}", "look": len(drawn), **points})
        axes = {"x_label": "variant", "x_axis": "linear", "x_names": known}
        return self._exhibit(drawn, **axes, y_label="accuracy", y_unit="share")


@dataclass(frozen=True, kw_only=True)
class ExamplesOverview(_Overview):
    """A metric of some variants, each with the 95% interval that claims about it are judged by.

    That is over the seeds and, where the metric is a mean over the test examples, over these too. So a variant that no
    seed changes has an interval as well.

    Attributes:
        title: of the picture.
        caption: what it shows.
        y_from: where the vertical axis begins, in the metric's unit; None where the values decide.
        variants: whose metric, from the left to the right; drills have metrics, too.
        metric: such as "test_accuracy".
    """

    variants: tuple[str, ...]
    metric: str

    def make(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """The exhibit. A variant without a finished trial is left out, and so is an end where one seed has none."""
        details, examples = evidence["details"], (evidence.get("dataset") or {"test": 0})["test"]
        declared = declared_metrics(details)
        found = findings_of(evidence["trials"], examples=examples, declared=declared)
        samples = {name: sample_of(found, name, self.metric)[0] for name in self.variants}
        known = [name for name, sample in samples.items() if sample.values]
        drawn = []
        for place, name in enumerate(known):
            sample = samples[name]
            ends = sample.limits() if len(sample.values) > 1 else None
            limits = {"low": ends.low, "high": ends.high} if ends else {"low": None, "high": None}
            spread = {"mean": sample.spread.mean, **limits}
            drawn.append({"name": name, "look": list(details).index(name), **_points([(place, spread)])})
        metric = metric_of(self.metric, declared)
        axes = {"x_label": "variant", "x_axis": "linear", "x_names": known}
        return self._exhibit(drawn, **axes, y_label=metric.title, y_unit=metric.unit)


def _by_epoch(history: Mapping[str, Any], field: str) -> dict[int, float]:
    """What a trial saw at the end of each epoch. A point tells how many are done, the first such at the end of one."""
    found: dict[int, float] = {}
    for epoch, value in zip(history["epoch"], history[field], strict=True):
        if epoch:
            found.setdefault(epoch, value)
    return found


Overview = (
    MetricOverview
    | CostOverview
    | MetricsOverview
    | LinesOverview
    | SearchOverview
    | CurveOverview
    | SplitOverview
    | ExamplesOverview
)


def _points(points: Sequence[tuple[float, Mapping[str, Any]]]) -> dict[str, Any]:
    """Places and intervals as the columns of a line; without ends where a single seed has none."""
    spreads = [spread for _, spread in points]
    told = {"x": [place for place, _ in points], "y": [spread["mean"] for spread in spreads]}
    if any(spread["low"] is None for spread in spreads):
        return told
    return {**told, "low": [spread["low"] for spread in spreads], "high": [spread["high"] for spread in spreads]}


def _with_deviation(spread: Mapping[str, Any]) -> dict[str, Any]:
    """An interval whose ends are one standard deviation from the mean."""
    mean, std = spread["mean"], spread["std"]
    return {"mean": mean, "low": None if std is None else mean - std, "high": None if std is None else mean + std}


def _places(lines: Mapping[str, Mapping[Any, float | str]]) -> list[float | str]:
    """The places of all points of all lines."""
    return [place for line in lines.values() for place in line.values()]


def _names(places: Sequence[float | str]) -> list[str]:
    """The places that are names, in the order in which they are named first."""
    return list(dict.fromkeys(place for place in places if isinstance(place, str)))


def _check_places(title: str, axis: str, places: Sequence[float | str]) -> None:
    _check_axis(title, axis)
    if not places or len({isinstance(place, str) for place in places}) > 1:
        raise UsageError(f"The overview {title!r} needs places that are all numbers, or all names.")
    if axis == "logarithmic" and any(isinstance(place, str) or place <= 0 for place in places):
        raise UsageError(f"The overview {title!r} has a logarithmic axis, so its places are above 0.")


def _check_axis(title: str, axis: str) -> None:
    if axis not in AXES:
        raise UsageError(f"The overview {title!r} has the axis {axis!r}; expected {' or '.join(AXES)}.")

"""The networks of all days on one dataset beside each other: what each costs, and how accurate it became."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fortydays.days.journey import Day
from fortydays.report import numbers
from fortydays.report.drawing import add_names, draw_point, figure_of, in_percent, in_powers, svg_of
from fortydays.report.palette import look
from fortydays.report.results import VariantResults
from fortydays.site.finished import FinishedDay
from fortydays.study.statistics import Interval

NETWORKS_PAGE = "networks.html"

FEWEST_DAYS = 2
"""Days that have networks on a dataset, for a picture of them beside each other."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network of a day.

    Attributes:
        day: whose study trained it.
        page: the address of that day's page.
        name: of the variant.
        parameters: that training may change.
        multiply_adds: for one example.
        epochs: of its recipe.
        accuracy: on the test split, over seeds.
        best: whether no network of this dataset that costs as much or less is as accurate (He and Sun, 2015).
    """

    day: Day
    page: str
    name: str
    parameters: int
    multiply_adds: int
    epochs: int
    accuracy: Interval
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class DatasetNetworks:
    """All networks that were trained on the whole training split of one dataset, the cheapest first."""

    dataset: str
    networks: tuple[Network, ...]

    @property
    def days(self) -> tuple[Day, ...]:
        """The days that they are of."""
        return tuple(sorted({each.day.number: each.day for each in self.networks}.values(), key=lambda d: d.number))


def networks_by_dataset(days: Sequence[FinishedDay]) -> tuple[DatasetNetworks, ...]:
    """The networks of each dataset that at least :data:`FEWEST_DAYS` days have learned from, in the order of the days.

    A study may train one network in several ways. Only the way of the highest validation accuracy is taken: the test
    split chooses nothing.
    """
    found: dict[str, list[Network]] = {}
    for day in days:
        if day.results.dataset is not None:
            found.setdefault(day.results.dataset.name, []).extend(_networks(day))
    return tuple(
        DatasetNetworks(dataset=name, networks=_ordered(networks))
        for name, networks in found.items()
        if len({each.day.number for each in networks}) >= FEWEST_DAYS
    )


def accuracy_against_cost(found: DatasetNetworks) -> str:
    """The picture of them as SVG text: a color for each day, and a line through those that are worth their cost."""
    colors = {day.number: look(place).color for place, day in enumerate(found.days)}
    costs = [each.multiply_adds for each in found.networks]
    with figure_of(7.4, 4.2) as (figure, axes):
        axes.set_xscale("log")
        front = [each for each in found.networks if each.best]
        axes.plot(
            [each.multiply_adds for each in front], [each.accuracy.mean for each in front],
            color="#8A8A8A", dashes=(1.5, 1.5), linewidth=1.2,
        )  # fmt: skip
        named: set[int] = set()
        for each in reversed(found.networks):
            first = each.day.number not in named
            named.add(each.day.number)
            label: dict[str, Any] = {"label": f"{each.day.number} {each.day.title}"} if first else {}
            draw_point(axes, each.multiply_adds, each.accuracy, colors[each.day.number], **label)
        for each in front:
            axes.annotate(
                each.name, (each.multiply_adds, each.accuracy.mean), xytext=(-5, 5), textcoords="offset points",
                ha="right", fontsize="small",
            )  # fmt: skip
        axes.set(xlim=(min(costs) / 4, max(costs) * 1.8), ymargin=0.1)
        axes.set(xlabel="multiply-adds for one example (logarithmic)", ylabel="test accuracy")
        in_percent(axes.yaxis)
        in_powers(axes.xaxis)
        add_names(figure, axes)
        return svg_of(figure)


def in_words(found: DatasetNetworks) -> str:
    """What the picture shows, for those who do not see it."""
    return " ".join(
        f"Day {each.day.number}, {each.name}: {numbers.with_unit(each.accuracy.mean, 'share')} with "
        f"{numbers.large(each.multiply_adds)} multiply-adds."
        for each in found.networks
        if each.best
    )


def _networks(found: FinishedDay) -> list[Network]:
    of_size: dict[tuple[int, int], list[VariantResults]] = {}
    for v in found.results.variants:
        whole = v.examples is None and v.features is None and "test_accuracy" in v.metrics
        if whole and v.parameters and v.multiply_adds:
            of_size.setdefault((v.parameters, v.multiply_adds), []).append(v)
    return [
        Network(
            day=found.day,
            page=found.page,
            name=best.name,
            parameters=parameters,
            multiply_adds=multiply_adds,
            epochs=int(str(best.recipe.get("epochs", 0))),
            accuracy=best.metrics["test_accuracy"],
        )
        for (parameters, multiply_adds), variants in of_size.items()
        for best in [max(variants, key=_validation_accuracy)]
    ]


def _validation_accuracy(variant: VariantResults) -> float:
    spread = variant.metrics.get("validation_accuracy")
    return spread.mean if spread is not None else 0.0


def _ordered(networks: Sequence[Network]) -> tuple[Network, ...]:
    """The cheapest first, each with whether it is worth its cost."""
    highest, ordered = 0.0, []
    for each in sorted(networks, key=lambda n: (n.multiply_adds, -n.accuracy.mean)):
        best = each.accuracy.mean > highest
        highest = max(highest, each.accuracy.mean)
        ordered.append(dataclasses.replace(each, best=best))
    return tuple(ordered)

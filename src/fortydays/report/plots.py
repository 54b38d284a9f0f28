"""The figures of a study, each as SVG text that can stand inside an HTML page, in light and in dark."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fortydays.fit.learning_curve import LearningCurve
from fortydays.report import numbers
from fortydays.report.drawing import (
    WIDTH,
    add_names,
    draw_line,
    draw_point,
    figure_of,
    figure_of_rows,
    in_numbers,
    in_percent,
    in_powers,
    in_sizes,
    short,
    svg_of,
)
from fortydays.report.palette import COLORS, Look, look
from fortydays.report.results import Results, VariantResults
from fortydays.study.document import SearchResult
from fortydays.study.exhibit_document import Line, Lines, Matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_BESIDE = 40
"""Letters of names that have room beside each other under an axis; more are turned."""

_MOST_LABELLED = 20
"""A matrix of more rows or columns has no numbers in its cells."""


def accuracies(variants: Sequence[VariantResults]) -> str | None:
    """The test accuracy of each variant: a dot for the mean, a line for its interval, a faint dot for each seed."""
    shown = [v for v in variants if "test_accuracy" in v.metrics]
    if not shown:
        return None
    with figure_of_rows([v.name for v in shown]) as (figure, axes):
        for row, v in enumerate(shown):
            color = look(v.index).color
            values = [value for t in v.finished if (value := t.metrics.get("test_accuracy")) is not None]
            axes.plot(values, [row + 0.22] * len(values), "o", color=color, alpha=0.45, markersize=3, linestyle="")
            spread = v.metrics["test_accuracy"]
            if spread.low is not None and spread.high is not None:
                axes.plot(np.clip([spread.low, spread.high], 0, 1), [row, row], color=color, linewidth=2.2)
            axes.plot([spread.mean], [row], "o", color=color, markersize=6.5)
        in_percent(axes.xaxis)
        axes.set(xlabel="test accuracy", xmargin=0.06)
        return svg_of(figure)


def accuracy_against_cost(variants: Sequence[VariantResults]) -> str | None:
    """The test accuracy of each variant, with its interval, over the multiply-adds of its model (a logarithmic axis).

    Returns:
        The SVG text, or None where fewer than two unlike numbers of multiply-adds are known.
    """
    shown = [(v, v.multiply_adds) for v in variants if v.multiply_adds and "test_accuracy" in v.metrics]
    costs = [cost for _, cost in shown if cost > 0]
    if len(set(costs)) < 2 or len(costs) < len(shown):
        return None
    with figure_of(WIDTH, 3.4 + 0.12 * max(0, len(shown) - 8)) as (figure, axes):
        axes.set_xscale("log")
        for v, cost in shown:
            draw_point(axes, cost, v.metrics["test_accuracy"], look(v.index).color, label=v.name)
        # Wide enough for a round number on the axis.
        axes.set(xlim=(min(costs) / 1.8, max(costs) * 1.8), ymargin=0.14)
        axes.set(xlabel="multiply-adds for one image (logarithmic)", ylabel="test accuracy")
        in_percent(axes.yaxis)
        in_powers(axes.xaxis)
        add_names(figure, axes)
        return svg_of(figure)


def accuracy_against_images(results: Results) -> str | None:
    """The test accuracy over the number of training images (a logarithmic axis), a line for each group.

    A line has the look of its group's first variant, and each point the 95% interval of its mean over seeds.

    Returns:
        The SVG text, or None where fewer than two unlike numbers of images were learned from.
    """
    drawn = []
    for name, variants in results.learning_groups:
        points = [
            (results.training_images(v), v.metrics["test_accuracy"])
            for v in variants
            # Evidence may tell of no image at all, which has no place on a logarithmic axis.
            if "test_accuracy" in v.metrics and results.training_images(v) > 0
        ]
        if points:
            drawn.append((name or "others", line_look(variants), points))
    sizes = sorted({images for _, _, points in drawn for images, _ in points})
    if len(sizes) < 2:
        return None
    with figure_of(WIDTH, 3.3) as (figure, axes):
        axes.set_xscale("log")
        for name, style, points in drawn:
            draw_line(axes, [n for n, _ in points], [spread.mean for _, spread in points], style, name, markersize=0)
            for images, spread in points:
                draw_point(axes, images, spread, style.color, alpha=0.55)
        in_sizes(axes, sizes)
        axes.set(xlabel="training images (logarithmic)", ylabel="test accuracy", ymargin=0.08)
        in_percent(axes.yaxis)
        add_names(figure, axes)
        return svg_of(figure)


def line_look(variants: Sequence[VariantResults]) -> Look:
    """The look of the line through a group's variants: that of the first of them in the study."""
    return look(min(v.index for v in variants))


def gaps(variants: Sequence[VariantResults]) -> str | None:
    """From test to train accuracy: the longer the line, the more a variant knows by heart."""
    shown = [v for v in variants if "test_accuracy" in v.metrics and "train_accuracy" in v.metrics]
    if not shown:
        return None
    with figure_of_rows([v.name for v in shown]) as (figure, axes):
        for row, v in enumerate(shown):
            color = look(v.index).color
            test, train = v.metrics["test_accuracy"].mean, v.metrics["train_accuracy"].mean
            axes.plot([test, train], [row, row], color=color, linewidth=2.2)
            axes.plot([test], [row], "o", color=color, markersize=6.5)
            axes.plot([train], [row], "|", color=color, markersize=11, markeredgewidth=2.2)
            gap = f"{numbers.plain(train - test, 'share', digits=1)} points"
            axes.annotate(gap, ((test + train) / 2, row), (0, 6), textcoords="offset points", ha="center", fontsize=8)
        in_percent(axes.xaxis)
        axes.set(xlabel="from test accuracy (●) to train accuracy (|)", xmargin=0.1)
        return svg_of(figure)


def search(result: SearchResult, index: int) -> str | None:
    """The validation accuracy of each value tried, with its interval; the value chosen is filled."""
    if len(result.tries) < 2:
        return None
    values = [tried.value for tried in result.tries]
    places = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    color = look(index).color
    with figure_of(WIDTH, 2.4) as (figure, axes):
        if len(places) < len(values):
            places = [float(place) for place in range(len(values))]
        elif min(places) > 0 and max(places) / min(places) > 8:
            axes.set_xscale("log")
        means = [tried.validation_accuracy.mean for tried in result.tries]
        axes.plot(*zip(*sorted(zip(places, means, strict=True)), strict=True), color=color, linewidth=1, alpha=0.5)
        for place, tried in zip(places, result.tries, strict=True):
            filled = color if tried.value == result.chosen else "none"
            draw_point(axes, place, tried.validation_accuracy, color, markerfacecolor=filled)
        axes.set_xticks(places, [short(numbers.setting(v)) for v in values])
        axes.minorticks_off()
        axes.set(xlabel=short(numbers.field_title(result.field)), ylabel="validation accuracy")
        axes.margins(x=0.08, y=0.12)
        in_percent(axes.yaxis)
        return svg_of(figure)


def lines(exhibit: Lines) -> str:
    """The lines of an exhibit: a few points with their intervals, or a curve in a band. A marked point has a ring."""
    with figure_of(WIDTH, 3.3) as (figure, axes):
        if exhibit.x_axis == "logarithmic":
            axes.set_xscale("log")
        for index, line in enumerate(exhibit.lines):
            style = look(index if line.look is None else line.look)
            if line.dashed:
                style = dataclasses.replace(style, dash=(4, 2.5))
            _draw_spread(axes, line, style)
            if line.labels:
                _draw_labelled(axes, line, style)
                continue
            draw_line(axes, line.x, line.y, style, line.name, markersize=4.5)
            marked = [(line.x[place], line.y[place]) for place in line.marked]
            axes.plot(
                [x for x, _ in marked], [y for _, y in marked], "o",
                color=style.color, markerfacecolor="none", markersize=11, markeredgewidth=1.6,
            )  # fmt: skip
        if exhibit.x_axis == "linear" and all(x.is_integer() for line in exhibit.lines for x in line.x):
            axes.locator_params("x", integer=True)
        in_numbers(axes.xaxis)
        if exhibit.x_names:
            names = [short(name) for name in exhibit.x_names]
            axes.set_xticks(range(len(names)), names)
            if sum(map(len, names)) > _MOST_BESIDE:
                axes.tick_params("x", labelrotation=25)
                for label in axes.get_xticklabels():
                    label.set(ha="right", rotation_mode="anchor")
        if exhibit.y_unit == "share":
            in_percent(axes.yaxis)
        else:
            in_numbers(axes.yaxis)
        few = (
            any(line.labels for line in exhibit.lines) or max((len(line.x) for line in exhibit.lines), default=0) < 13
        )
        axes.set(xlabel=exhibit.x_label[:60], ylabel=exhibit.y_label[:40], xmargin=0.08 if few else 0.01)
        highest = max((y for line in exhibit.lines for y in (*line.y, *line.high)), default=0.0)
        if exhibit.y_from is not None and exhibit.y_from < highest:
            axes.set_ylim(exhibit.y_from, highest + 0.05 * (highest - exhibit.y_from))
        add_names(figure, axes)
        return svg_of(figure)


def _draw_labelled(axes: "Axes", line: Line, style: Look) -> None:
    """Points with their labels, of which the first is named in the list of names."""
    axes.plot(line.x, line.y, style.marker, color=style.color, markersize=4.5, label=short(line.name))
    for x, y, label in zip(line.x, line.y, line.labels, strict=True):
        axes.annotate(short(label), (x, y), (3, 3), textcoords="offset points", fontsize=7.5)


def _draw_spread(axes: "Axes", line: Line, style: Look) -> None:
    """The intervals of a few points, or the band around a curve."""
    if not line.low:
        return
    if len(line.x) < 13:
        axes.vlines(line.x, line.low, line.high, color=style.color, linewidth=2.2, alpha=0.55)
    else:
        axes.fill_between(line.x, line.low, line.high, color=style.color, alpha=0.18, linewidth=0)


def photograph_curve(curve: LearningCurve) -> str | None:
    """The accuracy after learning from ever more photographs (a logarithmic axis), and the law through the points.

    Beyond what was measured the law is dashed, to the hollow point of twice as many.

    Returns:
        The SVG text, or None where there are fewer than two points.
    """
    if len(curve.points) < 2:
        return None
    color, sizes, last = COLORS[0], [point.images for point in curve.points], curve.points[-1]
    with figure_of(WIDTH, 3.1) as (figure, axes):
        axes.set_xscale("log")
        for point in curve.points:
            axes.plot([point.images] * 2, [point.low, point.high], color=color, linewidth=2.2, alpha=0.55)
            axes.plot([point.images], [point.accuracy], "o", color=color, markersize=6)
        if curve.law is not None and curve.twice is not None:
            inside = np.geomspace(sizes[0], last.images, 60)
            beyond = np.geomspace(last.images, curve.twice.images, 20)
            # The prediction starts at what was measured, and the law need not pass through it.
            lift = last.accuracy - curve.law.at(last.images)
            axes.plot(inside, [curve.law.at(n) for n in inside], color=color, linewidth=1.2)
            dashed = [min(1.0, curve.law.at(n) + lift) for n in beyond]
            axes.plot(beyond, dashed, color=color, linewidth=1.2, dashes=(4, 2.5))
            twice, ends = curve.twice, [min(1.0, last.accuracy + gain) for gain in (curve.twice.low, curve.twice.high)]
            axes.plot([twice.images] * 2, ends, color=color, linewidth=2.2, alpha=0.3)
            axes.plot([twice.images], [twice.accuracy], "o", color=color, markerfacecolor="none", markersize=6.5)
            sizes.append(twice.images)
        in_sizes(axes, sizes, named=True)
        axes.set(xlabel=f"{curve.noun}s to learn from (logarithmic)", ylabel="validation accuracy", ymargin=0.08)
        in_percent(axes.yaxis)
        return svg_of(figure)


def matrix(exhibit: Matrix) -> str:
    """A matrix as a map of its values, with the numbers in it where there is room.

    Where rows and columns are the same classes, the diagonal is shaded by its share of the row, and the mistakes
    beside it on a scale of their own.
    """
    from matplotlib.patches import Rectangle

    rows, columns = len(exhibit.rows), len(exhibit.columns)
    labelled = max(rows, columns) <= _MOST_LABELLED
    row_names, column_names = [short(n) for n in exhibit.rows], [short(n) for n in exhibit.columns]
    widest = max(map(len, column_names), default=0)
    turned = labelled and widest > 4
    cell, letter = 0.46 if labelled else 5.0 / columns, 0.075
    width = columns * cell + 0.3 + (letter * max(map(len, row_names), default=1) if labelled else 0)
    height = rows * cell + 0.4 + (letter * widest if turned else 0)
    values = np.asarray(exhibit.values, np.float64).reshape(rows, columns)
    square = exhibit.rows == exhibit.columns
    apart = values * (1 - np.eye(rows)) if square else values
    largest = float(np.abs(apart).max(initial=0.0)) or 1.0
    with figure_of(max(width, 1.5), max(height, 1.0)) as (figure, axes):
        axes.grid(False)
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
        for row, column in np.ndindex(rows, columns):
            value, right = float(values[row, column]), square and row == column
            # A few mistakes among a thousand right answers would not be seen on one scale with them.
            share = abs(value) / (float(np.abs(values[row]).sum()) or 1.0) if right else abs(value) / largest
            shade = 0.85 * share if right else 0.08 + 0.7 * share
            if value:
                color = COLORS[0] if right or not square else COLORS[3]
                place = (column - 0.48, row - 0.48)
                axes.add_patch(Rectangle(place, 0.96, 0.96, facecolor=color, alpha=shade, linewidth=0))
            if labelled:
                # The cell lets the page through, so the page's ink is the one that is legible on it in light and dark.
                text = numbers.plain(value, "")
                axes.text(column, row, text, ha="center", va="center", fontsize=7.5, alpha=1 if value else 0.4)
        axes.xaxis.tick_top()
        axes.set_xticks(range(columns) if labelled else [], column_names if labelled else [], rotation=90 * turned)
        axes.set_yticks(range(rows) if labelled else [], row_names if labelled else [])
        axes.spines[:].set_visible(False)
        return svg_of(figure)

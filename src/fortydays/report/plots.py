"""Figures of a study as SVG text that can stand inside an HTML page, in light and in dark.

Ink is the page's own text color (``currentColor``) and the background is left out, so that one figure suits both.
The text stays text. The same results give the same bytes: no dates, and ids from a fixed salt.
"""

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.settings import keep_matplotlib_in_workspace
from fortydays.fit.learning_curve import LearningCurve
from fortydays.report import curves, numbers
from fortydays.report.palette import COLORS, Look, look
from fortydays.report.results import Results, VariantResults
from fortydays.study.document import SearchResult
from fortydays.study.exhibit_document import Lines, Matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 5.0
"""Inches; a page shows 96 pixels an inch, and a figure never wider than its column."""

MOST_POINTS_DRAWN = 400
MOST_LETTERS = 24
"""Longer names are cut: they would leave no room for what they name."""

MOST_LABELLED_CELLS = 20

# Stands for the page's text color while matplotlib draws, and is replaced in the finished file.
_INK = "#010203"

_SETTINGS: dict[str, Any] = {
    "svg.hashsalt": "fortydays",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": _INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}


def learning_curves(variants: Sequence[VariantResults], field: str) -> str | None:
    """A field of the history against training: each seed a thin line, the mean a thick one in a band.

    The band is one standard deviation over the seeds to each side.

    Args:
        variants: drawn together, each with its name at the end of its line.
        field: "validation_accuracy", "train_loss", ...

    Returns:
        The SVG text, or None where no trial has two points.
    """
    against = curves.axis(variants)
    found = [(v, curves.curve(v.finished, field, against=against)) for v in variants]
    drawn = [(v, c) for v, c in found if c is not None and len(c.x) and max(len(x) for x, _ in c.seeds) > 1]
    if not drawn:
        return None
    with _figure(WIDTH, 3.3) as figure:
        axes = figure.subplots()
        ends = []
        for v, curve in drawn:
            style = look(v.index)
            for x, y in curve.seeds:
                keep = _thinned(len(x))
                axes.plot(x[keep], y[keep], color=style.color, alpha=0.35, linewidth=0.7)
            keep = _thinned(len(curve.x))
            if curve.std is not None and len(curve.x) > 1:
                low, high = (curve.mean - curve.std)[keep], (curve.mean + curve.std)[keep]
                axes.fill_between(curve.x[keep], low, high, color=style.color, alpha=0.15, linewidth=0)
            marker = "o" if len(curve.x) < 13 else ""
            axes.plot(
                curve.x[keep], curve.mean[keep], color=style.color, dashes=style.dash, marker=marker, markersize=3
            )
            ends.append((float(curve.mean[-1]), v.name, style.color))
        axes.margins(x=0.01)
        axes.set_xlabel(f"{against}s of training")
        _thousands(axes.xaxis)
        if field.endswith("accuracy"):
            _percent(axes.yaxis)
            # Most of what there is to see lies above the first looks; these are cut off, not drawn small.
            axes.set_ylim(_floor_of_interest([c.mean for _, c in drawn]), None)
        else:
            axes.set_ylim(0, _ceiling_of_interest([c.mean for _, c in drawn]))
        _write_names(figure, axes, ends)
        return _svg(figure)


def accuracies(variants: Sequence[VariantResults]) -> str | None:
    """The test accuracy of each variant: a dot for the mean, a line for its interval, a faint dot for each seed."""
    shown = [v for v in variants if "test_accuracy" in v.metrics]
    if not shown:
        return None
    with _rows_figure([v.name for v in shown]) as (figure, axes):
        for row, v in enumerate(shown):
            color, spread = look(v.index).color, v.metrics["test_accuracy"]
            values = [value for t in v.finished if (value := t.metrics.get("test_accuracy")) is not None]
            axes.plot(values, [row + 0.22] * len(values), "o", color=color, alpha=0.45, markersize=3, linestyle="")
            if spread.low is not None and spread.high is not None:
                axes.plot([spread.low, spread.high], [row, row], color=color, linewidth=2.2)
            axes.plot([spread.mean], [row], "o", color=color, markersize=6.5)
        _percent(axes.xaxis)
        axes.margins(x=0.06)
        axes.set_xlabel("test accuracy")
        return _svg(figure)


def accuracy_against_cost(variants: Sequence[VariantResults]) -> str | None:
    """The test accuracy of each variant, with its interval, over the multiply-adds of its model (a logarithmic axis).

    Returns:
        The SVG text, or None where fewer than two unlike numbers of multiply-adds are known.
    """
    shown = [(v, v.multiply_adds) for v in variants if v.multiply_adds and "test_accuracy" in v.metrics]
    costs = [cost for _, cost in shown if cost > 0]
    if len(set(costs)) < 2 or len(costs) < len(shown):
        return None
    with _figure(WIDTH, 3.4 + 0.12 * max(0, len(shown) - 8)) as figure:
        axes = figure.subplots()
        axes.set_xscale("log")
        named = []
        for v, cost in shown:
            color, spread = look(v.index).color, v.metrics["test_accuracy"]
            if spread.low is not None and spread.high is not None:
                axes.plot([cost, cost], [spread.low, spread.high], color=color, linewidth=2.2)
            axes.plot([cost], [spread.mean], "o", color=color, markersize=6.5)
            named.append((spread.mean, v.name, color))
        # Wide enough for a round number on the axis.
        axes.set_xlim(min(costs) / 1.8, max(costs) * 1.8)
        axes.margins(y=0.14)
        axes.set_xlabel("multiply-adds for one image (logarithmic)")
        axes.set_ylabel("test accuracy")
        _percent(axes.yaxis)
        _powers(axes.xaxis)
        _write_names(figure, axes, named)
        return _svg(figure)


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
    with _figure(WIDTH, 3.3) as figure:
        axes = figure.subplots()
        axes.set_xscale("log")
        ends = []
        for name, style, points in drawn:
            images, means = [float(n) for n, _ in points], [spread.mean for _, spread in points]
            axes.plot(images, means, color=style.color, dashes=style.dash, linewidth=1.2)
            axes.plot(images, means, "o", color=style.color, markersize=6)
            for at, (_, spread) in zip(images, points, strict=True):
                if spread.low is not None and spread.high is not None:
                    axes.plot([at, at], [spread.low, spread.high], color=style.color, linewidth=2.2, alpha=0.55)
            ends.append((means[-1], name, style.color))
        axes.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
        axes.margins(y=0.08)
        axes.set_xlabel("training images (logarithmic)")
        axes.set_ylabel("test accuracy")
        _percent(axes.yaxis)
        _sizes(axes, sizes)
        _write_names(figure, axes, ends)
        return _svg(figure)


def line_look(variants: Sequence[VariantResults]) -> Look:
    """The look of the line through a group's variants: that of the first of them in the study."""
    return look(min(v.index for v in variants))


def _sizes(axes: "Axes", sizes: Sequence[int]) -> None:
    """Name the sizes themselves on a logarithmic axis, or round numbers where they stand too close to each other."""
    apart = np.diff(np.log(np.asarray(sizes, np.float64)))
    if apart.min() < apart.sum() / 5:
        _powers(axes.xaxis)
        return
    axes.set_xticks([float(size) for size in sizes], [f"{size:,}" for size in sizes])
    axes.minorticks_off()


def gaps(variants: Sequence[VariantResults]) -> str | None:
    """From test to train accuracy: the longer the line, the more a variant knows by heart."""
    shown = [v for v in variants if "test_accuracy" in v.metrics and "train_accuracy" in v.metrics]
    if not shown:
        return None
    with _rows_figure([v.name for v in shown]) as (figure, axes):
        for row, v in enumerate(shown):
            color = look(v.index).color
            test, train = v.metrics["test_accuracy"].mean, v.metrics["train_accuracy"].mean
            axes.plot([test, train], [row, row], color=color, linewidth=2.2)
            axes.plot([test], [row], "o", color=color, markersize=6.5)
            axes.plot([train], [row], "|", color=color, markersize=11, markeredgewidth=2.2)
            gap = f"{numbers.plain(train - test, 'share', digits=1)} points"
            axes.annotate(gap, ((test + train) / 2, row), (0, 6), textcoords="offset points", ha="center", fontsize=8)
        _percent(axes.xaxis)
        axes.margins(x=0.1)
        axes.set_xlabel("from test accuracy (●) to train accuracy (|)")
        return _svg(figure)


def search(result: SearchResult, index: int) -> str | None:
    """The validation accuracy of each value tried, with its interval; the value chosen is filled."""
    if len(result.tries) < 2:
        return None
    values = [tried.value for tried in result.tries]
    places = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    numeric = len(places) == len(values)
    color = look(index).color
    with _figure(WIDTH, 2.4) as figure:
        axes = figure.subplots()
        if not numeric:
            places = [float(place) for place in range(len(values))]
        elif min(places) > 0 and max(places) / min(places) > 8:
            axes.set_xscale("log")
        order = sorted(range(len(values)), key=lambda k: places[k])
        means = [tried.validation_accuracy.mean for tried in result.tries]
        axes.plot([places[k] for k in order], [means[k] for k in order], color=color, linewidth=1, alpha=0.5)
        for place, tried in zip(places, result.tries, strict=True):
            value, spread = tried.value, tried.validation_accuracy
            if spread.low is not None and spread.high is not None:
                axes.plot([place, place], [spread.low, spread.high], color=color, linewidth=2)
            filled = color if value == result.chosen else "none"
            axes.plot([place], [spread.mean], "o", color=color, markerfacecolor=filled, markersize=7)
        axes.set_xticks(places, [_short(numbers.setting(v)) for v in values])
        axes.minorticks_off()
        axes.set_xlabel(_short(numbers.field_title(result.field)))
        axes.set_ylabel("validation accuracy")
        axes.margins(x=0.08, y=0.12)
        _percent(axes.yaxis)
        return _svg(figure)


def lines(exhibit: Lines) -> str:
    """The lines of an exhibit, each with its name at its end."""
    with _figure(WIDTH, 3.3) as figure:
        axes = figure.subplots()
        ends = []
        for index, line in enumerate(exhibit.lines):
            style, keep = look(index), _thinned(len(line.x))
            x, y = np.asarray(line.x, np.float64), np.asarray(line.y, np.float64)
            marker = "o" if len(line.x) < 13 else ""
            axes.plot(x[keep], y[keep], color=style.color, dashes=style.dash, marker=marker, markersize=3)
            if len(line.x):
                ends.append((line.y[-1], line.name, style.color))
        axes.margins(x=0.01)
        axes.set_xlabel(exhibit.x_label[:60])
        axes.set_ylabel(exhibit.y_label[:40])
        _write_names(figure, axes, ends)
        return _svg(figure)


def photograph_curve(curve: LearningCurve) -> str | None:
    """The accuracy after learning from ever more photographs (a logarithmic axis), and the law through the points.

    Beyond what was measured the law is dashed, to the hollow point of twice as many.

    Returns:
        The SVG text, or None where there are fewer than two points.
    """
    if len(curve.points) < 2:
        return None
    color, sizes = COLORS[0], [float(point.images) for point in curve.points]
    with _figure(WIDTH, 3.1) as figure:
        axes = figure.subplots()
        axes.set_xscale("log")
        for point in curve.points:
            axes.plot([point.images] * 2, [point.low, point.high], color=color, linewidth=2.2, alpha=0.55)
        axes.plot(sizes, [point.accuracy for point in curve.points], "o", color=color, markersize=6)
        if curve.law is not None and curve.twice is not None:
            inside = np.geomspace(sizes[0], sizes[-1], 60)
            beyond = np.geomspace(sizes[-1], curve.twice.images, 20)
            # The prediction starts at what was measured, and the law need not pass through it.
            lift = curve.points[-1].accuracy - curve.law.at(sizes[-1])
            axes.plot(inside, [curve.law.at(n) for n in inside], color=color, linewidth=1.2)
            dashed = [min(1.0, curve.law.at(n) + lift) for n in beyond]
            axes.plot(beyond, dashed, color=color, linewidth=1.2, dashes=(4, 2.5))
            now = curve.points[-1].accuracy
            ends = [min(1.0, now + curve.twice.low), min(1.0, now + curve.twice.high)]
            axes.plot([curve.twice.images] * 2, ends, color=color, linewidth=2.2, alpha=0.3)
            axes.plot(
                [curve.twice.images], [curve.twice.accuracy], "o", color=color, markerfacecolor="none", markersize=6.5
            )
            sizes.append(float(curve.twice.images))
        axes.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
        axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        axes.minorticks_off()
        axes.margins(y=0.08)
        axes.set_xlabel("photographs to learn from (logarithmic)")
        axes.set_ylabel("validation accuracy")
        _percent(axes.yaxis)
        return _svg(figure)


def matrix(exhibit: Matrix) -> str:
    """A matrix as a map of its values, with the numbers in it where there is room.

    Where rows and columns are the same classes, the diagonal is shaded by its share of the row, and the mistakes
    beside it on a scale of their own.
    """
    rows, columns = len(exhibit.rows), len(exhibit.columns)
    labelled = max(rows, columns) <= MOST_LABELLED_CELLS
    cell = 0.46 if labelled else 5.0 / columns
    row_names, column_names = [_short(n) for n in exhibit.rows], [_short(n) for n in exhibit.columns]
    longest = max(map(len, row_names), default=1) if labelled else 0
    widest = max(map(len, column_names), default=0)
    turned_letters = widest if labelled and widest > 4 else 0
    width, height = (
        max(columns * cell + 0.3 + 0.075 * longest, 1.5),
        max(rows * cell + 0.4 + 0.075 * turned_letters, 1.0),
    )
    values = np.asarray(exhibit.values, np.float64).reshape(rows, columns)
    square = exhibit.rows == exhibit.columns
    apart = values * (1 - np.eye(rows)) if square else values
    largest = float(np.abs(apart).max(initial=0.0)) or 1.0
    with _figure(width, height) as figure:
        axes = figure.subplots()
        axes.grid(False)
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
        for row, column in np.ndindex(rows, columns):
            value, right = float(values[row, column]), square and row == column
            # A few mistakes among a thousand right answers would not be seen on one scale with them.
            share = abs(value) / (float(np.abs(values[row]).sum()) or 1.0) if right else abs(value) / largest
            shade = 0.85 * share if right else 0.08 + 0.7 * share
            if value:
                _cell(axes, row, column, COLORS[0] if right or not square else COLORS[3], shade)
            if labelled:
                # The cell lets the page through, so the page's ink is the one that is legible on it in light and dark.
                text = numbers.plain(value, "")
                axes.text(column, row, text, ha="center", va="center", fontsize=7.5, alpha=1 if value else 0.4)
        if labelled:
            axes.xaxis.tick_top()
            axes.set_xticks(range(columns), column_names, rotation=90 if turned_letters else 0)
            axes.set_yticks(range(rows), row_names)
        else:
            axes.set_xticks([])
            axes.set_yticks([])
        axes.spines[:].set_visible(False)
        return _svg(figure)


def _cell(axes: "Axes", row: int, column: int, color: str, shade: float) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=color, alpha=shade, linewidth=0))


def standalone(svg: str) -> str:
    """A figure as a file of its own, which brings the ink that a page would give it, for light and for dark."""
    ink = "<style>svg{color:#1d1f22}@media(prefers-color-scheme:dark){svg{color:#e4e4e1}}</style>"
    start = svg.index(">") + 1
    return f'<?xml version="1.0" encoding="utf-8"?>\n{svg[:start]}{ink}{svg[start:]}\n'


@contextmanager
def _figure(width: float, height: float) -> Iterator["Figure"]:
    """A figure without pyplot, which would keep it and ask for a display."""
    keep_matplotlib_in_workspace()
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS):  # type: ignore[arg-type]
        yield Figure(figsize=(width, height), layout="constrained", facecolor="none")


@contextmanager
def _rows_figure(names: Sequence[str]) -> "Iterator[tuple[Figure, Axes]]":
    """A figure with one row for each name, the first at the top."""
    with _figure(WIDTH, 0.85 + 0.4 * len(names)) as figure:
        axes = figure.subplots()
        axes.set_yticks(range(len(names)), [_short(name) for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(False, axis="y")
        axes.spines["left"].set_visible(False)
        yield figure, axes


def _svg(figure: "Figure") -> str:
    """The figure as an ``<svg>`` element: no XML prologue, no metadata, ink in the page's color."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    FigureCanvasSVG(figure)
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Letters that matplotlib's font lacks are only measured with it; the page shows them in a font that has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    # Its style element would reach beyond the figure, into the page around it.
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"


def _write_names(figure: "Figure", axes: "Axes", named: Sequence[tuple[float, str, str]]) -> None:
    """Write names right of the axes at the height of what they name, moved apart where they would overlap.

    Args:
        figure: of the axes.
        axes: with limits that stay as they are.
        named: height, name and color.
    """
    low, high = axes.get_ylim()
    inches = figure.get_figheight() - 0.6
    gap = (high - low) * 0.155 / inches
    placed = sorted(((min(max(y, low), high), name, color) for y, name, color in named), reverse=True)
    heights: list[float] = []
    for y, _, _ in placed:
        heights.append(min(y, heights[-1] - gap) if heights else y)
    # What was pushed below the axes moves all of them up.
    lift = max(0.0, low - min(heights, default=low))
    for height, (_, name, color) in zip(heights, placed, strict=True):
        axes.annotate(
            _short(name), (1, height + lift), (14, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
            va="center", fontsize=9.5, annotation_clip=False,
        )  # fmt: skip
        axes.annotate(
            "●", (1, height + lift), (4, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
            va="center", fontsize=8, color=color, annotation_clip=False,
        )  # fmt: skip


def _floor_of_interest(means: Sequence[NDArray[np.float64]]) -> float:
    """Where an accuracy axis begins: below every final value and most of the way there, but not at chance level."""
    final, top = min(float(m[-1]) for m in means), max(float(m.max()) for m in means)
    lowest = min(float(m.min()) for m in means)
    return max(lowest - 0.02 * (top - lowest), final - 4 * max(top - final, 0.05))


def _ceiling_of_interest(means: Sequence[NDArray[np.float64]]) -> float | None:
    """Where a loss axis ends, likewise."""
    final = max(float(m[-1]) for m in means)
    highest = max(float(m.max()) for m in means)
    ceiling = min(1.05 * highest, 4 * final)
    return ceiling if ceiling > 0 else None


def _thinned(count: int) -> NDArray[np.intp]:
    """Which points to draw: all, or evenly spaced ones with both ends where there are too many to see."""
    if count <= MOST_POINTS_DRAWN:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, MOST_POINTS_DRAWN).round().astype(np.intp))


def _percent(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def label(value: float, _position: int | None) -> str:
        places = axis.get_majorticklocs()
        step = 100 * abs(places[1] - places[0]) if len(places) > 1 else 1.0
        return f"{100 * value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}%"

    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(label))


def _thousands(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.set_major_locator(MaxNLocator(6, integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _powers(axis: Any) -> None:
    """Round numbers on a logarithmic axis of counts."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 1.7 else (1, 3) if decades < 3.4 else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: re.sub(r"\.0+ ", " ", numbers.large(round(value)))))

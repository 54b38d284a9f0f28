"""What the figures have in common: their looks, their axes, and how they become SVG text.

Ink is the page's own text color (``currentColor``) and the background is left out, so that one figure suits both light
and dark. The text stays text. The same results give the same bytes: no dates, and ids from a fixed salt.
"""

import io
import itertools
import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.settings import keep_matplotlib_in_workspace
from fortydays.base.text import printable
from fortydays.report import numbers
from fortydays.report.palette import Look
from fortydays.study.statistics import Interval

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 5.0
"""Inches; a page shows 96 pixels an inch, and a figure never wider than its column."""

_MOST_POINTS = 400
_MOST_LETTERS = 24
"""Longer names are cut: they would leave no room for what they name."""

_STYLE = Path(__file__).with_name("figures.mplstyle")
INK = "#010203"
"""Stands for the page's text color while matplotlib draws, and is replaced in the finished file."""


@contextmanager
def figure_of(width: float, height: float) -> Iterator[tuple["Figure", "Axes"]]:
    """A figure with one pair of axes; its size is in inches."""
    with panels_of(width, height, 1) as (figure, (axes,)):
        yield figure, axes


@contextmanager
def panels_of(width: float, height: float, count: int) -> Iterator[tuple["Figure", "list[Axes]"]]:
    """A figure with some axes beside each other, without pyplot, which would keep it and ask for a display."""
    keep_matplotlib_in_workspace()
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(fname=_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
        yield figure, list(figure.subplots(1, count, squeeze=False)[0])


@contextmanager
def figure_of_rows(names: Sequence[str]) -> "Iterator[tuple[Figure, Axes]]":
    """A figure with one row for each name, the first at the top."""
    with figure_of(WIDTH, 0.85 + 0.4 * len(names)) as (figure, axes):
        axes.set_yticks(range(len(names)), [short(name) for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(False, axis="y")
        axes.spines["left"].set_visible(False)
        yield figure, axes


def svg_of(figure: "Figure") -> str:
    """The figure as an ``<svg>`` element: no XML prologue, no metadata, ink in the page's color."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Letters that matplotlib's font lacks are only measured with it; the page shows them in a font that has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    # Its style element would reach beyond the figure, into the page around it.
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    # The page chooses the letters, and shows no more than hundredths of a point. Nothing refers to a group.
    text = text.replace(" font-family: 'DejaVu Sans', sans-serif;", "")
    text = re.sub(r'<g id="[^"]*"/>|(?<=<g) id="[^"]*"| transform="rotate\(-0 [^"]*\)"', "", text)
    text = re.sub(r'"[^"<>]*"', lambda quoted: re.sub(r"(\.\d\d)\d+", r"\1", quoted[0]), text)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def drawings(kind: str = "f") -> Callable[[str, str], "Markup"]:
    """What puts figures into a page: numbers them, so that the ids inside one do not meet those inside another.

    Args:
        kind: a letter for ids, another one for each caller whose figures meet on one page.

    Returns:
        A function of the SVG text and of what it shows, in words, for those who do not see it.
    """
    from markupsafe import Markup

    numbering = itertools.count(1)

    def drawing(svg: str, alt: str) -> "Markup":
        prefix = f"{kind}{next(numbering)}-"
        svg = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}\1"', svg)
        svg = re.sub(r"url\(#([^)]*)\)", rf"url(#{prefix}\1)", svg)
        svg = re.sub(r'xlink:href="#([^"]*)"', rf'href="#{prefix}\1"', svg)
        svg = re.sub(r'\s(?:xmlns(?::xlink)?|version)="[^"]*"', "", svg)
        label = Markup.escape(alt if isinstance(alt, Markup) else printable(alt))
        return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1))  # noqa: S704 - drawn by us

    return drawing


def short(name: str) -> str:
    """A name as a figure shows it: no longer than there is room for."""
    return name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"


def draw_line(
    axes: "Axes", x: Sequence[float] | NDArray[Any], y: Sequence[float] | NDArray[Any], style: Look, name: str,
    *, markersize: float = 3,
) -> None:  # fmt: skip
    """A line with a name, and with a dot for each point where there are few."""
    keep, marker = thinned(len(x)), style.marker if len(x) < 13 else ""
    axes.plot(
        np.asarray(x, np.float64)[keep], np.asarray(y, np.float64)[keep],
        color=style.color, dashes=style.dash, marker=marker, markersize=markersize, label=name,
    )  # fmt: skip


def draw_point(axes: "Axes", at: float, spread: Interval, color: str, *, alpha: float = 1.0, **options: Any) -> None:
    """A dot for a mean accuracy, on a line for its interval where it has one."""
    if spread.low is not None and spread.high is not None:
        axes.plot([at, at], np.clip([spread.low, spread.high], 0, 1), color=color, linewidth=2.2, alpha=alpha)
    axes.plot([at], [spread.mean], "o", color=color, markersize=6.5, **options)


def add_names(figure: "Figure", axes: "Axes") -> None:
    """A legend beside the axes, in the order of the ends of the lines."""
    handles = [line for line in axes.get_lines() if not re.fullmatch(r"_child\d+", str(line.get_label()))]
    handles.sort(key=lambda line: -float(np.asarray(line.get_ydata())[-1]) if np.size(line.get_xdata()) else math.inf)
    legend = figure.legend(handles, ["" for _ in handles], loc="outside right upper")
    for text, line in zip(legend.get_texts(), handles, strict=True):
        text.set_text(short(str(line.get_label())))  # not as a label, of which matplotlib hides some


def thinned(count: int) -> NDArray[np.intp]:
    """Which points to draw: all, or evenly spaced ones with both ends where there are too many to see."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(np.intp))


def in_percent(axis: Any) -> None:
    """Write the numbers of an axis as percent, all with the decimals that their distance needs."""

    def label(value: float, _position: int | None) -> str:
        places = axis.get_majorticklocs()
        step = 100 * abs(places[1] - places[0]) if len(places) > 1 else 1.0
        return f"{100 * value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}%"

    axis.get_major_locator().set_params(nbins=6, steps=[1, 2, 5, 10])
    axis.set_major_formatter(label)


def in_numbers(axis: Any) -> None:
    """Write the numbers of an axis as they are: powers of ten on a logarithmic one."""
    if axis.get_scale() == "log":
        axis.axes.minorticks_off()
    axis.set_major_formatter(lambda value, _: f"{value:,.6g}")


def in_sizes(axes: "Axes", sizes: Sequence[int], *, named: bool = False) -> None:
    """Name the sizes themselves on a logarithmic axis, or round numbers where they stand too close to each other."""
    axes.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
    apart = np.diff(np.log(np.asarray(sizes, np.float64)))
    if not named and apart.min() < apart.sum() / 5:
        in_powers(axes.xaxis)
        return
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()


def in_powers(axis: Any) -> None:
    """Round numbers on a logarithmic axis of counts."""
    from matplotlib.ticker import LogLocator

    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 1.7 else (1, 3) if decades < 3.4 else (1,)))
    axis.axes.minorticks_off()
    axis.set_major_formatter(lambda value, _: re.sub(r"\.0+ ", " ", numbers.large(round(value))))

"""The figure of day 12's notes: a plain block and a residual one."""

from typing import TYPE_CHECKING

from fortydays.report.drawing import INK, figure_of, svg_of
from fortydays.report.palette import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LAYERS = (("convolution 3 × 3", "normalization", "ReLU"), ("convolution 3 × 3", "normalization"))
"""What the two boxes of a block hold, from below."""

_BOX = 2.6
_SUM = 4.55


def _box(axes: "Axes", x: float, y: float, words: tuple[str, ...]) -> None:
    from matplotlib.patches import Rectangle

    height = 0.42 * len(words)
    axes.add_patch(Rectangle((x - _BOX / 2, y), _BOX, height, facecolor=COLORS[5], edgecolor=INK, alpha=0.35))
    for place, word in enumerate(words):
        axes.text(x, y + 0.42 * (place + 0.5), word, ha="center", va="center", fontsize=8)


def _arrow(axes: "Axes", x: float, low: float, high: float) -> None:
    axes.annotate("", (x, high), (x, low), arrowprops={"arrowstyle": "->", "color": INK})


def _block(axes: "Axes", x: float, name: str, *, shortcut: bool) -> None:
    axes.text(x, -0.5, "x", ha="center", va="center", style="italic")
    _arrow(axes, x, -0.25, 0.6)
    _box(axes, x, 0.6, LAYERS[0])
    _arrow(axes, x, 1.86, 2.5)
    _box(axes, x, 2.5, LAYERS[1])
    if shortcut:
        _arrow(axes, x, 3.34, _SUM - 0.2)
        axes.plot([x], [_SUM], "o", markersize=14, markerfacecolor="none", markeredgecolor=COLORS[3])
        axes.text(x, _SUM, "+", ha="center", va="center", color=COLORS[3])
        aside = x + _BOX / 2 + 0.55
        axes.plot([x, aside, aside], [0.15, 0.15, _SUM], color=COLORS[3], linewidth=1.8)
        axes.annotate("", (x + 0.25, _SUM), (aside, _SUM), arrowprops={"arrowstyle": "->", "color": COLORS[3]})
        axes.text(aside + 0.12, 2.3, "shortcut", color=COLORS[3], va="center")
        axes.text(x - _BOX / 2 - 0.15, 2.2, "F(x)", ha="right", va="center")
        _arrow(axes, x, _SUM + 0.22, 5.15)
    else:
        _arrow(axes, x, 3.34, 5.15)
    axes.text(x, 5.35, "ReLU", ha="center", va="center", fontsize=8)
    axes.text(x, 6.05, name, ha="center", va="center", fontweight="bold")


def blocks() -> str:
    """The same two convolutions in a row, and beside a shortcut that is added to what they give."""
    with figure_of(5.4, 3.6) as (figure, axes):
        _block(axes, 0.0, "plain block", shortcut=False)
        _block(axes, 4.6, "residual block", shortcut=True)
        axes.set(xlim=(-1.6, 8.1), ylim=(-0.8, 6.4))
        axes.axis("off")
        return svg_of(figure)

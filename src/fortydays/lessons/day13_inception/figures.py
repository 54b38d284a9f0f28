"""The figure of day 13's notes: the four paths of an inception module."""

from typing import TYPE_CHECKING

from fortydays.report.drawing import INK, figure_of, svg_of
from fortydays.report.palette import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PATHS = (("1 × 1",), ("1 × 1", "3 × 3"), ("1 × 1", "5 × 5"), ("pooling 3 × 3", "1 × 1"))
"""The layers of each path, from below. What saves arithmetic is a 1 x 1 convolution before a larger window."""

_WIDTH, _HEIGHT, _APART = 1.7, 0.6, 2.1
_LOW, _HIGH, _JOINED = 1.4, 2.8, 4.2
_MIDDLE = 1.5 * _APART


def _box(axes: "Axes", x: float, y: float, words: str, color: str, *, width: float = _WIDTH) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x - width / 2, y), width, _HEIGHT, facecolor=color, edgecolor=INK, alpha=0.35))
    axes.text(x, y + _HEIGHT / 2, words, ha="center", va="center", fontsize=8)


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 0.8})


def module() -> str:
    """One box for each layer; the maps of all paths are put behind each other at the top."""
    with figure_of(5.4, 3.2) as (figure, axes):
        _box(axes, _MIDDLE, 0, "maps of the layer before", COLORS[6], width=4.4)
        _box(axes, _MIDDLE, _JOINED, "maps of all four paths, behind each other", COLORS[6], width=3 * _APART + _WIDTH)
        for place, names in enumerate(PATHS):
            x = place * _APART
            heights = (_LOW, _HIGH) if len(names) == 2 else ((_LOW + _HIGH) / 2,)
            for name, y in zip(names, heights, strict=True):
                saves = name == "1 × 1" and len(names) == 2 and y == _LOW
                _box(axes, x, y, name, COLORS[1] if saves else COLORS[5])
            _arrow(axes, (_MIDDLE + 0.25 * (x - _MIDDLE), _HEIGHT), (x, heights[0]))
            if len(names) == 2:
                _arrow(axes, (x, _LOW + _HEIGHT), (x, _HIGH))
            _arrow(axes, (x, heights[-1] + _HEIGHT), (x, _JOINED))
        axes.set(xlim=(-1.1, 3 * _APART + 1.1), ylim=(-0.2, _JOINED + _HEIGHT + 0.2))
        axes.axis("off")
        return svg_of(figure)

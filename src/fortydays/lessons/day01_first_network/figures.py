"""The figure of day 1's notes: the network and what flows through it."""

import itertools

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

COLUMNS = (("784 pixels", 9, INK), ("128 hidden units", 6, COLORS[0]), ("10 digits", 4, COLORS[3]))
"""Of each layer its name, how many circles stand for its numbers, and their color."""


def network() -> str:
    """Circles for numbers and lines for weights; only a few of each."""
    with panels_of(5.0, 2.6, 1) as (figure, (axes,)):
        layers = [[(2.0 * x, (count - 1) / 2 - i) for i in range(count)] for x, (_, count, _) in enumerate(COLUMNS)]
        for before, after in itertools.pairwise(layers):
            for x0, y0 in before:
                for x1, y1 in after:
                    axes.plot([x0, x1], [y0, y1], color=INK, linewidth=0.5, alpha=0.3)
        for places, (name, count, color) in zip(layers, COLUMNS, strict=True):
            axes.plot(*zip(*places, strict=True), "o", color=color, markersize=9)
            axes.text(places[0][0], -count / 2 - 0.6, name, ha="center", va="top")
        for x, weights in ((1.0, "W₁, b₁"), (3.0, "W₂, b₂")):
            axes.text(x, 4.3, weights, ha="center", va="bottom")
        axes.set(xlim=(-0.8, 4.8), ylim=(-5.8, 5.2))
        axes.axis("off")
        return svg_of(figure)

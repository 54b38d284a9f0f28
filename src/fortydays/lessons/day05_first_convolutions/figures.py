"""The figure of day 5's notes: a window that slides over an image."""

import numpy as np

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

SIDE, WINDOW = 6, 3
PLACES = ((0, 0), (1, 2))
"""Row and column of two outputs, whose windows are drawn."""


def sliding() -> str:
    """The squares of an image with two windows in it, and the two outputs that they give."""
    with panels_of(5.2, 2.6, 2) as (figure, panels):
        for axes, side, title in zip(panels, (SIDE, SIDE - WINDOW + 1), ("image", "feature map"), strict=True):
            for at in np.arange(side + 1):
                axes.plot([0, side], [at, at], color=INK, linewidth=0.6, alpha=0.4)
                axes.plot([at, at], [0, side], color=INK, linewidth=0.6, alpha=0.4)
            for color, (row, column) in zip((COLORS[0], COLORS[3]), PLACES, strict=True):
                size = WINDOW if side == SIDE else 1
                x, y = [column, column + size, column + size, column], [row, row, row + size, row + size]
                axes.fill(x, y, color=color, alpha=0.35)
                axes.plot([*x, x[0]], [*y, y[0]], color=color)
            # Both have squares of one size; the feature map stands in the middle of its own panel.
            edge = (SIDE - side) / 2
            axes.set(xlim=(-edge - 0.1, side + edge + 0.1), ylim=(side + edge + 0.1, -edge - 0.1), aspect="equal")
            axes.set_title(title)
            axes.axis("off")
        return svg_of(figure)

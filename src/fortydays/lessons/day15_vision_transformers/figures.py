"""The figure of day 15's notes: an image becomes rows of numbers, and each row looks at all of them."""

from fortydays.report.drawing import INK, figure_of, svg_of
from fortydays.report.palette import COLORS

SIDE = 4
"""Patches on a side of the drawn image; the study has 8."""

ASKING = (1, 2)
"""Row and column of the patch that asks."""


def patches_and_places() -> str:
    """A small image cut into patches, and the same patches one below the other; one of them looks at all."""
    places = SIDE * SIDE
    with figure_of(5.4, 2.8) as (figure, axes):
        asking = ASKING[0] * SIDE + ASKING[1]
        for place in range(places):
            row, column = divmod(place, SIDE)
            color, alpha = (COLORS[0], 0.9) if place == asking else (INK, 0.12)
            x, y = [column, column + 0.92, column + 0.92, column], [row, row, row + 0.92, row + 0.92]
            axes.fill(x, y, color=color, alpha=alpha)
            height = SIDE * place / places
            for left, name in ((6.0, "rows"), (9.6, "places")):
                edge = [left, left + 1.3, left + 1.3, left]
                level = [height, height, height + 0.19, height + 0.19]
                marked = place == asking or name == "places"
                axes.fill(edge, level, color=COLORS[0] if marked else INK, alpha=alpha if name == "rows" else 0.35)
            middle = SIDE * asking / places + 0.1
            axes.plot([7.35, 9.55], [middle, height + 0.1], color=COLORS[0], linewidth=0.8, alpha=0.6)
        axes.annotate(
            "",
            xy=(5.9, SIDE * asking / places + 0.1),
            xytext=(ASKING[1] + 0.95, ASKING[0] + 0.46),
            arrowprops={"arrowstyle": "->", "color": COLORS[0]},
        )
        for at, name in ((2.0, "patches"), (6.65, "a row of numbers each"), (10.25, "one looks at all")):
            axes.text(at, -0.35, name, ha="center", va="bottom")
        axes.set(xlim=(-0.2, 11.9), ylim=(SIDE + 0.1, -0.9))
        axes.axis("off")
        return svg_of(figure)

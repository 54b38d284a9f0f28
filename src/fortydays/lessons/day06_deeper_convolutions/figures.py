"""The figure of day 6's notes: what one number sees after two convolutions."""

from fortydays.report.drawing import INK, figure_of, svg_of
from fortydays.report.palette import COLORS

ROWS = ((0, 7, "input"), (1, 5, "after 3 × 3"), (2, 3, "after another 3 × 3"))
"""Of each row of numbers its height, how many are drawn, and its name."""


def receptive_field() -> str:
    """One row of an image from the side: each number depends on three of the row below it."""
    with figure_of(5.4, 2.2) as (figure, axes):
        for height, count, name in ROWS:
            for i in range(-(count // 2), count // 2 + 1):
                seen = abs(i) <= 2 - height
                axes.plot(
                    [i], [height], "s", color=COLORS[0] if seen else INK, alpha=1 if seen else 0.25, markersize=13
                )
                if height and seen:
                    for below in (-1, 0, 1):
                        axes.plot(
                            [i, i + below], [height - 0.2, height - 0.8], color=COLORS[0], linewidth=0.9, alpha=0.6
                        )
            axes.text(3.8, height, name, va="center")
        axes.set(xlim=(-3.6, 7.2), ylim=(-0.4, 2.4))
        axes.axis("off")
        return svg_of(figure)

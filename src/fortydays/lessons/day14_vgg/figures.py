"""The figure of day 14's notes: two windows of 3 x 3, one behind the other, see 5 x 5 pixels."""

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

SIDES = {"image": 5, "after the first 3 × 3": 3, "after the second": 1}
"""How many numbers the last one depends on, each way, in the image and behind each convolution."""


def two_windows() -> str:
    """The numbers that the last one depends on, from above. One window of each convolution is filled."""
    from matplotlib.patches import Rectangle

    with panels_of(6.0, 2.3, 3) as (figure, panels):
        for axes, (name, side) in zip(panels, SIDES.items(), strict=True):
            low = (5 - side) / 2
            for row in range(side):
                for column in range(side):
                    first = side == 5 and row < 3 and column < 3
                    result = side == 3 and row == column == 0
                    axes.add_patch(
                        Rectangle(
                            (low + column, low + side - 1 - row),
                            1,
                            1,
                            facecolor=COLORS[0] if first or result else COLORS[1] if side < 5 else "none",
                            alpha=0.55 if first or result else 0.3 if side == 3 else 0.7,
                            edgecolor=INK,
                            linewidth=0.8,
                        )
                    )
            axes.text(2.5, -0.7, name, ha="center", va="center", fontsize=8)
            axes.set(xlim=(-0.2, 5.2), ylim=(-1.1, 5.2), aspect="equal")
            axes.axis("off")
        return svg_of(figure)

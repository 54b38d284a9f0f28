"""The figure of day 9's notes: which part is taken over, and which part learns."""

from fortydays.report.drawing import INK, figure_of, svg_of
from fortydays.report.palette import COLORS

PARTS = (
    ("image", "96 × 96 × 3", None),
    ("MobileNetV2", "fixed, from ImageNet", COLORS[6]),
    ("features", "1,280 numbers", None),
    ("linear head", "the part that learns", COLORS[2]),
    ("probabilities", "10 classes", None),
)
"""Of each part its name, what is said of it, and the color of its box; what flows between the boxes has none."""


def transfer() -> str:
    """Two boxes, and what flows into them and out of them."""
    with figure_of(7.0, 1.1) as (figure, axes):
        for place, (name, said, color) in enumerate(PARTS):
            if color is not None:
                x = [place - 0.44, place + 0.44, place + 0.44, place - 0.44]
                axes.fill(x, [-0.55, -0.55, 0.55, 0.55], color=color, alpha=0.3)
            axes.text(place, 0.15, name, ha="center", va="center")
            axes.text(place, -0.25, said, ha="center", va="center", fontsize=7)
            if place:
                arrow = {"arrowstyle": "->", "color": INK}
                axes.annotate("", xy=(place - 0.46, 0), xytext=(place - 0.56, 0), arrowprops=arrow)
        axes.set(xlim=(-0.5, 4.5), ylim=(-0.65, 0.65))
        axes.axis("off")
        return svg_of(figure)

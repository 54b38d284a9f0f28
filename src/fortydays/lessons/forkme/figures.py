"""The figure of day NN's notes: what ReLU makes of a number."""

from fortydays.report.drawing import figure_of, svg_of
from fortydays.report.palette import COLORS


def relu() -> str:
    """The line of max(0, z)."""
    with figure_of(4.0, 2.4) as (figure, axes):
        axes.plot([-2, 0, 2], [0, 0, 2], color=COLORS[0], linewidth=2)
        axes.set(xlabel="z", ylabel="max(0, z)", xlim=(-2, 2))
        return svg_of(figure)

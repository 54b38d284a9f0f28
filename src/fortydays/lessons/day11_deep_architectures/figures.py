"""The figure of day 11's notes: what is left of a gradient that each layer multiplies."""

import numpy as np

from fortydays.report.drawing import figure_of, svg_of
from fortydays.report.palette import COLORS

FACTORS = (0.25, 0.5, 0.9, 1.1)


def left_after_layers() -> str:
    """One line for each factor, over the number of layers; a logarithmic axis makes them straight."""
    layers = np.arange(41)
    with figure_of(5.2, 3.0) as (figure, axes):
        for color, factor in zip(COLORS, FACTORS, strict=False):
            axes.semilogy(layers, factor**layers, color=color, linewidth=2)
            axes.text(40.6, factor**40.0, f"{factor:g}", color=color, va="center")
        axes.set(xlabel="layers", ylabel="what is left", xlim=(0, 44), ylim=(1e-26, 1e4))
        return svg_of(figure)

"""The figure of day 2's notes: the activations and their slopes."""

import numpy as np

from fortydays.report.drawing import draw_line, panels_of, svg_of
from fortydays.report.palette import look


def activations() -> str:
    """Four activation functions, and their slopes beside them."""
    from scipy.stats import norm

    z = np.linspace(-4, 4, 161)
    sigmoid, tanh = 1 / (1 + np.exp(-z)), np.tanh(z)
    curves = {
        "sigmoid": (sigmoid, sigmoid * (1 - sigmoid)),
        "tanh": (tanh, 1 - tanh**2),
        "ReLU": (np.maximum(0, z), np.heaviside(z, 0)),
        "GELU": (z * norm.cdf(z), norm.cdf(z) + z * norm.pdf(z)),
    }
    with panels_of(6.6, 2.7, 2) as (figure, panels):
        for axes, which, title in zip(panels, (0, 1), ("activation", "its slope"), strict=True):
            for index, (name, both) in enumerate(curves.items()):
                draw_line(axes, z, both[which], look(index), name)
            axes.set(title=title, xlabel="z")
        panels[0].set_ylim(-1.3, 3)
        panels[0].legend(loc="upper left")
        return svg_of(figure)

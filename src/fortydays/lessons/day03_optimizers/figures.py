"""The figure of day 3's notes: four optimizers on their way down a valley."""

import numpy as np
from numpy.typing import NDArray

from fortydays.report.drawing import INK, draw_line, figure_of, svg_of
from fortydays.report.palette import look

STEEPNESS = np.array([1.0, 25.0])
START = np.array([-4.0, 1.0])
RATES = {"SGD": 0.07, "momentum": 0.015, "RMSProp": 0.15, "Adam": 0.3}


def _path(optimizer: str, steps: int = 40) -> NDArray[np.float64]:
    """The places of the two weights after each step, of shape (steps + 1, 2); the loss is half of Σ steepness · w²."""
    w, rate = START, RATES[optimizer]
    mean, square = np.zeros(2), np.zeros(2)
    places = [w]
    for t in range(1, steps + 1):
        g = STEEPNESS * w
        if optimizer == "SGD":
            w = w - rate * g
        elif optimizer == "momentum":
            mean = 0.9 * mean - rate * g
            w = w + mean
        elif optimizer == "RMSProp":
            square = 0.9 * square + 0.1 * g**2
            w = w - rate * g / np.sqrt(square + 1e-7)
        else:
            mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
            w = w - rate * mean / (1 - 0.9**t) / (np.sqrt(square / (1 - 0.999**t)) + 1e-7)
        places.append(w)
    return np.array(places)


def valley() -> str:
    """Lines of equal loss, and the ways of the four from one place."""
    x, y = np.meshgrid(np.linspace(-4.6, 1.6, 80), np.linspace(-1.3, 1.3, 60))
    with figure_of(6.0, 2.8) as (figure, axes):
        loss = (STEEPNESS[0] * x**2 + STEEPNESS[1] * y**2) / 2
        axes.contour(x, y, loss, levels=[0.3, 1.5, 4, 8, 14, 20], colors=[INK], alpha=0.25, linewidths=0.7)
        for index, name in enumerate(RATES):
            way = _path(name)
            draw_line(axes, way[:, 0], way[:, 1], look(index), name)
        axes.plot([0], [0], "x", color=INK)
        axes.set(xlabel="w₁, along which the loss is flat", ylabel="w₂, steep", xlim=(-4.6, 1.6), ylim=(-1.3, 1.3))
        axes.grid(visible=False)
        axes.legend(loc="upper right")
        return svg_of(figure)

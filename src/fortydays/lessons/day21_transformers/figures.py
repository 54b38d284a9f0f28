"""The figures of day 21's notes: one block of a transformer, and what sinusoidal positions look like."""

import numpy as np

from fortydays.report.drawing import INK, figure_of, panels_of, svg_of
from fortydays.report.palette import COLORS

PARTS = (
    ("words + positions", 3),
    ("self-attention", 0),
    ("add, normalize", 2),
    ("two dense layers", 0),
    ("add, normalize", 2),
    ("mean, answer", 3),
)


def block() -> str:
    """The parts of the network from left to right, with the two ways around that are added."""
    with panels_of(6.4, 2.0, 1) as (figure, panels):
        (axes,) = panels
        for place, (name, color) in enumerate(PARTS):
            x = 1.4 * place
            axes.fill([x, x + 1.1, x + 1.1, x], [0, 0, 0.8, 0.8], color=COLORS[color], alpha=0.3)
            axes.plot([x, x + 1.1, x + 1.1, x, x], [0, 0, 0.8, 0.8, 0], color=COLORS[color])
            axes.text(x + 0.55, 0.4, name.replace(" ", "\n"), ha="center", va="center", fontsize=7.5)
            if place:
                axes.annotate("", (x, 0.4), (x - 0.3, 0.4), arrowprops={"arrowstyle": "->", "color": INK})
        for start in (1.25, 4.05):
            axes.plot([start, start], [0.4, 1.2], color=INK, linewidth=1)
            axes.plot([start, start + 2.1], [1.2, 1.2], color=INK, linewidth=1)
            axes.annotate("", (start + 2.1, 0.8), (start + 2.1, 1.2), arrowprops={"arrowstyle": "->", "color": INK})
        axes.set(xlim=(-0.1, 8.3), ylim=(-0.2, 1.4))
        axes.axis("off")
        return svg_of(figure)


def waves() -> str:
    """Three of the sines over the places of a text: a fast one, a slower one, and one that hardly turns."""
    with figure_of(6.0, 2.2) as (figure, axes):
        places = np.arange(1, 101)
        for wave, color, name_at in ((16, 3, 0.84), (0, 0, -0.3), (8, 1, -0.7)):
            axes.plot(places, np.sin(places * 10_000.0 ** (-wave / 32)), color=COLORS[color], linewidth=1.2)
            axes.text(102, name_at, f"i = {wave}", ha="left", va="center", color=COLORS[color])
        axes.set(xlabel="place of the word", ylabel="number added", xlim=(0, 116), ylim=(-1.1, 1.1))
        return svg_of(figure)

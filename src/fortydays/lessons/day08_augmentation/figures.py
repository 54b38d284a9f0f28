"""The figure of day 8's notes: what the changes do to a picture."""

import numpy as np

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

LETTER = np.array([(0, 0), (0, 5), (3, 5), (3, 4), (1, 4), (1, 3), (2, 3), (2, 2), (1, 2), (1, 0)]) - (1.5, 2.5)
"""The corners of an F, which is like none of its mirror images."""


def changes() -> str:
    """An F as it is, mirrored, shifted, rotated, zoomed, and with a part hidden."""
    turn = np.radians(20)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shown = {
        "as it is": LETTER,
        "flip": LETTER * (-1, 1),
        "shift": LETTER + np.array([1.2, -0.8]),
        "rotation": LETTER @ rotation.T,
        "zoom": LETTER * 1.25,
        "cutout": LETTER,
    }
    with panels_of(6.6, 1.6, len(shown)) as (figure, panels):
        for axes, (name, corners) in zip(panels, shown.items(), strict=True):
            axes.fill(corners[:, 0], corners[:, 1], color=COLORS[0])
            if name == "cutout":
                axes.fill([-1.6, 0.6, 0.6, -1.6], [-1.2, -1.2, 1.0, 1.0], color=COLORS[6])
            axes.plot([-4, 4, 4, -4, -4], [-4, -4, 4, 4, -4], color=INK, linewidth=0.8, alpha=0.5)
            axes.set(xlim=(-4.2, 4.2), ylim=(-4.2, 4.2), aspect="equal", title=name)
            axes.axis("off")
        return svg_of(figure)

"""The figure of day 4's notes: what dropout does in a step, and what it does not do in use."""

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

SIZES = (4, 5, 3)
DROPPED = {(1, 1), (1, 3)}
"""Layer and place of the hidden units that are left out in the step that is drawn."""


def dropout() -> str:
    """A small network in a training step, two of its hidden units left out, and the same network in use."""
    with panels_of(6.4, 2.4, 2) as (figure, panels):
        for axes, dropped, title in zip(panels, (DROPPED, set()), ("in a training step", "in use"), strict=True):
            places = {
                (layer, i): (1.6 * layer, (count - 1) / 2 - i)
                for layer, count in enumerate(SIZES)
                for i in range(count)
            }
            kept = {key: place for key, place in places.items() if key not in dropped}
            for (layer, _), (x0, y0) in kept.items():
                for (other, _), (x1, y1) in kept.items():
                    if other == layer + 1:
                        axes.plot([x0, x1], [y0, y1], color=INK, linewidth=0.6, alpha=0.35)
            for (layer, i), (x, y) in places.items():
                out = (layer, i) in dropped
                axes.plot([x], [y], "x" if out else "o", color=COLORS[3] if out else COLORS[0], markersize=9)
            axes.set(xlim=(-0.5, 3.7), ylim=(-2.6, 2.6), title=title)
            axes.axis("off")
        return svg_of(figure)

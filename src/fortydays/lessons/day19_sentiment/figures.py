"""The figure of day 19's notes: the way from a text to a verdict, and back to whoever is responsible for it."""

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

STEPS = ("train", "register", "promote", "serve", "ask")


def pipeline() -> str:
    """The steps of a pipeline as boxes in a row, and an arrow back from what is asked to the training."""
    with panels_of(6.4, 2.0, 1) as (figure, panels):
        (axes,) = panels
        arrow = {"arrowstyle": "->", "color": INK}
        for place, step in enumerate(STEPS):
            x = 1.9 * place
            axes.fill([x, x + 1.4, x + 1.4, x], [0, 0, 0.8, 0.8], color=COLORS[0], alpha=0.35)
            axes.plot([x, x + 1.4, x + 1.4, x, x], [0, 0, 0.8, 0.8, 0], color=COLORS[0])
            axes.text(x + 0.7, 0.4, step, ha="center", va="center")
            if place + 1 < len(STEPS):
                axes.annotate("", (x + 1.9, 0.4), (x + 1.4, 0.4), arrowprops=arrow)
        last = 1.9 * (len(STEPS) - 1) + 0.7
        axes.plot([last, last, 0.7], [0, -0.8, -0.8], color=COLORS[3])
        axes.annotate("", (0.7, 0), (0.7, -0.82), arrowprops={"arrowstyle": "->", "color": COLORS[3]})
        axes.text(last / 2 + 0.35, -0.72, "where is it wrong?", ha="center", va="bottom", color=COLORS[3])
        axes.set(xlim=(-0.3, last + 1.1), ylim=(-1.1, 1.1))
        axes.axis("off")
        return svg_of(figure)

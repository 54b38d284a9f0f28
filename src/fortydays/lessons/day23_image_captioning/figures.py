"""The figure of day 23's notes: a photograph becomes a vector, and an LSTM writes one word after the other."""

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

READ = ("START", "a", "dog", "runs")
WRITTEN = ("a", "dog", "runs", "END")


def written() -> str:
    """An encoder gives the first state; each word that is written is read at the next step."""
    with panels_of(6.4, 3.0, 1) as (figure, panels):
        (axes,) = panels
        arrow = {"arrowstyle": "->", "color": INK}
        for x, width, words, color in ((-3.6, 1.2, "photograph", COLORS[3]), (-1.9, 1.1, "encoder", COLORS[1])):
            axes.fill([x, x + width, x + width, x], [0, 0, 0.7, 0.7], color=color, alpha=0.35)
            axes.text(x + width / 2, 0.35, words, ha="center", va="center")
        axes.annotate("", (-1.9, 0.35), (-2.4, 0.35), arrowprops=arrow)
        for place, (said, answer) in enumerate(zip(READ, WRITTEN, strict=True)):
            x = 1.5 * place
            axes.annotate("", (x, 0.35), (x - 0.7 if place else -0.8, 0.35), arrowprops=arrow)
            axes.fill([x, x + 0.8, x + 0.8, x], [0, 0, 0.7, 0.7], color=COLORS[0], alpha=0.35)
            axes.plot([x, x + 0.8, x + 0.8, x, x], [0, 0, 0.7, 0.7, 0], color=COLORS[0])
            axes.text(x + 0.4, 0.35, "LSTM", ha="center", va="center")
            axes.text(x + 0.4, -0.8, said, ha="center", va="center")
            axes.text(x + 0.4, 1.5, answer, ha="center", va="center", color=COLORS[1])
            axes.annotate("", (x + 0.4, 0), (x + 0.4, -0.6), arrowprops=arrow)
            axes.annotate("", (x + 0.4, 1.3), (x + 0.4, 0.7), arrowprops=arrow)
            if place + 1 < len(READ):
                down = {"arrowstyle": "->", "color": COLORS[1], "linestyle": "--"}
                axes.annotate("", (x + 1.6, -0.6), (x + 0.7, 1.35), arrowprops=down)
        axes.text(-0.4, 0.6, "h, c", ha="center", va="center")
        axes.set(xlim=(-3.8, 5.6), ylim=(-1.1, 1.9))
        axes.axis("off")
        return svg_of(figure)

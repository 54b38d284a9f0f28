"""The figure of day 16's notes: a recurrent network, unrolled over the words of a text."""

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

WORDS = ("what", "a", "great", "film")


def unrolled() -> str:
    """A box for each word, with the state that goes from one to the next and the answer behind the last."""
    with panels_of(6.4, 2.4, 1) as (figure, panels):
        (axes,) = panels
        arrow = {"arrowstyle": "->", "color": INK}
        for place, word in enumerate(WORDS):
            x = 1.6 * place
            axes.fill([x, x + 1, x + 1, x], [0, 0, 0.7, 0.7], color=COLORS[0], alpha=0.35)
            axes.plot([x, x + 1, x + 1, x, x], [0, 0, 0.7, 0.7, 0], color=COLORS[0])
            axes.text(x + 0.5, 0.35, f"h{place + 1}", ha="center", va="center")
            axes.text(x + 0.5, -0.85, word, ha="center", va="center", color=COLORS[3])
            axes.annotate("", (x + 0.5, 0), (x + 0.5, -0.65), arrowprops=arrow)
            axes.text(x + 0.62, -0.32, "W", ha="left", va="center")
            axes.annotate("", (x + 1.6, 0.35), (x + 1, 0.35), arrowprops=arrow)
            axes.text(x + 1.3, 0.5, "U" if word != WORDS[-1] else "", ha="center", va="bottom")
        axes.text(1.6 * len(WORDS) + 0.05, 0.35, "answer", ha="left", va="center")
        axes.set(xlim=(-0.2, 1.6 * len(WORDS) + 1.1), ylim=(-1.1, 1.0))
        axes.axis("off")
        return svg_of(figure)

"""The figure of day 20's notes: how attention makes one vector of the states of a text's words."""

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

WORDS = ("what", "a", "great", "film")
WEIGHTS = (0.1, 0.05, 0.7, 0.15)


def weighted() -> str:
    """A state for each word, with arrows both ways, and lines to their mean as thick as the word's attention."""
    with panels_of(6.4, 3.0, 1) as (figure, panels):
        (axes,) = panels
        both_ways = {"arrowstyle": "<->", "color": INK}
        up = {"arrowstyle": "->", "color": INK}
        middle = 0.8 * (len(WORDS) - 1) + 0.5
        for place, (word, weight) in enumerate(zip(WORDS, WEIGHTS, strict=True)):
            x = 1.6 * place
            axes.fill([x, x + 1, x + 1, x], [0, 0, 0.6, 0.6], color=COLORS[0], alpha=0.35)
            axes.plot([x, x + 1, x + 1, x, x], [0, 0, 0.6, 0.6, 0], color=COLORS[0])
            axes.text(x + 0.5, 0.3, f"h{place + 1}", ha="center", va="center")
            axes.text(x + 0.5, -0.75, word, ha="center", va="center", color=COLORS[3])
            axes.annotate("", (x + 0.5, 0), (x + 0.5, -0.55), arrowprops=up)
            if place + 1 < len(WORDS):
                axes.annotate("", (x + 1.6, 0.3), (x + 1, 0.3), arrowprops=both_ways)
            axes.plot([x + 0.5, middle], [0.6, 1.9], color=COLORS[1], linewidth=0.6 + 8 * weight, alpha=0.7)
            outside = -0.15 if x + 0.5 < middle else 0.15  # the side that the line does not go to
            axes.text(x + 0.5 + outside, 0.82, f"{weight:.2f}", ha="right" if outside < 0 else "left", va="center")
        axes.plot([middle], [2.05], "o", markersize=22, markerfacecolor="white", markeredgecolor=INK)
        axes.text(middle, 2.05, "s", ha="center", va="center", color="black")
        axes.annotate("", (middle + 1.5, 2.05), (middle + 0.25, 2.05), arrowprops=up)
        axes.text(middle + 1.6, 2.05, "answer", ha="left", va="center")
        axes.set(xlim=(-0.4, 1.6 * len(WORDS) + 0.1), ylim=(-1.0, 2.4))
        axes.axis("off")
        return svg_of(figure)

"""The figure of day 18's notes: a text becomes rows of a table, and their mean."""

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

WORDS = ("...", "a", "film", "good", "great", "bad", "...")
TEXT = ("a", "great", "film")


def looked_up() -> str:
    """A table with a row for each word; lines from the rows of a text's words to their mean."""
    with panels_of(6.4, 3.0, 1) as (figure, panels):
        (axes,) = panels
        height, middle = 0.5, 1.75
        for place, word in enumerate(WORDS):
            y = height * (len(WORDS) - 1 - place)
            chosen = word in TEXT
            color = COLORS[1] if chosen else COLORS[0]
            for column in range(5):
                x = 1.2 + 0.45 * column
                axes.fill(
                    [x, x + 0.4, x + 0.4, x], [y, y, y + 0.4, y + 0.4], color=color, alpha=0.75 if chosen else 0.2
                )
            axes.text(1.05, y + 0.2, word, ha="right", va="center", color=COLORS[3] if chosen else INK)
            if chosen:
                axes.plot([3.5, 4.9], [y + 0.2, middle], color=COLORS[1], linewidth=1.4)
        for column in range(5):
            x = 5.0 + 0.35 * column
            axes.fill(
                [x, x + 0.3, x + 0.3, x], [middle - 0.2, middle - 0.2, middle + 0.2, middle + 0.2], color=COLORS[1]
            )
        axes.text(5.85, middle + 0.45, "mean", ha="center", va="bottom")
        axes.annotate("", (7.5, middle), (6.85, middle), arrowprops={"arrowstyle": "->", "color": INK})
        axes.text(7.6, middle, "answer", ha="left", va="center")
        axes.text(2.3, -0.35, "a row for each word", ha="center", va="top")
        axes.set(xlim=(0.2, 8.8), ylim=(-0.9, 3.8))
        axes.axis("off")
        return svg_of(figure)

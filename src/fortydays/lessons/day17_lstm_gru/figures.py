"""The figure of day 17's notes: what an LSTM does to its state at each word."""

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

GATES = (("forget", "×", 1.2), ("write", "+", 2.9), ("show", "×", 4.9))


def cell() -> str:
    """The line of the cell's state through one word, with the three places where a gate acts on it."""
    with panels_of(6.4, 2.6, 1) as (figure, panels):
        (axes,) = panels
        arrow = {"arrowstyle": "->", "color": INK}
        axes.annotate("", (6.3, 1.2), (-0.3, 1.2), arrowprops={**arrow, "lw": 2.5, "color": COLORS[0]})
        axes.text(-0.35, 1.2, "c before", ha="right", va="center", color=COLORS[0])
        axes.text(6.35, 1.2, "c", ha="left", va="center", color=COLORS[0])
        for name, sign, x in GATES:
            y = 1.2 if name != "show" else 0.5
            axes.plot([x], [y], "o", ms=17, mfc="white", mec=INK)
            axes.text(x, y, sign, ha="center", va="center", color="black")
            axes.annotate("", (x, y - 0.17), (x, -0.35), arrowprops=arrow)
            axes.text(x, -0.5, name, ha="center", va="top", color=COLORS[3])
        axes.annotate("", (4.9, 0.67), (4.9, 1.2), arrowprops=arrow)
        axes.text(5.0, 0.92, "tanh", ha="left", va="center")
        axes.annotate("", (6.3, 0.5), (5.1, 0.5), arrowprops=arrow)
        axes.text(6.35, 0.5, "h", ha="left", va="center")
        axes.text(2.9, -0.95, "each gate is made from the word x and the state h before", ha="center", va="top")
        axes.set(xlim=(-1.6, 6.9), ylim=(-1.3, 1.6))
        axes.axis("off")
        return svg_of(figure)

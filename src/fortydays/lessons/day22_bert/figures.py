"""The figures of day 22's notes: which layers are trained, and how words are cut into pieces."""

from fortydays.report.drawing import INK, panels_of, svg_of
from fortydays.report.palette import COLORS

WAYS = (("frozen", 0), ("last two", 2), ("all", 6))
LAYERS = 6
PIECES = ("[CLS]", "an", "un", "##watch", "##able", "film", ".", "[SEP]")


def trained() -> str:
    """Three towers of six layers below a head. What is trained is filled."""
    with panels_of(6.4, 2.6, 1) as (figure, panels):
        (axes,) = panels
        for place, (name, last) in enumerate(WAYS):
            x = 2.2 * place
            for row in range(LAYERS + 2):
                is_trained = row == LAYERS + 1 or (row > LAYERS - last) or (row == 0 and last == LAYERS)
                text = "pieces" if row == 0 else "head" if row > LAYERS else f"layer {row}"
                color = COLORS[1 if is_trained else 0]
                y = 0.5 * row
                axes.fill(
                    [x, x + 1.4, x + 1.4, x], [y, y, y + 0.4, y + 0.4], color=color, alpha=0.6 if is_trained else 0.12
                )
                axes.plot([x, x + 1.4, x + 1.4, x, x], [y, y, y + 0.4, y + 0.4, y], color=color, linewidth=0.8)
                axes.text(x + 0.7, y + 0.2, text, ha="center", va="center", fontsize=7.5)
            axes.text(x + 0.7, -0.3, name, ha="center", va="center")
        axes.set(xlim=(-0.2, 6.0), ylim=(-0.5, 4.1))
        axes.axis("off")
        return svg_of(figure)


def pieces() -> str:
    """A sentence, and the pieces that it is cut into below it."""
    with panels_of(6.4, 1.2, 1) as (figure, panels):
        (axes,) = panels
        axes.text(3.6, 1.2, "An unwatchable film.", ha="center", va="center")
        axes.annotate("", (3.6, 0.6), (3.6, 1.0), arrowprops={"arrowstyle": "->", "color": INK})
        for place, piece in enumerate(PIECES):
            color = COLORS[2 if piece.startswith("[") else 1 if piece.startswith("##") else 0]
            x = 0.9 * place
            axes.fill([x, x + 0.85, x + 0.85, x], [0, 0, 0.45, 0.45], color=color, alpha=0.25)
            axes.text(x + 0.42, 0.22, piece, ha="center", va="center", fontsize=7.5)
        axes.set(xlim=(-0.1, 7.2), ylim=(-0.1, 1.4))
        axes.axis("off")
        return svg_of(figure)

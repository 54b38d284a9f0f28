"""The look of each variant: one color, dash and letter, the same in every figure and in the terminal.

The colors are those of Okabe and Ito (2008), which people with any kind of color vision can tell apart; black and
yellow are left out, which one of a light and a dark page swallows.
"""

from dataclasses import dataclass

from fortydays.study.judgement import Judgement, Verdict

COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8A8A8A")
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))
_MARKERS = ("o", "s", "^", "D")

SIGNS = {Verdict.SUPPORTED: "✓", Verdict.REFUTED: "✗", Verdict.UNDECIDED: "?"}
OF_DEMONSTRATIONS = {Verdict.SUPPORTED: "●", Verdict.REFUTED: "○", Verdict.UNDECIDED: "?"}
WITHDRAWN = "– withdrawn"


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a variant is drawn.

    Attributes:
        color: such as "#0072B2".
        dash: lengths of strokes and gaps in points; empty for a solid line.
        marker: the shape of a point, as matplotlib names it. A line of one point shows no dash.
        letter: what it is drawn with where there is no color.
    """

    color: str
    dash: tuple[float, ...]
    marker: str
    letter: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The color as three numbers from 0 to 255."""
        return int(self.color[1:3], 16), int(self.color[3:5], 16), int(self.color[5:7], 16)


def verdict(claim: Judgement) -> str:
    """A verdict's sign and word, such as "✓ supported"; a demonstration has its own: "● reached"."""
    signs = OF_DEMONSTRATIONS if claim.demonstration else SIGNS
    return f"{signs[claim.verdict]} {claim.word}"


def qualified(claim: Judgement) -> str:
    """What stands behind a verdict that is shown without its basis: ", marginal", ", flagged", both, or nothing."""
    return "".join([", marginal" if claim.marginal else "", ", flagged" if claim.flags else ""])


def look(index: int) -> Look:
    """The look of the variant at a place in its study."""
    return Look(
        color=COLORS[index % len(COLORS)],
        dash=_DASHES[index // len(COLORS) % len(_DASHES)],
        marker=_MARKERS[index // len(COLORS) % len(_MARKERS)],
        letter=_LETTERS[index % len(_LETTERS)],
    )

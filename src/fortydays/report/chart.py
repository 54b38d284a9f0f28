"""Learning curves as our own SVG: small enough for hundreds of lines, and readable by a script that shows values.

Each variant is a group with a thin line for each seed, a band of one standard deviation and the mean. It is whole
without a script. What a script needs to show values, the places and texts of the mean, is in attributes of the group.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.text import counted, printable
from fortydays.report import curves, numbers
from fortydays.report.curves import Curve
from fortydays.report.drawing import short, thinned
from fortydays.report.palette import look
from fortydays.report.results import VariantResults

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, HEIGHT = 560, 320
_LEFT, _TOP, _DEEP = 52, 10, 266
_FINE = 10
"""Steps of a line's points in one unit of the picture, so that they are whole numbers."""

_LARGE, _SMALL = 1e5, 5
"""From this value, and this number of decimals on, losses are written with powers of ten."""

_MOST_NAMES, _LEAD, _LETTER, _LINE = 9, 16, 6.8, 14
_Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """The values at the edges of the plot, and how wide it is beside the names."""

    width: int
    left: float
    right: float
    low: float
    high: float

    def x(self, values: _Points) -> NDArray[np.int_]:
        share = (values - self.left) / (self.right - self.left)
        return np.rint(share * self.width * _FINE).astype(int)

    def y(self, values: _Points) -> NDArray[np.int_]:
        share = np.clip((self.high - values) / (self.high - self.low), -1, 2)
        return np.rint(share * _DEEP * _FINE).astype(int)


def learning_chart(variants: Sequence[VariantResults], field: str, alt: str = "") -> "Markup | None":
    """A field of the history against training, for some variants.

    Args:
        variants: drawn together.
        field: "validation_accuracy", "train_loss", ...
        alt: what it shows, in words; "" where what it stands in says so.

    Returns:
        An ``<svg>`` element, or None where no trial has two points.
    """
    from markupsafe import Markup, escape

    against = curves.axis(variants)
    found = [(v, curves.curve(v.finished, field, against=against)) for v in variants]
    drawn = [(v, c) for v, c in found if c is not None and len(c.x) and max(len(x) for x, _ in c.seeds) > 1]
    if not drawn:
        return None
    share = field.endswith("accuracy")
    named = [short(printable(v.name)) for v, _ in drawn] if 1 < len(drawn) <= _MOST_NAMES else []
    width = WIDTH - _LEFT - 12 - (round(_LEAD + _LETTER * max(map(len, named))) if named else 0)
    frame = _frame([c for _, c in drawn], width, share=share)
    beyond = _beyond([c for _, c in drawn], frame, share=share)
    alt = f"{alt.removesuffix('.')}. {beyond}." if alt and beyond else alt
    plot = f'x="{_LEFT}" y="{_TOP}" width="{frame.width}" height="{_DEEP}"'
    said = f'role="img" aria-label="{escape(printable(alt))}" ' if alt else ""
    fine = f"0 0 {frame.width * _FINE} {_DEEP * _FINE}"
    return Markup(  # noqa: S704 - every text is escaped
        "\n".join(
            [
                f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" {said}'
                f'data-unit="{against}" data-left="{frame.left:g}" data-right="{frame.right:g}">',
                *_grid(frame, against, share=share),
                f'<svg class="plot" {plot} viewBox="{fine}" preserveAspectRatio="none">',
                *(_series(v, c, frame, share=share) for v, c in drawn),
                "</svg>",
                *(_names(drawn, frame) if named else ()),
                *(_note(beyond, frame, share=share) if beyond else ()),
                "</svg>",
            ]
        )
    )


def standalone(chart: str, *, style: str = "") -> str:
    """A chart as the text of an SVG file, with the style that a page would give it, and more ``style``."""
    sheet = Path(__file__).with_name("templates") / "style.css"
    with files.storage_errors("read", sheet):
        rules = [line for line in sheet.read_text("utf-8").splitlines() if line.startswith(".chart")]
    opened, rest = str(chart).split(">", 1)  # what is marked as HTML would escape the rest
    opened = opened.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return f"{opened}><style>.chart text{{font-family:sans-serif}}{''.join(rules)}{style}</style>{rest}"


def _frame(found: Sequence[Curve], width: int, *, share: bool) -> _Frame:
    left, right = min(float(c.x[0]) for c in found), max(float(x[-1]) for c in found for x, _ in c.seeds)
    means = [c.mean for c in found]
    if share:
        low, high = curves.floor_of_interest(means), max(float(y.max()) for c in found for _, y in c.seeds)
        high += 0.04 * (high - low)
    else:
        low, high = 0.0, curves.ceiling_of_interest(means) or 1.0
    # Where all is one value, it stands at the edge.
    return _Frame(width=width, left=left, right=max(right, left + 1), low=low, high=high if high > low else low + 0.01)


def _beyond(found: Sequence[Curve], frame: _Frame, *, share: bool) -> str:
    """How many of the seeds' lines leave the plot, and how far; "" where none does.

    The axis begins where curves can be told apart, so what comes before may be outside of it.
    """
    lines = [y for c in found for _, y in c.seeds]
    ends = [float(y.min()) for y in lines] if share else [float(y.max()) for y in lines]
    step = (frame.high - frame.low) / (_DEEP * _FINE)  # less than that cannot be seen
    outside = [end for end in ends if (frame.low - end if share else end - frame.high) > step]
    if not outside:
        return ""
    furthest = min(outside) if share else max(outside)
    value = numbers.with_unit(furthest, "share", digits=1) if share else f"{furthest:.3g}"
    reach = ("reaches" if len(outside) == 1 else "reach") + (" lower" if share else " higher")
    return f"{len(outside)} of {counted(len(lines), 'line')} {reach}, to {value}"


def _note(said: str, frame: _Frame, *, share: bool) -> list[str]:
    """What leaves the plot, told at the edge where it does: at the end of training, where few lines are near it."""
    y = _TOP + _DEEP - 8 if share else _TOP + 16
    place = f'class="beyond" x="{_LEFT + frame.width - 6}" y="{y}" text-anchor="end"'
    return [f"<text {place}>{'↓' if share else '↑'} {said}</text>"]


def _series(variant: VariantResults, curve: Curve, frame: _Frame, *, share: bool) -> str:
    from markupsafe import escape

    style = look(variant.index)
    keep = thinned(len(curve.x))
    x, mean = curve.x[keep], curve.mean[keep]
    std = None if curve.std is None else curve.std[keep]
    unit = "share" if share else ""
    values = [numbers.with_unit(value, unit, digits=2) for value in mean.tolist()]
    if std is not None:
        values = [f"{v} ± {numbers.plain(s, unit, digits=2)}" for v, s in zip(values, std.tolist(), strict=True)]
    # The dashes are of a width that does not change with the picture.
    dashes = f' stroke-dasharray="{" ".join(f"{2 * each:g}" for each in style.dash)}"' if style.dash else ""
    seeds = "".join(_path(px[(k := thinned(len(px)))], py[k], frame) for px, py in curve.seeds)
    band = "" if std is None or len(x) < 2 else _band(x, mean - std, mean + std, frame)
    return (
        f'<g class="series" style="--color:{style.color}" data-name="{escape(printable(variant.name))}" '
        f'data-x="{" ".join(f"{each:g}" for each in x.tolist())}" data-says="{escape("|".join(values))}">'
        f'{band}<path class="seed" d="{seeds}"/><path class="mean"{dashes} d="{_path(x, mean, frame)}"/></g>'
    )


def _path(x: _Points, y: _Points, frame: _Frame) -> str:
    """A line, each point by its whole steps from the one before."""
    px, py = frame.x(x).tolist(), frame.y(y).tolist()
    steps = [f"{b - a} {d - c}" for (a, b), (c, d) in zip(itertools.pairwise(px), itertools.pairwise(py), strict=True)]
    return f"M{px[0]} {py[0]}{'l' if steps else ''}{' '.join(steps)}".replace(" -", "-")


def _band(x: _Points, low: _Points, high: _Points, frame: _Frame) -> str:
    path = _path(np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]]), frame)
    return f'<path class="band" d="{path}z"/>'


def _grid(frame: _Frame, against: str, *, share: bool) -> list[str]:
    lines = []
    right, bottom = _LEFT + frame.width, _TOP + _DEEP
    ticks = _round_numbers(frame.low, frame.high, 6)
    digits = max(0, -math.floor(math.log10((100 if share else 1) * (ticks[1] - ticks[0])) + 1e-9))
    for tick in ticks:
        y = _TOP + (frame.high - tick) / (frame.high - frame.low) * _DEEP
        plain = f"{tick:.{digits}f}" if ticks[-1] < _LARGE and digits < _SMALL else f"{tick:.3g}"
        text = f"{100 * tick:.{digits}f}%" if share else plain
        lines += [
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>',
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>',
        ]
    for tick in _round_numbers(frame.left, frame.right, 6):
        if float(tick).is_integer():
            x = _LEFT + (tick - frame.left) / (frame.right - frame.left) * frame.width
            lines.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:,.0f}</text>')
    middle = (_LEFT + right) / 2
    lines.append(f'<text x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{against}s of training</text>')
    return lines


def _names(drawn: Sequence[tuple[VariantResults, Curve]], frame: _Frame) -> list[str]:
    """The names beside the ends of the lines, in their order, each with a lead in its color from the line to it."""
    from markupsafe import escape

    ends = sorted((float(_TOP + frame.y(c.mean[-1:])[0] / _FINE), v.index, v.name) for v, c in drawn)
    places = _apart([y for y, *_ in ends], _TOP + 4, _TOP + _DEEP)
    right = _LEFT + frame.width
    return [
        f'<path class="lead" style="--color:{look(index).color}" d="M{right + 2} {end:.1f}L{right + _LEAD} {y:.1f}"/>'
        f'<text class="name" x="{right + _LEAD + 4}" y="{y + 4:.1f}">{escape(short(printable(name)))}</text>'
        for y, (end, index, name) in zip(places, ends, strict=True)
    ]


def _apart(places: Sequence[float], top: float, bottom: float) -> list[float]:
    """Places in their order, a line of text apart, and inside of an interval."""
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + _LINE if found else top))
    limit = bottom
    for index in reversed(range(len(found))):
        found[index] = min(found[index], limit)
        limit = found[index] - _LINE
    return found


def _round_numbers(low: float, high: float, most: int) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most so many."""
    rough = (high - low) / most
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * each for each in (1, 2, 5, 10) if size * each >= rough * (1 - 1e-9))
    return [step * n for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]

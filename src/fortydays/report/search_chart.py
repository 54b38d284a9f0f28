"""Pictures of a search as our own SVG: what mattered, and each candidate as a line over the searched fields."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fortydays.base.text import printable
from fortydays.report import numbers
from fortydays.report.chart import WIDTH
from fortydays.report.drawing import short
from fortydays.report.palette import COLORS
from fortydays.tune.found import Candidate, Ending, Found
from fortydays.tune.space import Choice, Range

if TYPE_CHECKING:
    from markupsafe import Markup

COLOR_OF = {"chosen": COLORS[1], Ending.FINISHED: COLORS[0], Ending.STOPPED: COLORS[6], Ending.FAILED: COLORS[3]}
"""The color of the line of a candidate, by how it ended."""

_ROW, _NAMES, _SHARES = 26, 170, 56
_TOP, _DEEP, _BOTTOM, _LEFT, _APART = 52, 230, 26, 30, 112
_RIGHT = 74
_MOST_LABELS = 9
_LARGER = 1.2
"""How much larger than its own size a picture is shown at most."""


def importance_chart(found: Found) -> "Markup | None":
    """A bar for each searched field: what share of the differences in accuracy it explains; None where unknown."""
    if not found.importance:
        return None
    rows, room = list(found.importance.items()), WIDTH - _NAMES - _SHARES
    told = ", ".join(f"{numbers.field_title(name)} {_percent(share)}" for name, share in rows)
    lines = []
    for place, (name, share) in enumerate(rows):
        y, title = place * _ROW, _escaped(short(numbers.field_title(name)))
        lines += [
            f'<text x="{_NAMES - 8}" y="{y + 17}" text-anchor="end">{title}</text>',
            f'<rect class="share" x="{_NAMES}" y="{y + 5}" width="{max(1.0, share * room):.1f}" height="15"/>',
            f'<text x="{_NAMES + max(1.0, share * room) + 8:.1f}" y="{y + 17}">{_percent(share)}</text>',
        ]
    return _svg(WIDTH, len(rows) * _ROW + 4, f"What mattered: {told}.", lines)


def candidates_chart(found: Found) -> "Markup":
    """Parallel coordinates: an axis for each searched field and one for accuracy, a line for each candidate.

    The accuracy is that of the first rung, in which all were tried for the same share of their epochs.
    """
    fields = found.space.fields
    known = [a for each in found.candidates if (a := each.reached[0].accuracy) is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if low == high:
        low, high = low - 0.005, high + 0.005
    places = [_LEFT + _APART * k for k in range(len(fields) + 1)]
    lines = []
    order = (Ending.STOPPED, Ending.FAILED, Ending.FINISHED)
    drawn = sorted(found.candidates, key=lambda each: (each.number == found.chosen.number, order.index(each.ending)))
    for each in drawn:
        heights = [field.place(each.values[field.field]) for field in fields]
        if (accuracy := each.reached[0].accuracy) is not None:
            heights.append((accuracy - low) / (high - low))
        points = "L".join(f"{x} {_y(height):.1f}" for x, height in zip(places, heights, strict=False))
        kind = "chosen" if each.number == found.chosen.number else str(each.ending)
        dash = ' stroke-dasharray="5 4"' if each.ending is Ending.FAILED else ""
        lines.append(f'<path class="candidate {kind}" style="--color:{COLOR_OF[kind]}"{dash} d="M{points}"/>')
    for place, (x, field) in enumerate(zip(places, fields, strict=False)):
        lines += [f'<path class="axis" d="M{x} {_TOP}V{_TOP + _DEEP}"/>', *_labels(x, field)]
        lines.append(_title(x, numbers.field_title(field.field), place))
    last = places[-1]
    lines.append(f'<path class="axis" d="M{last} {_TOP}V{_TOP + _DEEP}"/>')
    lines += [_label(last, _y(0.0), _percent(low, 1)), _label(last, _y(1.0), _percent(high, 1))]
    lines.append(_title(last, "validation accuracy", len(fields)))
    return _svg(last + _RIGHT, _TOP + _DEEP + _BOTTOM, in_words(found), lines)


def in_words(found: Found) -> str:
    """What the picture of the candidates shows, for those who do not see it."""
    chosen = next(each for each in found.candidates if each.number == found.chosen.number)
    known = sorted(
        (each for each in found.candidates if each.accuracy is not None), key=lambda each: -(each.accuracy or 0)
    )
    best = "; ".join(f"{_values(each)}: {_percent(each.accuracy or 0, 1)}" for each in known[:3])
    return (
        f"{len(found.candidates)} candidates over {', '.join(map(numbers.field_title, found.space.names))} and the "
        f"validation accuracy. Chosen: {_values(chosen)}. The highest accuracies: {best}."
    )


def _values(each: Candidate) -> str:
    return ", ".join(f"{numbers.field_title(name)} {numbers.setting(value)}" for name, value in each.values.items())


def _labels(x: int, field: Range | Choice) -> Iterator[str]:
    if isinstance(field, Range):
        marked: Sequence[object] = (field.low, field.high)
    else:
        marked = field.values if len(field.values) <= _MOST_LABELS else (field.values[0], field.values[-1])
    for value in marked:
        yield _label(x, _y(field.place(value)), numbers.setting(value))  # type: ignore[arg-type]


def _label(x: int, y: float, text: str) -> str:
    return f'<text class="value" x="{x + 6}" y="{y + 4:.1f}">{_escaped(short(printable(text)))}</text>'


def _title(x: int, text: str, place: int) -> str:
    """The name of an axis above it; every second one higher, so that long ones do not meet."""
    anchor = "start" if place == 0 else "middle"
    return (
        f'<text class="name" x="{x if place else 4}" y="{16 if place % 2 else 36}" text-anchor="{anchor}">'
        f"{_escaped(short(text))}</text>"
    )


def _y(height: float) -> float:
    return _TOP + (1 - height) * _DEEP


def _percent(share: float, digits: int = 0) -> str:
    return numbers.with_unit(share, "share", digits=digits)


def _escaped(text: str) -> str:
    from markupsafe import escape

    return str(escape(text))


def _svg(width: int, height: int, alt: str, lines: Sequence[str]) -> "Markup":
    from markupsafe import Markup

    said = f'role="img" aria-label="{_escaped(printable(alt))}"'
    head = f'<svg class="chart" viewBox="0 0 {width} {height}" style="max-width:{width * _LARGER:.0f}px" {said}>'
    return Markup("\n".join([head, *lines, "</svg>"]))  # noqa: S704 - every text is escaped

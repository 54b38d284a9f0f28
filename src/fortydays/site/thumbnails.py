"""Small pictures of the days for their map: what an exhibit shows, without axes and words."""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from fortydays.report.palette import look
from fortydays.report.results import Results
from fortydays.study.exhibit_document import Lines, Matrix, Pictures

WIDTH, HEIGHT, _EDGE = 192, 108, 10
_MOST_PICTURES = 8


def thumbnail(results: Results) -> Markup:
    """The first exhibit of a day as a small picture, or its accuracies where it has none that can be drawn."""
    first = next((each for each in results.exhibits if each.first), None)
    if isinstance(first, Pictures) and (shown := [each.png for each in first.pictures if each.png]):
        return _pictures(shown)
    if isinstance(first, Lines) and (drawn := _lines(first)):
        return _svg(drawn)
    if isinstance(first, Matrix) and first.rows:
        return _svg(_matrix(np.asarray(first.values, np.float64)))
    return _svg(_accuracies(results))


def _svg(parts: Sequence[str]) -> Markup:
    return Markup(  # noqa: S704 - drawn from numbers
        f'<svg class="thumbnail" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
    )


def _pictures(shown: Sequence[str]) -> Markup:
    images = "".join(f'<img src="data:image/png;base64,{png}" alt="">' for png in shown[:_MOST_PICTURES])
    return Markup(f'<span class="thumbnail tiles" aria-hidden="true">{images}</span>')  # noqa: S704 - checked base64


def _lines(exhibit: Lines) -> list[str]:
    logarithmic = exhibit.x_axis == "logarithmic"
    kept = []
    for index, line in enumerate(exhibit.lines):
        points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if x > 0 or not logarithmic]
        kept.append((index if line.look is None else line.look, points, bool(line.labels)))
    every = [each for _, some, _ in kept for each in some]
    if len(every) < 2:
        return []
    xs, ys = ([math.log(x) if logarithmic else x for x, _ in every], [y for _, y in every])
    low = min(ys) if exhibit.y_from is None else min(exhibit.y_from, max(ys))
    parts = []
    for place, some, alone in kept:
        color = look(place).color
        px = _scaled([math.log(x) if logarithmic else x for x, _ in some], min(xs), max(xs), WIDTH)
        py = _scaled([max(y, low) for _, y in some], max(ys), low, HEIGHT)
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in zip(px, py, strict=True))
        if not alone:
            parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2.4"/>')
        if alone or len(some) < 13:
            parts += [
                f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3.6" fill="{color}"/>' for x, y in zip(px, py, strict=True)
            ]
    return parts


def _matrix(values: NDArray[np.float64]) -> list[str]:
    rows, columns = values.shape
    side = (HEIGHT - 2 * _EDGE) / rows
    left = (WIDTH - columns * side) / 2
    shades = np.sqrt(np.abs(values) / (np.abs(values).max(initial=0.0) or 1.0))
    size = f'width="{side - 0.8:.1f}" height="{side - 0.8:.1f}"'
    return [
        f'<rect x="{left + c * side:.1f}" y="{_EDGE + r * side:.1f}" {size} '
        f'fill="{look(0 if r == c else 3).color}" opacity="{0.06 + 0.9 * shades[r, c]:.2f}"/>'
        for r, c in np.ndindex(rows, columns)
    ]


def _accuracies(results: Results) -> list[str]:
    shown = [v for v in results.variants if "test_accuracy" in v.metrics]
    if not shown:
        return []
    seeds = [[float(t.metrics["test_accuracy"] or 0) for t in v.finished] for v in shown]
    low, high = min(map(min, seeds)), max(map(max, seeds))
    step = (HEIGHT - 2 * _EDGE) / len(shown)
    parts = []
    for row, (v, values) in enumerate(zip(shown, seeds, strict=True)):
        y, color = _EDGE + (row + 0.5) * step, look(v.index).color
        at, mean = _scaled(values, low, high, WIDTH), _scaled([v.metrics["test_accuracy"].mean], low, high, WIDTH)[0]
        parts.append(f'<path d="M{_EDGE} {y:.1f}H{WIDTH - _EDGE}" stroke="currentColor" opacity=".12"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" fill="{color}" opacity=".5"/>' for x in at]
        parts.append(f'<circle cx="{mean:.1f}" cy="{y:.1f}" r="{min(4.0, step / 2):.1f}" fill="{color}"/>')
    return parts


def _scaled(values: Sequence[float], first: float, last: float, size: int) -> list[float]:
    """Places inside a picture that is so many units wide or high."""
    span = (last - first) or 1.0
    return [_EDGE + (value - first) / span * (size - 2 * _EDGE) for value in values]

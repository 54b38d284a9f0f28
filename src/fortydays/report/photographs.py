"""The page about a reader's photographs: what is used and what is not, with a sheet of pictures of each class."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.base.text import printable
from fortydays.data.own.inspection import Inspection, Used
from fortydays.report.page import template

_EACH, _GROUPS, _IN_GROUP, _LEFT_OUT = 24, 20, 8, 500
SIDE = 112
"""Pixels of a picture on a sheet."""


def summary(inspection: Inspection) -> str:
    """How much is used, and how much is not, in one line."""
    used, left_out = len(inspection.used), len(inspection.left_out)
    said = f"{used:,} photographs of {len(inspection.classes):,} classes"
    return f"{said}; {left_out:,} file{'s are' if left_out != 1 else ' is'} left out." if left_out else f"{said}."


def sizes(inspection: Inspection) -> str:
    """The sizes of the photographs in one line."""
    return ", ".join(
        f"{name} {width:,} x {height:,} pixels" for name, (width, height) in inspection.sizes().items()
    ).capitalize()


def make_page(inspection: Inspection, pixels: NDArray[np.uint8], *, name: str, place: str) -> str:
    """The page as the text of one HTML file that needs nothing else.

    Args:
        inspection: what was found.
        pixels: of all photographs by their rows: uint8, shape (rows, side, side, 3).
        name: what the photographs are called.
        place: the folder that they are in.
    """
    by_path = {each.path: each for each in inspection.used}

    def pictures(chosen: Sequence[Used]) -> list[dict[str, str]]:
        return [{"path": printable(each.path), "jpeg": jpeg(pixels[each.row])} for each in chosen]

    classes = []
    for label, counts in inspection.counts().items():
        members = [each for each in inspection.used if each.label == label]
        some = [members[place] for place in np.linspace(0, len(members) - 1, min(_EACH, len(members))).astype(int)]
        classes.append(
            {
                "name": printable(label),
                "all": sum(counts.values()),
                "small": label in inspection.small,
                "pictures": pictures(some),
                **counts,
            }
        )

    def shown(groups: Sequence[Sequence[str]]) -> list[list[dict[str, str]]]:
        return [pictures([by_path[path] for path in group if path in by_path][:_IN_GROUP]) for group in groups]

    contradictions = [group for group in inspection.contradictions if any(path in by_path for path in group)]
    values: dict[str, Any] = {
        "name": name,
        "place": printable(place),
        "created": clock.timestamp(),
        "summary": summary(inspection),
        "sizes": sizes(inspection),
        "notes": inspection.notes,
        "classes": classes,
        "contradictions": shown(contradictions[:_GROUPS]),
        "more_contradictions": max(0, len(contradictions) - _GROUPS),
        "near": shown(inspection.near[:_GROUPS]),
        "more_near": max(0, len(inspection.near) - _GROUPS),
        "left_out": [{"path": printable(e.path), "reason": e.reason} for e in inspection.left_out[:_LEFT_OUT]],
        "more_left_out": max(0, len(inspection.left_out) - _LEFT_OUT),
    }
    return template("photographs.html").render(values)


def jpeg(pixels: NDArray[np.uint8], *, side: int = SIDE) -> str:
    """A picture as a small JPEG file in base64, as a page holds it.

    Args:
        pixels: uint8, shape (height, width, 3).
        side: pixels that it is made to fit into, upwards and sideways; one that is smaller stays as it is.
    """
    from PIL import Image

    image = Image.fromarray(np.asarray(pixels))
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode("ascii")

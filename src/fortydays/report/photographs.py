"""The page about a reader's photographs: what is used and what is not, with a sheet of pictures of each class."""

import base64
import io

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock, files
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import counted
from fortydays.data.own.inspection import Inspection, Used
from fortydays.data.own.listing import LeftOut, told
from fortydays.report.page import environment

_EACH = 24
"""Pictures of a class on its sheet."""

SIDE = 112
"""Pixels of a picture on a sheet."""


def summary(inspection: Inspection) -> str:
    """How much is used, and how much is not, in one line."""
    return amounts(len(inspection.used), classes=len(inspection.classes), left_out=len(inspection.left_out))


def amounts(used: int, *, classes: int, left_out: int) -> str:
    """How many photographs are used and how many files are not, in one line."""
    more = f"; {counted(left_out, 'file')} {'is' if left_out == 1 else 'are'} left out" if left_out else ""
    return f"{used:,} photographs of {classes:,} classes{more}."


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
    by_path: dict[str, Used | LeftOut] = {each.path: each for each in inspection.used}
    by_path |= {each.path: each for each in inspection.left_out if each.row >= 0}

    def some_of(label: str) -> list[Used]:
        members = [each for each in inspection.used if each.label == label]
        return [members[at] for at in np.linspace(0, len(members) - 1, min(_EACH, len(members))).astype(int)]

    return (
        environment()
        .get_template("photographs.html")
        .render(
            inspection=inspection,
            name=name,
            place=place,
            created=clock.timestamp(),
            summary=summary(inspection),
            sizes=sizes(inspection),
            some_of=some_of,
            used=by_path,
            contradictions=[group for group in inspection.contradictions if any(path in by_path for path in group)],
            picture=lambda each: jpeg(pixels[each.row]),
        )
    )


def tell(
    inspection: Inspection,
    pixels: NDArray[np.uint8],
    *,
    name: str,
    place: str,
    settings: Settings,
    progress: Progress,
) -> None:
    """Say in a few lines what is in the photographs, and write the page into the workspace.

    The arguments are those of :func:`make_page`.
    """
    page = settings.workspace / "reports" / f"{name}-photographs.html"
    files.write_text(page, make_page(inspection, pixels, name=name, place=place))
    counts = {
        "the same file more than once": len(inspection.exact),
        "the same file or picture under several labels": len(inspection.contradictions),
        "almost the same picture, kept on one side of the split": len(inspection.near),
        "classes with few photographs": len(inspection.small),
    }
    for line in (
        summary(inspection),
        f"{sizes(inspection)}.",
        *inspection.notes,
        *(f"Left out: {line}" for line in told(inspection.left_out)),
        *(f"{count:,} x {what}" for what, count in counts.items() if count),
    ):
        progress.say(line)
    progress.say(f"A sheet of them, and what was left out and why: {page}")


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

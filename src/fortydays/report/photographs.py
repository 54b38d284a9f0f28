"""The page about a reader's photographs or texts: what is used and what is not, with some of each class."""

import base64
import io
from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock, files
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import counted, printable
from fortydays.data.own.inspection import Inspection, Used
from fortydays.data.own.listing import LeftOut, told
from fortydays.data.own.texts.languages import in_a_line
from fortydays.fit.material import Content
from fortydays.report.page import environment

_EACH = 24
"""Pictures of a class on its sheet."""

_CHARACTERS = 160
"""Of a text."""

SIDE = 112
"""Pixels of a picture on a sheet."""


def summary(inspection: Inspection) -> str:
    """How much is used, and how much is not, in one line."""
    used, left_out = len(inspection.used), len(inspection.left_out)
    return amounts(used, classes=len(inspection.classes), left_out=left_out, noun=inspection.noun)


def amounts(used: int, *, classes: int, left_out: int, noun: str = "photograph") -> str:
    """How many photographs, or texts, are used and how many are not, in one line."""
    others = "file" if noun == "photograph" else noun
    more = f"; {counted(left_out, others)} {'is' if left_out == 1 else 'are'} left out" if left_out else ""
    return f"{counted(used, noun)} of {classes:,} classes{more}."


def sizes(inspection: Inspection) -> str:
    """The sizes of the photographs, or the lengths of the texts, in one line."""
    if inspection.noun == "text":
        return ", ".join(
            f"{name} {counted(words, 'word')}" for name, (words, _) in inspection.sizes().items()
        ).capitalize()
    return ", ".join(
        f"{name} {width:,} x {height:,} pixels" for name, (width, height) in inspection.sizes().items()
    ).capitalize()


def languages(inspection: Inspection) -> str:
    """In which languages the texts are, in one line; "" for photographs."""
    return in_a_line(inspection.languages)


def make_page(inspection: Inspection, content: Content, *, name: str, place: str) -> str:
    """The page as the text of one HTML file that needs nothing else.

    Args:
        inspection: what was found.
        content: the pixels of all photographs by their rows, uint8, shape (rows, side, side, 3); or texts by paths.
        name: what they are called.
        place: the folder or table that they are in.
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
            languages=languages(inspection),
            some_of=some_of,
            used=by_path,
            contradictions=[group for group in inspection.contradictions if any(path in by_path for path in group)],
            picture=lambda each: jpeg(cast("NDArray[np.uint8]", content)[each.row]),
            text=lambda each: short(cast("Mapping[str, str]", content)[each.path]),
        )
    )


def tell(
    inspection: Inspection,
    content: Content,
    *,
    name: str,
    place: str,
    settings: Settings,
    progress: Progress,
) -> None:
    """Say in a few lines what is in the photographs or texts, and write the page into the workspace.

    The arguments are those of :func:`make_page`.
    """
    page = settings.workspace / "reports" / f"{name}-{inspection.noun}s.html"
    files.write_text(page, make_page(inspection, content, name=name, place=place))
    same, alike = ("text", "text") if inspection.noun == "text" else ("file", "picture")
    counts = {
        f"the same {same} more than once": len(inspection.exact),
        f"the same {same}{' or picture' * (same == 'file')} under several labels": len(inspection.contradictions),
        f"almost the same {alike}, kept on one side of the split": len(inspection.near),
        f"classes with few {inspection.noun}s": len(inspection.small),
    }
    for line in (
        summary(inspection),
        f"{sizes(inspection)}.",
        *([f"{languages(inspection)}."] if inspection.languages else []),
        *inspection.notes,
        *(f"Left out: {line}" for line in told(inspection.left_out)),
        *(f"{count:,} x {what}" for what, count in counts.items() if count),
    ):
        progress.say(line)
    progress.say(f"Some of them, and what was left out and why: {page}")


def short(text: str) -> str:
    """The beginning of a text in one line."""
    words = printable(" ".join(text[: 2 * _CHARACTERS].split()))
    return words if len(words) <= _CHARACTERS else f"{words[: _CHARACTERS - 3]}..."


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

"""From the pages that compute to files of the site."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from fortydays.site.finished import FinishedDay
from fortydays.site.play.design import Content, PlayPage, script_with
from fortydays.site.play.listing import PLAY_PAGES

_TEMPLATES = Path(__file__).parents[1] / "templates" / "play"


@dataclass(frozen=True, kw_only=True)
class MadePlay:
    """A page that computes with what it is filled with.

    Attributes:
        page: which one.
        content: made from the days that are ready.
        sketch: its small drawing as SVG.
    """

    page: PlayPage
    content: Content
    sketch: Markup


def found_plays(days: Sequence[FinishedDay]) -> list[MadePlay]:
    """The pages that these days suffice for."""
    made = []
    for page in PLAY_PAGES:
        content = page.make(days)
        if content is not None:
            made.append(MadePlay(page=page, content=content, sketch=_sketch(page)))
    return made


def files_of(plays: Sequence[MadePlay]) -> dict[str, str]:
    """Scripts, styles and data of these pages by their addresses."""
    if not plays:
        return {}
    made = {f"assets/play.{kind}": _text(f"play.{kind}") for kind in ("js", "css")}
    for each in plays:
        name = each.page.name
        for script in (*each.page.uses, name):
            made[f"assets/{script}.js"] = _text(f"{script}.js")
        made[f"assets/{name}.css"] = _text(f"{name}.css")
        made[f"assets/{name}.data.js"] = script_with(each.content.data)
    return made


def _sketch(page: PlayPage) -> Markup:
    text = _text(f"{page.name}.svg")
    inside = text or '<path d="M16 84H176" stroke="currentColor" opacity=".3"/>'
    return Markup(  # noqa: S704 - a file of the program
        f'<svg class="thumbnail" viewBox="0 0 192 108" aria-hidden="true">{inside}</svg>'
    )


def _text(name: str) -> str:
    """A file of the program, "" where a page has no such file."""
    path = _TEMPLATES / name
    return path.read_text("utf-8") if path.is_file() else ""

"""The index of the site's search: the text of every section, for a script that runs without a server."""

import html.parser
import json
import re
from collections.abc import Iterable

MOST_CHARACTERS = 4000
"""Of a section's text, more is not searched."""

_APART = (
    "p", "li", "td", "th", "dd", "dt", "pre", "h1", "h2", "h3", "h4", "span", "div", "figcaption", "summary", "label",
    "legend", "caption",
)  # fmt: skip
"""Elements whose text stands apart from what is around it."""

_SILENT = ("svg", "script", "style", "select", "button")


class _Sections(html.parser.HTMLParser):
    """The sections of a page: address, heading and text of each."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str], list[str]]] = [("", [], [])]
        self._silent, self._in_heading, self._in_formula, self._in_code = 0, False, 0, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A heading with an address begins a section. A formula is what it says, once."""
        address, said = dict(attrs).get("id"), dict(attrs).get("data-said")
        if said and not self._in_formula:
            self.handle_data(f" {said} " if tag == "div" else said)
        if said or self._in_formula:
            self._in_formula += 1
            return
        if tag != "span":  # a label may follow its word without a space
            self._part(tag)
        if tag == "pre":
            self._in_code = True
        if tag in _SILENT:
            self._silent += 1
        elif tag in ("h2", "h3") and address:
            self.found.append((address, [], []))
            self._in_heading = True

    def handle_endtag(self, tag: str) -> None:
        """What was begun ends; elements stand apart from each other, but the colored parts of code do not."""
        if self._in_formula:
            self._in_formula -= 1
            return
        if tag in _SILENT:
            self._silent -= 1
        elif tag in ("h2", "h3"):
            self._in_heading = False
        elif tag == "pre":
            self._in_code = False
        self._part(tag)

    def _part(self, tag: str) -> None:
        if tag in _APART and not self._in_heading and not self._in_code:
            self.found[-1][2].append(" ")

    def handle_data(self, data: str) -> None:
        """Text of the heading, or of the section."""
        if not self._silent and not self._in_formula:
            _, heading, text = self.found[-1]
            (heading if self._in_heading else text).append(data)


def sections(body: str) -> list[list[str]]:
    """The sections of a page's body: address, heading and text of each."""
    parser = _Sections()
    parser.feed(body)
    parser.close()
    told = [(a, _plain(heading), _plain(text)[:MOST_CHARACTERS]) for a, heading, text in parser.found]
    return [[*each] for each in told if each[1] or each[2]]


def index(pages: Iterable[tuple[str, str, str]]) -> str:
    """The script with the index.

    Args:
        pages: address, title and body of each page.
    """
    found = [[address, title, sections(body)] for address, title, body in pages]
    return f"window.searchIndex={json.dumps(found, ensure_ascii=False, separators=(',', ':'))};\n"


def _plain(parts: list[str]) -> str:
    return re.sub(r"\s+", " ", "".join(parts)).strip()

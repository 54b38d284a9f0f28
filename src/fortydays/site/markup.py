"""HTML of notes and pages, as the site needs it: headings with addresses, code in colors, wide parts that scroll."""

import html
import itertools
import re
from collections.abc import Mapping

from markupsafe import Markup

_HEADING = re.compile(r"<h([2-6])>(.*?)</h\1>", re.DOTALL)
_CODE = re.compile(r'<pre><code class="language-python">(.*?)</code></pre>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_LISTED = re.compile(r"<pre><code>(.*?)</code></pre>", re.DOTALL)
_COMMAND = re.compile(r"(?P<command>\S.*?)(?: +# (?P<said>.*))?")
_WIDE = 80
_LINK = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.DOTALL)


def slug(title: str) -> str:
    """The address of a heading, as code hosts make it of a title in Markdown."""
    text = html.unescape(_TAG.sub("", title)).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def with_headings(text: str) -> str:
    """HTML of :func:`fortydays.report.notes.to_html` with its headings one level higher, each with its address."""
    used: dict[str, int] = {}

    def heading(match: re.Match[str]) -> str:
        name, level = slug(match[2]), int(match[1]) - 1
        used[name] = used.get(name, 0) + 1
        address = f"{name}-{used[name] - 1}" if used[name] > 1 else name
        return f'<h{level} id="{address}">{match[2]}</h{level}>'

    return _HEADING.sub(heading, text)


def with_regions(text: str, name: str = "Table") -> str:
    """HTML whose tables and code scroll by themselves, also by keyboard."""
    numbers = itertools.count(1)
    opened = re.sub(
        "<table>",
        lambda _: f'<div class="wide" tabindex="0" role="region" aria-label="{name} {next(numbers)}"><table>',
        text,
    )
    return opened.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')


def with_listings(text: str, pages: Mapping[str, str]) -> str:
    """HTML whose wide lists of commands have the comment of each command beside it, where it can be read.

    A list is a block in which every line is a command, most of them with a comment, and some line has more than 80
    characters. Comments break into lines then, and the commands stay whole.

    Args:
        text: the HTML, before :func:`with_regions`.
        pages: by the path of a file, the address of its page, for files that a comment names.
    """

    def said(comment: str) -> str:
        code = re.sub(r"`([^`]+)`", r"<code>\1</code>", comment)
        return re.sub(
            r"\b(?:docs/)\w[\w-]*\.md",
            lambda m: f'<a href="{pages[m[0]]}">{m[0]}</a>' if m[0] in pages else m[0],
            code,
        )

    def listing(match: re.Match[str]) -> str:
        lines = match[1].rstrip("\n").split("\n")
        rows = [_COMMAND.fullmatch(line) for line in lines if line]
        with_comment = sum(row is not None and row["said"] is not None for row in rows)
        wide = max(len(html.unescape(line)) for line in lines) > _WIDE
        if not wide or not all(rows) or 2 * with_comment <= len(rows):
            return match[0]
        made = "".join(
            f"<div><code>{row['command']}</code><span>{said(row['said'] or '')}</span></div>" for row in rows if row
        )
        return f'<div class="listing">{made}</div>'

    return _LISTED.sub(listing, text)


def with_colors(text: str) -> str:
    """HTML whose blocks of Python are highlighted."""
    return _CODE.sub(lambda match: f"<pre><code>{python(html.unescape(match[1]))}</code></pre>", text)


def python(source: str) -> Markup:
    """Python source as HTML, with classes for what the style sheet colors."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return Markup(highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).rstrip("\n"))  # noqa: S704


def with_links(text: str, pages: Mapping[str, str], *, folder: str) -> str:
    """HTML whose links to files of the repository go to their pages; a link to what has no page is plain text.

    Args:
        text: the HTML.
        pages: by the path of a file, the address of its page.
        folder: of the file that the HTML was made from, "" for the repository itself.
    """

    def link(match: re.Match[str]) -> str:
        target, _, place = html.unescape(match[1]).partition("#")
        if re.match(r"[a-z]+:", target) or not target:
            return match[0]
        parts = [*filter(None, folder.split("/"))]
        for part in target.split("/"):
            parts = parts[:-1] if part == ".." else [*parts, part]
        page = pages.get("/".join(parts))
        return f'<a href="{page}{f"#{place}" if place else ""}">{match[2]}</a>' if page else match[2]

    return _LINK.sub(link, text)


def contents(body: str) -> list[tuple[str, str]]:
    """The headings of a page's second level: address and text."""
    found = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body, re.DOTALL)
    return [(address, html.unescape(_TAG.sub("", title))) for address, title in found]

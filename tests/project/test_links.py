"""Links between the files of the repository go to what is there."""

import re
from pathlib import Path

import pytest

from fortydays.site.markup import slug

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md"), *ROOT.glob("deploy/**/*.md")],
    key=str,
)
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    .*$", re.MULTILINE)
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def links_of(text: str) -> list[str]:
    """The addresses that a page of Markdown links to, but for those in code and those of other places."""
    prose = _CODE.sub("", _INDENTED.sub("", _FENCED.sub("", text)))
    return [each for each in _LINK.findall(prose) if not re.match(r"[a-z]+:", each)]


def broken_in(page: Path) -> list[str]:
    """The links of a page that lead to no file, or to no heading of the file."""
    found = []
    for link in links_of(page.read_text("utf-8")):
        path, _, heading = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists():
            found.append(link)
        elif heading and target.suffix == ".md":
            titles = re.findall(r"^#+ (.+)$", _FENCED.sub("", target.read_text("utf-8")), re.MULTILINE)
            if heading not in map(slug, titles):
                found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_or_a_heading_leads_there(page: Path) -> None:
    assert broken_in(page) == []


def test_a_link_to_what_is_not_there_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A title\n\n## How it is, and why\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n\n[a](other.md) [b](other.md#how-it-is-and-why) [c](#page) [d](https://example.org/none)\n\n"
        "    [in code](nowhere.md)\n\n`[in code](nowhere.md)`\n\n```\n[in code](nowhere.md)\n```\n"
        "[e](nowhere.md) [f](other.md#nowhere) [g](#nowhere)\n"
    )
    assert broken_in(page) == ["nowhere.md", "other.md#nowhere", "#nowhere"]

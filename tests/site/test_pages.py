"""The pages of the site: whole, harmless, dependent on nothing, and the same bytes twice."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import pytest
from made_up_days import finished, made_up

from fortydays.base.errors import StorageError
from fortydays.site.commands import Command, Parameter
from fortydays.site.documents import DOCUMENTS, Document, make_document
from fortydays.site.pages import make_site, surprises
from fortydays.site.thumbnails import thumbnail

COMMANDS = (
    Command(
        name="read",
        heading="The days",
        usage="read [OPTIONS] DAY",
        help=("Read a day's <notes>.",),
        parameters=(Parameter(name="--no-pager", help="Print all at once."),),
    ),
)
MOST_BYTES = 400_000


def made() -> dict[str, bytes]:
    drawn = made_up.evidence(seeds=(0, 1))
    first = drawn["exhibits"][2] | {"first": True, "title": "All of it"}
    return make_site([finished(1), finished(4, **drawn | {"exhibits": [first]})], COMMANDS)


@pytest.fixture(scope="module")
def site() -> Mapping[str, bytes]:
    return made()


def text(site: Mapping[str, bytes], path: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", site[path].decode()))


def pages(site: Mapping[str, bytes]) -> dict[str, str]:
    return {path: content.decode() for path, content in site.items() if path.endswith(".html")}


def test_every_page_is_there(site: Mapping[str, bytes]) -> None:
    days = {"days/01-first-network.html", "days/04-regularization.html"}
    others = {"index.html", "promises.html", "commands.html", *(each.page for each in DOCUMENTS)}
    assert set(pages(site)) == days | others
    assert {"claims.html", "vocabulary.html", "contributing.html"} <= others


def test_a_day_has_its_exercises_to_begin_with_and_their_hints_but_no_solution(site: Mapping[str, bytes]) -> None:
    page = text(site, "days/01-first-network.html")
    assert "Exercises with a judge" in page
    assert "forty exercise 1" in page
    assert "5. Counting parameters" in page
    assert "raise NotImplementedError(" in page
    assert "Hints for exercise 5 Count one layer at a time." in page
    assert "784 * 64 + 64) +" not in page


def test_the_same_evidence_gives_the_same_bytes(site: Mapping[str, bytes]) -> None:
    assert made() == site


def test_every_link_leads_to_a_page_and_a_place_on_it(site: Mapping[str, bytes]) -> None:
    found = pages(site)
    for path, page in found.items():
        folder = path.rpartition("/")[0]
        for link in re.findall(r'(?:href|src)="([^"]*)"', page):
            if re.match(r"https?:|data:", link):
                continue
            target, _, place = link.partition("#")
            parts = [*filter(None, folder.split("/"))]
            for part in filter(None, target.split("/")):
                parts = parts[:-1] if part == ".." else [*parts, part]
            there = "/".join(parts) if target else path
            assert there in site, (path, link)
            assert not place or f'id="{unquote(place)}"' in found[there], (path, link)


def test_nothing_comes_from_elsewhere(site: Mapping[str, bytes]) -> None:
    for path, page in pages(site).items():
        assert "Content-Security-Policy\" content=\"default-src 'none'" in page
        loaded = re.findall(r'<(?:script|link|img|iframe|object)[^>]*(?:src|href)="([^"]*)"', page)
        assert [each for each in loaded if not re.match(r"data:|(\.\./)?(assets|pictures)/", each)] == [], path
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=", page), path


def test_every_page_is_small_and_has_one_title_and_the_parts_that_are_named(site: Mapping[str, bytes]) -> None:
    for path, page in pages(site).items():
        assert len(site[path]) < MOST_BYTES
        assert page.count("<h1") == 1, path
        assert all(part in page for part in ("<main", 'id="menu"', 'class="skip"', 'lang="en"'))
        ids = re.findall(r'\sid="([^"]*)"', page)
        assert len(ids) == len(set(ids)), path


def test_a_day_has_its_parts_in_order(site: Mapping[str, bytes]) -> None:
    page = site["days/04-regularization.html"].decode()
    order = [
        "What &lt;b&gt;helps", ">All of it<", 'id="verdicts"', 'id="the-idea"', 'id="code"', 'id="results"',
        'id="curves"', 'id="run"', 'id="exercises"', 'id="check-yourself"', 'id="sources"',
        'id="provenance"',
    ]  # fmt: skip
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    assert "About 98%, with less distance between training and validation." in page
    assert '<a class="before" href="../days/01-first-network.html">' in page
    assert "Answer</summary>" in page


def test_code_is_escaped_and_keeps_its_empty_lines(site: Mapping[str, bytes]) -> None:
    page = site["days/04-regularization.html"].decode()
    code = re.sub(r"<[^>]+>", "", page[page.index('class="code"') :].split("</pre>")[0])
    assert code.endswith('"""A &lt;study&gt;."""\n\n\nx = 1  # &amp; more')
    assert "All 4 lines" in page
    assert re.search(r"<pre tabindex=\"0\"><code>.*&lt;two&gt;", page, re.DOTALL)


def test_curves_are_drawn_without_scripts_and_tell_their_values(site: Mapping[str, bytes]) -> None:
    page = site["days/04-regularization.html"].decode()
    assert 'curves.js" defer' in page
    series = re.findall(r'<g class="series"[^>]*data-name="([^"]*)" data-x="([^"]*)" data-says="([^"]*)"', page)
    assert {name for name, _, _ in series} == set(made_up.VARIANTS)
    for _, x, says in series:
        assert len(x.split()) == len(says.split("|")) > 1
    assert re.fullmatch(r"9\d\.\d\d% ± \d\.\d\d", series[0][2].split("|")[-1])
    assert "curves.js" not in site["days/01-first-network.html"].decode()


def test_home_counts_what_the_evidence_has(site: Mapping[str, bytes]) -> None:
    home = text(site, "index.html")
    assert "2 of forty days are here" in home
    assert "12 claims" in home
    assert "make demo" in home
    assert "5 First convolutional network" in home


def test_photographs_are_files_of_their_own() -> None:
    shown = [each for each in made_up.exhibits() if each["kind"] == "pictures"]
    site = make_site([finished(4, exhibits=shown)], ())
    page = site["days/04-regularization.html"].decode()
    assert "data:image/png" not in page
    sources = set(re.findall(r'src="\.\./(pictures/[0-9a-f]{16}\.png)"', page))
    assert sources == {path for path in site if path.startswith("pictures/")} != set()
    assert all(site[path].startswith(b"\x89PNG") for path in sources)


def test_promises_stand_beside_what_came_out(site: Mapping[str, bytes]) -> None:
    said = text(site, "promises.html")
    assert said.index("About 98%, with less distance") < said.rindex("The network names at least 97%")
    assert "Still to come. Convolution, pooling" in said


def test_commands_are_those_that_are_given(site: Mapping[str, bytes]) -> None:
    page = site["commands.html"].decode()
    assert '<h3 id="forty-read">forty read</h3>' in page
    assert "Read a day&#39;s &lt;notes&gt;." in page
    assert "<code>--no-pager</code>" in page


def test_the_index_has_every_section_with_its_place(site: Mapping[str, bytes]) -> None:
    script = site["assets/search.js"].decode()
    index = json.loads(script.removeprefix("window.searchIndex=").removesuffix(";\n"))
    found = {path: {place: words for place, _, words in sections} for path, _, sections in index}
    assert set(found) == set(pages(site))
    assert "What <b>helps</b>?" in found["days/04-regularization.html"]["the-question"]
    assert "Print all at once." in found["commands.html"]["forty-read"]


def test_surprises_are_the_refuted_claims_that_are_furthest_off_one_a_day() -> None:
    found = surprises([finished(1), finished(4)])
    assert [(each.day.number, str(claim.verdict)) for each, claim in found] == [(1, "refuted"), (4, "refuted")]
    assert surprises([finished(1, claims=[])]) == []


def test_a_thumbnail_shows_the_first_exhibit_or_else_the_accuracies() -> None:
    exhibits = {each["kind"]: each | {"first": True} for each in made_up.exhibits()}
    assert "<polyline" in thumbnail(finished(4, exhibits=[exhibits["lines"]]).results)
    assert "<rect" in thumbnail(finished(4, exhibits=[exhibits["matrix"]]).results)
    assert "<img" in thumbnail(finished(4, exhibits=[exhibits["pictures"]]).results)
    for exhibit in ([], [exhibits["table"]]):
        assert thumbnail(finished(4, exhibits=exhibit).results).count("<circle") == 3 + 14


def test_links_between_files_become_links_between_pages(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "data.md").write_text(
        "<!-- made -->\n# Data & more\n\n## Words\n\nx<br>y <b>z</b>\n\n"
        "[a](claims.md#how), [b](../bench/RESULTS.md), [c](../src/x.py), [d](https://dvc.org), [e](#words)\n\n"
        "## Others\n\nGone.\n"
    )
    page = make_document(Document(file="docs/data.md", page="data.html", name="Data"), tmp_path)
    assert page.startswith('<h1 id="data--more">Data &amp; more</h1>')
    for link in ("claims.html#how", "speed.html", "https://dvc.org", "#words"):
        assert f'<a href="{link}">' in page
    assert " c, " in page
    assert "x<br>y &lt;b&gt;z&lt;/b&gt;" in page
    part = make_document(Document(file="docs/data.md", page="words.html", name="Words", part="Words"), tmp_path)
    assert "Gone." not in part
    with pytest.raises(StorageError, match=r"has no part 'Nothing', of which the page words\.html is made"):
        make_document(Document(file="docs/data.md", page="words.html", name="Words", part="Nothing"), tmp_path)


def test_no_page_is_named_twice() -> None:
    for of in (lambda document: document.page, lambda document: document.name):
        named = [of(document) for document in DOCUMENTS]
        assert sorted(set(named)) == sorted(named)

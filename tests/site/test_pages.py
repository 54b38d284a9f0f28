"""The pages of the site: whole, harmless, dependent on nothing, and the same bytes twice."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from made_up_days import finished, made_up

from fortydays.base.errors import StorageError
from fortydays.site.commands import Command, Parameter
from fortydays.site.documents import DOCUMENTS, Document, make_document
from fortydays.site.markup import with_listings
from fortydays.site.pages import in_words, make_site, surprises
from fortydays.site.play.listing import PLAY_PAGES
from fortydays.site.search import sections
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
    others = {"index.html", "promises.html", "commands.html", "api.html", *(each.page for each in DOCUMENTS)}
    others |= {
        "play/index.html",
        *(each.path for each in PLAY_PAGES if each.name != "convolution"),
    }  # which is of day 5
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


def test_formulas_are_typeset_once_and_found_by_what_they_say(site: Mapping[str, bytes]) -> None:
    page = site["days/04-regularization.html"].decode()
    assert page.count('class="katex"') == 2
    assert "<mfrac>" in page
    assert 'href="../assets/formulas.css"' in page
    assert "formulas.css" not in site["index.html"].decode()
    style = site["assets/formulas.css"].decode()
    assert "url(data:font/woff2;base64," in style
    assert not re.search(r"url\((?!data:)", style)
    index = json.loads(site["assets/search.js"].decode().removeprefix("window.searchIndex=").removesuffix(";\n"))
    said = next(sections for path, _, sections in index if path == "days/04-regularization.html")
    (idea,) = [words for place, _, words in said if place == "the-idea"]
    assert "With W₁ x it is: a/b" in idea


def test_public_names_have_signatures_fields_errors_and_places(site: Mapping[str, bytes]) -> None:
    page = text(site, "api.html")
    assert "fd.run( day: int | str | os.PathLike[str], *, seeds: int | range | None = None," in page
    assert re.search(r"src/fortydays/api.py, line \d+", page)
    assert "UsageError" in page
    assert 'href="api.html"' in site["python.html"].decode()


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


def test_what_stands_apart_on_a_page_stands_apart_in_the_index() -> None:
    body = (
        '<h2 id="a">A <b>B</b></h2><p>one</p><p>two</p><figure><figcaption>three</figcaption></figure>four'
        "<details><summary>five</summary>six</details><h3>seven</h3>eight<div>nine</div><label>ten</label>eleven"
        "<pre><span>keras</span><span>.</span><span>layers</span></pre>twelve <b>bold</b>er"
    )
    assert sections(body) == [
        ["a", "A B", "one two three four five six seven eight nine ten eleven keras.layers twelve bolder"]
    ]


def test_surprises_are_the_refuted_claims_that_are_furthest_off_one_a_day() -> None:
    def refuted(sentence: str, value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
        claim = made_up.evidence()["claims"][0]
        told = {"claim": sentence, "verdict": "refuted", "bound": 0.97, "value": value, "low": low, "high": high}
        return claim | told | more

    # Distances from the bound, in widths of the interval: 2, 5, 1, 4, 3 (and 9, worked on to reach it).
    of_day = {
        1: [refuted("near", 0.95, 0.945, 0.955)],
        2: [refuted("narrow", 0.96, 0.959, 0.961), refuted("wide", 0.90, 0.865, 0.935)],
        3: [refuted("nearest", 0.96, 0.955, 0.965)],
        4: [refuted("far", 0.93, 0.925, 0.935), refuted("worked", 0.88, 0.875, 0.885, demonstration=True)],
        5: [refuted("middle", 0.94, 0.935, 0.945)],
    }
    found = surprises([finished(number, claims=claims) for number, claims in of_day.items()])
    assert [(each.day.number, claim.claim) for each, claim in found] == [(2, "narrow"), (4, "far"), (5, "middle")]
    assert surprises([finished(1, claims=[])]) == []


def test_a_demonstration_that_is_reached_is_not_counted_as_supported() -> None:
    supported, *others = made_up.evidence()["claims"]
    worked = supported | {"claim": "Worked on", "demonstration": True}
    failed = worked | {"claim": "Worked on in vain", "verdict": "refuted"}
    day = finished(1, claims=[supported, worked, failed, others[0] | {"verdict": "undecided"}])
    assert supported["verdict"] == "supported"
    assert in_words(day.results.claims) == {"supported": 1, "undecided": 1, "reached": 1, "not reached": 1}
    made = make_site([day], ())
    assert "4 claims: 1 supported, 1 undecided, 1 reached, 1 not reached" in text(made, "index.html")
    assert "Of 4 claims, 1 are supported, and 1 have a bound that the recipe was worked on to reach, and reached" in (
        text(made, "play/guess.html")
    )


def test_only_the_page_of_a_day_says_that_its_results_come_from_evidence(site: Mapping[str, bytes]) -> None:
    said = {path for path, page in pages(site).items() if "comes from published evidence" in page}
    assert said == {path for path in site if path.startswith("days/")}


def test_home_says_where_a_surprise_is_marginal_or_flagged_and_its_day_what_that_is() -> None:
    claim = made_up.evidence()["claims"][0] | {"verdict": "refuted", "marginal": True, "flags": ["no spread"]}
    made = make_site([finished(1, claims=[claim])], ())
    assert "✗ refuted, marginal, flagged" in text(made, "index.html")
    told = 'did not pass. More: <a href="../claims.html">how claims are judged</a>.'
    assert told in made["days/01-first-network.html"].decode()


def test_home_is_whole_where_nothing_surprises() -> None:
    home = text(make_site([finished(1, claims=[])], ()), "index.html")
    assert "1 of forty days are here" in home
    assert "surprise" not in home


def test_a_thumbnail_shows_the_first_exhibit_or_else_the_accuracies() -> None:
    exhibits = {each["kind"]: each | {"first": True} for each in made_up.exhibits()}
    assert "<polyline" in thumbnail(finished(4, exhibits=[exhibits["lines"]]).results)
    assert "<rect" in thumbnail(finished(4, exhibits=[exhibits["matrix"]]).results)
    assert "<img" in thumbnail(finished(4, exhibits=[exhibits["pictures"]]).results)
    for exhibit in ([], [exhibits["table"]]):
        assert thumbnail(finished(4, exhibits=exhibit).results).count("<circle") == 3 + 14


def test_the_comments_of_a_wide_list_of_commands_stand_beside_them() -> None:
    pages = {"docs/serving.md": "serving.html"}
    wide = (
        "<pre><code>forty run 1           # train it; `forty show 1` shows it\n"
        "forty serve &quot;a b&quot;   # an answer in a browser or by its API, also for several; see docs/serving.md\n"
        "forty doctor\n</code></pre>"
    )
    assert with_listings(wide, pages) == (
        '<div class="listing">'
        "<div><code>forty run 1</code><span>train it; <code>forty show 1</code> shows it</span></div>"
        "<div><code>forty serve &quot;a b&quot;</code><span>an answer in a browser or by its API, also for "
        'several; see <a href="serving.html">docs/serving.md</a></span></div>'
        "<div><code>forty doctor</code><span></span></div></div>"
    )
    narrow = "<pre><code>forty run 1  # train it\nforty show 1  # show it\n</code></pre>"
    continued = wide.replace("forty doctor", "    --port 80")  # a line that belongs to the one before
    few = "<pre><code>forty run 1\nforty show 1\nforty doctor  # " + "what is wrong, " * 8 + "\n</code></pre>"
    for other in (narrow, continued, few, "<pre><code>{ &quot;a&quot;: 1 }</code></pre>", "<p>forty  # no list</p>"):
        assert with_listings(other, pages) == other


def test_links_between_files_become_links_between_pages(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "data.md").write_text(
        "<!-- made -->\n# Data & more\n\n## Words\n\nx<br>y <b>z</b>\n\n"
        "[a](claims.md#how), [b](../bench/RESULTS.md), [c](../src/x.py), [d](https://dvc.org), [e](#words)\n\n"
        "    forty data list  # what there is, and what is cached; for your own see docs/photographs.md, too\n"
        "\n## Others\n\nGone.\n"
    )
    page = make_document(Document(file="docs/data.md", page="data.html", name="Data"), tmp_path)
    assert page.startswith('<h1 id="data--more">Data &amp; more</h1>')
    for link in ("claims.html#how", "measurements.html", "photographs.html", "https://dvc.org", "#words"):
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

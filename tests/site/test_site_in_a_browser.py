"""The site in a real browser, opened from the disk: whole on a phone and without scripts, and nothing from outside."""

import threading
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from fortydays.days.journey import JOURNEY
from fortydays.exercises.progress import Progress
from fortydays.site.finished import FinishedDay, finished_day, read_evidence
from fortydays.site.pages import make_site
from fortydays.site.serving import server_of
from fortydays.site.solved import filler

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MOST_BYTES = 400_000
DAY = "days/02-activations.html"


def test_every_page_is_small(site: dict[str, bytes]) -> None:
    assert {path: len(page) for path, page in site.items() if path.endswith("html") and len(page) >= MOST_BYTES} == {}


def test_every_page_opens_and_fits_a_phone(opened: Any, site: dict[str, bytes]) -> None:
    page = opened("index.html", width=390)
    home = page.url.removesuffix("index.html")
    for path in sorted(path for path in site if path.endswith(".html")):
        page.goto(home + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.locator("h1").count() == 1


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_nothing_keeps_anybody_from_using_a_page(opened: Any, site: dict[str, bytes], theme: str, width: int) -> None:
    page = opened("index.html", width=width, color_scheme=theme)
    home = page.url.removesuffix("index.html")
    found = []
    for path in sorted(path for path in site if path.endswith(".html")):
        # Pages of days have one template and one style sheet: contrast, which takes most of the time, is looked at on
        # one of them, and what a theme changes, too.
        another_day = path.startswith("days/") and path != DAY
        if another_day and theme == "dark":
            continue
        page.goto(home + path)
        # The visible half of a formula is hidden from who listens and has the colors of the text around: thousands of
        # elements to look at for nothing.
        told = (
            Axe()
            .run(
                page,
                context={"exclude": [".katex-html"]},
                options={
                    "preload": False,
                    "resultTypes": ["violations"],
                    "rules": {"color-contrast": {"enabled": not another_day}},
                },
            )
            .response["violations"]
        )
        found += [(path, each["id"], each["nodes"][0]["html"][:200]) for each in told]
    assert found == []


def test_search_finds_a_section_and_the_keyboard_goes_there(opened: Any) -> None:
    page = opened(DAY)
    page.keyboard.press("/")
    page.keyboard.type("gradient vanishes")
    first = page.locator("#found a").first
    first.wait_for()
    assert "Day 2. Activation functions › The idea" in first.text_content()
    assert first.get_attribute("aria-selected") == "true"
    count = page.locator("#found a").count()
    page.keyboard.press("ArrowUp")
    assert page.locator("#found a").nth(count - 1).get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**#the-idea")
    page.keyboard.press("/")
    page.keyboard.type("xyzzy")
    assert "Nothing has all these words." in page.text_content("#found")
    page.keyboard.press("Escape")
    assert page.is_hidden("#found")
    assert page.input_value("#search") == ""


@pytest.mark.parametrize(
    ("term", "shown", "marked"),
    [
        ("60", "1 < 2 & 60 of <b>", ["60"]),
        ("38", "", None),
        ("<b>", "1 < 2 & 60 of <b>", ["<b>"]),
        ("&", "1 < 2 & 60 of <b>", ["&"]),
        ("6 60", "1 < 2 & 60 of <b>", ["60"]),
    ],
)
def test_search_marks_what_the_page_says_and_not_how_it_is_written(
    opened: Any, term: str, shown: str, marked: list[str] | None
) -> None:
    page = opened(DAY)
    page.keyboard.press("/")
    page.wait_for_function("window.searchIndex")
    page.evaluate("window.searchIndex = [['index.html', 'One', [['a', 'Part', '1 < 2 & 60 of <b>']]]]")
    page.keyboard.type(term)
    if marked is None:
        assert page.text_content("#found") == "Nothing has all these words."
        return
    found = page.locator("#found a")
    assert found.text_content() == f"One › Part{shown}"
    assert found.locator("mark").all_text_contents() == marked


def test_the_theme_turns_and_is_kept(opened: Any) -> None:
    page = opened("index.html", color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.click("#theme")
    dark = page.evaluate(paper)
    assert light != dark
    page.click("text=Activation functions")
    page.wait_for_url("**/02-activations.html")
    assert page.evaluate(paper) == dark
    assert page.get_attribute("#theme", "aria-pressed") == "true"
    assert opened("index.html", color_scheme="dark").evaluate(paper) == dark


def test_the_search_is_called_by_its_key_only_where_nothing_has_the_focus(opened: Any) -> None:
    page = opened(DAY)
    for place in ("#theme", ".chart", "summary"):
        page.locator(place).first.focus()
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") != "search", place
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("a/b")
    assert page.input_value("#search") == "a/b"


def test_on_a_wide_screen_a_figure_stands_beside_the_text_that_follows_it(opened: Any) -> None:
    page = opened("days/05-first-convolutions.html", width=1600)
    tops = """() => {
      const figure = document.querySelector(".notes > figure");
      const box = figure.getBoundingClientRect(), text = figure.nextElementSibling.getBoundingClientRect();
      return [text.top < box.bottom, box.right <= document.querySelector("main").getBoundingClientRect().right];
    }"""
    assert page.evaluate(tops) == [True, True]
    page.set_viewport_size({"width": 1280, "height": 800})
    assert page.evaluate(tops) == [False, True]


def test_curves_tell_values_by_pointer_and_keyboard_and_hide_a_line(opened: Any, days: list[FinishedDay]) -> None:
    page = opened(DAY)
    results = next(each for each in days if each.page == DAY).results
    first, second = [variant.name for variant in results.groups[0][1]][:2]
    figure = page.locator(".curves").first
    chart = figure.locator(".chart")
    chart.focus()
    page.keyboard.press("End")
    said = figure.locator(".readout").text_content()
    assert said.startswith("step ")
    ends = [trial.history["validation_accuracy"][-1] for trial in results.variants[0].finished]
    assert results.variants[0].name == first
    assert f"{first} {100 * sum(ends) / len(ends):.2f}% ± " in said
    # A screen reader is told that it takes keys, and reads what they say.
    assert chart.get_attribute("role") == "application"
    assert chart.get_attribute("aria-describedby") == figure.locator(".readout").get_attribute("id")
    figure.locator(".legend button").first.click()
    chart.focus()
    page.keyboard.press("ArrowLeft")
    assert f"{second} " in figure.locator(".readout").text_content()
    assert f"{first} " not in figure.locator(".readout").text_content()
    assert figure.locator(".series.off").count() == 1
    chart.hover(position={"x": 150, "y": 80})
    assert f"{second} " in figure.locator(".readout").text_content()


def test_on_a_phone_a_touch_reads_values_that_stay(opened: Any) -> None:
    figure = opened(DAY, width=390, has_touch=True, is_mobile=True).locator(".curves").first
    assert figure.locator(".readout").text_content() == "Touch the picture to read values."
    figure.locator(".chart").tap()
    assert figure.locator(".readout").text_content().startswith("step ")


def test_answers_are_folded_and_open(opened: Any) -> None:
    page = opened(DAY)
    answer = page.locator("main details", has_text="Answer").first
    assert answer.get_attribute("open") is None
    answer.locator("summary").click()
    assert answer.get_attribute("open") is not None


def test_a_served_site_shows_what_has_passed_as_soon_as_it_has(browser: Any) -> None:
    kept = Progress()
    days = [finished_day(day, read_evidence(day)) for day in JOURNEY[:1]]
    with server_of(make_site(days, [], marked=True), 0, filler(lambda: kept)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for theme, width in (("light", 1280), ("dark", 390)):
            kept.exercises.clear()
            context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
            page = context.new_page()
            page.goto(server.address)
            assert page.locator(".map .solved").count() == 0
            kept.exercises |= {"1.1": {"tries": 1, "passed": "2026-11-29T00:00:00Z"}, "1.2": {"tries": 3}}
            page.reload()
            assert page.inner_text(".map .solved") == "1 of 5 solved"
            page.click(".map a")
            assert page.inner_text("p.solved") == "You have passed 1 of 5 exercises."
            assert [each.inner_text() for each in page.locator("summary .solved").all()] == ["✓ passed", "tried"]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert (
                not Axe().run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
            )
            context.close()
        server.shutdown()


def test_a_wide_formula_scrolls_in_its_box_by_keyboard_and_has_its_fonts(opened: Any) -> None:
    page = opened("days/01-first-network.html", width=390)
    formula = page.locator("div.formula", has_text="parameters").first
    formula.focus()
    assert formula.evaluate("each => each.scrollWidth > each.clientWidth && each.clientWidth < 390")
    page.keyboard.press("ArrowRight")
    scrolled = formula.evaluate(
        """each => new Promise(done => {
            each.addEventListener("scroll", () => done(true));
            setTimeout(() => done(each.scrollLeft > 0), 5000);
        })"""
    )
    assert scrolled
    loaded = page.evaluate("[...document.fonts].filter(each => each.status == 'loaded').map(each => each.family)")
    assert {"KaTeX_Main", "KaTeX_Math"} <= {name.strip("\"'") for name in loaded}
    assert formula.locator("math").count() == 1


def test_without_scripts_all_is_there_but_the_search(opened: Any) -> None:
    page = opened(DAY, java_script_enabled=False)
    assert page.is_visible(".curves .mean >> nth=0")
    assert page.is_visible(".legend >> nth=0")
    assert page.is_hidden("#search")
    assert page.is_hidden("#theme")

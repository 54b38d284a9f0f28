"""The site in a real browser, opened from the disk: whole on a phone and without scripts, and nothing from outside."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

import real_browser
from fortydays.base.errors import FortydaysError
from fortydays.cli.site import described
from fortydays.days.journey import JOURNEY, is_ready
from fortydays.site.finished import finished_day, read_evidence
from fortydays.site.pages import make_site
from fortydays.site.writing import write_site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MOST_BYTES = 400_000
DAY = "days/02-activations.html"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The site of every day whose notes fit its evidence; whether that is current is another test's question."""
    days = []
    for day in JOURNEY:
        if is_ready(day):
            try:
                days.append(finished_day(day, read_evidence(day)))
            except FortydaysError:
                continue
    return make_site(days, list(described()))


@pytest.fixture(scope="module")
def folder(site: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a folder") / "the site"
    write_site(site, path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with real_browser.started() as found:
        yield found


@pytest.fixture
def opened(browser: Any, folder: Path) -> Iterator[Any]:
    """Opens pages from the disk; afterwards nothing may have been said or asked that should not be."""
    problems: list[str] = []
    contexts = []

    def asked(request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            problems.append(request.url)

    def opened(path: str, *, width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.on("request", asked)
        page.goto((folder / path).as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


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
        page.goto(home + path)
        told = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
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


def test_curves_tell_values_by_pointer_and_keyboard_and_hide_a_line(opened: Any) -> None:
    page = opened(DAY)
    figure = page.locator(".curves").first
    chart = figure.locator(".chart")
    chart.focus()
    page.keyboard.press("End")
    said = figure.locator(".readout").text_content()
    assert said.startswith("step ")
    assert "relu 97." in said
    figure.locator(".legend button", has_text="relu").first.click()
    chart.focus()
    page.keyboard.press("ArrowLeft")
    assert "relu 9" not in figure.locator(".readout").text_content()
    assert figure.locator(".series.off").count() == 1
    chart.hover(position={"x": 150, "y": 80})
    assert "gelu 9" in figure.locator(".readout").text_content()


def test_answers_are_folded_and_open(opened: Any) -> None:
    page = opened(DAY)
    answer = page.locator("main details", has_text="Answer").first
    assert answer.get_attribute("open") is None
    answer.locator("summary").click()
    assert answer.get_attribute("open") is not None


def test_without_scripts_all_is_there_but_the_search(opened: Any) -> None:
    page = opened(DAY, java_script_enabled=False)
    assert page.is_visible(".curves .mean >> nth=0")
    assert page.is_visible(".legend >> nth=0")
    assert page.is_hidden("#search")
    assert page.is_hidden("#theme")

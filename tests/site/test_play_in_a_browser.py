"""The pages that compute in a real browser: small, and whole without scripts and on paper."""

from typing import Any

import pytest

from fortydays.site.play.design import MOST_BYTES
from fortydays.site.play.listing import PLAY_PAGES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NAMES = [page.name for page in PLAY_PAGES]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_small_together_with_all_that_it_alone_loads(site: dict[str, bytes], name: str) -> None:
    scripts = next(page.scripts for page in PLAY_PAGES if page.name == name)
    files = [f"play/{name}.html", f"assets/{name}.css", "assets/play.css", *(f"assets/{each}.js" for each in scripts)]
    assert sum(len(site[path]) for path in files) < MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_without_scripts_and_on_paper_a_page_tells_its_numbers(opened: Any, name: str) -> None:
    page = opened(f"play/{name}.html")
    assert page.locator(".live").is_visible()
    assert page.locator(".still").is_hidden()
    page.emulate_media(media="print")
    assert page.locator(".live").is_hidden()
    assert page.locator(".still").is_visible()
    bare = opened(f"play/{name}.html", java_script_enabled=False)
    assert bare.locator(".live").is_hidden()
    assert bare.locator(".still").is_visible()

"""The whole site of the published evidence, on the disk and in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import real_browser
from fortydays.cli.site import described
from fortydays.days.journey import JOURNEY, is_ready
from fortydays.site.finished import FinishedDay, finished_day, read_evidence
from fortydays.site.pages import make_site
from fortydays.site.writing import write_site


@pytest.fixture(scope="session")
def days() -> list[FinishedDay]:
    """Every day that is ready; whether its evidence is current is another test's question."""
    return [finished_day(day, read_evidence(day)) for day in JOURNEY if is_ready(day)]


@pytest.fixture(scope="session")
def site(days: list[FinishedDay]) -> dict[str, bytes]:
    """The site of these days."""
    return make_site(days, list(described()))


@pytest.fixture(scope="session")
def folder(site: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a folder") / "the site"
    write_site(site, path)
    return path


@pytest.fixture(scope="module")  # two at once in a process, as of another folder's tests, cannot be
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
        file, _, place = path.partition("#")
        page.goto((folder / file).as_uri() + (f"#{place}" if place else ""))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []

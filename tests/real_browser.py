"""A real browser, for the tests of what people see."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def started() -> Iterator[Any]:
    """Chromium, without a window."""
    if CHROMIUM is None:
        pytest.fail("The tests of the page need Chromium: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # The path of its socket has at most 107 characters, and TMPDIR may be longer.
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], env={**os.environ, "TMPDIR": "/tmp"}
        )
        yield browser
        browser.close()


def said_of(address: str, images: list[Path]) -> list[str]:
    """What the page of a service says of image files that are chosen one after the other."""
    said = []
    with started() as browser:
        for image in images:
            page = browser.new_page()
            page.set_default_timeout(20_000)
            page.goto(address)
            page.set_input_files("#file", image)
            page.wait_for_function("() => document.querySelector('#answered-by').textContent.includes(', says ')")
            said.append(page.text_content("#answered-by"))
            page.close()
    return said

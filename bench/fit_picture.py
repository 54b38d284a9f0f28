"""The README's picture of a fit: parts of the page that `forty fit tf_flowers` writes, those without photographs.

Usage: python bench/fit_picture.py [PAGE]

Without a page, it learns the flowers in a workspace that is thrown away: some minutes. Needs Chromium.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "fit.png"
WIDTH = 1000
SHOWN = ("classes", "confusion")
"""The parts of the page by the ids of their headings. Whoever took a photograph owns it, so none is shown."""

MOST_BYTES = 150_000
_SHADES = (256, 128, 96, 64, 48, 32)


def main() -> None:
    """Write the picture."""
    if len(sys.argv) > 1:
        written = taken(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as place:
            page = Path(place) / "flowers.html"
            # Exit code 3, a closed gate, has a page too.
            done = subprocess.run(
                [sys.executable, "-m", "fortydays", "fit", "tf_flowers", "--no-track", "-o", str(page)],
                env={**os.environ, "FORTYDAYS_HOME": f"{place}/home"},
                check=False,
            )
            if done.returncode not in (0, 3):
                sys.exit(f"forty fit ended with exit code {done.returncode}.")
            written = taken(page)
    PICTURE.write_bytes(written)
    print(f"{PICTURE}: {len(written):,} bytes")


def taken(page: Path) -> bytes:
    """The top of a page as a small PNG file."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("The picture needs Chromium: apt install chromium")
    with sync_playwright() as playwright:
        browser: Any = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": WIDTH, "height": 600}, color_scheme="light")
        opened.goto(page.as_uri())
        kept = ", ".join(f":has(> h2#{name})" for name in SHOWN)
        opened.add_style_tag(content=f"nav, footer, body section:not({kept}) {{display: none !important}}")
        shot = Image.open(io.BytesIO(opened.screenshot(full_page=True))).convert("RGB")
        browser.close()
    for shades in _SHADES:
        file = io.BytesIO()
        shot.quantize(shades, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        if file.tell() < MOST_BYTES:
            return file.getvalue()
    sys.exit(
        f"The picture has {file.tell():,} bytes even with {_SHADES[-1]} colors; expected fewer than {MOST_BYTES:,}."
    )


if __name__ == "__main__":
    main()

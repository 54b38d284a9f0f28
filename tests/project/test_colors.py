"""Site, report and service are one family: a color that two of them name is the same in both, light and dark."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2] / "src" / "fortydays"


def colors(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]+)", text))


def test_the_page_of_the_service_has_the_colors_of_the_reports() -> None:
    report = (ROOT / "report" / "templates" / "style.css").read_text("utf-8")
    dark, light = report.partition("{% endset %}")[::2]
    service = (ROOT / "serve" / "page" / "page.css").read_text("utf-8")
    service_light, service_dark = service.partition("@media (prefers-color-scheme: dark)")[::2]
    for mine, theirs in ((colors(service_light), colors(light)), (colors(service_dark), colors(dark))):
        assert mine.keys() >= {"paper", "ink", "quiet", "line", "link", "supported", "refuted"}
        assert mine == {name: theirs.get(name) for name in mine}

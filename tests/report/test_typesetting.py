"""Formulas typeset for a page: HTML with MathML, a style with the fonts that are used, and nothing else."""

import importlib.util
import re
from typing import Any

import made_up
import pytest

from fortydays.base.errors import UsageError
from fortydays.report import typesetting
from fortydays.report.notes import to_html
from fortydays.report.page import make_page
from fortydays.report.typesetting import MissingPackagesError, can_typeset, in_characters, style_of, typeset


def test_a_formula_is_html_with_mathml_and_tells_itself_in_characters() -> None:
    html = typeset(r"\frac{a}{b} < 1", False)
    assert html.startswith('<span class="formula" data-said="a/b &lt; 1"><span class="katex">')
    assert "<mfrac><mi>a</mi><mi>b</mi></mfrac>" in html
    assert 'class="katex-html" aria-hidden="true"' in html
    assert "<script" not in html


def test_a_formula_of_its_own_is_a_box_that_the_keyboard_reaches() -> None:
    html = typeset("a", True)
    assert html.startswith('<div class="formula" data-said="a" tabindex="0" role="group" aria-label="Formula">')
    assert "katex-display" in html


def test_what_katex_does_not_understand_is_told_with_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"The formula '\\\\begin\{aligned\}.* cannot be typeset: KaTeX parse error"):
        typeset(r"\begin{aligned} a", True)


def test_the_style_has_what_the_pages_use_and_its_fonts_inside() -> None:
    assert style_of(["<p>No formula.</p>"]) == ""
    plain = style_of([typeset("a + 1", False)])
    assert set(re.findall(r"font-family: '?(KaTeX_\w+)", plain)) == {"KaTeX_Main", "KaTeX_Math"}
    assert "url(" not in re.sub(r"url\(data:font/woff2;base64,[A-Za-z0-9+/=]+\)", "", plain)
    assert ".mfrac" not in plain
    fraction = style_of([typeset("a + 1", False), typeset(r"\left(\frac{a}{\hat{b}}\right)", True)])
    assert ".mfrac" in fraction
    assert ".accent-body:not(.accent-full) { width: 0 }" in fraction
    assert plain == style_of([typeset("a + 1", False)])
    assert len(plain) < len(fraction) < 200_000


def test_a_dollar_of_the_evidence_is_no_formula() -> None:
    from fortydays.report.notes import escape

    assert to_html(escape("5 $a$ b")) == "<p>5 $a$ b</p>\n"


def test_without_the_packages_a_page_has_characters_and_the_site_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert can_typeset()
    found = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name == "quickjs" else found(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    assert not can_typeset()
    with pytest.raises(MissingPackagesError, match="need quickjs-ng, not installed here") as caught:
        typesetting.check_packages()
    assert "run `make setup` in the repository, or install fortydays with pip again" in caught.value.hint
    html = to_html("So $x_1$:\n\n$$\n1 < 2\n$$\n", formula=in_characters)
    assert '<span class="formula" data-said="x₁"><code>x₁</code></span>' in html
    assert "<pre>1 &lt; 2</pre>" in html
    assert to_html("$x_1$") == '<p><span class="formula" data-said="x₁"><code>x₁</code></span></p>\n'


def test_a_report_has_the_style_of_its_formulas_inside() -> None:
    def page(notes: str | None) -> str:
        return make_page(made_up.evidence(), notes_html=notes, source="published")

    with_formula = page(to_html("It is $a$.", formula=typeset))
    assert with_formula.count("font/woff2;base64,") == 2
    assert "font-src data:" in with_formula
    assert "<mi>a</mi>" in with_formula
    assert "woff2" not in page(to_html("It is $a$."))
    assert "woff2" not in page(None)

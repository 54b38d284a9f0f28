"""Formulas of pages, typeset by KaTeX while the page is made: HTML for the eye, MathML for who listens, no script.

KaTeX is a JavaScript library. Its script, its style and its fonts are taken from the installed package
``jupyterlab-katex``, and QuickJS runs the script inside this process. The style is cut down to what pages use, and
has its fonts inside.
"""

import base64
import functools
import html
import importlib.util
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError, UsageError
from fortydays.report.formulas import as_text

PACKAGES = {"jupyterlab-katex": "jupyterlab_katex", "quickjs-ng": "quickjs"}
"""What typesetting needs, by the names of packages: the modules that tell whether they are there."""

Show = Callable[[str, bool], str]
"""Makes HTML of a formula, given its TeX and whether it stands on lines of its own."""

# The package has its parts as modules of webpack. Here is the little of webpack's runtime that they need. The answer
# is JSON, because QuickJS's binding does not take the joined texts that the script makes.
_RUNTIME = """
var modules = {}, made = {}, self = {};
class URL { constructor(path) { this.path = path; } toString() { return this.path; } }
self.webpackChunk_jupyterlab_katex_extension = { push: (chunk) => { Object.assign(modules, chunk[1]); } };
function need(id) {
  if (!made[id]) {
    made[id] = { id: String(id), exports: {} };
    modules[id].call(made[id].exports, made[id], made[id].exports, need);
  }
  return made[id].exports;
}
need.n = (exported) => {
  const get = () => exported && exported.__esModule ? exported.default : exported;
  get.a = get;
  return get;
};
need.d = (exported, getters) => {
  for (const key in getters) Object.defineProperty(exported, key, { enumerable: true, get: getters[key] });
};
need.r = () => {}; need.p = ""; need.b = "";
function holding(...words) {
  return need(Object.keys(modules).find((id) => words.every((word) => String(modules[id]).includes(word))));
}
"""
_BEGIN = """
const library = holding("renderToString", "ParseError"), katex = library.default || library;
function style() { return JSON.stringify(holding("@font-face", "KaTeX_Main").Z.map((part) => part[1]).join("")); }
function typeset(tex, displayMode) {
  const options = { displayMode, output: "htmlAndMathml", throwOnError: true, strict: "error", trust: false };
  try { return JSON.stringify({ html: katex.renderToString(tex, options) }); }
  catch (error) { return JSON.stringify({ error: String(error.message) }); }
}
"""


INSTALL = "It belongs to fortydays: run `make setup` in the repository, or install fortydays with pip again."


class MissingPackagesError(FortydaysError):
    """What typesets formulas is not installed."""


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """A rule of a style sheet: its selectors, and what it says."""

    selectors: tuple[str, ...]
    says: Mapping[str, str]


def check_packages() -> None:
    """See to it that formulas can be typeset.

    Raises:
        MissingPackagesError: they cannot; it says what to install.
    """
    missing = [name for name, module in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise MissingPackagesError(
            f"The formulas of the pages need {' and '.join(missing)}, not installed here.",
            hint=INSTALL,
        )


def can_typeset() -> bool:
    """Whether formulas can be typeset here; if not, pages show them in characters."""
    return all(importlib.util.find_spec(module) is not None for module in PACKAGES.values())


@functools.lru_cache(maxsize=4096)  # the same formula stands on several pages; to typeset one takes 10 ms
def typeset(tex: str, block: bool) -> str:
    """A formula as HTML with MathML in it.

    Args:
        tex: what to typeset.
        block: whether it stands on lines of its own.

    Raises:
        MissingPackagesError: KaTeX or QuickJS is not installed.
        UsageError: KaTeX does not understand the formula.
    """
    answer = json.loads(_engine().get("typeset")(tex, block))
    if "error" in answer:
        raise UsageError(f"The formula {tex!r} cannot be typeset: {answer['error']}.")
    return _framed(str(answer["html"]), tex, block)


def in_characters(tex: str, block: bool) -> str:
    """A formula as HTML in characters alone, as a terminal shows it.

    Raises:
        UsageError: the formula has no form in characters.
    """
    text = html.escape(as_text(tex))
    return _framed(f"<pre>{text}</pre>" if block else f"<code>{text}</code>", tex, block)


def _framed(shown: str, tex: str, block: bool) -> str:
    """A formula in its box: a wide one scrolls by itself. The search reads what it says from its attribute."""
    said = html.escape(as_text(tex)).replace("\n", "&#10;")
    if block:
        return (
            f'<div class="formula" data-said="{said}" tabindex="0" role="group" aria-label="Formula">{shown}</div>\n'
        )
    return f'<span class="formula" data-said="{said}">{shown}</span>'


@functools.cache
def _engine() -> Any:
    """QuickJS with KaTeX loaded."""
    check_packages()
    import quickjs

    context = quickjs.Context()
    context.eval(_RUNTIME)
    for path in _package_files(".js"):
        if path.name[0].isdigit():  # the parts; other scripts ask a server for them
            with files.storage_errors("read", path):
                context.eval(path.read_text("utf-8"))
    try:
        context.eval(_BEGIN)
    except quickjs.JSException as error:
        raise _unexpected(error) from error
    return context


def _package_files(suffix: str) -> Sequence[Path]:
    from importlib.metadata import files as listed

    found = [Path(str(each.locate())) for each in listed("jupyterlab-katex") or () if each.suffix == suffix]
    return sorted(path for path in found if path.parent.name == "static")


def _unexpected(reason: object) -> StorageError:
    return StorageError(
        f"The installed package jupyterlab-katex is not as expected: {reason}",
        hint="Install the version that locks/run.txt names: make setup",
    )


# --------------------------------------------------------------------------------------------------------------- style


def style_of(pages: Iterable[str]) -> str:
    """The style that the formulas of some pages need, with its fonts inside; "" where there is no formula.

    Args:
        pages: HTML.

    Raises:
        StorageError: the package has not the fonts that its style names.
    """
    used = {
        name
        for page in pages
        if 'class="katex"' in page
        for names in re.findall(r'class="([^"]*)"', page)
        for name in names.split()
    }
    if not used:
        return ""
    rules = [each for rule in _rules() if (each := _cut(rule, used))]
    faces = [rule for rule in _rules() if rule.selectors == ("@font-face",) and _face(rule) in _faces(rules)]
    shown = [_written("@font-face", {**face.says, "src": _source(face.says["src"])}) for face in faces]
    return "\n".join([*shown, *(_written(", ".join(rule.selectors), rule.says) for rule in rules)])


@functools.cache
def _rules() -> tuple[_Rule, ...]:
    text = re.sub(r"/\*.*?\*/", "", json.loads(_engine().get("style")()), flags=re.DOTALL)
    found = []
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", text):
        pairs = (each.split(":", 1) for each in body.split(";") if ":" in each)
        says = {name.strip(): value.strip() for name, value in pairs}
        found.append(_Rule(selectors=tuple(" ".join(each.split()) for each in selectors.split(",")), says=says))
    if not any(rule.selectors == ("@font-face",) for rule in found):
        raise _unexpected("its style has no fonts.")
    return tuple(found)


def _cut(rule: _Rule, used: set[str]) -> _Rule | None:
    """A rule with the selectors that the pages use, or None."""

    def is_used(selector: str) -> bool:
        wanted = re.findall(r"\.([\w-]+)", re.sub(r":not\([^)]*\)", "", selector))
        return "katex" in selector and used.issuperset(wanted)

    kept = tuple(filter(is_used, rule.selectors))
    return _Rule(selectors=kept, says=rule.says) if kept and "katex-version" not in kept[0] else None


def _faces(rules: Sequence[_Rule]) -> set[tuple[str, str, str]]:
    """Family, weight and style of the fonts that some rules ask for."""
    found = set()
    for rule in rules:
        named = re.search(r"KaTeX_\w+", rule.says.get("font-family", rule.says.get("font", "")))
        weight, slant = (rule.says.get(f"font-{name}", "normal") for name in ("weight", "style"))
        if named or (weight, slant) != ("normal", "normal"):
            found.add((named[0] if named else "KaTeX_Main", weight, slant))
    return found


def _face(rule: _Rule) -> tuple[str, str, str]:
    return rule.says["font-family"].strip("'\""), rule.says["font-weight"], rule.says["font-style"]


def _source(source: str) -> str:
    """What a face is loaded from, as the font itself."""
    name = re.search(r"url\(([\w.]+\.woff2)\)", source)
    paths = {path.name: path for path in _package_files(".woff2")}
    if name is None or name[1] not in paths:
        raise _unexpected(f"it lacks the font {source[:60]}.")
    with files.storage_errors("read", paths[name[1]]):
        font = base64.b64encode(paths[name[1]].read_bytes()).decode()
    return f"url(data:font/woff2;base64,{font}) format('woff2')"


def _written(selectors: str, says: Mapping[str, str]) -> str:
    return f"{selectors} {{ {'; '.join(f'{name}: {value}' for name, value in says.items())} }}"

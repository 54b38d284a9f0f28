"""The notes of a day: Markdown whose numbers are placeholders, filled from evidence and from nothing else.

``{{ mean("network", "test_accuracy") }}`` in the notes becomes "97.8%". A placeholder is one expression, evaluated in
a sandbox that knows only the functions of :class:`Numbers`; one that names what is not in the evidence is an error
that tells file, line and placeholder. Text from the evidence is escaped, so that it cannot become Markdown.
"""

import functools
import importlib.util
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from fortydays.base import files
from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.text import counted
from fortydays.report import numbers
from fortydays.report.formulas import as_code
from fortydays.report.results import Results, VariantResults, read_results
from fortydays.study.samples import Findings, paired_sample
from fortydays.study.statistics import Interval

if TYPE_CHECKING:
    import rich.console
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

    from fortydays.days.journey import Day

_T = TypeVar("_T")

NOTHING_YET = "—"
_NO_EVIDENCE = f"*This day has no evidence yet: its numbers show as {NOTHING_YET}.*\n\n"
_PLACEHOLDER = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)
# Words joined by single signs mean nothing to Markdown, and stay readable in code, where an escape would show.
_INERT = re.compile(r"[A-Za-z0-9]+(?:[ ._+-][A-Za-z0-9]+)*")
_PICTURE = re.compile(r"^!\[(?P<caption>[^\]]+)\]\((?P<name>\w+)\)$", re.MULTILINE)
_ANSWER = re.compile(r"^ +>.*\n", re.MULTILINE)
_ANSWERS = re.compile(r"(?:^ +>.*\n)+", re.MULTILINE)
_MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$-])")


@dataclass(frozen=True, kw_only=True)
class Notes:
    """The notes of a day as written: Markdown with placeholders, and the file's name for messages."""

    text: str
    file: str


def read_notes(day: "Day") -> Notes | None:
    """The notes of a day, or None where it has none yet.

    Raises:
        StorageError: the file cannot be read.
    """
    from fortydays.days.journey import folder

    where = folder(day)
    path = where / "notes.md" if where is not None else None
    if path is None or not path.is_file():
        return None
    with files.storage_errors("read", path):
        text = path.read_text("utf-8")
    return Notes(text=text, file=f"{path.parent.name}/{path.name}")


def read_figures(day: "Day") -> dict[str, Callable[[], str]]:
    """By name, what draws the figures of a day's notes: the public functions of its ``figures.py``."""
    from fortydays.days.journey import folder_name

    module = f"fortydays.lessons.{folder_name(day)}.figures"
    if importlib.util.find_spec(module) is None:
        return {}
    drawn = vars(importlib.import_module(module))
    return {name: each for name, each in drawn.items() if getattr(each, "__module__", "") == module and name[0] != "_"}


class Numbers:
    """The functions that placeholders may call."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def mean(self, variant: str, metric: str, *, digits: int | None = None) -> str:
        """A metric's mean over seeds: "97.8%", "1,240" (steps), "3.1" (seconds)."""
        unit = self._unit(metric)
        text = numbers.plain(self._summary(variant, metric).mean, unit, digits=digits)
        return f"{text}%" if unit == "share" else text

    def spread(self, variant: str, metric: str, *, digits: int | None = None) -> str:
        """A metric's mean with half the width of its 95% interval: "97.8% ± 0.1"; with one seed only the mean."""
        return numbers.mean_and_spread(self._summary(variant, metric), self._unit(metric), digits=digits)

    def deviation(self, variant: str, metric: str) -> str:
        """How much a metric differs from seed to seed, as a standard deviation: "2.3 points"."""
        std, unit = self._summary(variant, metric).std, self._unit(metric)
        if std is None:
            raise UsageError(f"{variant!r} has one seed, so {metric} has no deviation.")
        return f"{numbers.plain(std, unit)} points" if unit == "share" else numbers.plain(std, unit)

    def ratio(self, variant: str, than: str, metric: str, *, digits: int = 1) -> str:
        """How many times the mean of one variant is that of another: "2.4"."""
        below = self._summary(than, metric).mean
        if below == 0:
            raise UsageError(f"The mean {metric} of {than!r} is zero, so there is no ratio to it.")
        return numbers.plain(self._summary(variant, metric).mean / below, "", digits=digits)

    def difference(self, variant: str, than: str, metric: str, *, digits: int | None = None) -> str:
        """By how much a variant's metric is above another's, paired by seed: "+0.4 ± 0.1 points"."""
        self._summary_or_limit(variant, metric)
        self._summary_or_limit(than, metric)
        sample, _ = paired_sample(Findings(trials=self._results.metrics_by_seed()), metric, variant, than)
        if not sample.values:
            raise UsageError(f"{variant!r} and {than!r} have no seed in common that has {metric}.")
        unit = self._unit(metric)
        return numbers.mean_and_spread(sample.spread, unit, digits=digits, difference=True)

    def verdict(self, number: int) -> str:
        """The verdict on a claim, the first being 1: "supported", "refuted" or "undecided"."""
        return str(_numbered("claim", self._results.claims, number).verdict)

    def word(self, number: int) -> str:
        """The verdict on a claim as tables show it: "supported", "supported (marginal)", "reached", "undecided"."""
        claim = _numbered("claim", self._results.claims, number)
        beside = [word for word, holds in (("marginal", claim.marginal), ("flagged", claim.flags)) if holds]
        return f"{claim.word} ({', '.join(beside)})" if beside else claim.word

    def claim(self, number: int) -> str:
        """A claim's sentence."""
        return escape(_numbered("claim", self._results.claims, number).claim)

    def value(self, number: int) -> str:
        """What a claim's verdict rests on, with its interval: "+0.39 points (+0.35 to +0.42), 5 seeds"."""
        return numbers.claim_value(_numbered("claim", self._results.claims, number))

    def note(self, number: int) -> str:
        """What else there is to know of a claim, such as "chosen: momentum fair"; may be empty."""
        return escape(_numbered("claim", self._results.claims, number).note)

    def withdrawn(self, number: int) -> str:
        """The sentence of a withdrawn claim, the first being 1."""
        return escape(_numbered("withdrawn claim", self._results.withdrawn, number).claim)

    def reason(self, number: int) -> str:
        """Why a claim is withdrawn, the first being 1."""
        return escape(_numbered("withdrawn claim", self._results.withdrawn, number).reason)

    def recipe(self, variant: str, field: str) -> str:
        """A field of a variant's recipe; an optimizer's option is ``optimizer_options.NAME``."""
        recipe = self._variant(variant).recipe
        if field not in recipe:
            raise unknown_name("recipe field", field, recipe, of=f"the variant {variant!r}")
        return escape(numbers.setting(recipe[field]))

    def epochs(self, variant: str) -> str:
        """How many epochs a variant's recipe has: "1 epoch", "10 epochs"."""
        return counted(_known(self._variant(variant).recipe.get("epochs"), f"epochs {variant!r} has"), "epoch")

    def parameters(self, variant: str) -> str:
        """How many numbers a variant's model learns: "101,770"."""
        return f"{_known(self._variant(variant).parameters, f'parameters {variant!r} has'):,}"

    def multiply_adds(self, variant: str) -> str:
        """How many multiplications, each with its addition, a variant's model does for one image: "26.5 M"."""
        return numbers.large(_known(self._variant(variant).multiply_adds, f"multiply-adds {variant!r} does"))

    def chosen(self, variant: str) -> str:
        """The setting that a variant's search chose: "0.1"."""
        search = self._variant(variant).search
        if search is None:
            raise UsageError(f"The variant {variant!r} did not choose a setting.")
        return escape(numbers.setting(search.chosen))

    def seeds(self) -> str:
        """How many seeds: "5"."""
        return str(len(self._results.seeds))

    def dataset(self, what: str) -> str:
        """A fact about the dataset: "name", "classes" (how many), or the size of "train", "validation" or "test"."""
        dataset = self._results.dataset
        if dataset is None:
            raise UsageError("The study has no dataset.")
        facts = {"name": escape(dataset.name), "classes": str(len(dataset.classes))}
        facts |= {split: f"{getattr(dataset, split):,}" for split in ("train", "validation", "test")}
        if what not in facts:
            raise unknown_name("fact", what, facts, of="a dataset")
        return facts[what]

    def _unit(self, metric: str) -> str:
        return numbers.metric_unit(metric, self._results.declared)

    def _variant(self, name: str) -> VariantResults:
        for variant in self._results.variants:
            if variant.name == name:
                return variant
        raise unknown_name("variant", str(name), [v.name for v in self._results.variants])

    def _summary(self, variant: str, metric: str) -> Interval:
        found = self._variant(variant)
        if metric in found.metrics:
            return found.metrics[metric]
        reached, of = found.reached(metric)
        if reached < of:
            raise UsageError(
                f"{variant!r} reached {metric} in {reached} of {of} seeds only, so it has no mean.",
                hint="Say so in the notes, or use difference(), which counts it as reached at the end.",
            )
        if not found.finished:
            raise UsageError(f"No trial of {variant!r} finished, so it has no {metric}.")
        raise unknown_name("metric", str(metric), found.metrics, of=f"the variant {variant!r}")

    def _summary_or_limit(self, variant: str, metric: str) -> None:
        if not any(f"{metric}_limit" in t.metrics for t in self._variant(variant).finished):
            self._summary(variant, metric)


def _known(count: object, what: str) -> int:
    if not isinstance(count, int):
        raise UsageError(f"The evidence does not say how many {what}.")
    return count


def _numbered(what: str, found: Sequence[_T], number: int) -> _T:
    if not isinstance(number, int) or not 1 <= number <= len(found):
        raise UsageError(f"There is no {what} {number}; the evidence has {len(found)}, counted from 1.")
    return found[number - 1]


def render_notes(markdown: str, evidence: Mapping[str, Any] | None, *, file: str = "notes.md") -> str:
    """The notes with their placeholders filled.

    Args:
        markdown: the notes as written.
        evidence: the day's evidence document, or None where there is none yet: placeholders then show as "—" and a
            first line says why.
        file: the notes' path, for messages.

    Returns:
        Markdown.

    Raises:
        UsageError: a placeholder is not an expression, or names what is not in the evidence.
        StorageError: the evidence is damaged.
    """
    known = None if evidence is None else Numbers(read_results(evidence))
    functions = {name: getattr(known, name) for name in _FUNCTIONS} if known else None

    def fill(match: re.Match[str]) -> str:
        where = f"{file}, line {markdown.count(chr(10), 0, match.start()) + 1}: {{{{{match[1]}}}}}"
        return _evaluate(match[1], functions, where)

    return ("" if known else _NO_EVIDENCE) + _PLACEHOLDER.sub(fill, markdown)


_FUNCTIONS = [name for name in vars(Numbers) if not name.startswith("_")]
_HINT = f"Known: {', '.join(_FUNCTIONS)}."


@functools.lru_cache(maxsize=1024)  # to compile one takes Jinja longer than all that it evaluates
def _compiled(expression: str) -> Callable[..., Any]:
    """A placeholder's expression, which knows nothing but what it is called with."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(undefined=StrictUndefined)
    environment.globals.clear()
    return environment.compile_expression(expression.strip(), undefined_to_none=False)


def _evaluate(expression: str, functions: Mapping[str, Callable[..., str]] | None, where: str) -> str:
    """What a placeholder stands for, without functions a sign for nothing yet; problems are told with the place."""
    from jinja2 import TemplateSyntaxError, UndefinedError
    from jinja2.exceptions import SecurityError

    try:
        compiled = _compiled(expression)
        return str(compiled(**functions)) if functions else NOTHING_YET
    except FortydaysError as error:
        raise UsageError(f"{where}: {error.message}", hint=error.hint) from error
    except TemplateSyntaxError as error:
        raise UsageError(f"{where} is not a placeholder: {error.message}.", hint=_HINT) from error
    except UndefinedError as error:
        raise UsageError(f"{where}: there is no such function ({error.message}).", hint=_HINT) from error
    except (SecurityError, TypeError, ValueError) as error:
        raise UsageError(f"{where} cannot be evaluated: {error}.", hint=_HINT) from error


def escape(text: str) -> str:
    """Text as Markdown that shows it literally."""
    return text if _INERT.fullmatch(text) else _MARKDOWN_SIGNS.sub(r"\\\1", text)


def to_html(
    markdown: str,
    figures: Mapping[str, Callable[[], str]] | None = None,
    *,
    formula: Callable[[str, bool], str] | None = None,
) -> str:
    """Notes as HTML for the page of a day: no HTML of their own, no pictures from elsewhere, headings one lower.

    A paragraph ``![what it shows](name)`` becomes a figure of the day. A quotation inside a list is the answer to the
    question before it, and is folded.

    Args:
        markdown: the notes, with their numbers.
        figures: by name, what draws a figure of the day as SVG; see :func:`read_figures`.
        formula: makes HTML of a formula's TeX, such as :func:`fortydays.report.typesetting.typeset`; in characters if
            left out.

    Raises:
        UsageError: the notes name a figure that there is not, or a formula cannot be shown.
    """
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from markupsafe import escape as escaped

    from fortydays.report.drawing import drawings
    from fortydays.report.typesetting import in_characters

    drawing, formula = drawings("n"), formula or in_characters

    def figure(match: re.Match[str]) -> str:
        caption, name = " ".join(match["caption"].split()), match["name"]
        if name not in (figures or {}):
            raise unknown_name("figure", name, figures or {}, of="the day")
        svg = drawing((figures or {})[name](), caption)
        return f"<figure>\n{svg}\n<figcaption>{escaped(caption)}</figcaption>\n</figure>\n"

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    _read_formulas(parser, formula)
    shown: list[Token] = []
    for token in parser.parse(markdown):
        content = ""
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        elif token.type == "inline" and (picture := _PICTURE.fullmatch(token.content)):
            shown.pop()  # the paragraph's beginning; its end comes next
            content = figure(picture)
        elif token.type == "paragraph_close" and shown and shown[-1].content.startswith("<figure>"):
            continue
        elif token.type == "blockquote_open" and token.level > 1:
            content = "<details>\n<summary>Answer</summary>\n"
        elif token.type == "blockquote_close" and token.level > 1:
            content = "</details>\n"
        shown.append(Token("html_block", "", 0, content=content) if content else token)
    return str(parser.renderer.render(shown, parser.options, {}))


def _read_formulas(parser: "MarkdownIt", formula: Callable[[str, bool], str]) -> None:
    """Let a parser know formulas between dollars, and what to make of them."""
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser.use(dollarmath_plugin, allow_labels=False, allow_space=False, double_inline=False)

    def inside(_: object, tokens: "Sequence[Token]", place: int, *_rest: object) -> str:
        return formula(tokens[place].content, False)

    def block(_: object, tokens: "Sequence[Token]", place: int, *_rest: object) -> str:
        return formula(tokens[place].content.strip(), True)

    parser.add_render_rule("math_inline", inside)
    parser.add_render_rule("math_block", block)


def for_terminal(markdown: str, *, answers: bool = False) -> str:
    """Notes as a terminal can show them: formulas in characters, pictures as what they show.

    Args:
        markdown: the notes, with their numbers.
        answers: show the answers to the questions too.

    Raises:
        UsageError: a formula has no form in characters.
    """
    shown = _PICTURE.sub(
        lambda match: f"*Picture on the page: {' '.join(match['caption'].split())}*", as_code(markdown)
    )
    folded, hidden = _ANSWER.subn("", shown)
    if answers or not hidden:
        return shown
    return f"{folded.rstrip()}\n\n*The answers to the questions: the same command with --answers*\n"


def for_notebook(markdown: str, figures: Mapping[str, Callable[[], str]]) -> list[tuple[str, dict[str, str]]]:
    """Notes as the cells of a notebook, one for each heading: Markdown, and by file name the SVG of its figures.

    Raises:
        UsageError: the notes name a figure that there is not.
    """
    cells = []
    for text in _sections(markdown):
        drawn: dict[str, str] = {}

        def picture(match: re.Match[str], drawn: dict[str, str] = drawn) -> str:
            caption, name = " ".join(match["caption"].split()), match["name"]
            if name not in figures:
                raise unknown_name("figure", name, figures, of="the day")
            drawn[f"{name}.svg"] = figures[name]()
            return f"![{caption}](attachment:{name}.svg)\n\n*{caption}*"

        folded = _ANSWERS.sub(_folded, _PICTURE.sub(picture, text))
        cells.append((folded.strip(), drawn))
    return cells


def _sections(markdown: str) -> list[str]:
    """The text before the second heading, and from each further one to the next; a fence hides what looks like one."""
    found, fenced = [""], False
    for line in markdown.splitlines(keepends=True):
        fenced ^= line.startswith("```")
        if line.startswith("## ") and not fenced:
            found.append("")
        found[-1] += line
    return [text for text in found if text.strip()]


def _folded(match: re.Match[str]) -> str:
    """An answer as HTML that unfolds; the Markdown inside stays Markdown, in the question's item of the list."""
    lines = [line.partition(">")[2].strip() for line in match[0].splitlines()]
    inside = ["<details><summary>Answer</summary>", "", *lines, "", "</details>"]
    return "".join(f"  {line}\n" if line else "\n" for line in inside)


def print_notes(markdown: str, console: "rich.console.Console") -> None:
    """Print filled notes on a console, in at most 80 columns."""
    from rich.console import Console
    from rich.markdown import Markdown

    from fortydays.report.terminal import Screen

    screen = Screen.of(console)
    shown = Markdown(screen.characters(markdown), hyperlinks=False)
    if not screen.ascii_only:
        console.print(shown, width=screen.width)
        return
    # Rich draws bullets and rules of Markdown in characters of its own, whatever the encoding.
    drawn = Console(file=io.StringIO(), width=screen.width, color_system=None)
    with drawn.capture() as capture:
        drawn.print(shown)
    console.out(screen.characters(capture.get()), end="", highlight=False)

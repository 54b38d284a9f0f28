"""The page of a day: one HTML file that needs nothing else, not even a script.

Style, figures and pictures are inside the file, and a content security policy in it forbids everything from outside.
Whatever comes from the evidence is escaped by the template engine; the only markup that is let through is that of
our own figures and of notes made by :func:`fortydays.report.notes.to_html`.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from fortydays.base.text import counted, printable
from fortydays.models.backbones import BACKBONES
from fortydays.models.encoders import ENCODERS
from fortydays.report import columns, lookup, numbers, plots
from fortydays.report.chart import learning_chart
from fortydays.report.drawing import drawings
from fortydays.report.palette import SIGNS, look, qualified, verdict
from fortydays.report.results import Results, VariantResults, read_results
from fortydays.report.typesetting import style_of
from fortydays.study.exhibit_document import Lines, Pictures
from fortydays.study.judgement import Verdict
from fortydays.study.renewal import Renewal
from fortydays.study.vocabulary import Setting

if TYPE_CHECKING:
    import jinja2


def environment(*folders: Path, autoescape: bool = True) -> "jinja2.Environment":
    """What fills this room's templates, and those of other ``folders``. All texts are made printable and escaped."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, Path(__file__).with_name("templates")]),
        autoescape=autoescape,  # noqa: S701 - off for texts that no browser reads
        finalize=lambda value: printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # ``drawing`` takes the SVG text of a figure and what it shows, in words for those who do not see it.
    made.globals |= {"drawing": drawings(), "numbers": numbers, "plots": plots, "signs": SIGNS, "verdict": verdict}
    made.globals |= {"qualified": qualified}
    made.globals |= {"counted": counted, "share": columns.share_cell, "learning_chart": learning_chart}
    return made


def make_page(evidence: Mapping[str, Any], *, notes_html: str | None = None, source: str) -> str:
    """The page of a day or study as the text of one HTML file.

    Args:
        evidence: the evidence document; it may come from anywhere.
        notes_html: the notes as HTML, made by :func:`fortydays.report.notes.to_html`, or None.
        source: where the evidence is from, such as "your run day02-..." or "published".

    Raises:
        StorageError: the evidence is damaged.
    """
    results = read_results(evidence)
    notes = Markup(notes_html) if notes_html else None  # noqa: S704 - made by notes.to_html, which lets no HTML through
    formulas = Markup(style_of([notes_html or ""]))  # noqa: S704 - a style sheet of an installed package
    template = environment().get_template("page.html")
    return template.render(**context_of(results, source=source), notes=notes, formulas=formulas)


def context_of(results: Results, *, source: str) -> dict[str, Any]:
    """What the sections of a day, in ``sections.html``, are filled with.

    Args:
        results: of the day or study.
        source: where the evidence is from.
    """
    return {
        "results": results,
        "source": source,
        "summary": summary(results),
        "columns": [*columns.main_columns(results), *columns.other_columns(results)],
        "costs": columns.cost_columns(results) if results.differ_in_cost else (),
        "differing": differing_fields(results.trained),
        "fields": list(dict.fromkeys(field for v in results.variants for field in v.recipe)),
        "renewed": "; ".join(_renewal(renewal) for renewal in results.renewed),
        "command": lookup.run_command(results),
        "look": look,
        "backbones": {**BACKBONES, **ENCODERS},
        "metric_cell": columns.metric_cell,
        "final_cell": columns.final_cell,
        "has_sentences": has_sentences,
        "picture_widths": picture_widths,
        "lines_in_words": lines_in_words,
        "cell": cell,
    }


def make_fragment(evidence: Mapping[str, Any], *, source: str) -> str:
    """Verdicts and results as HTML for inside another page, such as a notebook; the arguments are as above.

    Raises:
        StorageError: the evidence is damaged.
    """
    results = read_results(evidence)
    shown = [*columns.main_columns(results), *columns.other_columns(results)]
    template = environment().get_template("fragment.html")
    return template.render(results=results, source=source, summary=summary(results), columns=shown)


def summary(results: Results) -> str:
    """The verdicts in one line, then what they rest on."""
    words = [claim.word for claim in results.claims] + ["withdrawn"] * len(results.withdrawn)
    order = (*map(str, Verdict), "reached", "not reached", "withdrawn")
    counts = {word: words.count(word) for word in order}
    claims = len(results.claims) + len(results.withdrawn)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    said = f"{counted(claims, 'claim')}: {verdicts}" if claims else "No claims"
    trials = counted(sum(len(v.finished) for v in results.variants), "finished trial")
    drills = len(results.variants) - len(results.trained)
    kinds = [counted(n, kind) for n, kind in ((len(results.trained), "variant"), (drills, "drill")) if n]
    on = f" on {results.dataset.name}" if results.dataset else ""
    return f"{said}. {', '.join([*kinds, counted(len(results.seeds), 'seed'), trials])}{on}."


def differing_fields(variants: Sequence[VariantResults]) -> list[str]:
    """The recipe fields in which some variants are not alike, in the order of the recipe."""
    fields = dict.fromkeys(field for v in variants for field in v.recipe)
    return [f for f in fields if len({(type(v.recipe.get(f)), v.recipe.get(f), f in v.recipe) for v in variants}) > 1]


def _renewal(found: Renewal) -> str:
    trials = counted(len(found.checked), "trial")
    if found.epochs is None:
        return f"{found.at[:10]}, as {trials} gave the same bits again"
    first = "the first epoch" if found.epochs == 1 else f"the first {found.epochs} epochs"
    few = f" on {found.examples:,} images" if found.examples else ""
    computed = f", computed in {' and '.join(found.precisions)}" if found.precisions else ""
    return f"{found.at[:10]}, as 2 engines gave the same bits in {first} of {trials}{few}{computed}"


COLUMN_OF_PICTURES = 704
"""How wide pictures beside each other are together, in pixels of the page."""

SENTENCE = 40
"""Characters of a label that is a sentence: pictures with such labels get as much room as there is."""


def has_sentences(exhibit: Pictures) -> bool:
    """Whether what stands under the pictures are sentences."""
    return any(len(each.label) > SENTENCE for each in exhibit.pictures)


def picture_widths(exhibit: Pictures) -> list[int]:
    """How wide to show each picture, in pixels of the page.

    All are enlarged by one factor, and by a whole number: otherwise some of their pixels would become larger squares
    than others.
    """
    # The width stands in the header of a PNG file; 1 for what is none.
    headers = [base64.b64decode(each.png[:32]) for each in exhibit.pictures]
    widths = [max(1, int.from_bytes(header[16:20], "big")) for header in headers]
    room = COLUMN_OF_PICTURES / exhibit.columns - 12 if exhibit.columns > 1 else float(COLUMN_OF_PICTURES)
    if exhibit.columns > 1 and not has_sentences(exhibit):
        room = min(104.0, room)
    factor = room / max(widths, default=1)
    factor = round(factor) if factor > 1 else factor
    return [max(1, round(factor * width)) for width in widths]


def lines_in_words(exhibit: Lines) -> str:
    """What the lines of an exhibit show, in words: all points of a short line, and the end of a long one."""

    def value(y: float) -> str:
        return numbers.with_unit(y, exhibit.y_unit)

    def place(x: float) -> str:
        return exhibit.x_names[int(x)] if 0 <= x < len(exhibit.x_names) else f"{x:g}"

    told = []
    for line in exhibit.lines:
        points = [f"{value(y)} at {place(x)}" for x, y in zip(line.x, line.y, strict=True)]
        if line.labels:
            told.append(f"{line.name}: {', '.join(line.labels)}.")
        elif points:
            told.append(f"{line.name}: {', '.join(points if len(points) < 13 else [f'ends with {points[-1]}'])}.")
    return " ".join(told)


def cell(value: Setting) -> str:
    """A cell of a table exhibit: numbers as everywhere, texts as they are."""
    if value is None:
        return "–"
    return numbers.plain(value, "") if isinstance(value, float) else numbers.setting(value)

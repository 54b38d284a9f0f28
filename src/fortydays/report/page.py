"""The page of a day: one HTML file that needs nothing else, not even a script.

Style, figures and pictures are inside the file, and a content security policy in it forbids everything from outside.
Whatever comes from the evidence is escaped by the template engine; the only markup that is let through is that of
our own figures and of notes made by :func:`fortydays.report.notes.to_html`.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from fortydays.base.text import counted
from fortydays.models.backbones import BACKBONES
from fortydays.report import lookup, numbers, plots, terminal
from fortydays.report.palette import SIGNS, look
from fortydays.report.results import Results, VariantResults, read_results
from fortydays.study.claims import Verdict
from fortydays.study.document import FeaturesResult
from fortydays.study.exhibit_document import ExhibitResult, Lines, Matrix, Pictures
from fortydays.study.renewal import Renewal
from fortydays.study.vocabulary import Setting

if TYPE_CHECKING:
    import jinja2


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of the page: its SVG text, what it shows in words for those who do not see it, and a caption."""

    svg: Markup
    alt: str
    caption: str


def template(name: str) -> "jinja2.Template":
    """One of this room's templates; whatever it is filled with is escaped."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name)


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
    figures = Figures()
    return template("page.html").render(
        results=results,
        source=source,
        notes=Markup(notes_html) if notes_html else None,  # noqa: S704 - made by notes.to_html, which lets no HTML through
        summary=summary(results),
        claims=[
            {
                "verdict": str(claim.verdict),
                "sign": SIGNS[claim.verdict],
                "sentence": claim.claim,
                "basis": terminal.claim_basis(claim),
                "condition": claim.condition,
            }
            for claim in results.claims
        ],
        columns=_columns(results),
        group_curves=[
            (group, _curves(of_group, group, figures))
            for group, variants in results.groups
            if (of_group := [v for v in variants if not v.is_drill])
        ],
        comparisons=_comparisons(results, figures),
        cost=_cost(results, figures),
        images=_images(results, figures),
        searches=_searches(results, figures),
        exhibits=[_exhibit(exhibit, figures) for exhibit in results.exhibits],
        differing=differing_fields(results.trained),
        inputs=_inputs(results.variants),
        fields=list(dict.fromkeys(field for v in results.variants for field in v.recipe)),
        provenance=provenance(results, source=source),
        command=lookup.run_command(results),
        look=look,
        setting=_setting,
        field_title=numbers.field_title,
        cell=cell,
    )


def summary(results: Results) -> str:
    """The verdicts in one line, then what they rest on."""
    counts = [
        f"{count} {verdict}"
        for verdict in (Verdict.SUPPORTED, Verdict.REFUTED, Verdict.UNDECIDED)
        if (count := results.count(verdict))
    ]
    counts += [f"{len(results.withdrawn)} withdrawn"] if results.withdrawn else []
    claims = len(results.claims) + len(results.withdrawn)
    said = f"{counted(claims, 'claim')}: {', '.join(counts)}" if claims else "No claims"
    trials = counted(sum(len(v.finished) for v in results.variants), "finished trial")
    drills = len(results.variants) - len(results.trained)
    kinds = [counted(n, kind) for n, kind in ((len(results.trained), "variant"), (drills, "drill")) if n]
    on = f" on {results.dataset.name}" if results.dataset else ""
    return f"{said}. {', '.join([*kinds, counted(len(results.seeds), 'seed'), trials])}{on}."


def differing_fields(variants: Sequence[VariantResults]) -> list[str]:
    """The recipe fields in which some variants are not alike, in the order of the recipe."""
    fields = dict.fromkeys(field for v in variants for field in v.recipe)
    return [f for f in fields if len({(type(v.recipe.get(f)), v.recipe.get(f), f in v.recipe) for v in variants}) > 1]


def provenance(results: Results, *, source: str) -> list[tuple[str, str]]:
    """Everything needed to get these numbers again, as names and values."""
    machine = results.machine
    dataset = results.dataset
    pairs = [
        ("evidence", source),
        ("run", results.run_id),
        ("ended", results.created.replace("T", " ").replace("Z", " UTC")),
        ("dataset", f"{dataset.name}, split version {dataset.split_version}" if dataset else ""),
        ("dataset digest", dataset.digest if dataset else ""),
        ("study digest", results.code.get("study", "")),
        ("engine digest", results.code.get("engine", "")),
        ("renewed", "; ".join(_renewal(found) for found in results.renewed)),
        ("results digest", results.results_digest),
        ("fortydays", results.code.get("version", "")),
        ("commit", results.code.get("commit", "")),
        ("packages", ", ".join(f"{name} {version}" for name, version in results.packages.items())),
        ("backend", ", ".join(filter(None, [results.backend, results.engine and f"engine {results.engine}"]))),
        ("accelerator", machine.get("accelerator", "")),
        ("processor", machine.get("cpu_model", "")),
        ("instructions", machine.get("flags", "")),
        (
            "system",
            ", ".join(
                filter(None, [machine.get("system", ""), machine.get("python") and f"Python {machine['python']}"])
            ),
        ),
        ("threads", str(results.threads) if results.threads is not None else ""),
        ("time", ", ".join(f"{name} {numbers.duration(value)}" for name, value in results.seconds.items())),
    ]
    return [(name, value) for name, value in pairs if value]


def _renewal(found: Renewal) -> str:
    trials = counted(len(found.checked), "trial")
    if found.epochs is None:
        return f"{found.at[:10]}, as {trials} gave the same bits again"
    first = "the first epoch" if found.epochs == 1 else f"the first {found.epochs} epochs"
    few = f" on {found.examples:,} images" if found.examples else ""
    computed = f", computed in {' and '.join(found.precisions)}" if found.precisions else ""
    return f"{found.at[:10]}, as 2 engines gave the same bits in {first} of {trials}{few}{computed}"


class Figures:
    """Numbers the figures of a page, so that the ids inside one do not meet those inside another."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, svg: str, *, alt: str, caption: str = "") -> Figure:
        """A figure from our own SVG text, with what it shows in words."""
        self._count += 1
        return Figure(svg=_isolated(svg, f"f{self._count}-", alt), alt=alt, caption=caption)


def _isolated(svg: str, prefix: str, alt: str) -> Markup:
    """Our own SVG with its ids made the page's own, told to screen readers as one picture with a description."""
    svg = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}\1"', svg)
    svg = re.sub(r"url\(#([^)]*)\)", rf"url(#{prefix}\1)", svg)
    svg = re.sub(r'xlink:href="#([^"]*)"', rf'href="#{prefix}\1"', svg)
    svg = re.sub(r'\s(?:xmlns(?::xlink)?|version)="[^"]*"', "", svg)
    label = Markup.escape(alt)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1))  # noqa: S704 - drawn by plots


def _columns(results: Results) -> list[dict[str, Any]]:
    metrics = [
        *terminal.main_columns(results),
        *((numbers.metric_title(m, results.declared), m) for m in terminal.other_metrics(results)),
    ]
    return [
        {"title": title, "cells": [terminal.metric_cell(v, metric) for v in results.variants]}
        for title, metric in metrics
    ]


def _curves(variants: Sequence[VariantResults], group: str, figures: Figures) -> list[Figure]:
    found = []
    for field, words in (("validation_accuracy", "Validation accuracy"), ("train_loss", "Training loss")):
        svg = plots.learning_curves(variants, field)
        if svg is not None:
            alt = f"{words} during training{', ' + group if group else ''}: {_final_values(variants, field)}"
            found.append(figures.add(svg, alt=alt, caption=words))
    return found


def _final_values(variants: Sequence[VariantResults], field: str) -> str:
    parts = []
    for v in variants:
        last = [t.history[field][-1] for t in v.finished if t.history.get(field)]
        if last:
            unit = "share" if field.endswith("accuracy") else ""
            parts.append(f"{v.name} ends at {numbers.with_unit(sum(last) / len(last), unit)}")
    return ", ".join(parts) + "."


def _comparisons(results: Results, figures: Figures) -> list[Figure]:
    drawings: list[tuple[Callable[[Sequence[VariantResults]], str | None], str, str]] = [
        (
            plots.accuracies,
            "test_accuracy",
            "Test accuracy. Large dot: mean over seeds; line: its 95% interval; small dots: one seed each.",
        ),
        (
            plots.gaps,
            "accuracy_gap",
            "From test to train accuracy: the longer the line, the more was learned by heart.",
        ),
    ]
    found = []
    for draw, metric, caption in drawings:
        svg = draw(results.variants)
        if svg is not None:
            values = ", ".join(f"{v.name} {terminal.metric_cell(v, metric)}" for v in results.variants)
            found.append(figures.add(svg, alt=f"{caption} {values}.", caption=caption))
    return found


def _cost(results: Results, figures: Figures) -> dict[str, Any] | None:
    """The table of costs and its picture, or None where the variants' models are alike in multiply-adds."""
    if not results.differ_in_cost:
        return None
    columns = [{"title": title, "cells": cells} for title, cells in terminal.cost(results)]
    svg = plots.accuracy_against_cost(results.variants)
    if svg is None:
        return {"columns": columns, "figure": None}
    caption = "Test accuracy against multiply-adds for one image. Dot: mean over seeds; line: its 95% interval."
    told = ", ".join(
        f"{v.name} {numbers.large(v.multiply_adds)} {terminal.metric_cell(v, 'test_accuracy')}"
        for v in results.variants
        if v.multiply_adds is not None
    )
    return {"columns": columns, "figure": figures.add(svg, alt=f"{caption} {told}.", caption=caption)}


def _images(results: Results, figures: Figures) -> dict[str, Any] | None:
    """The table of accuracies by training images and its picture, or None where all variants learned from all."""
    if not results.learning_groups:
        return None
    groups = [
        (
            group or "others",
            plots.line_look(variants).color,
            [(v.name, f"{results.training_images(v):,}", terminal.metric_cell(v, "test_accuracy")) for v in variants],
        )
        for group, variants in results.learning_groups
    ]
    svg = plots.accuracy_against_images(results)
    if svg is None:
        return {"groups": groups, "figure": None}
    caption = "Test accuracy against the number of training images. Dot: mean over seeds; line: its 95% interval."
    told = "; ".join(
        f"{group}: {', '.join(f'{accuracy} from {images}' for _, images, accuracy in rows)}"
        for group, _, rows in groups
    )
    return {"groups": groups, "figure": figures.add(svg, alt=f"{caption} {told}.", caption=caption)}


def _searches(results: Results, figures: Figures) -> list[dict[str, Any]]:
    found = []
    for v in results.variants:
        if v.search is None:
            continue
        field, chosen = numbers.field_title(v.search.field), numbers.setting(v.search.chosen)
        tries = ", ".join(
            f"{numbers.with_unit(tried.validation_accuracy.mean, 'share')} with {numbers.setting(tried.value)}"
            for tried in v.search.tries
        )
        tries += ". The best may lie beyond these" if v.search.at_edge else ""
        svg = plots.search(v.search, v.index)
        figure = figures.add(svg, alt=f"Validation accuracy by {field}: {tries}.") if svg is not None else None
        found.append({"variant": v.name, "field": field, "chosen": chosen, "tries": tries, "figure": figure})
    return found


def _exhibit(exhibit: ExhibitResult, figures: Figures) -> dict[str, Any]:
    kind = type(exhibit).__name__.lower()
    figure, widths = None, []
    if isinstance(exhibit, Matrix) and exhibit.rows and exhibit.columns:
        figure = figures.add(plots.matrix(exhibit), alt=f"{exhibit.title}. {exhibit.caption}")
    elif isinstance(exhibit, Lines) and exhibit.lines:
        figure = figures.add(plots.lines(exhibit), alt=f"{exhibit.title}. {exhibit.caption}")
    elif isinstance(exhibit, Pictures):
        widths = picture_widths(exhibit)
    return {"kind": kind, "figure": figure, "content": exhibit, "widths": widths}


COLUMN_OF_PICTURES = 704
"""How wide pictures beside each other are together, in pixels of the page."""


def picture_widths(exhibit: Pictures) -> list[int]:
    """How wide to show each picture, in pixels of the page.

    All are enlarged by one factor, and by a whole number: otherwise some of their pixels would become larger squares
    than others.
    """
    widths = [_pixels_wide(each.png) for each in exhibit.pictures]
    room = min(104.0, COLUMN_OF_PICTURES / exhibit.columns - 12) if exhibit.columns > 1 else float(COLUMN_OF_PICTURES)
    factor = room / max(widths, default=1)
    factor = round(factor) if factor > 1 else factor
    return [max(1, round(factor * width)) for width in widths]


def _pixels_wide(png: str) -> int:
    """The width that the header of a PNG file tells, 1 for what is none."""
    header = base64.b64decode(png[:32]) if png else b""
    return max(1, int.from_bytes(header[16:20], "big")) if len(header) >= 20 else 1


def _inputs(variants: Sequence[VariantResults]) -> list[tuple[str, list[str]]]:
    """What variants learned from, where that is not for all of them all images as they are: titles and cells."""
    found = []
    if any(v.features is not None for v in variants):
        found.append(("features", ["–" if v.features is None else features_in_words(v.features) for v in variants]))
    if any(v.examples is not None for v in variants):
        found.append(("images of each class", ["all" if v.examples is None else f"{v.examples:,}" for v in variants]))
    return found


def features_in_words(features: FeaturesResult) -> str:
    """Which network made features, of images of which side: "MobileNetV2 at 96 px, random weights"."""
    known = BACKBONES.get(features.backbone)
    return ", ".join(
        [
            f"{known.title if known is not None else features.backbone} at {features.side:,} px",
            *([] if features.pretrained else ["random weights"]),
            *(["before its last block"] if features.before_last_block else []),
        ]
    )


def _setting(variant: VariantResults, field: str) -> str:
    return numbers.setting(variant.recipe[field]) if field in variant.recipe else "–"


def cell(value: Setting) -> str:
    """A cell of a table exhibit: numbers as everywhere, texts as they are."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return numbers.plain(value, "")
    return numbers.setting(value)

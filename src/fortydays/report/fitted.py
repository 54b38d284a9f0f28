"""What is found out about a classifier of a reader's own photographs: as a page, and in the terminal.

Both say the same sentences, which are a template. Names of files and classes are the reader's, or whoever's the
photographs are: page and screen make them printable, and the page escapes them.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.table import Column

from fortydays.base import files
from fortydays.base.privacy import shared
from fortydays.base.settings import Settings
from fortydays.base.text import printable, shown
from fortydays.data.own.pixels import kept_pixels
from fortydays.fit.attention import overlay
from fortydays.fit.findings import ClassResult, Findings
from fortydays.fit.label_errors import FEWEST
from fortydays.fit.photographs import SIDE
from fortydays.report.columns import share_cell
from fortydays.report.page import environment
from fortydays.report.palette import SIGNS
from fortydays.report.photographs import amounts, jpeg
from fortydays.report.tables import Table, number
from fortydays.report.terminal import VERDICT_STYLES, Screen
from fortydays.study.exhibit_document import Matrix
from fortydays.study.judgement import Verdict

if TYPE_CHECKING:
    from fortydays.fit.fitting import Fitted

MOST_CLASSES_DRAWN = 100
"""A matrix of more cannot be read; the most frequent confusions are told in words all the same."""

_SHOWN, _CLASSES_SHOWN = 5, 20


def make_page(findings: Findings, picture: Callable[[int], NDArray[np.uint8]]) -> str:
    """The page as the text of one HTML file that needs nothing else.

    Args:
        findings: what it shows.
        picture: the pixels of a photograph by its row: uint8, shape (side, side, 3).
    """
    return (
        environment()
        .get_template("fitted.html")
        .render(
            findings=findings,
            used=_used(findings),
            reasons=_reasons(findings.inspection["left_out"]),
            classes=worst_first(findings),
            matrix=_matrix(findings),
            confusions=confusions(findings),
            too_small=too_small(findings),
            picture=picture,
            jpeg=jpeg,
            overlay=lambda pixels, heat: overlay(pixels, np.asarray(heat, np.float32)),
        )
    )


def write_page(done: "Fitted", output: Path | None, settings: Settings) -> Path:
    """Write the page of a fit to a file of the reader's, or into the workspace; where it is then."""
    path = (output or settings.workspace / "reports" / f"{done.findings.name}.html").absolute()
    is_of_texts = done.findings.noun == "text"
    pixels = np.zeros((0, SIDE, SIDE, 3), np.uint8) if is_of_texts else kept_pixels(done.collection, SIDE)
    with shared(path) if output is not None else contextlib.nullcontext():
        files.write_text(path, make_page(done.findings, lambda row: pixels[row]))
    return path


def print_findings(findings: Findings, console: Console) -> None:
    """Print the most important of it, in at most 80 columns."""
    screen = Screen.of(console)
    for place, part in enumerate(_parts(findings, screen)):
        if place:
            console.print()
        console.print(part, width=screen.width, highlight=False)


def sentence(name: str, findings: Findings) -> str:
    """What page and terminal both say, or "" where there is nothing to say of it.

    Args:
        name: "headline", "about", "registered", "calibration" or "unknown".
        findings: of which it is said.
    """
    told: Any = environment(autoescape=False).get_template("fitted_sentences.txt").module
    return " ".join(getattr(told, name)(findings).split())


def worst_first(findings: Findings) -> list[ClassResult]:
    """The classes, those that are recognised least often first, and those that nothing is known of last."""
    return sorted(findings.per_class, key=lambda each: 2.0 if each.recall is None else each.recall)


def confusions(findings: Findings) -> list[dict[str, Any]]:
    """The mistakes that are made most often, each with how many of how many, most frequent first."""
    classes = findings.classes
    found = [
        {"label": classes[label], "answer": classes[answer], "count": count, "of": sum(row)}
        for label, row in enumerate(findings.confusion)
        for answer, count in enumerate(row)
        if count and label != answer
    ]
    return sorted(found, key=lambda each: -each["count"])


def too_small(findings: Findings) -> list[str]:
    """Names of the classes with too few photographs for their labels to be judged, as a message quotes them."""
    return [shown(each.name) for each in findings.per_class if each.train + each.validation + each.test < FEWEST]


# ---------------------------------------------------------------------------------------------------------------- page


def _matrix(findings: Findings) -> Matrix | None:
    if len(findings.classes) > MOST_CLASSES_DRAWN:
        return None
    names, values = (
        tuple(map(printable, findings.classes)),
        tuple(tuple(map(float, row)) for row in findings.confusion),
    )
    return Matrix(title="", caption="", variant="", seed=None, rows=names, columns=names, values=values)


def _reasons(left_out: Sequence[Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    """The ten most frequent reasons for which files were left out, each with these files."""
    by_reason: dict[str, list[str]] = {}
    for each in left_out:
        # What another file is called differs from file to file; the reason is the same.
        reason = each["reason"]
        for what in ("file", "text"):
            reason = f"it is the same {what} as another" if f"the same {what} as " in reason else reason
        by_reason.setdefault(reason, []).append(each["file"])
    return sorted(by_reason.items(), key=lambda item: -len(item[1]))[:10]


# ------------------------------------------------------------------------------------------------------------ terminal


def _parts(findings: Findings, screen: Screen) -> Iterator[RenderableType]:
    yield Group(
        screen.text(sentence("headline", findings), "bold"),
        screen.text(sentence("about", findings)),
        screen.text(f"{_used(findings)} {findings.balance.sentence}"),
    )
    yield _class_table(findings, screen)
    if findings.words:
        told = [f"{each.name}: {', '.join(word for word, _ in each.words[:6])}" for each in findings.words]
        yield _listed("Words that decide", told, screen)
    if findings.learning_curve is not None:
        yield screen.text(findings.learning_curve.sentence)
    told = [f"{e['label']} → {e['answer']}  {e['count']:,} of {e['of']:,}" for e in confusions(findings)]
    if told:
        yield _listed("Taken for another most often", told, screen)
    told = [f"{e.file}: {e.label} → looks like {e.suggested}" for e in findings.label_errors]
    if told:
        yield _listed(f"Labels worth a look: {len(told):,}, the clearest first", told, screen)
    sentences = list(filter(None, (sentence(name, findings) for name in ("calibration", "unknown"))))
    if sentences:
        yield Group(*map(screen.text, sentences))
    if findings.model:
        sign, style = SIGNS[Verdict.REFUTED], VERDICT_STYLES[Verdict.REFUTED]
        gates = [f"{sign} {g['gate']}: {g['found']}; asked: {g['asked']}" for g in findings.gates if not g["passed"]]
        yield Group(screen.text(sentence("registered", findings)), *(screen.text(gate, style) for gate in gates))


def _class_table(findings: Findings, screen: Screen) -> RenderableType:
    heads = ("train", "validation", "test", "recognised", "right when named")
    table, ordered = Table(Column("class", overflow="fold"), *map(number, heads)), worst_first(findings)
    for each in ordered[:_CLASSES_SHOWN]:
        counts = (f"{count:,}" for count in (each.train, each.validation, each.test))
        recall, precision = screen.text(share_cell(each.recall), "bold"), screen.text(share_cell(each.precision))
        table.add_row(screen.text(each.name), *counts, recall, precision)
    more = len(ordered) - _CLASSES_SHOWN
    return Group(table, screen.text(f"and {more:,} classes more, recognised more often", "dim")) if more > 0 else table


def _used(findings: Findings) -> str:
    left_out = len(findings.inspection["left_out"])
    return amounts(findings.inspection["used"], classes=len(findings.classes), left_out=left_out, noun=findings.noun)


def _listed(title: str, told: Sequence[str], screen: Screen) -> RenderableType:
    lines = [screen.text(f"  {line}") for line in told[:_SHOWN]]
    for line in lines:
        line.overflow = "fold"
    more = [screen.text(f"  and {len(told) - _SHOWN:,} more", "dim")] if len(told) > _SHOWN else []
    return Group(screen.text(title, "bold"), *lines, *more)

"""What is found out about a classifier of a reader's own photographs: as a page, and in the terminal.

Both say the same sentences. Names of files and classes are the reader's, or whoever's the photographs are: they are
made printable, and the page escapes them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.table import Column
from rich.text import Text

from fortydays.base.text import counted, printable, shown
from fortydays.fit.attention import overlay
from fortydays.fit.findings import ClassResult, Findings
from fortydays.fit.label_errors import FEWEST
from fortydays.report import numbers, plots
from fortydays.report.page import Figures, template
from fortydays.report.palette import SIGNS
from fortydays.report.photographs import jpeg
from fortydays.report.tables import Table
from fortydays.report.terminal import ABSENT, VERDICT_STYLES, Screen
from fortydays.study.claims import Verdict
from fortydays.study.exhibit_document import Matrix

MOST_CLASSES_DRAWN = 100
"""A matrix of more cannot be read; the most frequent confusions are told in words all the same."""

_CLASSES, _MISTAKES, _LABEL_ERRORS, _LOOKS, _CONFUSIONS = 500, 24, 48, 12, 10
_SHOWN, _CLASSES_SHOWN = 5, 20
_FEW = 8
"""Classes whose matrix need not be wider than a telephone."""

_THUMBNAIL, _LARGE = 160, 224


def make_page(findings: Findings, picture: Callable[[int], NDArray[np.uint8]]) -> str:
    """The page as the text of one HTML file that needs nothing else.

    Args:
        findings: what it shows.
        picture: the pixels of a photograph by its row: uint8, shape (side, side, 3).
    """
    figures = Figures()
    left_out, inspection = findings.inspection["left_out"], findings.inspection
    values: dict[str, Any] = {
        "name": printable(findings.name),
        "place": printable(findings.place),
        "created": findings.created,
        "headline": headline(findings),
        "about": about(findings),
        "registered": registered(findings),
        "used": looked_at(findings),
        "reasons": _reasons(left_out),
        "notes": [printable(note) for note in inspection["notes"]],
        "balance": findings.balance.sentence,
        "classes": [_class(each) for each in worst_first(findings)[:_CLASSES]],
        "more_classes": max(0, len(findings.per_class) - _CLASSES),
        "matrix": _matrix(findings, figures),
        "few": len(findings.classes) <= _FEW,
        "confusions": confusions(findings)[:_CONFUSIONS],
        "mistakes": [
            {
                "jpeg": jpeg(picture(each.row), side=_THUMBNAIL),
                "file": printable(each.file),
                "label": printable(each.label),
                "answer": printable(each.answer),
                "sure": _percent(each.probability, digits=0),
            }
            for each in findings.mistakes[:_MISTAKES]
        ],
        "wrong": sum(map(sum, findings.confusion)) - sum(row[at] for at, row in enumerate(findings.confusion)),
        "label_errors": [
            {
                "jpeg": jpeg(picture(each.row), side=_THUMBNAIL),
                "file": printable(each.file),
                "label": printable(each.label),
                "suggested": printable(each.suggested),
                "split": each.split,
            }
            for each in findings.label_errors[:_LABEL_ERRORS]
        ],
        "more_label_errors": max(0, len(findings.label_errors) - _LABEL_ERRORS),
        "too_small": too_small(findings),
        "looks": [
            {
                "jpeg": jpeg(pixels, side=_LARGE),
                "overlay": jpeg(overlay(pixels, np.asarray(each.heat, np.float32)), side=_LARGE),
                "file": printable(each.file),
                "label": printable(each.label),
                "answer": printable(each.answer),
                "sure": _percent(each.probability, digits=0),
            }
            for each in findings.attention[:_LOOKS]
            for pixels in [picture(each.row)]
        ],
        "curve": _curve(findings, figures),
        "calibration": calibration_sentence(findings),
        "unknown": unknown_sentence(findings),
        "gates": [
            {
                "sign": SIGNS[Verdict.SUPPORTED if gate["passed"] else Verdict.REFUTED],
                "passed": gate["passed"],
                "gate": gate["gate"],
                "found": printable(gate["found"]),
                "asked": printable(gate["asked"]),
            }
            for gate in findings.gates
        ],
        "seconds": [(stage, numbers.duration(seconds)) for stage, seconds in findings.seconds.items()],
        "whole": numbers.duration(sum(findings.seconds.values())),
        "backbone": findings.backbone,
    }
    return template("fitted.html").render(values)


def print_findings(findings: Findings, console: Console) -> None:
    """Print the most important of it, in at most 80 columns.

    Args:
        findings: what to tell.
        console: where to.
    """
    screen = Screen.of(console)
    for place, part in enumerate(_parts(findings, screen)):
        if place:
            console.print()
        console.print(part, width=screen.width, highlight=False)


# ----------------------------------------------------------------------------------------------------------- sentences


def headline(findings: Findings) -> str:
    """How good it is, in one sentence."""
    test = findings.test
    return (
        f"Of {counted(test.images, 'photograph')} that it had never seen, it names {_percent(test.accuracy)} rightly "
        f"(95% interval {_percent(test.low)} to {_percent(test.high)}); always naming the largest class would get "
        f"{_percent(test.largest_share)}."
    )


def about(findings: Findings) -> str:
    """What the classifier is, and how much its seed matters."""
    backbone, chosen, test = findings.backbone, findings.chosen, findings.test
    said = (
        f"{_sentence(printable(chosen.description or chosen.variant))}, seed {chosen.seed}. It sees "
        f"{backbone.side} x {backbone.side} pixels of a photograph."
    )
    if test.mean_low is None or test.mean_high is None:
        return said
    low, high = _percent(test.mean_low), _percent(test.mean_high)
    if low == high:
        over_seeds = f"All {test.seeds} seeds name {_percent(test.mean)} rightly"
    else:
        over_seeds = f"Over {test.seeds} seeds the mean is {_percent(test.mean)} (95% interval {low} to {high})"
    return f"{said} {over_seeds}; this one was best on the validation photographs."


def registered(findings: Findings) -> str:
    """Where the model is, and what the gates said; "" where it was not registered."""
    failed = [gate["gate"] for gate in findings.gates if not gate["passed"]]
    if not findings.model:
        return ""
    said = f"It is registered as {printable(findings.model)}"
    if findings.alias:
        said += f", and is its {printable(findings.alias)} now"
    if failed:
        return f"{said}. It did not pass {counted(len(failed), 'gate')} of {len(findings.gates)}: {'; '.join(failed)}."
    return f"{said}. It passed all {len(findings.gates)} gates." if findings.gates else f"{said}."


def looked_at(findings: Findings) -> str:
    """How many photographs were used and how many were not, in one line."""
    used, left_out = findings.inspection["used"], len(findings.inspection["left_out"])
    said = f"{used:,} photographs of {len(findings.classes):,} classes"
    return (
        f"{said}; {counted(left_out, 'file')} {'is' if left_out == 1 else 'are'} left out." if left_out else f"{said}."
    )


def calibration_sentence(findings: Findings) -> str:
    """How far confidence is from accuracy, or ""."""
    found = findings.calibration
    if found is None:
        return ""
    before, after = f"{100 * found.before:.1f}", f"{100 * found.after:.1f}"
    images = counted(found.images, "photograph")
    if found.temperature == 1:
        return f"Confidence is off by {before} points on average, on {images}; nothing is changed."
    return (
        f"Confidence was off by {before} points on average; with logits divided by a temperature of "
        f"{found.temperature:.2f} it is off by {after}, on {images}."
    )


def unknown_sentence(findings: Findings) -> str:
    """From which confidence on an answer is one, and how often that is a false alarm, or ""."""
    found = findings.unknown
    if found is None:
        return ""
    return (
        f"Below a confidence of {_percent(found.below)} the answer is “unknown”. Of "
        f"{counted(found.images, 'photograph')} of known classes, {_percent(found.false_alarms)} are called that by "
        f"mistake (95% interval {_percent(found.low)} to {_percent(found.high)})."
    )


def worst_first(findings: Findings) -> list[ClassResult]:
    """The classes, those that are recognised least often first, and those that nothing is known of last."""
    return sorted(findings.per_class, key=lambda each: 2.0 if each.recall is None else each.recall)


def confusions(findings: Findings) -> list[dict[str, Any]]:
    """The mistakes that are made most often, each with how many of how many, most frequent first."""
    found = [
        (count, label, answer)
        for label, row in enumerate(findings.confusion)
        for answer, count in enumerate(row)
        if count and label != answer
    ]
    return [
        {
            "label": printable(findings.classes[label]),
            "answer": printable(findings.classes[answer]),
            "count": count,
            "of": sum(findings.confusion[label]),
        }
        for count, label, answer in sorted(found, key=lambda each: (-each[0], each[1:]))
    ]


def too_small(findings: Findings) -> list[str]:
    """Names of the classes with too few photographs for their labels to be judged, as a message quotes them."""
    return [shown(each.name) for each in findings.per_class if each.train + each.validation + each.test < FEWEST]


# ---------------------------------------------------------------------------------------------------------------- page


def _class(each: ClassResult) -> dict[str, Any]:
    return {
        "name": printable(each.name),
        "train": f"{each.train:,}",
        "validation": f"{each.validation:,}",
        "test": f"{each.test:,}",
        "recall": _share(each.recall),
        "precision": _share(each.precision),
        "bar": 0 if each.recall is None else round(100 * each.recall),
    }


def _matrix(findings: Findings, figures: Figures) -> Any:
    if len(findings.classes) > MOST_CLASSES_DRAWN:
        return None
    names = tuple(printable(name) for name in findings.classes)
    exhibit = Matrix(
        title="Confusion matrix",
        caption="",
        variant="",
        seed=None,
        rows=names,
        columns=names,
        values=tuple(tuple(float(count) for count in row) for row in findings.confusion),
    )
    told = ", ".join(
        f"{each['label']} taken for {each['answer']} {each['count']} times" for each in confusions(findings)[:_SHOWN]
    )
    alt = f"Confusion matrix of the test photographs. {_sentence(told)}." if told else "Confusion matrix: no mistake."
    return figures.add(plots.matrix(exhibit), alt=alt)


def _curve(findings: Findings, figures: Figures) -> dict[str, Any] | None:
    curve = findings.learning_curve
    if curve is None:
        return None
    svg = plots.photograph_curve(curve)
    told = ", ".join(f"{_percent(point.accuracy)} from {point.images:,}" for point in curve.points)
    return {
        "sentence": curve.sentence,
        "figure": None if svg is None else figures.add(svg, alt=f"Validation accuracy: {told} photographs."),
        "validated": curve.validated,
        "law": curve.law,
    }


def _reasons(left_out: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """Why files were left out, with how many of each and one for example, the most frequent reason first."""
    by_reason: dict[str, list[str]] = {}
    for each in left_out:
        # What another file is called differs from file to file; the reason is the same.
        reason = "it is the same file as another" if "the same file as " in each["reason"] else each["reason"]
        by_reason.setdefault(reason, []).append(each["file"])
    ordered = sorted(by_reason.items(), key=lambda item: -len(item[1]))[:_CONFUSIONS]
    return [{"reason": printable(why), "count": len(all_), "file": printable(all_[0])} for why, all_ in ordered]


# ------------------------------------------------------------------------------------------------------------ terminal


def _parts(findings: Findings, screen: Screen) -> Iterator[RenderableType]:
    yield Group(
        screen.text(headline(findings), "bold"),
        screen.text(about(findings)),
        screen.text(f"{looked_at(findings)} {findings.balance.sentence}"),
    )
    yield _class_table(findings, screen)
    if findings.learning_curve is not None:
        yield screen.text(findings.learning_curve.sentence)
    found = confusions(findings)
    if found:
        told = [f"{e['label']} → {e['answer']}  {e['count']:,} of {e['of']:,}" for e in found[:_SHOWN]]
        yield _listed("Taken for another most often", told, len(found) - len(told), screen)
    if findings.label_errors:
        told = [
            f"{printable(e.file)}: {printable(e.label)} → looks like {printable(e.suggested)}"
            for e in findings.label_errors[:_SHOWN]
        ]
        title = f"Labels worth a look: {len(findings.label_errors):,}, the clearest first"
        yield _listed(title, told, len(findings.label_errors) - len(told), screen)
    sentences = [said for said in (calibration_sentence(findings), unknown_sentence(findings)) if said]
    if sentences:
        yield Group(*map(screen.text, sentences))
    if findings.model:
        gates = [_gate(gate, screen) for gate in findings.gates if not gate["passed"]]
        yield Group(screen.text(registered(findings)), *gates)


def _class_table(findings: Findings, screen: Screen) -> RenderableType:
    table = Table(
        Column("class", overflow="fold"),
        *(
            Column(head, justify="right", no_wrap=True)
            for head in ("train", "validation", "test", "recognised", "right when named")
        ),
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="dim",
    )
    ordered = worst_first(findings)
    for each in ordered[:_CLASSES_SHOWN]:
        table.add_row(
            screen.text(printable(each.name)),
            f"{each.train:,}",
            f"{each.validation:,}",
            f"{each.test:,}",
            screen.text(_share(each.recall), "bold"),
            screen.text(_share(each.precision)),
        )
    more = len(ordered) - _CLASSES_SHOWN
    return Group(table, screen.text(f"and {more:,} classes more, recognised more often", "dim")) if more > 0 else table


def _listed(title: str, told: Sequence[str], more: int, screen: Screen) -> RenderableType:
    lines = [screen.text(title, "bold"), *(_folded(f"  {line}", screen) for line in told)]
    return Group(*lines, screen.text(f"  and {more:,} more", "dim")) if more > 0 else Group(*lines)


def _folded(line: str, screen: Screen) -> Text:
    text = screen.text(line)
    text.overflow = "fold"
    return text


def _gate(gate: Any, screen: Screen) -> Text:
    sign, style = SIGNS[Verdict.REFUTED], VERDICT_STYLES[Verdict.REFUTED]
    return screen.text(f"{sign} {gate['gate']}: {printable(gate['found'])}; asked: {printable(gate['asked'])}", style)


# --------------------------------------------------------------------------------------------------------------- words


def _percent(share: float, *, digits: int = 1) -> str:
    return numbers.with_unit(share, "share", digits=digits)


def _share(share: float | None) -> str:
    return ABSENT if share is None else _percent(share)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]

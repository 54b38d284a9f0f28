"""Results in the terminal: header, verdicts, tables and learning curves, in at most 80 columns.

Each function gives something that rich can print. What the terminal can show is asked once, as a :class:`Screen`:
verdicts are told by sign and word as well as by color, and where the encoding is not UTF-8 only ASCII is used.
"""

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rich.table
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Column
from rich.text import Text

from fortydays.base.text import counted, in_ascii, printable
from fortydays.report import curves, numbers
from fortydays.report.columns import ABSENT, NumberColumn, cost_columns, main_columns, metric_cell, other_columns
from fortydays.report.palette import SIGNS, WITHDRAWN, look, verdict
from fortydays.report.results import Results, VariantResults, read_results
from fortydays.report.tables import Table
from fortydays.study.exhibit_document import Matrix
from fortydays.study.judgement import Verdict

MOST_COLUMNS = 80
_CURVE_ROWS = 15
_MOST_LETTERS = 12
"""Longer names of a matrix's rows are cut."""

_MOST_VALUES = 8
"""How many values are told of a matrix that is too wide for the screen."""

_MOST_CURVES = 12
"""More lines than this in one picture of characters cannot be told apart."""

VERDICT_STYLES = {Verdict.SUPPORTED: "green", Verdict.REFUTED: "red", Verdict.UNDECIDED: "yellow"}


@dataclass(frozen=True, kw_only=True)
class Screen:
    """What a terminal can show.

    Attributes:
        width: columns used, at most :data:`MOST_COLUMNS`.
        ascii_only: the encoding has no other characters.
        color: colors are shown.
    """

    width: int
    ascii_only: bool
    color: bool

    @classmethod
    def of(cls, console: Console) -> "Screen":
        """The screen behind a console."""
        return cls(
            width=min(console.width, MOST_COLUMNS),
            ascii_only=console.options.ascii_only,
            color=console.color_system is not None and not console.no_color,
        )

    def text(self, content: str, style: str = "") -> Text:
        """One line of text that is taken literally, can be encoded and steers no terminal."""
        return Text(self.characters(printable(content)), style=style)

    def characters(self, content: str) -> str:
        """The content in characters that the terminal has."""
        return in_ascii(content) if self.ascii_only else content


def print_evidence(evidence: Mapping[str, Any], console: Console, *, source: str) -> None:
    """Print everything there is to see of some evidence, the verdicts last, where the eye is.

    The document may come from anywhere; ``source`` says from where, such as "your run day02-..." or "published".

    Raises:
        StorageError: the evidence is damaged.
    """
    results, screen = read_results(evidence), Screen.of(console)
    console.print(_header(results, screen, source=source), width=screen.width, highlight=False)
    for part in (_curves, _matrices, _results, _costs, _images, _searches, failures, _checks, _claims, _footnote):
        for shown in part(results, screen):
            console.print()
            console.print(shown, width=screen.width, highlight=False)


def as_text(draw: Callable[[Console], None]) -> str:
    """What something prints on a console, as plain text of at most :data:`MOST_COLUMNS` columns."""
    console = Console(file=io.StringIO(), width=MOST_COLUMNS, color_system=None, force_jupyter=False)
    with console.capture() as capture:
        draw(console)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())


def _header(results: Results, screen: Screen, *, source: str) -> RenderableType:
    """Day, title, data, seeds, source and machine."""
    day, dataset = f"Day {results.day}" if results.day is not None else "Study", results.dataset
    facts = []
    if dataset:
        splits = f"{dataset.train:,} to train, {dataset.validation:,} to validate, {dataset.test:,} to test"
        facts.append(f"{dataset.name} {dataset.digest[:12]}: {splits}")
    facts.append(f"seeds {numbers.seeds_in_words(results.seeds)} · {source} · {results.created[:10]}")
    computing = ("keras", "tensorflow-cpu", "tensorflow", "jax")
    packages = (f"{name} {version}" for name, version in results.packages.items() if name in computing)
    machine = (results.machine.get("cpu_model", ""), counted(results.threads, "thread"), *packages)
    facts.append(" · ".join(filter(None, machine)))
    if results.only or results.settings:
        facts.append("asked for: " + ", ".join([*results.only, *results.settings]))
    tried = (screen.text(f"This is {results.as_a_try}.", "yellow"),) if results.as_a_try else ()
    rule = Rule(style="dim", characters="-" if screen.ascii_only else "─")
    title = screen.text(f"{day} · {results.title}", "bold")
    return Group(title, rule, *tried, *(screen.text(fact, "dim") for fact in facts))


# -------------------------------------------------------------------------------------------------------------- tables


def _results(results: Results, screen: Screen) -> Iterator[RenderableType]:
    finished = NumberColumn(title="n", cells=tuple(str(len(v.finished)) for v in results.variants))
    yield from _tables(results, screen, [*main_columns(results), finished, *other_columns(results)])


def _costs(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """What each variant costs and what it gets for it, where their models are unlike in multiply-adds."""
    if results.differ_in_cost:
        first, *others = _tables(results, screen, cost_columns(results))
        yield Group(screen.text("Accuracy against cost", "bold"), first)
        yield from others


def _images(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """What was reached from how many training images, for the groups in which a part of them was learned from."""
    shown = {v.index for _, variants in results.learning_groups for v in variants}
    if shown:
        cells = [
            (f"{results.training_images(v):,}", metric_cell(v, "test_accuracy")) if v.index in shown else (ABSENT,) * 2
            for v in results.variants
        ]
        images, accuracies = zip(*cells, strict=True)
        columns = [
            NumberColumn(title="training images", cells=images),
            NumberColumn(title="test accuracy", cells=accuracies),
        ]
        title = screen.text("Accuracy against training images", "bold")
        yield Group(title, *_tables(results, screen, columns, everyone=False))


def _tables(
    results: Results, screen: Screen, columns: Sequence[NumberColumn], *, everyone: bool = True
) -> Iterator[Table]:
    """The columns in as many tables as they need; the first has a row for each variant, or for each with a number."""
    left = [NumberColumn(title=c.title, cells=tuple(map(screen.characters, c.cells))) for c in columns]
    longest = max((cell_len(screen.characters(v.name)) for v in results.variants), default=0)
    # Wide enough for the heading, and not so wide that a number has no place beside it.
    names = max(min(longest, 28, screen.width - 2 - max(column.width for column in left)), len("variant"))
    while left:
        beside, used = [left.pop(0)], names
        while left and sum(2 + c.width for c in (*beside, left[0])) + used <= screen.width:
            beside.append(left.pop(0))
        table = _table(results, screen, beside, names, everyone=everyone)
        if table.row_count:
            yield table
        everyone = False


def _table(results: Results, screen: Screen, columns: Sequence[NumberColumn], names: int, *, everyone: bool) -> Table:
    table = Table(
        Column("variant", width=names, overflow="fold"),
        *(Column(c.title, justify="right", width=c.width, vertical="bottom") for c in columns),
    )
    absent = screen.characters(ABSENT)
    for group, variants in results.groups:
        rows = [v for v in variants if everyone or any(c.cells[v.index] != absent for c in columns)]
        if rows and len(results.groups) > 1:
            if table.row_count:
                table.add_row()
            table.add_row(screen.text(group or "others", "italic"))
        for v in rows:
            cells = [Text(c.cells[v.index], "bold" if c.title == "test accuracy" else "") for c in columns]
            table.add_row(screen.text(v.name), *cells)
    return table


def _searches(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """What was tried on the validation split for the variants that chose a setting, and what was chosen."""
    table = Table(
        Column("variant", overflow="fold", max_width=24),
        Column("chose", no_wrap=True),
        Column("among (validation accuracy)"),
    )
    for v in results.variants:
        if v.search is None:
            continue
        tries = ", ".join(
            f"{numbers.setting(tried.value)} ({numbers.with_unit(tried.validation_accuracy.mean, 'share')})"
            for tried in v.search.tries
        )
        chosen = f"{v.search.field} {numbers.setting(v.search.chosen)}"
        edge = "; the best may lie beyond these" if v.search.at_edge else ""
        table.add_row(screen.text(v.name), screen.text(chosen, "bold"), screen.text(tries + edge))
    if table.row_count:
        yield table


def failures(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """The trials that failed, or of which a measure did, each with its error."""
    if results.failed:
        lines = (
            f"{SIGNS[Verdict.REFUTED]} {t.variant}, seed {t.seed}{'' if t.finished else ', failed'}: "
            f"{t.error or 'no reason told'}"
            for t in results.failed
        )
        yield Group(*(screen.text(line, "red") for line in lines))


def _checks(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """What the variants and the claims did not pass, by check."""
    table = Table(Column("check", max_width=20), Column("what was found"))
    for name, checks in results.checks_by_name:
        for index, check in enumerate(checks):
            expected = f" (expected: {check.expected})" if check.expected else ""
            said = screen.text(f"{results.subject(check)}: {check.said}{expected}", "dim")
            table.add_row(screen.text("" if index else name), said)
    if table.row_count:
        yield table


def _claims(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """The claims with their verdicts and what these rest on, then those that are withdrawn, with the reasons."""
    table = Table(
        Column(width=13 if any(c.demonstration for c in results.claims) else 11),
        Column(),
        show_header=False,
        padding=(0, 1, 0, 0),
    )
    for claim in results.claims:
        said = screen.text(verdict(claim), f"bold {VERDICT_STYLES[claim.verdict]}")
        basis = screen.text(numbers.claim_basis(claim), "dim")
        table.add_row(said, Group(screen.text(claim.claim, "bold"), basis))
    for withdrawal in results.withdrawn:
        told = Group(screen.text(withdrawal.claim), screen.text(withdrawal.reason, "dim"))
        table.add_row(screen.text(WITHDRAWN), told)
    if table.row_count:
        yield table


def _footnote(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """What the numbers mean."""
    gap = " The gap is train minus test accuracy, in points." if results.trained else ""
    yield screen.text(
        "± is half the 95% interval of the mean over seeds (Student's t), ranges in parentheses are the whole of it; "
        f"differences are paired by seed.{gap}",
        "dim",
    )
    told = [
        said
        for said, holds in (
            (
                "Marginal: the verdict stands only as long as one looks at this claim alone.",
                any(c.marginal for c in results.claims),
            ),
            (
                "Flagged: by a check that the claim, or a variant of it, did not pass.",
                any(c.flags for c in results.claims),
            ),
        )
        if holds
    ]
    if told:
        yield screen.text(" ".join(told), "dim")


# ------------------------------------------------------------------------------------------------------------ matrices


def _matrices(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """The matrices among the exhibits; of one that is too wide, the largest values beside its diagonal."""
    for exhibit in results.exhibits:
        if isinstance(exhibit, Matrix) and exhibit.rows and exhibit.columns:
            about = f"{exhibit.variant}, seed {exhibit.seed}" if exhibit.seed is not None else exhibit.variant
            title = screen.text(exhibit.title, "bold").append(f"  {screen.characters(about)}", style="not bold dim")
            yield Group(title, screen.text(exhibit.caption, "dim"), _matrix(exhibit, screen))


def _matrix(exhibit: Matrix, screen: Screen) -> RenderableType:
    names = [_cut(screen.characters(name), _MOST_LETTERS) for name in exhibit.rows]
    cells = [[screen.characters(numbers.plain(value, "")) for value in row] for row in exhibit.values]
    room = (screen.width - max(map(cell_len, names))) // len(exhibit.columns) - 1
    needed = max(len(cell) for row in cells for cell in row)
    if room < max(3, needed):
        return _largest_beside_diagonal(exhibit, screen)
    # Cut names still tell the columns apart, because these stand in the order of the rows.
    heads = (Text(_cut(screen.characters(name), room)) for name in exhibit.columns)
    table = rich.table.Table(
        Column(no_wrap=True),
        *(Column(head, justify="right", no_wrap=True, min_width=needed) for head in heads),
        box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim",
    )  # fmt: skip
    square = exhibit.rows == exhibit.columns
    for row, name in enumerate(names):
        styles = [
            "bold" if square and row == column else "dim" if value == 0 else ""
            for column, value in enumerate(exhibit.values[row])
        ]
        table.add_row(Text(name), *map(Text, cells[row], styles))
    return table


def _cut(name: str, width: int) -> str:
    """The beginning of a name, as far as it goes into so many columns of the screen."""
    return name if cell_len(name) <= width else set_cell_size(name, width).rstrip()


def _largest_beside_diagonal(exhibit: Matrix, screen: Screen) -> RenderableType:
    """The largest values of a matrix, without the right answers where it is one of confusions."""
    square = exhibit.rows == exhibit.columns
    found = sorted(
        (-value, row, column)
        for row, values in enumerate(exhibit.values)
        for column, value in enumerate(values)
        if value and not (square and row == column)
    )
    told = [
        f"{exhibit.rows[row]} → {exhibit.columns[column]}  {numbers.plain(-value, '')}"
        for value, row, column in found[:_MOST_VALUES]
    ]
    return Group(screen.text("The largest values:", "dim"), *map(screen.text, told or ["none"]))


# -------------------------------------------------------------------------------------------------------------- curves


def _curves(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """Validation accuracy against training, the mean over seeds of each variant; one picture for each group."""
    for group, variants in results.groups:
        against = curves.axis(variants)
        found = [
            (v, one)
            for v in variants[:_MOST_CURVES]
            if (one := curves.curve(v.finished, "validation_accuracy", against=against)) is not None and len(one.x) > 1
        ]
        if found:
            title = "Validation accuracy" + (f", {group}" if group and len(results.groups) > 1 else "")
            key = _key([v for v, _ in found], len(variants) - _MOST_CURVES, screen)
            picture = _picture(found, screen, unit=f"{against}s")
            yield Group(screen.text(title, "bold"), picture, Padding(key, (0, 0, 0, 2)))


def _key(variants: Sequence[VariantResults], left_out: int, screen: Screen) -> Text:
    """Which line is whose. Without color the letter is the line."""
    key = Text()
    for v in variants:
        sign = screen.characters("━━") if _is_fine(screen) else look(v.index).letter
        key.append(sign, style=look(v.index).color if screen.color else "")
        key.append(f" {screen.characters(v.name)}   ")
    if left_out > 0:
        key.append(f"and {left_out} more", style="dim")
    key.rstrip()
    return key


def _is_fine(screen: Screen) -> bool:
    """Whether lines are drawn in braille dots, four times as fine as letters, which only color can tell apart."""
    return screen.color and not screen.ascii_only


def _picture(found: Sequence[tuple[VariantResults, curves.Curve]], screen: Screen, *, unit: str) -> Text:
    import plotext

    x_limits = min(float(c.x[0]) for _, c in found), max(float(c.x[-1]) for _, c in found)
    low, high = min(float(c.mean.min()) for _, c in found), max(float(c.mean.max()) for _, c in found)
    margin = 0.04 * (high - low) or 0.01
    y_limits = low - margin, high + margin
    figure = plotext.figure
    figure.clear()
    plotext.terminal.limit(False, False)
    figure.plot_size(screen.width, _CURVE_ROWS)
    figure.theme("colorless")
    figure.axes(False)
    for name, side in (("x", "lower"), ("y", "left")):
        figure.axes(True, axis=name, side=side)
    y_ticks, x_ticks = nice_ticks(*y_limits, most=5), [t for t in nice_ticks(*x_limits, most=6) if t == round(t)]
    step = y_ticks[1] - y_ticks[0] if len(y_ticks) > 1 else 0.01
    decimals = max(0, -math.floor(math.log10(100 * step) + 1e-9))
    figure.ruler("y").lim(*y_limits).ticks(y_ticks, [f"{100 * t:.{decimals}f}%" for t in y_ticks])
    labels = [f"{t:,.0f}" for t in x_ticks]
    figure.ruler("x").lim(*x_limits).ticks(x_ticks, [*labels[:-1], *(f"{last} {unit}" for last in labels[-1:])])
    # Dots for every cell of the picture, in each direction.
    across, up = 2 * screen.width / ((x_limits[1] - x_limits[0]) or 1.0), 4 * _CURVE_ROWS / (y_limits[1] - y_limits[0])
    for v, curve in found:
        appearance = look(v.index)
        marker = plotext.marker("braille" if _is_fine(screen) else appearance.letter, appearance.rgb)
        # Points between the points, not plotext's own lines: its kernel (6.1) ends the process when one is clipped.
        x, y = joined(curve.x, curve.mean, across=across, up=up)
        figure.draw(figure.signal(x.tolist(), y.tolist(), marker=marker))
    text = Text.from_ansi(figure.build().string(colorless=not screen.color).rstrip("\n"))
    return Text(screen.characters(text.plain)) if screen.ascii_only else text


def joined(
    x: NDArray[np.float64], y: NDArray[np.float64], *, across: float, up: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points of a line so close together that no cell of a raster between them stays empty.

    Args:
        x: float64, shape (n,).
        y: likewise.
        across: cells of the raster for a unit of x.
        up: for a unit of y.
    """
    parts = np.maximum(1, np.ceil(np.maximum(np.abs(np.diff(x)) * across, np.abs(np.diff(y)) * up))).astype(int)
    at = np.concatenate([*(start + np.arange(count) / count for start, count in enumerate(parts)), [len(x) - 1]])
    return np.interp(at, np.arange(len(x)), x), np.interp(at, np.arange(len(y)), y)


def nice_ticks(low: float, high: float, *, most: int) -> list[float]:
    """Round numbers between two limits, at most so many, evenly spaced by 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            break
    return [tick * step for tick in range(first, last + 1)]

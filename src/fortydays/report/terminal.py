"""Results in the terminal: header, verdicts, tables and learning curves, in at most 80 columns.

Each function gives something that rich can print. What the terminal can show is asked once, as a :class:`Screen`:
verdicts are told by sign and word as well as by color, and where the encoding is not UTF-8 only ASCII is used.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Column
from rich.text import Text

from fortydays.base.text import counted, in_ascii
from fortydays.report import curves, numbers
from fortydays.report.palette import SIGNS, WITHDRAWN, look
from fortydays.report.results import Results, VariantResults, read_results
from fortydays.report.tables import Table
from fortydays.study.claims import Judgement, Verdict
from fortydays.study.document import DatasetFacts
from fortydays.study.exhibit_document import Matrix

MOST_COLUMNS = 80
_NAMES = "variant"
ABSENT = "–"
CURVE_ROWS = 15
MOST_LETTERS = 12
"""Longer names of a matrix's rows are cut."""

MOST_VALUES = 8
"""How many values are told of a matrix that is too wide for the screen."""

MOST_CURVES = 12
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
        """Text that is taken literally and can be encoded."""
        return Text(self.characters(content), style=style)

    def characters(self, content: str) -> str:
        """The content in characters that the terminal has."""
        return in_ascii(content) if self.ascii_only else content


def print_evidence(evidence: Mapping[str, Any], console: Console, *, source: str) -> None:
    """Print everything there is to see of some evidence, the verdicts last, where the eye is.

    Args:
        evidence: the document; it may come from anywhere.
        console: where to.
        source: where the evidence is from, such as "your run day02-..." or "published".

    Raises:
        StorageError: the evidence is damaged.
    """
    results, screen = read_results(evidence), Screen.of(console)
    parts: list[RenderableType] = [header(results, screen, source=source)]
    parts += [*learning_curves(results, screen), *matrices(results, screen), *results_tables(results, screen)]
    parts += [*cost_tables(results, screen), *images_table(results, screen), *search_table(results, screen)]
    parts += [*failures(results, screen), *claims_table(results, screen)]
    for part in parts:
        console.print(part, width=screen.width, highlight=False)
        console.print()
    console.print(footnote(results, screen), width=screen.width, highlight=False)


def header(results: Results, screen: Screen, *, source: str) -> RenderableType:
    """Day, title, data, seeds, source and machine."""
    day = f"Day {results.day}" if results.day is not None else "Study"
    facts = [
        _dataset_line(results.dataset) if results.dataset else "",
        f"seeds {numbers.seeds_in_words(results.seeds)} · {source} · {results.created[:10]}",
        machine_line(results),
    ]
    if results.only or results.settings:
        facts.append("asked for: " + ", ".join([*results.only, *results.settings]))
    title = screen.text(f"{day} · {results.title}", "bold")
    rule = Rule(style="dim", characters="-" if screen.ascii_only else "─")
    return Group(title, rule, *(screen.text(fact, "dim") for fact in facts if fact))


def _dataset_line(dataset: DatasetFacts) -> str:
    digest = f" {dataset.digest[:12]}" if dataset.digest else ""
    splits = f"{dataset.train:,} to train, {dataset.validation:,} to validate, {dataset.test:,} to test"
    return f"{dataset.name}{digest}: {splits}"


def machine_line(results: Results) -> str:
    """Processor, threads and the libraries that computed, on one line."""
    parts = [results.machine.get("cpu_model", "")]
    if results.threads is not None:
        parts.append(counted(results.threads, "thread"))
    computing = ("keras", "tensorflow-cpu", "tensorflow", "jax")
    parts += [f"{name} {version}" for name, version in results.packages.items() if name in computing]
    return " · ".join(part for part in parts if part)


@dataclass(frozen=True, kw_only=True)
class _Column:
    """A column of the results: its title and a cell for each variant."""

    title: str
    cells: tuple[str, ...]

    @property
    def width(self) -> int:
        # A title of several words may be broken into lines; its longest word may not.
        words = max(map(cell_len, self.title.split()), default=0)
        return max(words, *map(cell_len, self.cells))


def results_tables(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """The variants as rows; numbers that do not fit beside the first ones continue in a table below."""
    if not results.variants:
        return
    columns = [_column(results, screen, title, metric) for title, metric in main_columns(results)]
    columns.append(_Column(title="n", cells=tuple(str(len(v.finished)) for v in results.variants)))
    columns += [_column(results, screen, numbers.metric_title(m, results.declared), m) for m in other_metrics(results)]
    yield from _tables(results, screen, columns)


def cost_tables(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """What each variant costs and what it gets for it, where their models are unlike in multiply-adds."""
    if not results.differ_in_cost:
        return
    columns = [_Column(title=title, cells=tuple(map(screen.characters, cells))) for title, cells in cost(results)]
    first, *others = _tables(results, screen, columns)
    yield Group(screen.text("Accuracy against cost", "bold"), first)
    yield from others


def cost(results: Results) -> list[tuple[str, list[str]]]:
    """The columns of the table of costs: a title, and a cell for each variant."""
    variants = results.variants
    return [
        ("parameters", [ABSENT if v.parameters is None else f"{v.parameters:,}" for v in variants]),
        ("multiply-adds", [ABSENT if v.multiply_adds is None else numbers.large(v.multiply_adds) for v in variants]),
        ("seconds", [metric_cell(v, "train_seconds") for v in variants]),
        ("test accuracy", [metric_cell(v, "test_accuracy") for v in variants]),
    ]


def images_table(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """What was reached from how many training images, for the groups in which a part of them was learned from."""
    shown = {v.index for _, variants in results.learning_groups for v in variants}
    if not shown:
        return
    absent = screen.characters(ABSENT)

    def column(title: str, cell: Callable[[VariantResults], str]) -> _Column:
        cells = tuple(screen.characters(cell(v)) if v.index in shown else absent for v in results.variants)
        return _Column(title=title, cells=cells)

    columns = [
        column("training images", lambda v: f"{results.training_images(v):,}"),
        column("test accuracy", lambda v: metric_cell(v, "test_accuracy")),
    ]
    title = screen.text("Accuracy against training images", "bold")
    yield Group(title, _table(results, screen, columns, _name_width(results, screen, columns), everyone=False))


def _name_width(results: Results, screen: Screen, columns: Sequence[_Column]) -> int:
    """Of the column of names: wide enough for its heading, and not so wide that a number has no place beside it."""
    longest = max(cell_len(screen.characters(v.name)) for v in results.variants)
    room = screen.width - 2 - max(column.width for column in columns)
    return max(min(longest, 28, room), len(_NAMES))


def _tables(results: Results, screen: Screen, columns: Sequence[_Column]) -> Iterator[Table]:
    name_width = _name_width(results, screen, columns)
    start = 0
    while start < len(columns):
        end, used = start + 1, name_width + 2 + columns[start].width
        while end < len(columns) and used + 2 + columns[end].width <= screen.width:
            used += 2 + columns[end].width
            end += 1
        table = _table(results, screen, columns[start:end], name_width, everyone=start == 0)
        if table.row_count:
            yield table
        start = end


def main_columns(results: Results) -> list[tuple[str, str]]:
    """Titles and metrics of the columns every day has, as far as its variants have them."""
    wanted = [
        ("test accuracy", "test_accuracy"),
        ("gap", "accuracy_gap"),
        ("test loss", "test_loss"),
        ("seconds", "train_seconds"),
    ]
    return [(title, metric) for title, metric in wanted if any(metric in v.metrics for v in results.variants)]


def other_metrics(results: Results) -> list[str]:
    """The metrics that only this study has: targets, measures and what drills declare."""
    common = {
        "test_accuracy", "test_loss", "train_accuracy", "train_loss", "validation_accuracy", "validation_loss",
        "accuracy_gap", "train_seconds", "epochs",
    }  # fmt: skip
    found = dict.fromkeys(m for v in results.variants for t in v.finished for m in t.metrics)
    found |= dict.fromkeys(m for v in results.variants for m in v.metrics)
    declared = set(results.declared) - {metric for _, metric in main_columns(results)}

    def is_shown(metric: str) -> bool:
        # Seconds to a target say what its steps say, in a unit that changes with the machine.
        return metric not in common and not metric.endswith("_limit") and not metric.startswith("seconds_to_")

    return [m for m in found if m in declared or is_shown(m)]


def metric_cell(variant: VariantResults, metric: str) -> str:
    """A metric of a variant: mean and half-width, or in how many seeds a target was reached."""
    spread = variant.metrics.get(metric)
    if spread is not None:
        unit = numbers.metric_unit(metric, variant.declared)
        if metric == "test_accuracy":
            return numbers.mean_and_spread(spread, unit, digits=2)
        if metric == "accuracy_gap":
            return numbers.plain(spread.mean, unit, digits=2)
        if metric == "test_loss":
            return f"{spread.mean:.4f}"
        if metric == "train_seconds":
            return numbers.plain(spread.mean, "", digits=1)
        if unit == "steps":
            return numbers.mean_and_spread(spread, unit).removesuffix(" steps")
        return numbers.mean_and_spread(spread, unit)
    reached, of = variant.reached(metric)
    return f"in {reached} of {of}" if of else ABSENT


def _column(results: Results, screen: Screen, title: str, metric: str) -> _Column:
    return _Column(title=title, cells=tuple(screen.characters(metric_cell(v, metric)) for v in results.variants))


def _table(results: Results, screen: Screen, columns: Sequence[_Column], name_width: int, *, everyone: bool) -> Table:
    table = Table(
        Column(_NAMES, width=name_width, overflow="fold"),
        *(Column(c.title, justify="right", width=c.width, vertical="bottom") for c in columns),
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="dim",
    )
    # Below the first table, a variant without any of the numbers would be a row of dashes.
    absent = screen.characters(ABSENT)
    shown = {v.name for v in results.variants if everyone or any(c.cells[v.index] != absent for c in columns)}
    for group, variants in results.groups:
        rows = [v for v in variants if v.name in shown]
        if rows and len(results.groups) > 1:
            if table.row_count:
                table.add_row()
            table.add_row(screen.text(group or "others", "italic"))
        for v in rows:
            cells = [screen.text(c.cells[v.index], "bold" if c.title == "test accuracy" else "") for c in columns]
            table.add_row(screen.text(v.name), *cells)
    return table


def claims_table(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """The claims with their verdicts and what these rest on, then those that are withdrawn, with the reasons."""
    if not results.claims and not results.withdrawn:
        return
    table = Table(Column(width=11), Column(), box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    for claim in results.claims:
        style = VERDICT_STYLES[claim.verdict]
        verdict = screen.text(f"{SIGNS[claim.verdict]} {claim.verdict}", f"bold {style}")
        told = [screen.text(claim.claim, "bold"), screen.text(claim_basis(claim), "dim")]
        table.add_row(verdict, Group(*told))
    for withdrawal in results.withdrawn:
        told = [screen.text(withdrawal.claim), screen.text(withdrawal.reason, "dim")]
        table.add_row(screen.text(WITHDRAWN), Group(*told))
    yield table


def claim_basis(claim: Judgement) -> str:
    """Value with interval, what would decide, and the note, as one line of text."""
    parts = [numbers.claim_value(claim), numbers.claim_outlook(claim), claim.note]
    return "; ".join(part for part in parts if part)


def search_table(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """What was tried for the variants that chose a setting on the validation split, and what was chosen."""
    chose = [v for v in results.variants if v.search is not None]
    if not chose:
        return
    table = Table(
        Column("variant", overflow="fold", max_width=24),
        Column("chose", no_wrap=True),
        Column("among (validation accuracy)"),
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="dim",
    )
    for v in chose:
        assert v.search is not None
        tries = ", ".join(
            f"{numbers.setting(tried.value)} ({numbers.with_unit(tried.validation_accuracy.mean, 'share')})"
            for tried in v.search.tries
        )
        chosen = f"{v.search.field} {numbers.setting(v.search.chosen)}"
        tries += "; the best may lie beyond these" if v.search.at_edge else ""
        table.add_row(screen.text(v.name), screen.text(chosen, "bold"), screen.text(tries))
    yield table


def failures(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """The trials that failed, or of which a measure did, each with its error."""
    if results.failed:
        yield Group(
            *(
                screen.text(
                    f"{SIGNS[Verdict.REFUTED]} {t.variant}, seed {t.seed}{'' if t.finished else ', failed'}: "
                    f"{t.error or 'no reason told'}",
                    "red",
                )
                for t in results.failed
            )
        )


def matrices(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """The matrices among the exhibits; of one that is too wide, the largest values beside its diagonal."""
    for exhibit in results.exhibits:
        if isinstance(exhibit, Matrix) and exhibit.rows and exhibit.columns:
            about = f"{exhibit.variant}, seed {exhibit.seed}" if exhibit.seed is not None else exhibit.variant
            title = screen.text(exhibit.title, "bold").append(f"  {screen.characters(about)}", style="not bold dim")
            yield Group(title, screen.text(exhibit.caption, "dim"), _matrix(exhibit, screen))


def _matrix(exhibit: Matrix, screen: Screen) -> RenderableType:
    names = [_cut(screen.characters(name), MOST_LETTERS) for name in exhibit.rows]
    cells = [[screen.characters(numbers.plain(value, "")) for value in row] for row in exhibit.values]
    needed = max(len(cell) for row in cells for cell in row)
    first = max(map(cell_len, names))
    room = (screen.width - first) // len(exhibit.columns) - 1
    if room < max(needed, 3):
        return _largest_beside_diagonal(exhibit, screen)
    # Cut names still tell the columns apart, because these stand in the order of the rows.
    heads = [_cut(screen.characters(name), room) for name in exhibit.columns]
    square = exhibit.rows == exhibit.columns
    wide = [max(needed, cell_len(head)) for head in heads]
    padded = (" " * (width - cell_len(head)) + head for width, head in zip(wide, heads, strict=True))
    shown = [screen.text(" ".join([" " * first, *padded]), "dim")]
    for row, name in enumerate(names):
        line = screen.text(set_cell_size(name, first))
        for column, text in enumerate(cells[row]):
            style = "bold" if square and row == column else "dim" if exhibit.values[row][column] == 0 else ""
            line.append(" ").append(text.rjust(wide[column]), style=style)
        shown.append(line)
    return Group(*shown)


def _cut(name: str, width: int) -> str:
    """The beginning of a name, as far as it goes into so many columns of the screen."""
    return name if cell_len(name) <= width else set_cell_size(name, width).rstrip()


def _largest_beside_diagonal(exhibit: Matrix, screen: Screen) -> RenderableType:
    """The largest values of a matrix, without the right answers where it is one of confusions."""
    square = exhibit.rows == exhibit.columns
    found = sorted(
        (
            (-value, row, column)
            for row, values in enumerate(exhibit.values)
            for column, value in enumerate(values)
            if value and not (square and row == column)
        )
    )[:MOST_VALUES]
    told = [
        f"{exhibit.rows[row]} → {exhibit.columns[column]}  {numbers.plain(-value, '')}" for value, row, column in found
    ]
    return Group(screen.text("The largest values:", "dim"), *map(screen.text, told or ["none"]))


def footnote(results: Results, screen: Screen) -> RenderableType:
    """What the numbers mean."""
    gap = " The gap is train minus test accuracy, in points." if results.trained else ""
    return screen.text(
        "± is half the 95% interval of the mean over seeds (Student's t), ranges in parentheses are the whole of it; "
        f"differences are paired by seed.{gap}",
        "dim",
    )


def learning_curves(results: Results, screen: Screen) -> Iterator[RenderableType]:
    """Validation accuracy against training, the mean over seeds of each variant; one picture for each group."""
    for group, variants in results.groups:
        drawn = curves_picture(variants, screen)
        if drawn is not None:
            title = "Validation accuracy" + (f", {group}" if group and len(results.groups) > 1 else "")
            yield Group(screen.text(title, "bold"), drawn)


def curves_picture(variants: Sequence[VariantResults], screen: Screen) -> RenderableType | None:
    """The curves of some variants, or None where none has two points."""
    against = curves.axis(variants)
    found = []
    for v in variants[:MOST_CURVES]:
        one = curves.curve(v.finished, "validation_accuracy", against=against)
        if one is not None and len(one.x) > 1:
            found.append((v, one))
    if not found:
        return None
    x_low, x_high = min(float(c.x[0]) for _, c in found), max(float(c.x[-1]) for _, c in found)
    y_low, y_high = min(float(c.mean.min()) for _, c in found), max(float(c.mean.max()) for _, c in found)
    margin = 0.04 * (y_high - y_low) or 0.01
    picture = _draw(
        [(v, c.x.tolist(), c.mean.tolist()) for v, c in found],
        screen,
        x_limits=(x_low, x_high),
        y_limits=(y_low - margin, y_high + margin),
        unit=f"{against}s",
    )
    key = Text()
    for v, _ in found:
        appearance = look(v.index)
        # Without color the letter is the line.
        sign = screen.characters("━━") if screen.color and not screen.ascii_only else appearance.letter
        key.append(sign, style=appearance.color if screen.color else "").append(f" {screen.characters(v.name)}   ")
    left_out = len(variants) - MOST_CURVES
    if left_out > 0:
        key.append(f"and {left_out} more", style="dim")
    key.rstrip()
    return Group(picture, Padding(key, (0, 0, 0, 2)))


def _draw(
    lines: Sequence[tuple[VariantResults, list[float], list[float]]],
    screen: Screen,
    *,
    x_limits: tuple[float, float],
    y_limits: tuple[float, float],
    unit: str,
) -> Text:
    import plotext

    figure = plotext.figure
    figure.clear()
    plotext.terminal.limit(False, False)
    figure.plot_size(screen.width, CURVE_ROWS)
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
    # Where there is color, braille dots give lines four times as fine as letters do.
    fine = screen.color and not screen.ascii_only
    for v, x, y in lines:
        appearance = look(v.index)
        marker = plotext.marker("braille" if fine else appearance.letter, appearance.rgb)
        # Points between the points, not plotext's own lines: its kernel (6.1) ends the process when one is clipped.
        dense = joined(x, y, x_limits, y_limits, columns=2 * screen.width, rows=4 * CURVE_ROWS)
        figure.draw(figure.signal(*dense, marker=marker))
    text = Text.from_ansi(figure.build().string(colorless=not screen.color).rstrip("\n"))
    return screen.text(text.plain) if screen.ascii_only else text


def joined(
    x: Sequence[float],
    y: Sequence[float],
    x_limits: tuple[float, float],
    y_limits: tuple[float, float],
    *,
    columns: int,
    rows: int,
) -> tuple[list[float], list[float]]:
    """The points of a line so close together that no cell of a raster between them stays empty."""
    across, up = columns / ((x_limits[1] - x_limits[0]) or 1.0), rows / ((y_limits[1] - y_limits[0]) or 1.0)
    xs, ys = [x[0]], [y[0]]
    for x0, y0, x1, y1 in zip(x, y, x[1:], y[1:], strict=False):
        parts = max(1, math.ceil(max(abs(x1 - x0) * across, abs(y1 - y0) * up)))
        xs += [x0 + (x1 - x0) * part / parts for part in range(1, parts + 1)]
        ys += [y0 + (y1 - y0) * part / parts for part in range(1, parts + 1)]
    return xs, ys


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

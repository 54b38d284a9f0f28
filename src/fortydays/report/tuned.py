"""What a search found: as a page, and in the terminal. Both say the same sentences."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Column

from fortydays.base import files
from fortydays.base.settings import Settings
from fortydays.base.text import counted
from fortydays.report import numbers
from fortydays.report.columns import ABSENT, share_cell
from fortydays.report.page import environment
from fortydays.report.search_chart import COLOR_OF, candidates_chart, importance_chart
from fortydays.report.tables import Table, number
from fortydays.report.terminal import Screen
from fortydays.tune.found import Candidate, Ending, Finalist, Found
from fortydays.tune.space import Value

MOST_SHOWN = 10
"""How many candidates the terminal shows; the page shows all."""

_MOST_VALUES = 4
"""With more fields than that, a table of the terminal has all values in one column."""


def make_page(found: Found, *, study: str) -> str:
    """The page of a search as the text of one HTML file that needs nothing else.

    Args:
        found: what it shows.
        study: the study file that came of it.
    """
    return (
        environment()
        .get_template("tuned.html")
        .render(
            found=found,
            study=study,
            headline=headline(found),
            about=about(found),
            edges=edges(found),
            ranked=ranked(found),
            finals=[*found.finalists, found.before],
            mean=mean_cell,
            ending=ending_cell,
            value=value_cell,
            importance=importance_chart(found),
            candidates=candidates_chart(found),
            colors=COLOR_OF,
            measured=measured(found),
        )
    )


def write_page(found: Found, *, name: str, study: str, settings: Settings) -> Path:
    """Write the page into the workspace; where it is then. Raises StorageError."""
    path = settings.workspace / "reports" / f"{name}.html"
    files.write_text(path, make_page(found, study=study))
    return path


def print_found(found: Found, console: Console) -> None:
    """Print the most important of it, in at most 80 columns."""
    screen = Screen.of(console)
    for place, part in enumerate(_parts(found, screen)):
        if place:
            console.print()
        console.print(part, width=screen.width, highlight=False)


# ----------------------------------------------------------------------------------------------------------- sentences


def headline(found: Found) -> str:
    """What was chosen, and what it gained."""
    chosen = in_words(found.chosen.values)
    gain = found.gain
    if gain is None:
        return f"Chosen: {chosen}. It has {mean_cell(found.chosen)} on the validation split; the recipe before failed."
    said = numbers.with_unit(abs(gain), "share", digits=2)
    advice = " Keep that recipe, or search elsewhere." if gain < 0 else ""
    more = "as right as" if gain == 0 else f"{said.removesuffix('%')} points {'more' if gain > 0 else 'less'} than"
    return (
        f"Chosen: {chosen}. It has {mean_cell(found.chosen)} on the validation split, {more} the recipe as it was "
        f"({mean_cell(found.before)}).{advice}"
    )


def about(found: Found) -> str:
    """What was searched, on what."""
    stopped, failed = found.count(Ending.STOPPED), found.count(Ending.FAILED)
    ends = [f"{found.count(Ending.FINISHED)} trained for all their epochs"]
    ends += [f"{stopped} stopped early"] if stopped else []
    ends += [f"{failed} failed"] if failed else []
    return (
        f"{counted(len(found.candidates), 'candidate')}: {', '.join(ends)}. Judged on "
        f"{counted(found.validated, 'validation example')} of {found.dataset} {found.dataset_digest[:12]}; no test "
        f"example was seen. Tuning seeds {numbers.seeds_in_words(found.seeds)}."
    )


def edges(found: Found) -> list[str]:
    """What to search next where a chosen value is at an end of its range."""
    return [
        f"{name}={numbers.setting(found.chosen.values[name])} is at the edge of what was searched: a better value may "
        "lie beyond it."
        for name in found.at_edge
    ]


def measured(found: Found) -> str:
    """After which part of the epochs the candidates are compared with each other."""
    return "all epochs" if len(found.divisors) == 1 else f"1/{found.divisors[0]} of the epochs"


def in_words(values: Mapping[str, Value]) -> str:
    """Values as they are typed, in one line."""
    return ", ".join(f"{name}={numbers.setting(value)}" for name, value in values.items())


def ranked(found: Found) -> list[Candidate]:
    """The candidates, those first that came furthest, and of these the most accurate; those that failed last."""
    return sorted(
        found.candidates,
        key=lambda each: (each.ending is Ending.FAILED, -len(each.reached), -(each.accuracy or 0.0), each.number),
    )


def mean_cell(finalist: Finalist) -> str:
    """The mean validation accuracy over the tuning seeds with half its interval."""
    spread = finalist.spread
    return "failed" if spread is None else numbers.mean_and_spread(spread, "share", digits=2)


def value_cell(name: str, value: Value) -> str:
    """A value of a field; a dash for an option of the optimizer that the recipe does not set."""
    return ABSENT if value is None and "." in name else numbers.setting(value)


def ending_cell(each: Candidate) -> str:
    """How the tries of a candidate ended, and after how many epochs."""
    epochs = counted(each.reached[-1].epochs, "epoch")
    if each.ending is Ending.FAILED:
        return "failed"
    return epochs if each.ending is Ending.FINISHED else f"stopped after {epochs}"


# ------------------------------------------------------------------------------------------------------------ terminal


def _parts(found: Found, screen: Screen) -> Iterator[RenderableType]:
    rule = Rule(style="dim", characters="-" if screen.ascii_only else "─")
    title = screen.text(f"Search · {found.title} · {found.variant}", "bold")
    yield Group(title, rule, screen.text(about(found), "dim"))
    yield Group(screen.text("The candidates that came furthest", "bold"), _candidates(found, screen))
    if found.importance:
        shares = ", ".join(
            f"{numbers.field_title(name)} {numbers.with_unit(share, 'share', digits=0)}"
            for name, share in found.importance.items()
        )
        yield screen.text(f"What mattered after {measured(found)}: {shares}.")
    yield Group(screen.text("Finals: all epochs, all tuning seeds", "bold"), _finals(found, screen))
    yield Group(
        screen.text(headline(found), "bold"),
        *(screen.text(said, "yellow") for said in edges(found)),
        screen.text(
            "The best of many is flattered by the choice. The study that came of it judges on other seeds and on the "
            "test split.",
            "dim",
        ),
    )


def _table(found: Found, *others: Column) -> Table:
    names = [numbers.field_title(name) for name in found.space.names]
    values = [number(name) for name in names] if len(names) <= _MOST_VALUES else [Column("values", overflow="fold")]
    return Table(number("no."), *values, *others)


def _values(values: Mapping[str, Value], screen: Screen) -> list[RenderableType]:
    if len(values) > _MOST_VALUES:
        return [screen.text(in_words(values))]
    return [screen.text(value_cell(name, value)) for name, value in values.items()]


def _candidates(found: Found, screen: Screen) -> RenderableType:
    table = _table(found, Column("trained", no_wrap=True), number("validation"))
    shown = ranked(found)[:MOST_SHOWN]
    for each in shown:
        table.add_row(
            f"{each.number}",
            *_values(each.values, screen),
            screen.text(ending_cell(each)),
            screen.text(share_cell(each.accuracy)),
        )
    left = len(found.candidates) - len(shown)
    return Group(table, screen.text(f"And {left:,} more.", "dim")) if left else table


def _finals(found: Found, screen: Screen) -> RenderableType:
    table = _table(found, number(screen.characters("validation")))
    for each in (*found.finalists, found.before):
        name = "before" if each.number is None else f"{each.number}"
        table.add_row(name, *_values(each.values, screen), screen.text(mean_cell(each)))
    return table

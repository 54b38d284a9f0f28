"""Tables on terminals of any width."""

import copy
import io
from typing import Any

import made_up
import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column
from rich.text import Text

from fortydays.report import terminal
from fortydays.report.tables import Table, number

NAMES = {
    "short": "a",
    "long": "a name that is forty columns of a screen",
    "wide": "名前はとても長い二つの畳み込み層",
    "right to left": "שכבה אחת של רשת",
    "emoji": "🦊🌲 fox",
}


def printed(renderable: Any, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def table(name: str) -> Table:
    made = Table("model", number("validation"), "registered", Column("made of", overflow="fold"))
    made.add_row(Text(name), "97.25%", "2026-11-22 13:58", Text("day 1, network, seed 3, and so on and on"))
    made.add_row("b", "9.00%", "2026-11-22 14:58", "")
    return made


@pytest.mark.parametrize("width", [80, 60, 40, 30])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_no_heading_and_no_number_is_split(name: str, width: int) -> None:
    lines = printed(table(name), width)
    text = "\n".join(lines)
    for whole in ("validation", "registered", "97.25%", "9.00%"):
        assert whole in text
    assert max(map(cell_len, lines)) <= width


def test_where_there_is_no_room_each_row_is_a_block() -> None:
    assert [line.rstrip() for line in printed(table("m"), 30)] == [
        "m",
        "  validation: 97.25%",
        "  registered: 2026-11-22 13:58",
        "  made of: day 1, network,",
        "  seed 3, and so on and on",
        "",
        "b",
        "  validation: 9.00%",
        "  registered: 2026-11-22 14:58",
    ]


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("variants", [1, 9])
def test_the_results_keep_their_headings_whole(name: str, width: int, variants: int) -> None:
    document = copy.deepcopy(made_up.evidence())
    kept = list(document["variants"])[:variants]
    new = {old: name if k == 0 else f"{name[:30]} {k}" for k, old in enumerate(kept)}
    document["variants"] = {new[old]: document["variants"][old] for old in kept}
    document["trials"] = [t | {"variant": new[t["variant"]]} for t in document["trials"] if t["variant"] in new]
    document |= {"claims": [], "exhibits": []}
    details = document.get("details", {})
    document["details"] = {new[old]: details[old] for old in kept if old in details}
    console = Console(file=io.StringIO(), width=width, color_system=None)
    terminal.print_evidence(document, console, source="yours")
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for word in ("variant", "accuracy", "seconds"):
        assert f" {word} " in f" {text} ".replace("\n", " ")
    assert max(map(cell_len, text.splitlines())) <= width


def test_a_matrix_of_wide_names_stays_in_line() -> None:
    document = copy.deepcopy(made_up.evidence())
    names = ["猫" * 10, "dog", "🦊"]
    document["exhibits"] = [made_up.exhibits()[0] | {"rows": names, "columns": names, "values": [[5, 0, 1]] * 3}]
    console = Console(file=io.StringIO(), width=60, color_system=None)
    terminal.print_evidence(document, console, source="yours")
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    rows = [line.rstrip() for line in lines if line.startswith(("猫", "dog", "🦊"))]
    assert len({cell_len(row) for row in rows}) == 1

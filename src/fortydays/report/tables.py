"""A table that fits the terminal: no word of a heading is split, in whatever script the names are."""

from collections.abc import Iterator, Sequence
from typing import Any

import rich.table
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

_LONGEST_WORD = 16
"""Columns of the screen: a longer word in a cell of running text may be split."""


class Table(rich.table.Table):
    """rich's table without lines and markup, which on a narrow screen would split headings and numbers.

    Running text (columns that are aligned left and may wrap) gives way first. Where that is not enough, each row
    becomes a block of lines, one for each column.
    """

    def __init__(self, *headers: rich.table.Column | str, **options: Any) -> None:
        form: dict[str, Any] = {"box": None, "padding": (0, 2, 0, 0), "pad_edge": False, "header_style": "dim"}
        super().__init__(*headers, **form | options)
        for column in self.columns:
            column.header = Text(str(column.header))

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; a text in it is taken literally."""
        super().add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), **options)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render in the width that the options leave."""
        room = options.max_width - sum(map(self._get_padding_width, range(len(self.columns)))) - self._extra_width
        widths = _shared(room, [_needs(column, console) for column in self.columns])
        if widths is None:
            yield from self._blocks()
            return
        asked = [(column.width, column.max_width) for column in self.columns]
        for column, width in zip(self.columns, widths, strict=True):
            column.width, column.max_width = width, None
        try:
            yield from super().__rich_console__(console, options)
        finally:
            for column, before in zip(self.columns, asked, strict=True):
                column.width, column.max_width = before

    def _blocks(self) -> Iterator[RenderableType]:
        first, *others = self.columns
        for row, head in enumerate(first.cells):
            if row:
                yield Text()
            if not isinstance(head, Text) or head.plain:
                yield head
            for column in others:
                cell, title = list(column.cells)[row], str(column.header)
                label = Text(f"{title}:" if title else "", style="dim")
                if not isinstance(cell, Text):
                    yield Padding(Group(label, cell) if title else cell, (0, 0, 0, 2))
                elif cell.plain.strip():
                    yield Padding(Text.assemble(label, " " if title else "", cell), (0, 0, 0, 2))


def number(title: str) -> rich.table.Column:
    """A column of numbers."""
    return rich.table.Column(title, justify="right", no_wrap=True)


def _needs(column: rich.table.Column, console: Console) -> tuple[int, int]:
    """The least width of a column and the one at which nothing in it wraps."""
    header = str(column.header)
    lines = [line for cell in column.cells if isinstance(cell, Text) for line in cell.plain.splitlines()]
    longest = max((cell_len(line.strip()) for line in lines), default=0)
    words = max((min(cell_len(word), _LONGEST_WORD) for line in lines for word in line.split()), default=0)
    other = max((console.measure(cell).maximum for cell in column.cells if not isinstance(cell, Text)), default=0)
    least = longest if column.no_wrap or column.justify == "right" else words
    word = max(map(cell_len, header.split()), default=0)
    if column.width is not None:
        return max(column.width, word), max(column.width, word)
    most = min(max(cell_len(header), longest, other), column.max_width or longest + other + cell_len(header))
    return max(word, min(least, most)), max(word, least, most)


def _shared(room: int, needs: Sequence[tuple[int, int]]) -> list[int] | None:
    """What each column needs at least, and its part of what is left; None where there is no room."""
    widths = [least for least, _ in needs]
    left = room - sum(widths)
    if left < 0:
        return None
    wanting = sorted(range(len(needs)), key=lambda k: needs[k][1] - needs[k][0])
    for place, k in enumerate(wanting):
        more = min(needs[k][1] - needs[k][0], left // (len(wanting) - place))
        widths[k] += more
        left -= more
    return widths

"""A table that fits the terminal: no word of a heading is split, in whatever script the names are."""

from collections.abc import Iterator, Sequence

import rich.table
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

_LONGEST_WORD = 16
"""Columns of the screen: a longer word in a cell of running text may be split."""


class Table(rich.table.Table):
    """rich's table, which on a narrow screen would split headings and numbers.

    Running text (columns that are aligned left and may wrap) gives way first. Where that is not enough, each row
    becomes a block of lines, one for each column.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render in the width that the options leave."""
        room = options.max_width - sum(map(self._get_padding_width, range(len(self.columns)))) - self._extra_width
        widths = _shared(room, [_needs(column, console) for column in self.columns])
        if widths is None:
            yield from self._blocks(console)
            return
        asked = [(column.width, column.max_width) for column in self.columns]
        for column, width in zip(self.columns, widths, strict=True):
            column.width, column.max_width = width, None
        try:
            yield from super().__rich_console__(console, options)
        finally:
            for column, before in zip(self.columns, asked, strict=True):
                column.width, column.max_width = before

    def _blocks(self, console: Console) -> Iterator[RenderableType]:
        first, *others = self.columns
        for row, head in enumerate(first.cells):
            if row:
                yield Text()
            cells = [(str(column.header), list(column.cells)[row]) for column in others]
            lines = [(title, cell) for title, cell in cells if _plain(cell, console)]
            yield head
            for title, cell in lines:
                if isinstance(cell, str | Text):
                    text = Text(f"{title}: " if title else "", style="dim")
                    yield Padding(text.append_text(_text(cell, console)), (0, 0, 0, 2))
                else:
                    yield Padding(Group(Text(f"{title}:", style="dim"), cell) if title else cell, (0, 0, 0, 2))


def _text(cell: RenderableType, console: Console) -> Text:
    return cell.copy() if isinstance(cell, Text) else console.render_str(cell) if isinstance(cell, str) else Text()


def _plain(cell: RenderableType, console: Console) -> str:
    if isinstance(cell, str | Text):
        return _text(cell, console).plain.strip()
    return "something else"


def _needs(column: rich.table.Column, console: Console) -> tuple[int, int]:
    """The least width of a column and the one at which nothing in it wraps."""
    header = _plain(column.header, console)
    parts = [_plain(cell, console) if isinstance(cell, str | Text) else "" for cell in column.cells]
    lines = [line for part in parts for line in part.splitlines()]
    longest = max(map(cell_len, lines), default=0)
    words = max((min(cell_len(word), _LONGEST_WORD) for line in lines for word in line.split()), default=0)
    other = max(
        (console.measure(cell).maximum for cell in column.cells if not isinstance(cell, str | Text)), default=0
    )
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

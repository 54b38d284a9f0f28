"""Tables as CSV that a spreadsheet can open without running what is in them.

A spreadsheet takes a cell that begins with one of ``= + - @`` or a control character for a formula (OWASP, "CSV
Injection"), whatever a file, a class or a variant happens to be called. All texts are quoted, because some
spreadsheets divide a line at other signs than commas.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a text begins with that is taken for a formula."""


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula: where it would, an apostrophe stands before it."""
    return f"'{text}" if text.startswith(FORMULA) else text


def line(cells: Iterable[object]) -> str:
    """One line of a CSV file, of cells that are safe."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerow(cells)
    return written.getvalue()


def table(rows: Sequence[Mapping[str, object]], columns: Iterable[str] = ()) -> str:
    """Rows as a whole CSV file: a column for each name, in the order in which the rows first have it.

    What a row lacks, or has as None, is an empty cell.

    Args:
        rows: cells by name of column: texts, which are made safe, and numbers.
        columns: the first ones; those of a table without rows.
    """
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    cells = ([_cell(row.get(name)) for name in names] for row in rows)
    return line(map(safe, names)) + "".join(map(line, cells))


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else safe(value) if isinstance(value, str) else value

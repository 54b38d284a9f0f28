"""Tables of files and labels, as people and their programs write them: CSV with a head line, or JSONL."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import DataError
from fortydays.base.text import printable, shown
from fortydays.data.own.parts import split_named

TABLES = (".csv", ".tsv", ".jsonl")
"""What the name of a table ends with, capitals or not."""

COLUMNS = {
    "file": ("file", "filename", "filepath", "path", "image", "imagepath", "imagefile", "imagename",
             "img", "imgpath", "imgname", "fname", "photo", "photograph", "picture"),
    "label": ("label", "labels", "labelname", "class", "classname", "classlabel", "category", "target"),
}  # fmt: skip
"""How the two columns may be called; only letters and digits count. The first name goes before the others."""

SPLIT_COLUMNS = ("split", "subset", "partition", "datasplit")
"""What a column may be called that says which photographs are held out. A table need not have one."""

_BETWEEN = (",", ";", "\t", "|")
_LARGEST = 500_000_000
_SAID = 5
_SAVE_AGAIN = 'Save the table again as UTF-8. In Excel, the type of file is called "CSV UTF-8".'


def read_table(table: Path) -> tuple[Iterator[tuple[int, str, str, str]], list[str]]:
    """The rows of a table.

    Args:
        table: in UTF-8, or in UTF-16 with its mark. Cells of a CSV are separated by commas, semicolons, tabs or bars.

    Returns:
        Of each row its line, the file and the label, both as they are written, the label without space around it, and
        the split that it names ("train", "validation" or "test"; "" where the table has no such column); and what its
        reader may not expect, a sentence each.

    Raises:
        DataError: it cannot be understood, with the line; also while the rows are read.
        StorageError: it cannot be read.
    """
    with files.storage_errors("read", table):
        if table.stat().st_size > _LARGEST:
            raise DataError(f"{printable(str(table))} has more than {_LARGEST:,} bytes.")
        content = table.read_bytes()
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise no_table(table, f"its byte {error.start:,} is not UTF-{16 if wide else 8}", hint=_SAVE_AGAIN) from None
    if table.suffix.lower() == ".jsonl":
        names, rows = _jsonl_rows(text, table)
    else:
        names, rows = _csv_rows(text, table)
    column = _columns(names, table)
    other = [f"{printable(found)} is the {wanted}" for wanted, found in column.items() if _plain(found) != wanted]
    notes = [f"Columns of the table: {' and '.join(other)}."] if other else []
    split = next((name for name in names if _plain(name) in SPLIT_COLUMNS), "")
    return _fields(rows, column, split, table), notes


def _columns(names: Sequence[str], table: Path) -> dict[str, str]:
    """The name of each column that is needed, as the table has it."""
    found = _known(names)
    missing = [f"column {wanted}" for wanted in COLUMNS if not found[wanted]]
    if missing:
        said = ", ".join(printable(name) for name in names[:_SAID]) or "none"
        raise no_table(table, f"it has no {' and no '.join(missing)}; its columns are {said}")
    for wanted, several in found.items():
        if len(several) > 1:
            raise no_table(
                table,
                f"its columns {' and '.join(printable(name) for name in several)} could each be the {wanted}; "
                f"call the right one {wanted}",
            )
    return {wanted: names[0] for wanted, names in found.items()}


def _known(names: Sequence[str]) -> dict[str, list[str]]:
    """The columns that each of the two may be: the one that is called so, else all that could be meant."""
    plain = {name: _plain(name) for name in names}
    return {
        wanted: [name for name in plain if plain[name] == wanted][:1]
        or [name for name in plain if plain[name] in known]
        for wanted, known in COLUMNS.items()
    }


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _csv_rows(text: str, table: Path) -> tuple[Sequence[str], Iterator[tuple[int, Mapping[str, object]]]]:
    first, _, rest = text.partition("\n")
    told = first.strip().strip('"').lower() in {f"sep={mark}" for mark in _BETWEEN}  # so that a spreadsheet knows
    text = rest if told else text
    begun = text.lstrip("\r\n")
    above, text = int(told) + text[: len(text) - len(begun)].count("\n"), begun
    readers, wrong = [], ""
    for mark in _BETWEEN:
        # A space behind the mark is none of the cell, where the head line has one there.
        spaced = f"{mark} " in text.partition("\n")[0]
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=spaced, strict=True)
        try:
            readers.append((list(reader.fieldnames or ()), reader))
        except csv.Error as error:
            wrong = wrong or f"line {reader.line_num + 1 + above:,}: {error}"
    if not readers:
        raise no_table(table, wrong)
    # The mark that makes most of the head line known; a comma, where none does.
    names, chosen = max(readers, key=lambda each: sum(map(bool, _known(each[0]).values())))
    return names, _csv_lines(chosen, table, above=above)


def _csv_lines(
    reader: "csv.DictReader[str]", table: Path, *, above: int
) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        for row in reader:
            if any(cell.strip() if isinstance(cell, str) else cell for cell in row.values()):
                yield reader.line_num + above, row
    except csv.Error as error:
        raise no_table(table, f"line {reader.line_num + 1 + above:,}: {error}") from None


def _jsonl_rows(text: str, table: Path) -> tuple[Sequence[str], Iterator[tuple[int, Mapping[str, object]]]]:
    rows = _jsonl_lines(text, table)
    first = next(rows, None)
    if first is None:
        return (), rows
    return list(first[1]), _jsonl_lines(text, table)


def _jsonl_lines(text: str, table: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    # Only a line feed ends a line here: a label may hold what Python else takes for one.
    for line, row in enumerate(text.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            value = json.loads(row)
        except (ValueError, RecursionError):
            raise no_table(table, f"line {line:,} is no JSON") from None
        if not isinstance(value, dict):
            raise no_table(table, f"line {line:,} is no object")
        yield line, value


def _fields(
    rows: Iterator[tuple[int, Mapping[str, object]]], column: Mapping[str, str], split: str, table: Path
) -> Iterator[tuple[int, str, str, str]]:
    for line, row in rows:
        cells = []
        for wanted, name in column.items():
            value = row.get(name)
            # Labels are often numbers in JSON.
            if isinstance(value, int) and not isinstance(value, bool) and wanted == "label":
                value = str(value)
            if not isinstance(value, str) or not value.strip():
                raise no_table(table, f"line {line:,} has no {wanted}")
            if "\0" in value or not _is_utf8(value):
                raise no_table(table, f"line {line:,} has a {wanted} that cannot be one: {printable(value)[:60]!r}")
            cells.append(value)
        yield line, cells[0], cells[1].strip(), _split_in(row, split, line, table) if split else ""


def _split_in(row: Mapping[str, object], column: str, line: int, table: Path) -> str:
    value = row.get(column)
    named = split_named(value) if isinstance(value, str) else ""
    if not named:
        raise no_table(
            table,
            f"line {line:,} has {shown(str(value or ''))} in the column {printable(column)}; "
            "expected train, validation or test in every row",
            hint=f"Correct the column {printable(column)}. To have the held-out photographs chosen for you, take the "
            "column away or call it otherwise.",
        )
    return named


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def no_table(table: Path, why: str, *, hint: str = "") -> DataError:
    """The error for a table that cannot be understood, why, and what to do where that is known."""
    return DataError(
        f"{printable(str(table))} cannot be understood: {why}.",
        hint=hint
        or "Expected a CSV file whose first line is file,label, or JSONL such as "
        '{"file": "photographs/1.jpg", "label": "daisy"}.',
    )

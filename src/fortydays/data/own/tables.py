"""Tables of files and labels, as people and their programs write them: CSV or JSONL.

Where the names of the columns do not say which is which, their content does.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import DataError
from fortydays.base.text import printable, shown
from fortydays.data.own.parts import split_named
from fortydays.inputs.images import Images

_SHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")

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

BETWEEN = (",", ";", "\t", "|")
"""What may separate the cells of a row."""
_LARGEST = 500_000_000
_SAID = 5
_LOOKED_AT = 100
"""Rows from the first on, of which it is looked whether a column names files that are there."""

Row = Mapping[str, object]
Rows = Callable[[], Iterator[tuple[int, Row]]]
"""Begins with the first row at each call: of each its line, and its cells by the names of the columns."""
_FORM = (
    "Expected a CSV file whose first line is file,label, or JSONL such as "
    '{"file": "photographs/1.jpg", "label": "daisy"}.'
)
_SAVE_AGAIN = 'Save the table again as UTF-8. In Excel, the type of file is called "CSV UTF-8".'


def read_table(table: Path, *, exists: Callable[[str], bool]) -> tuple[Iterator[tuple[int, str, str, str]], list[str]]:
    """The rows of a table.

    Args:
        table: in UTF-8 or UTF-16. Cells of a CSV are separated by commas, semicolons, tabs or bars.
        exists: whether a cell names a file that is there.

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
    encoding = _encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        why = f"its byte {error.start:,} is not UTF-{16 if '16' in encoding else 8}"
        raise no_table(table, why, hint=_SAVE_AGAIN) from None
    notes: list[str] = []
    if table.suffix.lower() == ".jsonl":
        names, rows = _jsonl_rows(text, table)
    else:
        names, rows = _csv_rows(text, table, exists, notes)
    column = _columns(names, rows, table, exists)
    other = [f"{printable(found)} is the {wanted}" for wanted, found in column.items() if plain(found) != wanted]
    notes += [f"Columns of the table: {' and '.join(other)}."] if other else []
    split = next((name for name in names if plain(name) in SPLIT_COLUMNS), "")
    return _fields(rows(), column, split, table), notes


def _encoding(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    # The mark may be missing. A null byte beside the first letter is in no other text.
    low, high = content[:1] == b"\0", content[1:2] == b"\0"
    return "utf-8-sig" if low == high else "utf-16-be" if low else "utf-16-le"


def _columns(names: Sequence[str], rows: Rows, table: Path, exists: Callable[[str], bool]) -> dict[str, str]:
    """The name of each column that is needed, as the table has it."""
    found = _known(names)
    if not all(found.values()):
        found = _by_content(names, rows, found, exists)
    missing = [f"column {wanted}" for wanted in COLUMNS if not found[wanted]]
    if missing:
        said = ", ".join(printable(name) for name in names[:_SAID]) or "none"
        known = " ".join(f"A {wanted} may be called {', '.join(COLUMNS[wanted])}." for wanted in COLUMNS)
        raise no_table(table, f"it has no {' and no '.join(missing)}; its columns are {said}", hint=f"{_FORM} {known}")
    for wanted, several in found.items():
        if len(several) > 1:
            raise no_table(
                table,
                f"its columns {' and '.join(printable(name) for name in several)} could each be the {wanted}; "
                f"call the right one {wanted}",
            )
    return {wanted: names[0] for wanted, names in found.items()}


def _by_content(
    names: Sequence[str], rows: Rows, known: Mapping[str, list[str]], exists: Callable[[str], bool]
) -> dict[str, list[str]]:
    """The columns that each of the two may be: a file's names files that are there, a label's has few values."""
    taken = {name for several in known.values() for name in several}
    free = [name for name in dict.fromkeys(names) if name not in taken and plain(name) not in SPLIT_COLUMNS]
    first = [row for _, row in islice(rows(), _LOOKED_AT)]
    there = {name: sum(exists(_text(row.get(name))) for row in first) for name in free}
    files_in = known["file"] or [name for name in free if 2 * there[name] > len(first)]
    # A label may be a number that a file has, too.
    like_files = [name for name in files_in if all(_is_image(_text(row.get(name))) for row in first)]
    files_in = like_files or files_in
    values: dict[str, Counter[str]] = {name: Counter() for name in free if name not in files_in}
    for _, row in rows():
        for name, seen in values.items():
            seen[_text(row.get(name))] += 1
    few = [name for name, seen in values.items() if not seen[""] and 1 < len(seen) <= max(2, seen.total() // 2)]
    return {"file": files_in, "label": known["label"] or few}


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _known(names: Sequence[str]) -> dict[str, list[str]]:
    """The columns that each of the two may be: the one that is called so, else all that could be meant."""
    letters = {name: plain(name) for name in names}
    return {
        wanted: [name for name in letters if letters[name] == wanted][:1]
        or [name for name in letters if letters[name] in known]
        for wanted, known in COLUMNS.items()
    }


def plain(name: str) -> str:
    """The letters and digits of a column's name, without capitals."""
    return "".join(c for c in name.casefold() if c.isalnum())


def _csv_rows(text: str, table: Path, exists: Callable[[str], bool], notes: list[str]) -> tuple[Sequence[str], Rows]:
    first, _, rest = text.partition("\n")
    told = first.strip().strip('"').lower() in {f"sep={mark}" for mark in BETWEEN}  # so that a spreadsheet knows
    text = rest if told else text
    begun = text.lstrip("\r\n")
    above, text = int(told) + text[: len(text) - len(begun)].count("\n"), begun
    heads: list[tuple[list[str], str, bool]] = []
    wrong = ""
    for mark in BETWEEN:
        # A space behind the mark is none of the cell, where the head line has one there.
        spaced = f"{mark} " in text.partition("\n")[0]
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=spaced, strict=True)
        try:
            heads.append((next(reader, []), mark, spaced))
        except csv.Error as error:
            wrong = wrong or f"line {1 + above:,}: {error}"
    if not heads:
        raise no_table(table, wrong)
    # The mark that makes most of the head line known, or makes most cells of it; a comma, where none does.
    names, mark, spaced = max(heads, key=lambda each: (sum(map(bool, _known(each[0]).values())), len(each[0])))
    known = any(_known(names).values())
    headless = any(_is_image(cell.strip()) or (not known and exists(cell)) for cell in names)
    if headless:
        notes.append("The table has no head line.")
        names = [f"column {number}" for number in range(1, len(names) + 1)]

    def rows() -> Iterator[tuple[int, Row]]:
        stream = io.StringIO(text, newline="")
        fields = names if headless else None
        reader = csv.DictReader(stream, fields, delimiter=mark, skipinitialspace=spaced, strict=True)
        return _csv_lines(reader, table, above=above)

    return names, rows


def _is_image(cell: str) -> bool:
    return cell.lower().endswith(Images.SUFFIXES)


def _csv_lines(reader: "csv.DictReader[str]", table: Path, *, above: int) -> Iterator[tuple[int, Row]]:
    try:
        for row in reader:
            if any(cell.strip() if isinstance(cell, str) else cell for cell in row.values()):
                yield reader.line_num + above, row
    except csv.Error as error:
        raise no_table(table, f"line {reader.line_num + 1 + above:,}: {error}") from None


def _jsonl_rows(text: str, table: Path) -> tuple[Sequence[str], Rows]:
    def rows() -> Iterator[tuple[int, Row]]:
        return jsonl_lines(text, table)

    first = next(rows(), None)
    return list(first[1]) if first else (), rows


def jsonl_lines(text: str, table: Path, *, hint: str = "") -> Iterator[tuple[int, Row]]:
    """The objects of a JSONL file, each with its line. Raises DataError, with a hint, where a line is none."""
    # Only a line feed ends a line here: a label may hold what Python else takes for one.
    for line, row in enumerate(text.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            value = json.loads(row)
        except (ValueError, RecursionError):
            raise no_table(table, f"line {line:,} is no JSON", hint=hint) from None
        if not isinstance(value, dict):
            raise no_table(table, f"line {line:,} is no object", hint=hint)
        yield line, value


def _fields(
    rows: Iterator[tuple[int, Row]], column: Mapping[str, str], split: str, table: Path
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
            if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
                raise no_table(table, f"line {line:,} has a {wanted} that cannot be one: {printable(value)[:60]!r}")
            cells.append(value)
        yield line, cells[0], cells[1].strip(), _split_in(row, split, line, table) if split else ""


def _split_in(row: Row, column: str, line: int, table: Path) -> str:
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


def hint_of_other(source: Path) -> str:
    """What to do about a file that is neither a folder nor a table, or is not there, by what its name ends with."""
    suffix = source.suffix.lower()
    if suffix in _SHEETS:
        return "Save the sheet as CSV, in UTF-8, with the program that wrote it."
    if suffix == ".json":
        return 'Write one object a line, as JSONL: jq -c ".[]" FILE.json > FILE.jsonl'
    if suffix in (".parquet", ".feather", ".arrow"):
        return "Write its rows as CSV, such as with to_csv of pandas. Only tables of texts are read from Parquet."
    if suffix in (".txt", ".dat", ""):
        return "If it is a table, let its name end with .csv, .tsv or .jsonl."
    return "Name a folder that has one folder for each class, or a table that ends with .csv, .tsv or .jsonl."


def no_table(table: Path, why: str, *, hint: str = "") -> DataError:
    """The error for a table that cannot be understood, why, and what to do where that is known."""
    return DataError(f"{printable(str(table))} cannot be understood: {why}.", hint=hint or _FORM)

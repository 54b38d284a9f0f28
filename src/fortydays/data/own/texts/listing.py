"""Which texts a reader has, and the label of each: from a table, or from a folder of files for each class.

Nothing is written here, and of a folder nothing is followed: a link could lead anywhere, so it is left out and named.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from fortydays.base import files
from fortydays.base.encodings import decoded, kind_of_binary
from fortydays.base.errors import DataError
from fortydays.base.text import printable, shown
from fortydays.data.own.listing import LeftOut, list_folder, notes_of, same_spelling, says_enough, told
from fortydays.data.own.parts import split_named
from fortydays.data.own.tables import BETWEEN, hint_of_other, jsonl_lines, no_table
from fortydays.data.own.texts import parquet
from fortydays.data.own.texts.columns import LOOKED_AT, Columns, Wanted, find_columns, is_head, is_known
from fortydays.data.own.texts.decoding import read_bytes
from fortydays.inputs.ngrams import Ngrams, has_word

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", parquet.ENDING)
"""What the name of a table ends with, capitals or not."""

ENDINGS = Ngrams.SUFFIXES
"""What the name of a file with one text ends with, capitals or not."""

MOST_ROWS = 2_000_000
MOST_CHARACTERS = 1_000_000
"""Of a text: as many as the service takes."""

_LARGEST_FILE = 4 * MOST_CHARACTERS
_LONGEST_LABEL = 200
_FORM = (
    "Expected a CSV file whose first line is text,label, with quotes around a text that holds commas or lines; or "
    'JSONL such as {"text": "A good film.", "label": "positive"}.'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A text, its label, and its split and group where the table states them; else "".

    The path is what it is called: the line or row of the table, or the file.
    """

    path: str
    label: str
    text: str
    split: str = ""
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class TextListing:
    """The texts of a table or a folder, and what else was found; the notes say what its reader may not expect."""

    source: Path
    texts: tuple[Text, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return tuple(sorted({each.label for each in self.texts}))


def list_texts(source: Path, wanted: Wanted, *, keep_parts: bool = True) -> TextListing:
    """The texts that a reader names.

    Args:
        source: a table, or a folder with a folder of ``.txt`` files for each class.
        wanted: the columns of the table that the reader names.
        keep_parts: whether a column of splits, or folders such as train and test, say what is held out.

    Raises:
        UsageError: the columns cannot be told apart, or one that is named is not there.
        DataError: there is no such table or folder, it cannot be understood, or has less than two classes.
        StorageError: it cannot be read.
    """
    place = printable(str(source))
    if not files.exists(source):
        raise DataError(
            f"There is no {place}.", hint="Check the name. Expected a table of texts and labels, or a folder."
        )
    if files.is_folder(source):
        listing = _from_folder(source, keep_parts=keep_parts)
    elif source.suffix.lower() in TABLES:
        listing = _from_table(source, wanted, keep_parts=keep_parts)
    else:
        raise DataError(
            f"{place} is a file of another kind; expected a table ({' or '.join(TABLES)}) or a folder.",
            hint=hint_of_other(source),
        )
    listing = _in_one_spelling(listing)
    if len(listing.classes) < 2:
        has = f"one class only, {shown(listing.classes[0])}" if listing.classes else "no text with a label"
        reasons = f" Left out: {'; '.join(told(listing.left_out))}." if listing.left_out else ""
        hint = _hint_of_classes(source, has_one=bool(listing.classes))
        raise DataError(f"{place} has {has}; expected at least two classes.{reasons}", hint=hint)
    return listing


def _hint_of_classes(source: Path, *, has_one: bool) -> str:
    if files.is_folder(source):
        return f"Put the files ({' or '.join(ENDINGS)}) of each class into a folder with the name of the class."
    if has_one:
        return "A model learns to tell classes apart. If the labels are in another column, name it: --label COLUMN"
    return _FORM


def _in_one_spelling(listing: TextListing) -> TextListing:
    """Labels that differ only in capitals, spaces, or how accents are stored, as one: the one that most texts have."""
    counts = Counter(each.label for each in listing.texts)
    by_plain: dict[str, list[str]] = {}
    for label in counts:
        by_plain.setdefault(same_spelling(label), []).append(label)
    several = [sorted(labels) for labels in by_plain.values() if len(labels) > 1]
    if not several:
        return listing
    joined = {each: max(labels, key=lambda label: counts[label]) for labels in several for each in labels}
    names = "; ".join(" and ".join(map(shown, labels)) for labels in several[:3])
    note = f"Labels that differ only in capitals, or in how their accents are stored, are one class: {names}."
    texts = tuple(replace(each, label=joined.get(each.label, each.label)) for each in listing.texts)
    return replace(listing, texts=texts, notes=(*listing.notes, note))


def problem_of(text: str) -> str:
    """Why a text cannot be used, in words that fit after "because"; or ""."""
    if isinstance(text, _NoText):
        return f"its text is {text.kind}; expected a text"
    if not text.strip():
        return "it is empty"
    if len(text) > MOST_CHARACTERS:
        return f"it has more than {MOST_CHARACTERS:,} characters"
    if "\0" in text:
        return "it holds a zero byte"
    return "" if has_word(text) else "it has no word"


# ----------------------------------------------------------------------------------------------------------- a folder


def _from_folder(folder: Path, *, keep_parts: bool) -> TextListing:
    listing = list_folder(folder, keep_parts=keep_parts, endings=ENDINGS)
    texts, left_out, notes = [], list(listing.left_out), list(listing.notes)
    otherwise = 0
    for each in listing.photographs:
        try:
            text, said = _text_of(listing.root / each.path)
        except _NotReadError as error:
            left_out.append(LeftOut(path=each.path, reason=str(error)))
            continue
        otherwise += bool(said)
        if reason := problem_of(text):
            left_out.append(LeftOut(path=each.path, reason=reason))
        else:
            texts.append(Text(path=each.path, label=each.label, text=text, split=each.split))
    if otherwise:
        notes.append(f"{otherwise:,} files are not UTF-8; they are read as cp1252 or UTF-16.")
    return TextListing(source=folder, texts=tuple(texts), left_out=tuple(left_out), notes=tuple(notes))


class _NotReadError(Exception):
    """Why a file cannot be used, in words that fit after "because"."""


def _text_of(path: Path) -> tuple[str, str]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise _NotReadError(f"it cannot be read: {error.strerror or error}") from None
    if not content.strip():
        raise _NotReadError("it is empty")
    if len(content) > _LARGEST_FILE:
        raise _NotReadError(f"it has more than {_LARGEST_FILE:,} bytes")
    if kind := kind_of_binary(content):
        raise _NotReadError(f"it is not a text but {kind}")
    return decoded(content)


# ------------------------------------------------------------------------------------------------------------ a table

_Rows = Iterator[tuple[int, Mapping[str, str]]]


def place_of(table: Path) -> str:
    """What the number of a row means: the "line" of a table where it ends; a "row" of a file without lines."""
    return "row" if table.suffix.lower() == parquet.ENDING else "line"


def rows_of_table(
    table: Path, left_out: list[LeftOut] | None = None, notes: list[str] | None = None
) -> tuple[Sequence[str], _Rows]:
    """The names of the columns, and the rows that fit them, each with its :func:`number <place_of>`.

    The others are added to ``left_out`` while the rows are read; what is to be said of the table, to ``notes``.

    Raises:
        DataError: it cannot be understood, also while the rows are read.
        StorageError: it cannot be read.
    """
    return _read_rows(table, [] if notes is None else notes, [] if left_out is None else left_out)


def _read_rows(table: Path, notes: list[str], left_out: list[LeftOut]) -> tuple[Sequence[str], _Rows]:
    if table.suffix.lower() == parquet.ENDING:
        names, cells = parquet.read_parquet(table, most_rows=MOST_ROWS)
        return names, ((number, {name: _cell(value) for name, value in row.items()}) for number, row in cells)
    text, said = decoded(read_bytes(table))
    notes += [said] if said else []
    if table.suffix.lower() in (".jsonl", ".ndjson"):
        return _jsonl(text, table)
    return _csv(text, table, notes, left_out)


def _from_table(table: Path, wanted: Wanted, *, keep_parts: bool) -> TextListing:
    notes, left_out = list[str](), list[LeftOut]()
    names, rows = _read_rows(table, notes, left_out)
    first = list(islice(rows, LOOKED_AT))
    place = printable(table.name)
    if not first:
        raise no_table(table, "it has no row that fits its head line", hint=_FORM + _reasons(left_out))
    columns = find_columns(names, [row for _, row in first], wanted, place=place)
    notes.append(_said_of(columns))
    texts = []
    for line, row in _chained(first, rows):
        found = _text_in(f"{place_of(table)} {line:,}", row, columns)
        if isinstance(found, LeftOut):
            left_out.append(found)
        else:
            texts.append(found)
    splits = Counter(each.split for each in texts)
    keep = keep_parts and says_enough(splits)
    if columns.split:
        if not keep or "" in splits:
            texts = [replace(each, split="") for each in texts] if not keep else texts
        notes += notes_of(f"the column {printable(columns.split)}", splits, keep=keep, noun="text")
    return TextListing(source=table, texts=tuple(texts), left_out=tuple(left_out), notes=tuple(notes))


def _reasons(left_out: Sequence[LeftOut]) -> str:
    return f" Left out: {'; '.join(told(left_out))}." if left_out else ""


def _said_of(columns: Columns) -> str:
    said = f"The texts are in the column {printable(columns.text)!r}, the labels in {printable(columns.label)!r}."
    if columns.group:
        said += f" Rows that are equal in {printable(columns.group)!r} stay together."
    return said


def _chained(first: Sequence[tuple[int, Mapping[str, str]]], rest: _Rows) -> _Rows:
    yield from first
    yield from rest


def _text_in(path: str, row: Mapping[str, str], columns: Columns) -> Text | LeftOut:
    text, label = row.get(columns.text, ""), " ".join(row.get(columns.label, "").split())
    reason = problem_of(text)
    if not reason and not label:
        reason = "it has no label"
    if not reason and (len(label) > _LONGEST_LABEL or not label.isprintable()):
        reason = f"its label is no word or two of at most {_LONGEST_LABEL} printable characters"
    split = ""
    if not reason and columns.split:
        split = split_named(row.get(columns.split, ""))
        if not split:
            reason = f"its {printable(columns.split)} is neither train, validation nor test"
    if reason:
        return LeftOut(path=path, reason=reason)
    return Text(
        path=path, label=label, text=text, split=split, group=row.get(columns.group, "") if columns.group else ""
    )


def _csv(text: str, table: Path, notes: list[str], left_out: list[LeftOut]) -> tuple[Sequence[str], _Rows]:
    first, _, rest = text.partition("\n")
    above = 0
    if first.strip().strip('"').lower() in {f"sep={mark}" for mark in BETWEEN}:  # so that a spreadsheet knows
        text, above = rest, 1
    mark = _mark_of(text, table)
    head, *below = [cells for _, cells in islice(_lines(text, mark, table), LOOKED_AT)] or [[]]
    headless = not is_head(head, below)
    names = [f"column {number}" for number in range(1, len(head) + 1)] if headless else [cell.strip() for cell in head]
    if headless:
        notes.append("The table has no head line.")
    if repeated := [name for name, count in Counter(names).items() if count > 1 and name]:
        raise no_table(table, f"two of its columns are called {shown(repeated[0])}", hint="Give them different names.")

    def rows() -> _Rows:
        for number, (line, cells) in enumerate(_lines(text, mark, table)):
            if (number == 0 and not headless) or not any(map(str.strip, cells)):
                continue
            if number > MOST_ROWS:
                raise no_table(table, f"it has more than {MOST_ROWS:,} rows", hint="Take a part of its rows.")
            if len(cells) != len(names):
                reason = f"its row has {len(cells)} cells and the first row {len(names)}"
                left_out.append(
                    LeftOut(path=f"line {line + above:,}", reason=reason, kind="its row has too few or too many cells")
                )
                continue
            yield line + above, dict(zip(names, cells, strict=True))

    return names, rows()


def _mark_of(text: str, table: Path) -> str:
    """What separates the cells: the mark that divides most of the first rows as it divides the head line."""
    marks = ("\t", *(mark for mark in BETWEEN if mark != "\t")) if table.suffix.lower() == ".tsv" else BETWEEN
    best, most = marks[0], (0, 0)
    for mark in marks:
        try:
            first = [cells for _, cells in islice(_lines(text, mark, table), LOOKED_AT)]
        except DataError:
            continue
        columns = len(first[0]) if first else 0
        alike = sum(len(cells) == columns for cells in first) if columns > 1 else 0
        known = columns > 1 and any(map(is_known, first[0]))
        if (alike, known) > most:
            best, most = mark, (alike, known)
    return best


def _lines(text: str, mark: str, table: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV, each with the line where it ends. Raises DataError where quotes are not closed."""
    before = csv.field_size_limit(2**31 - 1)  # texts that are too long are left out, and not the end of the table
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    began = 1
    try:
        for cells in reader:
            yield reader.line_num, cells
            began = reader.line_num + 1
    except csv.Error as error:
        why = f"line {began:,}: {error}"
        if "unexpected end" in str(error):
            why = f"a quote that is opened in the row of line {began:,} is never closed"
        raise no_table(
            table, why, hint='A quote inside a quoted text is written twice: "He said ""yes"" again."'
        ) from None
    finally:
        csv.field_size_limit(before)


def _jsonl(text: str, table: Path) -> tuple[Sequence[str], _Rows]:
    def rows() -> _Rows:
        for number, (line, row) in enumerate(jsonl_lines(text, table, hint=_FORM)):
            if number >= MOST_ROWS:
                raise no_table(table, f"it has more than {MOST_ROWS:,} rows", hint="Take a part of its rows.")
            yield line, {str(name): _cell(value) for name, value in row.items()}

    names = dict.fromkeys(name for _, row in islice(rows(), LOOKED_AT) for name in row)
    return list(names), rows()


class _NoText(str):
    """An empty cell in the place of a value of JSON that no cell of a table could hold: a list or an object."""

    kind: str

    def __new__(cls, kind: str) -> "_NoText":
        """Make one of the kind "a list" or "an object"."""
        made = super().__new__(cls)
        made.kind = kind
        return made


def _cell(value: object) -> str:
    """A value of JSON as a cell has it. A half of a surrogate pair, which JSON can hold, can be written nowhere."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | dict):
        return _NoText("a list" if isinstance(value, list) else "an object")
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""

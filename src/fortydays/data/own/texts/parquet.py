"""Tables of texts in Parquet, as pandas and public collections write them.

Whoever made the file says in it how much it holds. None of that is believed: what is read is counted, and reading ends
where a table has more than any may have. Columns of lists, objects or bytes that are no text give empty cells.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base import files
from fortydays.base.encodings import decoded, kind_of_binary
from fortydays.base.errors import DataError
from fortydays.base.text import printable, shown, size_in_words
from fortydays.data.own.tables import no_table
from fortydays.data.own.texts.decoding import LARGEST_TABLE

if TYPE_CHECKING:
    from pyarrow import DataType, DictionaryArray, Schema
    from pyarrow.parquet import ParquetFile

ENDING = ".parquet"
"""What the name of such a table ends with, capitals or not."""

MOST_COLUMNS = 1_000

_BEGINNING = b"PAR1"
_AT_ONCE = 256
"""Rows in memory at once: one of them may have a long text."""

_LARGEST_FOOTER = 20_000_000
_MOST_ITEMS = 1_000_000
_OF_PANDAS = "__index_level_"
_HINT = "Write it again, such as with to_parquet of pandas; or save the table as CSV, in UTF-8."

Cells = Iterator[tuple[int, Mapping[str, object]]]
"""The rows with their numbers from 1: of each its cells, which are texts, numbers, lists, objects or None."""


def read_parquet(table: Path, *, most_rows: int, most_bytes: int = LARGEST_TABLE) -> tuple[Sequence[str], Cells]:
    """The names of the columns, and the rows.

    Args:
        table: a file in Parquet's format, compressed or not.
        most_rows: that a table may have.
        most_bytes: that the file may have, and that all its cells together may have as they are read.

    Raises:
        DataError: it is no such table or has too much of something; also while the rows are read.
        StorageError: it cannot be read.
    """
    with files.storage_errors("read", table):
        size = table.stat().st_size
        with table.open("rb") as file:
            beginning = file.read(len(_BEGINNING))
    if not size:
        raise DataError(f"{printable(str(table))} is empty.", hint="Expected a table with a row for each text.")
    if size > most_bytes:
        raise _too_large(table, f"has {size_in_words(size)}", most_bytes)
    if beginning != _BEGINNING:
        raise no_table(
            table,
            "it is no Parquet file, though its name ends like that of one",
            hint="If it is a table of another kind, let its name end with .csv, .tsv or .jsonl.",
        )
    with _opened(table) as parquet:
        if parquet.metadata.num_rows > most_rows:
            raise _too_many_rows(table, most_rows)
        _check_size(parquet, table, most_bytes)
        names = _columns(parquet.schema_arrow, table)
    return names, _rows(table, names, most_rows=most_rows, most_bytes=most_bytes)


def _opened(table: Path, *, by_dictionary: Sequence[str] = ()) -> "ParquetFile":
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise DataError(
            f"{printable(str(table))} is a Parquet file, and the package that reads such files is not installed.",
            hint="Install it: pip install pyarrow. Or save the table as CSV, in UTF-8.",
        ) from None
    try:
        return ParquetFile(
            table,
            memory_map=False,  # a file that becomes shorter meanwhile is an error and no crash
            pre_buffer=False,
            read_dictionary=list(by_dictionary),
            thrift_string_size_limit=_LARGEST_FOOTER,
            thrift_container_size_limit=_MOST_ITEMS,
        )
    except FileNotFoundError:
        raise DataError(f"There is no {printable(str(table))} any more.", hint="Check the name.") from None
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(table, error) from None


def _columns(schema: "Schema", table: Path) -> list[str]:
    try:
        names = [name for name in schema.names if not name.startswith(_OF_PANDAS)]
    except UnicodeDecodeError as error:
        raise _damaged(table, error) from None
    if not names:
        raise no_table(table, "it has no column", hint="Expected a column with texts and one with labels.")
    if len(names) > MOST_COLUMNS:
        raise no_table(
            table, f"it has {len(names):,} columns; expected at most {MOST_COLUMNS:,}", hint="Write fewer columns."
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise no_table(table, f"two of its columns are called {shown(twice)}", hint="Give them different names.")
    return names


def _rows(table: Path, names: Sequence[str], *, most_rows: int, most_bytes: int) -> Cells:
    import pyarrow
    from pyarrow import types

    number, taken = 0, 0
    with _opened(table) as parquet:
        schema = parquet.schema_arrow
        called = _names_of_classes(schema, names)
        nested = {name: _placeholder(schema.field(name).type) for name in names}
        flat = [name for name in names if nested[name] is None]
    # A text that many rows have is in memory once: else a small file could fill all of it.
    texts = [name for name in flat if _is_text(schema.field(name).type)]
    with _opened(table, by_dictionary=texts) as parquet:
        batches = parquet.iter_batches(batch_size=_AT_ONCE, columns=flat, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                cells = {
                    name: _shared(column) if types.is_dictionary(column.type) else column.to_pylist()
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                }
            # The last two: of a header with numbers that no table has.
            except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
                raise _damaged(table, error) from None
            except MemoryError:
                raise no_table(table, "what it says of its size does not fit into memory", hint=_HINT) from None
            for place in range(batch.num_rows):
                number += 1
                if number > most_rows:
                    raise _too_many_rows(table, most_rows)
                values = {name: nested[name] if name not in cells else cells[name][place] for name in names}
                taken += sum(len(value) for value in values.values() if isinstance(value, str | bytes))
                if taken > most_bytes:
                    raise _too_large(table, "has more", most_bytes)
                yield number, {name: _cell(value, called.get(name, ())) for name, value in values.items()}


def _is_text(kind: "DataType") -> bool:
    from pyarrow import types

    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind)
    )


def _placeholder(kind: "DataType") -> list[Any] | dict[str, Any] | None:
    """What stands for each cell of a column that is not read; None for one that is."""
    from pyarrow import types

    if types.is_struct(kind) or types.is_map(kind):
        return {}
    return [] if types.is_nested(kind) else None


def _check_size(parquet: "ParquetFile", table: Path, most: int) -> None:
    """Raise DataError where the cells are too large by what the file says: it need not be read to see that."""
    # What it says of single columns is not asked: where that is damaged, the library ends the whole process.
    size = sum(parquet.metadata.row_group(group).total_byte_size for group in range(parquet.metadata.num_row_groups))
    if size > most:
        raise _too_large(table, f"has {size_in_words(size)} of cells", most)


def _shared(column: "DictionaryArray") -> list[Any]:
    """The values of a column: those that are equal are one object."""
    import pyarrow

    numbers = column.indices.to_pylist()
    different = sorted({number for number in numbers if number is not None})
    values = column.dictionary.take(pyarrow.array(different, pyarrow.int64())).to_pylist()
    of_number: dict[int | None, Any] = {None: None, **dict(zip(different, values, strict=True))}
    return [of_number[number] for number in numbers]


def _cell(value: Any, called: Sequence[str]) -> object:
    """A value as a table of text would have it; numbers of classes whose names are known become these."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bytes):
        return None if kind_of_binary(value) else decoded(value)[0]
    if called and type(value) is int:
        return called[value] if 0 <= value < len(called) else None
    if isinstance(value, bool | int | float | str | list | dict):
        return value
    return str(value)  # a date, a time, a decimal number


def _names_of_classes(schema: "Schema", names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The names of the classes of columns of numbers, where the library ``datasets`` has written them down."""
    import json

    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: tuple(features[name]["names"])
            for name in names
            if isinstance(features.get(name), dict)
            and features[name].get("_type") == "ClassLabel"
            and all(isinstance(each, str) and each.strip() for each in features[name]["names"])
        }
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}  # whatever else it says is nobody's promise


def _too_many_rows(table: Path, most: int) -> DataError:
    return no_table(table, f"it has more than {most:,} rows", hint="Take a part of its rows.")


def _too_large(table: Path, has: str, most: int) -> DataError:
    return DataError(
        f"{printable(str(table))} {has}; expected at most {size_in_words(most)}, as its cells are read.",
        hint="Take a part of its rows, or only the columns with texts and labels.",
    )


def _damaged(table: Path, error: Exception) -> DataError:
    why = printable(" ".join(str(error).split()))[:200] or type(error).__name__
    return no_table(table, f"it is a damaged Parquet file ({why.rstrip('.')})", hint=_HINT)

"""The bytes of a reader's files of text, where they can be one."""

from pathlib import Path

from fortydays.base import files
from fortydays.base.encodings import PARQUET, kind_of_binary
from fortydays.base.errors import DataError
from fortydays.base.text import printable, size_in_words

LARGEST_TABLE = 1_000_000_000
"""Bytes of a table."""


def read_bytes(path: Path, *, most: int = LARGEST_TABLE) -> bytes:
    """The bytes of a file.

    Raises:
        DataError: it is empty, is not a text, or has more than ``most`` bytes.
        StorageError: it cannot be read.
    """
    with files.storage_errors("read", path):
        size = path.stat().st_size
        if size > most:
            raise DataError(
                f"{printable(str(path))} has {size_in_words(size)}; expected at most {size_in_words(most)}.",
                hint="Take a part of its rows. Accuracy grows slowly with the number of texts.",
            )
        content = path.read_bytes()
    if not content.strip():
        raise DataError(f"{printable(str(path))} is empty.", hint="Expected a table with a row for each text.")
    if kind := kind_of_binary(content):
        hint = "Expected a table as CSV, TSV or JSONL. Save it as CSV, in UTF-8, with the program that wrote it."
        if kind == PARQUET:
            hint = "Let its name end with .parquet."
        raise DataError(f"{printable(str(path))} is not a text: it is {kind}.", hint=hint)
    return content

"""Answers as a CSV file: one row for each image, with the probabilities of all classes.

Whoever opens such a file in a spreadsheet must not run what a file or a class happens to be called: a spreadsheet
takes a cell that begins with one of ``= + - @`` or a control character for a formula (OWASP, "CSV Injection"). All
texts are quoted, because some spreadsheets divide a line at other signs than commas.
"""

import csv
import io
from typing import IO

from fortydays.registry.contents import Bundle
from fortydays.serve.answers import is_unknown
from fortydays.serve.prediction import STANDARD_INPUT, Answered

COLUMNS = ("file", "class", "probability", "unknown")
"""The first columns; one for each class follows."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Spreadsheet:
    """Writes answers as rows of a CSV file: UTF-8, one line for each."""

    def __init__(self, file: IO[bytes], bundle: Bundle) -> None:
        self._file = file
        self._bundle = bundle
        self._write([*COLUMNS, *(safe(name) for name in bundle.classes)])

    def add(self, answered: Answered) -> None:
        """Write a row; of an image without an answer, all cells but the first are empty."""
        probabilities = answered.probabilities
        if probabilities is None:
            self._write([safe_file(answered.name), "", "", "", *[""] * len(self._bundle.classes)])
            return
        best = int(probabilities.argmax())
        unknown = is_unknown(self._bundle, probabilities)
        shares = [round(share, 6) for share in probabilities.tolist()]
        said = {None: "", True: "true", False: "false"}[unknown]
        self._write([safe_file(answered.name), safe(self._bundle.classes[best]), shares[best], said, *shares])

    def _write(self, cells: list[object]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerow(cells)
        self._file.write(line.getvalue().encode("utf-8", "replace"))


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula: where it would, an apostrophe stands before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def safe_file(name: str) -> str:
    """The same of a file's name, which then begins with ``./`` and still is that file's; "-" is standard input."""
    if name == STANDARD_INPUT or not name.startswith(_FORMULA):
        return name
    return f"./{name}"

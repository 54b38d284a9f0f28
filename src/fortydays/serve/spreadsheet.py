"""Answers as a CSV file: one row for each image, with the probabilities of all classes."""

from typing import IO

from fortydays.base.spreadsheet import FORMULA, line, safe
from fortydays.registry.contents import Bundle
from fortydays.serve.answers import is_unknown
from fortydays.serve.prediction import STANDARD_INPUT, Answered

COLUMNS = ("file", "class", "probability", "unknown")
"""The first columns; one for each class follows."""


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
        self._file.write(line(cells).encode("utf-8", "replace"))


def safe_file(name: str) -> str:
    """A file's name that no spreadsheet takes for a formula.

    It then begins with ``./`` and still is that file's; "-" is standard input.
    """
    if name == STANDARD_INPUT or not name.startswith(FORMULA):
        return name
    return f"./{name}"

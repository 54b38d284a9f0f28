import csv
import io
from pathlib import Path

import numpy as np
import pytest
from made_up_bundles import CONFIDENCE, bundle

from fortydays.base.spreadsheet import safe
from fortydays.registry.contents import Bundle, open_bundle
from fortydays.serve.prediction import Answered
from fortydays.serve.spreadsheet import Spreadsheet, safe_file


def rows(opened: Bundle, *answers: Answered) -> list[list[str]]:
    file = io.BytesIO()
    sheet = Spreadsheet(file, opened)
    for each in answers:
        sheet.add(each)
    return list(csv.reader(io.StringIO(file.getvalue().decode("utf-8"), newline="")))


def answered(best: int, share: float, *, name: str = "a.png") -> Answered:
    probabilities = np.zeros(10, np.float32)
    probabilities[best] = share
    return Answered(name=name, probabilities=probabilities)


def test_a_row_has_the_best_class_and_the_probabilities_of_all(tmp_path: Path) -> None:
    bundle(tmp_path / "one", confidence=CONFIDENCE)
    opened = open_bundle(tmp_path / "one", threads=1)
    failed = Answered(name="b.png", probabilities=None, error="It is empty.")

    found = rows(opened, answered(3, 0.75), failed, answered(9, 0.25))

    assert found == [
        ["file", "class", "probability", "unknown", *"0123456789"],
        ["a.png", "3", "0.75", "false", "0.0", "0.0", "0.0", "0.75", "0.0", "0.0", "0.0", "0.0", "0.0", "0.0"],
        ["b.png", *[""] * 13],
        ["a.png", "9", "0.25", "true", *["0.0"] * 9, "0.25"],
    ]


def test_without_a_threshold_nothing_is_said_of_unknown(tmp_path: Path) -> None:
    bundle(tmp_path / "one")
    assert rows(open_bundle(tmp_path / "one", threads=1), answered(3, 0.75))[1][3] == ""


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\N{FULLWIDTH EQUALS SIGN}"])
def test_no_name_is_a_formula(tmp_path: Path, first: str) -> None:
    bundle(tmp_path / "one", classes=[f"{first}1+1", *"123456789"])
    opened = open_bundle(tmp_path / "one", threads=1)
    name = f"{first}cmd|' /C calc'!A0.png"

    head, row = rows(opened, answered(0, 0.75, name=name))

    assert head[4] == row[1] == f"'{first}1+1"
    assert row[0] == f"./{name}"  # the same file, and no formula
    assert safe("a=1") == safe_file("a=1") == "a=1"


def test_standard_input_keeps_its_name(tmp_path: Path) -> None:
    assert safe_file("-") == "-"
    assert safe_file("-x.png") == "./-x.png"


def test_all_texts_are_quoted_whatever_divides_the_cells_of_a_country(tmp_path: Path) -> None:
    bundle(tmp_path / "one")
    file = io.BytesIO()
    Spreadsheet(file, open_bundle(tmp_path / "one", threads=1)).add(answered(3, 0.5, name='a;=1+1,"b"\n.png'))

    assert file.getvalue().split(b"\n", 1)[1].startswith(b'"a;=1+1,""b""\n.png","3",0.5,"",0.0,')
    assert file.getvalue().endswith(b",0.0\n")


def test_a_name_that_is_no_utf8_does_no_harm(tmp_path: Path) -> None:
    bundle(tmp_path / "one")
    assert rows(open_bundle(tmp_path / "one", threads=1), answered(3, 0.5, name="\udcff.png"))[1][0] == "?.png"

"""Texts that are asked about: each row of a table in the place of the table."""

from pathlib import Path

import made_up_bundles
import pyarrow
import pytest
from pyarrow import parquet

from fortydays.base.errors import DataError, UsageError
from fortydays.inputs.tokens import Tokens
from fortydays.registry.contents import open_bundle
from fortydays.serve.prediction import ImageFile, answer, find_images, rows_of_tables


def test_each_row_of_a_table_is_asked_about_and_other_files_stay_as_they_are(tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("id,text\n1,a good film\n2,\n3,a,b\n4,=1+1\n")
    asked, left_out, notes = rows_of_tables(["one.txt", str(table), "-"], column="")
    assert asked == [
        "one.txt",
        ImageFile(name=f"{table}, line 2", content=b"a good film", is_row=True),
        ImageFile(name=f"{table}, line 3", content=b"", is_row=True),
        ImageFile(name=f"{table}, line 5", content=b"=1+1", is_row=True),
        "-",
    ]
    assert [(each.path, each.reason) for each in left_out] == [
        (f"{table}, line 4", "its row has 3 cells and the first row 2")
    ]
    assert not notes
    found = find_images(asked, endings=(".txt",), standard_input=b"b")
    assert [each.name for each in found.images] == [getattr(each, "name", each) for each in asked]


def test_rows_of_a_parquet_file_are_asked_about_by_their_numbers(tmp_path: Path) -> None:
    table = tmp_path / "new.parquet"
    parquet.write_table(pyarrow.table({"text": ["a good film", None], "n": [1, 2]}), table)
    asked, left_out, notes = rows_of_tables([str(table)], column="")
    assert asked == [
        ImageFile(name=f"{table}, row 1", content=b"a good film", is_row=True),
        ImageFile(name=f"{table}, row 2", content=b"", is_row=True),
    ]
    assert not left_out
    assert not notes


def test_rows_and_files_that_give_no_answer_are_told_and_encodings_too(tmp_path: Path) -> None:
    text = Tokens(length=4, vocabulary=("good", "bad"), masked=True)
    made_up_bundles.text_bundle(tmp_path / "bundle", text, {"good": 1.0, "bad": -1.0})
    table = tmp_path / "new.csv"
    table.write_bytes("text,n\nTr\u00e8s good,1\nzxqv qqq,2\n,3\n".encode("cp1252"))
    (tmp_path / "latin.txt").write_bytes("Tr\u00e8s bad".encode("cp1252"))
    (tmp_path / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n")

    asked, _, notes = rows_of_tables(
        [str(table), str(tmp_path / "latin.txt"), str(tmp_path / "picture.txt")], column=""
    )
    bundle = open_bundle(tmp_path / "bundle", threads=1)
    good, unknown, empty, latin, picture = answer(bundle, find_images(asked).images, workers=1)

    assert notes == [
        f"{table}: It is read as cp1252, the encoding of Windows in western Europe: it is not UTF-8. "
        "If letters look wrong, save it again as UTF-8."
    ]
    assert good.probabilities is not None
    assert good.probabilities.argmax() == 1
    assert unknown.error == "The model knows none of the words of this text, so there is no answer."
    assert empty.error == "The text of this row is empty."
    assert latin.probabilities is not None
    assert latin.probabilities.argmax() == 0
    assert latin.note.startswith("It is read as cp1252")
    assert picture.error == "It is a PNG picture; expected a text, such as a file that ends with .txt."


def test_the_column_can_be_named_and_the_only_one_is_taken(tmp_path: Path) -> None:
    table = tmp_path / "new.jsonl"
    table.write_text('{"a": "x y", "b": "z z"}\n')
    asked, _, _ = rows_of_tables([str(table)], column="b")
    assert [each.content for each in asked if isinstance(each, ImageFile)] == [b"z z"]
    (tmp_path / "one.csv").write_text("said\nfine\n")
    asked, _, _ = rows_of_tables([str(tmp_path / "one.csv")], column="")
    assert [each.content for each in asked if isinstance(each, ImageFile)] == [b"fine"]


def test_a_table_that_cannot_be_understood_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("a,b\nx y z,x y w\nu v w,u v x\n")
    with pytest.raises(UsageError) as raised:
        rows_of_tables([str(table)], column="")
    assert raised.value.hint == "Name it: --text COLUMN. Columns: a, b."
    with pytest.raises(UsageError, match="There is no column 'c'"):
        rows_of_tables([str(table)], column="c")
    table.write_text("")
    with pytest.raises(DataError, match="is empty"):
        rows_of_tables([str(table)], column="")


def test_a_table_that_is_not_there_is_asked_about_as_any_file_and_so_told_as_one(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nosuch.csv")
    assert rows_of_tables([nowhere], column="") == ([nowhere], [], [])

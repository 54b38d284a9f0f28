"""Tables of texts in Parquet: what is read of them, and what is refused whatever the file says of itself."""

import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from fortydays.base.errors import DataError, UsageError
from fortydays.data.own.texts.columns import Wanted
from fortydays.data.own.texts.listing import TextListing, list_texts
from fortydays.data.own.texts.parquet import MOST_COLUMNS, read_parquet
from fortydays.data.own.texts.recognising import are_texts

TEXTS = ["A fine film.", "A dull film.", "Nothing works, \U0001f600 at all.", "Gut gemacht, größer!"]
LABELS = ["good", "bad", "bad", "good"]


def written(folder: Path, columns: dict[str, Any], name: str = "t.parquet", **how: Any) -> Path:
    table = pyarrow.table(columns)
    if metadata := how.pop("metadata", None):
        table = table.replace_schema_metadata(metadata)
    parquet.write_table(table, folder / name, **how)
    return folder / name


def listed(path: Path, **wanted: str) -> TextListing:
    return list_texts(path, Wanted(**wanted))


def cells(path: Path, **bounds: int) -> list[dict[str, object]]:
    _, rows = read_parquet(path, **{"most_rows": 1_000, **bounds})
    return [dict(row) for _, row in rows]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"compression": "none"},
        {"compression": "zstd"},
        {"use_dictionary": False},
        {"row_group_size": 2},
        {"version": "1.0"},
        {"name": "t.PARQUET"},
    ],
)
def test_a_table_is_read_as_programs_write_it(how: dict[str, Any], tmp_path: Path) -> None:
    table = written(tmp_path, {"text": TEXTS, "label": LABELS, "stars": [5, 1, 2, 4]}, **how)
    before = table.read_bytes()

    found = listed(table)

    assert [(each.text, each.label) for each in found.texts] == list(zip(TEXTS, LABELS, strict=True))
    assert [each.path for each in found.texts] == ["row 1", "row 2", "row 3", "row 4"]
    assert not found.left_out
    assert table.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [table]
    assert are_texts(table)


def test_categories_of_pandas_and_its_index_are_understood(tmp_path: Path) -> None:
    columns = {
        "review": TEXTS,
        "kind": pyarrow.array(LABELS).dictionary_encode(),
        "__index_level_0__": ["a", "b", "a", "b"],
    }
    found = listed(written(tmp_path, columns))
    assert [each.label for each in found.texts] == LABELS


def test_numbers_of_classes_get_their_names_where_the_file_has_them(tmp_path: Path) -> None:
    features = {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}, "text": {"_type": "Value"}}
    columns = {"text": TEXTS, "label": [1, 0, 0, 1]}
    named = written(tmp_path, columns, metadata={"huggingface": json.dumps({"info": {"features": features}})})
    assert [each.label for each in listed(named).texts] == LABELS
    for nonsense in (
        "[]",
        "{",
        '{"info": {"features": {"label": 3}}}',
        '{"info": {"features": {"label": {"names": 1}}}}',
    ):
        plain = written(tmp_path, columns, metadata={"huggingface": nonsense})
        assert [each.label for each in listed(plain).texts] == ["1", "0", "0", "1"]


def test_cells_are_what_a_table_of_text_would_hold(tmp_path: Path) -> None:
    found = cells(
        written(
            tmp_path,
            {
                "bytes": [b"caf\xc3\xa9", b"\x89PNG\r\n\x1a\n", None],
                "number": [1.5, float("nan"), None],
                "day": [datetime.date(2026, 5, 4), None, None],
                "flag": [True, False, None],
            },
        )
    )
    assert found == [
        {"bytes": "café", "number": 1.5, "day": "2026-05-04", "flag": True},
        {"bytes": None, "number": None, "day": None, "flag": False},
        {"bytes": None, "number": None, "day": None, "flag": None},
    ]


def test_rows_without_a_text_are_left_out_with_their_number(tmp_path: Path) -> None:
    texts = [*TEXTS, None, "  ", "zero \0 byte"]
    found = listed(written(tmp_path, {"text": texts, "label": [*LABELS, "good", "good", "bad"]}))
    assert [(each.path, each.reason) for each in found.left_out] == [
        ("row 5", "it is empty"),
        ("row 6", "it is empty"),
        ("row 7", "it holds a zero byte"),
    ]


def test_a_column_of_lists_is_named_and_no_text(tmp_path: Path) -> None:
    table = written(tmp_path, {"text": [["a"], ["b"]], "label": ["good", "bad"]})
    with pytest.raises(DataError) as raised:
        listed(table)
    assert "because its text is a list; expected a text: row 1, row 2." in raised.value.message


def test_columns_that_cannot_be_told_are_listed(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        listed(written(tmp_path, {"a": ["x", "y"], "b": ["x", "y"]}))
    assert raised.value.hint == "Name them: --text COLUMN --label COLUMN. Columns: a, b."


@pytest.mark.parametrize("content", [b"text,label\na,b\n", b"PAR1", b"PAR1" + 40 * b"\0", b"PAR1\0\0\0\0PAR1"])
def test_what_is_no_such_file_is_told(content: bytes, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    table.write_bytes(content)
    with pytest.raises(DataError) as raised:
        listed(table)
    assert "t.parquet cannot be understood: it is " in raised.value.message
    assert "Parquet file" in raised.value.message
    assert raised.value.hint


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").touch()
    with pytest.raises(DataError, match="is empty"):
        listed(tmp_path / "t.parquet")


def test_a_parquet_file_that_is_called_otherwise_is_told(tmp_path: Path) -> None:
    written(tmp_path, {"text": TEXTS, "label": LABELS}, name="t.csv")
    with pytest.raises(DataError) as raised:
        listed(tmp_path / "t.csv")
    assert "it is a Parquet file" in raised.value.message
    assert raised.value.hint == "Let its name end with .parquet."


def test_rows_bytes_and_columns_are_bounded(tmp_path: Path) -> None:
    table = written(tmp_path, {"text": TEXTS, "label": LABELS})
    with pytest.raises(DataError, match="it has more than 3 rows"):
        cells(table, most_rows=3)
    with pytest.raises(DataError, match=r"t.parquet has .*; expected at most 100 bytes"):
        cells(table, most_bytes=100)
    wide = written(tmp_path, {f"c{number}": ["x"] for number in range(MOST_COLUMNS + 1)})
    with pytest.raises(DataError, match="it has 1,001 columns; expected at most 1,000"):
        cells(wide)


def test_a_small_file_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    long = "x" * 1_000_000
    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 900), pyarrow.array([long]))
    table = written(tmp_path, {"text": texts, "label": ["a"] * 900}, dictionary_pagesize_limit=2**24)
    assert table.stat().st_size < 200_000
    before = pyarrow.total_allocated_bytes()
    names, rows = read_parquet(table, most_rows=1_000, most_bytes=50_000_000)
    assert names == ["text", "label"]
    read = []
    with pytest.raises(DataError, match="has more; expected at most 50 MB, as its cells are read"):
        read.extend(row for _, row in rows)
    assert len(read) == 49
    assert len({id(row["text"]) for row in read}) == 1  # one text in memory, and not 49
    assert pyarrow.total_allocated_bytes() - before < 20_000_000


def test_a_header_that_lies_is_refused_and_ends_no_process(tmp_path: Path) -> None:
    """In a process of its own: a library that aborts would end the tests."""
    written(tmp_path, {"text": [f"text {n}" for n in range(40)], "label": ["a", "b"] * 20}, use_dictionary=False)
    code = """
import random, sys
from pathlib import Path
from fortydays.base.errors import DataError
from fortydays.data.own.texts.parquet import read_parquet

content, table, draw = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]), random.Random(5)
told = 0
for _ in range(400):
    changed = bytearray(content)
    for _ in range(draw.choice((1, 2, 5))):
        changed[draw.randrange(4, len(changed))] = draw.randrange(256)
    table.write_bytes(changed)
    try:
        names, rows = read_parquet(table, most_rows=100)
        assert len(list(rows)) <= 100
    except DataError as error:
        told += 1
        assert error.message.isprintable() and len(error.message) < 500, error.message
print(told)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "t.parquet"), str(tmp_path / "changed.parquet")],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert int(done.stdout) > 200


def test_without_the_package_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = written(tmp_path, {"text": TEXTS, "label": LABELS})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataError) as raised:
        listed(table)
    assert "the package that reads such files is not installed" in raised.value.message
    assert raised.value.hint == "Install it: pip install pyarrow. Or save the table as CSV, in UTF-8."


def test_a_column_whose_name_has_a_dot_is_read(tmp_path: Path) -> None:
    assert cells(written(tmp_path, {"a.b": ["x"], "a": ["y"]})) == [{"a.b": "x", "a": "y"}]

"""Tables and folders of texts as people and their programs write them: what is read, left out, and refused."""

import json
from pathlib import Path

import pytest

from fortydays.base.errors import DataError, UsageError
from fortydays.data.own.listing import LeftOut, list_photographs, told
from fortydays.data.own.texts import listing as texts
from fortydays.data.own.texts.columns import Wanted
from fortydays.data.own.texts.listing import TextListing, list_texts
from fortydays.data.own.texts.recognising import are_texts

ROWS = [("A fine film.", "good"), ("A dull film.", "bad"), ("Nothing works, at all.", "bad"), ("Fine!", "good")]
"""What all tables say, however they are written."""


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def listed(path: Path, **wanted: str) -> TextListing:
    return list_texts(path, Wanted(**wanted))


def pairs(found: TextListing) -> list[tuple[str, str]]:
    return [(each.text, each.label) for each in found.texts]


QUOTED = 'text,label\nA fine film.,good\nA dull film.,bad\n"Nothing works, at all.",bad\nFine!,good\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", QUOTED),
        ("t.CSV", QUOTED.replace("\n", "\r\n")),
        ("t.csv", "\ufeff" + QUOTED),
        ("t.csv", "text;label\nA fine film.;good\nA dull film.;bad\nNothing works, at all.;bad\nFine!;good\n"),
        ("t.csv", "sep=;\ntext;label\nA fine film.;good\nA dull film.;bad\nNothing works, at all.;bad\nFine!;good\n"),
        ("t.tsv", "text\tlabel\nA fine film.\tgood\nA dull film.\tbad\nNothing works, at all.\tbad\nFine!\tgood\n"),
        ("t.csv", "Review,Topic\nA fine film.,good\n\nA dull film.,bad\n\"Nothing works, at all.\",bad\nFine!,good"),
        ("t.csv", "n,t,l\n1,A fine film.,good\n2,A dull film.,bad\n3,\"Nothing works, at all.\",bad\n4,Fine!,good"),
        ("t.csv", "A fine film.,good\nA dull film.,bad\n\"Nothing works, at all.\",bad\nFine!,good"),
        ("t.jsonl", "\n".join(json.dumps({"text": text, "label": label, "stars": 3}) for text, label in ROWS)),
    ],
)  # fmt: skip
def test_a_table_is_read_as_people_and_programs_write_it(name: str, content: str, tmp_path: Path) -> None:
    table = written(tmp_path, content, name)
    before = table.stat(), sorted(tmp_path.iterdir())

    found = listed(table)

    assert pairs(found) == ROWS
    assert not found.left_out
    assert (table.stat(), sorted(tmp_path.iterdir())) == before
    assert are_texts(table)


def test_columns_can_be_named_and_the_message_lists_them(tmp_path: Path) -> None:
    table = written(tmp_path, "a,b,c\nA fine film.,A dull one.,x\nThe end of it.,That was good.,y\n")
    assert pairs(listed(table, text="b", label="c")) == [("A dull one.", "x"), ("That was good.", "y")]
    with pytest.raises(UsageError) as raised:
        listed(table)
    assert "It cannot be told which column of t.csv is the text" in raised.value.message
    assert raised.value.hint == "Name them: --text COLUMN --label COLUMN. Columns: a, b, c."
    with pytest.raises(UsageError, match="There is no column 'd' of t"):
        listed(table, text="d")
    with pytest.raises(UsageError, match="cannot be two things"):
        listed(table, text="b", label="b")


def test_a_table_of_one_column_says_how_cells_are_separated(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        listed(written(tmp_path, "text#label\nA fine film.#good\nA dull film.#bad\n"))
    assert "Commas, semicolons, tabs or bars separate the cells" in raised.value.hint


def test_what_is_no_utf8_is_read_as_cp1252_and_that_is_said(tmp_path: Path) -> None:
    found = listed(written(tmp_path, "text,label\nUn caf\u00e9 \u20ac 3,good\nA dull one,bad\n".encode("cp1252")))
    assert found.texts[0].text == "Un caf\u00e9 \u20ac 3"
    assert "It is read as cp1252" in found.notes[0]


def test_two_encodings_in_one_file_are_both_read(tmp_path: Path) -> None:
    content = b"text,label\n" + "\u010dern\u00fd,good\n".encode() + "caf\u00e9,bad\n".encode("cp1252")
    found = listed(written(tmp_path, content))
    assert [each.text for each in found.texts] == ["\u010dern\u00fd", "caf\u00e9"]
    assert "1 of 4 lines are read as cp1252" in found.notes[0]


def test_emoji_and_text_from_right_to_left_are_texts(tmp_path: Path) -> None:
    found = listed(written(tmp_path, "text,label\n\U0001f600,good\n\u05e1\u05e8\u05d8 \u05d8\u05d5\u05d1,bad\n"))
    assert [each.text for each in found.texts] == ["\U0001f600", "\u05e1\u05e8\u05d8 \u05d8\u05d5\u05d1"]


def test_rows_that_cannot_be_used_are_left_out_with_their_line_and_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "MOST_CHARACTERS", 30)
    rows = [
        "A fine film.,good",
        ",good",
        "...,good",
        "no label,",
        "zero\0byte,bad",
        f"{'long ' * 10},bad",
        "a,b,c",
        "x,bad",
    ]
    found = listed(written(tmp_path, "text,label\n" + "\n".join(rows)))
    assert pairs(found) == [("A fine film.", "good"), ("x", "bad")]
    assert {each.path: each.reason for each in found.left_out} == {
        "line 3": "it is empty",
        "line 4": "it has no word",
        "line 5": "it has no label",
        "line 6": "it holds a zero byte",
        "line 7": "it has more than 30 characters",
        "line 8": "its row has 3 cells and the first row 2",
    }


def test_a_field_of_ten_megabytes_is_left_out_and_the_others_are_read(tmp_path: Path) -> None:
    found = listed(written(tmp_path, f"text,label\ngood one,good\n{'long ' * 2_000_000},bad\nbad one,bad\n"))
    assert len(found.texts) == 2
    assert [each.reason for each in found.left_out] == ["it has more than 1,000,000 characters"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "t.csv is empty"),
        (" \n\n", "t.csv is empty"),
        ("text,label\n", "it has no row that fits its head line"),
        ("text,label\na good one,good\nanother,good\n", "has one class only, 'good'; expected at least two"),
        (
            'text,label\na,good\n"never closed,bad\nb,bad\n',
            "opened in the row of line 3 is never closed",
        ),
        ('text,label\n"a "b" c",good\nd,bad\n', "line 2: ',' expected after '\"'"),
        ("text,text,label\na,b,good\n", "two of its columns are called 'text'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(content: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        listed(written(tmp_path, content))
    assert said in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize(("content", "said"), [("{", "line 1 is no JSON"), ("[1]", "line 1 is no object")])
def test_a_line_that_is_no_object_is_refused(content: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        listed(written(tmp_path, content, "t.jsonl"))


def test_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MOST_ROWS", 2)
    with pytest.raises(DataError, match="it has more than 2 rows"):
        listed(written(tmp_path, QUOTED))


def test_what_is_not_there_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no"):
        listed(tmp_path / "none.csv")
    with pytest.raises(DataError, match="a file of another kind"):
        listed(written(tmp_path, "x", "t.docx"))


def test_a_table_that_is_no_text_says_what_it_is(tmp_path: Path) -> None:
    table = written(tmp_path, b"PK\x03\x04\x14\0\0\0")
    assert are_texts(table)
    with pytest.raises(DataError) as raised:
        listed(table)
    assert raised.value.message.endswith("t.csv is not a text: it is a ZIP archive, as files of Excel and Word are.")
    assert raised.value.hint.startswith("Expected a table as CSV, TSV or JSONL.")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("t.xlsx", "Save the sheet as CSV"),
        ("t.json", "Write one object a line, as JSONL"),
        ("t.feather", "Write its rows as CSV"),
        ("t.txt", "If it is a table, let its name end with .csv, .tsv or .jsonl."),
        ("t.docx", "a table that ends with .csv, .tsv or .jsonl."),
    ],
)
def test_of_a_file_of_another_kind_is_said_how_it_becomes_a_table(name: str, said: str, tmp_path: Path) -> None:
    source = written(tmp_path, "x", name)
    assert not are_texts(source)
    for read in (listed, list_photographs):
        with pytest.raises(DataError) as raised:
            read(source)
        assert said in raised.value.hint


def test_a_table_that_is_not_there_and_a_folder_that_holds_one_are_told_of_tables(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        list_photographs(tmp_path / "none.csv")
    assert raised.value.hint == (
        "Check the name. Expected a table with a text, or the name of a file, and a label in each row."
    )
    written(tmp_path, QUOTED)
    with pytest.raises(DataError) as raised:
        list_photographs(tmp_path)
    assert raised.value.hint == f"It holds a table. Name the table itself: {tmp_path / 't.csv'}"


def test_a_value_of_json_that_is_no_text_is_told_so(tmp_path: Path) -> None:
    lines = '{"text": ["a", "b"], "label": "x"}\n{"text": {"a": 1}, "label": "y"}\n{"text": null, "label": "y"}'
    with pytest.raises(DataError) as raised:
        listed(written(tmp_path, lines, "t.jsonl"))
    assert "line 1: its text is a list; expected a text" in raised.value.message
    assert "line 2: its text is an object; expected a text" in raised.value.message
    assert "line 3: it is empty" in raised.value.message
    assert raised.value.hint.startswith("Expected a CSV file whose first line is text,label")


def test_lines_are_told_in_the_order_of_their_numbers() -> None:
    paths = [f"line {number:,}" for number in (1_024, 101, 9, 10, 100)]
    assert told(LeftOut(path=path, reason="it is empty") for path in paths) == [
        "5 because it is empty: line 9, line 10, line 100 and 2 more"
    ]


def test_labels_may_be_numbers(tmp_path: Path) -> None:
    assert listed(written(tmp_path, "text,label\na,1\nb,0\n")).classes == ("0", "1")
    lines = '{"text": "a", "label": 1}\n{"text": "b", "label": true}\n{"text": "c", "label": 0.5}'
    assert listed(written(tmp_path, lines, "t.jsonl")).classes == ("0.5", "1", "true")


def test_labels_that_differ_in_capitals_only_are_one_class_and_that_is_said(tmp_path: Path) -> None:
    found = listed(written(tmp_path, "text,label\na,Good\nb,good\nc,good \nd,bad\n"))
    assert [each.label for each in found.texts] == ["good", "good", "good", "bad"]
    assert found.notes[-1].startswith("Labels that differ only in capitals, or in how")


def test_a_column_of_splits_is_kept_and_one_of_groups_is_read(tmp_path: Path) -> None:
    table = written(tmp_path, "text,label,split,by\na,x,train,ann\nb,y,test,bob\nc,x,dev,ann\nd,y,,bob\n")
    found = listed(table, group="by")
    assert [(each.split, each.group) for each in found.texts] == [
        ("train", "ann"), ("test", "bob"), ("validation", "ann")
    ]  # fmt: skip
    assert [each.reason for each in found.left_out] == ["its split is neither train, validation nor test"]
    assert "The splits of the column split are kept." in found.notes


def folder_of_texts(root: Path) -> Path:
    for number in range(3):
        for label, said in (("good", "fine"), ("bad", "dull")):
            (root / label).mkdir(parents=True, exist_ok=True)
            (root / label / f"{number}.txt").write_text(f"A {said} film, number {number}.")
    return root


def test_a_folder_has_a_folder_of_files_for_each_class(tmp_path: Path) -> None:
    folder = folder_of_texts(tmp_path / "texts")
    (folder / "good/empty.txt").write_text("")
    (folder / "good/link.txt").symlink_to(folder / "bad/0.txt")
    (folder / "good/picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "bad/latin.txt").write_bytes("Tr\u00e8s mauvais".encode("cp1252"))
    (folder / "notes.pdf").write_bytes(b"%PDF")
    before = sorted(tmp_path.rglob("*"))

    found = listed(folder)

    assert len(found.texts) == 7
    assert {each.path: each.label for each in found.texts}["bad/latin.txt"] == "bad"
    reasons = {each.path: each.reason for each in found.left_out}
    assert reasons["good/empty.txt"] == "it is empty"
    assert reasons["good/picture.txt"] == "it is not a text but a PNG picture"
    assert reasons["good/link.txt"] == "it is a link, and links are not followed"
    assert sorted(tmp_path.rglob("*")) == before
    assert are_texts(folder)


def test_folders_of_parts_say_what_is_held_out(tmp_path: Path) -> None:
    for part in ("train", "test"):
        folder_of_texts(tmp_path / "texts" / part)
    found = listed(tmp_path / "texts")
    assert {(each.path.partition("/")[0], each.split) for each in found.texts} == {
        ("train", "train"),
        ("test", "test"),
    }


def test_photographs_are_no_texts(tmp_path: Path) -> None:
    table = written(tmp_path, "file,label\na.jpg,x\nb.jpg,y\n")
    assert not are_texts(table)
    assert not are_texts(written(tmp_path, "image,label\n1,x\n2,y\n"))
    folder = folder_of_texts(tmp_path / "texts")
    (folder / "good/picture.jpg").write_bytes(b"")
    assert not are_texts(folder)
    assert not are_texts(tmp_path / "none.csv")


def test_a_table_with_names_of_files_that_are_there_is_of_photographs(tmp_path: Path) -> None:
    written(tmp_path, b"", "one")
    assert not are_texts(written(tmp_path, "picture,label\none,x\none,y\n"))

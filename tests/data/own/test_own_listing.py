import os
from pathlib import Path

import pytest

from fortydays.base.errors import DataError
from fortydays.data.own.listing import Listing, list_photographs


def touch(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


def found(listing: Listing) -> dict[str, str]:
    return {each.path: each.label for each in listing.photographs}


def left_out(listing: Listing) -> dict[str, str]:
    return {each.path: each.reason for each in listing.left_out}


def test_each_folder_is_a_class_and_its_folders_belong_to_it(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.jpg", "cat/old/2.PNG", "dog/1.webp", "dog/a b/\N{DOG FACE}\n.jpeg")

    listing = list_photographs(tmp_path)

    assert found(listing) == {
        "cat/1.jpg": "cat", "cat/old/2.PNG": "cat", "dog/1.webp": "dog", "dog/a b/\N{DOG FACE}\n.jpeg": "dog",
    }  # fmt: skip
    assert listing.classes == ("cat", "dog")
    assert listing.left_out == ()


def test_what_is_no_image_by_its_name_or_lies_outside_of_classes_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.jpg", "dog/1.jpg", "cat/notes.txt", "loose.jpg", ".hidden/1.jpg", "cat/.DS_Store")

    assert left_out(list_photographs(tmp_path)) == {
        "cat/notes.txt": "its name does not end like an image's",
        "loose.jpg": "it lies in no folder of a class",
    }


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = touch(tmp_path / "outside", "secret.jpg")
    folder = touch(tmp_path / "mine", "cat/1.jpg", "dog/1.jpg")
    (folder / "cat/link.jpg").symlink_to(outside / "secret.jpg")
    (folder / "bird").symlink_to(outside)
    (folder / "cat/loop").symlink_to(folder)
    os.mkfifo(folder / "cat/pipe.jpg")

    listing = list_photographs(folder)

    assert list(found(listing)) == ["cat/1.jpg", "dog/1.jpg"]
    reason = "it is a link, and links are not followed"
    assert left_out(listing) == {
        "bird": reason, "cat/link.jpg": reason, "cat/loop": reason,
        "cat/pipe.jpg": "it is neither a file nor a folder",
    }  # fmt: skip


def test_a_folder_in_a_folder_as_archives_are_unpacked_is_opened(tmp_path: Path) -> None:
    touch(tmp_path, "pets/cat/1.jpg", "pets/dog/1.jpg", "LICENSE.txt")

    listing = list_photographs(tmp_path)

    assert found(listing) == {"cat/1.jpg": "cat", "dog/1.jpg": "dog"}
    assert listing.root == tmp_path / "pets"
    assert listing.notes == ("The classes are the folders in pets.",)


def test_parts_that_were_made_before_are_put_together(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "test/cat/2.jpg", "val/dog/2.jpg")

    listing = list_photographs(tmp_path)

    assert found(listing) == {
        "test/cat/2.jpg": "cat", "train/cat/1.jpg": "cat", "train/dog/1.jpg": "dog", "val/dog/2.jpg": "dog",
    }  # fmt: skip
    assert listing.notes == (
        "The folders test, train, val were put together: which photographs are held out is decided anew.",
    )


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ((), "holds no image with a class"),
        (("1.jpg", "2.jpg"), "holds no image with a class. It holds 2 other files"),
        (("cat/1.txt", "dog/1.txt"), "holds no image with a class. It holds 2 other files"),
        (("cat/1.jpg", "cat/2.jpg"), "one class only, 'cat'; expected at least two"),
        (
            ("Cat/1.jpg", "cat/1.jpg"),
            "two classes whose names differ in capitals or accents' spelling only: 'Cat' and",
        ),
        (("caf\u00e9/1.jpg", "cafe\u0301/1.jpg"), "two classes whose names differ in capitals or accents' spelling"),
    ],
)
def test_a_folder_that_names_no_two_classes_is_refused(tmp_path: Path, paths: tuple[str, ...], message: str) -> None:
    touch(tmp_path, *paths)

    with pytest.raises(DataError) as refused:
        list_photographs(tmp_path)

    assert message in refused.value.message
    assert refused.value.hint


def test_what_is_not_there_or_is_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no"):
        list_photographs(tmp_path / "nothing")
    touch(tmp_path, "one.jpg")
    with pytest.raises(DataError, match=r"one.jpg is a file; expected a folder with one folder for each class, or a"):
        list_photographs(tmp_path / "one.jpg")


def test_a_table_names_files_and_labels(tmp_path: Path) -> None:
    touch(tmp_path, "p/1.jpg", "p/2.jpg", "p/3.bin")
    (tmp_path / "t.csv").write_text('label,file\n"a, b",p/1.jpg\nother,./p/2.jpg\nother,p/3.bin\n', "utf-8")
    (tmp_path / "t.jsonl").write_text(
        '{"file": "p/1.jpg", "label": 3}\n\n{"file": "p/2.jpg", "label": "x"}\n', "utf-8"
    )

    assert found(list_photographs(tmp_path / "t.csv")) == {"p/1.jpg": "a, b", "p/2.jpg": "other", "p/3.bin": "other"}
    assert found(list_photographs(tmp_path / "t.jsonl")) == {"p/1.jpg": "3", "p/2.jpg": "x"}


def test_a_table_does_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    touch(tmp_path, "secret.jpg", "mine/1.jpg", "mine/2.jpg")
    (tmp_path / "mine/link").symlink_to(tmp_path)
    (tmp_path / "mine/t.csv").write_text(
        f"file,label\n1.jpg,a\n2.jpg,b\n../secret.jpg,a\n{tmp_path}/secret.jpg,a\nlink/secret.jpg,a\nno.jpg,a\n"
    )

    listing = list_photographs(tmp_path / "mine/t.csv")

    assert found(listing) == {"1.jpg": "a", "2.jpg": "b"}
    assert left_out(listing) == {
        "../secret.jpg": "it is not below the table's folder",
        f"{tmp_path}/secret.jpg": "it is not below the table's folder",
        "link/secret.jpg": "it is a link, and links are not followed",
        "no.jpg": "there is no such file",
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"path,label\n1.jpg,a\n", "it has no column file; its columns are path, label"),
        ("t.csv", b"", "it has no column file and no column label; its columns are none"),
        ("t.csv", b"file,label\n1.jpg,\n", "line 2 has no label"),
        ("t.csv", b"file,label\n1.jpg\n", "line 2 has no label"),
        ("t.csv", b"file,label\n1.jpg,a\n1.jpg,b\n", "line 3 says that '1.jpg' is 'b', and an earlier one 'a'"),
        ("t.csv", b'file,label\n"1.jpg,a\n', "line 2: unexpected end of data"),
        ("t.csv", b"file,label\n\xff,a\n", "its byte 11 is not UTF-8"),
        ("t.jsonl", b'{"file": "1.jpg", "label": "a"}\n{', "line 2 is no JSON"),
        ("t.jsonl", b"[1]\n", "line 1 is no object"),
        ("t.jsonl", b'{"file": 1, "label": "a"}\n', "line 1 has no file"),
        ("t.jsonl", b'{"file": "a\\u0000", "label": "a"}\n', "line 1 has a file that cannot be one: 'a?'"),
        ("t.jsonl", b'{"file": "a", "label": "\\ud800"}\n', "line 1 has a label that cannot be one"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused_with_the_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError) as refused:
        list_photographs(tmp_path / name)

    assert message in refused.value.message
    assert "CSV" in refused.value.hint

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from fortydays.base.errors import DataError, StorageError
from fortydays.data.own.listing import LeftOut, Listing, list_photographs, told


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


DIVIDED = {"train/cat/1.jpg": "cat", "train/dog/1.jpg": "dog", "test/cat/2.jpg": "cat", "val/dog/2.jpg": "dog"}


def splits(listing: Listing) -> dict[str, str]:
    return {each.path: each.split for each in listing.photographs}


def test_parts_that_were_made_before_are_joined_and_stay_as_they_are(tmp_path: Path) -> None:
    touch(tmp_path, *DIVIDED)

    listing = list_photographs(tmp_path)

    assert found(listing) == DIVIDED
    assert splits(listing) == {
        "test/cat/2.jpg": "test", "train/cat/1.jpg": "train", "train/dog/1.jpg": "train",
        "val/dog/2.jpg": "validation",
    }  # fmt: skip
    assert listing.notes == ("The splits of the folders test, train, val are kept.",)


def test_parts_can_be_put_together_and_divided_anew(tmp_path: Path) -> None:
    listing = list_photographs(touch(tmp_path, *DIVIDED), keep_parts=False)

    assert found(listing) == DIVIDED
    assert set(splits(listing).values()) == {""}
    assert listing.notes == (
        "The splits of the folders test, train, val are not kept: which photographs are held out is decided anew.",
    )


@pytest.mark.parametrize(
    ("train", "test", "other"),
    [
        ("train", "test", "extra/1.jpg"),
        ("Train", "TEST", "extra/more/1.jpg"),
        ("training", "valid", "1.jpg"),
        ("training_set/training_set", "test_set/test_set", "extra/1.jpg"),
        ("train-images", "dev", "old/a/b/1.jpg"),
        ("data/train", "data/val", "docs/picture.jpg"),
        ("pets/data/train", "pets/data/test", "pets/docs/picture.jpg"),
    ],
)
def test_what_lies_beside_parts_is_left_out_and_they_are_no_classes(
    tmp_path: Path, train: str, test: str, other: str
) -> None:
    touch(tmp_path, *(f"{part}/{kind}/1.jpg" for part in (train, test) for kind in ("cat", "dog")), other)

    listing = list_photographs(tmp_path)

    assert listing.classes == ("cat", "dog")
    assert len(listing.photographs) == 4
    assert set(splits(listing).values()) in ({"train", "test"}, {"train", "validation"})
    assert re.search(r"The splits of the folders .* are kept\.", " ".join(listing.notes))
    (left,) = listing.left_out
    assert other.endswith(left.path)
    assert left.reason.startswith("it lies in no folder of a class in ")


def test_the_parts_may_lie_in_the_folder_of_each_class(tmp_path: Path) -> None:
    touch(tmp_path, "cat/train/1.jpg", "cat/test/2.jpg", "dog/train/1.jpg", "dog/test/2.jpg")

    listing = list_photographs(tmp_path)

    assert listing.classes == ("cat", "dog")
    assert splits(listing) == {
        "cat/test/2.jpg": "test", "cat/train/1.jpg": "train", "dog/test/2.jpg": "test", "dog/train/1.jpg": "train",
    }  # fmt: skip


def test_a_class_without_parts_does_not_undo_those_of_the_others(tmp_path: Path) -> None:
    touch(tmp_path, "cat/train/1.jpg", "cat/test/2.jpg", "dog/train/1.jpg", "dog/test/2.jpg", "cow/3.jpg", "cat/4.jpg")

    listing = list_photographs(tmp_path)

    assert set(splits(listing).values()) == {"train", "test"}
    assert [each.path for each in listing.left_out] == ["cat/4.jpg", "cow/3.jpg"]


def test_parts_may_have_the_name_of_the_whole_before_theirs(tmp_path: Path) -> None:
    touch(tmp_path, "seg_train/seg_train/sea/1.jpg", "seg_train/seg_train/ice/1.jpg", "seg_pred/seg_pred/5.jpg")
    touch(tmp_path, "seg_test/seg_test/sea/2.jpg", "seg_test/seg_test/ice/2.jpg")

    listing = list_photographs(tmp_path)

    assert listing.classes == ("ice", "sea")
    assert set(splits(listing).values()) == {"train", "test"}
    assert [each.path for each in listing.left_out] == ["seg_pred/seg_pred/5.jpg"]


@pytest.mark.parametrize(
    "names",
    [
        ("fold1", "fold2"), ("2024", "2025"), ("2025-01-03", "2025-01-04"), ("Day 1", "Day 2"), ("cam1", "cam2"),
        ("kamera_a", "Kamera_b"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("other", ["", "notes/1.jpg", "notes/a/1.jpg"])
def test_numbered_folders_with_the_same_classes_in_them_are_no_classes(
    tmp_path: Path, names: tuple[str, ...], other: str
) -> None:
    touch(
        tmp_path, *(f"{name}/{label}/1.jpg" for name in names for label in ("apple", "pear")), *filter(None, [other])
    )

    listing = list_photographs(tmp_path)

    assert found(listing) == {f"{name}/{label}/1.jpg": label for name in names for label in ("apple", "pear")}
    said = ", ".join(sorted(names))
    assert listing.notes == (
        f"The folders {said} hold folders of the same names. Those are the classes. If {said} are the classes, put "
        "the word class before each of their names.",
    )
    assert list(left_out(listing)) == [other] * bool(other)
    for name in names:
        (tmp_path / name).rename(tmp_path / f"class {name}")
    assert {f"class {name}" for name in names} <= set(list_photographs(tmp_path).classes)


def test_a_class_that_one_of_the_numbered_folders_lacks_does_not_undo_them(tmp_path: Path) -> None:
    touch(tmp_path, "cam1/apple/1.jpg", "cam1/pear/1.jpg", "cam2/apple/2.jpg")
    (tmp_path / "cam2/pear").mkdir()

    assert list_photographs(tmp_path).classes == ("apple", "pear")


@pytest.mark.parametrize("holders", [("anna", "bob"), ("0", "1"), ("anna/train", "bob/train", "anna/val", "bob/val")])
def test_classes_that_hold_folders_of_the_same_names_are_told(tmp_path: Path, holders: tuple[str, ...]) -> None:
    touch(tmp_path, *(f"{holder}/{name}/1.jpg" for holder in holders for name in ("apple", "pear")))

    listing = list_photographs(tmp_path)

    classes = sorted({holder.partition("/")[0] for holder in holders})
    assert listing.classes == tuple(classes)
    assert listing.notes[-1] == (
        f"The classes are {', '.join(classes)}. They hold folders of the same names: apple, pear. If these are the "
        "classes, give the folders that hold them numbered names: part 1, part 2 and so on."
    )


@pytest.mark.parametrize(
    "parts",
    [
        ("train/images", "val/images"),
        ("train/images", "val"),
        ("train/fruit", "val/fruit"),
        ("images/train", "images/val"),
        ("dataset/train/Images", "dataset/val/Images"),
    ],
)
def test_a_folder_between_the_parts_and_the_classes_is_no_class(tmp_path: Path, parts: tuple[str, ...]) -> None:
    touch(tmp_path, *(f"{part}/{label}/1.jpg" for part in parts for label in ("apple", "pear")), "docs/1.png")

    listing = list_photographs(tmp_path)

    assert listing.classes == ("apple", "pear")
    assert set(splits(listing).values()) == {"train", "validation"}
    assert list(left_out(listing)) == ["docs/1.png"]


def test_the_only_part_beside_other_folders_is_refused_with_what_to_type(tmp_path: Path) -> None:
    touch(tmp_path, "dataset/train/apple/1.jpg", "dataset/train/pear/1.jpg", "docs/1.png")

    with pytest.raises(DataError, match=r"holds the folder 'dataset/train'\. It may be a class, or a part") as refused:
        list_photographs(tmp_path)

    assert f"forty data look {shlex.quote(str(tmp_path / 'dataset/train'))} " in refused.value.hint


def test_a_class_that_parts_spell_differently_is_one_and_that_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "Train/Apple/1.jpg", "Train/Apple/2.jpg", "val/apple/3.jpg")
    touch(tmp_path, "Train/pe\u0302che/1.jpg", "val/p\u00eache/2.jpg", "val/p\u00eache/3.jpg")

    listing = list_photographs(tmp_path)

    assert listing.classes == ("Apple", "p\u00eache")
    assert len(listing.photographs) == 6
    assert (
        "Folders whose names differ only in capitals, or in how their accents are stored, are one class: 'Apple' "
        "and 'apple', " in (listing.notes[-1])
    )


def test_classes_beside_each_other_are_not_joined(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{part}/{letter}/1.jpg" for part in ("train", "test") for letter in "aA"))

    with pytest.raises(DataError, match="two classes whose names differ only in capitals"):
        list_photographs(tmp_path)


def test_what_has_no_folder_is_said(tmp_path: Path) -> None:
    listing = list_photographs(
        touch(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "test/cat/2.jpg", "test/dog/2.jpg")
    )

    assert listing.notes[1:] == ("None is for validation: some of those to train with are held out for it.",)


@pytest.mark.parametrize(
    "paths",
    [
        ("test/1.jpg", "cat/1.jpg"),
        ("train/steam/1.jpg", "train/diesel/1.jpg", "plane/jet/1.jpg", "car/1.jpg"),
        ("train/1.jpg", "train/old/1.jpg", "plane/1.jpg"),
        ("cat/2024/1.jpg", "cat/2025/1.jpg", "dog/2024/1.jpg", "dog/2025/1.jpg"),
        ("class1/2024/1.jpg", "class1/2025/1.jpg", "class2/2024/1.jpg", "class2/2025/1.jpg"),
        ("oak1/day1/1.jpg", "oak1/day2/1.jpg", "oak2/1.jpg"),
    ],
)
def test_a_class_may_be_called_like_a_part(tmp_path: Path, paths: tuple[str, ...]) -> None:
    listing = list_photographs(touch(tmp_path, *paths))

    assert listing.classes == tuple(sorted({path.split("/")[0] for path in paths}))
    assert listing.notes == ()


@pytest.mark.parametrize(
    "paths",
    [
        ("train/cat/1.jpg", "train/dog/1.jpg", "extra/1.jpg"),
        ("train/cat/1.jpg", "train/dog/1.jpg", "round2/cat/1.jpg", "round2/dog/1.jpg"),
        ("train/1.jpg", "test/1.jpg"),
    ],
)
def test_what_may_be_a_class_or_a_part_is_refused_with_what_to_type(tmp_path: Path, paths: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="It may be a class, or a part of photographs that were divided") as refused:
        list_photographs(touch(tmp_path, *paths))

    part = paths[0].partition("/")[0] if len(paths) > 2 else "test"
    assert f"forty data look {shlex.quote(str(tmp_path / part))} " in refused.value.hint


SYSTEM = (
    "@eaDir", "#recycle", "@Recycle", ".@__thumb", ".Trash-1000", "lost+found", "__MACOSX", ".AppleDouble",
    "$RECYCLE.BIN", "System Volume Information", ".ipynb_checkpoints", ".git", ".thumbnails", ".dvc",
    "Catalog Previews.lrdata", "@Recently-Snapshot", "#snapshot", "FOUND.000", "~snapshot", "@SynoResource",
    "@sharebin", "iPod Photo Cache", "node_modules", "_thumbs", "Thumbnails", "_vti_cnf", "RECYCLE.BIN", "venv",
)  # fmt: skip


@pytest.mark.parametrize("name", SYSTEM)
def test_folders_of_systems_and_programs_are_no_classes(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "cat/1.jpg", "dog/1.jpg", f"{name}/1.jpg", f"cat/{name}/1.jpg")

    listing = list_photographs(tmp_path)

    assert found(listing) == {"cat/1.jpg": "cat", "dog/1.jpg": "dog"}
    assert listing.left_out == ()
    (note,) = listing.notes
    assert note.endswith(f"passed over: 2 ({', '.join(sorted((name, f'cat/{name}')))}).")


def test_a_folder_that_cannot_be_read_is_left_out_with_its_reason(tmp_path: Path, monkeypatch: Any) -> None:
    touch(tmp_path, "cat/1.jpg", "dog/1.jpg", "cat/private/2.jpg", "bird/1.jpg")
    real = os.scandir

    def refused(path: Path) -> Any:
        if Path(path).name in ("private", "bird"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refused)

    listing = list_photographs(tmp_path)

    assert list(found(listing)) == ["cat/1.jpg", "dog/1.jpg"]
    reason = "it cannot be read: Permission denied"
    assert left_out(listing) == {"bird/": reason, "cat/private/": reason}


def test_the_folder_itself_must_be_readable(tmp_path: Path, monkeypatch: Any) -> None:
    def refused(_: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)

    with pytest.raises(StorageError, match=f"Could not read {tmp_path}: Permission denied"):
        list_photographs(tmp_path)


JPEG = b"\xff\xd8\xff\xe0" + bytes(20)


def test_images_are_known_by_many_endings_and_without_one_by_how_they_begin(tmp_path: Path) -> None:
    names = ("a.jfif", "b.JPE", "c.JPG", "d.jif", "e.TIFF", "f.dib")
    touch(
        tmp_path,
        *(f"cat/{name}" for name in names),
        "dog/1.jpg",
        "dog/README",
        "dog/1.jpg~",
        "dog/x.jpg.txt",
        "dog/y.cr2",
    )
    odd = ("0001", "1.jpeg_", "2.jpg_large", "3.jpg!d", "4.jpg.1", "5.jpglarge", "6.jpg?size=1.5", "7.jps", "8.mpo")
    for name in (*odd, "raw.cr2", "1.jpg.bak"):
        (tmp_path / "dog" / name).write_bytes(JPEG)

    listing = list_photographs(tmp_path)

    assert [path for path, label in found(listing).items() if label == "cat"] == [f"cat/{name}" for name in names]
    dogs = sorted(["dog/1.jpg", *(f"dog/{name}" for name in odd)])
    assert [path for path, label in found(listing).items() if label == "dog"] == dogs
    assert list(left_out(listing)) == [
        "dog/1.jpg.bak", "dog/1.jpg~", "dog/README", "dog/raw.cr2", "dog/x.jpg.txt", "dog/y.cr2",
    ]  # fmt: skip


ROWS = {"p/1.jpg": "a", "p/2.jpg": "b"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b"file;label\np/1.jpg;a\np/2.jpg;b\n"),
        ("t.csv", b"file\tlabel\np/1.jpg\ta\np/2.jpg\tb\n"),
        ("t.tsv", b"file\tlabel\r\np/1.jpg\ta\r\np/2.jpg\tb\r\n"),
        ("t.csv", b"file|label\np/1.jpg|a\np/2.jpg|b\n"),
        ("t.CSV", b"File,Label\np/1.jpg,a\np/2.jpg,b\n"),
        ("t.csv", b'file, label\np/1.jpg, a\n"p/2.jpg", "b"\n'),
        ("t.csv", b" file , label \np/1.jpg , a \np/2.jpg , b \n"),
        ("t.csv", b"image,class\np/1.jpg,a\np/2.jpg,b\n"),
        ("t.csv", b"id,file_name,Category\n1,p/1.jpg,a\n2,p/2.jpg,b\n"),
        ("t.csv", b"path,target,size\np/1.jpg,a,1\np/2.jpg,b,2\n"),
        ("t.csv", b"filename,path,file,class,label\nx,x,p/1.jpg,x,a\nx,x,p/2.jpg,x,b\n"),
        ("t.csv", b"\xef\xbb\xbffile,label\np/1.jpg,a\np/2.jpg,b\n"),
        ("t.csv", "file\tlabel\r\np/1.jpg\ta\r\np/2.jpg\tb\r\n".encode("utf-16")),
        ("t.csv", b"sep=;\r\nfile;label\r\np/1.jpg;a\r\np/2.jpg;b\r\n"),
        ("t.csv", b'file,label,note\np/1.jpg,a,"two\nlines"\n\n,,\np/2.jpg,b,\np/1.jpg,a,again\n'),
        ("t.csv", b"file,label\rp/1.jpg,a\rp/2.jpg,b\r"),
        ("t.csv", b"file,label\np\\1.jpg,a\n.\\p\\2.jpg,b\n"),
        ("t.csv", b'"file";"label"\n"p/1.jpg";"a"\n"p/2.jpg";"b"\n'),
        ("t.csv", b"p/1.jpg,a\np/2.jpg,b\n"),
        ("t.csv", b"p/1.jpg;a\np/2.jpg;b\n"),
        ("t.csv", b"Datei;Klasse\np/1.jpg;a\np/2.jpg;b\n"),
        ("t.csv", b"image_id,label\n1.jpg,a\n2.jpg,b\n"),
        ("t.csv", b"id,breed\n1,a\n2,b\n"),
        ("t.csv", b"filename,class\np/1,a\np/2,b\n"),
        ("t.csv", b"file,year,kind\np/1.jpg,2025,a\np/2.jpg,2025,b\n"),
        ("t.csv", "Datei;Klasse\r\np/1.jpg;a\r\np/2.jpg;b\r\n".encode("utf-16-le")),
        ("t.csv", "file;label\r\np/1.jpg;a\r\np/2.jpg;b\r\n".encode("utf-16-be")),
        ("t.jsonl", b'{"bild": "p/1.jpg", "art": "a"}\n{"bild": "p/2.jpg", "art": "b"}\n'),
        ("t.jsonl", b'{"image": "p/1.jpg", "Class": "a"}\r\n{"image": "p\\\\2.jpg", "Class": "b"}\r\n'),
    ],
)
def test_tables_are_read_as_people_and_programs_write_them(tmp_path: Path, name: str, content: bytes) -> None:
    touch(tmp_path, *ROWS)
    (tmp_path / name).write_bytes(content)

    listing = list_photographs(tmp_path / name)

    assert found(listing) == ROWS
    assert listing.left_out == ()


def test_a_table_that_is_not_utf8_says_how_to_save_it(tmp_path: Path) -> None:
    touch(tmp_path, *ROWS)
    (tmp_path / "t.csv").write_bytes("file;label\np/1.jpg;chêne\np/2.jpg;b\n".encode("cp1252"))

    with pytest.raises(DataError, match="its byte 21 is not UTF-8") as refused:
        list_photographs(tmp_path / "t.csv")

    assert refused.value.hint == 'Save the table again as UTF-8. In Excel, the type of file is called "CSV UTF-8".'


def test_empty_lines_above_the_head_of_a_table_are_passed_over_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, *ROWS)
    table = tmp_path / "t.csv"
    table.write_text("\n\nfile,label\np/1.jpg,a\np/2.jpg,b\n")
    assert found(list_photographs(table)) == ROWS

    table.write_text("\n\nfile,label\np/1.jpg,a\np/2.jpg,\n")
    with pytest.raises(DataError, match="line 5 has no label"):
        list_photographs(table)


def test_columns_of_other_names_are_said(tmp_path: Path) -> None:
    touch(tmp_path, *ROWS)
    (tmp_path / "t.csv").write_text("image,Label\np/1.jpg,a\np/2.jpg,b\n")

    assert list_photographs(tmp_path / "t.csv").notes == ("Columns of the table: image is the file.",)


def test_how_a_table_without_names_of_its_own_was_understood_is_said(tmp_path: Path) -> None:
    touch(tmp_path, *(f"train/{number}.jpg" for number in range(5)), "1.png")
    (tmp_path / "t.csv").write_text("".join(f"{number};{'ab'[number % 2]}\n" for number in range(5)))

    listing = list_photographs(tmp_path / "t.csv")

    assert found(listing) == {f"train/{number}.jpg": "ab"[number % 2] for number in (0, 2, 3, 4)} | {"1.png": "b"}
    assert listing.notes == (
        "The table has no head line.",
        "Columns of the table: column 1 is the file and column 2 is the label.",
        "Names of the table that lack a folder or an ending are completed: 5 (0 is train/0.jpg, 1 is 1.png, "
        "2 is train/2.jpg and 2 more).",
    )


def test_a_name_that_several_files_have_is_left_out_with_them(tmp_path: Path) -> None:
    touch(tmp_path, *ROWS, "p/3.jpg", "q/3.jpg")
    (tmp_path / "t.csv").write_text("file,label\n1,a\n2,b\n3,b\n")

    listing = list_photographs(tmp_path / "t.csv")

    assert found(listing) == ROWS
    assert left_out(listing) == {"3": "several files are called so: p/3.jpg, q/3.jpg"}


def test_columns_that_cannot_be_told_are_named_with_the_names_that_are_known(tmp_path: Path) -> None:
    touch(tmp_path, *ROWS)
    (tmp_path / "t.csv").write_text("where,what\np/8.jpg,a\np/9.jpg,b\n")

    with pytest.raises(DataError, match="it has no column file; its columns are where, what") as refused:
        list_photographs(tmp_path / "t.csv")

    assert "A file may be called file, filename, filepath, path, image," in refused.value.hint
    assert "A label may be called label, labels, labelname, class," in refused.value.hint


def test_a_table_may_name_files_by_their_whole_path_and_spell_accents_otherwise(tmp_path: Path) -> None:
    touch(tmp_path, "caf\u00e9.jpg", "cafe\u0301 2.jpg", "back\\slash.jpg")
    (tmp_path / "t.csv").write_text(
        f"file,label\n{tmp_path}/cafe\u0301.jpg,a\ncaf\u00e9 2.jpg,b\nback\\slash.jpg,c\n", "utf-8"
    )

    assert found(list_photographs(tmp_path / "t.csv")) == {
        "caf\u00e9.jpg": "a", "cafe\u0301 2.jpg": "b", "back\\slash.jpg": "c",
    }  # fmt: skip


def test_the_same_file_in_other_words_cannot_have_two_labels(tmp_path: Path) -> None:
    touch(tmp_path, *ROWS)
    (tmp_path / "t.csv").write_text("file,label\np/1.jpg,a\np\\1.jpg,b\n")

    with pytest.raises(DataError, match=r"line 3 says that 'p/1.jpg' is 'b', and an earlier one 'a'"):
        list_photographs(tmp_path / "t.csv")


def test_a_table_of_which_nothing_is_found_says_why_with_counts_and_names(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    rows = [*(f"photos\\{n}.jpg,cat" for n in range(5)), "C:\\me\\a.jpg,dog", "../a.jpg,dog"]
    (tmp_path / "t.csv").write_text("\n".join(["file,label", *rows]))

    with pytest.raises(DataError) as refused:
        list_photographs(tmp_path / "t.csv")

    assert refused.value.message.endswith(
        "t.csv holds no image with a class. It holds 7 other files: 5 because there is no such file: photos/0.jpg, "
        "photos/1.jpg, photos/2.jpg and 2 more; 2 because it is not below the table's folder: ../a.jpg, C:/me/a.jpg."
    )
    assert refused.value.hint == f"The files that a table names lie below its folder, {tmp_path}."


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ((), "holds no image with a class"),
        (("1.jpg", "2.jpg"), "holds no image with a class. It holds 2 other files"),
        (("cat/1.txt", "dog/1.txt"), "holds no image with a class. It holds 2 other files"),
        (("cat/1.jpg", "cat/2.jpg"), "one class only, 'cat'; expected at least two"),
        (
            ("Cat/1.jpg", "cat/1.jpg"),
            "two classes whose names differ only in capitals, or in how their accents are stored: 'Cat' and",
        ),
        (("caf\u00e9/1.jpg", "cafe\u0301/1.jpg"), "two classes whose names differ only in capitals, or in how their"),
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


def splits_in(tmp_path: Path, *splits: str, column: str = "split") -> Listing:
    """What a table of four files says, whose third column is that of splits."""
    touch(tmp_path, *(f"p/{number}.jpg" for number in range(4)))
    lines = [f"p/{number}.jpg,{'ab'[number % 2]},{split}\n" for number, split in enumerate(splits)]
    (tmp_path / "t.csv").write_text(f"file,label,{column}\n{''.join(lines)}", "utf-8")
    return list_photographs(tmp_path / "t.csv")


@pytest.mark.parametrize("column", ["split", "Data Split", "subset"])
def test_a_table_may_say_which_photographs_are_held_out(tmp_path: Path, column: str) -> None:
    listing = splits_in(tmp_path, "train", "Training", "val", "TEST", column=column)

    assert [each.split for each in listing.photographs] == ["train", "train", "validation", "test"]
    assert listing.notes == ("The splits of the table are kept.",)


def test_what_a_table_holds_no_photographs_out_for_is_said(tmp_path: Path) -> None:
    listing = splits_in(tmp_path, "train", "train", "test", "test")

    assert listing.notes == (
        "The splits of the table are kept.",
        "None is for validation: some of those to train with are held out for it.",
    )


def test_splits_of_a_table_that_are_no_division_are_not_used_and_that_is_said(tmp_path: Path) -> None:
    listing = splits_in(tmp_path, "train", "train", "train", "train")

    assert [each.split for each in listing.photographs] == [""] * 4
    assert listing.notes == ("The splits of the table are not kept: which photographs are held out is decided anew.",)


@pytest.mark.parametrize("value", ["", "3", "holiday"])
def test_a_split_that_is_none_is_refused_with_the_line_and_what_to_type(tmp_path: Path, value: str) -> None:
    with pytest.raises(DataError) as refused:
        splits_in(tmp_path, "train", value, "test", "test")

    assert f"line 3 has {value!r} in the column split; expected train, validation or test" in refused.value.message
    assert refused.value.hint == (
        "Correct the column split. To have the held-out photographs chosen for you, take the column away or call it "
        "otherwise."
    )


def test_a_table_that_names_a_file_in_two_splits_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg")
    (tmp_path / "t.csv").write_text("file,label,split\n1.jpg,a,train\n1.jpg,a,test\n", "utf-8")

    with pytest.raises(DataError, match=r"line 3 says that '1\.jpg' is 'test', and an earlier one 'train'"):
        list_photographs(tmp_path / "t.csv")


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
        ("t.csv", b"where,label\n1.jpg,a\n", "it has no column file; its columns are where, label"),
        (
            "t.csv",
            b"img,path,label\n1.jpg,2.jpg,a\n",
            "its columns img and path could each be the file; call the right",
        ),
        (
            "t.csv",
            b"file,eyes,kind\n1.jpg,1,a\n2.jpg,2,b\n",
            "its columns eyes and kind could each be the label; call the right",
        ),
        (
            "t.csv",
            b"file,caption\n1.jpg,x\n2.jpg,y\n3.jpg,z\n",
            "it has no column label; its columns are file, caption",
        ),
        ("t.csv", b"sep=;\nfile;label\n1.jpg;\n", "line 3 has no label"),
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


def test_folders_of_systems_are_told_and_a_class_called_recycled_is_one(tmp_path: Path) -> None:
    touch(tmp_path, "recycled/a.png", "other/b.png", "@eaDir/c.png", "other/RECYCLER/d.png", ".hidden/e.png")

    listing = list_photographs(tmp_path)

    assert found(listing) == {"recycled/a.png": "recycled", "other/b.png": "other"}
    assert listing.notes == (
        "Hidden folders and folders of systems and programs that are passed over: 3 (.hidden, @eaDir, "
        "other/RECYCLER).",
    )


def test_a_whole_folder_that_is_left_out_is_named_before_files() -> None:
    reason = "it cannot be read: Permission denied"
    paths = ("apple/0.jpg", "apple/1.jpg", "apple/deep/locked/", "beer/2.jpg", "cherry/")

    assert told(LeftOut(path=path, reason=reason) for path in paths) == [
        f"5 because {reason}: cherry/, apple/deep/locked/, apple/0.jpg and 2 more"
    ]

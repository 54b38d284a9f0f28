"""A reader's photographs as a dataset: kept by content, found again, and told when they are not what they were."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photographs import make_folder, picture

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings, read_settings
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened
from fortydays.data.own.dataset import OwnExamples, is_own, label_type
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.pixels import folder_of, pixel_file
from fortydays.data.own.rows import checksum_file

SIDE = 16


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "workspace")})


def kept(folder: Path, settings: Settings, *, name: str = "mine", progress: Progress = SILENT) -> OwnExamples:
    with opened(name, settings, side=SIDE) as collection:
        found = inspect(list_photographs(folder), collection, workers=2, progress=progress)
        return own.keep(found, collection, name=name)


class Warned:
    """A listener that remembers what it was warned of."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, message: str) -> None:
        self.said.append(message)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def document_of(photographs: OwnExamples, settings: Settings) -> Path:
    return folder_of(photographs.collection, settings) / f"{photographs.digest[:12]}.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "photographs", {"red": 10, "blue": 20})


def test_what_was_kept_is_read_again(folder: Path, settings: Settings) -> None:
    first = kept(folder, settings)

    found = own.read(first.name, settings)

    assert first.name == f"own:mine@{first.digest[:12]}"
    assert is_own(first.name)
    assert not is_own("mnist")
    assert (found.collection, found.digest, found.side) == ("mine", first.digest, SIDE)
    assert found.classes == ("blue", "red")
    assert found.paths == first.paths
    assert list(found.contents) == sorted(found.contents)
    assert found.contents == first.contents
    for one, other in ((found.labels, first.labels), (found.splits, first.splits), (found.rows, first.rows)):
        assert one.tolist() == other.tolist()
    assert [len(found.of(split)) for split in ("train", "validation", "test")] == [21, 3, 6]


def test_the_dataset_has_the_photographs_of_each_split_with_their_labels(folder: Path, settings: Settings) -> None:
    photographs = kept(folder, settings)

    found = own.load(photographs, settings)

    splits = {"train": found.training.train, "validation": found.training.validation, "test": found.test.open()}
    assert (found.name, found.digest, found.split_version) == (photographs.name, photographs.digest, 1)
    assert (found.classes, found.training.task.classes) == (("blue", "red"), 2)
    for name, split in splits.items():
        assert split.array.shape == (len(photographs.of(name)), SIDE, SIDE, 3)
        assert split.array.dtype == split.labels.dtype == np.uint8
        for place, image, label in zip(photographs.of(name), np.asarray(split.array), split.labels, strict=True):
            path = photographs.paths[place]
            assert found.classes[label] == path.partition("/")[0]
            expected = np.asarray(picture(*_named(path))).reshape(-1, 3).mean(axis=0)
            assert np.abs(image.reshape(-1, 3).mean(axis=0) - expected).max() < 8, path


def _named(path: str) -> tuple[str, int]:
    colour, _, file = path.partition("/")
    return colour, int(file.removesuffix(".png"))


def test_the_digest_is_of_content_classes_and_splits_and_not_of_names(folder: Path, settings: Settings) -> None:
    first = kept(folder, settings)
    (folder / "red/0.png").rename(folder / "red/renamed.png")

    renamed = kept(folder, settings)

    assert renamed.digest == first.digest
    assert "red/renamed.png" in renamed.paths
    (folder / "red").rename(folder / "scarlet")
    assert kept(folder, settings).digest != first.digest


def test_the_same_photographs_elsewhere_have_the_same_digest(folder: Path, settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    elsewhere = read_settings({"FORTYDAYS_HOME": str(tmp_path / "other")})

    assert kept(tmp_path / "copy", elsewhere, name="yours").digest == kept(folder, settings).digest


def test_added_photographs_are_another_state_and_the_one_before_stays_as_it_was(
    folder: Path, settings: Settings
) -> None:
    first = kept(folder, settings)
    before = np.array(own.load(first, settings).training.train.array[:])

    make_folder(folder, {"red": 20, "blue": 25, "green": 5})
    second = kept(folder, settings)
    shutil.rmtree(folder)

    assert second.digest != first.digest
    assert second.classes == ("blue", "green", "red")
    again = own.load(own.read(first.name, settings), settings)
    assert (np.asarray(again.training.train.array) == before).all()
    # What was there before has kept its row and its split.
    rows = dict(zip(second.contents, zip(second.rows.tolist(), second.splits.tolist(), strict=True), strict=True))
    assert {content: rows[content] for content in first.contents} == dict(
        zip(first.contents, zip(first.rows.tolist(), first.splits.tolist(), strict=True), strict=True)
    )
    assert sorted(second.rows.tolist()) == list(range(50))


def test_a_renamed_photograph_changes_neither_digest_nor_order(folder: Path, settings: Settings) -> None:
    before = kept(folder, settings)
    (folder / "red/0.png").rename(folder / "red/zz.png")

    now = kept(folder, settings)

    assert (now.digest, now.contents) == (before.digest, before.contents)
    assert now.rows.tolist() == before.rows.tolist()
    assert sorted(now.paths) != sorted(before.paths)


def test_another_file_with_the_same_size_and_time_is_read(folder: Path, settings: Settings, tmp_path: Path) -> None:
    before = kept(folder, settings)
    place = folder / "red/0.png"
    status, content = place.stat(), place.read_bytes()
    place.unlink()
    # Bytes behind the end of a PNG are not looked at, and make it another file of the same size.
    place.write_bytes(content[:-1] + b"x")
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert kept(folder, settings).digest != before.digest


@pytest.mark.parametrize("lost", [["16.1.index"], ["16.1.index", "16.1.pixels"]])
def test_what_was_kept_stays_right_when_the_index_is_lost(folder: Path, settings: Settings, lost: list[str]) -> None:
    """Its splits are those that were written down. What is of rows that are lost, too, goes."""
    first = kept(folder, settings)
    right = np.asarray(own.load(first, settings).training.train.array)
    place = folder_of("mine", settings)
    features = place / "16.1.abc.features"
    features.write_bytes(b"features")
    for name in lost:
        (place / name).unlink()
    if len(lost) > 1:
        with opened("mine", settings, side=SIDE):
            assert own.documents_of(place) == []

    (folder / "red/0.png").rename(folder / "red/zz.png")  # so that they are met in another order
    again = kept(folder, settings)

    assert again.digest == first.digest
    assert features.exists() == (len(lost) == 1)
    for state in (first, again) if len(lost) == 1 else (again,):
        assert (np.asarray(own.load(state, settings).training.train.array) == right).all()


@pytest.mark.parametrize("index_too", [False, True])
def test_lost_checksums_are_made_again_of_the_pixels(folder: Path, settings: Settings, index_too: bool) -> None:
    """As they are in a collection of an earlier version of this program, that has no index that this one reads."""
    first = kept(folder, settings)
    right = np.asarray(own.load(first, settings).training.train.array)
    place = folder_of("mine", settings)
    pixels, features = pixel_file(place, SIDE), place / "16.1.abc.features"
    checksum_file(pixels).unlink()
    features.write_bytes(b"features")
    if index_too:
        (place / "16.1.index").unlink()
    make_folder(folder, {"red": 12})
    listener = Warned()

    again = kept(folder, settings, progress=listener)

    assert len(again.paths) == 32
    assert checksum_file(pixels).stat().st_size == 4 * pixels.stat().st_size // (3 * SIDE**2)
    assert (np.asarray(own.load(own.read(first.name, settings), settings).training.train.array) == right).all()
    assert features.exists()
    assert listener.said == []
    flip_byte(pixels, int(first.rows[first.of("train")[0]]) * 3 * SIDE**2)
    with pytest.raises(StorageError, match="the disk has changed 1 of its rows"):
        np.asarray(own.load(own.read(first.name, settings), settings).training.train.array)


def test_a_state_whose_pixels_are_lost_with_the_index_is_set_aside_with_a_warning(
    folder: Path, settings: Settings
) -> None:
    before = kept(folder, settings)
    make_folder(folder, {"red": 12})
    now = kept(folder, settings)
    place = folder_of("mine", settings)
    pixels = pixel_file(place, SIDE)
    os.truncate(pixels, 31 * 3 * SIDE**2)
    (place / "16.1.index").unlink()
    (place / "16.1.abc.features").write_bytes(b"of rows that are others now")
    path = document_of(now, settings)
    content, listener = path.read_bytes(), Warned()

    again = kept(folder, settings, progress=listener)

    aside = next(place.glob(f"{path.name}.damaged-*"))
    assert aside.read_bytes() == content
    assert listener.said == [
        f"{pixels} has lost pixels. What was written down of them is of no use any more. "
        f"It is kept: {path.name} as {aside.name}."
    ]
    assert not (place / "16.1.abc.features").exists()
    assert again.digest == now.digest
    assert own.read(before.name, settings).rows.tolist() == before.rows.tolist()


def test_splits_outlast_a_kill_while_states_are_set_aside(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(folder, settings)
    with opened("mine", settings, side=SIDE) as collection:
        splits = collection.splits()
    place, right = folder_of("mine", settings), files.set_aside
    for name in ("16.1.index", "16.1.pixels"):
        (place / name).unlink()

    def killed(path: Path) -> Path:
        right(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "set_aside", killed)
    with pytest.raises(KeyboardInterrupt), opened("mine", settings, side=SIDE):
        pass
    monkeypatch.undo()

    with opened("mine", settings, side=SIDE) as collection:
        assert collection.splits() == splits
        assert collection.is_empty()


def tail_of(index: Path, kind: str) -> bytes:
    """The content of an index, whose last newline is damaged."""
    content = index.read_bytes()
    assert content.endswith(b"\n")
    return content[:-1] + {"missing": b"", "changed": b"\x0b"}[kind]


@pytest.mark.parametrize("newline", ["missing", "changed"])
def test_a_last_line_that_lacks_only_its_end_counts(folder: Path, settings: Settings, newline: str) -> None:
    kept(folder, settings)
    with opened("mine", settings, side=SIDE) as collection:
        collection.keep_owner("/the last change")
    index = folder_of("mine", settings) / "16.1.index"
    whole = index.read_bytes()
    index.write_bytes(tail_of(index, newline))

    with opened("mine", settings, side=SIDE) as collection:
        assert collection.owner() == "/the last change"

    assert index.read_bytes() == whole


def test_an_index_that_lost_lines_leaves_the_pixels_that_states_tell_of(folder: Path, settings: Settings) -> None:
    first = kept(folder, settings)
    right = np.asarray(own.load(first, settings).training.train.array)
    index = folder_of("mine", settings) / "16.1.index"
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join(lines[:2]) + lines[2][:-9])
    (folder / "red/0.png").rename(folder / "red/zz.png")  # so that they are met in another order
    listener = Warned()

    again = kept(folder, settings, progress=listener)

    aside = next(index.parent.glob("*.damaged-*"))
    assert listener.said == [f"{index} was damaged. It is kept as {aside.name}; what it lacks now is read anew."]
    assert again.digest == first.digest
    assert (np.asarray(own.load(first, settings).training.train.array) == right).all()


def test_garbage_in_place_of_the_index_is_set_aside(folder: Path, settings: Settings) -> None:
    first = kept(folder, settings)
    index = folder_of("mine", settings) / "16.1.index"
    index.write_bytes(b"\0garbage" * 100)
    listener = Warned()

    assert kept(folder, settings, progress=listener).digest == first.digest

    aside = next(index.parent.glob("*.damaged-*"))
    assert aside.read_bytes() == b"\0garbage" * 100
    assert listener.said == [f"{index} was damaged. It is kept as {aside.name}; what it lacks now is read anew."]


def old_index_of(folder: Path) -> Path:
    """An index as earlier versions of this program kept it: what is read of it."""
    path = folder / "index.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        connection.execute("CREATE TABLE splits (sha256 TEXT PRIMARY KEY, split TEXT NOT NULL)")
        connection.execute("INSERT INTO about VALUES ('schema', '1'), ('owner', ?)", (os.fsencode("/my/pictures"),))
        splits = [("a" * 64, "test"), ("b" * 64, "train"), ("c" * 64, "none")]
        connection.executemany("INSERT INTO splits VALUES (?, ?)", splits)
    return path


def test_owner_and_splits_of_an_earlier_versions_index_are_taken_over(settings: Settings) -> None:
    path = old_index_of(folder_of("mine", settings))

    for _ in range(2):
        with opened("mine", settings, side=SIDE) as collection:
            assert collection.owner() == "/my/pictures"
            assert collection.splits() == {"a" * 64: "test", "b" * 64: "train"}
            assert collection.knows("a" * 64)
            assert not collection.knows("c" * 64)
        assert not path.exists()


def test_an_earlier_versions_index_that_is_damaged_is_set_aside(folder: Path, settings: Settings) -> None:
    path = old_index_of(folder_of("mine", settings))
    path.write_bytes(b"no database, but long enough to be taken for one" * 100)
    listener = Warned()

    kept(folder, settings, progress=listener)

    aside = next(path.parent.glob("index.sqlite.damaged-*"))
    assert listener.said == [
        f"{path} cannot be read (file is not a database). It is kept as {aside.name}; some splits may be decided anew."
    ]
    assert not path.exists()


def test_a_model_of_fewer_photographs_may_be_judged_on_those_of_today(folder: Path, settings: Settings) -> None:
    before = kept(folder, settings)
    make_folder(folder, {"red": 15, "blue": 20})
    now = kept(folder, settings)

    assert len(now.paths) == len(before.paths) + 5
    assert own.was_learned(before.name, now.name, settings) == ""


def test_a_model_that_has_learned_what_is_to_validate_on_may_not_be_judged(folder: Path, settings: Settings) -> None:
    before = kept(folder, settings)
    document = json.loads(document_of(before, settings).read_text())
    moved = [entry for entry in document["photographs"] if entry[3] == 0][:2]
    for entry in moved:
        entry[3] = 1
    document["digest"] = own._digest(
        document["classes"], [entry[1:4] for entry in document["photographs"]], kind=own.PHOTOGRAPHS, side=SIDE
    )
    name = f"own:mine@{document['digest'][:12]}"
    (folder_of("mine", settings) / f"{document['digest'][:12]}.json").write_text(json.dumps(document))

    assert own.was_learned(before.name, name, settings) == "it has learned from 2 of the photographs to validate on"
    assert own.was_learned("mnist", name, settings) == "it was trained on other data or other splits"


def test_labels_of_many_classes_have_two_bytes() -> None:
    assert (label_type(256), label_type(257)) == (np.uint8, np.uint16)


@pytest.mark.parametrize(
    "name",
    ["own:", "own:mine", "own:mine@123", "own:../up@0123456789ab", "own:mine@0123456789AB", "own:m@x" + "0" * 99],
)
def test_a_name_that_is_none_is_refused(name: str, settings: Settings) -> None:
    with pytest.raises(
        UsageError, match=r"names no data of your own; expected own:NAME@DIGEST, as `forty fit` writes it"
    ):
        own.read(name, settings)


def test_photographs_of_a_collection_that_was_removed_are_told(folder: Path, settings: Settings) -> None:
    first = kept(folder, settings)
    shutil.rmtree(folder_of("mine", settings))

    with pytest.raises(DataError) as refused:
        own.read(first.name, settings)

    assert (
        refused.value.message
        == f"The photographs or texts {first.name} are not in the workspace {settings.workspace}."
    )
    assert refused.value.hint == "They are made with: forty fit FOLDER --name mine"
    assert kept(folder, settings).digest == first.digest


def changed(document: dict[str, Any], change: str) -> Any:
    photographs = document["photographs"]
    match change:
        case "no object":
            return [document]
        case "no photographs":
            return {**document, "photographs": []}
        case "a label out of range":
            photographs[0][2] = 2
        case "a row below zero":
            photographs[0][4] = -1
        case "another split":
            photographs[0][3] = (photographs[0][3] + 1) % 3
        case "another content":
            photographs[0][1] = "0" * 64
        case "a short line":
            photographs[0].pop()
        case "words":
            photographs[0][4] = "first"
        case "a number too large":
            photographs[0][4] = 10**30
        case "another preparation":
            document["preparation"] += 1
        case "another schema":
            document["schema_version"] = 2
        case "a class more":
            document["classes"].append("green")
        case "no classes":
            del document["classes"]
        case "a version of nothing":
            document["data_version"] = 5
    return document


@pytest.mark.parametrize(
    "change",
    ["no object", "no photographs", "a label out of range", "a row below zero", "another split", "another content",
     "a short line", "words", "a number too large", "another preparation", "another schema", "a class more",
     "no classes", "a version of nothing"],
)  # fmt: skip
def test_a_damaged_document_is_named_and_made_again(change: str, folder: Path, settings: Settings) -> None:
    first = kept(folder, settings)
    path = document_of(first, settings)
    path.write_text(json.dumps(changed(json.loads(path.read_text("utf-8")), change)), "utf-8")

    with pytest.raises(StorageError) as refused:
        own.read(first.name, settings)

    assert str(path) in refused.value.message
    assert "damaged" in refused.value.message
    assert refused.value.hint == "It is made again with: forty fit FOLDER --name mine"
    assert kept(folder, settings).digest == first.digest
    assert own.read(first.name, settings).paths == first.paths


def test_a_document_that_is_no_json_is_named_with_the_way_out(folder: Path, settings: Settings) -> None:
    first = kept(folder, settings)
    document_of(first, settings).write_bytes(b'{"digest": ')

    with pytest.raises(StorageError, match=r"is damaged: it is not JSON") as refused:
        own.read(first.name, settings)

    assert refused.value.hint == "It is made again with: forty fit FOLDER --name mine"


def test_pixels_that_are_gone_are_told_with_a_way_out_that_leads_out(folder: Path, settings: Settings) -> None:
    first = kept(folder, settings)
    pixels = pixel_file(folder_of("mine", settings), SIDE)
    pixels.write_bytes(pixels.read_bytes()[: -3 * SIDE**2])

    with pytest.raises(StorageError) as refused:
        own.load(first, settings)

    place = folder_of("mine", settings)
    assert refused.value.message == f"The pixels of {first.name} are not all in {place}."
    assert refused.value.hint == "Remove that folder; they are made again with: forty fit FOLDER --name mine"
    # The index takes all photographs for known, so looking again says the same.
    with pytest.raises(StorageError, match="is shorter than its index says") as refused:
        kept(folder, settings)
    assert refused.value.hint == f"Remove the folder {place} and run the command again."
    shutil.rmtree(place)
    again = kept(folder, settings)
    assert again.digest == first.digest
    assert len(own.load(again, settings).test.open()) == 6


def flip_byte(path: Path, position: int) -> None:
    """Change a byte as a disk does that tells nobody."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_byte_that_the_disk_has_changed_is_never_learned_from(folder: Path, settings: Settings) -> None:
    first = kept(folder, settings)
    right = np.asarray(own.load(first, settings).training.train.array)
    row = int(first.rows[first.of("train")[3]])
    pixels = pixel_file(folder_of("mine", settings), SIDE)
    flip_byte(pixels, row * 3 * SIDE**2 + 5)

    damaged = own.load(first, settings).training.train.array
    assert (damaged[:3] == right[:3]).all()  # what is right is given
    with pytest.raises(StorageError, match="is damaged: the disk has changed 1 of its rows") as refused:
        np.asarray(damaged)
    assert refused.value.hint.endswith("have them read anew before: forty fit FOLDER --name mine")

    again = kept(folder, settings)
    assert again.digest == first.digest
    assert (np.asarray(own.load(again, settings).training.train.array) == right).all()
    assert pixels.stat().st_size == 31 * 3 * SIDE**2  # the one is kept anew, no other


def test_an_interrupted_look_leaves_rows_where_they_were_said_to_be(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the pixels of a batch were written and before the index spoke of them."""
    from fortydays.data.own import collection as collections

    whole = kept(folder, settings, name="whole")
    monkeypatch.setattr(collections, "_AT_ONCE", 8)
    real = collections.append_rows
    calls: list[int] = []

    def killed(path: Path, rows: Any, *, after: int) -> None:
        real(path, rows, after=after)
        calls.append(after)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(collections, "append_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        kept(folder, settings)
    monkeypatch.undo()
    # One photograph is gone when the command is given again: those behind it take the rows that were written already.
    assert pixel_file(folder_of("mine", settings), SIDE).stat().st_size == 16 * 3 * SIDE**2
    gone = whole.paths[9]
    (folder / gone).unlink()

    again = kept(folder, settings)

    dataset, expected = own.load(again, settings), own.load(whole, settings)
    assert sorted(again.rows.tolist()) == list(range(29))
    theirs = dict(zip(whole.paths, whole.rows.tolist(), strict=True))
    for path, row in zip(again.paths, again.rows.tolist(), strict=True):
        ours = dataset.training.train.array.source[row]  # type: ignore[attr-defined]
        assert (ours == expected.training.train.array.source[theirs[path]]).all(), path  # type: ignore[attr-defined]

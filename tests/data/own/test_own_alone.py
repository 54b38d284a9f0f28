"""A copy of one state of a reader's data: it has that state and no more, and gives the same dataset."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from photographs import make_folder

sys.path.insert(0, str(Path(__file__).parents[2]))
from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data import library
from fortydays.data.arrays import Dataset
from fortydays.data.own import alone
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened as opened_photographs
from fortydays.data.own.dataset import OwnExamples, features_folder
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.pixels import folder_of, pixel_file
from fortydays.data.own.rows import append_rows
from fortydays.data.own.texts.columns import Wanted
from fortydays.data.own.texts.kept import opened as opened_texts
from fortydays.data.own.texts.listing import list_texts
from fortydays.data.own.texts.looking import inspect_texts
from made_up_texts import reviews, write_table

SIDE = 16


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "workspace")})


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    """Of another machine, which has nothing."""
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "elsewhere")})


def photographs(folder: Path, settings: Settings) -> OwnExamples:
    with opened_photographs("mine", settings, side=SIDE) as collection:
        return own.keep(inspect(list_photographs(folder), collection, workers=2), collection, name="mine")


def texts(table: Path, settings: Settings) -> OwnExamples:
    with opened_texts("reviews", settings) as collection:
        return own.keep(inspect_texts(list_texts(table, Wanted()), collection), collection, name="reviews")


def sent(examples: OwnExamples, settings: Settings, elsewhere: Settings) -> Settings:
    """A copy of the state is written where one lies that was sent; what finds it there."""
    alone.write_alone(examples.name, settings, alone.place_of(examples.name, elsewhere))
    return alone.settings_for(examples.name, elsewhere)


def same(one: Dataset, other: Dataset) -> bool:
    splits = [(one.training.train, other.training.train), (one.training.validation, other.training.validation)]
    splits.append((one.test.open(), other.test.open()))
    return (one.name, one.digest, one.classes) == (other.name, other.digest, other.classes) and all(
        np.array_equal(np.asarray(a.inputs[name]), np.asarray(b.inputs[name])) and np.array_equal(a.labels, b.labels)
        for a, b in splits
        for name in a.inputs
    )


def test_photographs_are_the_same_and_those_of_other_states_stay_behind(
    tmp_path: Path, settings: Settings, elsewhere: Settings
) -> None:
    folder = make_folder(tmp_path / "photographs", {"red": 10, "blue": 20})
    photographs(folder, settings)
    (folder / "red" / "0.png").unlink()
    make_folder(folder, {"green": 12})
    now = photographs(folder, settings)
    assert len(now.contents) == 41

    found = sent(now, settings, elsewhere)

    copied = folder_of("mine", found)
    assert same(library.load(now.name, settings), library.load(now.name, found))
    assert pixel_file(copied, SIDE).stat().st_size == 41 * 3 * SIDE**2
    assert [path.name for path in copied.glob("*.json")] == [f"{now.digest[:12]}.json"]
    document = json.loads((copied / f"{now.digest[:12]}.json").read_text("utf-8"))
    assert {entry[0] for entry in document["photographs"]} == {""}  # names of files are nobody's business there


def test_features_of_photographs_go_along_where_all_have_them(
    tmp_path: Path, settings: Settings, elsewhere: Settings
) -> None:
    folder = make_folder(tmp_path / "photographs", {"red": 10, "blue": 20})
    mine = photographs(folder, settings)
    here = folder_of("mine", settings)
    whole = pixel_file(here, SIDE).with_name(f"{SIDE}.1.whole.features")
    rows = np.arange(30 * 4, dtype=np.float32).reshape(30, 4)
    append_rows(whole, rows, after=0)

    there = sent(mine, settings, elsewhere)

    found = np.fromfile(folder_of("mine", there) / whole.name, np.float32).reshape(30, 4)
    assert np.array_equal(found[own.read(mine.name, there).rows], rows[mine.rows])


@pytest.mark.parametrize("more", [30, 7])
def test_features_that_a_crash_has_left_without_checksums_stay_behind(
    more: int, tmp_path: Path, settings: Settings, elsewhere: Settings
) -> None:
    """The file would have rows of another length: of twice as many bytes, or of no whole number."""
    mine = photographs(make_folder(tmp_path / "photographs", {"red": 10, "blue": 20}), settings)
    begun = pixel_file(folder_of("mine", settings), SIDE).with_name(f"{SIDE}.1.begun.features")
    append_rows(begun, np.arange(30 * 4, dtype=np.float32).reshape(30, 4), after=0)
    with begun.open("ab") as file:
        file.write(np.ones((more, 4), np.float32).tobytes())
    assert not (folder_of("mine", sent(mine, settings, elsewhere)) / begun.name).exists()


def test_a_workspace_that_has_lost_its_pixels_does_not_have_them(
    tmp_path: Path, settings: Settings, elsewhere: Settings
) -> None:
    mine = photographs(make_folder(tmp_path / "photographs", {"red": 10, "blue": 20}), settings)
    found = sent(mine, settings, elsewhere)
    pixel_file(folder_of("mine", found), SIDE).unlink()
    assert not alone.has(mine.name, elsewhere)
    with pytest.raises(DataError, match=r"The pixels of own:mine@.* are not all in"):
        alone.settings_for(mine.name, elsewhere)


def test_features_of_all_that_is_learned_from_go_along_without_those_to_test_on(
    tmp_path: Path, settings: Settings, elsewhere: Settings
) -> None:
    mine = photographs(make_folder(tmp_path / "photographs", {"red": 10, "blue": 20}), settings)
    learned = np.concatenate([mine.of("train"), mine.of("validation")])
    known = int(mine.rows[learned].max()) + 1  # as far as a training computes them
    path = pixel_file(folder_of("mine", settings), SIDE).with_name(f"{SIDE}.1.learned.features")
    append_rows(path, np.arange(known * 2, dtype=np.float32).reshape(known, 2), after=0)

    found = sent(mine, settings, elsewhere)

    there = own.read(mine.name, found)
    rows = np.fromfile(folder_of("mine", found) / path.name, np.float32).reshape(-1, 2)
    assert len(rows) >= len(learned)
    assert rows[there.rows[learned], 0].tolist() == (2.0 * mine.rows[learned]).tolist()


def test_damaged_features_stay_behind_and_nothing_else(
    tmp_path: Path, settings: Settings, elsewhere: Settings
) -> None:
    mine = photographs(make_folder(tmp_path / "photographs", {"red": 10, "blue": 20}), settings)
    path = pixel_file(folder_of("mine", settings), SIDE).with_name(f"{SIDE}.1.damaged.features")
    append_rows(path, np.ones((30, 2), np.float32), after=0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(content)
    found = sent(mine, settings, elsewhere)
    assert not list(folder_of("mine", found).glob("*damaged.features*"))
    assert same(library.load(mine.name, settings), library.load(mine.name, found))


def test_a_copy_in_which_a_trial_found_damage_is_sent_anew(
    tmp_path: Path, settings: Settings, elsewhere: Settings
) -> None:
    mine = photographs(make_folder(tmp_path / "photographs", {"red": 10, "blue": 20}), settings)
    found = sent(mine, settings, elsewhere)
    pixels = pixel_file(folder_of("mine", found), SIDE)
    content = bytearray(pixels.read_bytes())
    content[0] ^= 255
    pixels.write_bytes(content)
    assert alone.has(mine.name, elsewhere)  # nobody has read it yet
    dataset = library.load(mine.name, found)
    with pytest.raises(StorageError, match="the disk has changed 1 of its rows"):
        [np.asarray(split.inputs["image"]) for split in (dataset.training.train, dataset.test.open())]
    assert not alone.has(mine.name, elsewhere)


def test_texts_are_the_same_with_what_was_made_of_them(
    tmp_path: Path, settings: Settings, elsewhere: Settings
) -> None:
    table = write_table(tmp_path / "reviews.csv", reviews({"good": 30, "bad": 30}))
    mine = texts(table, settings)
    dataset = library.load(mine.name, settings)
    features = features_folder(mine.name, mine.digest, settings)
    features.mkdir(parents=True)
    append_rows(features / "train-1.features", np.ones((3, 2), np.float32), after=0)

    found = sent(mine, settings, elsewhere)

    there = library.load(mine.name, found)
    assert same(dataset, there)
    assert dataset.wording is not None
    assert there.wording is not None
    assert there.wording([0, 1]) == dataset.wording([0, 1])
    copied = features_folder(mine.name, mine.digest, found)
    assert sorted(path.name for path in copied.iterdir()) == [".train-1.features.crc32", "train-1.features"]


def test_ngrams_are_not_made_again(
    tmp_path: Path, settings: Settings, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = texts(write_table(tmp_path / "reviews.csv", reviews({"good": 30, "bad": 30})), settings)
    library.load(mine.name, settings)
    found = sent(mine, settings, elsewhere)
    monkeypatch.setattr("fortydays.data.own.texts.arrays._make", lambda *_: pytest.fail("they are made again"))
    library.load(mine.name, found)


def test_a_state_of_the_machines_own_workspace_comes_first(
    tmp_path: Path, settings: Settings, elsewhere: Settings
) -> None:
    mine = photographs(make_folder(tmp_path / "photographs", {"red": 10, "blue": 20}), settings)
    assert alone.settings_for(mine.name, settings) == settings
    assert not alone.has(mine.name, elsewhere)
    with pytest.raises(DataError, match="are not in the workspace"):
        alone.settings_for(mine.name, elsewhere)
    sent(mine, settings, elsewhere)
    assert alone.has(mine.name, elsewhere)
    assert not alone.has(f"own:mine@{'0' * 12}", elsewhere)


def test_a_damaged_photograph_is_not_copied(tmp_path: Path, settings: Settings) -> None:
    mine = photographs(make_folder(tmp_path / "photographs", {"red": 10, "blue": 20}), settings)
    pixels = pixel_file(folder_of("mine", settings), SIDE)
    content = bytearray(pixels.read_bytes())
    content[0] ^= 255
    pixels.write_bytes(content)
    with pytest.raises(StorageError, match="the disk has changed 1 of its rows"):
        alone.write_alone(mine.name, settings, tmp_path / "copy")


def test_its_size_is_known_before(tmp_path: Path, settings: Settings) -> None:
    mine = photographs(make_folder(tmp_path / "photographs", {"red": 10, "blue": 20}), settings)
    assert alone.bytes_of(mine.name, settings) == 30 * 3 * SIDE**2


def test_a_name_that_leads_elsewhere_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="names no data of your own"):
        alone.place_of("own:../../mine@0123456789ab", settings)

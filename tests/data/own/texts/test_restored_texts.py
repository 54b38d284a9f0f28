"""Texts that were taken from a version of a folder, and are gone from the workspace."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fortydays.base.errors import DataError, UsageError
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings, read_settings
from fortydays.data.arrays import Reading
from fortydays.data.own import dataset as own
from fortydays.data.own.dataset import OwnExamples
from fortydays.data.own.pixels import folder_of
from fortydays.data.own.restoring import restore
from fortydays.data.version_documents import DataVersion, find
from fortydays.data.versions import add_version
from fortydays.fit.kinds import looked_at
from fortydays.fit.request import FitRequest
from fortydays.fit.texts import texts_of

sys.path.insert(0, str(Path(__file__).parents[3]))
from made_up_texts import reviews, write_table


def workspace(place: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(place / "home")})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with two versions of a folder of .txt, one of a table, and one of a table of other columns."""
    place = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
            patch.setenv(name, str(place / "none"))
        rows = reviews({"good": 20, "bad": 20})
        for count in (24, 40):
            for number, (text, label) in enumerate(rows[:count]):
                (place / "texts" / label).mkdir(parents=True, exist_ok=True)
                (place / "texts" / label / f"{number}.txt").write_text(text)
            add_version(place / "texts", "texts", workspace(place))
        (place / "table").mkdir()
        write_table(place / "table" / "reviews.csv", rows)
        add_version(place / "table", "table", workspace(place))
        (place / "other").mkdir()
        write_table(place / "other" / "reviews.csv", [(a, a[::-1], b) for a, b in rows], head=("one", "two", "three"))
        add_version(place / "other", "other", workspace(place))
        yield place


@pytest.fixture
def settings(made: Path, tmp_path: Path) -> Settings:
    shutil.copytree(made / "home", tmp_path / "home")
    return workspace(tmp_path)


def taken_from(name: str, number: int, settings: Settings, **columns: str) -> OwnExamples:
    """What `fit` keeps of a version."""
    from fortydays.fit.kinds import opened

    request = FitRequest(source=f"{name}@v{number}", name=name, **columns)
    with opened(request, settings, SILENT) as material:
        return material.kept


def version(name: str, number: int, settings: Settings) -> DataVersion:
    return find(name, number, settings)


def arrays(name: str, settings: Settings) -> list[np.ndarray]:
    found = []
    for units in ("words", "characters"):
        data = own.load(own.read(name, settings), settings).read_as(Reading(units=units))
        for split in (data.training.train, data.training.validation, data.test.open()):
            found += [*map(np.asarray, split.inputs.values()), np.asarray(split.labels)]
    return found


@pytest.mark.parametrize(
    ("name", "gone"), [("texts", "texts.1.utf8"), ("texts", "*.index"), ("texts", "*"), ("table", "*")]
)
def test_texts_that_are_gone_are_made_again(settings: Settings, name: str, gone: str) -> None:
    kept = taken_from(name, 1, settings)
    assert own.label_of(kept.data_version) == f"{name}@v1"
    before = arrays(kept.name, settings)
    for path in folder_of(name, settings).glob(gone):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    restore(kept.name, version(name, 1, settings), settings, progress=SILENT)
    for then, now in zip(before, arrays(kept.name, settings), strict=True):
        np.testing.assert_array_equal(then, now)


def test_texts_that_the_disk_has_changed_are_made_again(settings: Settings) -> None:
    kept = taken_from("texts", 1, settings)
    before = arrays(kept.name, settings)
    folder = folder_of("texts", settings)
    content = bytearray((folder / "texts.1.utf8").read_bytes())
    content[30] ^= 1
    (folder / "texts.1.utf8").write_bytes(content)
    for path in (*folder.glob("*.ngrams"), *folder.glob("*.runs")):
        shutil.rmtree(path)
    restore(kept.name, version("texts", 1, settings), settings, progress=SILENT)
    for then, now in zip(before, arrays(kept.name, settings), strict=True):
        np.testing.assert_array_equal(then, now)


def test_splits_that_came_from_an_earlier_version_are_kept(settings: Settings) -> None:
    taken_from("texts", 1, settings)
    kept = taken_from("texts", 2, settings)
    before = arrays(kept.name, settings)
    (folder_of("texts", settings) / "texts.1.utf8").unlink()
    restore(kept.name, version("texts", 2, settings), settings, progress=SILENT)
    for then, now in zip(before, arrays(kept.name, settings), strict=True):
        np.testing.assert_array_equal(then, now)


def test_texts_that_do_not_become_the_same_are_told(settings: Settings) -> None:
    name = taken_from("texts", 1, settings).name
    shutil.rmtree(folder_of("texts", settings))
    with pytest.raises(DataError) as caught:
        restore(name, version("texts", 2, settings), settings, progress=SILENT)
    assert caught.value.message.startswith(f"The texts of texts@v2 do not become {name} again: ")
    assert str(folder_of("texts", settings)) in caught.value.hint


def test_columns_that_a_reader_had_named_are_asked_for_and_looking_again_is_enough(settings: Settings) -> None:
    kept = taken_from("other", 1, settings, text="one", label="three")
    shutil.rmtree(folder_of("other", settings))
    with pytest.raises(UsageError) as caught:
        restore(kept.name, version("other", 1, settings), settings, progress=SILENT)
    assert "forty fit other@v1 --name other --text COLUMN --label COLUMN" in caught.value.hint
    assert taken_from("other", 1, settings, text="one", label="three").name == kept.name


def test_a_version_of_a_table_is_looked_at_as_the_table_is(settings: Settings) -> None:
    with looked_at(FitRequest(source="table@v1", name="table"), settings, SILENT) as (found, texts):
        assert (found.noun, len(texts)) == ("text", 40)


def test_the_name_of_a_version_belongs_to_all_versions(settings: Settings) -> None:
    with texts_of(
        FitRequest(source="table@v1", name="table"),
        settings.workspace / "data/versions/table/v1/content/reviews.csv",
        version("table", 1, settings),
        settings,
        SILENT,
    ) as found:
        assert found.collection.owner().endswith("versions/table")

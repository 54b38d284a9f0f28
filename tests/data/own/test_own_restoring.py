"""Photographs that were taken from a version of a folder, and are gone from the workspace."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from photographs import make_folder

from fortydays.base.errors import DataError
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings, read_settings
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened
from fortydays.data.own.dataset import OwnExamples
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.pixels import folder_of
from fortydays.data.own.restoring import restore
from fortydays.data.version_documents import DataVersion
from fortydays.data.versions import add_version, content_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with two versions of a folder; the second one has more photographs."""
    place = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
            patch.setenv(name, str(place / "none"))
        for count in (8, 14):
            add_version(make_folder(place / "colours", {"red": count, "blue": count}), "colours", workspace(place))
        yield place


def workspace(place: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(place / "home")})


@pytest.fixture
def settings(made: Path, tmp_path: Path) -> Settings:
    shutil.copytree(made / "home", tmp_path / "home")
    return workspace(tmp_path)


def version(settings: Settings, number: int) -> DataVersion:
    from fortydays.data.version_documents import find

    return find("colours", number, settings)


def taken_from(settings: Settings, number: int) -> OwnExamples:
    """What `fit` keeps of a version."""
    source = version(settings, number)
    with opened("colours", settings, side=224) as collection:
        found = inspect(list_photographs(content_of(source, settings)), collection, workers=2)
        return own.keep(found, collection, name="colours", data_version=source)


def pixels(name: str, settings: Settings) -> list[np.ndarray]:
    data = own.load(own.read(name, settings), settings)
    return [np.asarray(split.array) for split in (data.training.train, data.training.validation, data.test.open())]


def test_photographs_know_the_version_that_they_were_taken_from(settings: Settings) -> None:
    kept = taken_from(settings, 1)
    first = version(settings, 1)
    expected = {"name": "colours", "number": 1, "digest": first.digest}
    assert (kept.data_version, own.label_of(kept.data_version)) == (expected, "colours@v1")
    assert own.read(kept.name, settings).data_version == expected
    # The same photographs from elsewhere are those of the version all the same.
    with opened("colours", settings, side=224) as collection:
        found = inspect(list_photographs(content_of(first, settings)), collection, workers=2)
        assert own.keep(found, collection, name="colours").data_version == expected


@pytest.mark.parametrize("gone", ["*.pixels", "*.index", "[0-9a-f]*.json", "*"])
def test_photographs_that_are_gone_are_made_again(settings: Settings, gone: str) -> None:
    name = taken_from(settings, 1).name
    before = pixels(name, settings)
    for path in folder_of("colours", settings).glob(gone):
        path.unlink()
    restore(name, version(settings, 1), settings, progress=SILENT)
    for then, now in zip(before, pixels(name, settings), strict=True):
        np.testing.assert_array_equal(then, now)


def test_splits_that_came_from_an_earlier_version_are_kept_where_they_are_written_down(settings: Settings) -> None:
    taken_from(settings, 1)
    kept = taken_from(settings, 2)
    before = pixels(kept.name, settings)
    for pattern in ("*.pixels", "*.index"):
        for path in folder_of("colours", settings).glob(pattern):
            path.unlink()
    restore(kept.name, version(settings, 2), settings, progress=SILENT)
    for then, now in zip(before, pixels(kept.name, settings), strict=True):
        np.testing.assert_array_equal(then, now)
    # Of another state the rows are others now: better none than wrong ones.
    assert [path.stem for path in own.documents_of(folder_of("colours", settings))] == [kept.digest[:12]]


def test_photographs_that_do_not_become_the_same_are_told(settings: Settings) -> None:
    name = taken_from(settings, 1).name
    shutil.rmtree(folder_of("colours", settings))
    with pytest.raises(DataError) as caught:
        restore(name, version(settings, 2), settings, progress=SILENT)
    assert caught.value.message.startswith(f"The photographs of colours@v2 do not become {name} again: ")
    assert str(folder_of("colours", settings)) in caught.value.hint

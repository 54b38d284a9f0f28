"""Every dataset by its name, whichever kind it is of."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).with_name("own")))
from photographs import make_folder

from fortydays.base.errors import DataError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data import catalog, library
from fortydays.data import photographs as public
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened
from fortydays.data.own.dataset import OwnExamples
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.inputs.images import Images


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "home"), "FORTYDAYS_OFFLINE": "1"})


@pytest.fixture
def photographs(tmp_path: Path, settings: Settings) -> OwnExamples:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 10})
    with opened("mine", settings, side=16) as collection:
        return own.keep(inspect(list_photographs(folder), collection, workers=2), collection, name="mine")


def test_a_dataset_of_the_catalog_has_the_licence_that_is_pinned(settings: Settings) -> None:
    digits = library.load("digits", settings)

    assert library.edition("digits") == (1, "CC BY 4.0")
    assert library.pinned("digits") is catalog.DATASETS["digits"]
    assert len(digits.training.train) == 1297


def test_a_readers_photographs_are_found_by_their_name(photographs: OwnExamples, settings: Settings) -> None:
    found = library.load(photographs.name, settings)

    assert (found.name, found.digest, found.classes) == (photographs.name, photographs.digest, ("blue", "red"))
    assert found.training.input == Images(shape=(16, 16, 3))  # and no strokes
    assert library.edition(photographs.name) == (1, "the reader's own; not stated")


def test_public_photographs_have_the_licence_that_is_pinned() -> None:
    assert library.pinned("tf_flowers") is public.PHOTOGRAPHS["tf_flowers"]
    assert library.edition("tf_flowers") == (1, "CC BY 2.0, each by its photographer")


def test_public_photographs_that_cannot_be_had_are_told(settings: Settings) -> None:
    with pytest.raises(DataError, match="Could not get the photographs 'tf_flowers' from any place"):
        library.load("tf_flowers", settings)


@pytest.mark.parametrize(("name", "near"), [("tf_flower", "tf_flowers"), ("mnits", "mnist")])
def test_an_unknown_name_is_refused_with_what_is_near_it(name: str, near: str, settings: Settings) -> None:
    for look in (lambda: library.load(name, settings), lambda: library.pinned(name)):
        with pytest.raises(UsageError) as refused:
            look()
        assert refused.value.message == f"There is no dataset {name!r}. Did you mean {near!r}?"
        assert refused.value.hint == f"Known: {', '.join(library.every())}."


def test_photographs_of_another_workspace_are_not_there(photographs: OwnExamples, tmp_path: Path) -> None:
    elsewhere = read_settings({"FORTYDAYS_HOME": str(tmp_path / "elsewhere")})

    with pytest.raises(DataError, match=r"The photographs or texts own:mine@.* are not in the workspace") as refused:
        library.load(photographs.name, elsewhere)

    assert refused.value.hint == "They are made with: forty fit FOLDER --name mine"

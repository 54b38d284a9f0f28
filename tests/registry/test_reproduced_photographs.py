"""What becomes of a reproduction whose photographs are gone from the workspace."""

from pathlib import Path
from typing import Any

import pytest

from fortydays.base.errors import DataError
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings, read_settings
from fortydays.data.version_documents import DataVersion, folder, write
from fortydays.registry import reproduction

NAME = "own:flowers@0123456789ab"
VERSION = DataVersion(
    name="flowers", number=2, created="2026-11-22T00:00:00Z", message="", files=1, bytes=1, classes={"roses": 1},
    md5="0" * 32 + ".dir", digest="a" * 64,
)  # fmt: skip
TOLD = {"name": "flowers", "number": 2, "digest": "a" * 64}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "home")})


def keep(settings: Settings) -> None:
    """The workspace knows the data version."""
    place = folder("flowers", 2, settings)
    place.mkdir(parents=True)
    write(VERSION, place)


def loaded(settings: Settings, **told: Any) -> Any:
    return reproduction._dataset(NAME, {"dataset": told}, settings, SILENT)


def test_without_a_data_version_what_is_missing_is_told(settings: Settings) -> None:
    with pytest.raises(DataError) as caught:
        loaded(settings)
    assert caught.value.message == (
        f"The photographs or texts {NAME} are not in the workspace {settings.workspace}. "
        "The model was not made from a data version that could be checked out."
    )
    assert caught.value.hint == "They are made with: forty fit FOLDER --name flowers"


def test_a_data_version_that_is_not_here_is_told_with_how_to_bring_it(settings: Settings) -> None:
    with pytest.raises(DataError) as caught:
        loaded(settings, data_version=TOLD)
    assert caught.value.message.endswith(" They were those of flowers@v2. There is no data of your own 'flowers'.")
    assert caught.value.hint == "Bring it: forty data pull flowers REMOTE"


def test_another_data_version_of_that_name_is_not_taken(settings: Settings) -> None:
    keep(settings)
    with pytest.raises(DataError) as caught:
        loaded(settings, data_version={**TOLD, "digest": "b" * 64})
    assert caught.value.message.endswith(
        f"They were those of another flowers@v2 than is here: digest {'b' * 12}, where the one here has {'a' * 12}."
    )


def test_the_photographs_are_made_again_from_the_data_version(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(settings)
    restored = []

    def restore(name: str, version: DataVersion, *_: Any, **__: Any) -> None:
        restored.append((name, str(version)))
        monkeypatch.setattr(reproduction.library, "load", lambda *_: "the photographs")

    monkeypatch.setattr(reproduction, "restore", restore)

    assert loaded(settings, data_version=TOLD) == "the photographs"
    assert restored == [(NAME, "flowers@v2")]

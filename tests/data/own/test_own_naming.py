"""Which photographs a name belongs to."""

import os
import shutil
from pathlib import Path

import pytest
from photographs import make_folder, picture

from fortydays.base.errors import UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data.own.collection import opened
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.naming import check_owner, digests_of, suggested_name


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "workspace")})


def look(source: Path, settings: Settings, name: str = "") -> int:
    """Look at photographs under a name; how many are used."""
    listing = list_photographs(source)
    with opened(name or suggested_name(source), settings, side=16) as collection:
        check_owner(listing.source, lambda: digests_of(listing), collection, settings)
        return len(inspect(listing, collection, workers=1).used)


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("photos.v1", "photos-v1"),
        ("photos.v2", "photos-v2"),
        ("My Photos!", "my-photos"),
        ("caf\u00e9", "cafe"),
        ("cafe\u0301", "cafe"),
        ("\u5199\u771f", "photographs"),
        ("a" * 100, "a" * 63),
        ("MNIST", "my-mnist"),
        ("TF Flowers", "my-tf-flowers"),
    ],
)
def test_a_name_is_made_of_the_whole_name_of_a_folder(tmp_path: Path, name: str, suggested: str) -> None:
    (tmp_path / name).mkdir()

    assert suggested_name(tmp_path / name) == suggested
    assert suggested_name(Path(f"{tmp_path / name}/")) == suggested
    assert suggested_name(tmp_path / name / "x" / "..") == suggested
    assert suggested_name(tmp_path / "table.v1.csv") == "table-v1"


def test_a_name_belongs_to_one_folder_and_another_is_proposed(tmp_path: Path, settings: Settings) -> None:
    assert look(make_folder(tmp_path / "2024/My Photos", {"red": 5, "blue": 5}), settings) == 10
    other = make_folder(tmp_path / "2025/my-photos", {"green": 4, "grey": 4})

    with pytest.raises(UsageError) as refused:
        look(other, settings)

    assert refused.value.message == (
        f"The name 'my-photos' belongs to {tmp_path}/2024/My Photos. {other} holds other photographs."
    )
    assert refused.value.hint == "Give these a name of their own: --name 2025-my-photos"
    assert look(other, settings, "2025-my-photos") == 8
    assert look(tmp_path / "2024/My Photos", settings) == 10
    third = make_folder(tmp_path / "third/2025/my-photos", {"red": 3, "grey": 3})
    with pytest.raises(UsageError) as refused:
        look(third, settings)
    assert refused.value.hint == "Give these a name of their own: --name my-photos-2"


def test_the_same_names_and_sizes_are_not_the_same_photographs(tmp_path: Path, settings: Settings) -> None:
    for part, shift in (("a", 0), ("b", 50)):
        for colour in ("red", "blue"):
            (tmp_path / part / "mine" / colour).mkdir(parents=True)
            for number in range(4):
                picture(colour, shift + number).save(tmp_path / part / "mine" / colour / f"{number}.bmp")
    look(tmp_path / "a/mine", settings)

    with pytest.raises(UsageError, match="The name 'mine' belongs to"):
        look(tmp_path / "b/mine", settings)


def test_the_same_folder_by_another_way_is_the_same(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "real/mine", {"red": 5, "blue": 5})
    look(folder, settings)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    picture("red", 50).save(folder / "red/new.png")

    assert look(tmp_path / "link/mine", settings) == 11
    assert look(Path(f"{folder}/../mine/"), settings) == 11
    assert look(Path(os.path.relpath(folder)), settings) == 11


def test_what_has_moved_keeps_its_name_also_when_it_has_grown(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "here/mine", {"red": 5, "blue": 5})
    look(folder, settings)
    (tmp_path / "there").mkdir()
    folder.rename(tmp_path / "there/mine")
    picture("red", 50).save(tmp_path / "there/mine/red/new.png")

    assert look(tmp_path / "there/mine", settings) == 11

    make_folder(folder, {"green": 5, "grey": 5})
    with pytest.raises(UsageError, match=f"The name 'mine' belongs to {tmp_path}/there/mine"):
        look(folder, settings)


def test_a_copy_is_the_same_data_and_what_became_of_it_is_not(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "here/mine", {"red": 5, "blue": 5})
    look(folder, settings)
    copy = shutil.copytree(folder, tmp_path / "copy/mine")

    assert look(copy, settings) == 10

    picture("red", 60).save(copy / "red/new.png")
    assert look(copy, settings) == 11

    for colour in ("red", "blue"):
        for number in range(4):
            picture(colour, number + 70).save(copy / colour / f"{number}.png")
    with pytest.raises(UsageError, match="holds other photographs"):
        look(copy, settings)


def test_a_collection_that_knows_no_owner_goes_to_who_has_its_photographs(tmp_path: Path, settings: Settings) -> None:
    """As it was made before names had owners."""
    folder = make_folder(tmp_path / "here/mine", {"red": 5, "blue": 5})
    with opened("mine", settings, side=16) as collection:
        inspect(list_photographs(folder), collection, workers=1)
    other = make_folder(tmp_path / "other/mine", {"green": 5, "grey": 5})

    with pytest.raises(UsageError, match=f"belongs to other photographs. {other} holds other"):
        look(other, settings)

    assert look(folder, settings) == 10

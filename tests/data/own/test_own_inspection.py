import os
import shutil
import struct
import sys
import threading
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photographs import make_folder, picture
from PIL import Image

from fortydays.base import images
from fortydays.base.errors import DataError, FortydaysError, StorageError
from fortydays.base.settings import Settings, read_settings
from fortydays.data.own import collection as collections
from fortydays.data.own import decoding
from fortydays.data.own.collection import Collection, opened
from fortydays.data.own.inspection import Inspection, inspect
from fortydays.data.own.listing import list_photographs
from fortydays.inputs.images import IMAGE, Images
from fortydays.inputs.input import Bounds

SIDE = 16
HEIC = Path(__file__).with_name("heic")
"""By libheif and x265: plain, to be turned by a quarter to the right, clear in its left half, with a second one, with
ten bits, and of four tiles, as telephones write them."""
QUARTERS = (((220, 30, 30), (30, 200, 30)), ((30, 30, 220), (230, 230, 30)))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path / "workspace")})


def look(folder: Path, settings: Settings, *, side: int = SIDE, **options: bool) -> Inspection:
    with opened("mine", settings, side=side) as collection:
        return inspect(list_photographs(folder), collection, workers=2, **options)


def pixels(settings: Settings, side: int = SIDE) -> np.ndarray:
    with opened("mine", settings, side=side) as collection:
        return np.array(collection.pixels())


def reasons(found: Inspection) -> dict[str, str]:
    return {each.path: each.reason for each in found.left_out}


def test_photographs_are_counted_measured_and_divided(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 20, "blue": 30})
    picture("red", 99, size=(100, 90)).save(folder / "red/large.jpg")

    found = look(folder, settings)

    assert found.classes == ("blue", "red")
    assert found.counts() == {
        "blue": {"train": 21, "validation": 3, "test": 6},
        "red": {"train": 15, "validation": 2, "test": 4},
    }
    assert found.sizes() == {"smallest": (48, 40), "median": (48, 40), "largest": (100, 90)}
    assert found.left_out == ()
    assert found.small == {}


def test_pixels_are_those_the_service_would_see(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3}, kind="jpg")

    found = look(folder, settings)
    kept = pixels(settings)

    assert len(found.used) == 6
    for each in found.used:
        content = (folder / each.path).read_bytes()
        seen = Images(shape=(SIDE, SIDE, 3)).prepare(content, Bounds())
        assert (kept[each.row] == seen[IMAGE]).all()


def test_broken_files_are_left_out_and_named(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 4, "blue": 4}, kind="jpg")
    whole = (folder / "red/0.jpg").read_bytes()
    (folder / "red/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "red/empty.jpg").write_bytes(b"")
    (folder / "red/text.jpg").write_bytes(b"no image at all")
    Image.new("1", (20_000, 20_000)).save(folder / "red/bomb.png")

    found = look(folder, settings)

    assert reasons(found) == {
        "red/bomb.png": "it has too many pixels",
        "red/cut.jpg": "it is damaged or cut off",
        "red/empty.jpg": "it is empty",
        "red/text.jpg": "it is no image that can be read",
    }
    assert look(folder, settings).as_dict() == found.as_dict()


def test_a_file_that_may_not_be_read_is_left_out(tmp_path: Path, settings: Settings, monkeypatch: Any) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 4, "blue": 4})
    real = os.open

    def refused(path: Any, *arguments: Any, **options: Any) -> int:
        if str(path).endswith("red/1.png"):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refused)

    assert reasons(look(folder, settings)) == {"red/1.png": "it cannot be read: Permission denied"}
    monkeypatch.undo()
    assert reasons(look(folder, settings)) == {}


def test_a_pipe_that_came_in_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, settings: Settings, monkeypatch: Any
) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 4, "blue": 4})
    real = decoding._bytes_of

    def replaced(path: Path, size: int) -> bytes | None:
        if path.name == "3.png":
            path.unlink()
            if path.parent.name == "red":
                os.mkfifo(path)
        return real(path, size)

    monkeypatch.setattr(decoding, "_bytes_of", replaced)

    assert reasons(look(folder, settings)) == {
        "blue/3.png": "it cannot be read: No such file or directory",
        "red/3.png": "it changed while it was read",
    }


def test_odd_images_are_seen_as_people_see_them(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    odd = folder / "odd"
    odd.mkdir()
    Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(odd / "cmyk.jpg", quality=100)
    Image.fromarray(np.full((20, 20), 51_400, np.uint16)).save(odd / "sixteen.png")
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(odd / "clear.png")
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("lime", "black")]
    frames[0].save(odd / "moving.gif", save_all=True, append_images=frames[1:])
    tall = Image.new("RGB", (20, 40), "red")
    tall.paste("blue", (0, 20, 20, 40))
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter to the right
    tall.transpose(Image.Transpose.ROTATE_90).save(odd / "turned.jpg", exif=turned, quality=100, subsampling=0)
    Image.new("RGB", (30, 20), "navy").save(odd / "\N{SUNFLOWER} with spaces\n.bmp")

    found = look(folder, settings)
    kept = {each.path: each for each in found.used}
    shown = {path: pixels(settings)[each.row] for path, each in kept.items()}

    assert reasons(found) == {}
    assert np.allclose(shown["odd/cmyk.jpg"], [255, 0, 0], atol=6)
    assert (shown["odd/sixteen.png"] == 200).all()
    assert (shown["odd/clear.png"] == 255).all()
    assert (shown["odd/moving.gif"] == [0, 255, 0]).all()
    assert (kept["odd/turned.jpg"].width, kept["odd/turned.jpg"].height) == (20, 40)
    assert np.allclose(shown["odd/turned.jpg"][0, 8], [254, 0, 0], atol=6)
    assert np.allclose(shown["odd/turned.jpg"][-1, 8], [0, 0, 254], atol=6)
    assert (shown["odd/\N{SUNFLOWER} with spaces\n.bmp"] == [0, 0, 128]).all()


GREYS = np.arange(400, dtype=np.float64).reshape(20, 20) / 399
BLACK_TO_WHITE = (GREYS * 255).astype(np.uint8)[..., None].repeat(3, axis=2)


@pytest.mark.parametrize(
    "numbers",
    [
        GREYS.astype(np.float32),
        (GREYS * 255).astype(np.float32),
        (GREYS * 65_535).astype(np.float32),
        (GREYS * 65_535).astype(np.uint16),
        (GREYS * 65_535).astype(np.int32),
    ],
)
def test_numbers_of_many_bits_run_from_black_to_white(tmp_path: Path, settings: Settings, numbers: np.ndarray) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    Image.fromarray(numbers).save(folder / "red/numbers.tif")

    row = next(each.row for each in look(folder, settings, side=20).used if each.path == "red/numbers.tif")

    assert np.abs(pixels(settings, 20)[row].astype(int) - BLACK_TO_WHITE).max() <= 1


def test_photographs_that_use_few_of_their_bits_are_told(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    random = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(random.integers(0, 4096, (20, 20), np.uint16)).save(folder / f"red/{number}-dark.png")
    stars = np.zeros((20, 20), np.uint16)
    stars[3, 3] = 65_535
    Image.fromarray(stars).save(folder / "red/stars.png")

    notes = look(folder, settings, side=20).notes

    assert notes[-1] == (
        "Almost black: 4 photographs (red/0-dark.png, red/1-dark.png, red/2-dark.png, ...). Files of 16 bits look so "
        "if they use at most 12 of them. If these do, save them with values up to 65,535, or write the largest value, "
        "such as 4095, into the TIFF (tag 341)."
    )


def test_grey_pixels_that_an_earlier_version_prepared_are_read_anew(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    Image.fromarray((GREYS * 65_535).astype(np.uint16)).save(folder / "red/numbers.png")
    before = {each.path: each.row for each in look(folder, settings).used}
    with opened("mine", settings, side=SIDE) as collection:
        collection._index.write(facts={"greys": 1})

    after = {each.path: each.row for each in look(folder, settings).used}

    assert {path for path in after if after[path] != before[path]} == {"red/numbers.png"}


def test_numbers_of_no_known_range_are_left_out_with_the_reason(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    for name, numbers in {
        "negative": (GREYS * 2 - 1).astype(np.float32),
        "none": np.where(GREYS > 0.5, np.nan, GREYS).astype(np.float32),
        "overshot": (GREYS * 1.0001).astype(np.float32),
        "kelvin": (GREYS * 30 + 273).astype(np.float32),
        "endless": np.where(GREYS > 0.5, np.inf, GREYS).astype(np.float32),
        "large": (GREYS * 2e9).astype(np.int32),
        "signed": (GREYS * 200 - 100).astype(np.int32),
    }.items():
        Image.fromarray(numbers).save(folder / f"red/{name}.tif")

    assert set(reasons(look(folder, settings)).values()) == {
        "its pixel values fill none of the ranges 0 to 1, 0 to 255 and 0 to 65,535"
    }
    assert len(reasons(look(folder, settings))) == 7


def test_photographs_of_telephones_are_read(tmp_path: Path, settings: Settings) -> None:
    """HEIC as iPhones write it: two rows of two colours each, 64 x 48; AVIF, which the web has."""
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    for name in ("plain", "turned", "alpha", "two", "ten"):
        shutil.copy(HEIC / f"{name}.heic", folder / f"red/{name}.HEIC")
    quarters = Image.fromarray(np.repeat(np.repeat(np.array(QUARTERS, np.uint8), 24, 0), 32, 1))
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter to the right
    quarters.save(folder / "red/turned.avif", exif=turned, quality=90)

    found = look(folder, settings)
    kept = {each.path: each for each in found.used}
    shown = {path: pixels(settings)[each.row] for path, each in kept.items()}

    def corners(path: str) -> np.ndarray:
        return shown[path][[[0, 0], [-1, -1]], [[0, -1], [0, -1]]].astype(int)

    assert reasons(found) == {}
    upright = np.array(QUARTERS)
    right = np.rot90(upright, -1)
    assert np.abs(corners("red/plain.HEIC") - upright).max() < 12
    assert np.abs(corners("red/ten.HEIC") - upright).max() < 12
    assert np.abs(corners("red/two.HEIC") - upright).max() < 12  # the picture that it says is the first
    assert np.abs(corners("red/turned.HEIC") - right).max() < 12
    assert np.abs(corners("red/turned.avif") - right).max() < 12
    clear = upright.copy()
    clear[:, 0] = 255  # where nothing is, paper is seen
    assert np.abs(corners("red/alpha.HEIC") - clear).max() < 12
    sizes = {path: (each.width, each.height) for path, each in kept.items()}
    assert (sizes["red/plain.HEIC"], sizes["red/turned.HEIC"], sizes["red/turned.avif"]) == (
        (64, 48),
        (48, 64),
        (48, 64),
    )


def test_a_heic_that_is_damaged_or_says_that_it_is_larger_is_left_out(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    whole = (HEIC / "plain.heic").read_bytes()
    size = whole.index(b"ispe") + 8
    for name, content in {
        "head": whole[:100],
        "end": whole[:-40],
        "larger": whole[:size] + struct.pack(">II", 20_000, 12_000) + whole[size + 8 :],
        "smaller": whole[:size] + struct.pack(">II", 8, 8) + whole[size + 8 :],
    }.items():
        (folder / f"red/{name}.heic").write_bytes(content)

    assert reasons(look(folder, settings)) == {
        "red/head.heic": "it is no image that can be read",
        **dict.fromkeys(("red/end.heic", "red/larger.heic", "red/smaller.heic"), "it is damaged or cut off"),
    }


def test_a_heic_that_lacks_some_of_its_tiles_is_left_out(tmp_path: Path, settings: Settings) -> None:
    """The decoder leaves green what is not there, and says nothing."""
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    whole = (HEIC / "grid.heic").read_bytes()
    data = whole.index(b"mdat") - 4
    more = struct.pack(">I4sQ", 1, b"mdat", 16 + 100) + bytes(100)  # its size stands behind its name
    between = struct.pack(">I4s", 12, b"free") + bytes(4)
    for name, content in {
        "whole": whole,
        "with more behind it": whole + struct.pack(">I4s", 10_000, b"SEFH") + b"what telephones add",
        "with few bytes more": whole + b"\0\0\0",
        "to the end": whole[:data] + b"\0\0\0\0" + whole[data + 4 :],
        "with more data": whole + more,
        "cut": whole[:-40],
        "cut in its second part": (whole + more)[:-40],
        "cut behind a gap": (whole + between + more)[:-40],
    }.items():
        (folder / f"red/{name}.heic").write_bytes(content)

    found = look(folder, settings)

    assert reasons(found) == {
        f"red/{name}.heic": "it is damaged or cut off"
        for name in ("cut", "cut in its second part", "cut behind a gap")
    }
    assert sum(each.path.endswith("heic") for each in found.used) == 5


def test_without_what_reads_heic_it_is_said_and_other_photographs_are_read(
    tmp_path: Path, settings: Settings, monkeypatch: Any
) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    images._teach_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    installed = metadata.version

    def without(name: str) -> str:
        if name == "pi-heif":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "version", without)
    assert reasons(look(folder, settings)) == {}
    shutil.copy(HEIC / "plain.heic", folder / "red/a.heic")

    with pytest.raises(FortydaysError, match=r"^pi-heif, which reads HEIC files, cannot be loaded: ") as told:
        look(folder, settings)

    assert told.value.hint == "Install it again: make setup"
    monkeypatch.undo()
    assert reasons(look(folder, settings)) == {}


def test_what_was_no_image_is_looked_at_again_when_more_formats_are_known(
    tmp_path: Path, settings: Settings, monkeypatch: Any
) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    shutil.copy(HEIC / "plain.heic", folder / "red/a.jpg")  # as people rename them
    shutil.copy(folder / "red/1.png", folder / "red/cut.png")
    (folder / "red/cut.png").write_bytes((folder / "red/1.png").read_bytes()[:200])
    monkeypatch.setattr(decoding, "FORMATS", ("PNG", "JPEG"))
    before = look(folder, settings)
    assert reasons(before) == {
        "red/a.jpg": "it is no image that can be read",
        "red/cut.png": "it is damaged or cut off",
    }
    monkeypatch.undo()
    read: list[str] = []
    real = decoding._read_file
    monkeypatch.setattr(
        decoding, "_read_file", lambda root, path, *rest: (read.append(path), real(root, path, *rest))[1]
    )

    after = look(folder, settings)

    assert reasons(after) == {"red/cut.png": "it is damaged or cut off"}
    assert read == ["red/a.jpg", "red/cut.png"]
    splits = {each.path: each.split for each in after.used}
    assert {each.path: each.split for each in before.used}.items() <= splits.items()
    look(folder, settings)
    assert read == ["red/a.jpg", "red/cut.png"]


def test_bytes_that_can_be_read_after_all_are_an_image_from_then_on(
    tmp_path: Path, settings: Settings, monkeypatch: Any
) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})
    shutil.copy(HEIC / "plain.heic", folder / "red/a.jpg")
    with monkeypatch.context() as older:
        older.setattr(decoding, "FORMATS", ("PNG", "JPEG"))
        assert reasons(look(folder, settings)) == {"red/a.jpg": "it is no image that can be read"}
    shutil.copy(HEIC / "plain.heic", folder / "red/b.heic")

    for _ in range(2):
        assert reasons(look(folder, settings)) == {"red/b.heic": "it is the same file as red/a.jpg"}
    assert len(pixels(settings)) == 7


def test_the_same_file_twice_is_used_once(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    (folder / "red/again.png").write_bytes((folder / "red/3.png").read_bytes())

    found = look(folder, settings)

    assert found.exact == (("red/3.png", "red/again.png"),)
    assert reasons(found) == {"red/again.png": "it is the same file as red/3.png"}
    assert len(found.used) == 10


def test_the_same_file_in_two_classes_is_not_used(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    (folder / "blue/red.png").write_bytes((folder / "red/3.png").read_bytes())

    found = look(folder, settings)

    assert found.contradictions == (("blue/red.png", "red/3.png"),)
    assert reasons(found) == dict.fromkeys(("blue/red.png", "red/3.png"), "the same file is in 'blue' and 'red'")
    assert len(found.used) == 9


def test_almost_the_same_pictures_never_straddle_a_split(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 30, "blue": 30})
    for number in range(30):
        picture("red", number).resize((96, 80)).save(folder / f"red/large {number}.png")

    found = look(folder, settings)
    splits = {each.path: each.split for each in found.used}

    assert len(found.near) == 30
    assert all(splits[f"red/{number}.png"] == splits[f"red/large {number}.png"] for number in range(30))
    assert Counter(splits.values())["test"] in range(15, 22)


def divided(root: Path, **counts: int) -> Path:
    """``root/PART/COLOUR/NUMBER.png``, the numbers of further parts following those of the ones before."""
    begin = 0
    for part, count in counts.items():
        for colour in ("red", "blue"):
            (root / part / colour).mkdir(parents=True)
            for number in range(begin, begin + count):
                picture(colour, number).save(root / part / colour / f"{number}.png")
        begin += count
    return root


def test_a_division_that_folders_have_is_kept(tmp_path: Path, settings: Settings) -> None:
    folder = divided(tmp_path / "mine", train=5, val=2, test=3)

    found = look(folder, settings)

    assert found.counts() == {colour: {"train": 5, "validation": 2, "test": 3} for colour in ("blue", "red")}
    assert all(each.split == {"val": "validation"}.get(part := each.path.split("/")[0], part) for each in found.used)


def test_what_a_division_holds_out_none_for_is_taken_from_what_it_trains_with(
    tmp_path: Path, settings: Settings
) -> None:
    folder = divided(tmp_path / "mine", train=16, test=4)
    (folder / "extra").mkdir()
    picture("grey", 1).save(folder / "extra/1.png")

    found = look(folder, settings)

    assert found.counts() == {colour: {"train": 14, "validation": 2, "test": 4} for colour in ("blue", "red")}
    assert {each.path.split("/")[0] for each in found.used if each.split == "test"} == {"test"}
    before = {each.path: each.split for each in found.used}
    (folder / "test/red/16.png").rename(folder / "train/red/moved.png")
    after = {each.path: each.split for each in look(folder, settings).used}
    assert {path: after[path] for path in before.keys() & after.keys()} == {
        path: before[path] for path in before.keys() & after.keys()
    }
    assert after["train/red/moved.png"] in ("train", "validation")


def test_what_a_division_holds_out_is_not_learned_from_too(tmp_path: Path, settings: Settings) -> None:
    folder = divided(tmp_path / "mine", train=5, val=3, test=3)
    shutil.copy(folder / "test/red/8.png", folder / "train/red/same.png")
    Image.open(folder / "test/red/9.png").resize((96, 80)).save(folder / "train/red/large.png")
    Image.open(folder / "val/blue/5.png").resize((96, 80)).save(folder / "train/blue/large.png")

    found = look(folder, settings)

    assert reasons(found) == {
        "train/blue/large.png": "it is almost the same as val/blue/5.png, which is held out",
        "train/red/large.png": "it is almost the same as test/red/9.png, which is held out",
        "train/red/same.png": "it is the same file as test/red/8.png",
    }
    assert found.counts() == {colour: {"train": 5, "validation": 3, "test": 3} for colour in ("blue", "red")}


def test_classes_that_a_division_has_in_some_parts_only_are_said(tmp_path: Path, settings: Settings) -> None:
    folder = divided(tmp_path / "mine", train=4, val=3, test=3)
    make_folder(folder / "train", {"green": 4})
    make_folder(folder / "test", {"grey": 4})

    found = look(folder, settings)

    assert found.classes == ("blue", "green", "red")
    assert found.notes[1:] == (
        "The class 'green' has no photograph in the validation and the test split.",
        "The class 'grey' is left out: it has no photograph to train with.",
    )
    assert set(reasons(found).values()) == {"its class has no photograph to train with"}


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("again.jpg", {"quality": 80}, (48, 40)),
        ("again.jpg", {"quality": 95}, (96, 80)),
        ("again.webp", {"quality": 80}, (96, 80)),
        ("again.bmp", {}, (48, 40)),
    ],
)
def test_a_picture_that_was_saved_again_under_another_label_is_a_contradiction(
    tmp_path: Path, settings: Settings, name: str, options: dict[str, int], size: tuple[int, int]
) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    picture("red", 3).resize(size).save(folder / "blue" / name, **options)

    found = look(folder, settings, side=224)

    assert found.contradictions == ((f"blue/{name}", "red/3.png"),)
    assert reasons(found) == dict.fromkeys(found.contradictions[0], "the same picture is in 'blue' and 'red'")
    assert sum(found.counts()["blue"].values()) == 5
    assert sum(found.counts()["red"].values()) == 4


def scene(folder: Path, *, good: int, bad: int) -> Path:
    """What a fixed camera sees: a scene with a little noise; in those that are bad, a small dark spot."""
    random = np.random.default_rng(0)
    still = np.asarray(picture("grey", 0, size=(240, 200)), np.float64)
    for label, count in (("good", good), ("bad", bad)):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            shot = (still + random.normal(0, 2, still.shape)).clip(0, 255).astype(np.uint8)
            if label == "bad":
                y, x = random.integers(40, 150, 2)
                shot[y : y + 12, x : x + 12] = 0
            Image.fromarray(shot).save(folder / label / f"{number}.png")
    return folder


def test_a_fixed_camera_is_recognized_and_can_be_said(tmp_path: Path, settings: Settings) -> None:
    folder = scene(tmp_path / "mine", good=12, bad=8)
    shutil.copy(folder / "good/1.png", folder / "good/copy.png")
    Image.open(folder / "good/2.png").save(folder / "good/same pixels.bmp")

    with pytest.raises(DataError) as refused:
        look(folder, settings, side=224)

    assert refused.value.hint.startswith(
        "21 of 21 photographs look almost the same as another. If a fixed camera took them and"
    )
    assert "add --fixed-camera" in refused.value.hint
    found = look(folder, settings, side=224, fixed_camera=True)
    assert {label: sum(counts.values()) for label, counts in found.counts().items()} == {"bad": 8, "good": 13}
    assert found.exact == (("good/1.png", "good/copy.png"),)
    assert found.near == (("good/2.png", "good/same pixels.bmp"),)
    assert found.contradictions == ()
    assert found.notes == ()


def test_copies_of_a_contradiction_are_not_told_as_if_one_were_used(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    picture("red", 3).save(folder / "blue" / "again.bmp")
    shutil.copy(folder / "red/3.png", folder / "red/3 copy.png")
    shutil.copy(folder / "red/1.png", folder / "red/1 copy.png")

    found = look(folder, settings, side=224)

    assert found.contradictions == (("blue/again.bmp", "red/3 copy.png"),)
    assert found.exact == (("red/1 copy.png", "red/1.png"),)
    assert {each.path for each in found.left_out} == {"blue/again.bmp", "red/3 copy.png", "red/3.png", "red/1.png"}


def test_small_differences_are_no_contradiction(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(scene(tmp_path / "mine", good=3, bad=3), {"red": 10, "blue": 10})

    assert look(folder, settings, side=224).contradictions == ()


def test_added_photographs_do_not_move_the_others(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 10, "blue": 10})
    before = {each.sha256: each.split for each in look(folder, settings).used}

    make_folder(folder, {"red": 20, "blue": 20, "green": 10})
    (folder / "red/3.png").rename(folder / "red/moved.png")
    after = {each.sha256: each.split for each in look(folder, settings).used}

    assert len(after) == 50
    assert {digest: after[digest] for digest in before} == before


def test_a_class_that_is_too_small_is_left_out_and_a_small_one_is_named(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 20, "blue": 5, "green": 2, "grey": 1})

    found = look(folder, settings)

    assert found.classes == ("blue", "red")
    assert found.small == {"blue": 5}
    assert found.notes == (
        "The class 'green' is left out: it has 2 photographs that can be used, and 3 are needed.",
        "The class 'grey' is left out: it has 1 photograph that can be used, and 3 are needed.",
    )
    assert len(found.left_out) == 3


def test_fewer_than_two_classes_that_can_be_used_are_refused(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5})
    (folder / "blue").mkdir()
    for number in range(4):
        (folder / f"blue/{number}.jpg").write_bytes(b"broken %d" % number)

    with pytest.raises(DataError) as refused:
        look(folder, settings)

    assert "one class, 'red', with photographs that can be used; at least two are needed" in refused.value.message
    assert "4 because it is no image that can be read" in refused.value.message


def test_a_second_look_reads_only_what_is_new(tmp_path: Path, settings: Settings, monkeypatch: Any) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    first = look(folder, settings)
    read: list[str] = []
    real = decoding._bytes_of
    monkeypatch.setattr(decoding, "_bytes_of", lambda path, size: (read.append(path.name), real(path, size))[1])

    assert look(folder, settings).as_dict() == first.as_dict()
    assert read == []

    picture("red", 77).save(folder / "red/0.png")
    picture("red", 78).save(folder / "red/new.png")
    look(folder, settings)
    assert sorted(read) == ["0.png", "new.png"]


def test_a_file_that_changes_while_it_is_read_is_left_out_until_the_next_look(
    tmp_path: Path, settings: Settings, monkeypatch: Any
) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    real = decoding._bytes_of

    def changing(path: Path, size: int) -> bytes | None:
        content = real(path, size)
        if path.name == "3.png" and path.parent.name == "red":
            path.write_bytes(path.read_bytes() + b"more")
        return content

    monkeypatch.setattr(decoding, "_bytes_of", changing)
    assert reasons(look(folder, settings)) == {"red/3.png": "it changed while it was read"}

    monkeypatch.undo()
    assert reasons(look(folder, settings)) == {}


def test_a_look_that_was_stopped_goes_on_where_it_was(tmp_path: Path, settings: Settings, monkeypatch: Any) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 40, "blue": 40})
    monkeypatch.setattr(collections, "_AT_ONCE", 8)
    real = Collection._keep
    batches = []

    def stopped(self: Collection, batch: Any) -> Any:
        batches.append(len(batch))
        if len(batches) == 4:
            # Pixels that the index does not know of.
            collections.append_rows(self._pixel_file, np.zeros((1, SIDE, SIDE, 3), np.uint8), after=24)
            raise KeyboardInterrupt
        return real(self, batch)

    monkeypatch.setattr(Collection, "_keep", stopped)
    with pytest.raises(KeyboardInterrupt):
        look(folder, settings)
    monkeypatch.setattr(Collection, "_keep", real)
    read: list[str] = []
    whole = decoding._bytes_of
    monkeypatch.setattr(decoding, "_bytes_of", lambda path, size: (read.append(path.name), whole(path, size))[1])

    found = look(folder, settings)
    kept = pixels(settings)

    assert len(read) == 80 - 24
    assert len(kept) == 80
    for each in found.used:
        expected = Image.open(folder / each.path).convert("RGB").resize((40, 40))
        assert abs(kept[each.row].mean() - np.asarray(expected).mean()) < 8


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path, settings: Settings, monkeypatch: Any) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    monkeypatch.setattr(collections.files, "free_bytes", lambda _: 5_000)
    with pytest.raises(DataError, match=r"The pixels of 10 photographs need 7,680 bytes in .*5,000 bytes"):
        look(folder, settings)
    monkeypatch.undo()

    def full(path: Path, *, after: int, content: bytes) -> None:
        raise StorageError(f"Could not write {path}: No space left on device.")

    monkeypatch.setattr(collections.files, "append_bytes", full)
    with pytest.raises(StorageError, match="No space left on device"):
        look(folder, settings)
    monkeypatch.undo()

    assert len(look(folder, settings).used) == 10


def test_two_at_once_one_is_told(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    failures: list[str] = []

    def second() -> None:
        try:
            look(folder, settings)
        except DataError as error:
            failures.append(error.message)

    with opened("mine", settings, side=SIDE):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()

    assert failures == ["Another process is looking at the photographs of 'mine'."]


@pytest.mark.parametrize("damage", ["a bit", "no index"])
def test_a_damaged_index_is_set_aside_and_made_anew_from_what_is_right(
    tmp_path: Path, settings: Settings, monkeypatch: Any, listener: Any, damage: str
) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    monkeypatch.setattr(collections, "_AT_ONCE", 6)
    before = look(folder, settings)
    index = settings.workspace / "own/mine/16.1.index"
    content = bytearray(index.read_bytes())
    second_batch = content.index(b'"red/1.png"')
    content[second_batch] ^= 1
    index.write_bytes(content if damage == "a bit" else b"no index\n" * 100)
    read: list[str] = []
    real = decoding._bytes_of
    monkeypatch.setattr(decoding, "_bytes_of", lambda path, size: (read.append(path.name), real(path, size))[1])

    with opened("mine", settings, side=SIDE) as collection:
        after = inspect(list_photographs(folder), collection, workers=2, progress=listener)

    (aside,) = index.parent.glob("16.1.index.damaged-*")
    assert listener.warned == [f"{index} was damaged. It is kept as {aside.name}; what it lacks now is read anew."]
    assert len(read) == (4 if damage == "a bit" else 10)
    assert after.counts() == before.counts()
    assert [(each.path, each.split) for each in after.used] == [(each.path, each.split) for each in before.used]
    look(folder, settings)
    assert len(read) == (4 if damage == "a bit" else 10)


def test_a_line_that_was_left_unfinished_is_no_damage(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    before = look(folder, settings)
    with (settings.workspace / "own/mine/16.1.index").open("ab") as index:
        index.write(b'0123abcd {"contents": ')

    assert look(folder, settings) == before
    assert not list((settings.workspace / "own/mine").glob("*damaged*"))


def test_nothing_is_written_into_the_readers_folder(tmp_path: Path, settings: Settings) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}

    look(folder, settings)

    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")} == before

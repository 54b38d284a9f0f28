"""Public photographs with captions: read from either archive, checked, divided as published, and kept."""

import dataclasses
import io
import zipfile
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image

from fortydays.base.errors import DataError
from fortydays.base.settings import Settings, read_settings
from fortydays.data import captions, library
from fortydays.data.captions import SIDE, Captioned, digest_of, digest_of_parts, read_captions, with_files
from fortydays.data.layouts import DamagedSourceError
from fortydays.data.published import PublishedFile
from fortydays.data.splits import SplitSizes

SPLITS = {"train": ("a.jpg", "b.jpg", "c.jpg"), "dev": ("d.jpg",), "test": ("e.jpg", "z.jpg")}
NAMES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg", "z.jpg")  # "f.jpg" is in no split


def jpeg(red: int, size: tuple[int, int] = (200, 100)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (red, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return path


def text_archive(path: Path, lines: list[str] | None = None, splits: dict[str, tuple[str, ...]] = SPLITS) -> Path:
    if lines is None:
        lines = [f"{name}#{k}\tThis is {name}, said {k} ." for name in reversed(NAMES) for k in range(5)]
    listed = {f"Flickr_8k.{split}Images.txt": "\n".join(names).encode() for split, names in splits.items()}
    return archive(path, {"Flickr8k.token.txt": "\n".join(lines).encode(), **listed})


def image_archive(path: Path, *, inside: str = "", size: tuple[int, int] = (200, 100)) -> Path:
    return archive(path, {f"{inside}{name}": jpeg(30 * place, size) for place, name in enumerate(NAMES)})


def parts_of(found: list[Captioned]) -> dict[str, str]:
    return {
        "training": digest_of([each for each in found if each.split != "test"]),
        "test": digest_of([each for each in found if each.split == "test"]),
    }


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> captions.CaptionsSpec:
    """A made-up collection; the mirror has its archives."""
    folder = tmp_path / "mirror" / "seen"
    folder.mkdir(parents=True)
    read = read_captions(text_archive(folder / "text.zip"), photographs=6)
    content = with_files(image_archive(folder / "images.zip"), read)
    known = captions.CAPTIONS["flickr8k"].sources
    made = dataclasses.replace(
        captions.CAPTIONS["flickr8k"],
        name="seen",
        folder="seen",
        digest=digest_of_parts(parts_of(content)),
        captions_digest=digest_of(read),
        photographs=6,
        sizes=SplitSizes(train=3, validation=1, test=1),
        sources=(
            dataclasses.replace(
                known[0],
                captions=PublishedFile(name="text.zip", max_bytes=10_000),
                photographs=PublishedFile(name="images.zip", max_bytes=100_000),
            ),
            dataclasses.replace(
                known[1],
                captions=PublishedFile(name="text.zip", max_bytes=10_000),
                photographs=PublishedFile(name="large.zip", max_bytes=100_000),
            ),
        ),
    )
    monkeypatch.setattr(captions, "CAPTIONS", MappingProxyType({"seen": made}))
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(
        {
            "FORTYDAYS_HOME": str(tmp_path / "home"),
            "FORTYDAYS_MIRROR": str(tmp_path / "mirror"),
            "FORTYDAYS_OFFLINE": "1",
        }
    )


def test_the_first_photographs_by_name_are_read_with_five_captions_in_their_splits(tmp_path: Path) -> None:
    found = read_captions(text_archive(tmp_path / "text.zip"), photographs=6)
    assert [(each.name, each.split) for each in found] == [
        ("a.jpg", "train"), ("b.jpg", "train"), ("c.jpg", "train"), ("d.jpg", "validation"), ("e.jpg", "test"),
    ]  # fmt: skip
    assert found[0].captions == tuple(f"This is a.jpg, said {k} ." for k in range(5))


def test_both_editions_have_the_same_captions_whatever_folder_the_photographs_are_in(tmp_path: Path) -> None:
    read = read_captions(text_archive(tmp_path / "text.zip"), photographs=6)
    one = with_files(image_archive(tmp_path / "one.zip"), read)
    other = with_files(image_archive(tmp_path / "other.zip", inside="Flicker8k_Dataset/"), read)
    large = with_files(image_archive(tmp_path / "large.zip", size=(400, 200)), read)
    assert digest_of(one) == digest_of(other)
    assert digest_of(large) != digest_of(one) != digest_of(read)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([f"a.jpg#{k}\tThis ." for k in range(4)], "a.jpg has other captions than 5 sentences"),
        ([f"a.jpg#{k}\t{'long' * 300}" for k in range(5)], "a.jpg has other captions than 5 sentences of 1 to 1,000"),
        ([f"a.jpg#{k} This ." for k in range(5)], "has other captions than 5 sentences"),
    ],
)
def test_captions_that_are_none_are_told(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(DamagedSourceError, match=said):
        read_captions(text_archive(tmp_path / "text.zip", lines), photographs=6)


def test_archives_that_lack_something_are_damaged(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_bytes(b"<html>not found</html>")
    with pytest.raises(DamagedSourceError, match=r"text\.zip is damaged: File is not a zip file"):
        read_captions(tmp_path / "text.zip", photographs=6)
    both = {**SPLITS, "dev": ("a.jpg",)}
    with pytest.raises(DamagedSourceError, match=r"a\.jpg is in two splits"):
        read_captions(text_archive(tmp_path / "both.zip", splits=both), photographs=6)
    with pytest.raises(DamagedSourceError, match=r"images\.zip is damaged: 'x\.jpg'"):
        with_files(image_archive(tmp_path / "images.zip"), [Captioned(name="x.jpg", split="train", captions=())])


def test_it_is_loaded_with_pixels_and_captions_in_the_published_splits(
    spec: captions.CaptionsSpec, settings: Settings
) -> None:
    found = library.load("seen", settings)
    assert found.digest == spec.digest
    sizes = [len(found.training.train), len(found.training.validation), len(found.test.open())]
    assert sizes == [3, 1, 1]
    assert found.training.train.array.shape == (3, SIDE, SIDE, 3)
    assert found.training.train.array[2, 0, 0] == pytest.approx([60, 0, 0], abs=2)
    assert found.captions is not None
    assert [found.captions(split)[0][4] for split in ("train", "validation", "test")] == [
        "This is a.jpg, said 4 .", "This is d.jpg, said 4 .", "This is e.jpg, said 4 .",
    ]  # fmt: skip
    assert np.array_equal(library.load("seen", settings).training.train.array, found.training.train.array)
    assert library.verify("seen", settings).right


def test_another_edition_of_the_photographs_has_another_digest(
    spec: captions.CaptionsSpec, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "mirror" / "seen"
    (folder / "images.zip").unlink()
    image_archive(folder / "large.zip", inside="Flicker8k_Dataset/", size=(400, 200))
    found = library.load("seen", settings)
    assert found.digest != spec.digest
    assert library.verify("seen", settings).right


def test_a_damaged_copy_is_set_aside_and_fetched_again(spec: captions.CaptionsSpec, settings: Settings) -> None:
    folder = library.get("seen", settings)
    content = bytearray((folder / "test.zip").read_bytes())
    content[content.index(b"said 3")] ^= 1
    (folder / "test.zip").write_bytes(bytes(content))
    (problem,) = library.verify("seen", settings).problems
    assert problem.startswith("test.zip is damaged")
    with pytest.raises(DataError, match="is damaged"):
        library.load("seen", settings).test.open()  # the training photographs are right
    assert library.get("seen", settings) == folder
    assert library.verify("seen", settings).right
    assert spec.digest == library.load("seen", settings).digest


def test_other_captions_in_a_sound_archive_of_the_cache_are_noticed(
    spec: captions.CaptionsSpec, settings: Settings
) -> None:
    folder = library.get("seen", settings)
    with zipfile.ZipFile(folder / "test.zip") as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    members["captions.json"] = members["captions.json"].replace(b"said 3", b"said 4")
    archive(folder / "test.zip", members)
    (problem,) = library.verify("seen", settings).problems
    assert problem.startswith("the test photographs have digest")
    contents = (folder / "contents.json").read_text("utf-8").replace(problem.split()[-1], problem.split()[5][:-1])
    (folder / "contents.json").write_text(contents, "utf-8")
    assert library.verify("seen", settings).problems == ("contents.json does not tell of the pinned photographs",) * 2
    assert spec.digest == library.load("seen", settings).digest  # set aside, and fetched again


def test_every_place_that_was_tried_is_told(spec: captions.CaptionsSpec, settings: Settings, tmp_path: Path) -> None:
    text_archive(tmp_path / "mirror" / "seen" / "text.zip", [f"a.jpg#{k}\tOther ." for k in range(5)])
    with pytest.raises(DataError) as refused:
        library.load("seen", settings)
    assert "Could not get the photographs with captions 'seen' from any place." in refused.value.message
    assert f"mirror folder {tmp_path / 'mirror' / 'seen'}: its captions have digest" in refused.value.message
    assert f"expected {spec.captions_digest}" in refused.value.message


def test_the_catalog_has_flickr8k() -> None:
    assert library.pinned("flickr8k") is captions.CAPTIONS["flickr8k"]
    assert library.edition("flickr8k")[0] == 1

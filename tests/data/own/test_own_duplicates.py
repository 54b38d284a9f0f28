import io

import numpy as np
import pytest
from photographs import picture
from PIL import Image

from fortydays.data.own import duplicates
from fortydays.data.own.duplicates import groups_of, largest_first, near_duplicates, perceptual_hash


def looked_at(image: Image.Image) -> tuple[int, np.ndarray]:
    grey = image.convert("L").resize((32, 32), Image.Resampling.BOX)
    small = image.convert("RGB").resize((16, 16), Image.Resampling.BOX)
    return perceptual_hash(np.asarray(grey)), np.asarray(small)


def pairs_of(images: list[Image.Image]) -> list[list[int]]:
    hashes, small = zip(*map(looked_at, images), strict=True)
    return near_duplicates(np.array(hashes, np.uint64), np.stack(small)).tolist()


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue()))


def test_the_same_picture_in_another_size_compression_or_brightness_is_found() -> None:
    original = picture("grey", 1, size=(400, 300))
    brighter = original.point(lambda value: min(255, int(value * 1.1)))
    cut = original.crop((4, 3, 400, 300))

    found = pairs_of([original, original.resize((133, 100)), recompressed(original, 40), brighter, cut])

    assert [0, 1] in found
    assert [0, 2] in found
    assert [0, 3] in found
    assert [0, 4] in found


def test_other_pictures_of_the_same_colour_are_not() -> None:
    assert pairs_of([picture("red", number) for number in range(200)]) == []


def test_flat_pictures_are_told_apart_by_their_colour() -> None:
    flat = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "white", "red")]

    assert pairs_of(flat) == [[0, 3]]


def test_every_pair_is_found_once_whatever_its_place() -> None:
    images = [picture("green", number) for number in range(30)]
    images += [image.resize((96, 80)) for image in images]

    assert pairs_of(images) == [[number, number + 30] for number in range(30)]


def test_bits_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    small = np.zeros((3, 16, 16, 3), np.uint8)
    hashes = np.array([0, 0xFF << 13, (0x1FF << 50)], np.uint64)

    assert near_duplicates(hashes, small).tolist() == [[0, 1]]
    monkeypatch.setattr(duplicates, "MOST_BITS", 9)
    assert near_duplicates(hashes, small).tolist() == [[0, 1], [0, 2]]


def test_a_hundred_thousand_equal_hashes_are_joined_without_comparing_all_with_all() -> None:
    n = 100_000
    small = np.zeros((n, 16, 16, 3), np.uint8)
    small[n // 2 :] = [200, 0, 0]

    groups = groups_of(n, near_duplicates(np.zeros(n, np.uint64), small))

    assert np.unique(groups).tolist() == [0, n // 2]


def test_none_and_one_have_no_pair() -> None:
    for n in (0, 1):
        assert near_duplicates(np.zeros(n, np.uint64), np.zeros((n, 16, 16, 3), np.uint8)).shape == (0, 2)


def test_groups_join_pairs_that_share_a_picture() -> None:
    groups = groups_of(6, np.array([[1, 4], [4, 5], [0, 2]]))

    assert groups.tolist() == [0, 1, 0, 3, 1, 1]
    assert [each.tolist() for each in largest_first(groups)] == [[1, 4, 5], [0, 2]]


@pytest.mark.parametrize("value", [0, 255])
def test_a_flat_picture_has_a_hash(value: int) -> None:
    assert perceptual_hash(np.full((32, 32), value, np.uint8)) == 0

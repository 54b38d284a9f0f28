import numpy as np
import pytest

from fortydays.inputs.strokes import as_strokes


def test_a_dark_square_on_paper_becomes_light_twenty_pixels_wide_and_centred() -> None:
    paper = np.full((100, 100), 230, np.uint8)
    paper[5:45, 50:90] = 20

    found = as_strokes(paper, (28, 28), exact=False)

    assert found.shape == (28, 28)
    assert found.dtype == np.uint8
    assert (found[4:24, 4:24] > 250).all()
    found[4:24, 4:24] = 0
    assert not found.any()


def test_proportions_are_kept_and_the_middle_of_mass_is_in_the_middle() -> None:
    paper = np.full((60, 60), 255, np.uint8)
    paper[10:50, 10:14] = 0  # a vertical stroke, ten times as high as wide

    found = as_strokes(paper, (28, 28), exact=False)

    rows, columns = np.nonzero(found > 100)
    assert (rows.min(), rows.max()) == (4, 23)
    assert columns.max() - columns.min() == 1
    assert 13 <= columns.mean() <= 14


def test_light_on_dark_stays_light_and_faint_ink_becomes_strong() -> None:
    dark = np.full((56, 56), 10, np.uint8)
    dark[20:40, 20:40] = 90

    found = as_strokes(dark, (28, 28), exact=False)

    assert found.max() == 255
    assert found[0, 0] == 0


@pytest.mark.parametrize("level", [0, 127, 255])
def test_an_empty_sheet_gives_nothing(level: int) -> None:
    assert not as_strokes(np.full((50, 80), level, np.uint8), (28, 28), exact=False).any()


def test_an_image_of_the_models_own_kind_is_taken_as_it_is() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[2:9, 3:7] = 200

    assert (as_strokes(image, (28, 28), exact=True) == image).all()


def test_one_of_its_size_that_is_dark_on_light_is_inverted() -> None:
    image = np.full((28, 28), 255, np.uint8)
    image[10:18, 10:18] = 0

    assert as_strokes(image, (28, 28), exact=True)[14, 14] == 255


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_images_of_any_shape_are_taken(shape: tuple[int, int]) -> None:
    image = np.full(shape, 255, np.uint8)
    image[0, 0] = 0

    assert as_strokes(image, (28, 28), exact=False).shape == (28, 28)

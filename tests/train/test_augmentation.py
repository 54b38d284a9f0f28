"""What training shows of an image: drawn from seed and epoch alone, and computed as one can by hand."""

from typing import Any

import numpy as np
import pytest

from fortydays.inputs.images import IMAGE, Images
from fortydays.train.augmentation import Augmentation, augments, covered, draws_of_epoch, moved, views
from fortydays.train.order import batches_of_epoch
from fortydays.train.recipe import Recipe

PLAIN = Recipe(epochs=1, batch_size=4)
ORDER = batches_of_epoch(seed=0, epoch=0, examples=400, batch_size=4)
PICTURE = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.uint8)


def draws(recipe: Recipe, *, seed: int = 0, epoch: int = 0, order: Any = ORDER) -> Any:
    return draws_of_epoch(recipe, seed=seed, epoch=epoch, order=order, examples=400, shape=(3, 3))


def show(images: Any, *drawn: tuple[int, ...]) -> Any:
    return np.array(moved(images, np.array(drawn, np.int32)))


def test_a_recipe_shows_images_as_they_are_unless_it_says_otherwise() -> None:
    assert not augments(PLAIN)
    assert draws(PLAIN).shape == (100, 4, 0)
    assert all(augments(PLAIN.replace(**change)) for change in ({"flip": "random"}, {"shift": 1}, {"cutout": 1}))


def test_draws_depend_on_seed_and_epoch_and_nothing_else() -> None:
    recipe = PLAIN.replace(flip="random", shift=2, cutout=2)
    again = draws(recipe, seed=3, epoch=5)
    assert np.array_equal(draws(recipe, seed=3, epoch=5), again)
    assert not np.array_equal(draws(recipe, seed=4, epoch=5), again)
    assert not np.array_equal(draws(recipe, seed=3, epoch=6), again)


def test_draws_keep_to_their_ranges_and_use_all_of_them() -> None:
    drawn = draws(PLAIN.replace(flip="random", shift=2, cutout=2)).reshape(-1, 5)
    assert set(drawn[:, 0]) == {0, 1}
    assert set(drawn[:, 1]) == set(drawn[:, 2]) == {-2, -1, 0, 1, 2}
    assert set(drawn[:, 3]) == set(drawn[:, 4]) == {-1, 0, 1}  # the square's middle is in one of three rows
    assert abs(drawn[:, 0].mean() - 0.5) < 0.1


def test_alternating_flips_show_both_sides_of_every_image_in_two_epochs() -> None:
    recipe = PLAIN.replace(flip="alternating")
    sides = []
    for epoch in (4, 5):
        order = batches_of_epoch(seed=0, epoch=epoch, examples=400, batch_size=4)
        mirrored = np.zeros(400, int)
        mirrored[order] = draws(recipe, epoch=epoch, order=order)[..., 0]
        sides.append(mirrored)
    assert (sides[0] + sides[1] == 1).all()
    assert 0.4 < sides[0].mean() < 0.6


def test_mirroring_swaps_left_and_right(keras: Any) -> None:
    assert show(PICTURE[None], (1, 0, 0)).tolist() == [[[3, 2, 1], [6, 5, 4], [9, 8, 7]]]


def test_a_shift_moves_down_and_right_and_reflects_the_edge(keras: Any) -> None:
    assert show(PICTURE[None], (0, 1, 0)).tolist() == [[[4, 5, 6], [1, 2, 3], [4, 5, 6]]]
    assert show(PICTURE[None], (0, 0, 1)).tolist() == [[[2, 1, 2], [5, 4, 5], [8, 7, 8]]]
    assert show(PICTURE[None], (0, 0, -1)).tolist() == [[[2, 3, 2], [5, 6, 5], [8, 9, 8]]]


def test_an_image_is_mirrored_first_and_then_shifted(keras: Any) -> None:
    # The first row, 1 2 3, is mirrored to 3 2 1; a step to the right shows its second pixel as the reflected edge.
    assert show(PICTURE[None], (1, 0, 1))[0, 0].tolist() == [2, 3, 2]


def test_every_image_of_a_batch_is_moved_by_its_own_draw_in_all_channels(keras: Any) -> None:
    pictures = np.stack([PICTURE, 10 * PICTURE], axis=0)[..., None] + np.array([0, 100], np.uint8)
    found = show(pictures, (1, 0, 0), (0, 0, 0))
    assert found.shape == (2, 3, 3, 2)
    assert found[0, 0, :, 0].tolist() == [3, 2, 1]
    assert found[0, 0, :, 1].tolist() == [103, 102, 101]
    assert np.array_equal(found[1], pictures[1])


def test_a_covered_square_may_stick_out(keras: Any) -> None:
    images = np.ones((2, 3, 3), np.float32)
    drawn = np.array([[0, 0, 0, 1, 0], [0, 0, 0, -1, 2]], np.int32)
    found = np.array(covered(images, drawn, side=2, fill=np.float32(0.5)))
    assert found[0].tolist() == [[1, 1, 1], [0.5, 0.5, 1], [0.5, 0.5, 1]]
    assert found[1].tolist() == [[1, 1, 0.5], [1, 1, 1], [1, 1, 1]]


def test_colours_are_covered_with_the_mean_colour(keras: Any) -> None:
    images = np.zeros((1, 2, 2, 3), np.uint8)
    images[..., 0] = 255
    augmentation = Augmentation.of(Images(shape=(2, 2, 3)), PLAIN.replace(cutout=1), {IMAGE: images})
    assert augmentation.fill.tolist() == [1.0, 0.0, 0.0]
    black, drawn = np.zeros((1, 2, 2, 3), np.uint8), np.array([[0, 0, 0, 0, 0]], np.int32)
    found = np.array(augmentation.augmented({IMAGE: black}, drawn))
    assert found[0, 0, 0].tolist() == [1.0, 0.0, 0.0]
    assert found[0, 1].tolist() == [[0.0, 0.0, 0.0]] * 2


@pytest.mark.parametrize(("name", "count"), [("none", 1), ("flip", 2), ("flip and shift", 6)])
def test_test_views_weigh_one_together(name: str, count: int, keras: Any) -> None:
    found = views(Images(shape=(3, 3)), {IMAGE: PICTURE[None]}, name)
    assert len(found) == count
    assert sum(weight for _, weight in found) == 1
    assert np.array(found[0][0]) == pytest.approx(PICTURE[None] / 255)
    if count > 1:
        assert np.array(found[1][0])[0, 0] == pytest.approx(PICTURE[0, ::-1] / 255)


def test_the_shifted_test_views_look_one_pixel_up_and_one_down(keras: Any) -> None:
    found = views(Images(shape=(3, 3)), {IMAGE: PICTURE[None]}, "flip and shift")
    middles = [round(255 * float(np.array(view)[0, 1, 1])) for view, _ in found]
    assert middles == [5, 5, 9, 7, 1, 3]

"""Turned, zoomed, changed in contrast and mixed: drawn from seed and epoch, and computed as one can by hand."""

import hashlib
from typing import Any

import numpy as np
import pytest

from fortydays.inputs.images import IMAGE, Images
from fortydays.inputs.numbers import NUMBERS, Numbers
from fortydays.train.augmentation import (
    DRAWN_IN_ALL,
    DRAWN_WITH_A_CROP,
    ONE,
    Augmentation,
    augments,
    changes_of_examples,
    contrasted,
    draws_of_epoch,
    interpolated,
    mixed,
    moved,
    resampled,
)
from fortydays.train.order import batches_of_epoch
from fortydays.train.recipe import Recipe

PLAIN = Recipe(epochs=1, batch_size=4)
ORDER = batches_of_epoch(seed=0, epoch=0, examples=4000, batch_size=4)
FOUR = (7 * np.arange(16)).reshape(4, 4).astype(np.uint8)
MIXED = PLAIN.replace(mixup=0.2)


def draws(recipe: Recipe, *, seed: int = 0, epoch: int = 0) -> Any:
    return draws_of_epoch(recipe, seed=seed, epoch=epoch, order=ORDER, examples=4000, shape=(4, 4))


def drawn(
    *,
    mirrored: int = 0,
    down: int = 0,
    right: int = 0,
    degrees: float = 0.0,
    side: float = 1.0,
    contrast: float = 1.0,
    partner: int = 0,
    share: float = 1.0,
) -> list[int]:
    """A row of what is drawn, as :func:`draws_of_epoch` writes it."""
    turn = [side * np.cos(np.deg2rad(degrees)), side * np.sin(np.deg2rad(degrees))]
    return [mirrored, down, right, 0, 0, *(round(ONE * x) for x in turn), round(ONE * contrast), partner,
            round(ONE * share)]  # fmt: skip


def rows(*found: list[int]) -> Any:
    return np.array(found, np.int32)


def resample(image: Any, **how: Any) -> Any:
    """One image resampled, in units of a pixel's value."""
    return 255 * np.array(resampled(image[None], rows(drawn(**how))), np.float64)[0]


def test_each_new_kind_counts_as_augmentation_and_needs_more_numbers() -> None:
    assert draws(PLAIN.replace(crop=0.3)).shape == (1000, 4, DRAWN_WITH_A_CROP)
    for change in ({"rotation": 5.0}, {"zoom": 0.1}, {"contrast": 0.1}, {"mixup": 0.2}):
        assert augments(PLAIN.replace(**change))
        assert draws(PLAIN.replace(**change)).shape == (1000, 4, DRAWN_IN_ALL)
    assert not augments(PLAIN.replace(class_weights="balanced"))


def test_what_is_not_drawn_changes_nothing() -> None:
    contrast = draws(PLAIN.replace(contrast=0.5))
    for place in range(4):
        assert (contrast[:, place, [0, 1, 2, 3, 4, 5, 6, 8, 9]] == [0, 0, 0, 0, 0, ONE, 0, place, ONE]).all()
    mixing = draws(MIXED)
    assert (mixing[..., 5:8] == [ONE, 0, ONE]).all()


def test_a_new_kind_leaves_the_draws_of_the_old_ones_alone() -> None:
    old = PLAIN.replace(flip="random", shift=2, cutout=2)
    new = old.replace(rotation=10.0, zoom=0.1, contrast=0.2, mixup=0.3)
    assert np.array_equal(draws(old), draws(new)[..., :5])


def test_a_crop_leaves_the_other_draws_alone() -> None:
    old = PLAIN.replace(flip="random", shift=2, cutout=2, contrast=0.2, mixup=0.3)
    found = draws(old.replace(crop=0.5))
    for column in (0, 1, 2, 3, 4, 7, 8, 9):
        assert np.array_equal(draws(old)[..., column], found[..., column])


def test_crops_keep_to_their_areas_shapes_and_places_and_use_all_of_them() -> None:
    found = draws(PLAIN.replace(crop=0.75)).reshape(-1, DRAWN_WITH_A_CROP) / ONE
    height, width, below, beside = found[:, 5], found[:, 10], found[:, 12], found[:, 13]
    assert not found[:, [6, 11]].any()  # nothing is turned
    whole = np.maximum(height, width) < 0.999  # the others have a side that was cut to the image's
    areas, ratios = (height * width)[whole], (width / height)[whole]
    assert 0.25 - 1e-3 < areas.min() < 0.27
    assert areas.max() > 0.9
    assert 0.75 - 1e-3 < ratios.min() < 0.77 and 1.31 < ratios.max() < 4 / 3 + 1e-3
    assert np.log(ratios).mean() == pytest.approx(0, abs=0.03)
    assert max(height.max(), width.max()) <= 1
    for share, off in ((height, below), (width, beside)):
        # Half pixels from the middle of an image of four: half of what is left over, at most.
        assert (np.abs(off) <= (1 - share) * 4 + 1e-3).all()
        assert np.abs(off).max() > 1.7
        assert off.mean() == pytest.approx(0, abs=0.05)


def test_a_quarter_of_an_image_is_enlarged_to_all_of_it(keras: Any) -> None:
    # The upper left quarter: half as high and wide, and its middle a pixel above and left of the image's.
    row = [*drawn(), round(ONE / 2), 0, -2 * ONE, -2 * ONE]
    row[5], row[6] = round(ONE / 2), 0
    found = 255 * np.array(resampled(FOUR[None], rows(row), cropped=True), np.float64)[0]
    # Between the places -0.25, 0.25, 0.75 and 1.25 of 0, 7, 14, 21 in a row and of 0, 28, 56, 84 in a column; the
    # first is a quarter of the way to the pixel that is reflected at the edge.
    across, down = np.array([1.75, 1.75, 5.25, 8.75]), np.array([7.0, 7.0, 21.0, 35.0])
    assert np.abs(found - (down[:, None] + across)).max() < 0.1


def test_a_crop_that_is_the_whole_image_is_the_image(keras: Any) -> None:
    row = [*drawn(), ONE, 0, 0, 0]
    assert np.array(resampled(FOUR[None], rows(row), cropped=True)) == pytest.approx(FOUR[None] / 255, rel=3e-7)


def test_draws_depend_on_seed_and_epoch_and_nothing_else() -> None:
    recipe = PLAIN.replace(rotation=10.0, zoom=0.1, contrast=0.2, mixup=0.3)
    again = draws(recipe, seed=3, epoch=5)
    assert again.dtype == np.int32
    assert np.array_equal(draws(recipe, seed=3, epoch=5), again)
    for other in (draws(recipe, seed=4, epoch=5), draws(recipe, seed=3, epoch=6)):
        assert all((other[..., i] != again[..., i]).mean() > 0.5 for i in range(5, 10))


def test_turns_sides_and_factors_keep_to_their_ranges_and_use_all_of_them() -> None:
    found = draws(PLAIN.replace(rotation=30.0, zoom=0.2, contrast=0.4)).reshape(-1, DRAWN_IN_ALL) / ONE
    degrees, sides = np.rad2deg(np.arctan2(found[:, 6], found[:, 5])), np.hypot(found[:, 5], found[:, 6])
    for values, low, high in ((degrees, -30, 30), (sides, 0.8, 1.2), (found[:, 7], 0.6, 1.4)):
        assert low - 1e-3 < values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() < high + 1e-3
        assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.02 * (high - low))


def test_an_image_is_mixed_with_another_one_of_its_batch_and_with_each_of_them() -> None:
    partners = draws(MIXED)[..., 8]
    for place in range(4):
        assert set(partners[:, place]) == {0, 1, 2, 3} - {place}


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_have_the_beta_distribution(alpha: float) -> None:
    shares = draws(PLAIN.replace(mixup=alpha))[..., 9] / ONE
    assert len(set(shares[0])) == 4  # one for each image, not for the batch
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=0.01)


@pytest.mark.parametrize("turns", [-1, 0, 1, 2])
def test_turning_by_right_angles_is_that_of_numpy(turns: int, keras: Any) -> None:
    assert np.round(resample(FOUR, degrees=90 * turns), 3).tolist() == np.rot90(FOUR, turns).tolist()
    odd = FOUR[:3, :3]
    assert np.round(resample(odd, degrees=90 * turns), 3).tolist() == np.rot90(odd, turns).tolist()


def test_half_a_right_angle_is_read_off_the_diagonal(keras: Any) -> None:
    # 3 x 3, turned by 45 degrees: the pixel right of the middle was half a diagonal away, up right or down right.
    ramp = np.array([[0, 0, 100], [0, 0, 0], [0, 0, 0]], np.uint8)
    step = np.sqrt(0.5)  # in rows and in columns: 0.71 of the way from the middle to the corner pixel
    found = resample(ramp, degrees=45)
    assert found[0, 1] == pytest.approx(100 * step**2, abs=0.5)  # what was up right is now above
    assert found[1, 2] == pytest.approx(0, abs=0.5)
    assert resample(ramp, degrees=-45)[1, 2] == pytest.approx(100 * step**2, abs=0.5)


def test_zooming_in_shows_the_middle_and_zooming_out_the_reflected_surroundings(keras: Any) -> None:
    line = np.array([[0, 40, 80, 120, 160]], np.uint8).repeat(5, axis=0)
    assert resample(line, side=0.5)[2].tolist() == pytest.approx([40, 60, 80, 100, 120], abs=1e-3)
    assert resample(line, side=1.5)[2].tolist() == pytest.approx([40, 20, 80, 140, 120], abs=1e-3)


def test_a_constant_image_stays_constant_however_it_is_resampled(keras: Any) -> None:
    constant = np.full((5, 4), 200, np.uint8)
    for how in ({"side": 0.7}, {"side": 1.9}, {"degrees": 33.0}, {"degrees": 170.0, "side": 1.3, "down": 2}):
        assert (np.array(interpolated(constant[None], rows(drawn(**how)))) == 200 * 2**16).all()


def test_without_a_turn_and_a_zoom_resampling_is_moving(keras: Any) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3)).astype(np.uint8)
    how = [(m, d, r) for m in (0, 1) for d, r in ((0, 0), (2, -1), (-4, 3))]
    found = resampled(pictures, rows(*(drawn(mirrored=m, down=d, right=r) for m, d, r in how)))
    expected = np.array(moved(pictures, np.array(how, np.int32))) / np.float32(255)
    assert np.array(found) == pytest.approx(expected, abs=1e-7)


def test_an_image_is_mirrored_turned_and_then_shifted(keras: Any) -> None:
    expected = np.rot90(FOUR[:, ::-1])
    expected = np.concatenate([expected[1:2], expected[:-1]])  # a step down shows the second row as reflected edge
    assert np.round(resample(FOUR, mirrored=1, degrees=90, down=1), 3).tolist() == expected.tolist()


def test_every_image_is_resampled_by_its_own_draw_in_all_channels(keras: Any) -> None:
    pictures = np.stack([FOUR, 2 * FOUR])[..., None] + np.array([0, 40], np.uint8)
    found = np.round(255 * np.array(resampled(pictures, rows(drawn(degrees=90), drawn(degrees=180)))), 3)
    assert found[0].tolist() == np.rot90(pictures[0]).tolist()
    assert found[1].tolist() == np.rot90(pictures[1], 2).tolist()


def test_a_row_of_pixels_and_a_single_one_can_be_turned_too(keras: Any) -> None:
    assert resample(np.array([[10, 20, 30]], np.uint8), degrees=180)[0].tolist() == pytest.approx([30, 20, 10])
    assert resample(np.array([[90]], np.uint8), degrees=45, side=1.5)[0].tolist() == pytest.approx([90])


def test_both_backends_show_the_very_same_pixels(keras: Any) -> None:
    """This file is run on each backend, against one digest: the places and weights are whole numbers."""
    pictures = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    recipe = PLAIN.replace(flip="random", shift=4, rotation=36.0, zoom=0.3)
    how = draws(recipe)[7]
    found = np.array(interpolated(pictures, how))
    assert found.dtype == np.int32
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == "eb1b385eba4aeb31"
    assert np.array(resampled(pictures, how)) == pytest.approx(found / (255 * 2**16), rel=3e-7)


def test_contrast_keeps_the_mean_of_each_image_and_channel(keras: Any) -> None:
    images = np.array([[[[0.4, 0.2], [0.6, 0.4]]], [[[0.1, 0.5], [0.1, 0.7]]]], np.float32)  # 2 of 1 x 2, 2 channels
    found = np.array(contrasted(images, rows(drawn(contrast=1.5), drawn(contrast=0.5))))
    assert found[0, 0].tolist() == [pytest.approx([0.35, 0.15]), pytest.approx([0.65, 0.45])]
    assert found[1, 0].tolist() == [pytest.approx([0.1, 0.55]), pytest.approx([0.1, 0.65])]
    assert found.mean(axis=(1, 2)) == pytest.approx(images.mean(axis=(1, 2)))


def test_contrast_is_cut_off_at_black_and_white(keras: Any) -> None:
    found = np.array(contrasted(np.array([[[0.1, 0.5, 0.9]]], np.float32), rows(drawn(contrast=1.75))))
    assert found.tolist() == [[pytest.approx([0.0, 0.5, 1.0])]]


def test_mixing_two_images_by_a_quarter(keras: Any) -> None:
    images = np.array([[[0.0, 0.8]], [[1.0, 0.4]], [[0.5, 0.5]]], np.float32)
    how = rows(drawn(partner=1, share=0.25), drawn(partner=0, share=0.5), drawn(partner=1))
    assert np.array(mixed(images, how)).tolist() == [
        [pytest.approx([0.75, 0.5])],
        [pytest.approx([0.5, 0.6])],
        [[0.5, 0.5]],
    ]


def test_losses_are_mixed_as_the_images_are_and_the_heavier_label_is_the_right_one(keras: Any) -> None:
    labels, probabilities = np.array([0, 1, 2], np.int32), np.eye(3, dtype=np.float32)
    how = rows(drawn(partner=1, share=0.25), drawn(partner=2, share=0.5), drawn(partner=0, share=0.75))

    def loss(labels: Any, probabilities: Any) -> Any:
        return 10.0 * keras.ops.cast(labels, "float32") + 1.0

    # Of labels 0 and 1 by a quarter, 1 and 2 by halves, 2 and 0 by three quarters.
    pictures = Images(shape=(4, 4))
    mixing, plain = (
        Augmentation.of(pictures, recipe, pictures.named(np.zeros((3, 4, 4), np.uint8))) for recipe in (MIXED, PLAIN)
    )
    assert np.array(mixing.losses(loss, labels, probabilities, how)).tolist() == [8.5, 16.0, 16.0]
    assert np.array(mixing.heavier_labels(labels, how)).tolist() == [1, 1, 2]
    assert np.array(plain.losses(loss, labels, probabilities, how)).tolist() == [1.0, 11.0, 21.0]
    assert plain.heavier_labels(labels, how) is labels


def test_contrast_comes_before_the_square_and_mixing_last(keras: Any) -> None:
    recipe = PLAIN.replace(contrast=0.5, cutout=1, mixup=1.0)
    images = np.array([[[0, 100, 200]], [[50, 50, 50]]], np.uint8)
    how = rows(drawn(contrast=0.5, partner=1, share=0.5), drawn(partner=0, share=1.0))  # the first pixel is covered
    augmentation = Augmentation(input=Images(shape=(1, 3)), recipe=recipe, fill=np.float32(1))
    found = 255 * np.array(augmentation.augmented({IMAGE: images}, how))
    assert found.tolist() == [
        [pytest.approx([255, 75, 100], abs=1e-3)],
        [pytest.approx([255, 50, 50], abs=1e-3)],
    ]


def test_numbers_are_shown_as_they_are_and_pixels_from_0_to_1(keras: Any) -> None:
    features = np.array([[[[300.0, -2.5]]], [[[1.0, 0.5]]]], np.float32)
    numbers, arrays = Numbers(shape=(1, 1, 2)), {NUMBERS: features}
    plain = Augmentation.of(numbers, PLAIN, arrays)
    assert numbers.in_numpy(arrays) is features
    assert np.array(plain.plain(arrays)).tolist() == features.tolist()
    assert np.array(plain.augmented(arrays, np.zeros((2, 0), np.int32))).tolist() == features.tolist()
    halves = rows(drawn(partner=1, share=0.5), drawn(partner=0, share=1.0))
    found = np.array(Augmentation.of(numbers, MIXED, arrays).augmented(arrays, halves))
    assert found[:, 0, 0].tolist() == [[150.5, -1.0], [1.0, 0.5]]
    picture, pixels = Images(shape=(1, 1)), {IMAGE: np.array([[[51]]], np.uint8)}
    assert picture.in_numpy(pixels).tolist() == [[[np.float32(0.2)]]]
    assert np.array(Augmentation.of(picture, PLAIN, pixels).plain(pixels)) == pytest.approx(0.2)


def test_the_changes_of_examples_are_told_by_field() -> None:
    assert changes_of_examples(PLAIN.replace(class_weights="balanced")) == {}
    changed = MIXED.replace(flip="random", rotation=5.0, test_views="flip")
    expected = {"flip": "random", "rotation": 5.0, "mixup": 0.2, "test_views": "flip"}
    assert changes_of_examples(changed) == expected

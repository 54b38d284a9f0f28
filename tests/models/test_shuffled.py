"""Pixels that are moved about, in every image in the same way."""

from pathlib import Path
from typing import Any

import numpy as np

from fortydays.models.shuffled import objects, shuffled_pixels

IMAGES = np.random.default_rng(0).uniform(size=(3, 4, 5, 3)).astype(np.float32)


def shuffled(images: Any, **options: Any) -> Any:
    return np.asarray(shuffled_pixels(**options)(images))


def test_each_pixel_keeps_its_channels_and_goes_to_the_same_place_in_every_image(keras: Any) -> None:
    found = shuffled(IMAGES)
    assert found.shape == IMAGES.shape
    places = [
        [np.flatnonzero((before.reshape(-1, 3) == pixel).all(axis=1)).item() for pixel in after.reshape(-1, 3)]
        for before, after in zip(IMAGES, found, strict=True)
    ]
    assert sorted(places[0]) == list(range(20))
    assert places[0] != list(range(20))
    assert places[0] == places[1] == places[2]


def test_the_permutation_depends_on_its_seed_alone(keras: Any) -> None:
    assert np.array_equal(shuffled(IMAGES), shuffled(IMAGES))
    keras.utils.set_random_seed(5)
    assert np.array_equal(shuffled(IMAGES), shuffled(IMAGES, seed=0))
    assert not np.array_equal(shuffled(IMAGES), shuffled(IMAGES, seed=1))


def test_a_saved_model_shuffles_as_before(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4, 5, 3)), shuffled_pixels(seed=3, name="shuffle")])
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, custom_objects=objects())
    assert loaded.output_shape == (None, 4, 5, 3)
    assert np.array_equal(loaded.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))

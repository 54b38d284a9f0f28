"""Images whose pixels are moved about, in every image in the same way, as a Keras layer."""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def shuffled_pixels(*, seed: int = 0, **options: Any) -> "keras.layers.Layer":
    """A layer that moves the pixels of each image to other places: one permutation for all images.

    A pixel keeps its channels. Images have the shape (height, width, channels), and so has what the layer gives.

    Args:
        seed: of the permutation. It is no seed of a trial: all trials have the same permutation.
        options: of every Keras layer, such as ``name``.
    """
    layer: keras.layers.Layer = objects()["ShuffledPixels"](seed=seed, **options)
    return layer


@functools.cache
def objects() -> dict[str, Any]:
    """The Keras objects of this module by name, registered so that models with them can be saved and loaded.

    A saved model is loaded after a call of this function, or with its result as ``custom_objects``.
    """
    import keras

    @keras.saving.register_keras_serializable(package="fortydays")
    class ShuffledPixels(keras.layers.Layer):  # type: ignore[misc]
        """The permutation of NumPy's generator with the seed, applied to the places of an image's pixels."""

        def __init__(self, *, seed: int = 0, **options: Any) -> None:
            super().__init__(**options)
            self.seed = seed

        def call(self, images: Any) -> Any:
            """Images of shape (batch, height, width, channels) with their pixels moved; the same shape and type."""
            _, height, width, channels = images.shape
            places = np.random.default_rng(self.seed).permutation(height * width)
            pixels = keras.ops.reshape(images, (-1, height * width, channels))
            return keras.ops.reshape(keras.ops.take(pixels, places, axis=1), (-1, height, width, channels))

        def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
            """The shape of the images."""
            return input_shape

        def get_config(self) -> dict[str, Any]:
            """What makes the layer again."""
            return {**super().get_config(), "seed": self.seed}

    return {"ShuffledPixels": ShuffledPixels}

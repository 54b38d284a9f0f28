"""Learned positions, as a Keras layer: attention alone does not know where a row of numbers comes from."""

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def learned_positions(**options: Any) -> "keras.layers.Layer":
    """A layer that adds a learned vector to each row of its input, another one for each place.

    The input has the shape (batch, places, width), and so has what the layer gives. The vectors are one weight of the
    shape (places, width). At the start they are small: normal, with a deviation of 0.02 (Dosovitskiy et al., 2021).

    Args:
        options: of every Keras layer, such as ``name``.
    """
    layer: keras.layers.Layer = objects()["LearnedPositions"](**options)
    return layer


@functools.cache
def objects() -> dict[str, Any]:
    """The Keras objects of this module by name, registered so that models with them can be saved and loaded.

    A saved model is loaded after a call of this function, or with its result as ``custom_objects``.
    """
    import keras

    @keras.saving.register_keras_serializable(package="fortydays")
    class LearnedPositions(keras.layers.Layer):  # type: ignore[misc]
        """A vector for each place, which is added to the row at that place."""

        def build(self, input_shape: tuple[int | None, ...]) -> None:
            """Make the vectors for an input of shape (batch, places, width)."""
            if len(input_shape) != 3 or None in input_shape[1:]:
                raise ValueError(
                    f"The input of learned positions has the shape {tuple(input_shape)}; expected (batch, places, "
                    "width) with a fixed number of places. Reshape the input."
                )
            self.vectors = self.add_weight(
                shape=input_shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02), name="positions"
            )

        def call(self, inputs: Any) -> Any:
            """The rows with their positions added, of the same shape."""
            return inputs + self.vectors

        def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
            """The shape of the input."""
            return input_shape

    return {"LearnedPositions": LearnedPositions}

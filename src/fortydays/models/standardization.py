"""Standardization of inputs of any scale, as a Keras layer, and statistics that a compiled program does not keep."""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras


def standardization(**options: Any) -> "keras.layers.Normalization":
    """A layer that gives each column of its inputs a mean of 0 and a deviation of 1, whatever their scale.

    A column is a place on the last axis. Keras's ``Normalization`` divides by 1e-7 at least, so that inputs of 1e-10
    stay small, and a network on them learns nothing. A column that is constant in the training examples becomes 0.

    Args:
        options: of every Keras layer, such as ``name``.

    Returns:
        A layer that waits for examples (:func:`fortydays.train.framework.build_model` shows it some).
    """
    layer: keras.layers.Normalization = objects()["Standardization"](**options)
    return layer


@functools.cache
def objects() -> dict[str, Any]:
    """The Keras objects of this module by name, registered so that models with them can be saved and loaded.

    A saved model is loaded after a call of this function, or with its result as ``custom_objects``.
    """
    import keras

    @keras.saving.register_keras_serializable(package="fortydays")
    class LiveNormalization(keras.layers.Normalization):  # type: ignore[misc]
        """Normalization that reads its statistics when it is computed.

        Keras's own has them as constants. A compiled program keeps these, and gives another model those of the first.
        """

        def call(self, inputs: Any) -> Any:
            """The normalized inputs, of the same shape."""
            names = ("mean", "variance")
            kept = [getattr(self, name) for name in names]
            self.finalize_state()  # makes them from the variables, inside a program too
            try:
                return super().call(inputs)
            finally:
                for name, value in zip(names, kept, strict=True):
                    setattr(self, name, value)

    @keras.saving.register_keras_serializable(package="fortydays")
    class Standardization(LiveNormalization):
        """Normalization of inputs that were brought between -1 and 1 before, by a power of two for each column.

        A power of two changes no digit. The mean and the variance that Keras keeps are of the scaled inputs.
        """

        def build(self, input_shape: tuple[int | None, ...]) -> None:
            """Make the variables for inputs of shape (batch, ..., columns)."""
            super().build(input_shape)
            self.unit = self.add_weight(shape=input_shape[-1:], initializer="ones", trainable=False, name="unit")

        def adapt(self, data: NDArray[np.floating[Any]]) -> None:
            """Take the statistics from finite examples of shape (n, ..., columns), in float64."""
            if not self.built:
                self.build(data.shape)
            others = tuple(range(data.ndim - 1))
            largest, smallest = data.max(axis=others), data.min(axis=others)
            _, exponents = np.frexp(np.maximum(np.abs(largest), np.abs(smallest)))
            # float32 holds no power of two above 127.
            unit = np.where(largest == smallest, 0.0, np.exp2(-np.maximum(exponents, -126.0)))
            self.unit.assign(unit.astype(np.float32))
            super().adapt(np.asarray(data, np.float64) * unit)

        def call(self, inputs: Any) -> Any:
            """The standardized inputs, of the same shape."""
            return super().call(inputs * self.unit)

    return {each.__name__: each for each in (LiveNormalization, Standardization)}

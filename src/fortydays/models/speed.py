"""A convolutional network that learns photographs of 32 x 32 pixels in seconds (after Jordan, 2024).

"94% on CIFAR-10 in 3.29 Seconds on a Single GPU" gathers what makes such a network learn fast: a first layer that is
computed from the images instead of learned, filters that begin as the identity, normalization without scales, pooling
before it. The network here is built from plain Keras layers and the two kinds of object that Keras lacks: a layer,
``Whitening``, and an initializer, ``IdentityFirst``.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

WHITENING_EPSILON = 5e-4
"""Added to the variances that whitening divides by, so that faint patterns, which are mostly noise, stay faint."""

SHAPE = (32, 32, 3)
_SIDE = 2
"""Pixels of a whitened patch, each way."""


def speed_network(
    *,
    widths: Sequence[int] = (64, 256, 256),
    convolutions: int = 2,
    whitening_bias: bool = True,
    whitening_strides: int = 1,
    input_shape: tuple[int, int, int] = SHAPE,
    classes: int = 10,
) -> "Callable[[], keras.Model]":
    """A whitening layer, then blocks of convolution, pooling, normalization and GELU, then a linear head.

    The largest value of each feature map, over what is left of the image, goes to the head, whose weights begin with a
    standard deviation of one over the number of features. Where the original has 1 and divides the logits by that
    number, the function is the same; SGD's steps are with the square of that number in its learning rate.

    Args:
        widths: filters in each block; a block halves the image, rounding down.
        convolutions: in each block; the first is followed by pooling.
        whitening_bias: whether the whitened image is shifted by a trained bias. Without one, slopes end at the first
            block, which saves a few percent of a step.
        whitening_strides: pixels from one whitened patch to the next: 2 makes all that follows four times cheaper.
        input_shape: of an image: height, width, channels.
        classes: how many probabilities it gives.

    Returns:
        A builder: each call gives a fresh, untrained model, whose whitening waits for images
        (:func:`fortydays.train.framework.build_model` shows it some).
    """

    def build() -> "keras.Model":
        import keras
        from keras import layers

        own = objects()
        model = keras.Sequential([keras.Input(input_shape)])
        # In float32 also where the rest is not: faint patterns are enlarged up to forty times, and rounding with them.
        model.add(
            own["Whitening"](use_bias=whitening_bias, strides=whitening_strides, dtype="float32", name="whitening")
        )
        model.add(layers.Activation("gelu"))
        for width in widths:
            for position in range(convolutions):
                model.add(
                    layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer=own["IdentityFirst"]())
                )
                if position == 0:
                    model.add(layers.MaxPooling2D(2))
                model.add(layers.BatchNormalization(momentum=0.6, epsilon=1e-5, scale=False))
                model.add(layers.Activation("gelu"))
        model.add(layers.GlobalMaxPooling2D())
        start = keras.initializers.RandomNormal(stddev=1 / widths[-1])
        model.add(layers.Dense(classes, use_bias=False, activation="softmax", kernel_initializer=start))
        return model

    return build


_AT_ONCE = 100
"""Images that are worked on together: few enough for a processor's cache."""


def channel_statistics(images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each channel, float32, shape (channels,); a deviation is never 0.

    Args:
        images: float32, shape (n, height, width, channels).
    """
    channels = images.shape[-1]
    sums, squares = np.zeros(channels, np.float64), np.zeros(channels, np.float64)
    for start in range(0, len(images), _AT_ONCE):
        pixels = images[start : start + _AT_ONCE].reshape(-1, channels)
        sums += np.ones(len(pixels), np.float32) @ pixels
        squares += np.diagonal(pixels.T @ pixels)
    count = images.size // channels
    mean = sums / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    return mean.astype(np.float32), deviation.astype(np.float32)


def whitening_filters(images: NDArray[np.float32], *, epsilon: float = WHITENING_EPSILON) -> NDArray[np.float32]:
    """Filters whose answers to the patches of some images are uncorrelated and of equal variance (PCA whitening).

    For the eigenvectors v and eigenvalues λ of the covariance of all patches, a filter is ``v / sqrt(λ + epsilon)``.
    Filters come in pairs of opposite sign, because what follows them lets through one sign only.

    Args:
        images: float32, shape (n, height, width, channels), each channel with mean 0.
        epsilon: added to the eigenvalues.

    Returns:
        float32, shape (2, 2, channels, 8 * channels), the strongest pattern first: a filter,
        then, in the second half, the opposite of each.
    """
    height, width, channels = images.shape[1:]
    rows, columns = height - _SIDE + 1, width - _SIDE + 1
    numbers = _SIDE**2 * channels
    total = np.zeros((numbers, numbers), np.float64)
    for start in range(0, len(images), _AT_ONCE):
        some = images[start : start + _AT_ONCE]
        shifted = [some[:, i : i + rows, j : j + columns] for i in range(_SIDE) for j in range(_SIDE)]
        patches = np.concatenate(shifted, axis=-1).reshape(-1, numbers)
        total += patches.T @ patches
    variances, patterns = np.linalg.eigh(total / (len(images) * rows * columns))
    filters = (patterns / np.sqrt(np.maximum(variances, 0.0) + epsilon))[:, ::-1]
    # The sign of an eigenvector is the library's choice; with both signs there, only the order depends on it.
    filters = filters * np.where(filters[np.abs(filters).argmax(axis=0), np.arange(numbers)] < 0, -1.0, 1.0)
    return _with_opposites(filters)


def _with_opposites(filters: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Filters, one a column, and behind them the opposite of each; shape (2, 2, channels, filters)."""
    both = np.concatenate([filters, -filters], axis=1)
    return both.reshape(_SIDE, _SIDE, -1, both.shape[1]).astype(np.float32)


@functools.cache
def objects() -> dict[str, Any]:
    """The Keras objects of this module by name, registered so that models with them can be saved and loaded.

    A saved model is loaded after a call of this function, or with its result as ``custom_objects``.
    """
    return {made.__name__: made for made in (_whitening(), _identity_first())}


def _whitening() -> Any:
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable(package="fortydays")
    class Whitening(keras.layers.Layer):  # type: ignore[misc]
        """A convolution over patches of 2 x 2 pixels whose filters whiten them; made from images, not trained.

        ``adapt`` computes the channels' means, which are subtracted, and the filters, in which the division by the
        channels' deviations is contained. Until then each filter gives one of a patch's numbers, or its opposite.

        Args:
            use_bias: whether a trained bias follows.
            epsilon: of :func:`whitening_filters`.
            strides: pixels from one patch to the next, each way.
        """

        def __init__(
            self, *, use_bias: bool = True, epsilon: float = WHITENING_EPSILON, strides: int = 1, **options: Any
        ) -> None:
            super().__init__(**options)
            self.use_bias, self.epsilon, self.strides = use_bias, epsilon, strides

        def build(self, input_shape: tuple[int | None, ...]) -> None:
            """Make the variables for images of shape (batch, height, width, channels)."""
            channels = input_shape[-1]
            assert channels is not None
            numbers = _SIDE**2 * channels
            unadapted = _with_opposites(np.eye(numbers))

            def start(_shape: tuple[int, ...], dtype: Any = None) -> Any:
                return ops.convert_to_tensor(unadapted, dtype=dtype)

            self.mean = self.add_weight(shape=(channels,), initializer="zeros", trainable=False, name="mean")
            self.deviation = self.add_weight(shape=(channels,), initializer="ones", trainable=False, name="deviation")
            self.kernel = self.add_weight(shape=unadapted.shape, initializer=start, trainable=False, name="kernel")
            if self.use_bias:
                limit = numbers**-0.5
                spread = keras.initializers.RandomUniform(-limit, limit)
                self.bias = self.add_weight(shape=(2 * numbers,), initializer=spread, name="bias")

        def adapt(self, images: NDArray[np.float32]) -> None:
            """Take means and filters from float32 images of shape (n, height, width, channels)."""
            mean, deviation = channel_statistics(images)
            filters = whitening_filters((images - mean) / deviation, epsilon=self.epsilon)
            self.mean.assign(mean)
            self.kernel.assign(filters / deviation[:, None])

        def call(self, inputs: Any) -> Any:
            """Whitened patches, shape (batch, height - 1, width - 1, filters) with strides of 1."""
            options = {"strides": self.strides, "padding": "valid", "data_format": "channels_last"}
            outputs = ops.conv(inputs - self.mean, self.kernel, **options)
            return outputs + self.bias if self.use_bias else outputs

        def get_config(self) -> dict[str, Any]:
            """The arguments."""
            own = {"use_bias": self.use_bias, "epsilon": self.epsilon, "strides": self.strides}
            return {**super().get_config(), **own}

    return Whitening


def _identity_first() -> Any:
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable(package="fortydays")
    class IdentityFirst(keras.initializers.Initializer):  # type: ignore[misc]
        """Filters of which the first pass on one input channel each, as it is; the others are random.

        An image's patterns then reach every layer from the first step. The others are uniform within
        ``±1 / sqrt(inputs of a filter)``.

        Args:
            seed: of the random filters; drawn from Keras's seed unless given.
        """

        def __init__(self, seed: int | None = None) -> None:
            # Half of He's variance of 2 / inputs would be 1 / inputs; the uniform distribution with that limit has a
            # third of it.
            self._random = keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform", seed=seed)

        def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
            """Filters of a shape (height, width, channels, filters)."""
            height, width, channels, filters = shape
            passed_on = min(channels, filters)
            identity = np.zeros(shape, np.float32)
            identity[height // 2, width // 2, range(passed_on), range(passed_on)] = 1.0
            is_random = (np.arange(filters) >= channels).astype(np.float32)
            random = self._random(shape, dtype=dtype)
            return ops.cast(identity, random.dtype) + random * ops.cast(is_random, random.dtype)

        def get_config(self) -> dict[str, Any]:
            """The arguments."""
            return {"seed": self._random.get_config()["seed"]}

    return IdentityFirst

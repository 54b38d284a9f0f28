"""Day 5's exercises: convolution and pooling, forward and backward, and what they cost."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def convolution(image: np.ndarray, filters: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The feature maps of an image, without padding: (height - size + 1, width - size + 1, filters).

    image is (height, width, channels), filters are (size, size, channels, filters), bias is (filters,).
    """
    size = filters.shape[0]
    height, width = image.shape[0] - size + 1, image.shape[1] - size + 1
    maps = np.empty((height, width, filters.shape[3]))
    for i in range(height):
        for j in range(width):
            window = image[i : i + size, j : j + size]
            maps[i, j] = (window[..., None] * filters).sum(axis=(0, 1, 2)) + bias
    return maps


def convolution_backward(
    image: np.ndarray, filters: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients with respect to image, filters and bias, given that with respect to the feature maps."""
    size = filters.shape[0]
    image_gradient, filters_gradient = np.zeros(image.shape), np.zeros(filters.shape)
    for i in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            window = image[i : i + size, j : j + size]
            filters_gradient += window[..., None] * gradient[i, j]
            image_gradient[i : i + size, j : j + size] += (filters * gradient[i, j]).sum(axis=3)
    return image_gradient, filters_gradient, gradient.sum(axis=(0, 1))


def max_pool(image: np.ndarray) -> np.ndarray:
    """The largest number of each square of 2 x 2, in each channel. A last odd row or column is left out."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    squares = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1)
    return squares.max(axis=(1, 3))


def receptive_field() -> int:
    """How many pixels wide is what one number depends on, behind all five layers?"""
    r, d = 1, 1
    for size, stride in ((5, 1), (2, 2), (3, 1), (2, 2), (3, 1)):
        r += (size - 1) * d
        d *= stride
    return r


def convolution_parameters() -> int:
    """How many numbers does the layer learn?"""
    return 5 * 5 * 3 * 16 + 16


def convolution_multiplications() -> int:
    """How many multiplications does the layer do for one image?"""
    return (32 - 5 + 1) ** 2 * 5 * 5 * 3 * 16


def _case(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size, channels = (2 if n < 4 else 3), (1 if n == 1 else 2)
    image = grid(rng, size + n // 2, size + n - 1, channels)
    return image, grid(rng, size, size, channels, channels), grid(rng, channels)


def _backward_case(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image, filters, bias = _case(rng, n)
    return image, filters, grid(rng, *convolution(image, filters, bias).shape)


def _padded(image: np.ndarray, size: int) -> np.ndarray:
    before = (size - 1) // 2
    return np.pad(image, [(before, size - 1 - before)] * 2 + [(0, 0)])


def _overwritten(image: np.ndarray, filters: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    size, found = filters.shape[0], np.zeros(image.shape)
    for i in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            found[i : i + size, j : j + size] = (filters * gradient[i, j]).sum(axis=3)
    return found


def _with_last_row(image: np.ndarray) -> np.ndarray:
    height, width = (-(-length // 2) * 2 for length in image.shape[:2])
    padding = [(0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)]
    return max_pool(np.pad(image, padding, constant_values=-np.inf))


def _squares(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[0] // 2, image.shape[1] // 2
    return image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1)


def _overlapping(image: np.ndarray) -> np.ndarray:
    rows = np.maximum(image[:-1], image[1:])
    return np.maximum(rows[:, :-1], rows[:, 1:])


def _torn(image: np.ndarray) -> np.ndarray:
    squares = _squares(image)
    height, _, width, _, channels = squares.shape
    return squares.reshape(height, width, 2, 2, channels).max(axis=(2, 3))


EXERCISES = (
    Exercise(
        title="Convolution",
        text="""
    y[i, j, k] = b_k + sum of w[u, v, c, k] x[i + u, j + v, c]     over u, v and c

Loops over i and j are fine here.
""",
        tasks=(
            Task(
                reference=convolution,
                cases=_case,
                mistakes=(
                    wrong("The bias is missing: each filter adds its own.", lambda x, w, b: convolution(x, w, 0 * b)),
                    wrong(
                        "The filter is turned around: that is convolution in mathematics. Networks do not turn it.",
                        lambda x, w, b: convolution(x, w[::-1, ::-1], b),
                    ),
                    wrong(
                        "Rows and columns of the filter are exchanged.",
                        lambda x, w, b: convolution(x, w.transpose(1, 0, 2, 3), b),
                    ),
                    wrong(
                        "Only the first channel is used: add up all channels.",
                        lambda x, w, b: convolution(x[..., :1], w[:, :, :1], b),
                    ),
                    wrong(
                        "It is the mean over the window: it is the sum.",
                        lambda x, w, b: convolution(x, w / w[..., 0].size, b),
                    ),
                    wrong(
                        "The image is padded with zeros: begin with the first whole window.",
                        lambda x, w, b: convolution(_padded(x, len(w)), w, b),
                    ),
                    wrong(
                        "ReLU is applied: that is the next layer.", lambda x, w, b: np.maximum(convolution(x, w, b), 0)
                    ),
                    wrong(
                        "The bias is added for each channel or pixel: add it once, after the sum.",
                        lambda x, w, b: convolution(x, w, b * w[..., 0].size),
                    ),
                ),
            ),
        ),
        hints=(
            "For each i and j, cut out the window image[i : i + size, j : j + size]. It is (size, size, channels).",
            "window[..., None] * filters multiplies the window with every filter at once.",
            ".sum(axis=(0, 1, 2)) leaves one number for each filter.",
        ),
        afterwards="""
Each position is a dense layer on its window, and all positions share the weights. Libraries gather the
windows into one matrix and compute a single product.
""",
    ),
    Exercise(
        title="Backward through a convolution",
        text="""
Each output y[i, j, k] has used one window of the image and one filter. Backward, its gradient G[i, j, k]
goes to both of them. Windows overlap, so a pixel gets something from several outputs.
""",
        tasks=(
            Task(
                reference=convolution_backward,
                cases=_backward_case,
                outputs=("image_gradient", "filters_gradient", "bias_gradient"),
                mistakes=(
                    wrong(
                        "A pixel in several windows keeps only the last one's share: add with +=.",
                        _overwritten,
                        "image_gradient",
                    ),
                    wrong(
                        "The filter is turned around: it touches the pixels as it did forward.",
                        lambda x, w, g: convolution_backward(x, w[::-1, ::-1], g)[0],
                        "image_gradient",
                    ),
                    wrong(
                        "It is the mean over the positions: all of them share the filter, so add them up.",
                        lambda x, w, g: convolution_backward(x, w, g)[1] / g[..., 0].size,
                        "filters_gradient",
                    ),
                    wrong(
                        "It is the mean over the positions: the bias is added at each one, so add them up.",
                        lambda x, w, g: g.mean(axis=(0, 1)),
                        "bias_gradient",
                    ),
                    wrong(
                        "It is the sum over the filters, too: each one has its own bias.",
                        lambda x, w, g: g.sum(),
                        "bias_gradient",
                    ),
                ),
            ),
        ),
        hints=(
            "Go through the same loops as forward. At i and j there are three lines: one for each gradient.",
            "The filters get window[..., None] * gradient[i, j], added up with +=.",
            "The window of image_gradient gets (filters * gradient[i, j]).sum(axis=3).",
        ),
        afterwards="""
A shared weight gets the sum of what all its places ask for. That is one reason why a convolution
learns from few images: each image teaches it hundreds of times.
""",
    ),
    Exercise(
        title="Max pooling",
        text="""
Max-pooling keeps the largest of 2 x 2 numbers. The image is (height, width, channels), and each channel
is pooled on its own. Try it without a loop.
""",
        tasks=(
            Task(
                reference=max_pool,
                cases=lambda rng, n: (grid(rng, 2 + n // 2, 2 + n, 1 if n == 1 else 2),),
                mistakes=(
                    wrong(
                        "This is the mean of each square: keep the largest.", lambda x: _squares(x).mean(axis=(1, 3))
                    ),
                    wrong("This is the smallest of each square.", lambda x: _squares(x).min(axis=(1, 3))),
                    wrong("The squares overlap: the next one begins two pixels further.", _overlapping),
                    wrong("The last odd row or column makes squares of its own: leave it out.", _with_last_row),
                    wrong("This keeps the first number of each square.", lambda x: _squares(x)[:, 0, :, 0]),
                    wrong("The reshape tears the squares apart: (height, 2, width, 2, channels) keeps them.", _torn),
                    wrong(
                        "The channels are pooled together: each has its own largest.",
                        lambda x: _squares(x).max(axis=(1, 3, 4)),
                    ),
                ),
            ),
        ),
        hints=(
            "Cut off an odd last row and column first: image[: 2 * height, : 2 * width].",
            "reshape(height, 2, width, 2, channels), then the largest over axes 1 and 3.",
        ),
        afterwards="""
Backward, the whole gradient of a square goes to its largest number, and the other three get nothing.
""",
    ),
    Exercise(
        title="What it sees and what it costs",
        text="""
The receptive field: five layers, one behind the other.

    convolution 5 x 5, pooling 2 x 2, convolution 3 x 3, pooling 2 x 2, convolution 3 x 3

    r <- r + (size - 1) d        from r = 1 and d = 1
    d <- d * stride              1 for a convolution, 2 for a pooling

The cost: one convolution of 16 filters, 5 x 5, without padding, on an image of 32 x 32 with 3 channels.
""",
        tasks=(
            number(
                receptive_field,
                {
                    11: "The poolings' strides are left out: behind one, neighbors are two pixels apart.",
                    17: "The poolings are left out of r: they look at 2 x 2 numbers, too.",
                    23: "d changes behind a pooling, not already in it: first r, then d.",
                    12 + 4: "The last convolution's step is 4 pixels: there are two poolings before it.",
                    15: "The sizes are added: a window adds its size less one.",
                    19: "One number alone sees one pixel: begin with r = 1.",
                },
            ),
            number(
                convolution_parameters,
                {
                    1200: "The biases are missing: each filter has one.",
                    5 * 5 * 16 + 16: "A filter has weights for each of the 3 channels.",
                    5 * 5 * 3 + 1: "This is one filter: there are 16.",
                    5 * 5 * 3 * 16 + 3: "There is a bias for each filter, not for each channel.",
                    28 * 28 * 1216: "The weights are shared: they do not depend on the place.",
                    32 * 32 * 3 * 28 * 28 * 16: "This is a dense layer: a filter has 5 x 5 weights and is shared.",
                },
            ),
            number(
                convolution_multiplications,
                {
                    32 * 32 * 1200: "Without padding, a window of 5 has 28 places in 32 pixels.",
                    27 * 27 * 1200: "A window of 5 has 32 - 5 + 1 places in 32 pixels.",
                    28 * 28 * 400: "Each output is a sum over the 3 channels, too.",
                    1200: "This is one place: there are many.",
                    28 * 28 * 75: "This is one filter: there are 16.",
                    28 * 28 * 1216: "The biases are added: they are not multiplied.",
                },
            ),
        ),
        hints=(
            "Write r and d in a table with a row for each layer.",
            "Multiplications: places times weights of a filter times filters.",
        ),
        afterwards="""
The layer learns about a thousand numbers and multiplies almost a million times for each image. So the
number of parameters says little about the time.
""",
    ),
)

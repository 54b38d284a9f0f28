"""Day 13's exercises: mixing channels, paths side by side, pooling with a stride of 1, and what a module costs."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def mixed_channels(maps: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A 1 x 1 convolution with ReLU.

    maps is (height, width, channels), weights is (channels, filters), bias is (filters,). The result is
    (height, width, filters).
    """
    return np.maximum(maps @ weights + bias, 0)


def slope_of_mixing(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The gradient with respect to the weights of a 1 x 1 convolution without ReLU: shape (channels, filters).

    maps is (height, width, channels), gradient is (height, width, filters): the gradient with respect to the result.
    """
    return np.einsum("ijc,ijk->ck", maps, gradient)


def side_by_side(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The maps of two paths behind each other. Both are (height, width, channels) with channels of their own."""
    return np.concatenate([first, second], axis=-1)


def slopes_of_paths(
    gradient: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of two paths, and of the maps that both have got.

    gradient is (height, width, channels): with respect to both paths' maps behind each other. first is
    (channels in, filters) and second (channels in, filters): the weights of the two paths, which are 1 x 1
    convolutions without ReLU. Returns what reaches the maps of the first path, those of the second, and the input.
    """
    count = first.shape[1]
    of_first, of_second = gradient[..., :count], gradient[..., count:]
    return of_first, of_second, of_first @ first.T + of_second @ second.T


def pooled_in_place(numbers: np.ndarray) -> np.ndarray:
    """Max-pooling with a window of 3 x 3 and a stride of 1, of the same size. numbers is (height, width).

    What is outside of the image counts as nothing, so it is never the largest.
    """
    height, width = numbers.shape
    found = np.zeros_like(numbers)
    for i in range(height):
        for j in range(width):
            found[i, j] = numbers[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].max()
    return found


def module_weights(channels: int, one: int, reduced: int, three: int, narrow: int, five: int, pooled: int) -> int:
    """How many weights an inception module has, without biases.

    channels: maps that it gets. one: filters of the 1 x 1 path. reduced and three: filters of the 1 x 1 and of the
    3 x 3 convolution of one path. narrow and five: those of the 1 x 1 and the 5 x 5 convolution of another.
    pooled: filters of the 1 x 1 convolution behind the pooling.
    """
    return channels * (one + reduced + narrow + pooled) + 9 * reduced * three + 25 * narrow * five


def weights_saved(channels: int, narrow: int, five: int) -> int:
    """How many weights a 1 x 1 convolution with narrow filters saves before a 5 x 5 one with five filters.

    channels are the maps before both. Below zero, it saves none.
    """
    return 25 * channels * five - (channels * narrow + 25 * narrow * five)


def filters_of_a_bottleneck() -> int:
    """A 5 x 5 convolution gets 96 maps and gives 64. How many filters may a 1 x 1 convolution before it have, at most?

    Both together shall have half as many weights, or fewer.
    """
    return 25 * 96 * 64 // 2 // (96 + 25 * 64)


def _mixing(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, n, n + 1, 2), grid(rng, 2, 1 + n % 3), grid(rng, 1 + n % 3)


def _slopes(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, n, n + 1, 2), grid(rng, n, n + 1, 3)


def _paths(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, n, n + 1, 2), grid(rng, n, n + 1, 1 + n % 3)


def _paths_above(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, n, n + 1, 5), grid(rng, 2, 2), grid(rng, 2, 3)


def _image(rng: np.random.Generator, n: int) -> tuple[np.ndarray]:
    return (grid(rng, n + 1, n + 2, low=-6, high=3),)


def _filters(rng: np.random.Generator, n: int) -> tuple[int, ...]:
    return (16 * (n + 1), *(int(each) for each in rng.integers(1, 9, 6)))


def _windows(numbers: np.ndarray, outside: float) -> np.ndarray:
    """The nine numbers around each one, on the last axis."""
    wide = np.pad(numbers, 1, constant_values=outside)
    return np.lib.stride_tricks.sliding_window_view(wide, (3, 3)).reshape(*numbers.shape, 9)


def _cross(numbers: np.ndarray) -> np.ndarray:
    """The largest of a number and its four neighbors."""
    return _windows(numbers, -np.inf)[..., [1, 3, 4, 5, 7]].max(axis=-1)


def _ahead(numbers: np.ndarray) -> np.ndarray:
    """The largest of the window that begins at each number."""
    return np.array(
        [[numbers[i : i + 3, j : j + 3].max() for j in range(numbers.shape[1])] for i in range(len(numbers))]
    )


EXERCISES = (
    Exercise(
        title="Mixing channels",
        text="""
A 1 x 1 convolution is a dense layer that is the same at each position:

    y = max(0, x W + b)        x: the channels of one position

For its weights, all positions bring a part of the gradient. They are added.
""",
        tasks=(
            Task(
                reference=mixed_channels,
                cases=_mixing,
                mistakes=(
                    wrong("ReLU is missing.", lambda x, w, b: x @ w + b),
                    wrong("The bias is missing.", lambda x, w, b: np.maximum(x @ w, 0)),
                    wrong("The bias belongs into ReLU: add it before.", lambda x, w, b: np.maximum(x @ w, 0) + b),
                    wrong(
                        "All positions are averaged: each one keeps its own result.",
                        lambda x, w, b: np.broadcast_to(
                            mixed_channels(x, w, b).mean(axis=(0, 1)), (*x.shape[:2], len(b))
                        ),
                    ),
                    wrong(
                        "ReLU stands before the weights: it follows the sum.",
                        lambda x, w, b: np.maximum(x, 0) @ w + b,
                    ),
                ),
            ),
            Task(
                reference=slope_of_mixing,
                cases=_slopes,
                mistakes=(
                    wrong(
                        "This is a mean over the positions: their parts are added.",
                        lambda x, g: slope_of_mixing(x, g) / (x.shape[0] * x.shape[1]),
                    ),
                    wrong("This is the first position alone: add all.", lambda x, g: np.outer(x[0, 0], g[0, 0])),
                    wrong(
                        "The columns of each row are added first: multiply at each position, then add.",
                        lambda x, g: x.sum(axis=1).T @ g.sum(axis=1),
                    ),
                    wrong(
                        "All positions are added first: multiply at each position, then add.",
                        lambda x, g: np.outer(x.sum(axis=(0, 1)), g.sum(axis=(0, 1))),
                    ),
                    wrong("The shape is (channels, filters): turn it around.", lambda x, g: slope_of_mixing(x, g).T),
                ),
            ),
        ),
        hints=(
            "maps @ weights multiplies the last axis at each position.",
            'np.einsum("ijc,ijk->ck", maps, gradient) adds over i and j.',
        ),
        afterwards="""
Reshaped to (height * width, channels), the maps are a table, and all of it is one multiplication of matrices.
""",
    ),
    Exercise(
        title="Paths side by side",
        text="""
Two paths get the same maps x. Here both are 1 x 1 convolutions without ReLU, with weights A and B.

    y = [x A, x B]        their maps behind each other

Backward, each path gets its own part of the gradient. Both bring one back to x.
""",
        tasks=(
            Task(
                reference=side_by_side,
                cases=_paths,
                mistakes=(
                    wrong("The first path's maps come first.", lambda a, b: np.concatenate([b, a], axis=-1)),
                    wrong(
                        "The maps are mixed in turn: those of the first path come first, all of them.",
                        lambda a, b: np.concatenate([a[..., :1], b, a[..., 1:]], axis=-1),
                    ),
                    wrong("The maps of the second path are missing.", lambda a, b: a),
                    wrong("The maps of the first path are missing.", lambda a, b: b),
                ),
            ),
            Task(
                reference=slopes_of_paths,
                cases=_paths_above,
                outputs=("first path", "second path", "input"),
                mistakes=(
                    wrong(
                        "This is the end of the gradient: the first path comes first.",
                        lambda g, a, b: g[..., -a.shape[1] :],
                        "first path",
                    ),
                    wrong("This is the whole gradient: a path gets its own part.", lambda g, a, b: g, "first path"),
                    wrong(
                        "This is the beginning of the gradient: the second path comes behind the first.",
                        lambda g, a, b: g[..., : b.shape[1]],
                        "second path",
                    ),
                    wrong(
                        "The first path's gradient alone: the input gets that of both.",
                        lambda g, a, b: g[..., : a.shape[1]] @ a.T,
                        "input",
                    ),
                    wrong(
                        "The second path's gradient alone: the input gets that of both.",
                        lambda g, a, b: g[..., a.shape[1] :] @ b.T,
                        "input",
                    ),
                    wrong(
                        "This is the mean of both: they are added.",
                        lambda g, a, b: slopes_of_paths(g, a, b)[2] / 2,
                        "input",
                    ),
                ),
            ),
        ),
        hints=(
            "np.concatenate([first, second], axis=-1).",
            "gradient[..., :count] and gradient[..., count:], with count = first.shape[1].",
            "Each part @ its weights.T gives the part of the input; add both.",
        ),
        afterwards="""
A residual sum is the other way to join two paths. It needs maps of the same number, and keeps that number.
""",
    ),
    Exercise(
        title="Pooling in place",
        text="""
In an inception module, pooling must not shrink the maps. The window of 3 x 3 stands at each position and gives its
largest number. At the edge, the window has fewer numbers.
""",
        tasks=(
            Task(
                reference=pooled_in_place,
                cases=_image,
                mistakes=(
                    wrong(
                        "Zeros around the image count: where all numbers are negative, the edge becomes 0.",
                        lambda x: _windows(x, 0.0).max(axis=-1),
                    ),
                    wrong(
                        "This is the mean of each window: take the largest.",
                        lambda x: np.nanmean(_windows(x, np.nan), axis=-1),
                    ),
                    wrong("This is the smallest of each window.", lambda x: _windows(x, np.inf).min(axis=-1)),
                    wrong("The corners of the window are missing: it has nine numbers.", _cross),
                    wrong(
                        "The window begins at its position: it has to stand in the middle of it.",
                        _ahead,
                    ),
                    wrong(
                        "The window is one row high: it has three.",
                        lambda x: _windows(x, -np.inf)[..., 3:6].max(axis=-1),
                    ),
                    wrong(
                        "The window is one column wide: it has three.",
                        lambda x: _windows(x, -np.inf)[..., 1::3].max(axis=-1),
                    ),
                ),
            ),
        ),
        hints=(
            "Two loops over all positions.",
            "numbers[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2] is the window. A slice ends at the edge.",
        ),
        afterwards="""
Frameworks put minus infinity around the image. After a ReLU, zeros would do as well.
""",
    ),
    Exercise(
        title="What a module costs",
        text="""
Four paths: 1 x 1; 1 x 1 and then 3 x 3; 1 x 1 and then 5 x 5; pooling and then 1 x 1. A convolution has
size * size * maps in * maps out weights.
""",
        tasks=(
            Task(
                reference=module_weights,
                cases=_filters,
                mistakes=(
                    wrong(
                        "The window of 3 x 3 has nine places.",
                        lambda c, a, r, t, n, f, p: c * (a + r + n + p) + 3 * r * t + 25 * n * f,
                    ),
                    wrong(
                        "The window of 5 x 5 has 25 places.",
                        lambda c, a, r, t, n, f, p: c * (a + r + n + p) + 9 * r * t + 5 * n * f,
                    ),
                    wrong(
                        "The larger windows see the maps of the bottleneck, and not all.",
                        lambda c, a, r, t, n, f, p: c * (a + r + n + p) + 9 * c * t + 25 * c * f,
                    ),
                    wrong(
                        "The 1 x 1 convolutions before the larger windows are missing.",
                        lambda c, a, r, t, n, f, p: c * (a + p) + 9 * r * t + 25 * n * f,
                    ),
                    wrong(
                        "The 1 x 1 convolution behind the pooling is missing.",
                        lambda c, a, r, t, n, f, p: c * (a + r + n) + 9 * r * t + 25 * n * f,
                    ),
                    wrong(
                        "The path of 1 x 1 alone is missing.",
                        lambda c, a, r, t, n, f, p: c * (r + n + p) + 9 * r * t + 25 * n * f,
                    ),
                    wrong(
                        "Pooling has no weights of its own.",
                        lambda c, a, r, t, n, f, p: module_weights(c, a, r, t, n, f, p) + 9,
                    ),
                ),
            ),
            Task(
                reference=weights_saved,
                cases=lambda rng, n: (16 * (n + 1), int(rng.integers(2, 40)), int(rng.integers(2, 9))),
                mistakes=(
                    wrong("The 1 x 1 convolution's own weights count, too.", lambda c, n, f: 25 * (c - n) * f),
                    wrong(
                        "This is what is left: take it from what there was before.", lambda c, n, f: c * n + 25 * n * f
                    ),
                    wrong(
                        "The sign is turned around: what there was before comes first.",
                        lambda c, n, f: -weights_saved(c, n, f),
                    ),
                    wrong("It can be below zero.", lambda c, n, f: max(0, weights_saved(c, n, f))),
                    wrong("A window of 5 x 5 has 25 places.", lambda c, n, f: 5 * c * f - (c * n + 5 * n * f)),
                ),
            ),
            number(
                filters_of_a_bottleneck,
                {
                    48: "The 1 x 1 convolution has weights, too: 96 for each filter.",
                    90: "This is as many weights as without it: half are asked for.",
                    32: "This is half of the maps that it gives. Write down both sums of weights.",
                    25 * 96 * 64 // 2: "This is the number of weights: how many filters give it?",
                },
            ),
        ),
        hints=(
            "channels * filters for each of the four 1 x 1 convolutions.",
            "The bottleneck: 96 r + 25 r 64 is to be at most half of 25 * 96 * 64.",
        ),
        afterwards="""
In GoogLeNet's first module, 192 maps become 96 before the 3 x 3 convolution, and 16 before the 5 x 5 one.
""",
    ),
)

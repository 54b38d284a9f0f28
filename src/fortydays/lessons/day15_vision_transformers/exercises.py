"""Day 15's exercises: an image as rows of patches, attention by hand, places that are alike, and a block's cost."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def patches_as_rows(image: np.ndarray, size: int) -> np.ndarray:
    """The patches of an image, one in a row: (patches, size * size * channels).

    image is (height, width, channels); height and width are multiples of size. Patches come row by row, from the top
    left. The pixels of a patch come row by row, too, and the channels of a pixel beside each other.
    """
    rows, columns = image.shape[0] // size, image.shape[1] // size
    squares = image.reshape(rows, size, columns, size, -1)
    return squares.transpose(0, 2, 1, 3, 4).reshape(rows * columns, -1)


def attention_by_hand(queries: np.ndarray, keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One attention head: its weights (asking, asked), and what it gives (asking, outputs).

    queries is (asking, width), keys is (asked, width), values is (asked, outputs). No exponential may overflow.
    """
    scores = queries @ keys.T / np.sqrt(queries.shape[1])
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = powers / powers.sum(axis=1, keepdims=True)
    return weights, weights @ values


def likeness_of_places(vectors: np.ndarray) -> np.ndarray:
    """The cosine of each vector with each other one: (places, places).

    vectors is (places, width). None of them is zero.
    """
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units @ units.T


def multiply_adds_of_attention(places: int, width: int) -> int:
    """The multiply-adds of self-attention. Biases and softmax count nothing."""
    return 4 * places * width**2 + 2 * places**2 * width


def multiply_adds_of_block(places: int, width: int, hidden: int) -> int:
    """The multiply-adds of a block: self-attention, and two dense layers at each place, over so many hidden units."""
    return multiply_adds_of_attention(places, width) + 2 * places * width * hidden


def places_of_equal_cost() -> int:
    """At how many places do scores and sums of values cost as much as the four products, at a width of 48?"""
    return 2 * 48


def _image(rng: np.random.Generator, n: int) -> tuple[np.ndarray, int]:
    size, channels = 2 + n // 6, 1 if n == 1 else 3
    return grid(rng, size * (1 + n // 3), size * (2 + n // 4), channels), size


def _heads(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    width = n + 1
    scale = 400 if n == 5 else 1
    return grid(rng, n + 2, width) * scale, grid(rng, n, width), grid(rng, n, 3)


def _vectors(rng: np.random.Generator, n: int) -> tuple[np.ndarray]:
    vectors = grid(rng, n, n + 2)
    vectors[:, 0] = np.where(vectors[:, 0] == 0, 1.0, vectors[:, 0])
    return (vectors,)


def _sizes(rng: np.random.Generator, n: int) -> tuple[int, int]:
    return int(rng.integers(1, 9)) * n + 1, 16 * int(rng.integers(1, 5))


def _block(rng: np.random.Generator, n: int) -> tuple[int, int, int]:
    places, width = _sizes(rng, n)
    return places, width, width * int(rng.integers(2, 5))


def _squares(image: np.ndarray, size: int, *order: int) -> np.ndarray:
    rows, columns = image.shape[0] // size, image.shape[1] // size
    squares = image.reshape(rows, size, columns, size, -1)
    return squares.transpose(*order).reshape(rows * columns, -1)


def _overlapping(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape[0] - size + 1, image.shape[1] - size + 1
    return np.array([image[y : y + size, x : x + size].ravel() for y in range(height) for x in range(width)])


def _softmax(scores: np.ndarray, axis: int | None) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _attended(
    queries: np.ndarray, keys: np.ndarray, values: np.ndarray, *, scale: float, axis: int | None = 1
) -> tuple[np.ndarray, np.ndarray]:
    weights = _softmax(queries @ keys.T / scale, axis)
    return weights, weights @ values


EXERCISES = (
    Exercise(
        title="Patches as rows",
        text="""
A vision transformer cuts an image into squares and makes one row of numbers of each. After that, it knows nothing of
rows and columns.

Return the patches, each as a row.
""",
        tasks=(
            Task(
                reference=patches_as_rows,
                cases=_image,
                mistakes=(
                    wrong(
                        "The pixels are cut as they lie in memory: those are strips of rows, and no squares.",
                        lambda image, size: image.reshape(-1, size * size * image.shape[2]),
                    ),
                    wrong(
                        "The patches come column by column: they should come row by row.",
                        lambda image, size: _squares(image, size, 2, 0, 1, 3, 4),
                    ),
                    wrong(
                        "Inside a patch, the channels are apart: those of a pixel stand beside each other.",
                        lambda image, size: _squares(image, size, 0, 2, 4, 1, 3),
                    ),
                    wrong(
                        "Inside a patch, the pixels come column by column: they should come row by row.",
                        lambda image, size: _squares(image, size, 0, 2, 3, 1, 4),
                    ),
                    wrong(
                        "The patches overlap: each begins where the one before it ends.",
                        _overlapping,
                    ),
                    wrong(
                        "Each patch is averaged: keep all its numbers.",
                        lambda image, size: (
                            _squares(image, size, 0, 2, 1, 3, 4).reshape(-1, size * size, image.shape[2]).mean(axis=1)
                        ),
                    ),
                ),
            ),
        ),
        hints=(
            "Split height and width into two axes each: image.reshape(rows, size, columns, size, channels).",
            "Bring the two axes of the grid to the front with transpose, and then reshape.",
            "squares.transpose(0, 2, 1, 3, 4).",
        ),
        afterwards="""
A convolution whose stride is its window does the same, and multiplies each row by its weights: the first layer of
`patches`.
""",
    ),
    Exercise(
        title="Attention by hand",
        text="""
Each place that asks has a query, and each place that is asked a key and a value. All have d numbers in query and key.

    weights = softmax(queries @ keys.T / sqrt(d))        over all places that are asked
    result  = weights @ values
""",
        tasks=(
            Task(
                reference=attention_by_hand,
                cases=_heads,
                outputs=("weights", "result"),
                mistakes=(
                    wrong(
                        "The scores are not divided by the root of the width.",
                        lambda q, k, v: _attended(q, k, v, scale=1.0),
                    ),
                    wrong(
                        "The scores are divided by the width: it should be its root.",
                        lambda q, k, v: _attended(q, k, v, scale=q.shape[1]),
                    ),
                    wrong(
                        "The scores are divided by the root of the number of places: it should be that of the width.",
                        lambda q, k, v: _attended(q, k, v, scale=np.sqrt(len(k))),
                    ),
                    wrong(
                        "Softmax goes over the places that ask: the weights of each of these should add up to 1.",
                        lambda q, k, v: _attended(q, k, v, scale=np.sqrt(q.shape[1]), axis=0),
                    ),
                    wrong(
                        "Softmax goes over all pairs at once: each place that asks has its own.",
                        lambda q, k, v: _attended(q, k, v, scale=np.sqrt(q.shape[1]), axis=None),
                    ),
                    wrong(
                        "Softmax is missing: these are the scores.",
                        lambda q, k, v: q @ k.T / np.sqrt(q.shape[1]),
                        "weights",
                    ),
                    wrong(
                        "It is made of the scores: softmax comes before the sum of values.",
                        lambda q, k, v: q @ k.T / np.sqrt(q.shape[1]) @ v,
                        "result",
                    ),
                    wrong(
                        "The weights are of the keys: what they add up are the values.",
                        lambda q, k, v: attention_by_hand(q, k, v)[0] @ k,
                        "result",
                    ),
                ),
            ),
        ),
        hints=(
            "scores = queries @ keys.T / np.sqrt(queries.shape[1]) is (asking, asked).",
            "Subtract the largest score of each row before np.exp, and divide by the sum of each row.",
        ),
        afterwards="""
A sum of d products of numbers with a variance of 1 has a variance of d. Without the root, the scores of a wide head
are so large that softmax takes one place alone, and its gradient is nearly zero.
""",
    ),
    Exercise(
        title="Which places are alike",
        text="""
A vision transformer learns a vector for each place of the image. How alike are two of them?

    cosine = a . b / (length of a * length of b)

Return it for all pairs.
""",
        tasks=(
            Task(
                reference=likeness_of_places,
                cases=_vectors,
                mistakes=(
                    wrong("The lengths are missing: these are products of vectors.", lambda v: v @ v.T),
                    wrong(
                        "It is divided by one of the two lengths only.",
                        lambda v: v @ v.T / np.linalg.norm(v, axis=1, keepdims=True),
                    ),
                    wrong(
                        "It is divided by the squares of the lengths.",
                        lambda v: (v / (v**2).sum(axis=1, keepdims=True)) @ (v / (v**2).sum(axis=1, keepdims=True)).T,
                    ),
                    wrong(
                        "The lengths are those of the columns: take them over axis 1.",
                        lambda v: (v / np.linalg.norm(v, axis=0)) @ (v / np.linalg.norm(v, axis=0)).T,
                    ),
                    wrong(
                        "All numbers together have one length here: each vector has its own.",
                        lambda v: v @ v.T / (v**2).sum(),
                    ),
                    wrong(
                        "This is a correlation: the mean of a vector is not taken away.",
                        lambda v: likeness_of_places(v - v.mean(axis=1, keepdims=True)),
                    ),
                    wrong(
                        "These are distances: a cosine is 1 for two vectors that point the same way.",
                        lambda v: np.linalg.norm(v[:, None] - v, axis=2),
                    ),
                ),
            ),
        ),
        hints=(
            "np.linalg.norm(vectors, axis=1, keepdims=True) has the length of each.",
            "Divide each vector by its length first. Then all products are units @ units.T.",
        ),
        afterwards="""
`forty report 15` shows these cosines for the trained network, as a map for each place. Nobody told it which places are
neighbors.
""",
    ),
    Exercise(
        title="What a block costs",
        text="""
Self-attention makes a query, a key and a value of each place. Each pair of places has a score, and each place a sum of
all values. A last layer mixes the heads. All of these have the same width.

Then two dense layers follow at each place: to the hidden units, and back.

Count multiply-adds. The number of heads does not change them.
""",
        tasks=(
            Task(
                reference=multiply_adds_of_attention,
                cases=_sizes,
                mistakes=(
                    wrong(
                        "The scores and the sums of values are missing: each pair of places has both.",
                        lambda p, d: 4 * p * d**2,
                    ),
                    wrong(
                        "The layer that mixes the heads is missing: there are four products with weights.",
                        lambda p, d: 3 * p * d**2 + 2 * p**2 * d,
                    ),
                    wrong(
                        "Each pair of places costs twice: once for the score, once for the sum of values.",
                        lambda p, d: 4 * p * d**2 + p**2 * d,
                    ),
                    wrong(
                        "A score costs as many multiply-adds as the width.",
                        lambda p, d: 4 * p * d**2 + 2 * p**2,
                    ),
                    wrong(
                        "The products with weights are needed at every place.",
                        lambda p, d: 4 * d**2 + 2 * p**2 * d,
                    ),
                    wrong(
                        "Each place looks at all places, itself too, and not at one.",
                        lambda p, d: 4 * p * d**2 + 2 * p * d,
                    ),
                ),
            ),
            Task(
                reference=multiply_adds_of_block,
                cases=_block,
                mistakes=(
                    wrong(
                        "There are two dense layers: to the hidden units, and back.",
                        lambda p, d, h: multiply_adds_of_attention(p, d) + p * d * h,
                    ),
                    wrong(
                        "The dense layers are needed at every place.",
                        lambda p, d, h: multiply_adds_of_attention(p, d) + 2 * d * h,
                    ),
                    wrong("The attention is missing.", lambda p, d, h: 2 * p * d * h),
                    wrong("The dense layers are missing.", lambda p, d, h: multiply_adds_of_attention(p, d)),
                ),
            ),
            number(
                places_of_equal_cost,
                {
                    48: "Four products with weights stand against two for each pair of places.",
                    192: "The pairs cost twice as well: for the score, and for the sum of values.",
                    24: "It is the other way around: more places make the pairs dearer.",
                    96 * 96: "That is the number of pairs.",
                },
            ),
        ),
        hints=(
            "A dense layer from a to b costs a * b at each place.",
            "Scores: places * places * width. Sums of values: as much again.",
            "The last one, with a width of 48: 4 * places * 48 * 48 = 2 * places * places * 48.",
        ),
        afterwards="""
Twice as many places on each side make four times as many places, and sixteen times as many pairs. This is why
transformers take patches and not pixels.
""",
    ),
)

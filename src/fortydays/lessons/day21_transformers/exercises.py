"""Day 21's exercises: a block of a transformer in NumPy, part by part."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def sinusoidal_positions(length: int, width: int) -> np.ndarray:
    """The positions of the places 1, 2, ... length: (length, width), sines in the first half and then cosines.

    width is even. Wave i of the width / 2 turns by 10000 ** (-i / (width / 2)) from one place to the next.
    """
    half = width // 2
    rates = 10_000.0 ** (-np.arange(half) / half)
    angles = np.arange(1, length + 1)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def attend(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    """What each word hears from all words of its text in one head: (words, width).

    query, key and value are (words, width): what each word asks, is found by, and offers.
    """
    scores = np.exp(query @ key.T / np.sqrt(query.shape[1]))
    return scores / scores.sum(axis=1, keepdims=True) @ value


def split_heads(vectors: np.ndarray, heads: int) -> np.ndarray:
    """The columns of each word's vector, shared among heads: (heads, words, width / heads).

    vectors is (words, width). The first head has the first columns.
    """
    words, width = vectors.shape
    return vectors.reshape(words, heads, width // heads).transpose(1, 0, 2)


def normalized_words(vectors: np.ndarray) -> np.ndarray:
    """The vectors of words, each with mean 0 and deviation 1 over its own numbers: (words, width).

    vectors is (words, width). 0.001 is added to the variance before its root is taken.
    """
    mean = vectors.mean(axis=1, keepdims=True)
    return (vectors - mean) / np.sqrt(vectors.var(axis=1, keepdims=True) + 0.001)


def block_parameters() -> int:
    """How many numbers does the block learn?"""
    return 4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 2 * 2 * 32


def scores_of_a_text() -> int:
    """How many scores does the block compute for one text?"""
    return 4 * 150 * 150


def _places(rng: np.random.Generator, n: int) -> tuple[int, int]:
    return n + 1, 2 * int(rng.integers(2, 5))


def _heard(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return tuple(grid(rng, n + 1, 3, low=-2, high=2) for _ in range(3))


def _to_split(rng: np.random.Generator, n: int) -> tuple[np.ndarray, int]:
    heads = int(rng.integers(2, 4))
    return rng.integers(0, 90, (n + 1, 2 * heads)), heads


def _vectors(rng: np.random.Generator, n: int) -> tuple[np.ndarray]:
    return (grid(rng, n + 1, 4),)


def _waves(length: int, width: int, *, first: int = 1, base: float = 10_000.0) -> tuple[np.ndarray, np.ndarray]:
    half = width // 2
    angles = np.arange(first, first + length)[:, None] * base ** (-np.arange(half) / half)
    return np.sin(angles), np.cos(angles)


def _from_zero(length: int, width: int) -> np.ndarray:
    return np.concatenate(_waves(length, width, first=0), axis=1)


def _exchanged_waves(length: int, width: int) -> np.ndarray:
    return np.concatenate(_waves(length, width)[::-1], axis=1)


def _alternating(length: int, width: int) -> np.ndarray:
    return np.stack(_waves(length, width), axis=-1).reshape(length, width)


def _one_speed(length: int, width: int) -> np.ndarray:
    return np.concatenate(_waves(length, width, base=1.0), axis=1)


def _whole_width(length: int, width: int) -> np.ndarray:
    return np.concatenate(_waves(length, width, base=100.0), axis=1)


def _softmax(scores: np.ndarray, axis: int = 1) -> np.ndarray:
    return np.exp(scores) / np.exp(scores).sum(axis=axis, keepdims=True)


def _other_axis(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _softmax(q @ k.T / np.sqrt(q.shape[1]), axis=0) @ v


EXERCISES = (
    Exercise(
        title="Sines of the place",
        text="""
A transformer adds to each word's vector a vector of its place (Vaswani et al., 2017). With half of the width
for sines and half for cosines:

    angle of place p and wave i:  p * 10000 ** (-i / (width / 2))      i = 0, 1, ..., width / 2 - 1
""",
        tasks=(
            Task(
                reference=sinusoidal_positions,
                cases=_places,
                mistakes=(
                    wrong("The places begin at 0: they begin at 1.", _from_zero),
                    wrong("The cosines come first: begin with the sines.", _exchanged_waves),
                    wrong("Sines and cosines alternate: all sines come first.", _alternating),
                    wrong("All waves turn alike: wave i is slower than the one before.", _one_speed),
                    wrong("The power is divided by the width: divide by half of it.", _whole_width),
                ),
            ),
        ),
        hints=(
            "rates = 10_000.0 ** (-np.arange(half) / half).",
            "np.arange(1, length + 1)[:, None] * rates has an angle for each place and wave.",
        ),
        afterwards="""
The first wave tells neighbors apart, and the last one the beginning of a text from its end. Nothing of it is
learned, and it goes on for texts of any length.
""",
    ),
    Exercise(
        title="One head of attention",
        text="""
    attention(Q, K, V) = softmax(Q K^T / sqrt(width)) V

Softmax is taken over the words that are heard: the shares of each asking word add up to 1.
""",
        tasks=(
            Task(
                reference=attend,
                cases=_heard,
                mistakes=(
                    wrong(
                        "The scores are not divided by the root of the width.", lambda q, k, v: _softmax(q @ k.T) @ v
                    ),
                    wrong(
                        "The scores are divided by the width: divide by its root.",
                        lambda q, k, v: _softmax(q @ k.T / q.shape[1]) @ v,
                    ),
                    wrong("The shares add up to 1 over the asking words: sum over axis 1.", _other_axis),
                    wrong("Queries and keys are exchanged.", lambda q, k, v: attend(k, q, v)),
                    wrong("The keys are added up: the words offer their values.", lambda q, k, v: attend(q, k, k)),
                    wrong(
                        "Softmax is missing: the scores themselves are used.",
                        lambda q, k, v: q @ k.T / np.sqrt(q.shape[1]) @ v,
                    ),
                ),
            ),
        ),
        hints=(
            "query @ key.T has a row for each asking word.",
            "Divide by np.sqrt(query.shape[1]) before softmax over axis 1.",
        ),
        afterwards="""
Nothing in it depends on the place of a word. In another order of the words, the same rows come out, in that
order.
""",
    ),
    Exercise(
        title="Several heads",
        text="""
Several heads attend beside each other, each with a part of the columns. Share the columns of all words out to
the heads.
""",
        tasks=(
            Task(
                reference=split_heads,
                cases=_to_split,
                mistakes=(
                    wrong(
                        "Words and columns are mixed up: reshape to (words, heads, ...) first, and transpose then.",
                        lambda x, h: x.reshape(h, len(x), -1),
                    ),
                    wrong(
                        "The axes are not exchanged: heads come first.",
                        lambda x, h: x.reshape(len(x), h, -1),
                    ),
                    wrong(
                        "The heads take columns in turn: the first head has the first columns.",
                        lambda x, h: x.reshape(len(x), -1, h).transpose(2, 0, 1),
                    ),
                    wrong("The last head comes first.", lambda x, h: split_heads(x, h)[::-1]),
                ),
            ),
        ),
        hints=(
            "Two steps: reshape(words, heads, width // heads), and transpose.",
            "transpose(1, 0, 2) puts the heads first.",
        ),
        afterwards="""
The scores of all heads cost as many multiplications as those of one with all columns. Each head has its own
softmax, so that it can look at other words.
""",
    ),
    Exercise(
        title="Layer normalization",
        text="""
After each part of a block, the numbers of each word are brought to mean 0 and deviation 1 (Ba et al., 2016):

    y = (x - mean) / sqrt(variance + 0.001)
""",
        tasks=(
            Task(
                reference=normalized_words,
                cases=_vectors,
                mistakes=(
                    wrong(
                        "This is over the words: each word is normalized over its own numbers.",
                        lambda x: (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 0.001),
                    ),
                    wrong(
                        "The root is missing.",
                        lambda x: (x - x.mean(axis=1, keepdims=True)) / (x.var(axis=1, keepdims=True) + 0.001),
                    ),
                    wrong(
                        "The mean is not subtracted.",
                        lambda x: x / np.sqrt(x.var(axis=1, keepdims=True) + 0.001),
                    ),
                    wrong(
                        "This is over all numbers of the text: each word has its own mean.",
                        lambda x: (x - x.mean()) / np.sqrt(x.var() + 0.001),
                    ),
                    wrong(
                        "It is not divided by the deviation.",
                        lambda x: x - x.mean(axis=1, keepdims=True),
                    ),
                ),
            ),
        ),
        hints=(
            "mean and var over axis 1, with keepdims=True.",
            "np.sqrt(vectors.var(axis=1, keepdims=True) + 0.001).",
        ),
        afterwards="""
Unlike batch normalization (day 7), it needs no other text, and computes the same in training and in use.
""",
    ),
    Exercise(
        title="What a block costs",
        text="""
A block has vectors of 32 numbers and 4 heads, each of 8 columns. Query, key, value and output have weights
and biases. A dense layer of 64 units and one of 32 follow. Both layer normalizations have a scale and a shift
for each column.

A text has 150 words.
""",
        tasks=(
            number(
                block_parameters,
                {
                    4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32): "The two layer normalizations are missing.",
                    3 * (32 * 32 + 32)
                    + (32 * 64 + 64)
                    + (64 * 32 + 32)
                    + 128: "The output of the attention is missing.",
                    4 * 32 * 32 + (32 * 64 + 64) + (64 * 32 + 32) + 128: "The biases of the attention are missing.",
                    4 * 4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 128: "The heads share the columns.",
                    4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 64: "There are two layer normalizations.",
                },
            ),
            number(
                scores_of_a_text,
                {
                    150 * 150: "Each head has its own scores.",
                    4 * 150: "Each word asks all words.",
                    4 * 150 * 149: "A word asks itself, too.",
                    4 * 150 * 151 // 2: "The score of two words is another one in each direction.",
                },
            ),
        ),
        hints=(
            "Each of query, key, value and output has 32 x 32 weights and 32 biases.",
            "Each head has a score for each pair of words.",
        ),
        afterwards="""
Twice as many words need four times as many scores. That is why long texts are costly for transformers.
""",
    ),
)

"""Day 22's exercises: a text as one vector, its neighbors, a head in one step, and what training layers costs."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def text_vector(vectors: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """The vector of each text: the mean of its pieces' vectors, brought to length 1; (texts, width).

    vectors is (texts, length, width), tokens is (texts, length). A token of 0 is no piece. Each text has a piece.
    """
    there = (tokens != 0)[:, :, None]
    mean = (vectors * there).sum(axis=1) / there.sum(axis=1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def nearest_texts(vectors: np.ndarray) -> np.ndarray:
    """The place of the text that is nearest to each text by the cosine, and not that text itself: (texts,).

    vectors is (texts, width), of any length, none of them zero.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    return cosines.argmax(axis=1)


def folded_head(
    mean: np.ndarray, deviation: np.ndarray, w: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias of a head that takes features as they are, and gives what this one gives of standardized ones.

    mean and deviation are (features,), w is (features, classes), b is (classes,). The head is used as
    ((x - mean) / deviation) @ w + b, where x is (texts, features).
    """
    weights = w / deviation[:, None]
    return weights, b - mean @ weights


def tuned_step() -> int:
    """How many times the work of one layer forward does a step cost where the last two layers are trained?"""
    return 2 + 2 * 2


def whole_step() -> int:
    """The same where all six layers are trained."""
    return 6 + 2 * 6


def kept_bytes() -> int:
    """How many bytes does the file of the vectors of the pieces have?"""
    return 2_000 * 100 * 300 * 2


def _pieces(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    tokens = rng.integers(1, 9, (n + 1, n + 3))
    for row in range(n + 1):
        tokens[row, rng.integers(1, n + 3) :] = 0
    tokens[0, :2], tokens[0, -1] = (3, 4), 0
    return grid(rng, n + 1, n + 3, 3) + 0.05, tokens


def _texts(rng: np.random.Generator, n: int) -> tuple[np.ndarray]:
    long = np.round(rng.uniform(0.5, 9, (n + 2, 1)))
    return (np.round((grid(rng, n + 2, 3) + 0.05) * long, 2),)


def _head(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    deviation = np.round(rng.uniform(0.2, 3, n + 1), 1)
    return grid(rng, n + 1), deviation, grid(rng, n + 1, 2), grid(rng, 2)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _filling_counts(vectors: np.ndarray, tokens: np.ndarray) -> np.ndarray:  # noqa: ARG001
    return _unit(vectors.mean(axis=1))


def _without_length(vectors: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    there = (tokens != 0)[:, :, None]
    return (vectors * there).sum(axis=1) / there.sum(axis=1)


def _each_piece_first(vectors: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    of_pieces = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
    return _without_length(of_pieces, tokens)


def _sums_to_one(vectors: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    mean = _without_length(vectors, tokens)
    return mean / np.abs(mean).sum(axis=1, keepdims=True)


def _nearest_of(scores: np.ndarray) -> np.ndarray:
    np.fill_diagonal(scores, -np.inf)
    return scores.argmax(axis=1)


def _by_distance(vectors: np.ndarray) -> np.ndarray:
    return _nearest_of(-np.linalg.norm(vectors[:, None] - vectors[None], axis=2))


def _farthest(vectors: np.ndarray) -> np.ndarray:
    cosines = _unit(vectors) @ _unit(vectors).T
    np.fill_diagonal(cosines, np.inf)
    return cosines.argmin(axis=1)


EXERCISES = (
    Exercise(
        title="One vector for a text",
        text="""
The encoder gives a vector for each piece. The vector of the text is their mean, brought to length 1. What
fills a text up has the token 0 and does not count.
""",
        tasks=(
            Task(
                reference=text_vector,
                cases=_pieces,
                mistakes=(
                    wrong("What fills the text up counts, too.", _filling_counts),
                    wrong("The mean is not brought to length 1.", _without_length),
                    wrong(
                        "Each piece is brought to length 1, and the mean is not: take the mean first.",
                        _each_piece_first,
                    ),
                    wrong("The length of a vector is the root of the sum of its squares.", _sums_to_one),
                    wrong(
                        "All texts together are brought to length 1: each text has a length of its own.",
                        lambda v, t: _without_length(v, t) / np.linalg.norm(_without_length(v, t)),
                    ),
                ),
            ),
        ),
        hints=(
            "(tokens != 0)[:, :, None] is 1 where a piece is, for all numbers of its vector.",
            "np.linalg.norm(mean, axis=1, keepdims=True) is the length of each row.",
        ),
        afterwards="""
Sum and mean point in the same direction, so the number of pieces does not change the result.
""",
    ),
    Exercise(
        title="The nearest text",
        text="""
MiniLM was trained so that texts that mean the same have vectors in nearly the same direction. The cosine of
two vectors tells how near they are: it is their product when both have length 1.

Return for each text the place of the nearest other one.
""",
        tasks=(
            Task(
                reference=nearest_texts,
                cases=_texts,
                mistakes=(
                    wrong(
                        "A long vector is near to everything: bring all to length 1 first.",
                        lambda v: _nearest_of(v @ v.T),
                    ),
                    wrong(
                        "This is by distance: two vectors in one direction are near, however long they are.",
                        _by_distance,
                    ),
                    wrong("Each text is the nearest to itself: leave it out.", lambda v: np.arange(len(v))),
                    wrong("This is the farthest text: the largest cosine is wanted.", _farthest),
                ),
            ),
        ),
        hints=(
            "With all rows of length 1, unit @ unit.T has the cosines of all pairs.",
            "np.fill_diagonal(cosines, -np.inf) leaves out each text itself.",
        ),
        afterwards="""
Search by meaning is nothing else. For a million texts, one has an index in the place of the whole matrix.
""",
    ),
    Exercise(
        title="A head without its standardization",
        text="""
The head standardizes the features: it subtracts their mean and divides by their deviation. A linear layer
follows. Two steps that are linear can be one. Return the weights and the bias of that one.
""",
        tasks=(
            Task(
                reference=folded_head,
                cases=_head,
                outputs=("the weights", "the bias"),
                mistakes=(
                    wrong(
                        "The features are divided by their deviation, so the weights are, too.",
                        lambda m, d, w, b: w * d[:, None],
                        "the weights",
                    ),
                    wrong("The deviation is missing in the weights.", lambda m, d, w, b: w, "the weights"),
                    wrong("The mean is missing: it moves the bias.", lambda m, d, w, b: b, "the bias"),
                    wrong(
                        "The mean is subtracted, so the bias becomes b - mean @ weights.",
                        lambda m, d, w, b: b + m @ (w / d[:, None]),
                        "the bias",
                    ),
                    wrong(
                        "The mean is subtracted before the division: use the new weights here.",
                        lambda m, d, w, b: b - m @ w,
                        "the bias",
                    ),
                ),
            ),
        ),
        hints=(
            "((x - m) / d) @ w is x @ (w / d[:, None]) less a row that does not depend on x.",
            "That row is m @ (w / d[:, None]).",
        ),
        afterwards="""
That is how one learns with features of any scale, and deploys a single multiplication.
""",
    ),
    Exercise(
        title="What it costs to train further",
        text="""
An encoder has six layers of equal size. The work of one layer forward is 1. Its gradients cost twice that. In
the first way, what layer 4 gives is kept, and a step takes layers 5 and 6 forward and back. In the second way,
a step takes all six layers.

What layer 4 gives is kept for 2,000 texts of 100 pieces, each with 300 numbers of two bytes.
""",
        tasks=(
            number(
                tuned_step,
                {
                    2: "The gradients are missing: they cost twice as much as forward.",
                    4: "Forward is missing: two layers compute before there is a gradient.",
                    6 + 4: "The first four layers are not computed: what they give is kept.",
                    3: "Two layers are trained.",
                },
            ),
            number(
                whole_step,
                {
                    6: "The gradients are missing: they cost twice as much as forward.",
                    12: "Forward and gradients together are three times the work of forward.",
                    6 + 4: "All six layers are trained.",
                },
            ),
            number(
                kept_bytes,
                {
                    2_000 * 100 * 300: "Each number has two bytes.",
                    2_000 * 100 * 300 * 4: "This is with four bytes for a number.",
                    2_000 * 300 * 2: "Each piece has a vector of its own.",
                    100 * 300 * 2: "This is one text.",
                },
            ),
        ),
        hints=(
            "Forward of what is computed, plus twice that of what is trained.",
            "Texts times pieces times numbers times bytes.",
        ),
        afterwards="""
A third of the work for each step is the gain. The price is a file that grows with the number of texts.
""",
    ),
)

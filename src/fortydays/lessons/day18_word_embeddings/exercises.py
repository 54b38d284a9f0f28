"""Day 18's exercises: a table of vectors forward and backward, near words, a map, and how much is covered."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def looked_up(table: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """The vector of each word of each text: (texts, length, width).

    table is (words, width): a row for each token. tokens is (texts, length), whole numbers.
    """
    return table[tokens]


def slope_of_table(table: np.ndarray, tokens: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """The gradient of the loss with respect to the table: (words, width).

    tokens is (length,): one text. slope is (length, width): the gradient with respect to the vector at each place.
    """
    found = np.zeros(table.shape)
    np.add.at(found, tokens, slope)
    return found


def cosines_to(vectors: np.ndarray, place: int) -> np.ndarray:
    """The cosine of the angle between one vector and each of them: (words,).

    vectors is (words, width), and none is zero. place is the row of the one.
    """
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units @ units[place]


def on_first_axis(vectors: np.ndarray) -> np.ndarray:
    """Where the vectors lie along the direction in which they differ most: (words,), with mean zero.

    vectors is (words, width). The sign is such that the first place is not negative.
    """
    centered = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centered, full_matrices=False)
    found = centered @ axes[0]
    return -found if found[0] < 0 else found


def covered(tokens: np.ndarray, known: np.ndarray) -> float:
    """The share of all words of the texts that have a pretrained vector.

    tokens is (texts, length); 0 fills up and is no word. known is (words,), bool: whether a token has a vector.
    """
    return float(known[tokens[tokens != 0]].mean())


def learned_numbers() -> int:
    """How many numbers does training change where the table is frozen?"""
    return (100 * 32 + 32) + (32 * 2 + 2)


def rows_that_change() -> int:
    """How many rows of the table can one step of plain gradient descent change at most?"""
    return 16 * 200


def _to_look_up(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    return grid(rng, n + 3, 2), rng.integers(0, n + 3, (2, n + 1))


def _to_go_back(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    tokens = rng.integers(0, n + 2, n + 3)
    tokens[1] = tokens[0]  # a word that occurs twice
    return grid(rng, n + 4, 2), tokens, grid(rng, n + 3, 2)


def _directions(rng: np.random.Generator, n: int) -> tuple[np.ndarray, int]:
    vectors = grid(rng, n + 2, 3)
    vectors[(vectors == 0).all(axis=1)] = 1.0
    return vectors, int(rng.integers(0, n + 2))


def _spread_out(rng: np.random.Generator, n: int) -> tuple[np.ndarray]:
    return (np.round(rng.normal(size=(n + 4, 3)) * [0.5, 3.0, 1.0] + [1.0, 2.0, -1.0], 1),)


def _texts(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    tokens = rng.integers(1, 8, (n + 1, n + 3))
    for row in range(n + 1):
        tokens[row, : rng.integers(1, n + 2)] = 0
    known = rng.random(8) < 0.6
    known[0] = True
    known[tokens[0, -1]] = False
    return tokens, known


def _last_counts(table: np.ndarray, tokens: np.ndarray, slope: np.ndarray) -> np.ndarray:
    found = np.zeros(table.shape)
    found[tokens] = slope
    return found


def _mean_of_places(table: np.ndarray, tokens: np.ndarray, slope: np.ndarray) -> np.ndarray:
    times = np.bincount(tokens, minlength=len(table))
    return slope_of_table(table, tokens, slope) / np.maximum(times, 1)[:, None]


def _everywhere(table: np.ndarray, tokens: np.ndarray, slope: np.ndarray) -> np.ndarray:  # noqa: ARG001
    return np.tile(slope.sum(axis=0), (len(table), 1))


def _times_table(table: np.ndarray, tokens: np.ndarray, slope: np.ndarray) -> np.ndarray:
    return table * slope_of_table(table, tokens, slope)


def _not_centered(vectors: np.ndarray) -> np.ndarray:
    _, _, axes = np.linalg.svd(vectors, full_matrices=False)
    found = vectors @ axes[0]
    return -found if found[0] < 0 else found


def _on_axis(vectors: np.ndarray, which: int) -> np.ndarray:
    centered = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centered, full_matrices=False)
    found = centered @ axes[which]
    return -found if found[0] < 0 else found


def _unit_places(vectors: np.ndarray) -> np.ndarray:
    found = on_first_axis(vectors)
    return found / np.linalg.norm(found)


EXERCISES = (
    Exercise(
        title="A table of vectors",
        text="""
An embedding is a table with a row for each token. Look up the vector of each word of some texts.

In training, only the rows of words that occur get a gradient. A word that occurs twice gets the sum of both.
""",
        tasks=(
            Task(
                reference=looked_up,
                cases=_to_look_up,
                mistakes=(
                    wrong("The rows are looked up one too high.", lambda t, x: t[np.minimum(x + 1, len(t) - 1)]),
                    wrong("This is the mean over each text: keep a vector for each word.", lambda t, x: t[x].mean(1)),
                    wrong("Each text is turned around.", lambda t, x: t[x[:, ::-1]]),
                    wrong("Texts and places are exchanged.", lambda t, x: t[x.T]),
                ),
            ),
            Task(
                reference=slope_of_table,
                cases=_to_go_back,
                mistakes=(
                    wrong("Of a word that occurs twice, only the last place counts: add them up.", _last_counts),
                    wrong("Of a word that occurs twice, the mean is taken: take the sum.", _mean_of_places),
                    wrong("All rows get it: only those of words that occur do.", _everywhere),
                    wrong("It is multiplied with the table: a look-up has slope 1.", _times_table),
                    wrong("The sign is turned around.", lambda t, x, s: -slope_of_table(t, x, s)),
                ),
            ),
        ),
        hints=(
            "NumPy looks up whole arrays: table[tokens].",
            "found[tokens] += slope adds a repeated row once only.",
            "np.add.at(found, tokens, slope) adds it as often as it is there.",
        ),
        afterwards="""
A look-up is a product with a vector of one 1 and zeros elsewhere, but needs no product. Rare words get few
gradients. That is why pretrained vectors help most where texts are few.
""",
    ),
    Exercise(
        title="Words that point the same way",
        text="""
How alike are two words? The cosine of the angle between their vectors does not depend on their lengths:

    cos(u, v) = u . v / (|u| |v|)

Return the cosine of one vector with each of the table, itself among them.
""",
        tasks=(
            Task(
                reference=cosines_to,
                cases=_directions,
                mistakes=(
                    wrong("The vectors are not divided by their lengths.", lambda v, p: v @ v[p]),
                    wrong(
                        "Only one of the two is divided by its length: divide by both.",
                        lambda v, p: v @ v[p] / np.linalg.norm(v[p]),
                    ),
                    wrong(
                        "It is divided by the lengths squared.",
                        lambda v, p: (v @ v[p]) / (np.linalg.norm(v, axis=1) * np.linalg.norm(v[p])) ** 2,
                    ),
                    wrong("These are distances: take cosines.", lambda v, p: np.linalg.norm(v - v[p], axis=1)),
                    wrong("The vectors are centered first: leave them as they are.", lambda v, p: _centered(v, p)),
                ),
            ),
        ),
        hints=(
            "np.linalg.norm(vectors, axis=1, keepdims=True) has the length of each.",
            "Divide all vectors by their lengths first; then the product with one of them is the cosine.",
        ),
        afterwards="""
The largest cosines, without the word itself, are its nearest words. Near means: used in like places. Good
and bad are used in like places.
""",
    ),
    Exercise(
        title="A map of words",
        text="""
Vectors of 50 numbers do not fit on a page. Principal component analysis keeps the direction in which they differ
most: subtract the mean of all vectors, and take the first right singular vector of what is left. A map has the
second one as well.
""",
        tasks=(
            Task(
                reference=on_first_axis,
                cases=_spread_out,
                mistakes=(
                    wrong("The mean is not subtracted.", _not_centered),
                    wrong("This is the second direction: take the first.", lambda v: _on_axis(v, 1)),
                    wrong("This is the direction in which they differ least.", lambda v: _on_axis(v, -1)),
                    wrong("The places are divided by their length: leave them.", _unit_places),
                    wrong("The first place is negative: turn the sign.", lambda v: -on_first_axis(v)),
                ),
            ),
        ),
        hints=(
            "centered = vectors - vectors.mean(axis=0).",
            "np.linalg.svd(centered, full_matrices=False) gives three arrays; the rows of the third are the axes.",
            "centered @ axes[0], with the sign turned where its first number is negative.",
        ),
        afterwards="""
Two directions of fifty keep a part of the differences. The caption of such a map has to say which part.
""",
    ),
    Exercise(
        title="How much is covered",
        text="""
A published table of vectors does not have all words. Which share of all words of some texts, each as often as it
occurs, has a vector? What fills texts up has the token 0 and does not count.
""",
        tasks=(
            Task(
                reference=covered,
                cases=_texts,
                mistakes=(
                    wrong("What fills texts up counts, too.", lambda t, k: float(k[t].mean())),
                    wrong("Each word counts once: count it as often as it occurs.", lambda t, k: _of_words(t, k)),
                    wrong("This is the share without a vector.", lambda t, k: float(1 - covered(t, k))),
                    wrong("This is the share of the table: ask the texts.", lambda t, k: float(k.mean())),
                    wrong("This is how many there are.", lambda t, k: float(k[t[t != 0]].sum())),
                ),
            ),
        ),
        hints=("tokens[tokens != 0] has all words of all texts.", "known[...] of these, and the mean of that."),
        afterwards="""
Frequent words are covered, so the share is high. What is not covered are names, slips of the keyboard, and the words
of a special field. There, a table learned from other texts helps least.
""",
    ),
    Exercise(
        title="What training changes",
        text="""
A network has a frozen table of 10,000 rows and 100 columns. The mean of a text's vectors goes through a dense layer
of 32 units and one of 2 units, both with biases.

Another network has the same table and trains it. A batch has 16 texts of 200 words.
""",
        tasks=(
            number(
                learned_numbers,
                {
                    10_000 * 100 + (100 * 32 + 32) + (32 * 2 + 2): "The table is frozen: training does not change it.",
                    (100 * 32) + (32 * 2): "The biases are missing.",
                    (100 * 32 + 32): "The last layer is missing.",
                    200 * (100 * 32 + 32) + (32 * 2 + 2): "The mean has the width of one vector: 100.",
                },
            ),
            number(
                rows_that_change,
                {
                    10_000: "Rows of words that do not occur get no gradient.",
                    200: "That is one text: a batch has 16.",
                    16: "Each text has 200 words.",
                    16 * 200 * 100: "These are numbers: asked is for rows.",
                },
            ),
        ),
        hints=(
            "The dense layers have 100 x 32 and 32 x 2 weights.",
            "In a batch, no more different words can occur than there are places.",
        ),
        afterwards="""
Adam changes rows of words that do not occur as well: its averages of earlier gradients go on.
""",
    ),
)


def _centered(vectors: np.ndarray, place: int) -> np.ndarray:
    centered = vectors - vectors.mean(axis=0)
    return cosines_to(centered + 1e-12, place)


def _of_words(tokens: np.ndarray, known: np.ndarray) -> float:
    return float(known[np.unique(tokens[tokens != 0])].mean())

"""Day 19's exercises: pairs of words, accuracy in parts with its uncertainty, and a test of behaviour."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def pairs_as_numbers(tokens: np.ndarray, buckets: int) -> np.ndarray:
    """A number for each word with the word before it, from 1 to buckets; 0 where one of the two is missing: (length,).

    tokens is (length,): 0 fills up before the first word. The pair of a and b has the number
    1 + (31 a + b) modulo buckets.
    """
    before = np.concatenate([[0], tokens[:-1]])
    return np.where((before != 0) & (tokens != 0), 1 + (31 * before + tokens) % buckets, 0)


def accuracy_by(values: np.ndarray, answers: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The accuracy among the texts of each value: (asked,).

    values, answers and labels are (texts,). asked has the values, such as numbers of stars; each occurs.
    """
    return np.array([np.mean(answers[values == each] == labels[values == each]) for each in asked])


def interval_of_share(right: int, count: int) -> np.ndarray:
    """The lower and the upper end of Wilson's 95% interval for a share, (2,), with z = 1.96.

    right of count answers are right.
    """
    z, p = 1.96, right / count
    middle = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return np.array([middle - half, middle + half])


def moved_by_not(plain: np.ndarray, negated: np.ndarray, good: np.ndarray) -> float:
    """The share of pairs of sentences in which "not" moves the probability of "positive" the right way.

    plain and negated are (pairs,): the probability without and with "not". good is (pairs,), bool: whether the
    adjective is a good one. Before a good one, "not" has to make the probability smaller; before a bad one, larger.
    """
    return float(np.mean(np.where(good, negated < plain, negated > plain)))


def numbers_of_pairs() -> int:
    """How many numbers do the two tables of vectors hold?"""
    return 502 * 32 + (2**10 + 1) * 32


def pairs_in_a_text() -> int:
    """How many pairs of neighbors does the network see?"""
    return 149


def _text(rng: np.random.Generator, n: int) -> tuple[np.ndarray, int]:
    tokens = rng.integers(1, 90, n + 4)
    tokens[: 1 + n // 3] = 0
    return tokens, 7 + 10 * n


def _rated(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    values = np.concatenate([[1, 4, 8], rng.choice([1, 4, 8], 4 * n + 3)])
    labels = (values > 5).astype(int)
    answers = np.where(rng.random(len(values)) < 0.3, 1 - labels, labels)
    return values, answers, labels, np.array([1, 4, 8])


def _shares(rng: np.random.Generator, n: int) -> tuple[int, int]:
    count = 10 * n
    return int(rng.integers(0, count + 1)), count


def _probabilities(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    plain = np.abs(grid(rng, 2 * n + 3, low=0.01, high=0.99))
    negated = np.abs(grid(rng, 2 * n + 3, low=0.01, high=0.99))
    good = rng.random(2 * n + 3) < 0.5
    good[:2] = (True, False)
    plain[:2], negated[:2] = (0.9, 0.2), (0.6, 0.1)
    return plain, negated, good


def _pairs(tokens: np.ndarray, before: np.ndarray, buckets: int) -> np.ndarray:
    return np.where((before != 0) & (tokens != 0), 1 + (31 * before + tokens) % buckets, 0)


def _after(tokens: np.ndarray, buckets: int) -> np.ndarray:
    return _pairs(tokens, np.concatenate([tokens[1:], [0]]), buckets)


def _round_the_end(tokens: np.ndarray, buckets: int) -> np.ndarray:
    return _pairs(tokens, np.where(np.roll(tokens, 1) == 0, 0, np.roll(tokens, 1)), buckets)


def _filling_too(tokens: np.ndarray, buckets: int) -> np.ndarray:
    return 1 + (31 * np.concatenate([[0], tokens[:-1]]) + tokens) % buckets


def _without_order(tokens: np.ndarray, buckets: int) -> np.ndarray:
    before = np.concatenate([[0], tokens[:-1]])
    first, second = np.minimum(before, tokens), np.maximum(before, tokens)
    return np.where((before != 0) & (tokens != 0), 1 + (31 * first + second) % buckets, 0)


def _from_zero(tokens: np.ndarray, buckets: int) -> np.ndarray:
    found = pairs_as_numbers(tokens, buckets)
    return np.maximum(found - 1, 0)


def _of_all(values: np.ndarray, answers: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    return np.array([np.sum((answers == labels)[values == each]) / len(values) for each in asked])


def _wald(right: int, count: int) -> np.ndarray:
    p = right / count
    half = 1.96 * np.sqrt(p * (1 - p) / count)
    return np.array([p - half, p + half])


def _around_the_share(right: int, count: int) -> np.ndarray:
    low, high = interval_of_share(right, count)
    return right / count + np.array([-1, 1]) * (high - low) / 2


EXERCISES = (
    Exercise(
        title="Pairs of words as numbers",
        text="""
There are too many pairs of words for a vector each. A rule gives each pair one of a fixed number of vectors, and
some pairs share one:

    number = 1 + (31 before + word) modulo buckets

What fills a text up is no word, and the first word has none before it. They get the number 0.
""",
        tasks=(
            Task(
                reference=pairs_as_numbers,
                cases=_text,
                mistakes=(
                    wrong("Each word is paired with the one behind it: take the one before.", _after),
                    wrong("What fills up is paired, too: it gets 0.", _filling_too),
                    wrong('The order of the pair is lost: "not good" is not "good not".', _without_order),
                    wrong("The numbers begin at 0: that is what a missing pair has. Add 1.", _from_zero),
                    wrong(
                        "It is not taken modulo buckets.",
                        lambda t, k: pairs_as_numbers(t, 10**9),
                    ),
                ),
            ),
        ),
        hints=(
            "before = np.concatenate([[0], tokens[:-1]]).",
            "np.where((before != 0) & (tokens != 0), ..., 0).",
        ),
        afterwards="""
Pairs that share a vector disturb each other little: most pairs are rare, and the frequent ones decide.
""",
    ),
    Exercise(
        title="Where is it wrong",
        text="""
One accuracy hides much. Compute it for the texts of each number of stars.
""",
        tasks=(
            Task(
                reference=accuracy_by,
                cases=_rated,
                mistakes=(
                    wrong("These are shares of mistakes.", lambda v, a, y, k: 1 - accuracy_by(v, a, y, k)),
                    wrong("It is divided by the number of all texts: divide by those of the value.", _of_all),
                    wrong(
                        "This is the share of texts with the value.",
                        lambda v, a, y, k: np.array([np.mean(v == each) for each in k]),
                    ),
                    wrong(
                        "This is the share that is answered with 1: compare with the labels.",
                        lambda v, a, y, k: np.array([np.mean(a[v == each]) for each in k]),
                    ),
                    wrong(
                        "This is the accuracy on all texts, for each value.",
                        lambda v, a, y, k: np.full(len(k), np.mean(a == y)),
                    ),
                ),
            ),
        ),
        hints=("values == each chooses the texts of one value.", "The mean of answers == labels among these."),
        afterwards="""
A part has fewer texts than the whole, so its accuracy is less sure. The next exercise says how sure.
""",
    ),
    Exercise(
        title="How sure is a share",
        text="""
With p the share of right answers among n, and z = 1.96, Wilson's interval (1927) is

    (p + z^2 / (2n)) / (1 + z^2 / n)  ±  z sqrt(p (1 - p) / n + z^2 / (4 n^2)) / (1 + z^2 / n)

Return its lower and its upper end.
""",
        tasks=(
            Task(
                reference=interval_of_share,
                cases=_shares,
                mistakes=(
                    wrong("This is p ± z sqrt(p (1 - p) / n), which has no width where p is 0 or 1.", _wald),
                    wrong("The middle is not p: it lies nearer to a half.", _around_the_share),
                    wrong("The upper end comes first.", lambda r, n: interval_of_share(r, n)[::-1]),
                    wrong(
                        "The interval is of the mistakes: take the right answers.",
                        lambda r, n: interval_of_share(n - r, n),
                    ),
                ),
            ),
        ),
        hints=(
            "p = right / count. Compute the middle and the half width, each divided by 1 + z**2 / count.",
            "np.array([middle - half, middle + half]).",
        ),
        afterwards="""
With 300 texts and 80% right answers, the interval goes from about 75 to 84%. So much may two numbers of stars differ
by chance.
""",
    ),
    Exercise(
        title="A test of behaviour",
        text="""
"The film is good" and "the film is not good" differ in one word, and the answer has to move. A test of behaviour
asks for the direction and not for the right class (Ribeiro et al., 2020).
""",
        tasks=(
            Task(
                reference=moved_by_not,
                cases=_probabilities,
                mistakes=(
                    wrong(
                        'Before a bad adjective, "not" has to make it larger.',
                        lambda p, n, g: float(np.mean(n < p)),
                    ),
                    wrong("The directions are exchanged.", lambda p, n, g: moved_by_not(n, p, g)),
                    wrong(
                        "This asks for the right class: ask for the direction.",
                        lambda p, n, g: float(np.mean(np.where(g, n < 0.5, n > 0.5))),
                    ),
                    wrong(
                        "This is how many there are: take the share.",
                        lambda p, n, g: float(np.sum(np.where(g, n < p, n > p))),
                    ),
                    wrong(
                        "Only the good adjectives count: take all pairs.",
                        lambda p, n, g: float(np.mean(n[g] < p[g])),
                    ),
                ),
            ),
        ),
        hints=("np.where(good, negated < plain, negated > plain).", "The mean of that is the share."),
        afterwards="""
A network can be right about nine of ten reviews and fail this test: in most reviews, other words say the same.
""",
    ),
    Exercise(
        title="What the pairs cost",
        text="""
A network has 502 tokens and a table for them with vectors of 32 numbers. A second table has 1,024 vectors for pairs,
and one for missing pairs, of 32 numbers as well.

A text has 150 words, and the network sees up to 400 tokens.
""",
        tasks=(
            number(
                numbers_of_pairs,
                {
                    502 * 32: "The table of pairs is missing.",
                    502 * 32 + 2**10 * 32: "The vector of missing pairs is missing.",
                    502**2 * 32 + 502 * 32: "Pairs share vectors: there are 1,024.",
                    502 + 2**10 + 1: "These are vectors: each has 32 numbers.",
                },
            ),
            number(
                pairs_in_a_text,
                {
                    150: "The first word has none before it.",
                    399: "What fills a text up makes no pairs.",
                    400: "What fills a text up makes no pairs, and the first word has none before it.",
                    150 * 149: "Only neighbors are pairs.",
                },
            ),
        ),
        hints=("Each row of both tables has 32 numbers.", "Count the words that have a word before them."),
        afterwards="""
In large networks of words, most numbers are in the tables, and each text uses a few hundred of their rows. That is
why they are trained in seconds.
""",
    ),
)

"""Day 23's exercises: what BLEU counts, how rare words weigh, writing greedily, and one step of a beam search."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, number, wrong


def found_words(candidate: np.ndarray, references: np.ndarray) -> int:
    """How many words of a caption are found in the captions of people, as BLEU counts them.

    candidate is (words,). references is (captions, length), filled up with 0. Words are whole numbers from 1. A word
    counts at most as often as the one reference that has it most often.
    """
    words, counts = np.unique(candidate, return_counts=True)
    most = [(references == word).sum(axis=1).max() for word in words]
    return int(np.minimum(counts, most).sum())


def brevity(candidate: int, references: np.ndarray) -> float:
    """BLEU's factor for short captions, from the number of words of the caption and of those of people, (captions,).

    What counts is the reference with the closest length; of two, the shorter one.
    """
    ordered = np.sort(references)
    closest = ordered[np.abs(ordered - candidate).argmin()]
    return min(1.0, float(np.exp(1 - closest / candidate)))


def rarity(word: int, corpus: np.ndarray) -> float:
    """The weight of a word in CIDEr: log(N / max(1, d)), where d of N photographs have the word in some caption.

    corpus is (photographs, captions, length): words are whole numbers from 1, and 0 fills up.
    """
    have = (corpus == word).any(axis=(1, 2)).sum()
    return float(np.log(len(corpus) / max(1, have)))


def write_greedily_by_table(table: np.ndarray, begin: int, end: int, longest: int) -> list[int]:
    """The tokens of a caption: at each step the most probable one, up to end, or longest of them.

    table is (tokens, tokens): row i has the probabilities of the token behind the token i. The first one is behind
    begin. The end is part of the caption.
    """
    found: list[int] = []
    token = begin
    while len(found) < longest and token != end:
        token = int(table[token].argmax())
        found.append(token)
    return found


def best_grown(totals: np.ndarray, probabilities: np.ndarray, width: int) -> list[tuple[int, int]]:
    """One step of a beam search: the width best captions that are one token longer, the best first.

    totals is (captions,): the sums of the logarithms so far. probabilities is (captions, tokens): those of the next
    token. A caption is told as a pair: which one is grown, and by which token.
    """
    grown = totals[:, None] + np.log(probabilities)
    order = np.argsort(-grown, axis=None)[:width]
    return [(int(place // grown.shape[1]), int(place % grown.shape[1])) for place in order]


def bleu_of_a_short_caption() -> float:
    """The BLEU-4 of the caption, rounded to two digits."""
    return round(float(np.exp(1 - 6 / 5) * (1 * 1 * 1 * 1) ** (1 / 4)), 2)


def numbers_of_the_state() -> int:
    """How many numbers go from one step of the exported graph to the next, besides the word?"""
    return 2 * 192


def _judged(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    # The word 1 again and again: more often than any one reference has it.
    candidate = np.concatenate([[1, 1, 1, 1, 1], rng.integers(2, 7, n + 3)])
    references = rng.integers(0, 7, (3, n + 4))
    references[:, :2] = [[1, 1], [1, 3], [1, 5]]
    references[:, 2:][references[:, 2:] == 1] = 2
    return rng.permutation(candidate), references


def _lengths(rng: np.random.Generator, n: int) -> tuple[int, np.ndarray]:
    candidate = int(rng.integers(6, 10))
    closest = ((1,), (-1,), (1, -1), (2,))[n % 4]  # the third: two that are as close
    return candidate, rng.permutation(candidate + np.array([*closest, -5, 4]))


def _corpus(rng: np.random.Generator, n: int) -> tuple[int, np.ndarray]:
    corpus = rng.integers(2, 5, (n + 4, 2, 4))
    corpus[:, :, -1] = 0
    corpus[:, 0, 0] = corpus[:, 0, 1] = 1  # in each photograph, twice
    corpus[:2, :, 1] = 5  # in each caption of two photographs
    corpus[2:4, 1, 1] = 6  # in the second caption of two others
    return (5, 6, 1, 7)[n % 4], corpus


def _table(rng: np.random.Generator, n: int) -> tuple[np.ndarray, int, int, int]:
    count = n + 5
    table = np.round(rng.dirichlet(np.ones(count), count), 3)
    # A way of three words from the beginning to the end, which is not the most probable token at once.
    for one, other in ((0, 2), (2, 3), (3, 4), (4, 1)):
        table[one, other] = 1.0
    table[1, 2] = 1.0
    return table, 0, 1, (10, 10, 2, 10)[n % 4]


def _beam(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, int]:
    totals = -np.round(rng.uniform(0.5, 2.5, 3), 2)
    return totals, np.round(rng.dirichlet(np.ones(n + 4), 3) + 0.001, 4), 3


def _all_that_occur(candidate: np.ndarray, references: np.ndarray) -> int:
    return int(np.isin(candidate, references).sum())


def _references_added_up(candidate: np.ndarray, references: np.ndarray) -> int:
    return found_words(candidate, references.reshape(1, -1))


def _factor(candidate: int, reference: float) -> float:
    return min(1.0, float(np.exp(1 - reference / candidate)))


def _closest(candidate: int, references: np.ndarray, sign: int = 1) -> int:
    ordered = np.sort(references)[::sign]
    return int(ordered[np.abs(ordered - candidate).argmin()])


def _by_captions(word: int, corpus: np.ndarray) -> float:
    return rarity(word, corpus.reshape(-1, 1, corpus.shape[2]))


def _by_occurrences(word: int, corpus: np.ndarray) -> float:
    return float(np.log(len(corpus) / max(1, (corpus == word).sum())))


def _always_behind_the_first(table: np.ndarray, begin: int, end: int, longest: int) -> list[int]:  # noqa: ARG001
    return [int(table[begin].argmax())] * longest


def _without_end(table: np.ndarray, begin: int, end: int, longest: int) -> list[int]:
    return [token for token in write_greedily_by_table(table, begin, end, longest) if token != end]


def _on_and_on(table: np.ndarray, begin: int, end: int, longest: int) -> list[int]:  # noqa: ARG001
    return write_greedily_by_table(table, begin, -1, longest)


def _with_begin(table: np.ndarray, begin: int, end: int, longest: int) -> list[int]:
    return [begin, *write_greedily_by_table(table, begin, end, longest)]


def _each_by_itself(totals: np.ndarray, probabilities: np.ndarray, width: int) -> list[tuple[int, int]]:  # noqa: ARG001
    return [(row, int(each.argmax())) for row, each in enumerate(probabilities)]


EXERCISES = (
    Exercise(
        title="What BLEU counts",
        text="""
BLEU asks how many words of a caption people have written, too. A caption "a a a a" must not get full marks. So a
word counts at most as often as the one reference that has it most often.

Captions that leave much out are punished by a factor: exp(1 - r / c), and never more than 1. c is the number of
words of the caption, and r that of the reference whose length is closest.
""",
        tasks=(
            Task(
                reference=found_words,
                cases=_judged,
                mistakes=(
                    wrong("A word that is repeated counts at most as often as a reference has it.", _all_that_occur),
                    wrong(
                        "The references are not added up: the one that has the word most often decides.",
                        _references_added_up,
                    ),
                    wrong(
                        "Only the first reference is looked at.",
                        lambda c, r: found_words(c, r[:1]),
                    ),
                    wrong(
                        "Each word is counted once: count how often it occurs.",
                        lambda c, r: int(np.isin(np.unique(c), r).sum()),
                    ),
                    wrong("This is a share: return how many words.", lambda c, r: found_words(c, r) / len(c)),
                ),
            ),
            Task(
                reference=brevity,
                cases=_lengths,
                mistakes=(
                    wrong("The closest length counts, not the longest.", lambda c, r: _factor(c, r.max())),
                    wrong("The closest length counts, not the mean.", lambda c, r: _factor(c, r.mean())),
                    wrong(
                        "Of two lengths that are as close, the shorter one counts.",
                        lambda c, r: _factor(c, _closest(c, r, sign=-1)),
                    ),
                    wrong("The factor is never more than 1.", lambda c, r: float(np.exp(1 - _closest(c, r) / c))),
                    wrong("It is exp(1 - r / c), not c / r.", lambda c, r: min(1.0, c / _closest(c, r))),
                ),
            ),
        ),
        hints=(
            "np.unique(candidate, return_counts=True) gives each word, and how often it occurs.",
            "(references == word).sum(axis=1) is how often each reference has it. The largest of these counts.",
            "argmin gives the first of equals: sort the lengths before.",
        ),
        afterwards="""
BLEU does the same with runs of two, three and four words, and multiplies the four shares.
""",
    ),
    Exercise(
        title="How much a word weighs",
        text="""
In CIDEr, what is said of every photograph counts nothing. The weight of a word is log(N / d), where d of N
photographs have the word in some of their captions; d is at least 1.
""",
        tasks=(
            Task(
                reference=rarity,
                cases=_corpus,
                mistakes=(
                    wrong(
                        "Captions are counted: count photographs, whichever of their captions has it.", _by_captions
                    ),
                    wrong("Each time that the word occurs is counted: count photographs.", _by_occurrences),
                    wrong(
                        "This grows with how usual the word is: turn the fraction round.", lambda w, c: -rarity(w, c)
                    ),
                    wrong(
                        "The first caption alone is looked at.",
                        lambda w, c: rarity(w, c[:, :1]),
                    ),
                ),
            ),
        ),
        hints=(
            "(corpus == word).any(axis=(1, 2)) is true of a photograph that has it.",
            "max(1, d) helps with a word that no one has written.",
        ),
        afterwards="""
CIDEr weighs runs of two, three and four words in the same way.
""",
    ),
    Exercise(
        title="Writing greedily",
        text="""
Write a caption word by word. At each step, take the most probable token behind the last one. Stop behind the end,
or when the caption is as long as it may be.
""",
        tasks=(
            Task(
                reference=write_greedily_by_table,
                cases=_table,
                mistakes=(
                    wrong("Each step has to read the token before it.", _always_behind_the_first),
                    wrong("The end is part of the caption here.", _without_end),
                    wrong("Nothing comes behind the end: stop there.", _on_and_on),
                    wrong("The beginning is not part of the caption.", _with_begin),
                ),
            ),
        ),
        hints=(
            "table[token].argmax() is the most probable token behind a token.",
            "Stop when that is the end.",
        ),
        afterwards="""
Day 23's decoder does this with a state beside the token: what it has read so far, and the photograph.
""",
    ),
    Exercise(
        title="One step of a beam search",
        text="""
A beam search keeps some captions. It grows each of them by each token, and keeps the best of all that come of it.
The score of a caption is the sum of the logarithms of its probabilities.
""",
        tasks=(
            Task(
                reference=best_grown,
                cases=_beam,
                mistakes=(
                    wrong("Each caption is grown by its best token: compare all of them together.", _each_by_itself),
                    wrong(
                        "The probabilities are added to the totals: add their logarithms.",
                        lambda t, p, k: best_grown(t, np.exp(p), k),
                    ),
                    wrong(
                        "What the captions had so far is forgotten.",
                        lambda t, p, k: best_grown(0 * t, p, k),
                    ),
                    wrong("The worst are kept.", lambda t, p, k: best_grown(-t, 1 / p, k)),
                    wrong("One too many is kept.", lambda t, p, k: best_grown(t, p, k + 1)),
                ),
            ),
        ),
        hints=(
            "totals[:, None] + np.log(probabilities) has the score of each caption that may come.",
            "np.argsort(-scores, axis=None) sorts all of them; // and % tell row and column.",
        ),
        afterwards="""
With a width of 1, this is greedy writing.
""",
    ),
    Exercise(
        title="A short caption, and a state",
        text="""
A caption has 5 words. All its words, and all its runs of two, three and four words, are in the only reference, which
has 6 words.

Day 23's decoder has an LSTM of 192 units.
""",
        tasks=(
            number(
                bleu_of_a_short_caption,
                {
                    1.0: "It is shorter than the reference: the factor is exp(1 - 6 / 5).",
                    0.83: "The factor is exp(1 - r / c), not c / r.",
                    1.22: "The exponent is 1 - r / c, and it is negative.",
                    0.3: "r / c is 6 / 5.",
                },
            ),
            number(
                numbers_of_the_state,
                {
                    192: "An LSTM has two states: h and c.",
                    4 * 192: "The gates do not leave the step: only h and c do.",
                    3 * 192: "h and c go on. The vector of the word is looked up anew.",
                },
            ),
        ),
        hints=("exp(1 - 6 / 5) is exp(-0.2).", "An LSTM passes on what it shows, h, and what it remembers, c."),
        afterwards="""
The exported graph has these numbers as inputs and as outputs. So it needs no loop, and the loop in Python may search.
""",
    ),
)

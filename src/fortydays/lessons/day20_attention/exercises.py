"""Day 20's exercises: attention from scores to a mean, and the deletion test."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def attention_scores(states: np.ndarray, w: np.ndarray, b: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The score of each word of a text, (words,).

    states is (words, width): a vector for each word. w is (width, units), b and v are (units,).
    """
    return np.tanh(states @ w + b) @ v


def attention_weights(scores: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """The attention that each word of each text gets, (texts, length). A token of 0 is no word and gets none.

    scores is (texts, length), tokens is (texts, length). Each text has a word.
    """
    words = np.exp(scores) * (tokens != 0)
    return words / words.sum(axis=1, keepdims=True)


def attended_mean(states: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of the vectors of a text's words, weighted by attention: (width,).

    states is (words, width). weights is (words,) and adds up to 1.
    """
    return weights @ states


def without_most(tokens: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """A text in which the ``count`` words with the most attention are replaced by the token 1: (length,).

    tokens is (length,): 0 fills up and 1 is an unknown word; words have higher tokens, and only these are replaced.
    weights is (length,), all different.
    """
    order = np.argsort(np.where(tokens > 1, -weights, np.inf))
    found = tokens.copy()
    found[order[:count]] = 1
    return found


def changed_answers(before: np.ndarray, after: np.ndarray) -> float:
    """The share of texts whose most probable class is another one than before.

    before and after are (texts, classes): the probabilities with all words, and without some.
    """
    return float(np.mean(before.argmax(axis=1) != after.argmax(axis=1)))


def weights_of_both_ways() -> int:
    """How many numbers do the bidirectional LSTM and the attention over its states learn?"""
    return 2 * 4 * (50 * 20 + 20 * 20 + 20) + (40 * 30 + 30) + 30


def share_of_the_strongest() -> float:
    """Which share of the attention, rounded to two digits, does the word with the score 3 get?"""
    return round(float(np.exp(3) / (np.exp(3) + 99)), 2)


def _scored(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, n + 1, 3), grid(rng, 3, 2, low=-1, high=1), grid(rng, 2), grid(rng, 2)


def _filled_up(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    tokens = rng.integers(1, 9, (n, n + 3))
    for row in range(n):
        tokens[row, : rng.integers(1, n + 2)] = 0
    return grid(rng, n, n + 3), tokens


def _weighted(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    weights = np.round(rng.dirichlet(np.ones(n + 1)), 2)
    weights[0] += 1 - weights.sum()
    return grid(rng, n + 1, 3), weights


def _text_to_cut(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, int]:
    tokens = rng.integers(2, 30, 2 * n + 6)
    tokens[:2], tokens[3] = 0, 1
    weights = (1 + rng.permutation(2 * n + 6)) / 100
    weights[[0, 3]] = (0.9, 0.8)  # neither what fills up nor an unknown word is replaced
    return tokens, weights, 1 + n // 2


def _answers(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    first = np.round(rng.uniform(0.01, 0.99, (2, 2 * n + 1)), 2)
    before, after = (np.stack([each, 1 - each], axis=1) for each in first)
    return before, after


def _tanh_of_all(states: np.ndarray, w: np.ndarray, b: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.tanh((states @ w + b) @ v)


def _shares_at_once(states: np.ndarray, w: np.ndarray, b: np.ndarray, v: np.ndarray) -> np.ndarray:
    found = np.exp(attention_scores(states, w, b, v))
    return found / found.sum()


def _filling_counts(scores: np.ndarray, tokens: np.ndarray) -> np.ndarray:  # noqa: ARG001
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def _over_texts(scores: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    words = np.exp(scores) * (tokens != 0)
    return words / np.maximum(words.sum(axis=0, keepdims=True), 1e-9)


def _score_of_zero(scores: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    return _filling_counts(scores * (tokens != 0), tokens)


def _replaced(tokens: np.ndarray, order: np.ndarray, by: int = 1) -> np.ndarray:
    found = tokens.copy()
    found[order] = by
    return found


def _least(tokens: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    return without_most(tokens, -weights, count)


def _any_token(tokens: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    return _replaced(tokens, np.argsort(-weights)[:count])


def _emptied(tokens: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    return np.where(without_most(tokens, weights, count) == tokens, tokens, 0)


def _those_alone(tokens: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    kept = without_most(tokens, weights, count) != tokens
    return np.where(kept | (tokens < 2), tokens, 1)


EXERCISES = (
    Exercise(
        title="A score for each word",
        text="""
A small network gives each word a score (Bahdanau et al., 2015):

    score_t = v . tanh(h_t W + b)
""",
        tasks=(
            Task(
                reference=attention_scores,
                cases=_scored,
                mistakes=(
                    wrong("tanh is missing.", lambda s, w, b, v: (s @ w + b) @ v),
                    wrong("tanh is taken of the score: take it before the product with v.", _tanh_of_all),
                    wrong("The bias is missing.", lambda s, w, b, v: attention_scores(s, w, 0 * b, v)),
                    wrong(
                        "v is left out: the numbers of tanh are added up.",
                        lambda s, w, b, v: np.tanh(s @ w + b).sum(axis=1),
                    ),
                    wrong("These are shares already: return the scores.", _shares_at_once),
                ),
            ),
        ),
        hints=("states @ w + b is (words, units).", "np.tanh(states @ w + b) @ v."),
        afterwards="""
The score of a word depends on its own vector alone. Of a bidirectional LSTM, that vector knows all words of
the text. So a high score does not say that the word itself matters.
""",
    ),
    Exercise(
        title="From scores to attention",
        text="""
Softmax makes shares of the scores. What fills a text up gets no attention, and the words of each text
share all of it.
""",
        tasks=(
            Task(
                reference=attention_weights,
                cases=_filled_up,
                mistakes=(
                    wrong("What fills the text up gets attention, too.", _filling_counts),
                    wrong(
                        "The filling is taken away after softmax: the rest no longer adds up to 1.",
                        lambda s, t: _filling_counts(s, t) * (t != 0),
                    ),
                    wrong(
                        "The filling has the score 0, which is as good as others: e to the power of 0 is 1.",
                        _score_of_zero,
                    ),
                    wrong("The shares add up to 1 over the texts: each text has its own.", _over_texts),
                    wrong("They are not divided by their sum.", lambda s, t: np.exp(s) * (t != 0)),
                ),
            ),
        ),
        hints=(
            "np.exp(scores) * (tokens != 0) is 0 where there is no word.",
            "Divide by its sum over axis 1, with keepdims=True.",
        ),
        afterwards="""
In a network, a large number is subtracted from the scores of the filling before softmax, which does the
same.
""",
    ),
    Exercise(
        title="The attended mean",
        text="""
The text becomes one vector: the mean of the vectors of its words, weighted by their attention.
""",
        tasks=(
            Task(
                reference=attended_mean,
                cases=_weighted,
                mistakes=(
                    wrong("All words count alike: use the weights.", lambda s, a: s.mean(axis=0)),
                    wrong("The weights add up to 1 already: do not divide again.", lambda s, a: a @ s / len(a)),
                    wrong("Only the strongest word is taken.", lambda s, a: s[a.argmax()]),
                    wrong("This is not added up yet.", lambda s, a: a[:, None] * s),
                    wrong("The vectors are added up without the weights.", lambda s, a: s.sum(axis=0)),
                ),
            ),
        ),
        hints=("Multiply each row of states with its weight, and add up the rows.", "weights @ states does both."),
        afterwards="""
With equal weights, this is the plain mean. Attention can only choose between words, and has no order.
""",
    ),
    Exercise(
        title="The deletion test",
        text="""
Do the words with the most attention decide? Replace them by the token of an unknown word, and count how many
answers change.
""",
        tasks=(
            Task(
                reference=without_most,
                cases=_text_to_cut,
                mistakes=(
                    wrong("The words with the least attention are replaced.", _least),
                    wrong("What fills up, or an unknown word, is chosen: choose among words alone.", _any_token),
                    wrong("They are replaced by 0: 1 is the unknown word.", _emptied),
                    wrong(
                        "One word too many is replaced.",
                        lambda t, w, k: without_most(t, w, k + 1),
                    ),
                    wrong("All others are replaced: keep them.", _those_alone),
                ),
            ),
            Task(
                reference=changed_answers,
                cases=_answers,
                mistakes=(
                    wrong(
                        "This is the share that stays.",
                        lambda a, b: float(np.mean(a.argmax(axis=1) == b.argmax(axis=1))),
                    ),
                    wrong(
                        "This is how many there are: divide by the number of texts.",
                        lambda a, b: float(np.sum(a.argmax(axis=1) != b.argmax(axis=1))),
                    ),
                    wrong(
                        "This is how much the probabilities change: the answer is the largest of them.",
                        lambda a, b: float(np.abs(a - b).mean()),
                    ),
                    wrong(
                        "Each change of a probability is counted: the answer may stay.",
                        lambda a, b: float(np.mean((a != b).any(axis=1))),
                    ),
                ),
            ),
        ),
        hints=(
            "np.where(tokens > 1, -weights, np.inf) puts what is no word last.",
            "np.argsort of that begins with the words to replace.",
            "argmax(axis=1) is the answer.",
        ),
        afterwards="""
The share alone says little. Beside it belongs what happens without as many words that chance has chosen.
""",
    ),
    Exercise(
        title="Its weights and its shares",
        text="""
A bidirectional LSTM has 20 units each way and reads vectors of 50 numbers. Attention over its states has a
layer of 30 units with biases, and v without a bias.

In a text of 100 words, one word has the score 3 and all others have the score 0.
""",
        tasks=(
            number(
                weights_of_both_ways,
                {
                    4 * (50 * 20 + 20 * 20 + 20) + (40 * 30 + 30) + 30: "The LSTM is there twice, once each way.",
                    2 * 4 * (50 * 20 + 20 * 20 + 20)
                    + (20 * 30 + 30)
                    + 30: "The states of both ways stand side by side.",
                    2 * 4 * (50 * 20 + 20 * 20 + 20) + (40 * 30 + 30): "The weights v are missing.",
                    2 * 4 * (50 * 20 + 20 * 20 + 20): "The weights of the attention are missing.",
                    2 * (50 * 20 + 20 * 20 + 20) + (40 * 30 + 30) + 30: "An LSTM has four sets of weights.",
                },
            ),
            number(
                share_of_the_strongest,
                {
                    0.03: "Softmax takes e to the power of each score.",
                    0.95: "There are 99 other words, each with e to the power of 0, which is 1.",
                    1.0: "The others get attention, too.",
                    0.01: "All words would get as much: the score is 3.",
                },
            ),
        ),
        hints=(
            "Each LSTM has 4 x (50 x 20 + 20 x 20 + 20) weights, and its neighbor as many.",
            "e to the power of 3 is about 20, and the others add up to 99.",
        ),
        afterwards="""
Softmax is soft: in a long text, one word needs a high score to get most of the attention.
""",
    ),
)

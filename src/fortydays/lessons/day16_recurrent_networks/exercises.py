"""Day 16's exercises: texts as tokens, a recurrent network forward and backward, and the baseline of word counts."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def padded(tokens: np.ndarray, length: int) -> np.ndarray:
    """The last ``length`` tokens of a text, filled up with zeros before the first: shape (length,).

    tokens is (words,), whole numbers above 0.
    """
    kept = tokens[-length:]
    return np.concatenate([np.zeros(length - len(kept), tokens.dtype), kept])


def states(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The states after each word, (words, width), from a first state of zeros.

    x is (words, inputs): the vectors of the words. w is (inputs, width), u is (width, width), b is (width,).
    """
    found = np.zeros((len(x), len(b)))
    state = np.zeros(len(b))
    for t in range(len(x)):
        state = np.tanh(x[t] @ w + state @ u + b)
        found[t] = state
    return found


def slope_of_states(h: np.ndarray, u: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The gradient of the loss with respect to each state, (words, width), through the later states.

    h is (words, width): the states. u is (width, width), used as h[t - 1] @ u. last is (width,): the gradient with
    respect to the last state, which alone gives the answer.
    """
    found = np.zeros(h.shape)
    found[-1] = last
    for t in range(len(h) - 1, 0, -1):
        found[t - 1] = (found[t] * (1 - h[t] ** 2)) @ u.T
    return found


def mean_of_words(vectors: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """The mean of the vectors of each text's words, (texts, width). A token of 0 is no word.

    vectors is (texts, length, width), tokens is (texts, length). Each text has a word.
    """
    words = (tokens != 0)[:, :, None]
    return (vectors * words).sum(axis=1) / words.sum(axis=1)


def log_count_ratio(occurs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How much more often each word occurs in texts of class 1 than of class 0: (words,).

    occurs is (texts, words), 1 where a word occurs in a text and 0 elsewhere. labels is (texts,), 0 or 1.
    """
    one = 1 + occurs[labels == 1].sum(axis=0)
    zero = 1 + occurs[labels == 0].sum(axis=0)
    return np.log(one / one.sum()) - np.log(zero / zero.sum())


def recurrent_parameters() -> int:
    """How many numbers does the whole network learn?"""
    return 5000 * 32 + (32 * 48 + 48 * 48 + 48) + (48 * 2 + 2)


def words_until_a_thousandth() -> int:
    """After how many steps is less than a thousandth of the gradient left?"""
    steps, left = 0, 1.0
    while left >= 0.001:
        left *= 0.8
        steps += 1
    return steps


def _text(rng: np.random.Generator, n: int) -> tuple[np.ndarray, int]:
    return rng.integers(1, 50, n + 1), (2 * n if n % 2 else max(1, n - 1))


def _reading(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    width = 1 if n == 1 else 3
    return grid(rng, n + 1, 2), grid(rng, 2, width), grid(rng, width, width), grid(rng, width)


def _going_back(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    width = 1 if n == 1 else 3
    h = np.round(rng.uniform(-0.9, 0.9, (n + 1, width)), 1)
    return h, grid(rng, width, width), grid(rng, width)


def _filled(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    tokens = rng.integers(1, 9, (n + 1, n + 2))
    for row in range(n + 1):
        tokens[row, : rng.integers(0, n + 2)] = 0
    tokens[0, 0], tokens[0, -1] = 0, 3
    return grid(rng, n + 1, n + 2, 2), tokens


def _counted(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, 2, 2 * n + 3)
    labels[:3] = (0, 1, 1)
    return rng.integers(0, 2, (2 * n + 3, n + 1)), labels


def _behind(tokens: np.ndarray, length: int) -> np.ndarray:
    kept = tokens[-length:]
    return np.concatenate([kept, np.zeros(length - len(kept), tokens.dtype)])


def _first_words(tokens: np.ndarray, length: int) -> np.ndarray:
    kept = tokens[:length]
    return np.concatenate([np.zeros(length - len(kept), tokens.dtype), kept])


def _forgetful(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:  # noqa: ARG001
    return np.tanh(x @ w + b)


def _linear(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    found, state = np.zeros((len(x), len(b))), np.zeros(len(b))
    for t in range(len(x)):
        state = x[t] @ w + state @ u + b
        found[t] = state
    return found


def _backwards(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    return states(x[::-1], w, u, b)[::-1]


def _twice_squashed(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    found, state = np.zeros((len(x), len(b))), np.zeros(len(b))
    for t in range(len(x)):
        state = np.tanh(x[t] @ w + np.tanh(state @ u) + b)
        found[t] = state
    return found


def _without_slope(h: np.ndarray, u: np.ndarray, last: np.ndarray) -> np.ndarray:
    return slope_of_states(0 * h, u, last)


def _not_transposed(h: np.ndarray, u: np.ndarray, last: np.ndarray) -> np.ndarray:
    return slope_of_states(h, u.T, last)


def _slope_of_earlier(h: np.ndarray, u: np.ndarray, last: np.ndarray) -> np.ndarray:
    found = np.zeros(h.shape)
    found[-1] = last
    for t in range(len(h) - 1, 0, -1):
        found[t - 1] = (found[t] @ u.T) * (1 - h[t - 1] ** 2)
    return found


def _every_state(h: np.ndarray, u: np.ndarray, last: np.ndarray) -> np.ndarray:
    found = np.zeros(h.shape)
    found[-1] = last
    for t in range(len(h) - 1, 0, -1):
        found[t - 1] = (found[t] * (1 - h[t] ** 2)) @ u.T + last
    return found


def _shares(occurs: np.ndarray, labels: np.ndarray, add: int = 1) -> tuple[np.ndarray, np.ndarray]:
    return add + occurs[labels == 1].sum(axis=0), add + occurs[labels == 0].sum(axis=0)


def _without_sums(occurs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    one, zero = _shares(occurs, labels)
    return np.log(one) - np.log(zero)


def _of_texts(occurs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    one, zero = _shares(occurs, labels)
    return np.log(one / (labels == 1).sum()) - np.log(zero / (labels == 0).sum())


def _without_log(occurs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    one, zero = _shares(occurs, labels)
    return (one / one.sum()) / (zero / zero.sum())


def _half_added(occurs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    one, zero = (each - 0.5 for each in _shares(occurs, labels))
    return np.log(one / one.sum()) - np.log(zero / zero.sum())


EXERCISES = (
    Exercise(
        title="Texts of one length",
        text="""
A recurrent network gets texts of one length. Keep the last words of a longer text. Fill a shorter one up
with zeros before its first word.
""",
        tasks=(
            Task(
                reference=padded,
                cases=_text,
                mistakes=(
                    wrong("The zeros stand behind the text: they come before its first word.", _behind),
                    wrong("The first words are kept: keep the last ones.", _first_words),
                    wrong("The text is turned around.", lambda t, n: padded(t, n)[::-1]),
                    wrong("It is not filled up: the result has ``length`` numbers.", lambda t, n: t[-n:]),
                    wrong(
                        "It is filled up with ones: zero is what fills up.",
                        lambda t, n: np.where(padded(t, n) == 0, 1, padded(t, n)),
                    ),
                ),
            ),
        ),
        hints=(
            "tokens[-length:] gives the last words, also where there are fewer.",
            "np.concatenate puts zeros and words one after the other.",
        ),
        afterwards="""
The last word is in the last place, whatever the length of the text. So the last state has just read it.
""",
    ),
    Exercise(
        title="A recurrent network, forward",
        text="""
    h_t = tanh(x_t W + h_(t - 1) U + b)        from a state of zeros

Return the state after each word.
""",
        tasks=(
            Task(
                reference=states,
                cases=_reading,
                mistakes=(
                    wrong("The state before is not used: add state @ u.", _forgetful),
                    wrong("tanh is missing.", _linear),
                    wrong("The text is read from its end.", _backwards),
                    wrong("u is transposed: it is state @ u.", lambda x, w, u, b: states(x, w, u.T, b)),
                    wrong("The bias is missing.", lambda x, w, u, b: states(x, w, u, 0 * b)),
                    wrong("tanh is taken of state @ u as well: it is taken once, of the sum.", _twice_squashed),
                    wrong("This is the last state alone: return all of them.", lambda *a: states(*a)[-1]),
                ),
            ),
        ),
        hints=(
            "A loop over t, with one variable for the state.",
            "state = np.tanh(x[t] @ w + state @ u + b), and found[t] = state.",
        ),
        afterwards="""
The same three arrays serve texts of any length. The loop cannot be done at once: each state needs the one
before. That is why recurrent networks are slow.
""",
    ),
    Exercise(
        title="Back through time",
        text="""
The answer comes from the last state alone. How does the loss depend on the earlier states?

    dL/dh_(t - 1) = (dL/dh_t * (1 - h_t^2)) U^T

Return the gradient with respect to each state.
""",
        tasks=(
            Task(
                reference=slope_of_states,
                cases=_going_back,
                mistakes=(
                    wrong("The slope of tanh is missing: 1 - h[t] ** 2.", _without_slope),
                    wrong("u is not transposed: forward it is h @ u, so back it is gradient @ u.T.", _not_transposed),
                    wrong(
                        "The slope of tanh is that of the later state, h[t], and comes before u.", _slope_of_earlier
                    ),
                    wrong("The loss is added at each state: only the last one gives the answer.", _every_state),
                    wrong("The sign is turned around.", lambda h, u, g: -slope_of_states(h, u, g)),
                ),
            ),
        ),
        hints=(
            "Go from the last state to the first: for t in range(len(h) - 1, 0, -1).",
            "Back through tanh first, then through u.",
        ),
        afterwards="""
Each step multiplies by numbers of at most 1 and by U. That is how a gradient vanishes on its way to the
first words.
""",
    ),
    Exercise(
        title="The mean of the words",
        text="""
Average the vectors of the words of each text. What fills a text up has the token 0 and does not count.
""",
        tasks=(
            Task(
                reference=mean_of_words,
                cases=_filled,
                mistakes=(
                    wrong("What fills the text up counts, too.", lambda v, t: v.mean(axis=1)),
                    wrong(
                        "The sum is over words, but it is divided by the length with filling.",
                        lambda v, t: (v * (t != 0)[:, :, None]).mean(axis=1),
                    ),
                    wrong(
                        "This is the sum: divide by the number of words.",
                        lambda v, t: (v * (t != 0)[:, :, None]).sum(1),
                    ),
                    wrong("Only the last word is taken.", lambda v, t: v[:, -1]),
                    wrong(
                        "Texts and places are mixed up: each text has its own number of words.",
                        lambda v, t: (v * (t != 0)[:, :, None]).sum(axis=1) / (t != 0).sum(),
                    ),
                ),
            ),
        ),
        hints=(
            "words = (tokens != 0)[:, :, None] is 1 for words and 0 for filling, with an axis for the width.",
            "Sum vectors * words over axis 1, and divide by words.sum(axis=1).",
        ),
        afterwards="""
This bag of words ignores the order of the words, and it is a strong baseline. A mean that counts the
filling would make short texts small.
""",
    ),
    Exercise(
        title="Which words speak for a class",
        text="""
The baseline weights each word by how much more often it occurs in texts of class 1 (Wang and Manning, 2012):

    p = 1 + in how many texts of class 1 each word occurs        q the same of class 0
    r = log(p / sum of p) - log(q / sum of q)

The 1 keeps the logarithm finite where a word does not occur.
""",
        tasks=(
            Task(
                reference=log_count_ratio,
                cases=_counted,
                mistakes=(
                    wrong("The classes are exchanged.", lambda x, y: -log_count_ratio(x, y)),
                    wrong("p and q are not divided by their sums.", _without_sums),
                    wrong("p and q are divided by the number of texts: divide by their sums.", _of_texts),
                    wrong("The logarithm is missing.", _without_log),
                    wrong("A half is added: add 1.", _half_added),
                ),
            ),
        ),
        hints=(
            "occurs[labels == 1] has the texts of class 1; sum over axis 0.",
            "np.log(p / p.sum()) - np.log(q / q.sum()).",
        ),
        afterwards="""
Multiplied with these weights, a linear model of words and pairs of words is hard to beat on film reviews.
""",
    ),
    Exercise(
        title="What it learns and how far it hears",
        text="""
A network has 5,000 tokens with vectors of 32 numbers, a simple recurrent layer of 48 units, and a dense
layer with two outputs. Texts have 200 words.

A gradient becomes 0.8 of its size at each step back.
""",
        tasks=(
            number(
                recurrent_parameters,
                {
                    5000 * 32 + (32 * 48 + 48) + (48 * 2 + 2): "The weights U from state to state are missing.",
                    (32 * 48 + 48 * 48 + 48) + (48 * 2 + 2): "The vectors of the words are learned, too.",
                    5000 * 32 + 200 * (32 * 48 + 48 * 48 + 48) + 98: "The weights are the same at every word.",
                    5000 * 32 + (32 * 48 + 48 * 48) + 98: "The recurrent layer's biases are missing.",
                    5000 * 32 + (32 * 48 + 48 * 48 + 48) + 96: "The dense layer's biases are missing.",
                    5000 * 32 + (32 * 48 + 48 * 48 + 48) + 200 * 96 + 2: "The answer comes from the last state alone.",
                },
            ),
            number(
                words_until_a_thousandth,
                {
                    30: "After 30 steps it is a little more than a thousandth.",
                    1250: "It is multiplied at each step: 0.8 to the power of the steps.",
                    5: "A fifth is lost of what is left, not of the first size.",
                    10: "Half would be left at each step: here it is 0.8.",
                },
            ),
        ),
        hints=(
            "The layer has W (32 x 48), U (48 x 48) and b (48).",
            "log(0.001) / log(0.8), rounded up.",
        ),
        afterwards="""
Most weights are vectors of words. And a recurrent network that answers from its last state hardly hears
what stands more than thirty words before.
""",
    ),
)

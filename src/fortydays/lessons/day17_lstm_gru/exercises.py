"""Day 17's exercises: an LSTM and a GRU by hand, their weights counted, and what is left along the cell's line."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def gate(x: np.ndarray, h: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A gate: numbers between 0 and 1, shape (width,).

    x is (inputs,): the vector of the word. h is (width,): the state before. w is (inputs, width), u is (width, width),
    b is (width,).
    """
    return 1 / (1 + np.exp(-(x @ w + h @ u + b)))


def lstm_step(
    c: np.ndarray, forget: np.ndarray, write: np.ndarray, show: np.ndarray, new: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The cell and the state after one word: two arrays, (width,) each.

    c is (width,): the cell before. forget, write and show are the gates, numbers between 0 and 1. new is what the word
    offers, after its tanh.
    """
    cell = forget * c + write * new
    return cell, show * np.tanh(cell)


def gru_states(update: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The states of a GRU after each word, (words, width), from a state of zeros.

    update is (words, width): the update gate z at each word. new is (words, width): what each word offers, after its
    tanh.
    """
    found, state = np.zeros(update.shape), np.zeros(update.shape[1])
    for t in range(len(update)):
        state = update[t] * state + (1 - update[t]) * new[t]
        found[t] = state
    return found


def left_of_words(forget: np.ndarray) -> np.ndarray:
    """How much of what was written at each word is left in the cell after the last one: (words,).

    forget is (words,): the forget gate of one unit at each word.
    """
    found = np.ones(len(forget))
    for t in range(len(forget) - 1, 0, -1):
        found[t - 1] = found[t] * forget[t]
    return found


def lstm_weights() -> int:
    """How many weights has the LSTM layer?"""
    return 4 * (50 * 20 + 20 * 20 + 20)


def words_until_half_is_forgotten() -> int:
    """After how many words is less than half left?"""
    words, left = 0, 1.0
    while left >= 0.5:
        left *= 0.95
        words += 1
    return words


def _gate_case(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, n + 1), grid(rng, n), grid(rng, n + 1, n), grid(rng, n, n), grid(rng, n)


def _shares(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.round(rng.uniform(0.1, 0.9, shape), 1)


def _step_case(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    offered = np.round(rng.uniform(-0.9, 0.9, n), 1)
    return grid(rng, n), _shares(rng, n), _shares(rng, n), _shares(rng, n), offered


def _gru_case(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return _shares(rng, n + 1, 2), np.round(rng.uniform(-0.9, 0.9, (n + 1, 2)), 1)


def _forget_case(rng: np.random.Generator, n: int) -> tuple[np.ndarray]:
    return (_shares(rng, n + 1),)


def _exchanged(update: np.ndarray, new: np.ndarray) -> np.ndarray:
    return gru_states(1 - update, new)


def _only_added(update: np.ndarray, new: np.ndarray) -> np.ndarray:
    found, state = np.zeros(update.shape), np.zeros(update.shape[1])
    for t in range(len(update)):
        state = state + (1 - update[t]) * new[t]
        found[t] = state
    return found


EXERCISES = (
    Exercise(
        title="A gate",
        text="""
    gate = sigmoid(x W + h U + b)        sigmoid(z) = 1 / (1 + exp(-z))

x is the vector of a word, h the state before it.
""",
        tasks=(
            Task(
                reference=gate,
                cases=_gate_case,
                mistakes=(
                    wrong(
                        "This is tanh: a gate lies between 0 and 1.", lambda x, h, w, u, b: np.tanh(x @ w + h @ u + b)
                    ),
                    wrong("The sigmoid is missing.", lambda x, h, w, u, b: x @ w + h @ u + b),
                    wrong("The state before is not used: add h @ u.", lambda x, h, w, u, b: gate(x, 0 * h, w, u, b)),
                    wrong("The word is not used: add x @ w.", lambda x, h, w, u, b: gate(0 * x, h, w, u, b)),
                    wrong("The bias is missing.", lambda x, h, w, u, b: gate(x, h, w, u, 0 * b)),
                    wrong("u is transposed: it is h @ u.", lambda x, h, w, u, b: gate(x, h, w, u.T, b)),
                    wrong("The sign is turned around: it is exp(-z).", lambda x, h, w, u, b: 1 - gate(x, h, w, u, b)),
                ),
            ),
        ),
        hints=("x @ w + h @ u + b is the sum, with shape (width,).", "1 / (1 + np.exp(-z))."),
        afterwards="""
Each of the three gates of an LSTM has its own W, U and b. What the word offers has a fourth set, with tanh.
""",
    ),
    Exercise(
        title="One step of an LSTM",
        text="""
    c = forget * c_before + write * new
    h = show * tanh(c)

Return the new cell and the new state.
""",
        tasks=(
            Task(
                reference=lstm_step,
                cases=_step_case,
                outputs=("cell", "state"),
                mistakes=(
                    wrong("The gates forget and write are exchanged.", lambda c, f, i, o, n: i * c + f * n, "cell"),
                    wrong("The cell before is not used.", lambda c, f, i, o, n: i * n, "cell"),
                    wrong("write is not used: the cell gets write * new.", lambda c, f, i, o, n: f * c + n, "cell"),
                    wrong(
                        "What forget forgets is written: here the two gates need not add up to 1.",
                        lambda c, f, i, o, n: f * c + (1 - f) * n,
                        "cell",
                    ),
                    wrong(
                        "The state is made of the old cell: take the new one.",
                        lambda c, f, i, o, n: o * np.tanh(c),
                        "state",
                    ),
                    wrong("tanh is missing: h = show * tanh(c).", lambda c, f, i, o, n: o * (f * c + i * n), "state"),
                    wrong(
                        "show is not used: h = show * tanh(c).",
                        lambda c, f, i, o, n: np.tanh(f * c + i * n),
                        "state",
                    ),
                ),
            ),
        ),
        hints=("All is done number by number: * and not @.", "cell = forget * c + write * new first, then the state."),
        afterwards="""
The cell can grow past 1: it is only added to. What the network shows of it, h, lies between -1 and 1.
""",
    ),
    Exercise(
        title="A GRU reads a text",
        text="""
    h_t = z_t * h_(t - 1) + (1 - z_t) * new_t        from a state of zeros

Return the state after each word.
""",
        tasks=(
            Task(
                reference=gru_states,
                cases=_gru_case,
                mistakes=(
                    wrong("The parts are exchanged: z keeps the old state.", _exchanged),
                    wrong("The old state is kept whole: multiply it by z.", _only_added),
                    wrong("The old state is not used.", lambda z, n: (1 - z) * n),
                    wrong("The text is read from its end.", lambda z, n: gru_states(z[::-1], n[::-1])[::-1]),
                    wrong("This is the last state alone: return all of them.", lambda z, n: gru_states(z, n)[-1]),
                    wrong("Another tanh is taken: new has had its own.", lambda z, n: gru_states(z, np.tanh(n))),
                ),
            ),
        ),
        hints=("A loop over t, with one variable for the state.", "state = z[t] * state + (1 - z[t]) * new[t]."),
        afterwards="""
The state is a weighted mean of all that was offered. The gates decide the weights, word by word.
""",
    ),
    Exercise(
        title="What is left of each word",
        text="""
At word t, an LSTM's cell is multiplied by forget[t], and then something is added. How much of what was
added at each word is left after the last one? Of the last word, all is left: 1.
""",
        tasks=(
            Task(
                reference=left_of_words,
                cases=_forget_case,
                mistakes=(
                    wrong(
                        "Each word's own gate counts, too: it has acted before the word was added.",
                        lambda f: left_of_words(f) * f,
                    ),
                    wrong(
                        "It is counted from the first word on: what comes later makes it fade.",
                        lambda f: np.cumprod(f),
                    ),
                    wrong("Only the next gate counts: all later ones do.", lambda f: np.append(f[1:], 1.0)),
                    wrong(
                        "The gates are added: they are multiplied.",
                        lambda f: np.append(np.cumsum(f[:0:-1])[::-1], 1.0),
                    ),
                    wrong("This is what is lost.", lambda f: 1 - left_of_words(f)),
                ),
            ),
        ),
        hints=(
            "Of word t, forget[t + 1], forget[t + 2] and so on are left, multiplied.",
            "Go from the last word to the first: found[t - 1] = found[t] * forget[t].",
        ),
        afterwards="""
This is also the gradient along the cell's line. With gates of 1, it does not vanish over any distance.
""",
    ),
    Exercise(
        title="Its weights and its memory",
        text="""
An LSTM layer has 20 units and reads vectors of 50 numbers.

A forget gate is 0.95 at every word.
""",
        tasks=(
            number(
                lstm_weights,
                {
                    50 * 20 + 20 * 20 + 20: "That is one set of weights: an LSTM has four.",
                    3 * (50 * 20 + 20 * 20 + 20): "Three gates, and what the word offers: four sets.",
                    4 * (50 * 20 + 20 * 20): "The biases are missing.",
                    4 * (50 * 20 + 20): "The weights from state to state are missing.",
                },
            ),
            number(
                words_until_half_is_forgotten,
                {
                    13: "After 13 words it is a little more than half.",
                    10: "It is multiplied at each word: 0.95 to the power of the words.",
                    20: "A twentieth is lost of what is left, not of the first size.",
                },
            ),
        ),
        hints=("Each set has 50 x 20 + 20 x 20 weights and 20 biases.", "log(0.5) / log(0.95), rounded up."),
        afterwards="""
A gate of 0.95 sounds like a good memory, and it is one for sentences. For texts of 200 words, a gate has to
be much nearer to 1.
""",
    ),
)

"""What is said of functions that are wrong: mistakes that one makes everywhere, and some that were written by hand."""

from typing import Any

import numpy as np
import pytest

from fortydays.exercises import child
from fortydays.exercises.design import Task, grid, number, wrong
from fortydays.exercises.diagnosis import close
from fortydays.exercises.finding import find_exercises
from fortydays.exercises.judge import Finding, State, assess, make_cases
from fortydays.exercises.running import Answer, Called
from fortydays.exercises.starter import starter


def finding(task: Task, function: Any) -> Finding:
    cases = make_cases(task, 3)
    with np.errstate(all="ignore"):
        records, arrays = child.call(function, cases, task.arguments, several=len(task.outputs) > 1, path="")
    answers = [
        Answer(
            outputs=tuple(arrays[f"{c}.{k}"] for k in range(len(each["kinds"]))),
            kinds=tuple(each["kinds"]),
            changed=tuple(each["changed"]),
        )
        for c, each in enumerate(records)
    ]
    return assess(task, cases, Called(answers=tuple(answers)))


def shares(x: np.ndarray) -> np.ndarray:
    """Each row divided by its sum."""
    return x / x.sum(axis=1, keepdims=True)


def totals(x: np.ndarray) -> np.ndarray:
    """The sum of each column."""
    return x.sum(axis=0)


def both(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the largest of each column."""
    return x.mean(axis=0), x.max(axis=0)


SHARES = Task(reference=shares, cases=lambda rng, n: (grid(rng, n + 1, 3, low=1),))
TOTALS = Task(reference=totals, cases=lambda rng, n: (grid(rng, n + 1, 3, low=1),))
BOTH = Task(reference=both, cases=lambda rng, n: (grid(rng, n + 1, 3, low=1),), outputs=("mean", "largest"))


def _halves(x: np.ndarray) -> np.ndarray:
    x /= x.sum(axis=1, keepdims=True)
    return x


@pytest.mark.parametrize(
    ("task", "function", "says"),
    [
        (SHARES, lambda x: -shares(x), "Its sign is wrong."),
        (SHARES, lambda x: 2 * shares(x), "It is twice what it should be."),
        (SHARES, lambda x: shares(x) / 2, "It is half of what it should be."),
        (SHARES, lambda x: 1.5 * shares(x), "It is 1.5 times what it should be."),
        (SHARES, lambda x: shares(x) + 1, "It is too large by 1 everywhere."),
        (SHARES, lambda x: shares(x).T, "It is transposed: rows and columns are exchanged."),
        (SHARES, lambda x: x / x.sum(axis=0), "It works along the other axis of `x`. Look at every `axis=`."),
        (SHARES, lambda x: x, "It is `x`, unchanged."),
        (SHARES, lambda x: x * 0, "It is zero for every input."),
        (SHARES, lambda x: np.log(x * 0), "It is not finite (inf or nan) for some inputs."),
        (SHARES, lambda x: np.round(shares(x), 3), "It is nearly right: off by at most 0.00"),
        (SHARES, lambda x: np.float16(shares(x)), "It is nearly right: off by at most 0.000"),
        (SHARES, lambda x: shares(x)[..., None], "Its numbers are right, but its shape is (2, 3, 1) where (2, 3) is"),
        (SHARES, lambda x: shares(x).sum(axis=0), "It is the sum over axis 0 of what is expected: do not reduce that"),
        (SHARES, lambda x: x[:1], "Its shape is (1, 3) where (2, 3) is expected."),
        (SHARES, lambda x: shares(x) if len(x) < 4 else x, "It is right for 4 of 10 inputs."),
        (SHARES, lambda x: "much", "It is a text where a number is expected."),
        (SHARES, lambda x: x / x.sum(axis=0) if len(x) != 3 else x / 0,
         "It works along the other axis of `x`. Look at every `axis=`. For some inputs, what it returns is not"),
        (SHARES, lambda x: shares(x) if len(x) != 3 else x / 0, "It is not finite (inf or nan) for some inputs."),
        (SHARES, _halves, "Its answers are right, but it changes its input `x`."),
        (TOTALS, lambda x: x, "It is not yet reduced: take the sum over axis 0 of what you return."),
        (TOTALS, lambda x: x.sum(axis=1), "It works along the other axis of `x`."),
        (TOTALS, lambda x: x.mean(axis=0),
         "It is too small by a factor: the length of axis 0 of `x`, the number of examples. Do not divide by it."),
        (TOTALS, lambda x: totals(x) * len(x),
         "It is too large by a factor: the length of axis 0 of `x`, the number of examples. Divide by it."),
        (TOTALS, lambda x: totals(x)[None], "Its numbers are right, but its shape is (1, 3) where (3,) is expected."),
        (TOTALS, lambda x: np.sort(totals(x)) + x[0], "It is not right for any input."),
        (BOTH, lambda x: both(x)[::-1], "The outputs are right, but in another order. Return them as mean, largest."),
        (BOTH, lambda x: (both(x)[0], -both(x)[1]), "`largest`: Its sign is wrong."),
        (BOTH, lambda x: (-both(x)[0], -both(x)[1]), "`mean`, `largest`: Its sign is wrong."),
        (BOTH, lambda x: (both(x)[0], None), "`largest` is None."),
        (BOTH, lambda x: None, "It returns None; expected 2 outputs: mean, largest. Is there a `return`?"),
        (BOTH, lambda x: x, "It returns one output; expected 2 outputs: mean, largest."),
    ],
)  # fmt: skip
def test_a_mistake_that_one_makes_everywhere_is_told(task: Task, function: Any, says: str) -> None:
    found = finding(task, function)
    assert found.state is State.WRONG
    assert found.says.startswith(says), found.says


@pytest.mark.parametrize(
    "function",
    [
        shares,
        lambda x: shares(np.float32(x)),
        lambda x: shares(x).tolist(),
        lambda x: np.array([row / sum(row) for row in x]),
    ],
)
def test_what_is_right_in_another_way_passes(function: Any) -> None:
    assert finding(SHARES, function).state is State.PASSED


def test_the_smallest_input_that_fails_is_shown() -> None:
    shown = finding(SHARES, lambda x: shares(x) if len(x) < 4 else x).shown
    assert shown.count("\n") == 11  # four rows of the input, of what was returned, and of what was expected
    assert shown.startswith("x        = [[")


def test_of_a_number_neither_the_right_one_nor_a_way_to_it_is_told() -> None:
    task = number(lambda: 12, {7: "This is 3 + 4."})
    for answer, says in (
        (7, "This is 3 + 4."),
        (24, "That is not it."),
        (-12, "That is not it."),
        (12.01, "That is not"),
    ):
        found = finding(task, lambda answer=answer: answer)
        assert (found.state, found.says[: len(says)]) == (State.WRONG, says)
        assert found.shown == f"yours    = {answer}"
    assert finding(task, lambda: 12.0).state is State.PASSED


def test_a_mistake_about_an_output_that_is_none_is_refused() -> None:
    with pytest.raises(Exception, match="A mistake of both is about 'men', which is none of its outputs"):
        Task(reference=both, cases=BOTH.cases, outputs=BOTH.outputs, mistakes=(wrong("x", both, "men"),))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1.0, 1.000001, True),
        (1.0, 1.0001, False),
        (np.nan, np.nan, True),
        (np.inf, -np.inf, False),
        ("supported", "supported", True),
        ("supported", "refuted", False),
        ("1", 1, False),
        (True, 1, True),
        ([1e-12, 1], [0, 1], True),
        ([1, 2], [[1, 2]], False),
    ],
)
def test_close_means_the_same_up_to_rounding(one: Any, other: Any, same: bool) -> None:
    assert close(np.asarray(one), np.asarray(other)) is same


# Written by hand, as learners write, and not from the lists of mistakes.
BY_LEARNERS = [
    ("1", 1, "hidden", "def hidden(x, weights, bias):\n    h = np.dot(x, weights)\n    return h * (h > 0) + bias",
     "ReLU comes before the bias"),
    ("1", 2, "softmax", "def softmax(z):\n    e = np.exp(z)\n    return e / e.sum(1)[:, None]",
     "It overflows for large z"),
    ("1", 2, "softmax", "def softmax(z):\n    e = np.exp(z - np.max(z, 0))\n    return e / np.sum(e, 0)",
     "It works along the other axis of `z`"),
    ("1", 3, "cross_entropy", "def cross_entropy(p, y):\n    s = 0\n    for i in range(len(y)):\n"
     "        s -= np.log(p[i, y[i]])\n    return s", "It is the sum over the examples"),
    ("1", 3, "cross_entropy", "def cross_entropy(p, y):\n    return np.mean(np.log(p[range(len(y)), y]))",
     "Its sign is wrong"),
    ("1", 3, "cross_entropy_slope", "def cross_entropy_slope(p, y):\n"
     "    p[np.arange(len(y)), y] -= 1\n    return p / len(y)",
     "it changes its input `probabilities`"),
    ("1", 3, "cross_entropy_slope", "def cross_entropy_slope(p, y):\n    t = np.zeros_like(p)\n"
     "    t[np.arange(len(y)), y] = 1\n    return p - t", "so its slope is divided by the number of examples"),
    ("1", 4, "dense_backward", "def dense_backward(x, w, g):\n    return x.T @ g, g @ w.T, g.sum(0)",
     "in another order"),
    ("1", 4, "dense_backward", "def dense_backward(x, w, g):\n    return g @ w.T, (x.T @ g).T, g.sum(0)",
     "`weights_gradient`: It is transposed"),
    ("1", 4, "dense_backward", "def dense_backward(x, w, g):\n    return g @ w.T, x.T @ g, g.sum(1)",
     "`bias_gradient`: It is summed over the outputs"),
    ("1", 5, "parameters", "def parameters():\n    return 64 * 784 + 32 * 64 + 10 * 32", "The biases are missing"),
    ("2", 1, "sigmoid_slope", "def sigmoid_slope(z):\n    return z * (1 - z)", "z is taken for sigmoid(z)"),
    ("2", 2, "relu_backward", "def relu_backward(z, gradient):\n    gradient[z < 0] = 0\n    return gradient",
     "At z = 0 the slope is to be 0"),
    ("3", 2, "momentum", "def momentum(w, v, g, rate, mu):\n    w = w + v\n    v = mu * v - rate * g\n    return w, v",
     "`weights`: The weights move with the old velocity"),
    ("3", 4, "adam", "def adam(w, m, s, g, t, rate, b1, b2, eps):\n    m = b1 * m + (1 - b1) * g\n"
     "    s = b2 * s + (1 - b2) * g * g\n    m /= 1 - b1 ** t\n    s /= 1 - b2 ** t\n"
     "    return w - rate * m / (s ** 0.5 + eps), m, s", "`mean`: This is the corrected mean"),
    ("4", 2, "dropout", "def dropout(h, draws, p):\n    return np.where(draws < p, 0, h)", "Nothing is scaled up"),
    ("4", 2, "dropout", "def dropout(h, draws, p):\n    mask = draws < (1 - p)\n    return h * mask / (1 - p)",
     "The units with a draw below 1 - p stay"),
    ("4", 4, "paired_interval", "def paired_interval(a, b, t):\n    d = a - b\n    e = t * np.std(d) / len(d) ** 0.5\n"
     "    return d.mean() - e, d.mean() + e", "`low`, `high`: s is divided by n"),
    ("5", 1, "convolution", "def convolution(x, w, b):\n    k = w.shape[0]\n"
     "    H, W = x.shape[0] - k + 1, x.shape[1] - k + 1\n    y = np.zeros((H, W, w.shape[3]))\n"
     "    for i in range(H):\n        for j in range(W):\n"
     "            for f in range(w.shape[3]):\n                y[i, j, f] = (x[i:i+k, j:j+k] * w[:, :, :, f]).sum()\n"
     "    return y", "The bias is missing"),
    ("5", 3, "max_pool", "def max_pool(x):\n    h, w, c = x.shape\n    y = np.zeros(((h + 1) // 2, (w + 1) // 2, c))\n"
     "    for i in range(0, h, 2):\n        for j in range(0, w, 2):\n"
     "            y[i // 2, j // 2] = x[i:i+2, j:j+2].max((0, 1))\n    return y", "The last odd row or column"),
    ("7", 1, "normalize", "def normalize(z, gamma, beta, epsilon):\n    m, v = z.mean(0), z.var(0)\n"
     "    return (z - m) / (np.sqrt(v) + epsilon) * gamma + beta, m, v", "`y`: epsilon is added to the root"),
    ("8", 2, "shift", "def shift(image, down, right):\n    return np.roll(np.roll(image, down, 0), right, 1)",
     "What leaves on one side comes in on the other"),
    ("9", 1, "standardize", "def standardize(train, others):\n    return (others - others.mean(0)) / others.std(0)",
     "The new images' own mean and deviation are used"),
    ("1", 2, "softmax", "def softmax(z):\n    return np.exp(z) / sum(np.exp(z))",
     "It works along the other axis of `z`. Look at every `axis=`. For some inputs, what it returns is not finite"),
    ("4", 4, "verdict", "def verdict(low, high):\n    return low > 0", "It is no text where one is expected."),
    ("10", 3, "suspicious", "def suspicious(p, labels):\n    return np.argmax(p, 1) != labels",
     "thresholds are missing"),
]  # fmt: skip


@pytest.mark.parametrize(("day", "exercise", "name", "source", "says"), BY_LEARNERS)
def test_what_a_learner_has_written_is_told_rightly(
    day: str, exercise: int, name: str, source: str, says: str
) -> None:
    (place,) = find_exercises(day, exercise)
    module: dict[str, Any] = {"np": np}
    exec(source, module)
    task = next(task for task in place.exercise.tasks if task.name == name)
    found = finding(task, module[name])
    assert found.state is State.WRONG
    assert says in found.says, found.says


def test_the_flaws_of_a_study_are_found_one_after_the_other() -> None:
    (place,) = find_exercises("10", 5)
    (task,) = place.exercise.tasks
    text = starter(place)
    told = []
    for before, after in (
        ("", ""),
        ("np.full(len(x), True)", "draw >= 0.5"),
        ("test = draw < 0.3", "draw = draw[groups]; test = draw < 0.3"),
        ("accuracy(train, test, count) for", "accuracy(train, (draw >= 0.3) & (draw < 0.5), count) for"),
        ("max(accuracies)", "sum(accuracies) / len(accuracies)"),
    ):
        assert before in text
        text = text.replace(before, after)
        module: dict[str, Any] = {}
        exec(text, module)
        told.append(finding(task, module["study"]).says.split(":")[0])
    assert told == [
        "Test photographs are learned from. Look at what `train` holds.",
        "Doubles of test photographs are learned from",
        "The number of neighbors is chosen on the test photographs",
        "One lucky seed is reported",
        "right for 10 inputs",
    ]

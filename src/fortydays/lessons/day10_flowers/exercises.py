"""Day 10's exercises: how precise a share is, photographs on both sides, wrong labels, and a temperature."""

import functools

import numpy as np

from fortydays.exercises.design import Exercise, Mistake, Task, grid, wrong


def wilson(right: int, n: int, z: float) -> tuple[float, float]:
    """Wilson's interval for a share, of which `right` of n examples were right: its lower and its upper end."""
    p = right / n
    middle = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


def leaked(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """For each test photograph whether one of its group is among the training photographs.

    Both arrays have the number of each photograph's group. Photographs of one group are almost the same.
    """
    return np.isin(test, train)


def honest_accuracy(right: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """The accuracy over the test photographs that have no double in training. `right` is 1 or 0 for each of them."""
    return right[~np.isin(test, train)].mean()


def suspicious(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each photograph whether its label is suspicious.

    A class's threshold is the mean of its probability over the photographs with its label. A label is suspicious
    where another class reaches its own threshold and has a higher probability than the label's class.
    """
    classes = np.arange(probabilities.shape[1])
    thresholds = np.array([probabilities[labels == k, k].mean() for k in classes])
    own = probabilities[np.arange(len(labels)), labels]
    better = (probabilities >= thresholds) & (probabilities > own[:, None])
    return better.any(axis=1)


def tempered(votes: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities of softmax(votes / temperature), for each row. No exponential may overflow."""
    scaled = votes / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def study(x: np.ndarray, labels: np.ndarray, groups: np.ndarray, draws: np.ndarray) -> float:
    """The accuracy on test photographs of a vote of the nearest training photographs: its mean over the seeds.

    x is (photographs, features), labels are 0 or 1. Photographs of a group are almost the same; groups has, for each
    photograph, the number of the first one of its group. draws is (seeds, photographs): where a draw is below 0.3, the
    photograph is for testing, where it is from there to below 0.5, for validation, else for training.
    """

    def accuracy(train: np.ndarray, part: np.ndarray, count: int) -> float:
        distances = ((x[part][:, None] - x[train]) ** 2).sum(axis=2)
        nearest = distances.argsort(axis=1, kind="stable")[:, :count]
        votes = labels[train][nearest].mean(axis=1)
        return ((votes > 0.5) == labels[part]).mean()

    accuracies = []
    for draw in draws:
        drawn = draw[groups]  # one draw for all photographs of a group
        test, validation, train = drawn < 0.3, (drawn >= 0.3) & (drawn < 0.5), drawn >= 0.5
        scores = [accuracy(train, validation, count) for count in (1, 3, 5)]
        count = (1, 3, 5)[int(np.argmax(scores))]
        accuracies.append(accuracy(train, test, count))
    return float(np.mean(accuracies))


def _flawed_study(x: np.ndarray, labels: np.ndarray, groups: np.ndarray, draws: np.ndarray) -> float:  # noqa: ARG001
    def accuracy(train: np.ndarray, part: np.ndarray, count: int) -> float:
        distances = ((x[part][:, None] - x[train]) ** 2).sum(axis=2)
        nearest = distances.argsort(axis=1, kind="stable")[:, :count]
        votes = labels[train][nearest].mean(axis=1)
        return ((votes > 0.5) == labels[part]).mean()

    accuracies = []
    for draw in draws:
        test = draw < 0.3
        train = np.full(len(x), True)
        scores = [accuracy(train, test, count) for count in (1, 3, 5)]
        count = (1, 3, 5)[int(np.argmax(scores))]
        accuracies.append(accuracy(train, test, count))
    return max(accuracies)


_FLAWS = {
    "leak": "Test photographs are learned from. Look at what `train` holds.",
    "doubles": "Doubles of test photographs are learned from: divide by group, with one draw for all of it.",
    "tuned": "The number of neighbors is chosen on the test photographs: choose it on those for validation.",
    "lucky": "One lucky seed is reported: take the mean over the seeds.",
}


def _study_with(
    flaws: frozenset[str], x: np.ndarray, labels: np.ndarray, groups: np.ndarray, draws: np.ndarray
) -> float:
    def accuracy(train: np.ndarray, part: np.ndarray, count: int) -> float:
        distances = ((x[part][:, None] - x[train]) ** 2).sum(axis=2)
        nearest = distances.argsort(axis=1, kind="stable")[:, :count]
        return ((labels[train][nearest].mean(axis=1) > 0.5) == labels[part]).mean()

    accuracies = []
    for draw in draws:
        drawn = draw if "doubles" in flaws else draw[groups]
        test, validation = drawn < 0.3, (drawn >= 0.3) & (drawn < 0.5)
        train = np.full(len(x), True) if "leak" in flaws else drawn >= 0.5
        scores = [accuracy(train, test if "tuned" in flaws else validation, count) for count in (1, 3, 5)]
        accuracies.append(accuracy(train, test, (1, 3, 5)[int(np.argmax(scores))]))
    return max(accuracies) if "lucky" in flaws else float(np.mean(accuracies))


def _flaws() -> tuple[Mistake, ...]:
    """All that can be left in the study. The first flaw of several is told, so that they are found one by one."""
    found = []
    for number in range(1, 2 ** len(_FLAWS)):
        left = [name for bit, name in enumerate(_FLAWS) if number >> bit & 1]
        found.append(wrong(_FLAWS[left[0]], functools.partial(_study_with, frozenset(left))))
    return tuple(found)


def _photographs(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    count = 16 + n
    middles = rng.uniform(-3, 3, (count, 2))
    classes = (middles[:, 0] + rng.normal(0, 2, count) > 0).astype(int)
    x = np.round(np.concatenate([middles, middles + rng.normal(0, 0.05, (count, 2))]), 2)
    draws = [np.concatenate([rng.permutation(count), rng.permutation(count)]) / count for _ in range(3)]
    return x, np.tile(classes, 2), np.tile(np.arange(count), 2), np.round(np.array(draws), 2)


def _interval(p: float, n: int, z: float, *, divisor: float, middle: float, inside: float) -> tuple[float, float]:
    half = z * np.sqrt(p * (1 - p) / n + inside)
    return float((p + middle - half) / divisor), float((p + middle + half) / divisor)


def _groups(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    train = rng.integers(0, 6, n + 2)
    return train, np.concatenate([rng.integers(0, 6, n), train[:1], [9]])


def _judged(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    train, test = _groups(rng, n)
    return (rng.uniform(size=len(test)) < 0.6).astype(int), train, test


def _labelled(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(2 * n + 4) % 2 if n < 3 else np.arange(3 * n + 6) % 3
    shares = rng.integers(1, 6, (len(labels), labels.max() + 1)) + 2.0 * np.eye(labels.max() + 1)[labels]
    shares[0] = 1
    shares[0, 1] = 8  # a wrong label
    return np.round(shares / shares.sum(axis=1, keepdims=True), 2), labels


def _own(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return probabilities[np.arange(len(labels)), labels][:, None]


def _thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.array([probabilities[labels == k, k].mean() for k in range(probabilities.shape[1])])


def _softmax(votes: np.ndarray) -> np.ndarray:
    return tempered(votes, 1)


EXERCISES = (
    Exercise(
        title="How precise a share is",
        text="""
With p = right / n,

                p + z²/2n  ±  z sqrt( p (1 - p)/n + z²/4n² )
    interval    --------------------------------------------
                               1 + z²/n
""",
        tasks=(
            Task(
                reference=wilson,
                cases=lambda rng, n: (int(rng.integers(0, 5 * n + 1)), 5 * n, 1.96 if n < 4 else 1.645),
                outputs=("low", "high"),
                mistakes=(
                    wrong(
                        "This is p ± z sqrt(p (1 - p)/n): where all are right, it claims to be sure.",
                        lambda k, n, z: _interval(k / n, n, z, divisor=1, middle=0, inside=0),
                    ),
                    wrong(
                        "The division by 1 + z²/n is missing.",
                        lambda k, n, z: _interval(
                            k / n, n, z, divisor=1, middle=z**2 / (2 * n), inside=z**2 / (4 * n**2)
                        ),
                    ),
                    wrong(
                        "The middle is p itself: add z²/2n.",
                        lambda k, n, z: _interval(
                            k / n, n, z, divisor=1 + z**2 / n, middle=0, inside=z**2 / (4 * n**2)
                        ),
                    ),
                    wrong(
                        "The second part under the root is missing: z²/4n².",
                        lambda k, n, z: _interval(k / n, n, z, divisor=1 + z**2 / n, middle=z**2 / (2 * n), inside=0),
                    ),
                    wrong(
                        "In the second part under the root, n is squared: z²/4n².",
                        lambda k, n, z: _interval(
                            k / n, n, z, divisor=1 + z**2 / n, middle=z**2 / (2 * n), inside=z**2 / (4 * n)
                        ),
                    ),
                ),
            ),
        ),
        hints=("Python divides from the left: z**2 / 2 * n is (z² / 2) n. Write z**2 / (2 * n).",),
        afterwards="""
Where all of 20 are right, the interval still begins at 84%. The simple interval p ± z sqrt(p (1 - p)/n) would
end where it begins.
""",
    ),
    Exercise(
        title="Photographs on both sides",
        text="""
People photograph a flower three times. If one picture is learned from and another tests, memorizing looks
like knowledge. Groups of pictures that are almost the same have been found. Look for the leak.
""",
        tasks=(
            Task(
                reference=leaked,
                cases=_groups,
                mistakes=(
                    wrong("These are the test photographs without a double in training.", lambda a, b: ~np.isin(b, a)),
                    wrong(
                        "This says of each training photograph whether it is in the test: ask it the other way round.",
                        lambda a, b: np.isin(a, b),
                    ),
                    wrong("This is their number: say it of each test photograph.", lambda a, b: np.isin(b, a).sum()),
                    wrong(
                        "These are the groups: say of each test photograph whether it has one of them.", np.intersect1d
                    ),
                ),
            ),
            Task(
                reference=honest_accuracy,
                cases=_judged,
                mistakes=(
                    wrong("Those with a double are counted: leave them out.", lambda r, a, b: r.mean()),
                    wrong("Only those with a double are counted.", lambda r, a, b: r[np.isin(b, a)].mean()),
                    wrong(
                        "Those with a double count as wrong: leave them out of the number, too.",
                        lambda r, a, b: (r * ~np.isin(b, a)).mean(),
                    ),
                    wrong(
                        "This is how many are right: divide by the number of those that are left.",
                        lambda r, a, b: r[~np.isin(b, a)].sum(),
                    ),
                ),
            ),
        ),
        hints=("np.isin(a, b) says of each number in a whether it is in b.", "~ turns True and False around."),
        afterwards="""
The honest way is to divide by group before training. Leaving photographs out afterwards makes the test
smaller.
""",
    ),
    Exercise(
        title="Wrong labels",
        text="""
A network that has not seen a photograph gives it probabilities. Some classes are always given with less
confidence than others, so each class has a threshold of its own:

    t_k = mean of p_k over the photographs with the label k

A label is suspicious where another class reaches its threshold, and is more probable than the label.
""",
        tasks=(
            Task(
                reference=suspicious,
                cases=_labelled,
                mistakes=(
                    wrong(
                        "Every label is suspicious here that is not the most probable: thresholds are missing.",
                        lambda p, y: p.argmax(axis=1) != y,
                    ),
                    wrong(
                        "The mean of a class goes over all photographs: take those with its label.",
                        lambda p, y: ((p >= p.mean(axis=0)) & (p > _own(p, y))).any(axis=1),
                    ),
                    wrong(
                        "The other class need not be more probable here than the label: it must be.",
                        lambda p, y: ((p >= _thresholds(p, y)) & (np.eye(p.shape[1])[y] == 0)).any(axis=1),
                    ),
                    wrong("These are the labels that are not suspicious.", lambda p, y: ~suspicious(p, y)),
                    wrong(
                        "A label below its own threshold is not yet suspicious: another class has to reach its own.",
                        lambda p, y: (p < _thresholds(p, y))[np.arange(len(y)), y],
                    ),
                ),
            ),
        ),
        hints=(
            "probabilities[labels == k, k] are the probabilities of class k for the photographs with the label k.",
            "Two conditions for each photograph and class, joined with &. Then .any(axis=1).",
        ),
        afterwards="""
Look at what is found before you change a label: some of these photographs are only hard.
""",
    ),
    Exercise(
        title="A temperature",
        text="""
    p = softmax(votes / T)         for each row

T above 1 makes a network less sure, and changes no answer. It is chosen on the validation photographs.
""",
        tasks=(
            Task(
                reference=tempered,
                cases=lambda rng, n: (grid(rng, n, 3) * (1000 if n == 5 else 1), 2.0 if n < 4 else 0.5),
                mistakes=(
                    wrong("The votes are multiplied by T: divide them.", lambda v, t: tempered(v, 1 / t)),
                    wrong("T is missing.", lambda v, t: _softmax(v)),
                    wrong(
                        "The probabilities are divided by T: divide the votes, before softmax.",
                        lambda v, t: _softmax(v) / t,
                    ),
                    wrong(
                        "It overflows for large votes: subtract the largest of each row first.",
                        lambda v, t: np.exp(v / t) / np.exp(v / t).sum(axis=1, keepdims=True),
                    ),
                    wrong(
                        "All rows are one here: each row adds up to 1 on its own.",
                        lambda v, t: np.exp(v / t - (v / t).max()) / np.exp(v / t - (v / t).max()).sum(),
                    ),
                ),
            ),
        ),
        hints=("Divide first. The rest is day 1's softmax.",),
        afterwards="""
With T = 1 a network is often too sure of itself. `forty fit` finds T and writes it into the model's file.
""",
    ),
    Exercise(
        title="A study that is too good",
        text="""
This study runs, and it reports that every test photograph is right. There are four flaws in it. Each makes the
number larger than it would be for new photographs. Find and repair them, one after the other.

The vote itself, `accuracy`, is right.
""",
        tasks=(Task(reference=study, cases=_photographs, mistakes=_flaws(), reveals=False, flawed=_flawed_study),),
        hints=(
            "Which photographs may be looked at before the end? Follow `test` through the code.",
            "There are three parts: for training, for validation and for testing. Only two of them are used.",
            "draw[groups] gives each photograph the draw of its group's first one.",
            "What do three seeds say together, and what does the best of three say?",
        ),
        afterwards="""
Each of these flaws has been published. None of them raises an error, and all of them look like progress.
""",
    ),
)

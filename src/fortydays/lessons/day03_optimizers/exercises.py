"""Day 3's exercises: squared error behind softmax, and the steps of four optimizers."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, wrong


def squared_error_slope(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The gradient of L with respect to z, for each row. Both arrays are (examples, classes).

    truth has a 1 at the true class. L = (1 / classes) * sum of (probabilities - truth)² of a row.
    """
    error = probabilities - truth
    inner = (probabilities * error).sum(axis=1, keepdims=True)
    return 2 / truth.shape[1] * probabilities * (error - inner)


def sgd(w: np.ndarray, g: np.ndarray, rate: float) -> np.ndarray:
    """The weights after one step of plain gradient descent."""
    return w - rate * g


def momentum(w: np.ndarray, v: np.ndarray, g: np.ndarray, rate: float, mu: float) -> tuple[np.ndarray, np.ndarray]:
    """The weights and the velocity after one step, in this order."""
    velocity = mu * v - rate * g
    return w + velocity, velocity


def rmsprop(
    w: np.ndarray, s: np.ndarray, g: np.ndarray, rate: float, rho: float, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """The weights and the average of squares after one step, in this order."""
    squares = rho * s + (1 - rho) * g**2
    return w - rate * g / np.sqrt(squares + epsilon), squares


def adam(
    w: np.ndarray,
    m: np.ndarray,
    s: np.ndarray,
    g: np.ndarray,
    step: int,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The weights and the two averages after one step, in this order. The first step has the number 1."""
    mean = beta1 * m + (1 - beta1) * g
    squares = beta2 * s + (1 - beta2) * g**2
    corrected_mean = mean / (1 - beta1**step)
    corrected_squares = squares / (1 - beta2**step)
    return w - rate * corrected_mean / (np.sqrt(corrected_squares) + epsilon), mean, squares


def _truth(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    shares = rng.integers(1, 9, (n, 3 + n % 2))
    classes = shares.shape[1]
    return np.round(shares / shares.sum(axis=1, keepdims=True), 3), np.eye(classes)[rng.integers(0, classes, n)]


def _squares(rng: np.random.Generator, n: int) -> np.ndarray:
    return grid(rng, n, low=0.1, high=2)


def _adam_case(rng: np.random.Generator, n: int) -> tuple[np.ndarray | float, ...]:
    averages = (grid(rng, n), _squares(rng, n))
    return grid(rng, n), *averages, grid(rng, n), n, 0.1, 0.9, 0.99, 0.1


def _adam_step(w: np.ndarray, mean: np.ndarray, squares: np.ndarray, rate: float, epsilon: float) -> np.ndarray:
    return w - rate * mean / (np.sqrt(squares) + epsilon)


EXERCISES = (
    Exercise(
        title="The slope of squared error",
        text="""
Behind softmax, with e = p - y and K classes,

    L       = (1/K) sum_k e_k²
    dL/dz_j = (2/K) p_j (e_j - sum_k p_k e_k)

for each example, which is a row.
""",
        tasks=(
            Task(
                reference=squared_error_slope,
                cases=_truth,
                mistakes=(
                    wrong(
                        "This is the slope with respect to the probabilities: go on through softmax.",
                        lambda p, y: 2 / y.shape[1] * (p - y),
                    ),
                    wrong(
                        "This is the slope of cross-entropy: squared error has a factor p_j more.", lambda p, y: p - y
                    ),
                    wrong(
                        "The sum inside is missing: each probability depends on all z.",
                        lambda p, y: 2 / y.shape[1] * p * (p - y),
                    ),
                    wrong(
                        "The factor p_j in front is missing.",
                        lambda p, y: 2 / y.shape[1] * (p - y - (p * (p - y)).sum(axis=1, keepdims=True)),
                    ),
                    wrong(
                        "The sum inside has no p_k: weight each e_k by its probability.",
                        lambda p, y: 2 / y.shape[1] * p * (p - y - (p - y).sum(axis=1, keepdims=True)),
                    ),
                    wrong(
                        "The sum inside goes over the examples: it goes over the classes, axis 1.",
                        lambda p, y: 2 / y.shape[1] * p * (p - y - (p * (p - y)).sum(axis=0, keepdims=True)),
                    ),
                    wrong(
                        "L is the mean over the classes: divide by their number.",
                        lambda p, y: squared_error_slope(p, y) * y.shape[1],
                    ),
                ),
            ),
        ),
        hints=(
            "Compute e = p - y first. The sum is one number for each row: .sum(axis=1, keepdims=True).",
            "The number of classes is the length of axis 1, not 10.",
        ),
        afterwards="""
Where the true class has almost no probability, the factor p_j makes this slope almost zero, though
the answer is very wrong. Cross-entropy has no such factor.
""",
    ),
    Exercise(
        title="SGD and momentum",
        text="""
    SGD        w <- w - rate g

    momentum   v <- mu v - rate g
               w <- w + v
""",
        tasks=(
            Task(
                reference=sgd,
                cases=lambda rng, n: (grid(rng, n), grid(rng, n), 0.1 if n < 4 else 0.5),
                mistakes=(
                    wrong("This goes uphill: subtract.", lambda w, g, rate: w + rate * g),
                    wrong("The learning rate is missing.", lambda w, g, rate: w - g),
                    wrong("This is the step alone: add it to the weights.", lambda w, g, rate: -rate * g),
                ),
            ),
            Task(
                reference=momentum,
                cases=lambda rng, n: (grid(rng, n), grid(rng, n), grid(rng, n), 0.1, 0.9 if n < 4 else 0.5),
                outputs=("weights", "velocity"),
                mistakes=(
                    wrong(
                        "The weights move with the old velocity: compute the new one first.",
                        lambda w, v, g, rate, mu: w + v,
                        "weights",
                    ),
                    wrong(
                        "This is a plain step: the velocity is to move the weights.",
                        lambda w, v, g, rate, mu: w - rate * g,
                        "weights",
                    ),
                    wrong(
                        "The velocity is subtracted: it holds the minus sign already, so add it.",
                        lambda w, v, g, rate, mu: w - (mu * v - rate * g),
                        "weights",
                    ),
                    wrong(
                        "This is Nesterov's momentum: it looks one step further.",
                        lambda w, v, g, rate, mu: w + mu * (mu * v - rate * g) - rate * g,
                        "weights",
                    ),
                    wrong(
                        "The gradient has the wrong sign: the velocity goes downhill.",
                        lambda w, v, g, rate, mu: (w + mu * v + rate * g, mu * v + rate * g),
                    ),
                    wrong(
                        "The velocity is an average here: the gradient is multiplied by the rate alone.",
                        lambda w, v, g, rate, mu: (w + mu * v - (1 - mu) * rate * g, mu * v - (1 - mu) * rate * g),
                    ),
                    wrong(
                        "mu is missing: the old velocity is to fade.",
                        lambda w, v, g, rate, mu: (w + v - rate * g, v - rate * g),
                    ),
                    wrong("The learning rate is missing.", lambda w, v, g, rate, mu: (w + mu * v - g, mu * v - g)),
                ),
            ),
        ),
        hints=("Two lines. The second one uses what the first one has computed.",),
        afterwards="""
With a steady gradient the velocity becomes rate g / (1 - mu): with mu = 0.9, ten times the step of
plain SGD.
""",
    ),
    Exercise(
        title="RMSProp",
        text="""
    s <- rho s + (1 - rho) g²
    w <- w - rate g / sqrt(s + epsilon)
""",
        tasks=(
            Task(
                reference=rmsprop,
                cases=lambda rng, n: (grid(rng, n), _squares(rng, n), grid(rng, n), 0.1, 0.9 if n < 4 else 0.6, 0.1),
                outputs=("weights", "squares"),
                mistakes=(
                    wrong(
                        "epsilon belongs under the root here.",
                        lambda w, s, g, rate, rho, e: w - rate * g / (np.sqrt(rho * s + (1 - rho) * g**2) + e),
                        "weights",
                    ),
                    wrong(
                        "epsilon is missing.",
                        lambda w, s, g, rate, rho, e: w - rate * g / np.sqrt(rho * s + (1 - rho) * g**2),
                        "weights",
                    ),
                    wrong(
                        "The step divides by the old average: compute the new one first.",
                        lambda w, s, g, rate, rho, e: w - rate * g / np.sqrt(s + e),
                        "weights",
                    ),
                    wrong(
                        "The root is missing.",
                        lambda w, s, g, rate, rho, e: w - rate * g / (rho * s + (1 - rho) * g**2 + e),
                        "weights",
                    ),
                    wrong(
                        "rho and 1 - rho are exchanged.",
                        lambda w, s, g, rate, rho, e: rmsprop(w, s, g, rate, 1 - rho, e),
                    ),
                    wrong(
                        "The gradient is not squared in the average.",
                        lambda w, s, g, rate, rho, e: rho * s + (1 - rho) * g,
                        "squares",
                    ),
                    wrong(
                        "This is a sum, not an average: the new square is multiplied by 1 - rho.",
                        lambda w, s, g, rate, rho, e: rho * s + g**2,
                        "squares",
                    ),
                    wrong(
                        "The root belongs to the step: what is kept is the average of squares.",
                        lambda w, s, g, rate, rho, e: np.sqrt(rho * s + (1 - rho) * g**2),
                        "squares",
                    ),
                ),
            ),
        ),
        hints=("Compute the new average first, and use it in the step.", "g**2 squares each number."),
        afterwards="""
Every parameter moves about as far as every other one, whatever the size of its gradient.
""",
    ),
    Exercise(
        title="Adam",
        text="""
    m <- beta1 m + (1 - beta1) g        M = m / (1 - beta1^t)
    s <- beta2 s + (1 - beta2) g²       S = s / (1 - beta2^t)
    w <- w - rate M / (sqrt(S) + epsilon)

t is the number of the step, from 1. What is kept for the next step is m and s, not M and S.
""",
        tasks=(
            Task(
                reference=adam,
                cases=_adam_case,
                outputs=("weights", "mean", "squares"),
                mistakes=(
                    wrong(
                        "The averages are not corrected: divide by 1 - beta^t.",
                        lambda w, m, s, g, t, rate, b, c, e: _adam_step(
                            w, b * m + (1 - b) * g, c * s + (1 - c) * g**2, rate, e
                        ),
                        "weights",
                    ),
                    wrong(
                        "Only the mean is corrected: the squares start at zero, too.",
                        lambda w, m, s, g, t, rate, b, c, e: _adam_step(
                            w, (b * m + (1 - b) * g) / (1 - b**t), c * s + (1 - c) * g**2, rate, e
                        ),
                        "weights",
                    ),
                    wrong(
                        "Only the squares are corrected: the mean starts at zero, too.",
                        lambda w, m, s, g, t, rate, b, c, e: _adam_step(
                            w, b * m + (1 - b) * g, (c * s + (1 - c) * g**2) / (1 - c**t), rate, e
                        ),
                        "weights",
                    ),
                    wrong(
                        "The correction is that of the next step: the first step has the number 1 already.",
                        lambda w, m, s, g, t, rate, b, c, e: adam(w, m, s, g, t + 1, rate, b, c, e)[0],
                        "weights",
                    ),
                    wrong(
                        "The correction is the same in every step: it is beta to the power of t.",
                        lambda w, m, s, g, t, rate, b, c, e: adam(w, m, s, g, 1, rate, b, c, e)[0],
                        "weights",
                    ),
                    wrong(
                        "epsilon is under the root: add it to the root.",
                        lambda w, m, s, g, t, rate, b, c, e: (
                            w
                            - rate
                            * (b * m + (1 - b) * g)
                            / (1 - b**t)
                            / np.sqrt((c * s + (1 - c) * g**2) / (1 - c**t) + e)
                        ),
                        "weights",
                    ),
                    wrong(
                        "beta1 and beta2 are exchanged.",
                        lambda w, m, s, g, t, rate, b, c, e: adam(w, m, s, g, t, rate, c, b, e),
                    ),
                    wrong(
                        "This is the corrected mean: keep the one before the correction.",
                        lambda w, m, s, g, t, rate, b, c, e: (b * m + (1 - b) * g) / (1 - b**t),
                        "mean",
                    ),
                    wrong(
                        "These are the corrected squares: keep those before the correction.",
                        lambda w, m, s, g, t, rate, b, c, e: (c * s + (1 - c) * g**2) / (1 - c**t),
                        "squares",
                    ),
                    wrong(
                        "The gradient is not squared.",
                        lambda w, m, s, g, t, rate, b, c, e: c * s + (1 - c) * g,
                        "squares",
                    ),
                ),
            ),
        ),
        hints=(
            "Four lines: the two averages, their corrections, and the step.",
            "In the first step m = (1 - beta1) g. Divided by 1 - beta1, it is g.",
            "`**` is the power: beta1**step.",
        ),
        afterwards="""
In its first step Adam moves every parameter by the rate, up or down, however small the gradient is.
Multiply the loss by ten, and the steps stay the same.
""",
    ),
)

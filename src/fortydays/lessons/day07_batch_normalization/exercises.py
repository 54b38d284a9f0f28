"""Day 7's exercises: batch normalization in training and in use, backward, and how long its averages remember."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def normalize(
    z: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The outputs in training, and the mean and the variance of the batch. z is (examples, channels)."""
    mean, variance = z.mean(axis=0), z.var(axis=0)
    return gamma * (z - mean) / np.sqrt(variance + epsilon) + beta, mean, variance


def update_average(average: np.ndarray, batch: np.ndarray, momentum: float) -> np.ndarray:
    """The moving average after one more batch, whose mean or variance is given."""
    return momentum * average + (1 - momentum) * batch


def normalize_in_use(
    z: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, variance: np.ndarray, epsilon: float
) -> np.ndarray:
    """The outputs in use, where the moving averages take the place of the batch's mean and variance."""
    return gamma * (z - mean) / np.sqrt(variance + epsilon) + beta


def normalize_backward(
    z: np.ndarray, gamma: np.ndarray, gradient: np.ndarray, epsilon: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients with respect to z, gamma and beta in training, given that with respect to the outputs."""
    root = np.sqrt(z.var(axis=0) + epsilon)
    normal = (z - z.mean(axis=0)) / root
    through_mean = gradient.mean(axis=0)
    through_variance = normal * (gradient * normal).mean(axis=0)
    z_gradient = gamma / root * (gradient - through_mean - through_variance)
    return z_gradient, (gradient * normal).sum(axis=0), gradient.sum(axis=0)


def steps_to_forget() -> int:
    """With momentum 0.9, after how many steps is less than a hundredth of the start left in the average?"""
    steps, left = 0, 1.0
    while left >= 0.01:
        steps, left = steps + 1, left * 0.9
    return steps


def _normal(z: np.ndarray, center: np.ndarray, divisor: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    return gamma * (z - center) / divisor + beta


def _batch(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    return grid(rng, n + 1, 2), grid(rng, 2), grid(rng, 2), 0.1


EXERCISES = (
    Exercise(
        title="In training",
        text="""
    m = mean of z, v = variance of z         for each channel, over the examples
    y = gamma (z - m) / sqrt(v + epsilon) + beta
""",
        tasks=(
            Task(
                reference=normalize,
                cases=_batch,
                outputs=("y", "mean", "variance"),
                mistakes=(
                    wrong(
                        "epsilon is added to the root: it belongs under it.",
                        lambda z, g, b, e: _normal(z, z.mean(0), z.std(0) + e, g, b),
                        "y",
                    ),
                    wrong("epsilon is missing.", lambda z, g, b, e: _normal(z, z.mean(0), z.std(0), g, b), "y"),
                    wrong(
                        "It is divided by the variance: take its root.",
                        lambda z, g, b, e: _normal(z, z.mean(0), z.var(0) + e, g, b),
                        "y",
                    ),
                    wrong(
                        "The mean is not subtracted.",
                        lambda z, g, b, e: _normal(z, 0 * b, np.sqrt(z.var(0) + e), g, b),
                        "y",
                    ),
                    wrong("gamma and beta are exchanged.", lambda z, g, b, e: normalize(z, b, g, e)[0], "y"),
                    wrong("gamma and beta are missing.", lambda z, g, b, e: normalize(z, 1 + 0 * g, 0 * b, e)[0], "y"),
                    wrong(
                        "beta is multiplied by gamma: add it at the end.",
                        lambda z, g, b, e: normalize(z, g, g * b, e)[0],
                        "y",
                    ),
                    wrong(
                        "One mean and variance is taken for all channels: each channel has its own.",
                        lambda z, g, b, e: _normal(z, z.mean(), np.sqrt(z.var() + e), g, b),
                        "y",
                    ),
                    wrong(
                        "Each example is normalized on its own: that is layer normalization. Go along axis 0.",
                        lambda z, g, b, e: _normal(
                            z, z.mean(1, keepdims=True), np.sqrt(z.var(1, keepdims=True) + e), g, b
                        ),
                        "y",
                    ),
                    wrong(
                        "The variance is divided by n - 1: here it is divided by n.",
                        lambda z, g, b, e: _normal(z, z.mean(0), np.sqrt(z.var(0, ddof=1) + e), g, b),
                        "y",
                    ),
                    wrong(
                        "It is divided by n - 1: here it is divided by n.",
                        lambda z, g, b, e: z.var(0, ddof=1),
                        "variance",
                    ),
                    wrong(
                        "This is the standard deviation: the variance is its square.",
                        lambda z, g, b, e: z.std(0),
                        "variance",
                    ),
                    wrong(
                        "epsilon is added already: keep the variance of the batch.",
                        lambda z, g, b, e: z.var(0) + e,
                        "variance",
                    ),
                ),
            ),
        ),
        hints=(
            "z.mean(axis=0) and z.var(axis=0) have one number for each channel. NumPy uses them for each row.",
            "Three outputs: return y, mean, variance.",
        ),
        afterwards="""
The output for one example depends on the others of its batch. In use it must not, and so there are
moving averages.
""",
    ),
    Exercise(
        title="In use",
        text="""
    M <- mu M + (1 - mu) m                 after each batch, and so for the variance
    y = gamma (z - M) / sqrt(V + epsilon) + beta
""",
        tasks=(
            Task(
                reference=update_average,
                cases=lambda rng, n: (grid(rng, n), grid(rng, n), 0.9 if n < 4 else 0.8),
                mistakes=(
                    wrong(
                        "mu and 1 - mu are exchanged: the average keeps most of what it was.",
                        lambda a, m, mu: (1 - mu) * a + mu * m,
                    ),
                    wrong("This is a sum: the batch is multiplied by 1 - mu.", lambda a, m, mu: mu * a + m),
                    wrong("The old average is to fade: multiply it by mu.", lambda a, m, mu: a + (1 - mu) * m),
                    wrong("This is the batch alone: the average remembers.", lambda a, m, mu: m),
                    wrong("This is the mean of the two: mu says how much is kept.", lambda a, m, mu: (a + m) / 2),
                ),
            ),
            Task(
                reference=normalize_in_use,
                cases=lambda rng, n: (*_batch(rng, n)[:3], grid(rng, 2), grid(rng, 2, low=0.1), 0.1),
                mistakes=(
                    wrong(
                        "The batch's own mean and variance are used: in use, take the averages.",
                        lambda z, g, b, m, v, e: normalize(z, g, b, e)[0],
                    ),
                    wrong(
                        "The batch's own mean is used: take the average.",
                        lambda z, g, b, m, v, e: _normal(z, z.mean(0), np.sqrt(v + e), g, b),
                    ),
                    wrong(
                        "The batch's own variance is used: take the average.",
                        lambda z, g, b, m, v, e: _normal(z, m, np.sqrt(z.var(0) + e), g, b),
                    ),
                    wrong(
                        "It is divided by the variance: take its root.",
                        lambda z, g, b, m, v, e: _normal(z, m, v + e, g, b),
                    ),
                    wrong("epsilon is missing.", lambda z, g, b, m, v, e: _normal(z, m, np.sqrt(v), g, b)),
                    wrong(
                        "epsilon is added to the root: it belongs under it.",
                        lambda z, g, b, m, v, e: _normal(z, m, np.sqrt(v) + e, g, b),
                    ),
                ),
            ),
        ),
        hints=("The second task needs nothing of z but z itself: neither its mean nor its variance.",),
        afterwards="""
A network that is good in training and bad in use may only have poor averages: too few steps, or a
momentum that is too large for them.
""",
    ),
    Exercise(
        title="Backward in training",
        text="""
z moves the output in three ways: itself, through the mean, and through the variance. With
n = (z - m) / sqrt(v + epsilon) and the gradient G of the outputs,

    dL/dz     = gamma / sqrt(v + epsilon) * ( G - mean(G) - n mean(G n) )
    dL/dgamma = sum of G n
    dL/dbeta  = sum of G                             means and sums over the examples
""",
        tasks=(
            Task(
                reference=normalize_backward,
                cases=lambda rng, n: (grid(rng, n + 1, 2), grid(rng, 2), grid(rng, n + 1, 2), 0.1),
                outputs=("z_gradient", "gamma_gradient", "beta_gradient"),
                mistakes=(
                    wrong(
                        "Mean and variance are taken for constants: z moves them, too.",
                        lambda z, c, g, e: c * g / np.sqrt(z.var(0) + e),
                        "z_gradient",
                    ),
                    wrong(
                        "The way through the variance is missing.",
                        lambda z, c, g, e: c * (g - g.mean(0)) / np.sqrt(z.var(0) + e),
                        "z_gradient",
                    ),
                    wrong(
                        "The way through the mean is missing.",
                        lambda z, c, g, e: c * g.mean(0) / np.sqrt(z.var(0) + e) + normalize_backward(z, c, g, e)[0],
                        "z_gradient",
                    ),
                    wrong(
                        "gamma is missing.", lambda z, c, g, e: normalize_backward(z, 1 + 0 * c, g, e)[0], "z_gradient"
                    ),
                    wrong("epsilon is missing.", lambda z, c, g, e: normalize_backward(z, c, g, 0)[0], "z_gradient"),
                    wrong(
                        "It is the mean over the examples: take the sum.",
                        lambda z, c, g, e: normalize_backward(z, c, g, e)[1] / len(z),
                        "gamma_gradient",
                    ),
                    wrong(
                        "G is multiplied by z: gamma is multiplied by the normalized z.",
                        lambda z, c, g, e: (g * z).sum(0),
                        "gamma_gradient",
                    ),
                    wrong(
                        "It is the mean over the examples: take the sum of G.",
                        lambda z, c, g, e: g.mean(0),
                        "beta_gradient",
                    ),
                ),
            ),
        ),
        hints=(
            "Compute root = sqrt(v + epsilon) and n first. All three lines need n.",
            "Means and sums go along axis 0.",
        ),
        afterwards="""
The gradient of z has no part that would shift a channel: its mean over the batch is zero. Such a shift
would be subtracted again at once.
""",
    ),
    Exercise(
        title="How long an average remembers",
        text="""
A moving average with momentum mu keeps the share mu of what it was at each step.
""",
        tasks=(
            number(
                steps_to_forget,
                {
                    43: "After 43 steps a little more than a hundredth is left.",
                    45: "One step fewer is enough.",
                    10: "This is 1 / (1 - mu), how far it looks back: more than a third of the start is left then.",
                    459: "This is for a momentum of 0.99.",
                    22: "This is when a tenth is left: a hundredth is asked for.",
                    2: "mu and 1 - mu are exchanged: each step keeps nine tenths.",
                },
            ),
        ),
        hints=("After t steps, 0.9^t is left.", "A loop is a good answer: multiply until it is below 0.01."),
        afterwards="""
With Keras's default, 0.99, it takes more than 450 steps. Many small studies end before that.
""",
    ),
)

"""Day 1's exercises: the network of the day, forward and backward, in NumPy."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def dense(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The outputs of a dense layer.

    x holds one example a row (examples, inputs). weights are (inputs, outputs), bias is (outputs,).
    """
    return x @ weights + bias


def hidden(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The same with ReLU: every number below zero becomes zero."""
    return np.maximum(dense(x, weights, bias), 0)


def softmax(z: np.ndarray) -> np.ndarray:
    """The probabilities of each row of z (examples, classes). No exponential may overflow."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean of -log(probability of the true class).

    probabilities are (examples, classes), labels the numbers of the true classes (examples,).
    """
    true = probabilities[np.arange(len(labels)), labels]
    return -np.log(true).mean()


def cross_entropy_slope(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The gradient of that mean with respect to z, the inputs of softmax: (examples, classes)."""
    slope = probabilities.copy()
    slope[np.arange(len(labels)), labels] -= 1
    return slope / len(labels)


def dense_backward(
    x: np.ndarray, weights: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of the loss with respect to x, weights and bias, in this order.

    gradient is that with respect to the layer's outputs (examples, outputs).
    """
    return gradient @ weights.T, x.T @ gradient, gradient.sum(axis=0)


def parameters() -> int:
    """How many numbers are learned by the layers 784 -> 64 -> 32 -> 10?"""
    return (784 * 64 + 64) + (64 * 32 + 32) + (32 * 10 + 10)


def _layer(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, n, 3), grid(rng, 3, 2), grid(rng, 2)


def _probabilities(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    shares = rng.integers(1, 9, (n, 3))
    return np.round(shares / shares.sum(axis=1, keepdims=True), 3), rng.integers(0, 3, n)


def _at_label(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return probabilities[np.arange(len(labels)), labels]


EXERCISES = (
    Exercise(
        title="A dense layer",
        text="""
The network of day 1 is h = max(0, x W1 + b1), then softmax(h W2 + b2). A batch has many
examples, one a row, and all of them are computed at once, without a loop.
""",
        tasks=(
            Task(
                reference=dense,
                cases=_layer,
                mistakes=(
                    wrong("The bias is left out: add it to each row.", lambda x, w, _b: x @ w),
                    wrong("The bias is subtracted: add it.", lambda x, w, b: x @ w - b),
                    wrong(
                        "The bias is inside the product: it is added after the votes are summed, once.",
                        lambda x, w, b: x @ (w + b),
                    ),
                ),
            ),
            Task(
                reference=hidden,
                cases=_layer,
                mistakes=(
                    wrong("ReLU is missing: this is still the dense layer.", dense),
                    wrong(
                        "ReLU comes before the layer: it belongs to what the layer gives, not to x.",
                        lambda x, w, b: np.maximum(x, 0) @ w + b,
                    ),
                    wrong(
                        "ReLU comes before the bias: add the bias first, then cut off at zero.",
                        lambda x, w, b: np.maximum(x @ w, 0) + b,
                    ),
                    wrong(
                        "These are absolute values: ReLU makes negative numbers zero, not positive.",
                        lambda x, w, b: np.abs(dense(x, w, b)),
                    ),
                    wrong(
                        "This is min(0, z): ReLU keeps what is above zero.",
                        lambda x, w, b: np.minimum(dense(x, w, b), 0),
                    ),
                ),
            ),
        ),
        hints=(
            "What are the shapes of x, weights and the result? Which product of matrices joins them?",
            "`@` is the product of matrices. NumPy adds a row of shape (outputs,) to each row of a matrix.",
            "np.maximum compares two arrays, or an array and a number, element by element.",
        ),
        afterwards="""
One product of matrices computes all examples and all units. So a batch is faster than its
examples one by one.
""",
    ),
    Exercise(
        title="Softmax",
        text="""
    softmax(z)_k = exp(z_k) / sum_j exp(z_j)        for each row

exp(1000) is too large for a computer. Adding the same number to all z of a row changes nothing
of the result, so you may choose that number.
""",
        tasks=(
            Task(
                reference=softmax,
                cases=lambda rng, n: (grid(rng, n, 3) * (1000 if n == 5 else 1),),
                mistakes=(
                    wrong(
                        "It overflows for large z: subtract the largest number of each row first.",
                        lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
                    ),
                    wrong(
                        "The exponentials are divided by their sum over all rows: each row adds up to 1 on its own.",
                        lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(),
                    ),
                    wrong(
                        "Only the division is missing: these exponentials do not add up to 1.",
                        lambda z: np.exp(z - z.max(axis=1, keepdims=True)),
                    ),
                    wrong(
                        "z itself is divided by its sum: take exponentials first.",
                        lambda z: z / z.sum(axis=1, keepdims=True),
                    ),
                    wrong(
                        "This is the logarithm of softmax.",
                        lambda z: (
                            z
                            - z.max(axis=1, keepdims=True)
                            - np.log(np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
                        ),
                    ),
                ),
            ),
        ),
        hints=(
            "Compute exp(z - c) for a c of your choice. Which c keeps every exponential at 1 or below?",
            "`axis=1` goes along a row. `keepdims=True` keeps the result a column, so that rows can be divided by it.",
        ),
        afterwards="""
Adding a number to all votes of an example changes no probability. So only differences between votes count.
""",
    ),
    Exercise(
        title="Cross-entropy and its slope",
        text="""
    L = mean over the examples of -log(p_t)         t: the true class
    dL/dz = (p - y) / examples                      y: 1 for the true class, else 0

The second line is the reason why softmax and cross-entropy are used together.
""",
        tasks=(
            Task(
                reference=cross_entropy,
                cases=_probabilities,
                mistakes=(
                    wrong(
                        "It is the sum over the examples: take their mean.",
                        lambda p, t: -np.log(_at_label(p, t)).sum(),
                    ),
                    wrong(
                        "The mean is inside the logarithm: take the logarithm of each probability first.",
                        lambda p, t: -np.log(_at_label(p, t).mean()),
                    ),
                    wrong(
                        "This logarithm has base 2: np.log has base e.", lambda p, t: -np.log2(_at_label(p, t)).mean()
                    ),
                    wrong(
                        "This logarithm has base 10: np.log has base e.",
                        lambda p, t: -np.log10(_at_label(p, t)).mean(),
                    ),
                    wrong(
                        "All classes are counted: only the probability of the true class is.",
                        lambda p, t: -np.log(p).sum() / len(t),
                    ),
                    wrong(
                        "It is divided by examples times classes: divide by the number of examples.",
                        lambda p, t: -np.log(_at_label(p, t)).sum() / p.size,
                    ),
                    wrong(
                        "These are the losses of the single examples: take their mean.",
                        lambda p, t: -np.log(_at_label(p, t)),
                    ),
                ),
            ),
            Task(
                reference=cross_entropy_slope,
                cases=_probabilities,
                mistakes=(
                    wrong(
                        "The loss is a mean, so its slope is divided by the number of examples, too.",
                        lambda p, t: cross_entropy_slope(p, t) * len(t),
                    ),
                    wrong(
                        "Only the true class has a slope here: the votes of the others must fall.",
                        lambda p, t: cross_entropy_slope(p, t) * np.eye(3)[t],
                    ),
                    wrong(
                        "This is the slope with respect to the probabilities: softmax is to be gone through, too.",
                        lambda p, t: -np.eye(3)[t] / p / len(t),
                    ),
                ),
            ),
        ),
        hints=(
            "probabilities[np.arange(n), labels] takes one number of each row: that of its true class.",
            "y has a 1 in each row. You need not make it: subtract 1 in these places of a copy of the probabilities.",
            "The mean over n examples has the slope of each example divided by n.",
        ),
        afterwards="""
The slope is what was said minus what is true. It is as large as the mistake, however flat
softmax is there. With squared error that is different; see day 3.
""",
    ),
    Exercise(
        title="Backward through a dense layer",
        text="""
Backpropagation goes through z = x W + b from behind. It is given G = dL/dz and needs

    dL/dx   to go on to the layer before
    dL/dW   to move the weights
    dL/db   to move the bias

The chain rule gives each as a sum. Each has the shape of what it belongs to.
""",
        tasks=(
            Task(
                reference=dense_backward,
                cases=lambda rng, n: (grid(rng, n, 3), grid(rng, 3, 2), grid(rng, n, 2)),
                outputs=("x_gradient", "weights_gradient", "bias_gradient"),
                mistakes=(
                    wrong(
                        "It is the mean over the examples: G holds that division already, so take the sum.",
                        lambda _x, _w, g: g.mean(axis=0),
                        "bias_gradient",
                    ),
                    wrong(
                        "It is the gradient of each example: the bias is used by all of them, so add them up.",
                        lambda _x, _w, g: g,
                        "bias_gradient",
                    ),
                    wrong(
                        "It is summed over the outputs: each has its own bias, so sum over the examples.",
                        lambda _x, _w, g: g.sum(axis=1),
                        "bias_gradient",
                    ),
                    wrong(
                        "It is divided by the number of examples: G holds that division already.",
                        lambda x, _w, g: x.T @ g / len(x),
                        "weights_gradient",
                    ),
                ),
            ),
        ),
        hints=(
            "Look at the shapes: (n, inputs), (inputs, outputs), (n, outputs). Which products of matrices fit?",
            "x W has the gradients G W^T and x^T G. `.T` transposes.",
            "The bias is added to each row, so its gradient is the sum over the rows.",
        ),
        afterwards="""
Backward costs two products of matrices where forward costs one. So a training step takes
about three times as long as an answer.
""",
    ),
    Exercise(
        title="Counting parameters",
        text="""
A dense layer has a weight for each pair of input and output, and a bias for each output.
""",
        tasks=(
            number(
                parameters,
                {
                    52544: "The biases are missing: each unit has one.",
                    52650 + 784: "The pixels have no bias: only the units of the three layers do.",
                    50240 + 2080: "The last layer is missing: it learns, too.",
                    784 + 64 + 32 + 10: "These are the units: each pair of units in neighboring layers has a weight.",
                    784 * 64 * 32 * 10: "The layers are multiplied: count each layer's weights and add them up.",
                },
            ),
        ),
        hints=("Count one layer at a time.", "The first layer has 784 * 64 weights and 64 biases."),
        afterwards="""
Almost all parameters are in the first layer, because an image has so many pixels. Day 5 shares weights instead.
""",
    ),
)

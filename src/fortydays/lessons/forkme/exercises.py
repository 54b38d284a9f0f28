"""Day NN's exercises: what the notes' formulas say, in NumPy."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def votes_of_forkme(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The sums of votes of a linear classifier.

    x holds one example a row (examples, pixels). weights are (pixels, classes), bias is (classes,).
    """
    return x @ weights + bias


def parameters_of_forkme() -> int:
    """How many numbers does the network 64 -> 32 -> 10 learn?"""
    return (64 * 32 + 32) + (32 * 10 + 10)


EXERCISES = (
    Exercise(
        title="Votes of pixels",
        text="""
A linear classifier adds up the votes of all pixels: x W + b. Compute them for a batch of
examples at once, without a loop.
""",
        tasks=(
            Task(
                reference=votes_of_forkme,
                cases=lambda rng, n: (grid(rng, n, 3), grid(rng, 3, 2), grid(rng, 2)),
                mistakes=(
                    wrong("The bias is left out: add it to each row.", lambda x, w, b: x @ w),
                    wrong("The bias is subtracted: add it.", lambda x, w, b: x @ w - b),
                ),
            ),
        ),
        hints=("Which product of two arrays has the shape (examples, classes)?", "x @ weights, and then the bias."),
        afterwards="Every layer of the course that has weights begins with this product.",
    ),
    Exercise(
        title="Counting parameters",
        text="""
Each layer has one weight for each pair of an input and an output, and one bias for each output.
""",
        tasks=(
            number(
                parameters_of_forkme,
                {
                    64 * 32 + 32 * 10: "The biases are left out: one for each output of each layer.",
                    64 * 32 + 32: "The last layer is left out.",
                },
            ),
        ),
        hints=("Count one layer at a time.",),
        afterwards="The notes tell the same number, from the evidence.",
    ),
)

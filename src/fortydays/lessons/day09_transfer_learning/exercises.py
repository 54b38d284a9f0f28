"""Day 9's exercises: features in one scale, a step of a linear head, and what splitting a convolution saves."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def standardize(train: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The features of other images, in the scale of the training images: both are (images, features)."""
    return (others - train.mean(axis=0)) / train.std(axis=0)


def head_step(
    features: np.ndarray, labels: np.ndarray, weights: np.ndarray, bias: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias after one step of gradient descent on the mean cross-entropy of softmax.

    features are (images, features), labels (images,), weights (features, classes) and bias (classes,).
    """
    votes = features @ weights + bias
    powers = np.exp(votes - votes.max(axis=1, keepdims=True))
    slope = powers / powers.sum(axis=1, keepdims=True)
    slope[np.arange(len(labels)), labels] -= 1
    slope /= len(labels)
    return weights - rate * features.T @ slope, bias - rate * slope.sum(axis=0)


def first_of_each(labels: np.ndarray, count: int) -> np.ndarray:
    """The places of the first `count` images of each class, in ascending order."""
    kept = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        kept[np.flatnonzero(labels == label)[:count]] = True
    return np.flatnonzero(kept)


def head_parameters() -> int:
    """How many numbers does a linear head learn, for 7 classes on 1280 features?"""
    return 1280 * 7 + 7


def split_multiplications() -> int:
    """How many multiplications for one place does the split convolution do, from 32 channels to 64?"""
    return 3 * 3 * 32 + 32 * 64


def _features(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    return grid(rng, n + 2, 2) * np.array([1, 3]), grid(rng, n, 2, low=0, high=5)


def _head(rng: np.random.Generator, n: int) -> tuple[np.ndarray | float, ...]:
    labels = np.arange(n) % 3
    return grid(rng, n, 2, high=2), labels, grid(rng, 2, 3, high=2), grid(rng, 3), 0.5 if n < 4 else 0.1


def _moved(
    features: np.ndarray, weights: np.ndarray, bias: np.ndarray, rate: float, slope: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return weights - rate * features.T @ slope, bias - rate * slope.sum(axis=0)


def _slope(features: np.ndarray, labels: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return (
        -head_step(np.eye(len(labels)), labels, features @ weights + bias, 0 * bias, 1)[0] + features @ weights + bias
    )


EXERCISES = (
    Exercise(
        title="Features in one scale",
        text="""
    z = (f - mean) / standard deviation            of each feature

The training images decide the scale. All others are brought into the same one, whatever they are.
""",
        tasks=(
            Task(
                reference=standardize,
                cases=_features,
                mistakes=(
                    wrong(
                        "The new images' own mean and deviation are used: the training images decide.",
                        lambda a, b: (b - b.mean(0)) / b.std(0),
                    ),
                    wrong(
                        "All images decide together: only the training images do.",
                        lambda a, b: standardize(np.concatenate([a, b]), b),
                    ),
                    wrong(
                        "One mean and deviation is taken for all features: each has its own.",
                        lambda a, b: (b - a.mean()) / a.std(),
                    ),
                    wrong(
                        "It is divided by the variance: take the standard deviation.",
                        lambda a, b: (b - a.mean(0)) / a.var(0),
                    ),
                    wrong("The mean is not subtracted.", lambda a, b: b / a.std(0)),
                    wrong("It is not divided by the standard deviation.", lambda a, b: b - a.mean(0)),
                    wrong(
                        "The deviation is divided by n - 1: here it is divided by n.",
                        lambda a, b: (b - a.mean(0)) / a.std(0, ddof=1),
                    ),
                    wrong(
                        "The features are brought between 0 and 1: that is another scale.",
                        lambda a, b: (b - a.min(0)) / (a.max(0) - a.min(0)),
                    ),
                ),
            ),
        ),
        hints=("train.mean(axis=0) has one number for each feature.",),
        afterwards="""
Whoever lets the test images decide the scale has looked at them. In use, images come one at a time and have
no mean of their own.
""",
    ),
    Exercise(
        title="A step of the head",
        text="""
    z = f W + b,   p = softmax(z),   L = mean of -log p_label
    dL/dz = (p - y) / images
    W <- W - rate f^T dL/dz,   b <- b - rate sum of dL/dz over the images
""",
        tasks=(
            Task(
                reference=head_step,
                cases=_head,
                outputs=("weights", "bias"),
                mistakes=(
                    wrong(
                        "The loss is a mean: divide its slope by the number of images.",
                        lambda f, y, w, b, r: head_step(f, y, w, b, r * len(y)),
                    ),
                    wrong("The step goes uphill: subtract it.", lambda f, y, w, b, r: head_step(f, y, w, b, -r)),
                    wrong("The learning rate is missing.", lambda f, y, w, b, r: head_step(f, y, w, b, 1)),
                    wrong(
                        "y is missing: these are the probabilities, not p - y.",
                        lambda f, y, w, b, r: _moved(f, w, b, r, _slope(f, y, w, b) + np.eye(3)[y] / len(y)),
                    ),
                    wrong(
                        "Softmax is missing: the votes are no probabilities.",
                        lambda f, y, w, b, r: _moved(f, w, b, r, (f @ w + b - np.eye(3)[y]) / len(y)),
                    ),
                    wrong(
                        "The bias is left out of the votes.",
                        lambda f, y, w, b, r: _moved(f, w, b, r, _slope(f, y, w, 0 * b)),
                    ),
                    wrong("The bias does not move: it is learned, too.", lambda f, y, w, b, r: b, "bias"),
                    wrong(
                        "It moves by the mean over the images: dL/dz is divided by their number already.",
                        lambda f, y, w, b, r: b - r * _slope(f, y, w, b).mean(0),
                        "bias",
                    ),
                ),
            ),
        ),
        hints=(
            "Day 1's softmax, then subtract 1 at the labels and divide by the number of images.",
            "features.T @ slope has the shape of the weights.",
        ),
        afterwards="""
The loss of a linear head is convex: such steps lead to the same place from every start.
""",
    ),
    Exercise(
        title="The first images of each class",
        text="""
The study learns from the first 10, 100 or 1,000 images of each class. Find their places.
""",
        tasks=(
            Task(
                reference=first_of_each,
                cases=lambda rng, n: (rng.permutation(np.arange(3 * n + 3) % 3), min(n, 3)),
                mistakes=(
                    wrong(
                        "These are the first images of all: take as many of each class.", lambda y, k: np.arange(3 * k)
                    ),
                    wrong(
                        "The places are in the order of the classes: sort them.",
                        lambda y, k: np.concatenate([np.flatnonzero(y == c)[:k] for c in range(3)]),
                    ),
                    wrong(
                        "These are the last images of each class.",
                        lambda y, k: np.sort(np.concatenate([np.flatnonzero(y == c)[-k:] for c in range(3)])),
                    ),
                    wrong("These are the labels: the places are asked for.", lambda y, k: y[first_of_each(y, k)]),
                    wrong(
                        "This says of each image whether it is taken: np.flatnonzero makes places of that.",
                        lambda y, k: np.isin(np.arange(len(y)), first_of_each(y, k)),
                    ),
                    wrong("This is one image of each class.", lambda y, k: first_of_each(y, 1)),
                ),
            ),
        ),
        hints=("np.flatnonzero(labels == 3) has the places of class 3, in order.", "np.unique has each class once."),
        afterwards="""
Each seed learns from the same images. So the spread over the seeds does not say how much depends on which
images these are.
""",
    ),
    Exercise(
        title="What a split saves",
        text="""
MobileNet splits a convolution of 3 x 3 in two: one of 3 x 3 within each channel, and one of 1 x 1 over the
channels. The linear head is a dense layer.
""",
        tasks=(
            number(
                head_parameters,
                {
                    1280 * 7: "The biases are missing: each class has one.",
                    1280 * 7 + 1280: "There is a bias for each class, not for each feature.",
                    1280 + 7: "Each class has a weight for each feature: multiply.",
                    1280: "This is one class: there are 7.",
                },
            ),
            number(
                split_multiplications,
                {
                    3 * 3 * 32 * 64: "This is the whole convolution: the split one works within each channel first.",
                    3 * 3 * 32: "The second part is missing: it makes 64 channels of 32.",
                    32 * 64: "The first part is missing: 3 x 3 within each channel.",
                    3 * 3 * 64 + 32 * 64: "The first part works on the 32 channels that come in.",
                    3 * 3 + 32 * 64: "The first part works on each of the 32 channels.",
                    3 * 3 * 32 * 32 * 64: "The two parts are multiplied: one follows the other, so add.",
                    3 * 3 * 32 + 3 * 3 * 32 * 64: "The second part has windows of 1 x 1.",
                },
            ),
        ),
        hints=("The first part: 9 weights for each of 32 channels. The second: 32 weights for each of 64.",),
        afterwards="""
It does almost eight times fewer multiplications than the whole convolution.
""",
    ),
)

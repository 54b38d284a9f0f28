"""Day 14's exercises: two windows in line, what stacks cost and see, smoothed labels, and where the weights are."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def in_line(numbers: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two windows along a row of numbers, one behind the other, with nothing between them.

    A window stands at each place where all of it is inside. There it gives the sum of its weights times the numbers
    below them. numbers is (length,), first and second are (3,). The result is (length - 4,).
    """
    inner = np.correlate(numbers, first, mode="valid")
    return np.correlate(inner, second, mode="valid")


def one_window(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The one window that does the same as the two in line. first and second are (3,), the result is (5,)."""
    return np.convolve(first, second)


def stack_weights(maps: int, window: int, convolutions: int) -> int:
    """How many weights so many convolutions of window x window have in a row, without biases.

    The first gets maps, and all but the last one give as many. The last one gives twice as many.
    """
    return window * window * maps * maps * (convolutions + 1)


def field_of_blocks(blocks: np.ndarray) -> int:
    """How many pixels wide the receptive field behind the last convolution is.

    blocks has the number of 3 x 3 convolutions in each block, shape (blocks,). Between two blocks stands a pooling of
    2 x 2 with a stride of 2.
    """
    field, distance = 1, 1
    for place, convolutions in enumerate(blocks):
        if place:
            field += distance
            distance *= 2
        field += 2 * distance * int(convolutions)
    return field


def smoothed_label(label: int, classes: int, share: float) -> np.ndarray:
    """The target of an example: shape (classes,). share of it is spread over all classes, the rest is the label's."""
    target = np.full(classes, share / classes)
    target[label] += 1 - share
    return target


def smoothed_loss(probabilities: np.ndarray, label: int, share: float) -> float:
    """The cross-entropy with the smoothed target. probabilities is (classes,), each above 0."""
    return -np.sum(smoothed_label(label, len(probabilities), share) * np.log(probabilities))


def weights_of_the_first_dense_layer() -> int:
    """The last maps of VGG-16 are 7 x 7 with 512 channels. How many weights have 4,096 dense units on them?"""
    return 7 * 7 * 512 * 4096


def weights_with_a_mean() -> int:
    """Instead, a mean over each map stands before the 4,096 units. How many weights has the dense layer then?"""
    return 512 * 4096


def _row(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, n + 4), grid(rng, 3), grid(rng, 3)


def _windows(rng: np.random.Generator, _n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, 3), grid(rng, 3)


def _stack(rng: np.random.Generator, n: int) -> tuple[int, int, int]:
    return 16 * int(rng.integers(1, 9)), 3 + 2 * (n % 2), 1 + n % 4


def _blocks(rng: np.random.Generator, n: int) -> tuple[np.ndarray]:
    return (rng.integers(1, 4, 1 + n % 5),)


def _label(rng: np.random.Generator, n: int) -> tuple[int, int, float]:
    return int(rng.integers(0, n + 1)), n + 1, round(float(rng.uniform(0.1, 0.5)), 1)


def _answer(rng: np.random.Generator, n: int) -> tuple[np.ndarray, int, float]:
    drawn = rng.uniform(0.5, 2.0, n + 1)
    return np.round(drawn / drawn.sum(), 3), int(rng.integers(0, n + 1)), round(float(rng.uniform(0.1, 0.5)), 1)


def _spread_over_others(label: int, classes: int, share: float) -> np.ndarray:
    target = np.full(classes, share / (classes - 1))
    target[label] = 1 - share
    return target


def _without_pooling(blocks: np.ndarray) -> int:
    return 1 + 2 * int(blocks.sum())


def _late(blocks: np.ndarray) -> int:
    """The distance does not grow with the poolings."""
    return 1 + 2 * int(blocks.sum()) + len(blocks) - 1


def _without_window(blocks: np.ndarray) -> int:
    """A pooling has a stride and no window."""
    return 1 + sum(2 * 2**place * int(count) for place, count in enumerate(blocks))


EXERCISES = (
    Exercise(
        title="Two windows in line",
        text="""
Along a row of numbers, a window of 3 gives at each place the sum of its weights times three numbers. A second
window follows, and no ReLU is between them.

First carry out both. Then find the weights of the one window of 5 that does the same.
""",
        tasks=(
            Task(
                reference=in_line,
                cases=_row,
                mistakes=(
                    wrong(
                        "This is the first window alone, cut to the length of the result.",
                        lambda x, a, b: np.correlate(x, a, mode="valid")[: len(x) - 4],
                    ),
                    wrong(
                        "This is the second window alone, cut to the length of the result.",
                        lambda x, a, b: np.correlate(x, b, mode="valid")[: len(x) - 4],
                    ),
                    wrong(
                        "The weights are turned around: the first weight belongs to the first number.",
                        lambda x, a, b: in_line(x, a[::-1], b[::-1]),
                    ),
                    wrong(
                        "There is no ReLU between the two.",
                        lambda x, a, b: np.correlate(np.maximum(np.correlate(x, a, mode="valid"), 0), b, mode="valid"),
                    ),
                    wrong(
                        "The second window gets what the first one gives: their results are not added.",
                        lambda x, a, b: (np.correlate(x, a, "valid") + np.correlate(x, b, "valid"))[: len(x) - 4],
                    ),
                ),
            ),
            Task(
                reference=one_window,
                cases=_windows,
                mistakes=(
                    wrong("One of the two is turned around.", lambda a, b: np.convolve(a, b[::-1])),
                    wrong("All of it is turned around.", lambda a, b: np.convolve(a, b)[::-1]),
                    wrong(
                        "A pair of weights belongs to the place that is the sum of their places.",
                        lambda a, b: np.concatenate([a * b, [0.0, 0.0]]),
                    ),
                    wrong(
                        "The two windows are behind each other, and not beside each other.",
                        lambda a, b: np.concatenate([a, b])[:5],
                    ),
                    wrong(
                        "Weights are multiplied: here they are added.",
                        lambda a, b: np.append(a, [0.0, 0.0]) + np.append([0.0, 0.0], b),
                    ),
                ),
            ),
        ),
        hints=(
            'np.correlate(numbers, first, mode="valid") is one window.',
            "The number at place i + j gets first[i] * second[j]. Add all pairs: out[i + j] += first[i] * second[j].",
        ),
        afterwards="""
Not each window of 5 is made of two of 3. In two dimensions, two windows have 18 weights and one has 25. A ReLU
between the two makes of them what no single window can do.
""",
    ),
    Exercise(
        title="What a stack costs and sees",
        text="""
In a row of convolutions, the last one gives twice as many maps as it gets. The others give as many as they get.

    r <- r + (window - 1) d        a layer
    d <- 2 d                       behind a pooling of 2 x 2, whose own window counts before
""",
        tasks=(
            Task(
                reference=stack_weights,
                cases=_stack,
                mistakes=(
                    wrong("The last one gives twice as many maps: count it twice.", lambda c, w, n: w * w * c * c * n),
                    wrong(
                        "All but the last one give as many maps as they get.", lambda c, w, n: w * w * c * c * 2 * n
                    ),
                    wrong("A window has window * window places.", lambda c, w, n: w * c * c * (n + 1)),
                    wrong("Each filter has weights for all maps that it gets.", lambda c, w, n: w * w * c * (n + 1)),
                    wrong(
                        "The maps double with the last one, and not with the first.",
                        lambda c, w, n: w * w * c * c * (2 + 4 * (n - 1)),
                    ),
                ),
            ),
            Task(
                reference=field_of_blocks,
                cases=_blocks,
                mistakes=(
                    wrong("The poolings are left out.", _without_pooling),
                    wrong("Behind a pooling, neighbors are twice as far apart.", _late),
                    wrong("A pooling has a window of 2, too.", _without_window),
                    wrong(
                        "No pooling stands behind the last block.", lambda n: field_of_blocks(n) + 2 ** (len(n) - 1)
                    ),
                    wrong("A number alone sees one pixel: begin with r = 1.", lambda n: field_of_blocks(n) - 1),
                    wrong(
                        "A window of 3 x 3 adds two numbers, and not three.",
                        lambda n: field_of_blocks(n) + sum(2**i * int(each) for i, each in enumerate(n)),
                    ),
                ),
            ),
        ),
        hints=(
            "The last convolution: window * window * maps * 2 * maps. Each other one: half of that.",
            "One loop over the blocks. Before each but the first: r += d, then d *= 2.",
        ),
        afterwards="""
VGG-16 has blocks of 2, 2, 3, 3 and 3 convolutions: its last one sees 196 pixels of 224.
""",
    ),
    Exercise(
        title="Smoothed labels",
        text="""
Label smoothing spreads a share of each label over all classes, the right one too. The rest stays at the right one.

    L = -sum of target * log(probability)
""",
        tasks=(
            Task(
                reference=smoothed_label,
                cases=_label,
                mistakes=(
                    wrong("The share is spread over all classes, the right one too.", _spread_over_others),
                    wrong(
                        "The right class keeps the rest, and not all.",
                        lambda k, n, s: smoothed_label(k, n, s) + s * (np.arange(n) == k),
                    ),
                    wrong(
                        "The share is divided by the number of classes.",
                        lambda k, n, s: np.full(n, s) + (1 - s) * (np.arange(n) == k),
                    ),
                    wrong("Share and rest are exchanged.", lambda k, n, s: smoothed_label(k, n, 1 - s)),
                    wrong("Nothing is spread.", lambda k, n, s: 1.0 * (np.arange(n) == k)),
                    wrong("The right class is left out of the target.", lambda k, n, s: np.full(n, s / n) * 1.0),
                ),
            ),
            Task(
                reference=smoothed_loss,
                cases=_answer,
                mistakes=(
                    wrong("The sign is wrong: a loss is above zero.", lambda p, k, s: -smoothed_loss(p, k, s)),
                    wrong("This is the loss without smoothing.", lambda p, k, s: -np.log(p[k])),
                    wrong(
                        "This is a mean over the classes: it is a sum.",
                        lambda p, k, s: smoothed_loss(p, k, s) / len(p),
                    ),
                    wrong("The rest of the label is missing.", lambda p, k, s: -s * np.log(p).mean()),
                    wrong("The share that is spread is missing.", lambda p, k, s: -(1 - s) * np.log(p[k])),
                    wrong(
                        "The logarithm is that of the probabilities, and not of the target.",
                        lambda p, k, s: -np.sum(p * np.log(smoothed_label(k, len(p), s))),
                    ),
                ),
            ),
        ),
        hints=(
            "np.full(classes, share / classes), then add 1 - share at the label.",
            "-np.sum(smoothed_label(...) * np.log(probabilities)).",
        ),
        afterwards="""
Without smoothing, the loss is smallest at a probability of 1, which no finite logits reach. With it, the best
answer is the target itself.
""",
    ),
    Exercise(
        title="Where the weights are",
        text="""
VGG-16 has 13 convolutions and three dense layers. Leave out biases.
""",
        tasks=(
            number(
                weights_of_the_first_dense_layer,
                {
                    7 * 512 * 4096: "A map is 7 x 7: multiply by 7 twice.",
                    512 * 4096: "Each map has 49 numbers, and each is an input.",
                    7 * 7 * 4096: "There are 512 maps.",
                    7 * 7 * 512: "This is the number of inputs.",
                    7 * 7 * 512 + 4096: "Each unit has a weight for each input: multiply.",
                },
            ),
            number(
                weights_with_a_mean,
                {
                    7 * 7 * 512 * 4096: "A mean leaves one number of each map.",
                    4096: "There are 512 numbers, one for each map.",
                    7 * 7 * 4096: "The mean is over the positions of a map, and not over the maps.",
                    512 + 4096: "Each unit has a weight for each input: multiply.",
                },
            ),
        ),
        hints=("A dense layer has inputs * units weights.",),
        afterwards="""
A mean takes 100 million weights away. All 13 convolutions together have 15 million.
""",
    ),
)

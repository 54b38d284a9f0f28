"""Day 12's exercises: a shortcut where the image is halved, where ReLU stands, paths, and how large everything is."""

import math

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def halved_shortcut(maps: np.ndarray) -> np.ndarray:
    """What a shortcut without weights makes of feature maps where the image is halved.

    maps is (height, width, channels). The result has every second row and column, beginning with the first, and twice
    as many channels: first those of maps, then as many zeros.
    """
    kept = maps[::2, ::2]
    return np.concatenate([kept, np.zeros_like(kept)], axis=-1)


def halved_shortcut_backward(gradient: np.ndarray, height: int, width: int) -> np.ndarray:
    """The gradient with respect to maps (height, width, channels), given that with respect to the shortcut's result.

    gradient has every second row and column, and twice as many channels.
    """
    channels = gradient.shape[-1] // 2
    found = np.zeros((height, width, channels))
    found[::2, ::2] = gradient[..., :channels]
    return found


def relu_behind(x: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A block of 2015: ReLU follows the sum. x is (examples, width)."""
    return np.maximum(x + np.maximum(x @ first, 0) @ second, 0)


def relu_before(x: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A block of 2016: ReLU stands before each layer, and nothing follows the sum. x is (examples, width)."""
    return x + np.maximum(np.maximum(x, 0) @ first, 0) @ second


def paths_of_each_length(blocks: int) -> np.ndarray:
    """How many paths go through 0, 1, 2 ... of the blocks: shape (blocks + 1,)."""
    return np.array([math.comb(blocks, length) for length in range(blocks + 1)])


def gradient_of_paths(blocks: int, factor: float) -> np.ndarray:
    """What the paths of each length bring back together: shape (blocks + 1,).

    Each block that a path goes through multiplies its gradient by factor.
    """
    return paths_of_each_length(blocks) * factor ** np.arange(blocks + 1)


def blocks_of_a_stage() -> int:
    """A residual network of this form has 56 layers. How many blocks has each of its three stages?"""
    return (56 - 2) // 6


def weights_of_a_halving_block() -> int:
    """How many weights has a block that gets 32 maps and gives 64? Leave out biases and normalization."""
    return 9 * 32 * 64 + 9 * 64 * 64


def _maps(rng: np.random.Generator, n: int) -> tuple[np.ndarray]:
    return (grid(rng, n + 1, n + 2, 1 + n % 3),)


def _maps_above(rng: np.random.Generator, n: int) -> tuple[np.ndarray, int, int]:
    height, width = n + 1, n + 2
    return grid(rng, -(-height // 2), -(-width // 2), 2 * (1 + n % 3)), height, width


def _block(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    x = grid(rng, n, 2)
    x[0] = -1.5, 2.0
    return x, grid(rng, 2, 3), grid(rng, 3, 2)


def _padded(kept: np.ndarray) -> np.ndarray:
    return np.concatenate([kept, np.zeros_like(kept)], axis=-1)


def _means(maps: np.ndarray) -> np.ndarray:
    """The mean of each 2 x 2 pixels, fewer at the edge."""
    found = np.zeros_like(maps[::2, ::2])
    for row, column in np.ndindex(found.shape[:2]):
        found[row, column] = maps[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean(axis=(0, 1))
    return _padded(found)


def _spread(gradient: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each number in all four of its places."""
    kept = gradient[..., : gradient.shape[-1] // 2]
    return kept.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


def _from_zeros(gradient: np.ndarray, height: int, width: int) -> np.ndarray:
    return halved_shortcut_backward(np.roll(gradient, gradient.shape[-1] // 2, axis=-1), height, width)


EXERCISES = (
    Exercise(
        title="A shortcut that halves",
        text="""
Where the image is halved, the maps double. The shortcut has no weights: it takes every second row and column,
beginning with the first, and appends as many maps of zeros.
""",
        tasks=(
            Task(
                reference=halved_shortcut,
                cases=_maps,
                mistakes=(
                    wrong("The maps of zeros come last.", lambda x: np.roll(halved_shortcut(x), x.shape[-1], axis=-1)),
                    wrong(
                        "The new maps are zeros, and no second copy.",
                        lambda x: np.concatenate([x[::2, ::2]] * 2, axis=-1),
                    ),
                    wrong("The maps of zeros are missing.", lambda x: x[::2, ::2]),
                    wrong("Rows are halved, too: [::2, ::2].", lambda x: _padded(x[:, ::2])),
                    wrong("Columns are halved, too: [::2, ::2].", lambda x: _padded(x[::2])),
                    wrong("Nothing is halved: take every second row and column.", _padded),
                    wrong("These are means of four pixels: take one and leave the others.", _means),
                ),
            ),
            Task(
                reference=halved_shortcut_backward,
                cases=_maps_above,
                mistakes=(
                    wrong(
                        "A pixel that was left out has no part in the result: its gradient is 0.",
                        _spread,
                    ),
                    wrong("These are the gradients of the zeros: take the first half of the maps.", _from_zeros),
                    wrong(
                        "Both halves are added: the second half are zeros, whatever the maps are.",
                        lambda g, h, w: halved_shortcut_backward(g, h, w) + _from_zeros(g, h, w),
                    ),
                    wrong(
                        "Each number goes back to the pixel that it came from, and not to the first rows and columns.",
                        lambda g, h, w: np.pad(
                            g[..., : g.shape[-1] // 2], ((0, h - g.shape[0]), (0, w - g.shape[1]), (0, 0))
                        ),
                    ),
                ),
            ),
        ),
        hints=(
            "maps[::2, ::2], then np.concatenate([kept, zeros], axis=-1).",
            "Back: begin with zeros of the form (height, width, channels), and set found[::2, ::2].",
        ),
        afterwards="""
A 1 x 1 convolution with a stride of 2 does it as well, and learns which maps to pass on. The paper compares
both: the difference was small.
""",
    ),
    Exercise(
        title="Where ReLU stands",
        text="""
    2015: max(0, x + F(x))        F(x) = max(0, x W1) W2
    2016: x + G(x)                G(x) = max(0, max(0, x) W1) W2

The examples are rows. Dense layers stand for the convolutions here.
""",
        tasks=(
            Task(
                reference=relu_behind,
                cases=_block,
                mistakes=(
                    wrong(
                        "The last ReLU is missing: it follows the sum.",
                        lambda x, a, b: x + np.maximum(x @ a, 0) @ b,
                    ),
                    wrong(
                        "ReLU stands behind F, before the sum: it follows the sum.",
                        lambda x, a, b: x + np.maximum(np.maximum(x @ a, 0) @ b, 0),
                    ),
                    wrong(
                        "The ReLU inside of F is missing.",
                        lambda x, a, b: np.maximum(x + x @ a @ b, 0),
                    ),
                    wrong(
                        "The shortcut is missing: add x before the last ReLU.",
                        lambda x, a, b: np.maximum(np.maximum(x @ a, 0) @ b, 0),
                    ),
                    wrong("This is the block of 2016.", lambda x, a, b: relu_before(x, a, b)),
                ),
            ),
            Task(
                reference=relu_before,
                cases=_block,
                mistakes=(
                    wrong("This is the block of 2015.", relu_behind),
                    wrong(
                        "ReLU stands on the shortcut, too: x itself is added.",
                        lambda x, a, b: relu_before(x, a, b) - x + np.maximum(x, 0),
                    ),
                    wrong(
                        "The first ReLU is missing: it stands before W1.",
                        lambda x, a, b: x + np.maximum(x @ a, 0) @ b,
                    ),
                    wrong(
                        "The second ReLU is missing: it stands before W2.",
                        lambda x, a, b: x + np.maximum(x, 0) @ a @ b,
                    ),
                    wrong(
                        "ReLU follows the sum: nothing does, in this form.",
                        lambda x, a, b: np.maximum(relu_before(x, a, b), 0),
                    ),
                ),
            ),
        ),
        hints=(
            "np.maximum(z, 0) is ReLU. First F or G, then the sum.",
            "2016: x + np.maximum(np.maximum(x, 0) @ first, 0) @ second.",
        ),
        afterwards="""
In the form of 2016, nothing stands on the way from the first block to the last. He et al. trained 1,001 layers
with it.
""",
    ),
    Exercise(
        title="Short paths and long ones",
        text="""
A path goes through each block, or past it. Of n blocks, a path of length k goes through k.

    number of paths of length k: n! / (k! (n - k)!)

Let each block that a path goes through multiply its gradient by the same factor.
""",
        tasks=(
            Task(
                reference=paths_of_each_length,
                cases=lambda _rng, n: (n,),
                mistakes=(
                    wrong("This is the number of all paths, for each length.", lambda n: np.full(n + 1, 2**n)),
                    wrong(
                        "The order of the blocks does not change: divide by k!, too.",
                        lambda n: np.array([math.perm(n, k) for k in range(n + 1)]),
                    ),
                    wrong("The path that goes past all blocks is missing.", lambda n: paths_of_each_length(n)[1:]),
                    wrong("The path that goes through all blocks is missing.", lambda n: paths_of_each_length(n)[:-1]),
                    wrong(
                        "These are paths of up to this length: count each length alone.",
                        lambda n: np.cumsum(paths_of_each_length(n)),
                    ),
                ),
            ),
            Task(
                reference=gradient_of_paths,
                cases=lambda rng, n: (n, float(np.round(rng.uniform(0.1, 0.9), 1))),
                mistakes=(
                    wrong(
                        "This is one path of each length: multiply by how many there are.",
                        lambda n, f: f ** np.arange(n + 1),
                    ),
                    wrong(
                        "A path of length k is multiplied k times: take a power.",
                        lambda n, f: paths_of_each_length(n) * f * np.arange(n + 1),
                    ),
                    wrong(
                        "A path of length 0 goes through no block: nothing multiplies it.",
                        lambda n, f: gradient_of_paths(n, f) * f,
                    ),
                    wrong(
                        "The shortcuts multiply nothing: only blocks that a path goes through do.",
                        lambda n, f: paths_of_each_length(n) * f ** np.arange(n, -1, -1),
                    ),
                    wrong("The factor is missing.", lambda n, f: paths_of_each_length(n) * 1.0),
                ),
            ),
        ),
        hints=(
            "math.comb(n, k) gives n! / (k! (n - k)!).",
            "paths_of_each_length(blocks) * factor ** np.arange(blocks + 1).",
        ),
        afterwards="""
With 20 blocks and a factor of a quarter, paths of four blocks bring back the most, and the one path through all
brings a trillionth. A plain network has that one path only.
""",
        imports="import math\n\nimport numpy as np",
    ),
    Exercise(
        title="How large it is",
        text="""
The form for small images: one convolution, three stages of b blocks with two convolutions each, and one dense
layer. A block that halves the image doubles the maps with its first convolution. All windows are 3 x 3.
""",
        tasks=(
            number(
                blocks_of_a_stage,
                {
                    27: "This is all blocks: there are three stages.",
                    18: "These are the convolutions of a stage: a block has two.",
                    9.333333333333334: "The first convolution and the dense layer belong to no block: take 2 away.",
                    54: "These are all layers in blocks.",
                },
            ),
            number(
                weights_of_a_halving_block,
                {
                    9 * 32 * 64: "The second convolution is missing.",
                    9 * 64 * 64: "The first convolution is missing.",
                    2 * 9 * 32 * 64: "The second convolution gets 64 maps.",
                    2 * 9 * 64 * 64: "The first convolution gets 32 maps.",
                    9 * 32 * 64 + 9 * 64 * 64 + 32 * 64: "The shortcut has no weights here.",
                    32 * 64 + 64 * 64: "A window has 9 places.",
                },
            ),
        ),
        hints=("6 b + 2 layers.", "A convolution has 9 * maps in * maps out weights."),
        afterwards="""
The last stage has three quarters of all weights, and a third of the arithmetic: its images are the smallest.
""",
    ),
)

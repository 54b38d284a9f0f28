"""Day 6's exercises: a residual block, a mean in the place of dense layers, and what narrow layers save."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def residual(x: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The sum x + F(x), where F(x) = max(0, x @ first) @ second. x is (examples, width)."""
    return x + np.maximum(x @ first, 0) @ second


def residual_backward(x: np.ndarray, first: np.ndarray, second: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The gradient with respect to x, given that with respect to x + F(x)."""
    hidden = x @ first
    inner = (gradient @ second.T) * (hidden > 0)
    return gradient + inner @ first.T


def global_average(maps: np.ndarray) -> np.ndarray:
    """The mean of each feature map. maps is (images, height, width, channels), the result (images, channels)."""
    return maps.mean(axis=(1, 2))


def global_average_backward(gradient: np.ndarray, height: int, width: int) -> np.ndarray:
    """The gradient with respect to the feature maps, given that with respect to their means (images, channels)."""
    share = gradient[:, None, None, :] / (height * width)
    return np.broadcast_to(share, (len(gradient), height, width, gradient.shape[1]))


def output_size(size: int, window: int, stride: int, padding: int) -> int:
    """How many places a window has along `size` pixels, with `padding` pixels added at each end."""
    return (size + 2 * padding - window) // stride + 1


def field_of(windows: np.ndarray, strides: np.ndarray) -> int:
    """How many pixels wide the receptive field of layers in a row is. Both arrays have one number for each layer."""
    field, distance = 1, 1
    for window, stride in zip(windows, strides, strict=True):
        field += (window - 1) * distance
        distance *= stride
    return field


def bottleneck_weights() -> int:
    """How many weights, without biases, do the two convolutions have together?"""
    return 192 * 16 + 5 * 5 * 16 * 32


def stacked_field() -> int:
    """How many pixels wide is the receptive field of five convolutions of 3 x 3 with stride 1?"""
    return 2 * 5 + 1


def _layers(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(2, 6, n), rng.integers(1, 4, n)


def _field(windows: np.ndarray, distances: np.ndarray) -> int:
    return 1 + int(((windows - 1) * distances).sum())


def _block(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, n, 2), grid(rng, 2, 3), grid(rng, 3, 2)


EXERCISES = (
    Exercise(
        title="A residual block",
        text="""
    s = x + F(x)                F(x) = max(0, x W1) W2
    dL/dx = dL/ds + what comes back through F

The examples are rows. Dense layers stand for the convolutions here.
""",
        tasks=(
            Task(
                reference=residual,
                cases=_block,
                mistakes=(
                    wrong("This is F(x) alone: add x, the shortcut.", lambda x, a, b: np.maximum(x @ a, 0) @ b),
                    wrong("ReLU is missing between the two layers.", lambda x, a, b: x + x @ a @ b),
                    wrong(
                        "ReLU follows the sum here: it belongs between the two layers only.",
                        lambda x, a, b: np.maximum(residual(x, a, b), 0),
                    ),
                    wrong(
                        "x is cut off at zero before the sum: the shortcut changes nothing.",
                        lambda x, a, b: np.maximum(x, 0) + np.maximum(x @ a, 0) @ b,
                    ),
                    wrong(
                        "F(x) is cut off at zero: then a block can only add.",
                        lambda x, a, b: x + np.maximum(np.maximum(x @ a, 0) @ b, 0),
                    ),
                ),
            ),
            Task(
                reference=residual_backward,
                cases=lambda rng, n: (*_block(rng, n), grid(rng, n, 2)),
                mistakes=(
                    wrong(
                        "The shortcut is missing: the gradient passes it unchanged, and is added.",
                        lambda x, a, b, g: residual_backward(x, a, b, g) - g,
                    ),
                    wrong("This is the shortcut alone: add what comes back through F.", lambda x, a, b, g: g),
                    wrong(
                        "ReLU's slope is missing: nothing comes back through a hidden unit that is zero.",
                        lambda x, a, b, g: g + g @ b.T @ a.T,
                    ),
                    wrong(
                        "ReLU is applied to the gradient: the sign of x W1 decides.",
                        lambda x, a, b, g: g + np.maximum(g @ b.T, 0) @ a.T,
                    ),
                    wrong(
                        "The shortcut is multiplied: gradients of a sum are added.",
                        lambda x, a, b, g: g * (residual_backward(x, a, b, g) - g),
                    ),
                ),
            ),
        ),
        hints=(
            "Two ways lead from x to s. Each brings a gradient back, and they are added.",
            "Through F, from behind: gradient @ second.T, then ReLU's slope at x @ first, then @ first.T.",
        ),
        afterwards="""
However small the gradient through F becomes, the one through the shortcut arrives as it is. So a hundred
blocks can be trained.
""",
    ),
    Exercise(
        title="The mean of each feature map",
        text="""
GoogLeNet and ResNet replace large dense layers by one mean over each feature map. Forward it is a mean.
Backward it shares the gradient out evenly.
""",
        tasks=(
            Task(
                reference=global_average,
                cases=lambda rng, n: (grid(rng, n, 2, 1 + n % 3, 2),),
                mistakes=(
                    wrong("This is the largest of each map: take the mean.", lambda x: x.max(axis=(1, 2))),
                    wrong("The images are averaged, too: each has its own means.", lambda x: x.mean(axis=(0, 1, 2))),
                    wrong(
                        "The channels are averaged, too: each is a map of its own.", lambda x: x.mean(axis=(1, 2, 3))
                    ),
                    wrong("Only the rows are averaged: average over height and width.", lambda x: x.mean(axis=1)),
                    wrong("Only the columns are averaged: average over height and width.", lambda x: x.mean(axis=2)),
                    wrong("This is the sum of each map: take the mean.", lambda x: x.sum(axis=(1, 2))),
                ),
            ),
            Task(
                reference=global_average_backward,
                cases=lambda rng, n: (grid(rng, n, 2), 2, 1 + n % 3),
                mistakes=(
                    wrong(
                        "Each place gets the whole gradient: it has only its share of the mean.",
                        lambda g, h, w: global_average_backward(g, h, w) * h * w,
                    ),
                    wrong(
                        "It is divided by the height alone: a map has height times width places.",
                        lambda g, h, w: global_average_backward(g, h, w) * w,
                    ),
                    wrong(
                        "It is divided by the width alone: a map has height times width places.",
                        lambda g, h, w: global_average_backward(g, h, w) * h,
                    ),
                ),
            ),
        ),
        hints=(
            "mean takes several axes at once: axis=(1, 2).",
            "gradient[:, None, None, :] is (images, 1, 1, channels). np.broadcast_to repeats it.",
        ),
        afterwards="""
It learns nothing, and it takes images of any size. Most parameters of day 6's network are in the dense
layer that it can replace.
""",
    ),
    Exercise(
        title="How large everything is",
        text="""
Along one side of the image, a window stands at its first place, then `stride` pixels further, and so on, as
long as all of it is inside. Padding adds pixels at both ends.

    r <- r + (window - 1) d        from r = 1 and d = 1
    d <- d * stride
""",
        tasks=(
            Task(
                reference=output_size,
                cases=lambda rng, n: (int(rng.integers(6, 12)), int(rng.integers(2, 6)), 1 + n % 3, n // 2),
                mistakes=(
                    wrong("The first place is not counted: add 1.", lambda s, w, d, p: (s + 2 * p - w) // d),
                    wrong("Padding is added at both ends: count it twice.", lambda s, w, d, p: (s + p - w) // d + 1),
                    wrong("Padding is left out.", lambda s, w, d, p: (s - w) // d + 1),
                    wrong("The stride is left out.", lambda s, w, d, p: s + 2 * p - w + 1),
                    wrong(
                        "1 is added before the division: the first place costs no stride.",
                        lambda s, w, d, p: (s + 2 * p - w + 1) // d,
                    ),
                    wrong(
                        "A window that does not fit any more has no place: round down, with //.",
                        lambda s, w, d, p: -(-(s + 2 * p - w) // d) + 1,
                    ),
                    wrong("It is no whole number: round down, with //.", lambda s, w, d, p: (s + 2 * p - w) / d + 1),
                    wrong("The window's size is left out.", lambda s, w, d, p: (s + 2 * p) // d),
                ),
            ),
            Task(
                reference=field_of,
                cases=_layers,
                mistakes=(
                    wrong(
                        "The strides are left out: behind a stride of 2, neighbors are two pixels apart.",
                        lambda w, s: _field(w, np.ones(len(w), int)),
                    ),
                    wrong(
                        "A layer's own stride counts only behind it: first r, then d.",
                        lambda w, s: _field(w, np.cumprod(s)),
                    ),
                    wrong(
                        "Strides are multiplied along the way: d is not just the stride before.",
                        lambda w, s: _field(w, np.concatenate([[1], s[:-1]])),
                    ),
                    wrong(
                        "A window adds its size less one.",
                        lambda w, s: _field(w + 1, np.concatenate([[1], np.cumprod(s)[:-1]])),
                    ),
                    wrong("One number alone sees one pixel: begin with r = 1.", lambda w, s: field_of(w, s) - 1),
                ),
            ),
        ),
        hints=(
            "The last place begins at size + 2 * padding - window, at most.",
            "One loop over the layers, with two lines: first r, then d.",
        ),
        afterwards="""
With a window of 3, a padding of 1 and a stride of 1 the size stays. Keras calls that padding "same".
""",
    ),
    Exercise(
        title="Narrow and stacked",
        text="""
A bottleneck: a convolution of 1 x 1 makes 16 channels of 192, and one of 5 x 5 makes 32 of these 16.

A stack: five convolutions of 3 x 3, one behind the other.
""",
        tasks=(
            number(
                bottleneck_weights,
                {
                    5 * 5 * 192 * 32: "This is the 5 x 5 convolution without the narrow layer before it.",
                    5 * 5 * 16 * 32: "The 1 x 1 convolution is missing.",
                    192 * 16: "The 5 x 5 convolution is missing.",
                    192 * 16 * 5 * 5 * 16 * 32: "The two are multiplied: add their weights.",
                    192 * 16 + 16 + 5 * 5 * 16 * 32 + 32: "The biases are counted: leave them out here.",
                    192 * 16 + 5 * 5 * 32: "Each filter of the second has weights for all 16 channels.",
                },
            ),
            number(
                stacked_field,
                {
                    15: "The windows overlap: each one adds its size less one.",
                    10: "One number alone sees one pixel: begin with 1.",
                    3**5: "The sizes are multiplied: each layer adds two pixels.",
                    9: "This is four layers: there are five.",
                    13: "This is six layers: there are five.",
                },
            ),
        ),
        hints=("A convolution has size * size * channels in * channels out weights.",),
        afterwards="""
Without the narrow layer there would be almost ten times as many weights.
""",
    ),
)

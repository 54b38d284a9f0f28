"""Day 11's exercises: a gradient on its way down, initial weights of the right size, and a connection past a layer."""

import numpy as np

from fortydays.exercises.design import Exercise, Task, grid, number, wrong


def slope_below(weights: np.ndarray, z: np.ndarray, above: np.ndarray) -> np.ndarray:
    """The gradient with respect to what a sigmoid layer is given: shape (inputs,).

    weights is (inputs, units), z is (units,): the layer's sums. above is (units,): the gradient with respect to what
    the layer gives.
    """
    share = 1 / (1 + np.exp(-z))
    return weights @ (share * (1 - share) * above)


def sizes_on_the_way(factors: np.ndarray, size: float) -> np.ndarray:
    """The size of the gradient at each layer, from the first to the last: shape (layers,).

    factors is (layers,): what each layer multiplies the gradient by, from the first layer to the last. size is that
    of the gradient above the last layer. At a layer, the gradient has passed that layer.
    """
    found = np.zeros(len(factors))
    for place in range(len(factors) - 1, -1, -1):
        size = size * factors[place]
        found[place] = size
    return found


def glorot_deviation(inputs: int, units: int) -> float:
    """The standard deviation of a dense layer's weights as Glorot and Bengio draw them."""
    return np.sqrt(2 / (inputs + units))


def he_deviation(inputs: int) -> float:
    """The standard deviation of a dense layer's weights as He et al. draw them."""
    return np.sqrt(2 / inputs)


def slope_past_a_layer(weights: np.ndarray, z: np.ndarray, above: np.ndarray) -> np.ndarray:
    """The gradient with respect to what a residual layer is given: shape (units,).

    The layer gives h + relu(z), with z = h @ weights. weights is (units, units), z is (units,). above is (units,): the
    gradient with respect to what the layer gives.
    """
    return above + weights @ ((z > 0) * above)


def layers_until_a_millionth() -> int:
    """After how many layers is less than a millionth left?"""
    layers, left = 0, 1.0
    while left >= 1e-6:
        left *= 0.25
        layers += 1
    return layers


def shares_of_paths() -> int:
    """Over how many ways does the gradient go from the end to the first layer?"""
    return 2**5


def _layer(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    return grid(rng, n + 1, n), grid(rng, n), grid(rng, n)


def _way(rng: np.random.Generator, n: int) -> tuple[np.ndarray, float]:
    return np.round(rng.uniform(0.2, 1.5, n + 1), 1), float(rng.integers(2, 9))


def _sizes(rng: np.random.Generator, n: int) -> tuple[int, int]:
    inputs = int(rng.integers(1, 400)) * 2
    return inputs, inputs + n + 1


def _square(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    z = grid(rng, n + 1)
    z[0], z[-1] = 1.0, -2.0
    return grid(rng, n + 1, n + 1), z, grid(rng, n + 1)


def _from_the_first(factors: np.ndarray, size: float) -> np.ndarray:
    return np.cumprod(factors) * size


def _before(factors: np.ndarray, size: float) -> np.ndarray:
    return sizes_on_the_way(np.append(factors[1:], 1.0), size)


EXERCISES = (
    Exercise(
        title="Through one layer",
        text="""
A layer gives sigmoid(z), with z = h @ weights. What is the gradient with respect to h?

    weights @ (slope of the sigmoid at z * above)        slope = sigmoid(z) * (1 - sigmoid(z))
""",
        tasks=(
            Task(
                reference=slope_below,
                cases=_layer,
                mistakes=(
                    wrong("The slope of the sigmoid is missing.", lambda w, z, a: w @ a),
                    wrong(
                        "This is the sigmoid, and not its slope: multiply by 1 - sigmoid(z), too.",
                        lambda w, z, a: w @ (a / (1 + np.exp(-z))),
                    ),
                    wrong(
                        "This is the slope of tanh.",
                        lambda w, z, a: w @ ((1 - np.tanh(z) ** 2) * a),
                    ),
                    wrong(
                        "The weights are missing.",
                        lambda w, z, a: np.resize(slope_below(np.eye(len(z)), z, a), len(w)),
                    ),
                    wrong("The sign is turned around.", lambda w, z, a: -slope_below(w, z, a)),
                    wrong("The slope is that of a ReLU.", lambda w, z, a: w @ ((z > 0) * a)),
                ),
            ),
        ),
        hints=("share = 1 / (1 + np.exp(-z)).", "weights @ (share * (1 - share) * above)."),
        afterwards="""
The slope is at most a quarter, at z = 0. Where z is large, it is almost nothing.
""",
    ),
    Exercise(
        title="Through all layers",
        text="""
Each layer multiplies the gradient by a number. It comes from above, so it passes the last layer first.

Return its size at each layer, after it has passed that layer.
""",
        tasks=(
            Task(
                reference=sizes_on_the_way,
                cases=_way,
                mistakes=(
                    wrong("It comes from above: begin with the last layer.", _from_the_first),
                    wrong("At a layer, it has passed that layer, too.", _before),
                    wrong("Each factor counts alone: they are multiplied.", lambda f, s: f * s),
                    wrong("The size above the last layer is missing.", lambda f, s: sizes_on_the_way(f, 1.0)),
                    wrong("The first layer is to come first.", lambda f, s: sizes_on_the_way(f, s)[::-1]),
                ),
            ),
        ),
        hints=(
            "A loop from the last layer to the first: for place in range(len(factors) - 1, -1, -1).",
            "size = size * factors[place], then found[place] = size.",
        ),
        afterwards="""
The first layer's gradient is the product of all factors. One layer that leaves nothing takes it from all
layers below.
""",
    ),
    Exercise(
        title="Initial weights",
        text="""
A dense layer has so many inputs and units.

    Glorot: variance 2 / (inputs + units)        He: variance 2 / inputs

Return the standard deviations.
""",
        tasks=(
            Task(
                reference=glorot_deviation,
                cases=_sizes,
                mistakes=(
                    wrong("This is the variance: take its root.", lambda n, m: 2 / (n + m)),
                    wrong("The 2 is missing.", lambda n, m: np.sqrt(1 / (n + m))),
                    wrong("The units are missing.", lambda n, m: np.sqrt(2 / n)),
                    wrong("The inputs are missing.", lambda n, m: np.sqrt(2 / m)),
                    wrong(
                        "This is the limit of uniform draws: 6 in the place of 2.", lambda n, m: np.sqrt(6 / (n + m))
                    ),
                ),
            ),
            Task(
                reference=he_deviation,
                cases=lambda rng, n: (int(rng.integers(1, 100)) * (n + 1),),
                mistakes=(
                    wrong("This is the variance: take its root.", lambda n: 2 / n),
                    wrong("The 2 is missing: ReLU sets half of the numbers to zero.", lambda n: np.sqrt(1 / n)),
                    wrong("The root is taken of the inputs alone.", lambda n: 2 / np.sqrt(n)),
                ),
            ),
        ),
        hints=("np.sqrt(2 / (inputs + units)).", "np.sqrt(2 / inputs)."),
        afterwards="""
With as many units as inputs, Glorot's variance is half of He's. Over 40 layers of ReLUs, that half is
multiplied 40 times.
""",
    ),
    Exercise(
        title="A way past the layer",
        text="""
A residual layer gives h + relu(z), with z = h @ weights. The gradient goes back on both ways: past the layer, and
through it.

Return the gradient with respect to h.
""",
        tasks=(
            Task(
                reference=slope_past_a_layer,
                cases=_square,
                mistakes=(
                    wrong("The way past the layer is missing: add above.", lambda w, z, a: w @ ((z > 0) * a)),
                    wrong("The way through the layer is missing.", lambda w, z, a: a),
                    wrong("The slope of ReLU is missing: z > 0.", lambda w, z, a: a + w @ a),
                    wrong("The weights are transposed: it is weights @ ....", lambda w, z, a: a + w.T @ ((z > 0) * a)),
                    wrong(
                        "ReLU stands on the way past the layer, too: there, nothing multiplies.",
                        lambda w, z, a: (z > 0) * a + w @ ((z > 0) * a),
                    ),
                    wrong("The sum is halved: both ways are added.", lambda w, z, a: slope_past_a_layer(w, z, a) / 2),
                ),
            ),
        ),
        hints=("Through the layer: weights @ ((z > 0) * above).", "Past it: above, as it is."),
        afterwards="""
Whatever the weights are, above is a part of the result. So the gradient arrives at the first layer.
""",
    ),
    Exercise(
        title="How many layers, how many ways",
        text="""
A sigmoid layer leaves at most a quarter of a gradient.

A network has five residual layers, one after the other. At each one, the gradient goes past it and through it.
""",
        tasks=(
            number(
                layers_until_a_millionth,
                {
                    9: "After 9 layers it is a little more than a millionth.",
                    250000: "Each layer multiplies: 0.25 to the power of the layers.",
                    20: "Half would be left at each layer: here it is a quarter.",
                },
            ),
            number(
                shares_of_paths,
                {
                    5: "At each of the five layers, every way splits into two.",
                    10: "The ways are multiplied: two at each layer.",
                    25: "Two to the power of five, and not five to the power of two.",
                    6: "A way can pass any choice of the layers.",
                },
            ),
        ),
        hints=(
            "log(0.000001) / log(0.25), rounded up.",
            "Two ways at the first layer, two for each of them at the next.",
        ),
        afterwards="""
Only one of the ways goes past all layers. It is the one on which the gradient cannot vanish.
""",
    ),
)

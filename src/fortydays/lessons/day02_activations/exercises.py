"""Day 2's exercises: activations, their slopes, and what two layers are without one."""

from dataclasses import replace

import numpy as np

from fortydays import Comparison, Drill, Study, Threshold
from fortydays.exercises.design import Exercise, Task, grid, number, study, wrong
from fortydays.exercises.lab import steps_to
from fortydays.exercises.studies import claims_first, has_drills, has_seeds
from fortydays.study.bench import Bench


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), without overflow for large z of either sign."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, small) / (1 + small)


def sigmoid_slope(z: np.ndarray) -> np.ndarray:
    """The slope of sigmoid at z."""
    return sigmoid(z) * (1 - sigmoid(z))


def tanh_from_sigmoid(z: np.ndarray) -> np.ndarray:
    """The hyperbolic tangent, computed from sigmoid and without np.tanh."""
    return 2 * sigmoid(2 * z) - 1


def relu_backward(z: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The gradient with respect to z, given that with respect to max(0, z). At z = 0 the slope is 0."""
    return gradient * (z > 0)


def sigmoid_backward(z: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The gradient with respect to z, given that with respect to sigmoid(z)."""
    answer = 1 / (1 + np.exp(-z))
    return gradient * answer * (1 - answer)


def dead_units(z: np.ndarray) -> np.ndarray:
    """For each unit whether ReLU gives zero for all examples. z is (examples, units)."""
    return np.all(z <= 0, axis=0)


def collapse(
    first: np.ndarray, first_bias: np.ndarray, second: np.ndarray, second_bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The weights and the bias of the one layer that does what two layers without an activation do.

    first is (inputs, hidden), second is (hidden, outputs); an example is a row: x @ first + first_bias.
    """
    return first @ second, first_bias @ second + second_bias


def what_is_left() -> float:
    """Five sigmoids one behind the other: the largest share of a gradient that their slopes leave."""
    return 0.25**5


def relu_needs_fewer_steps() -> Study:
    """A study of two drills, "relu" and "sigmoid". Each measures "steps": how many until 90% are right.

    Both learn with the same rate, 0.5. At least 5 seeds decide the one claim.
    """

    def relu(bench: Bench) -> dict[str, float]:
        return {"steps": steps_to(0.9, activation="relu", learning_rate=0.5, seed=bench.seed)}

    def sigmoid(bench: Bench) -> dict[str, float]:
        return {"steps": steps_to(0.9, activation="sigmoid", learning_rate=0.5, seed=bench.seed)}

    return Study(
        title="ReLU needs fewer steps",
        seeds=(0, 1, 2, 3, 4),
        drills=(
            Drill(name="relu", do=relu, metrics=("steps",)),
            Drill(name="sigmoid", do=sigmoid, metrics=("steps",)),
        ),
        claims=(
            Comparison(
                sentence="ReLU needs fewer steps than sigmoid",
                metric="steps",
                variant="relu",
                than="sigmoid",
                direction="below",
            ),
        ),
    )


def _begun() -> Study:
    def relu(bench: Bench) -> dict[str, float]:
        return {"steps": steps_to(0.9, activation="relu", learning_rate=0.5, seed=bench.seed)}

    def sigmoid(bench: Bench) -> dict[str, float]:
        return {"steps": steps_to(0.9, activation="sigmoid", learning_rate=0.1, seed=bench.seed)}

    return Study(
        title="ReLU needs fewer steps",
        seeds=(0,),
        drills=(
            Drill(name="relu", do=relu, metrics=("steps",)),
            Drill(name="sigmoid", do=sigmoid, metrics=("steps",)),
        ),
        claims=(Threshold(sentence="ReLU needs at most 100 steps", metric="steps", variant="relu", at_most=100),),
    )


def _steps(sigmoid_rate: float = 0.5, share: float = 0.9) -> Study:
    def drill(name: str, rate: float) -> Drill:
        def do(bench: Bench) -> dict[str, float]:
            return {"steps": steps_to(share, activation=name, learning_rate=rate, seed=bench.seed)}

        return Drill(name=name, do=do, metrics=("steps",))

    return replace(relu_needs_fewer_steps(), drills=(drill("relu", 0.5), drill("sigmoid", sigmoid_rate)))


def _without_relu() -> Study:
    found = _begun()
    claim = Threshold(sentence="Sigmoid needs at most 1,000 steps", metric="steps", variant="sigmoid", at_most=1000)
    return replace(found, drills=found.drills[1:], claims=(claim,))


def _turned() -> Study:
    turned = Comparison(
        sentence="ReLU needs more steps", metric="steps", variant="relu", than="sigmoid", direction="above"
    )
    return replace(relu_needs_fewer_steps(), claims=(turned,))


_DRILLS = has_drills("relu", "sigmoid", metric="steps")
_CLAIM = claims_first(
    'Its first claim is to be a Comparison of "steps": those of "relu" below those of "sigmoid".',
    Comparison, metric="steps", variant="relu", than="sigmoid", direction="below", scale=1.0,
)  # fmt: skip
_SEEDS = has_seeds(5)


def _z(rng: np.random.Generator, n: int) -> np.ndarray:
    z = grid(rng, n, 3)
    z[0, 0] = 0
    return z


EXERCISES = (
    Exercise(
        title="Sigmoid and tanh",
        text="""
    sigmoid(z) = 1 / (1 + exp(-z))         slope  sigmoid(z) (1 - sigmoid(z))
    tanh z     = 2 sigmoid(2z) - 1

exp(1000) is too large for a computer, and exp(-1000) is zero, which does no harm. Where z is
negative, use that sigmoid(z) = exp(z) / (1 + exp(z)).
""",
        tasks=(
            Task(
                reference=sigmoid,
                cases=lambda rng, n: (grid(rng, n, 3) * (1000 if n == 4 else 1),),
                mistakes=(
                    wrong("exp has the wrong sign: it is exp(-z).", lambda z: sigmoid(-z)),
                    wrong(
                        "It overflows where z is large: there, leave exp(z) out.",
                        lambda z: np.exp(z) / (1 + np.exp(z)),
                    ),
                    wrong("The 1 in the denominator is missing.", lambda z: np.exp(z)),
                    wrong("This is tanh: it goes from -1 to 1.", lambda z: np.tanh(z)),
                    wrong("This is sigmoid(2z).", lambda z: sigmoid(2 * z)),
                ),
            ),
            Task(
                reference=sigmoid_slope,
                cases=lambda rng, n: (grid(rng, n, 3),),
                mistakes=(
                    wrong("This is sigmoid itself, not its slope.", sigmoid),
                    wrong("z is taken for sigmoid(z): compute that first.", lambda z: z * (1 - z)),
                    wrong("It is s (1 - s), not s (1 + s).", lambda z: sigmoid(z) * (1 + sigmoid(z))),
                    wrong("It is s (1 - s), not 1 - s.", lambda z: 1 - sigmoid(z)),
                    wrong("It is s (1 - s), not 1 - s², which is the slope of tanh.", lambda z: 1 - sigmoid(z) ** 2),
                ),
            ),
            Task(
                reference=tanh_from_sigmoid,
                cases=lambda rng, n: (grid(rng, n, 3),),
                mistakes=(
                    wrong("sigmoid is taken at z: take it at 2z.", lambda z: 2 * sigmoid(z) - 1),
                    wrong("The -1 at the end is missing.", lambda z: 2 * sigmoid(2 * z)),
                    wrong("The factor 2 before sigmoid is missing.", lambda z: sigmoid(2 * z) - 1),
                ),
            ),
        ),
        hints=(
            "np.where(condition, a, b) computes both a and b everywhere. Use exp(-abs(z)), which never overflows.",
            "With e = exp(-abs(z)), sigmoid is 1 / (1 + e) where z >= 0, and e / (1 + e) elsewhere.",
        ),
        afterwards="""
tanh is a sigmoid that is stretched both ways. Its slope at zero is four times as large, and its
middle is at zero.
""",
    ),
    Exercise(
        title="Backward through an activation",
        text="""
An activation works on each number alone. So the chain rule multiplies each number of the
gradient by the slope at its z:

    dL/dz = dL/dh * slope(z)              h = activation(z)
""",
        tasks=(
            Task(
                reference=relu_backward,
                cases=lambda rng, n: (_z(rng, n), grid(rng, n, 3)),
                mistakes=(
                    wrong("At z = 0 the slope is to be 0: compare with >, not with >=.", lambda z, g: g * (z >= 0)),
                    wrong(
                        "ReLU is applied to the gradient: the sign of z decides, not that of the gradient.",
                        lambda z, g: np.maximum(g, 0),
                    ),
                    wrong(
                        "The gradient is multiplied by ReLU itself: its slope is 0 or 1.",
                        lambda z, g: g * np.maximum(z, 0),
                    ),
                    wrong("This is the slope alone: multiply the gradient by it.", lambda z, g: (z > 0) * 1.0),
                    wrong(
                        "It passes where z is negative: it is to pass where z is positive.", lambda z, g: g * (z < 0)
                    ),
                ),
            ),
            Task(
                reference=sigmoid_backward,
                cases=lambda rng, n: (_z(rng, n), grid(rng, n, 3)),
                mistakes=(
                    wrong("This is the slope alone: multiply the gradient by it.", lambda z, g: sigmoid_slope(z)),
                    wrong("The slope is taken at the gradient: take it at z.", lambda z, g: g * sigmoid_slope(g)),
                    wrong("z is taken for sigmoid(z): compute that first.", lambda z, g: g * z * (1 - z)),
                    wrong(
                        "The gradient is multiplied by sigmoid: multiply it by the slope.", lambda z, g: g * sigmoid(z)
                    ),
                ),
            ),
            Task(
                reference=dead_units,
                cases=lambda rng, n: (grid(rng, n, 5) - np.array([0, 6, 3, 0, 4]),),
                mistakes=(
                    wrong(
                        "A unit is dead where it is zero for all examples: you look for one example.",
                        lambda z: (z <= 0).any(axis=0),
                    ),
                    wrong("These are the units that live.", lambda z: ~dead_units(z)),
                    wrong(
                        "This asks of each example whether all its units are zero. Go along axis 0.",
                        lambda z: (z <= 0).all(axis=1),
                    ),
                    wrong("This is the number of dead units: say it of each one.", lambda z: dead_units(z).sum()),
                    wrong("A unit is zero where z <= 0, too: ReLU comes first.", lambda z: (z == 0).all(axis=0)),
                ),
            ),
        ),
        hints=(
            "z > 0 gives True or False, and True counts as 1 in a product.",
            "sigmoid's slope needs sigmoid(z) once. Compute it, then s * (1 - s).",
            ".all(axis=0) says of each column whether all of it is true.",
        ),
        afterwards="""
A unit that is zero for every example gets no gradient, so it stays as it is. With sigmoid no slope
is zero, but none is above 1/4.
""",
    ),
    Exercise(
        title="Two layers are one",
        text="""
Without an activation,

    (x W1 + b1) W2 + b2  =  x W + b

for every x. Find W and b.
""",
        tasks=(
            Task(
                reference=collapse,
                cases=lambda rng, n: (grid(rng, n + 1, 2), grid(rng, 2), grid(rng, 2, 3), grid(rng, 3)),
                outputs=("weights", "bias"),
                mistakes=(
                    wrong(
                        "The first bias goes through the second layer: multiply it by its weights.",
                        lambda w, b, v, c: np.resize(b, 3) + c,
                        "bias",
                    ),
                    wrong("The first bias is missing.", lambda w, b, v, c: c, "bias"),
                    wrong("The second bias is missing: it is added at the end.", lambda w, b, v, c: b @ v, "bias"),
                    wrong(
                        "The second bias goes through no layer: add it as it is.",
                        lambda w, b, v, c: (b + c[:2]) @ v,
                        "bias",
                    ),
                ),
            ),
        ),
        hints=("Multiply out (x W1 + b1) W2.", "x W1 W2 + b1 W2 + b2: which part has x in it?"),
        afterwards="""
However many layers there are, without an activation they are one matrix. Depth needs a bend.
""",
    ),
    Exercise(
        title="What is left of a gradient",
        text="""
Backpropagation multiplies by an activation's slope once for each layer. sigmoid's slope is
largest at z = 0.
""",
        tasks=(
            number(
                what_is_left,
                {
                    1.25: "The slopes are added: the chain rule multiplies them.",
                    0.25: "This is one layer's: there are five.",
                    0.5**5: "This is sigmoid at zero, not its slope there.",
                    0.25**4: "This is four layers: there are five.",
                    1.0: "1 is the slope of tanh and ReLU: sigmoid's is smaller.",
                    0.75**5: "The slope is s (1 - s), not 1 - s².",
                },
            ),
        ),
        hints=("sigmoid(0) is 1/2. What is s (1 - s) there?",),
        afterwards="""
Five layers leave less than a thousandth. That is the vanishing gradient, and one reason why deep
networks took up ReLU.
""",
    ),
    Exercise(
        title="ReLU needs fewer steps",
        text="""
A study of your own, with a claim that its seeds decide. The file begins with a study that claims little. It
has one seed, and it is not fair to sigmoid. Change it until its first claim compares the two, fairly, and is
supported by at least 5 seeds.

steps_to trains a small network on the small digits, and tells after how many steps 90% of the validation
images are right. A drill is called once for each seed. The file is a study, so `forty run` takes it, too.
""",
        imports="""
from fortydays import Comparison, Drill, Study, Threshold
from fortydays.exercises.lab import steps_to
from fortydays.study.bench import Bench
""",
        tasks=(
            study(
                relu_needs_fewer_steps,
                begun=_begun,
                demands=(_DRILLS, _CLAIM, _SEEDS),
                mistakes=(
                    wrong(_DRILLS.says, _without_relu),
                    wrong(_CLAIM.says, _begun),
                    wrong(_CLAIM.says, _turned),
                    wrong(_SEEDS.says, lambda: replace(relu_needs_fewer_steps(), seeds=(0, 1))),
                    wrong(
                        "Sigmoid learns with a fifth of the rate of ReLU: is it the activation that is slower, or the "
                        "rate?",
                        lambda: _steps(sigmoid_rate=0.1),
                    ),
                    wrong("The steps are counted to 80%: count them to 90%.", lambda: _steps(share=0.8)),
                ),
            ),
        ),
        hints=(
            "Which line says how many repetitions there are? Which two lines say how fast each network learns?",
            'Comparison takes sentence, metric, variant, than and direction, which is "above" or "below".',
            'It is Comparison(sentence="...", metric="steps", variant="relu", than="sigmoid", direction="below").',
        ),
        afterwards="""
The interval is that of the differences, seed by seed. With one seed there is none, so a claim stays undecided
however large the difference is. `forty run` on this file shows the same study with its curves and tables.
""",
    ),
)

"""Keras layers against what the engine puts in their place, and against what it does not put there.

Forward and backward inside one TensorFlow graph, as in a training step: for the shapes of CIFAR-10 networks outside
XLA, and for recurrent layers that read texts inside XLA. Takes about four minutes on two cores. Run it on an otherwise
idle machine: ``python bench/bench_layers.py``. With ``--json`` the figures go to ``results.json`` with those of the
other benchmarks.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from measure import record, spread

from fortydays.train.backends.tensorflow_layers import replacements
from fortydays.train.framework import load_keras
from fortydays.train.substitutes import substituted

SHAPES = ((64, 32, 32, 32), (64, 16, 16, 64), (512, 16, 16, 64), (128, 8, 8, 128))
OF_TEXTS = "texts"
"""How the names of what is measured on :data:`TEXTS` end."""

TEXTS = ((64, 200, 64), (64, 400, 64))
"""Texts, words and numbers of a word's vector."""

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
SECONDS = 0.15
"""How long one measurement takes at least."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two ways to compute the same: a function of a batch each, and the weights that it has.

    Attributes:
        plain: Keras's.
        other: the substitute, or what was tried as one.
        training: whether slopes are computed too.
        xla: whether XLA compiles both.
    """

    plain: Any
    other: Any
    training: bool = True
    xla: bool = False


Maker = Callable[[tuple[int, ...]], Pair]


def of_layers(*make: Callable[[], Any], training: bool = True, xla: bool = False) -> Maker:
    """Some Keras layers, one after the other, and what the engine makes of them."""

    def pair(shape: tuple[int, ...]) -> Pair:
        import keras

        plain = keras.Sequential([images(shape), *(m() for m in make)])
        other = substituted(plain, replacements=replacements(xla=xla))
        return Pair(plain=plain, other=other, training=training, xla=xla)

    return pair


def images(shape: tuple[int, ...]) -> Any:
    """The entry of a model for pictures that come in the precision it computes in, as they do within a network."""
    import keras

    return keras.Input(shape[1:], dtype=keras.config.dtype_policy().compute_dtype)


def pooling(alternative: Callable[[Any], Any]) -> Maker:
    """Keras's max-pooling by 2 x 2, and another way."""

    def pair(shape: tuple[int, ...]) -> Pair:
        import keras

        return Pair(
            plain=keras.Sequential([images(shape), keras.layers.MaxPooling2D()]),
            other=lambda x, training=False: alternative(x),  # noqa: ARG005
        )

    return pair


def by_reduction(x: Any) -> Any:
    """Windows as axes of their own."""
    import tensorflow as tf

    n, height, width, channels = x.shape
    return tf.reduce_max(tf.reshape(x, [n, height // 2, 2, width // 2, 2, channels]), [2, 4])


def by_slices(x: Any) -> Any:
    """The four corners of every window."""
    import tensorflow as tf

    upper = tf.maximum(x[:, ::2, ::2], x[:, ::2, 1::2])
    return tf.maximum(upper, tf.maximum(x[:, 1::2, ::2], x[:, 1::2, 1::2]))


def by_halves(x: Any) -> Any:
    """First the larger of two rows, then of two columns."""
    import tensorflow as tf

    n, height, width, channels = x.shape
    upper, lower = tf.unstack(tf.reshape(x, [-1, 2, width * channels]), axis=1)
    left, right = tf.unstack(tf.reshape(tf.maximum(upper, lower), [-1, 2, channels]), axis=1)
    return tf.reshape(tf.maximum(left, right), [n, height // 2, width // 2, channels])


def cases() -> dict[str, tuple[bool, Maker]]:
    """What is measured by name; whether the engine does it, and what makes it."""
    from keras import layers

    normalization = layers.BatchNormalization
    recurrent = {"SimpleRNN": layers.SimpleRNN, "LSTM": layers.LSTM, "GRU": layers.GRU}
    return {
        **{
            f"{name} of {OF_TEXTS}": (True, of_layers(lambda kind=kind: kind(64, return_sequences=True), xla=True))
            for name, kind in recurrent.items()
        },
        "batch normalization": (True, of_layers(normalization)),
        "batch normalization, answering": (True, of_layers(normalization, training=False)),
        "dropout": (True, of_layers(lambda: layers.Dropout(0.25))),
        "GELU": (True, of_layers(lambda: layers.Activation("gelu"))),
        "ReLU and max-pooling": (True, of_layers(lambda: layers.Activation("relu"), layers.MaxPooling2D)),
        "max-pooling by reduction": (False, pooling(by_reduction)),
        "max-pooling by slices": (False, pooling(by_slices)),
        "max-pooling by halves": (False, pooling(by_halves)),
    }


def compiled(function: Any, *, training: bool, xla: bool) -> Callable[[Any, Any], Any]:
    """Outputs of a batch and, in training, the slopes with respect to it and to the function's weights."""
    import tensorflow as tf

    weights = [v.value for v in getattr(function, "trainable_variables", [])]

    @tf.function(autograph=False, jit_compile=xla)  # type: ignore[untyped-decorator]
    def run(inputs: Any, slopes: Any) -> Any:
        if not training:
            return function(inputs, training=False)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = function(inputs, training=True)
        return outputs, *tape.gradient(outputs, [inputs, *weights], output_gradients=slopes)

    return run  # type: ignore[no-any-return]


def milliseconds(run: Callable[[Any, Any], Any], inputs: Any, slopes: Any) -> float:
    """Of one call, the mean over about :data:`SECONDS`."""
    began, calls = time.perf_counter(), 0
    while calls < 3 or time.perf_counter() - began < SECONDS:
        run(inputs, slopes)
        calls += 1
    return (time.perf_counter() - began) / calls * 1000


def measured(pair: Pair, shape: tuple[int, ...], *, precision: str, times: int) -> list[tuple[float, float]]:
    """Milliseconds of both, in turn."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    inputs = tf.cast(tf.constant(random.normal(size=shape).astype(np.float32)), precision)
    slopes = tf.ones_like(pair.plain(inputs, training=False))
    plain, other = (compiled(f, training=pair.training, xla=pair.xla) for f in (pair.plain, pair.other))
    for run in (plain, other):  # compile, and once more to warm up
        run(inputs, slopes)
        run(inputs, slopes)
    return [(milliseconds(plain, inputs, slopes), milliseconds(other, inputs, slopes)) for _ in range(times)]


def rows(make: Maker, shapes: Sequence[tuple[int, ...]], *, times: int) -> Iterator[tuple[str, str, Any]]:
    """Shape, precision and the pairs of milliseconds."""
    import keras

    for shape in shapes:
        for precision, policy in PRECISIONS.items():
            keras.config.set_dtype_policy(policy)
            found = measured(make(shape), shape, precision=precision, times=times)
            keras.config.set_dtype_policy("float32")
            yield " x ".join(map(str, shape)), precision, found


def main() -> None:
    """Print the table, and with ``--json`` keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="write the figures into results.json")
    parser.add_argument("names", nargs="*", help="what to measure, by the beginning of its name (default: everything)")
    arguments = parser.parse_args()
    load_keras(threads=arguments.threads)
    print("| what | shape | precision | Keras, ms | other, ms | Keras / other |\n|---|---|---|---|---|---|")
    for name, (used, make) in cases().items():
        if arguments.names and not name.startswith(tuple(arguments.names)):
            continue
        ratios = {}
        for shape, precision, found in rows(make, TEXTS if name.endswith(OF_TEXTS) else SHAPES, times=arguments.times):
            ratio = spread([plain / other for plain, other in found])
            plain, other = (spread([pair[i] for pair in found])["median"] for i in (0, 1))
            cells = [name, shape, precision, f"{plain:.2f}", f"{other:.2f}", f"{ratio['median']:.2f}"]
            print(f"| {' | '.join(cells)} |", flush=True)
            ratios[f"{shape}, {precision}"] = ratio
        if arguments.json:
            medians = [ratio["median"] for ratio in ratios.values()]
            record(
                f"layer: {name}",
                question=f"{name[0].upper()}{name[1:]}: Keras / {'substitute' if used else 'alternative, not used'}",
                target="above 1x" if used else "below 1x, else it should be used",
                met=min(medians) > 1 if used else max(medians) < 1,
                method=f"one graph each, in turn, {arguments.times} times; "
                f"batch x height x width x channels, {arguments.threads} threads",
                figures=ratios,
            )


if __name__ == "__main__":
    main()

"""The layers that TensorFlow computes faster than Keras asks it to, each the same function as the Keras layer.

Measured by ``bench/bench_layers.py``. What was measured and is not here, because Keras's own is the fastest:
max-pooling (by reshaping, by slices, by a mask of its own) and batch normalization of vectors; and, for recurrent
layers, steps that are unrolled and a last output alone that is computed in blocks.
"""

import functools
import math
from typing import Any

from fortydays.train.backends import Replacements

BLOCK = 16
"""Steps of a recurrent layer in a block: about the root of the usual lengths, so that both loops are short."""


def replacements(*, xla: bool) -> Replacements:
    """For a type of Keras layer, what makes its substitute; it gives back a layer that is better left as it is.

    Args:
        xla: whether XLA compiles the whole program. It fuses by itself what is fused here for a plain graph.
    """
    import keras

    if xla:
        return {
            keras.layers.Dropout: _threefry_dropout,
            keras.layers.SimpleRNN: _recurrent_in_blocks,
            keras.layers.LSTM: _recurrent_in_blocks,
            keras.layers.GRU: _recurrent_in_blocks,
            keras.layers.Bidirectional: _both_ways_in_blocks,
        }
    return {
        keras.layers.Dropout: _hashed_dropout,
        keras.layers.BatchNormalization: _fused_batch_normalization,
        keras.layers.Activation: _fused_gelu,
    }


def _threefry_dropout(layer: Any) -> Any:
    """Dropout inside an XLA program.

    Keras asks TensorFlow for its default generator of random numbers (Philox), which XLA computes one number after
    another on a CPU. Threefry (Salmon et al., 2011) is as good for dropout and vectorizes: a step of a small network
    with dropout takes a sixth of the time.
    """
    return _fast_dropout().from_config(layer.get_config()) if 0 < layer.rate < 1 else layer


def _recurrent_in_blocks(layer: Any) -> Any:
    """A recurrent layer that gives its output at every step, inside an XLA program on a CPU.

    XLA copies the whole array of outputs at each step of a loop that writes into it, and again on the way back. Here
    the steps are in blocks: an inner loop writes into an array of one block, the outer one block by block. So each
    step copies a small part. A layer that gives its last output alone has no such array and stays.
    """
    if not layer.return_sequences or layer.stateful or layer.unroll or _on_a_gpu():
        return layer
    kind: Any = type(layer)
    return _in_blocks(kind).from_config(layer.get_config())


def _both_ways_in_blocks(layer: Any) -> Any:
    """Both layers of a bidirectional one, in blocks."""
    import keras

    known = (keras.layers.SimpleRNN, keras.layers.LSTM, keras.layers.GRU)
    parts = (layer.forward_layer, layer.backward_layer)
    if layer.stateful or any(type(part) not in known or _recurrent_in_blocks(part) is part for part in parts):
        return layer
    forward, backward = (_recurrent_in_blocks(part) for part in parts)
    # It makes its layers again from their configuration, and so has to know their types.
    with keras.saving.custom_object_scope({type(part).__name__: type(part) for part in (forward, backward)}):
        return keras.layers.Bidirectional(
            forward, backward_layer=backward, merge_mode=layer.merge_mode, name=layer.name, dtype=layer.dtype_policy
        )


def _on_a_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _hashed_dropout(layer: Any) -> Any:
    """Dropout in a plain graph.

    There, most of a dropout's time goes into Keras's random numbers. Here each element's number is a hash of its
    index and the step's seed, so that it needs no memory and can be computed again for the gradient instead of being
    kept: one pass over the data forward and one backward, which XLA compiles.
    """
    if not 0 < layer.rate < 1 or layer.noise_shape is not None:
        return layer
    return _hash_dropout().from_config(layer.get_config())


def _fused_batch_normalization(layer: Any) -> Any:
    """Batch normalization by TensorFlow's one operation for it, in place of Keras's many."""
    if layer.renorm or layer.synchronized or layer.axis not in (-1, 3):
        return layer
    return _batch_normalization().from_config(layer.get_config())


def _fused_gelu(layer: Any) -> Any:
    """The exact GELU (by the error function) in one pass forward and one backward, which XLA compiles."""
    import keras

    if layer.activation is not keras.activations.gelu:
        return layer
    return _gelu_layer().from_config(layer.get_config())


@functools.cache
def _fast_dropout() -> Any:
    import keras
    import tensorflow as tf

    class FastDropout(keras.layers.Dropout):  # type: ignore[misc]
        """Dropout whose random numbers XLA computes many at a time. Works inside an XLA program only."""

        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training:
                return inputs
            seed = tf.bitcast(tf.cast(self.seed_generator.next(), tf.uint32), tf.int32)
            return tf.nn.experimental.stateless_dropout(
                inputs, rate=self.rate, noise_shape=self.noise_shape, seed=seed, rng_alg="threefry"
            )

    return FastDropout


@functools.cache
def _in_blocks(kind: Any) -> Any:
    import tensorflow as tf

    class InBlocks(kind):  # type: ignore[misc]
        """The same recurrent layer, whose steps are in two loops: over blocks, and over the steps of a block."""

        def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
            batch, steps = sequences.shape[:2]
            if mask is not None or batch is None or steps is None or steps < 2 * BLOCK:
                return super().inner_loop(sequences, initial_state, mask, training=training)

            def read(each: Any, states: list[Any]) -> tuple[Any, list[Any]]:
                output, states = self.cell(each, states, training=training)
                return output, list(states)

            inputs = tf.transpose(sequences, [1, 0, 2])
            if self.go_backwards:
                inputs = tf.reverse(inputs, [0])
            before, states = steps % BLOCK, list(initial_state)
            first, last = [], tf.zeros_like(states[0])
            for place in range(before):
                last, states = read(inputs[place], states)
                first.append(last)
            blocks = tf.reshape(inputs[before:], [-1, BLOCK, *inputs.shape[1:]])
            count = steps // BLOCK
            given = tf.TensorArray(blocks.dtype, count).unstack(blocks)
            found = tf.TensorArray(last.dtype, count)

            def one_block(place: Any, states: list[Any], last: Any, found: Any) -> tuple[Any, ...]:
                steps_of = tf.TensorArray(blocks.dtype, BLOCK).unstack(given.read(place))
                outputs = tf.TensorArray(last.dtype, BLOCK)

                def one_step(step: Any, states: list[Any], last: Any, outputs: Any) -> tuple[Any, ...]:
                    last, states = read(steps_of.read(step), states)
                    return step + 1, states, last, outputs.write(step, last)

                _, states, last, outputs = tf.while_loop(
                    lambda step, *_: step < BLOCK, one_step, (0, states, last, outputs), maximum_iterations=BLOCK
                )
                return place + 1, states, last, found.write(place, outputs.stack())

            _, states, last, found = tf.while_loop(
                lambda place, *_: place < count, one_block, (0, states, last, found), maximum_iterations=count
            )
            outputs = tf.reshape(found.stack(), [count * BLOCK, *last.shape])
            outputs = tf.concat([tf.stack(first), outputs], 0) if first else outputs
            return last, tf.transpose(outputs, [1, 0, 2]), states

    InBlocks.__name__ = f"{kind.__name__}InBlocks"
    return InBlocks


@functools.cache
def _hash_dropout() -> Any:
    import keras
    import tensorflow as tf

    class HashedDropout(keras.layers.Dropout):  # type: ignore[misc]
        """Dropout by a hash. The same state of its generator drops the same on any machine and any threads."""

        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training:
                return inputs
            seed = tf.cast(self.seed_generator.next(), tf.uint32)
            least = tf.constant(round(self.rate * 2**32), tf.uint32)
            scale = tf.constant(1 / (1 - self.rate), tf.float32)

            @tf.custom_gradient  # type: ignore[untyped-decorator]
            def drop(values: Any) -> Any:
                return _dropped()(values, seed, least, scale), lambda slope: _dropped()(slope, seed, least, scale)

            return drop(inputs)

    return HashedDropout


@functools.cache
def _batch_normalization() -> Any:
    import keras
    import tensorflow as tf

    class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
        """Batch normalization of pictures by one operation, which computes in float32 whatever the pictures are in."""

        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            usual = inputs.dtype in (tf.float32, tf.bfloat16) and self.variable_dtype == "float32"
            if mask is not None or len(inputs.shape) != 4 or not usual or inputs.dtype != self.compute_dtype:
                return super().call(inputs, training=training, mask=mask)
            channels = inputs.shape[-1]
            learning = bool(training and self.trainable)
            outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=self.gamma if self.scale else tf.ones([channels]),
                offset=self.beta if self.center else tf.zeros([channels]),
                mean=self.moving_mean,
                variance=self.moving_variance,
                epsilon=self.epsilon,
                is_training=learning,
            )
            if learning:
                # The operation gives the variance of the population that the batch is a sample of (Bessel's
                # correction); Keras averages that of the batch.
                count = tf.cast(tf.size(inputs) // channels, tf.float32)
                variance *= (count - 1) / count
                new = 1 - self.momentum
                self.moving_mean.assign(self.moving_mean * self.momentum + mean * new)
                self.moving_variance.assign(self.moving_variance * self.momentum + variance * new)
            return outputs

    return FusedBatchNormalization


@functools.cache
def _gelu_layer() -> Any:
    import keras
    import tensorflow as tf

    class FusedGELU(keras.layers.Activation):  # type: ignore[misc]
        """The exact GELU, computed in float32 and rounded once."""

        def call(self, inputs: Any) -> Any:
            @tf.custom_gradient  # type: ignore[untyped-decorator]
            def gelu(values: Any) -> Any:
                return _gelu()(values), lambda slope: _gelu_slope()(values, slope)

            return gelu(inputs)

    return FusedGELU


@functools.cache
def _dropped() -> Any:
    import tensorflow as tf
    from tensorflow.bitwise import bitwise_xor, right_shift

    def stirred(numbers: Any, by: int) -> Any:
        return bitwise_xor(numbers, right_shift(numbers, tf.constant(by, tf.uint32)))

    def number(value: int) -> Any:
        return tf.constant(value, tf.uint32)

    def hashed(numbers: Any, key: Any) -> Any:
        """A permutation of the 32-bit numbers for each key: Wellons's triple32 (2018), with the key stirred in."""
        numbers = bitwise_xor(stirred(stirred(numbers, 17) * number(0xED5AD4BB), 11), key)
        return stirred(stirred(numbers * number(0xAC4C1B51), 15) * number(0x31848BAB), 14)

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def dropped(values: Any, seed: Any, least: Any, scale: Any) -> Any:
        """Values times ``scale`` where the hash of their index is at least ``least``, else zero.

        Two keys from the layer's seed and the step's number, so that no two steps share a sequence.
        """
        before = hashed(seed[0], hashed(seed[1], number(0x9E3779B9)))
        between = hashed(before, seed[0])
        indices = tf.reshape(tf.bitcast(tf.range(tf.size(values)), tf.uint32), tf.shape(values))
        kept = hashed(bitwise_xor(indices, before), between) >= least
        scaled = tf.cast(tf.cast(values, tf.float32) * scale, values.dtype)
        return tf.where(kept, scaled, tf.zeros([], values.dtype))

    return dropped


@functools.cache
def _gelu() -> Any:
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def gelu(values: Any) -> Any:
        x = tf.cast(values, tf.float32)
        return tf.cast(x * _normal_share(x), values.dtype)

    return gelu


@functools.cache
def _gelu_slope() -> Any:
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def gelu_slope(values: Any, slope: Any) -> Any:
        x = tf.cast(values, tf.float32)
        density = tf.exp(-0.5 * x * x) * (2 * math.pi) ** -0.5
        return tf.cast((_normal_share(x) + x * density) * tf.cast(slope, tf.float32), slope.dtype)

    return gelu_slope


TRACED_ONCE = (_dropped, _gelu, _gelu_slope)
"""Functions that all layers share, made when they are first called."""


def _normal_share(x: Any) -> Any:
    """The share of the normal distribution below ``x``."""
    import tensorflow as tf

    return 0.5 * (1 + tf.math.erf(x * 2**-0.5))

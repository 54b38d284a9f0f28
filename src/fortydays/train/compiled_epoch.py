"""The compiled epoch on TensorFlow: many training steps in one call, with nothing crossing to Python between them.

The images lie on the device as uint8. A call is given the order of the epoch, the learning rate of each step and
which steps to do; gathering, scaling, the model, the gradients and the optimizer all run inside one graph. Nets of
dense layers are compiled by XLA, which fuses their many small operations; convolutions run as a plain graph,
because oneDNN's convolutions are faster on a CPU than XLA's.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.data.arrays import Split
from fortydays.train.framework import Loss

if TYPE_CHECKING:
    import keras

LONGEST_CHUNK = 2048
"""Most steps one call can do: the length of the buffers that bring losses and accuracies back."""


def scaled(images: Any) -> Any:
    """uint8 images as float32 from 0 to 1, inside a graph."""
    import tensorflow as tf

    return tf.cast(images, tf.float32) / 255.0


@dataclass(frozen=True, kw_only=True, eq=False)
class DeviceSplit:
    """A split copied to the device once, to be shared by all programs that train on it.

    Attributes:
        images: uint8 tensor, shape (n, height, width) or (n, height, width, channels).
        labels: uint8 tensor, shape (n,).
    """

    images: Any
    labels: Any


def on_device(split: Split) -> DeviceSplit:
    """Copy a split to the device."""
    import tensorflow as tf

    return DeviceSplit(images=tf.constant(split.images), labels=tf.constant(split.labels))


class CompiledEpoch:
    """Training steps of one model and optimizer on one training split, compiled once.

    Args:
        model: its variables are changed in place.
        optimizer: a built Keras optimizer; changed in place.
        loss: one value for each example.
        train: the training split, on the device.
        xla: whether XLA compiles the graph.
    """

    def __init__(self, *, model: "keras.Model", optimizer: Any, loss: Loss, train: "DeviceSplit", xla: bool) -> None:
        import tensorflow as tf

        def step(batch: Any, rate: Any) -> tuple[Any, Any]:
            images = scaled(tf.gather(train.images, batch))
            labels = tf.cast(tf.gather(train.labels, batch), tf.int32)
            with tf.GradientTape() as tape:
                probabilities = model(images, training=True)
                objective = tf.reduce_mean(loss(labels, probabilities))
                for penalty in model.losses:
                    objective += tf.cast(penalty, objective.dtype)
            gradients = tape.gradient(objective, model.trainable_variables)
            optimizer.learning_rate.assign(rate)
            optimizer.apply(gradients, model.trainable_variables)
            right = tf.equal(tf.argmax(probabilities, -1, output_type=tf.int32), labels)
            return tf.cast(objective, tf.float32), tf.reduce_mean(tf.cast(right, tf.float32))

        @tf.function(jit_compile=xla, autograph=False)  # type: ignore[untyped-decorator]
        def run(order: Any, rates: Any, start: Any, stop: Any) -> tuple[Any, Any]:
            def body(i: Any, losses: Any, accuracies: Any) -> tuple[Any, Any, Any]:
                objective, accuracy = step(order[i], rates[i])
                at = [[i - start]]
                losses = tf.tensor_scatter_nd_update(losses, at, [objective])
                return i + 1, losses, tf.tensor_scatter_nd_update(accuracies, at, [accuracy])

            empty = tf.zeros([LONGEST_CHUNK])
            _, losses, accuracies = tf.while_loop(lambda i, *_: i < stop, body, (start, empty, empty))
            return losses, accuracies

        self._run = run

    def run(
        self, order: NDArray[np.int32], rates: NDArray[np.float32], start: int, stop: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Do the steps from ``start`` to before ``stop`` of an epoch.

        Args:
            order: int32, shape (steps, batch): the epoch's batches.
            rates: float32, shape (steps,): the learning rate of each step.
            start: first step; with ``stop == start`` nothing is done but to compile.
            stop: at most :data:`LONGEST_CHUNK` after ``start``.

        Returns:
            Loss (penalties included) and accuracy of each step done, float32, shape (stop - start,).
        """
        import tensorflow as tf

        losses, accuracies = self._run(tf.constant(order), tf.constant(rates), tf.constant(start), tf.constant(stop))
        return losses.numpy()[: stop - start], accuracies.numpy()[: stop - start]

"""The compiled epoch on TensorFlow: many training steps in one call, with nothing crossing to Python between them.

The images lie on the device as uint8 (features as float32). A call is given the order of the epoch, the learning rate
of each step and which steps to do; gathering, augmenting, scaling, the model, the gradients and the optimizer all run
inside one graph. Nets of dense layers are compiled by XLA, which fuses their many small operations; convolutions run
as a plain graph, because oneDNN's convolutions are faster on a CPU than XLA's.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import FortydaysError
from fortydays.train.augmentation import Augmentation
from fortydays.train.backends import LONGEST_CHUNK, DeviceSplit, Loss, Replacements, Views
from fortydays.train.program import Program

if TYPE_CHECKING:
    import keras

    from fortydays.data.arrays import Split

NAME = "tensorflow"
PACKAGES = ("tensorflow-cpu", "tensorflow")


def prepare(*, threads: int) -> None:
    """Nothing has to be settled before TensorFlow is imported."""


def pin_threads(*, threads: int) -> None:
    """Pin the number of threads that TensorFlow computes with, for one operation and between operations.

    Raises:
        FortydaysError: it already computes with another number in this process.
    """
    import tensorflow as tf

    # Every trainer compiles functions of its own, which TensorFlow warns of as if one were compiled again and again.
    tf.get_logger().setLevel("ERROR")
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        within = tf.config.threading.get_intra_op_parallelism_threads()
        between = tf.config.threading.get_inter_op_parallelism_threads()
        running = within if within == between else 0
        if running != threads:
            raise FortydaysError(
                f"TensorFlow already computes with {running or 'all'} threads in this process; "
                f"{threads} were asked for.",
                hint="Use another process.",
            ) from None


def seed(seed: int) -> None:
    """Start all random numbers that building a model draws from this seed."""
    import keras

    keras.utils.set_random_seed(seed)


def accelerator() -> str | None:
    """The name of the GPU that TensorFlow computes on; None without one."""
    details = _gpu()
    return None if details is None else str(details.get("device_name", "GPU"))


def bfloat16_is_fast(*, on_processor: bool) -> bool:
    """Whether the GPU has fast bfloat16 (Ampere or later), or, without a GPU, the processor."""
    details = _gpu()
    return on_processor if details is None else bool(details.get("compute_capability", (0, 0)) >= (8, 0))


def _gpu() -> dict[str, Any] | None:
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    return dict(tf.config.experimental.get_device_details(devices[0])) if devices else None


def on_device(split: "Split") -> DeviceSplit:
    """Copy a split to the device."""
    inputs = {name: batch_on_device(array) for name, array in split.inputs.items()}
    return DeviceSplit(inputs=inputs, labels=batch_on_device(split.labels))


def batch_on_device(array: NDArray[Any]) -> Any:
    """Copy one array to the device."""
    import tensorflow as tf

    return tf.constant(array)


def program_of(function: Callable[..., Any], *arguments: NDArray[Any]) -> Program:
    """What a function of tensors computes for arguments of these shapes and types; nothing runs."""
    import tensorflow as tf

    from fortydays.train.backends.tensorflow_program import program

    return program(tf.function(function, autograph=False), *map(tf.constant, arguments))


def multiply_adds(function: Callable[..., Any], *arguments: NDArray[Any]) -> int:
    """See :class:`fortydays.train.backends.Backend`."""
    from fortydays.train.backends import tensorflow_cost

    return tensorflow_cost.multiply_adds(function, *arguments)


def gradient(function: Callable[[Any], Any], array: NDArray[Any]) -> NDArray[Any]:
    """See :class:`fortydays.train.backends.Backend`."""
    import tensorflow as tf

    at = tf.convert_to_tensor(array)
    with tf.GradientTape() as tape:
        tape.watch(at)
        values = function(at)
    found: NDArray[Any] = tape.gradient(values, at).numpy()
    return found


def gradients(*, model: "keras.Model", loss: Loss, inputs: Any, labels: NDArray[Any]) -> list[NDArray[Any]]:
    """See :class:`fortydays.train.backends.Backend`."""
    import tensorflow as tf

    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        objective = tf.reduce_mean(loss(tf.cast(tf.constant(labels), tf.int32), outputs))
    found = tape.gradient(objective, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [np.asarray(tf.convert_to_tensor(each), np.float32) for each in found]  # of an embedding, some rows


def replacements(*, convolutions: bool) -> Replacements:
    """The layers that TensorFlow can compute faster than Keras asks it to."""
    from fortydays.train.backends import tensorflow_layers

    return tensorflow_layers.replacements(xla=not convolutions)


class _CompiledEpoch:
    """Training steps as one graph: through XLA for nets of dense layers, oneDNN's kernels for convolutions."""

    def __init__(
        self,
        *,
        model: "keras.Model",
        optimizer: Any,
        loss: Loss,
        train: DeviceSplit,
        augmentation: Augmentation,
        convolutions: bool,
    ) -> None:
        import tensorflow as tf

        def step(batch: Any, drawn: Any, rate: Any) -> tuple[Any, Any]:
            images = augmentation.augmented(
                {name: tf.gather(array, batch) for name, array in train.inputs.items()}, drawn
            )
            labels = tf.cast(tf.gather(train.labels, batch), tf.int32)
            with tf.GradientTape() as tape:
                probabilities = model(images, training=True)
                objective = tf.reduce_mean(augmentation.losses(loss, labels, probabilities, drawn))
                for penalty in model.losses:
                    objective += tf.cast(penalty, objective.dtype)
            gradients = tape.gradient(objective, model.trainable_variables)
            optimizer.learning_rate.assign(rate)
            optimizer.apply(gradients, model.trainable_variables)
            answers = tf.argmax(probabilities, -1, output_type=tf.int32)
            right = tf.equal(answers, augmentation.heavier_labels(labels, drawn))
            return tf.cast(objective, tf.float32), tf.reduce_mean(tf.cast(right, tf.float32))

        @tf.function(jit_compile=not convolutions, autograph=False)  # type: ignore[untyped-decorator]
        def run(order: Any, drawn: Any, rates: Any, start: Any, stop: Any) -> tuple[Any, Any]:
            def body(i: Any, losses: Any, accuracies: Any) -> tuple[Any, Any, Any]:
                objective, accuracy = step(order[i], drawn[i], rates[i])
                at = [[i - start]]
                losses = tf.tensor_scatter_nd_update(losses, at, [objective])
                return i + 1, losses, tf.tensor_scatter_nd_update(accuracies, at, [accuracy])

            empty = tf.zeros([LONGEST_CHUNK])
            _, losses, accuracies = tf.while_loop(lambda i, *_: i < stop, body, (start, empty, empty))
            return losses, accuracies

        self._run = run

    def run(
        self, order: NDArray[np.int32], drawn: NDArray[np.int32], rates: NDArray[np.float32], start: int, stop: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        import tensorflow as tf

        losses, accuracies = self._run(
            tf.constant(order), tf.constant(drawn), tf.constant(rates), tf.constant(start), tf.constant(stop)
        )
        return losses.numpy()[: stop - start], accuracies.numpy()[: stop - start]

    def program(self, order: NDArray[np.int32], drawn: NDArray[np.int32], rates: NDArray[np.float32]) -> Program:
        import tensorflow as tf

        from fortydays.train.backends.tensorflow_program import program

        step = np.int32(0)
        return program(self._run, *(tf.constant(each) for each in (order, drawn, rates, step, step)))


class _CompiledEvaluation:
    """The evaluation of one batch as one graph, through XLA for nets of dense layers."""

    def __init__(self, *, model: "keras.Model", loss: Loss, views: Views, convolutions: bool) -> None:
        import tensorflow as tf

        @tf.function(jit_compile=not convolutions, autograph=False)  # type: ignore[untyped-decorator]
        def run(inputs: Any, labels: Any) -> tuple[Any, Any]:
            answers = [weight * tf.cast(model(view, training=False), tf.float32) for view, weight in views(inputs)]
            probabilities = tf.add_n(answers)
            return loss(tf.cast(labels, tf.int32), probabilities), probabilities

        self._run = run

    def __call__(self, inputs: Any, labels: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        losses, probabilities = self._run(inputs, labels)
        return losses.numpy(), probabilities.numpy()

    def program(self, inputs: Any, labels: Any) -> Program:
        from fortydays.train.backends.tensorflow_program import program

        return program(self._run, inputs, labels)


compile_epoch, compile_evaluation = _CompiledEpoch, _CompiledEvaluation

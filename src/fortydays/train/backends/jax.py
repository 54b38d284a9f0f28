"""The compiled epoch on JAX: the same steps as one XLA program, for accelerators.

The state of model and optimizer goes into the program and comes out of it, through Keras's stateless calls, and is put
back into their variables after each call: to all others they look as on TensorFlow. The loop over steps is a
``fori_loop`` and not a ``scan``, whose length is part of the program: another number of steps would compile again.
"""

import os
import random
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

NAME = "jax"
PACKAGES = ("jax", "jaxlib")

_THREADS_VARIABLE = "NPROC"  # what XLA's own thread pool on a CPU is sized by, once, when it starts


def prepare(*, threads: int) -> None:
    """Set the number of threads of XLA's pool, which reads it when JAX starts.

    Raises:
        FortydaysError: it already computes with another number in this process.
    """
    import sys

    if "jax" in sys.modules and os.environ.get(_THREADS_VARIABLE) != str(threads):
        raise FortydaysError(
            f"JAX already computes with {os.environ.get(_THREADS_VARIABLE, 'all')} threads in this process; "
            f"{threads} were asked for.",
            hint="Use another process.",
        )
    os.environ[_THREADS_VARIABLE] = str(threads)


def pin_threads(*, threads: int) -> None:
    """The number was settled before JAX was imported."""


def seed(seed: int) -> None:
    """Start all random numbers that building a model draws from this seed.

    Keras's own function for it would import TensorFlow, where it is installed; layers draw their seeds from here.
    """
    random.seed(seed)
    np.random.seed(seed)


def accelerator() -> str | None:
    """The name of the accelerator that JAX computes on; None on a processor."""
    import jax

    device = jax.devices()[0]
    return None if device.platform == "cpu" else str(device.device_kind)


def bfloat16_is_fast(*, on_processor: bool) -> bool:  # noqa: ARG001
    """Whether the accelerator has fast bfloat16. On a processor XLA computes such convolutions in float32 anyway."""
    import jax

    device = jax.devices()[0]
    if device.platform in ("cpu", "tpu"):
        return bool(device.platform == "tpu")
    return float(getattr(device, "compute_capability", 0)) >= 8.0


def on_device(split: "Split") -> DeviceSplit:
    """Copy a split to the device."""
    inputs = {name: batch_on_device(array) for name, array in split.inputs.items()}
    return DeviceSplit(inputs=inputs, labels=batch_on_device(split.labels))


def batch_on_device(array: NDArray[Any]) -> Any:
    """Copy one array to the device."""
    import jax.numpy as jnp

    return jnp.asarray(array)


def program_of(function: Callable[..., Any], *arguments: NDArray[Any]) -> Program:
    """What a function of tensors computes for arguments of these shapes and types; nothing runs."""
    import jax

    return Program(operations=str(jax.jit(function).lower(*arguments).as_text()))


def multiply_adds(function: Callable[..., Any], *arguments: NDArray[Any]) -> int:
    """See :class:`fortydays.train.backends.Backend`."""
    from fortydays.train.backends import jax_cost

    return jax_cost.multiply_adds(function, *arguments)


def gradient(function: Callable[[Any], Any], array: NDArray[Any]) -> NDArray[Any]:
    """See :class:`fortydays.train.backends.Backend`."""
    import jax
    import jax.numpy as jnp

    return np.asarray(jax.grad(lambda at: jnp.sum(function(at)))(jnp.asarray(array)))


def gradients(*, model: "keras.Model", loss: Loss, inputs: Any, labels: NDArray[Any]) -> list[NDArray[Any]]:
    """See :class:`fortydays.train.backends.Backend`."""
    import jax
    import jax.numpy as jnp

    trainable, fixed = _values((model.trainable_variables, model.non_trainable_variables))

    def objective(trainable: Any) -> Any:
        outputs, _ = model.stateless_call(trainable, fixed, inputs, training=True)
        return jnp.mean(loss(jnp.asarray(labels, jnp.int32), outputs))

    return [np.asarray(each, np.float32) for each in jax.grad(objective)(trainable)]


def replacements(*, convolutions: bool) -> Replacements:  # noqa: ARG001 - XLA fuses Keras's own layers well
    """None: JAX compiles Keras's layers as they are."""
    return {}


class _CompiledEpoch:
    """Training steps as one XLA program."""

    def __init__(
        self,
        *,
        model: "keras.Model",
        optimizer: Any,
        loss: Loss,
        train: DeviceSplit,
        augmentation: Augmentation,
        convolutions: bool,  # noqa: ARG002 - one compiler for both
    ) -> None:
        import jax
        import jax.numpy as jnp

        self._model, self._optimizer, self._train = model, optimizer, train
        (rate_at,) = (i for i, v in enumerate(optimizer.variables) if v is optimizer.learning_rate)
        self._rate_at = rate_at

        def objective(trainable: Any, fixed: Any, images: Any, labels: Any, drawn: Any) -> tuple[Any, Any]:
            probabilities, fixed, penalties = model.stateless_call(
                trainable, fixed, images, training=True, return_losses=True
            )
            value = jnp.mean(augmentation.losses(loss, labels, probabilities, drawn))
            for penalty in penalties:
                value += penalty.astype(value.dtype)
            right = jnp.argmax(probabilities, -1).astype(jnp.int32) == augmentation.heavier_labels(labels, drawn)
            return value, (fixed, right.astype(jnp.float32).mean())

        def step(state: Any, inputs: Any, labels: Any, drawn: Any, rate: Any) -> tuple[Any, Any, Any]:
            trainable, fixed, of_optimizer = state
            batch = augmentation.augmented(inputs, drawn)
            (value, (fixed, accuracy)), gradients = jax.value_and_grad(objective, has_aux=True)(
                trainable, fixed, batch, labels.astype(jnp.int32), drawn
            )
            of_optimizer = [*of_optimizer[:rate_at], rate, *of_optimizer[rate_at + 1 :]]
            trainable, of_optimizer = optimizer.stateless_apply(of_optimizer, gradients, trainable)
            return (list(trainable), list(fixed), list(of_optimizer)), value.astype(jnp.float32), accuracy

        @jax.jit  # type: ignore[untyped-decorator]
        def run(
            state: Any, inputs: Any, labels: Any, order: Any, drawn: Any, rates: Any, start: Any, stop: Any
        ) -> tuple[Any, Any, Any]:
            def body(i: Any, carried: Any) -> Any:
                state, losses, accuracies = carried
                batch = order[i]
                shown = {name: array[batch] for name, array in inputs.items()}
                state, value, accuracy = step(state, shown, labels[batch], drawn[i], rates[i])
                return state, losses.at[i - start].set(value), accuracies.at[i - start].set(accuracy)

            empty = jnp.zeros([LONGEST_CHUNK])
            return jax.lax.fori_loop(start, stop, body, (state, empty, empty))  # type: ignore[no-any-return]

        self._run = run

    def _state(self) -> tuple[Any, ...]:
        model = self._model
        return model.trainable_variables, model.non_trainable_variables, self._optimizer.variables

    def run(
        self, order: NDArray[np.int32], drawn: NDArray[np.int32], rates: NDArray[np.float32], start: int, stop: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        groups = self._state()
        state, losses, accuracies = self._run(
            _values(groups),
            self._train.inputs,
            self._train.labels,
            order,
            drawn,
            rates,
            np.int32(start),
            np.int32(stop),
        )
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return np.asarray(losses)[: stop - start], np.asarray(accuracies)[: stop - start]

    def program(self, order: NDArray[np.int32], drawn: NDArray[np.int32], rates: NDArray[np.float32]) -> Program:
        split, step = (self._train.inputs, self._train.labels), np.int32(0)
        lowered = self._run.lower(_values(self._state()), *split, order, drawn, rates, step, step)
        return Program(operations=str(lowered.as_text()))


def _values(groups: tuple[Any, ...]) -> tuple[list[Any], ...]:
    return tuple([variable.value for variable in group] for group in groups)


class _CompiledEvaluation:
    """The evaluation of one batch as one XLA program."""

    def __init__(self, *, model: "keras.Model", loss: Loss, views: Views, convolutions: bool) -> None:  # noqa: ARG002
        import jax
        import jax.numpy as jnp

        @jax.jit  # type: ignore[untyped-decorator]
        def run(trainable: Any, fixed: Any, inputs: Any, labels: Any) -> tuple[Any, Any]:
            probabilities = jnp.zeros(())
            for view, weight in views(inputs):
                answer, _ = model.stateless_call(trainable, fixed, view, training=False)
                probabilities = probabilities + weight * answer.astype(jnp.float32)
            return loss(labels.astype(jnp.int32), probabilities), probabilities

        self._model, self._run = model, run

    def _arguments(self, inputs: Any, labels: Any) -> tuple[Any, ...]:
        model = self._model
        return (*_values((model.trainable_variables, model.non_trainable_variables)), inputs, labels)

    def __call__(self, inputs: Any, labels: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        losses, probabilities = self._run(*self._arguments(inputs, labels))
        return np.asarray(losses), np.asarray(probabilities)

    def program(self, inputs: Any, labels: Any) -> Program:
        return Program(operations=str(self._run.lower(*self._arguments(inputs, labels)).as_text()))


compile_epoch, compile_evaluation = _CompiledEpoch, _CompiledEvaluation

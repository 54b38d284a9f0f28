"""The backends that training runs on, each in one file: TensorFlow, and JAX for accelerators.

A backend compiles what is described here once, in plain Keras and ``keras.ops``. Nothing outside this folder asks
which backend it runs on.
"""

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import FortydaysError, unknown_name

if TYPE_CHECKING:
    import keras

    from fortydays.data.arrays import Split
    from fortydays.train.augmentation import Augmentation
    from fortydays.train.program import Program

LONGEST_CHUNK = 2048
"""Most steps one call can do: the length of the buffers that bring losses and accuracies back."""

BACKENDS = ("tensorflow", "jax")


class NotCountedError(ValueError):
    """A trace does not tell its multiply-adds; the message says why, as a sentence without its full stop."""


class Loss(Protocol):
    """A loss for each example, from its label and the model's probabilities."""

    def __call__(self, labels: Any, probabilities: Any) -> Any:
        """Labels int32 (n,), probabilities float (n, classes); returns float32 (n,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DeviceSplit:
    """A split copied to the device once, to be shared by all programs that train on it.

    Attributes:
        inputs: tensors by name, each of shape (n, ...).
        labels: uint8 tensor, shape (n,).
    """

    inputs: Mapping[str, Any]
    labels: Any


Views = Callable[[Any], list[tuple[Any, float]]]
"""From a batch's tensors to what the network gets of each view of it, and the view's weight."""


class CompiledEpoch(Protocol):
    """Training steps of one model and optimizer on one training split, compiled once."""

    def run(
        self, order: NDArray[np.int32], drawn: NDArray[np.int32], rates: NDArray[np.float32], start: int, stop: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Do the steps from ``start`` to before ``stop`` of an epoch; model and optimizer are changed in place.

        Args:
            order: int32, shape (steps, batch): the epoch's batches.
            drawn: int32, shape (steps, batch, n) with n = 14, 10, 5 or 0: what augmentation drew, as
                :func:`fortydays.train.augmentation.draws_of_epoch` gives it for the recipe.
            rates: float32, shape (steps,): the learning rate of each step.
            start: first step; with ``stop == start`` nothing is done but to compile.
            stop: at most :data:`LONGEST_CHUNK` after ``start``.

        Returns:
            Loss (penalties included) and accuracy of each step done, float32, shape (stop - start,). Of a mixed
            example, the label with the larger share counts as the right one.
        """

    def program(self, order: NDArray[np.int32], drawn: NDArray[np.int32], rates: NDArray[np.float32]) -> "Program":
        """What is computed for arguments of these shapes; nothing runs."""


class CompiledEvaluation(Protocol):
    """The evaluation of one batch of one shape, compiled once."""

    def __call__(self, inputs: Any, labels: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """From a batch on the device to the loss and the outputs of each example."""

    def program(self, inputs: Any, labels: Any) -> "Program":
        """What is computed for batches of these shapes; nothing runs."""


Replacements = Mapping[type, Callable[[Any], Any]]
"""For a type of Keras layer, what makes its substitute from it; see :mod:`fortydays.train.substitutes`."""


class Backend(Protocol):
    """What a backend's module offers."""

    NAME: str
    PACKAGES: tuple[str, ...]

    def prepare(self, *, threads: int) -> None:
        """Settle what must be settled before Keras is imported."""

    def pin_threads(self, *, threads: int) -> None:
        """Compute with this number of threads. Raises FortydaysError where another number is already used."""

    def seed(self, seed: int) -> None:
        """Start all random numbers that building a model draws from this seed."""

    def on_device(self, split: "Split") -> DeviceSplit:
        """Copy a split to the device."""

    def batch_on_device(self, array: NDArray[Any]) -> Any:
        """Copy one array to the device."""

    def compile_epoch(
        self,
        *,
        model: "keras.Model",
        optimizer: Any,
        loss: Loss,
        train: DeviceSplit,
        augmentation: "Augmentation",
        convolutions: bool,
    ) -> CompiledEpoch:
        """Compile training; ``augmentation`` says how examples are changed and mixed."""

    def compile_evaluation(
        self, *, model: "keras.Model", loss: Loss, views: Views, convolutions: bool
    ) -> CompiledEvaluation:
        """Compile the evaluation of one batch shape, averaged over some views."""

    def program_of(self, function: Callable[..., Any], *arguments: NDArray[Any]) -> "Program":
        """What a function of tensors computes for arguments of these shapes and types; nothing runs."""

    def multiply_adds(self, function: Callable[..., Any], *arguments: NDArray[Any]) -> int:
        """How many multiply-adds the matrix products and convolutions of a function of tensors are; nothing runs.

        Raises:
            NotCountedError: the trace does not tell, as where the number of steps of a loop depends on what it
                computes.
        """

    def gradient(self, function: Callable[[Any], Any], array: NDArray[Any]) -> NDArray[Any]:
        """The gradient of the sum of what a function of a tensor gives, with respect to that tensor."""

    def gradients(self, *, model: "keras.Model", loss: Loss, inputs: Any, labels: NDArray[Any]) -> list[NDArray[Any]]:
        """The gradient of the mean loss, in training mode, with respect to each trainable variable of a model.

        Args:
            model: its statistics and random generators may move on, as in a step of training; its weights stay.
            loss: one value for each example.
            inputs: what the network gets of a batch, in NumPy.
            labels: shape (n,).

        Returns:
            float32, in the order of ``model.trainable_variables``; zeros where the loss does not depend on one.
        """

    def replacements(self, *, convolutions: bool) -> Replacements:
        """The layers that can be computed faster than Keras does, in a program with or without convolutions."""

    def accelerator(self) -> str | None:
        """The name of the accelerator computed on; None on a processor."""

    def bfloat16_is_fast(self, *, on_processor: bool) -> bool:
        """Whether bfloat16 gains time where this backend computes; ``on_processor`` is what the processor offers."""


def wanted() -> str:
    """The backend that ``KERAS_BACKEND`` asks for, "tensorflow" unless set.

    Raises:
        UsageError: it is not one of :data:`BACKENDS`.
    """
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name not in BACKENDS:
        raise unknown_name("KERAS_BACKEND", name, BACKENDS)
    return name


def backend(name: str | None = None) -> Backend:
    """A backend by name, or the one that ``KERAS_BACKEND`` asks for.

    Raises:
        FortydaysError: it is not installed.
    """
    name = name or wanted()
    if name != "tensorflow" and importlib.util.find_spec(name) is None:
        raise FortydaysError(
            f"KERAS_BACKEND is {name!r}, which is not installed here.",
            hint=f"Install it: make setup-{name} (or pip install 'fortydays[{name}]'), or unset KERAS_BACKEND.",
        )
    return cast(Backend, importlib.import_module(f"fortydays.train.backends.{name}"))

"""A trial's shadow: all that happens around the compiled programs, with scripted answers in the place of computing.

A trial is driven from Python: it builds the model, draws orders and augmentation, makes rates, evaluates, stops,
keeps weights and measures. What is computed is in the compiled programs. A trainer on the :class:`ShadowBackend` does
all of the former. Each program is traced and not run; a script says what it gives. So the record of a shadow tells in
seconds whether another version of this code would train the same trial, on any processor.
"""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.train.backends import Backend, CompiledEpoch, CompiledEvaluation
from fortydays.train.program import Program

if TYPE_CHECKING:
    import keras

_RIGHT = (3, 4, 4, 5, 4, 5, 6, 6, 5, 6, 6, 6, 5, 6, 6, 6)
"""Eighths of a split that are answered right, for each evaluation: rises, ties, falls, and an end without a rise."""
_LOSS = (8, 7, 7, 6, 7, 6, 5, 5, 6, 5, 5, 5, 6, 5, 5, 5)
"""Quarters that the loss of each example is, for each evaluation."""


@dataclass(kw_only=True)
class Record:
    """What a shadow has seen.

    Attributes:
        steps: the program of the training steps.
        evaluations: the programs of the evaluations, in the order in which they are first asked.
        calls: which program evaluated which examples, in order.
        fed: digests of the order, the draws and the rates of all steps, however many steps a call does.
    """

    steps: Program | None = None
    evaluations: list[Program] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    fed: tuple[Any, Any, Any] = field(default_factory=lambda: (hashlib.sha256(), hashlib.sha256(), hashlib.sha256()))

    def digests_of_fed(self) -> dict[str, str]:
        """By what the steps were fed: its SHA-256."""
        return {name: each.hexdigest() for name, each in zip(("order", "draws", "rates"), self.fed, strict=True)}


class ShadowBackend:
    """A backend that traces programs and does not run them. All else it does as the ``real`` one, which traces."""

    def __init__(self, real: Backend) -> None:
        self._real = real
        self.record = Record()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def batch_on_device(self, array: NDArray[Any]) -> Any:
        """The array itself."""
        return array

    def compile_epoch(self, *, model: "keras.Model", **options: Any) -> CompiledEpoch:
        """Training steps that are traced."""
        return _ShadowEpoch(self._real.compile_epoch(model=model, **options), model, self.record)

    def compile_evaluation(self, *, model: "keras.Model", **options: Any) -> CompiledEvaluation:
        """An evaluation that is traced."""
        real = self._real.compile_evaluation(model=model, **options)
        return _ShadowEvaluation(real, int(model.output_shape[-1]), self._real, self.record)


class _ShadowEpoch:
    """Steps that leave a mark in the model, so that it shows which epoch's weights are kept."""

    def __init__(self, real: CompiledEpoch, model: "keras.Model", record: Record) -> None:
        self._real, self._record = real, record
        self._marked = model.trainable_variables[-1:]
        self._done = 0

    def run(
        self, order: NDArray[np.int32], drawn: NDArray[np.int32], rates: NDArray[np.float32], start: int, stop: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self._record.steps is None:
            self._record.steps = self._real.program(order, drawn, rates)
        for digest, array in zip(self._record.fed, (order, drawn, rates), strict=True):
            digest.update(np.ascontiguousarray(array[start:stop]).tobytes())
        steps = np.arange(self._done, self._done + stop - start)
        self._done += stop - start
        for variable in self._marked:
            variable.assign(np.full(variable.shape, self._done % 251, np.float32))
        # Eighths and sixteenths: their sums and means are exact.
        return ((1 + steps * 7 % 13 / 8).astype(np.float32), (steps * 5 % 11 / 16).astype(np.float32))

    def program(self, order: NDArray[np.int32], drawn: NDArray[np.int32], rates: NDArray[np.float32]) -> Program:
        return self._real.program(order, drawn, rates)


class _ShadowEvaluation:
    """Answers of which a scripted share is right: the labels' own, for the first examples of a batch."""

    def __init__(self, real: CompiledEvaluation, classes: int, backend: Backend, record: Record) -> None:
        self._real, self._classes, self._backend, self._record = real, classes, backend, record
        self._number: int | None = None
        self._seen: dict[int, tuple[NDArray[Any], str, int]] = {}

    def __call__(self, inputs: Any, labels: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self._number is None:
            self._number = len(self._record.evaluations)
            self._record.evaluations.append(self.program(inputs, labels))
        # A batch that stays on the device comes again as the same array: its next evaluation.
        seen = self._seen.get(id(inputs))
        _, digest, times = seen or (inputs, _digest(*inputs.values(), labels), 0)
        self._seen[id(inputs)] = (inputs, digest, times + 1)
        self._record.calls.append(f"{self._number}: {digest}")
        at = times % len(_RIGHT)
        right = len(labels) * _RIGHT[at] // 8
        answers = np.where(np.arange(len(labels)) < right, labels, (labels.astype(np.int64) + 1) % self._classes)
        rest = 0.5 ** np.ceil(np.log2(2 * self._classes))  # a power of two: rows add up to one exactly
        probabilities = np.full((len(labels), self._classes), rest, np.float32)
        probabilities[np.arange(len(labels)), answers] = 1 - (self._classes - 1) * rest
        return np.full(len(labels), _LOSS[at] / 4, np.float32), probabilities

    def program(self, inputs: Any, labels: Any) -> Program:
        on_device = self._backend.batch_on_device
        return self._real.program({name: on_device(array) for name, array in inputs.items()}, on_device(labels))


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

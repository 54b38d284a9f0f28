"""How well a model does on a split: mean loss, the task's metrics, and its outputs for every example."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.data.arrays import Split
from fortydays.inputs.input import Input
from fortydays.tasks.metric import ACCURACY
from fortydays.tasks.task import Task
from fortydays.train import augmentation
from fortydays.train.backends import Backend, Loss, backend

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """What a model does on a split.

    Attributes:
        loss: mean loss, without penalties.
        metrics: those of the task, by name.
        outputs: of the model, float32, shape (n, ...); for classification, probabilities of shape (n, classes).
    """

    loss: float
    metrics: Mapping[str, float]
    outputs: NDArray[np.float32]

    @property
    def accuracy(self) -> float:
        """Of classification: the share of right answers, from 0 to 1."""
        return self.metrics[ACCURACY.name]


class Evaluator:
    """Evaluates one model in large batches of one compiled shape.

    Args:
        model: evaluated in inference mode, with the weights it has at each call.
        input: what the examples are.
        task: with its metrics.
        loss: one value for each example.
        batch_size: examples in one call; the last batch is filled up and the filling cut off again.
        test_views: the views of an example whose outputs are averaged, as a recipe names them.
        convolutions: whether the model has any, which decides how a backend compiles it.
        on: what compiles and computes; the backend that ``KERAS_BACKEND`` asks for, unless given.
    """

    def __init__(
        self,
        *,
        model: "keras.Model",
        input: Input,
        task: Task,
        loss: Loss,
        batch_size: int,
        test_views: str,
        convolutions: bool,
        on: Backend | None = None,
    ) -> None:
        self._backend = on or backend()
        self._task = task
        self._run = self._backend.compile_evaluation(
            model=model,
            loss=loss,
            views=lambda inputs: augmentation.views(input, inputs, test_views),
            convolutions=convolutions,
        )
        self._batch_size = batch_size
        self._on_device: dict[int, tuple[Split, list[tuple[Any, Any]]]] = {}

    def keep_on_device(self, split: Split) -> None:
        """Copy a split to the device once, because it will be evaluated often."""
        self._on_device[id(split)] = (split, list(self._batches(split)))

    def evaluate(self, split: Split) -> Evaluation:
        """Evaluate the model on all examples of a split."""
        kept = self._on_device.get(id(split))
        losses, outputs = [], []
        for inputs, labels in kept[1] if kept else self._batches(split):
            batch_losses, batch_outputs = self._run(inputs, labels)
            losses.append(batch_losses)
            outputs.append(batch_outputs)
        n = len(split)
        found = np.concatenate(outputs)[:n]
        return Evaluation(
            loss=float(np.concatenate(losses)[:n].mean(dtype=np.float64)),
            metrics=self._task.measure(found, split.labels),
            outputs=found,
        )

    def _batches(self, split: Split) -> Iterator[tuple[dict[str, Any], Any]]:
        for start in range(0, len(split), self._batch_size):
            part = slice(start, start + self._batch_size)
            inputs = {name: self._filled(array[part]) for name, array in split.inputs.items()}
            yield inputs, self._filled(split.labels[part])

    def _filled(self, array: NDArray[Any]) -> Any:
        """A batch on the device; the last one is filled up."""
        missing = self._batch_size - len(array)
        if missing:
            array = np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)])
        return self._backend.batch_on_device(array)

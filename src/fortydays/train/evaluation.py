"""How well a model does on a split: mean loss, accuracy, and the probability of every class for every image."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.data.arrays import Split
from fortydays.train.backends import Backend, Loss, backend

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """What a model does on a split.

    Attributes:
        loss: mean loss, without penalties.
        accuracy: share of right answers, from 0 to 1.
        probabilities: float32, shape (n, classes).
    """

    loss: float
    accuracy: float
    probabilities: NDArray[np.float32]


class Evaluator:
    """Evaluates one model in large batches of one compiled shape.

    Args:
        model: evaluated in inference mode, with the weights it has at each call.
        loss: one value for each example.
        batch_size: images in one call; the last batch is filled up and the filling cut off again.
        test_views: the views of an image whose probabilities are averaged, as a recipe names them.
        convolutions: whether the model has any, which decides how a backend compiles it.
        on: what compiles and computes; the backend that ``KERAS_BACKEND`` asks for, unless given.
    """

    def __init__(
        self,
        *,
        model: "keras.Model",
        loss: Loss,
        batch_size: int,
        test_views: str,
        convolutions: bool,
        on: Backend | None = None,
    ) -> None:
        self._backend = on or backend()
        self._run = self._backend.compile_evaluation(
            model=model, loss=loss, test_views=test_views, convolutions=convolutions
        )
        self._batch_size = batch_size
        self._on_device: dict[int, tuple[Split, list[tuple[Any, Any]]]] = {}

    def keep_on_device(self, split: Split) -> None:
        """Copy a split to the device once, because it will be evaluated often."""
        self._on_device[id(split)] = (split, list(self._batches(split)))

    def evaluate(self, split: Split) -> Evaluation:
        """Evaluate the model on all examples of a split."""
        kept = self._on_device.get(id(split))
        losses, probabilities = [], []
        for images, labels in kept[1] if kept else self._batches(split):
            batch_losses, batch_probabilities = self._run(images, labels)
            losses.append(batch_losses)
            probabilities.append(batch_probabilities)
        n = len(split)
        answers = np.concatenate(probabilities)[:n]
        return Evaluation(
            loss=float(np.concatenate(losses)[:n].mean(dtype=np.float64)),
            accuracy=float(np.mean(answers.argmax(axis=1) == split.labels)),
            probabilities=answers,
        )

    def _batches(self, split: Split) -> Any:
        for start in range(0, len(split), self._batch_size):
            images = split.images[start : start + self._batch_size]
            labels = split.labels[start : start + self._batch_size]
            missing = self._batch_size - len(labels)
            if missing:
                images = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)])
                labels = np.concatenate([labels, np.zeros(missing, labels.dtype)])
            yield self._backend.batch_on_device(images), self._backend.batch_on_device(labels)

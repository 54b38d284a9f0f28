"""One trial: a variant trained with one seed, then measured; the test split is opened here, once, after training."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import FortydaysError, TrainingFailedError
from fortydays.data.arrays import Dataset, Split
from fortydays.study.design import Measure, Study, seconds_metric, steps_metric
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.evaluation import Evaluation
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Report, Trained


class AnyTrainer(Protocol):
    """What both engines offer a trial."""

    model: Any
    precision: str
    compile_seconds: float
    steps_per_epoch: int

    @property
    def num_parameters(self) -> int:
        """How many numbers the optimizer may change."""

    def train(
        self,
        *,
        seed: int,
        recipe: Recipe | None = None,
        resume: Checkpoint | None = None,
        keep: Callable[[Checkpoint], None] | None = None,
        report: Report | None = None,
    ) -> Trained:
        """Train one trial; afterwards the model has its weights."""

    def evaluate(self, split: Split) -> Evaluation:
        """Evaluate the model as it is now."""

    def reader_model(self) -> Any:
        """The reader's own model, of Keras's layers, with the variables as they are now."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialOutcome:
    """A finished trial, as it goes into the evidence, and the arrays kept beside it.

    Attributes:
        result: the trial's entry in the evidence.
        variables: the model's variables as kept.
        probabilities: the answers on the test split, float32, shape (n, classes).
    """

    result: dict[str, Any]
    variables: Sequence[NDArray[Any]]
    probabilities: NDArray[np.float32]


def run_trial(
    *,
    study: Study,
    variant: str,
    seed: int,
    recipe: Recipe,
    trainer: AnyTrainer,
    dataset: Dataset,
    resume: Checkpoint | None,
    keep: Callable[[Checkpoint], None] | None,
    report: Report | None,
) -> TrialOutcome:
    """Train one trial and measure it.

    Raises:
        TrainingFailedError: its loss stopped being a number.
    """
    trained = trainer.train(seed=seed, recipe=recipe, resume=resume, keep=keep, report=report)
    on_train = trainer.evaluate(dataset.training.train)
    on_validation = trainer.evaluate(dataset.training.validation)
    on_test = trainer.evaluate(dataset.test.open())
    metrics: dict[str, float | None] = {
        "test_accuracy": on_test.accuracy,
        "test_loss": on_test.loss,
        "train_accuracy": on_train.accuracy,
        "train_loss": on_train.loss,
        "validation_accuracy": on_validation.accuracy,
        "validation_loss": on_validation.loss,
        "accuracy_gap": on_train.accuracy - on_test.accuracy,
    }
    last = trained.history.points[-1]
    for target in study.targets:
        reached = trained.history.first_reaching(target)
        metrics[steps_metric(target)] = float(reached.step) if reached else None
        metrics[f"{steps_metric(target)}_limit"] = float(last.step)
        metrics[seconds_metric(target)] = reached.seconds if reached else None
        metrics[f"{seconds_metric(target)}_limit"] = last.seconds
    for name, number in metrics.items():
        if number is not None and not np.isfinite(number):
            raise TrainingFailedError(
                f"The {name.replace('_', ' ')} is {number} after training.",
                hint="Try a lower learning rate: --set learning_rate=...",
            )
    measures = [measure for measure in study.measures if variant in measure.variants]
    model = trainer.reader_model() if measures else None
    problems = []
    for measure in measures:
        value, problem = _measured(measure, model, dataset.training.validation.images)
        if problem:  # what was trained is worth keeping without this number
            problems.append(problem)
        else:
            metrics[measure.name] = value
    return TrialOutcome(
        result={
            "variant": variant,
            "seed": seed,
            "status": "finished",
            "error": " ".join(problems),
            "metrics": metrics,
            "train_seconds": trained.train_seconds,
            "epochs": trained.epochs,
            "best_epoch": trained.best_epoch,
            "resumed_from_epoch": trained.resumed_from_epoch,
            "weights_digest": digest_of_arrays(trained.variables),
            "history": trained.history.as_columns(),
        },
        variables=trained.variables,
        probabilities=on_test.probabilities,
    )


def _measured(measure: Measure, model: Any, images: NDArray[np.uint8]) -> tuple[float, str]:
    """What a study's own function gives, and what is wrong with it, or ""."""
    try:
        value = float(measure.function(model, images))
    except FortydaysError as error:
        return np.nan, f"The measure {measure.name!r} failed: {error.message}"
    except Exception as error:
        return np.nan, f"The measure {measure.name!r} failed: {type(error).__name__}: {error}."
    return value, "" if np.isfinite(value) else f"The measure {measure.name!r} gave {value}."


def failed_trial(*, variant: str, seed: int, error: FortydaysError) -> dict[str, Any]:
    """The entry in the evidence of a trial that could not be trained to its end."""
    return {
        "variant": variant,
        "seed": seed,
        "status": "failed",
        "error": error.message,
        "metrics": {},
        "train_seconds": 0.0,
        "epochs": 0,
        "best_epoch": 0,
        "resumed_from_epoch": 0,
        "weights_digest": "",
        "history": {},
    }


def digest_of_arrays(arrays: Sequence[NDArray[Any]]) -> str:
    """SHA-256 of some arrays' types, shapes and bytes, in order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

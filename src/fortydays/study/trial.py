"""One trial: what is asked for, as a value; its training and measuring, as a function; what came of it, as a value.

The test split is opened here, once, after training.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import FortydaysError, TrainingFailedError, unknown_name
from fortydays.data.arrays import Dataset, Split, TrainingData
from fortydays.study.design import Measure, Study, seconds_metric, steps_metric
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Report, Trainer

ENGINES = ("compiled", "plain")
"""How trials are trained: the compiled epoch; the same with Keras's own layers, without substitutes."""


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """What is asked for: one trial of a variant, one try of its search, or one repetition of a drill.

    It can be pickled, and written as JSON values with :meth:`as_dict`.

    Attributes:
        day: number of the study's day, or None for a study of one's own.
        path: of the study's file, where it is no day's.
        sha256: of that file's bytes.
        variant: name of the variant or drill.
        seed: of the initial weights, the order of the images and the layers' random generators; of all that a drill
            chooses at random.
        recipe: how it is trained; the variant's own, with what a search chose and a reader set. None for a drill.
        dataset: name of the dataset; "" for a study without one.
        dataset_digest: of its content.
        backend: one of :data:`fortydays.train.backends.BACKENDS`.
        threads: to compute with.
        bfloat16_is_fast: whether the precision "auto" may be bfloat16. It is decided once for a run, so that all
            its trials have one precision, whatever machines they are trained on.
        engine: one of :data:`ENGINES`.
        validation_only: True for a try, of which only the metrics on the validation split are wanted.
        ground: SHA-256 of what else the numbers are a function of: code, packages, processor; "" where no state of
            this trial is ever kept.

    Raises:
        UsageError: there is no such engine.
    """

    day: int | None = None
    path: str = ""
    sha256: str = ""
    variant: str
    seed: int
    recipe: Recipe | None
    dataset: str
    dataset_digest: str
    backend: str
    threads: int
    bfloat16_is_fast: bool
    engine: str = "compiled"
    validation_only: bool = False
    ground: str = ""

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise unknown_name("engine", self.engine, ENGINES)

    def __reduce__(self) -> tuple[Any, ...]:
        return TrialSpec.from_dict, (self.as_dict(),)

    def as_dict(self) -> dict[str, Any]:
        """The spec as JSON values."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)} | {
            "recipe": self.recipe and self.recipe.as_dict()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrialSpec":
        """The spec that :meth:`as_dict` wrote down."""
        return cls(**{**values, "recipe": values["recipe"] and Recipe(**values["recipe"])})

    @property
    def digest(self) -> str:
        """SHA-256 of the spec: the identity of the trial's checkpoints.

        A file's place and bytes are left out: it may be moved, and get a remark. Its code is part of ``ground``.
        """
        return files.sha256_of_json({**self.as_dict(), "path": "", "sha256": ""})


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A trained and measured trial, or a drill that was carried out.

    Attributes:
        result: the trial's entry in the evidence.
        variables: the model's variables as kept; none for a try or a drill.
        probabilities: the answers on the test split, float32, shape (n, classes); n is 0 for a try or a drill.
    """

    result: dict[str, Any]
    variables: Sequence[NDArray[Any]] = ()
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialOutcome:
    """What came of a spec.

    Attributes:
        spec: what was asked for.
        measured: what it gave. The status of its result is "failed" where it could not be trained to its end.
        hint: what to do about a failure, or "".
        compile_seconds: of building and compiling; 0 where the spec before had that done.
    """

    spec: TrialSpec
    measured: Measured
    hint: str = ""
    compile_seconds: float = 0.0

    @property
    def result(self) -> dict[str, Any]:
        """The trial's entry in the evidence."""
        return self.measured.result


def run_trial(
    *,
    study: Study,
    variant: str,
    seed: int,
    recipe: Recipe,
    trainer: Trainer,
    dataset: Dataset,
    resume: Checkpoint | None,
    keep: Callable[[Checkpoint], None] | None,
    report: Report | None,
) -> Measured:
    """Train one trial and measure it.

    Raises:
        TrainingFailedError: its loss stopped being a number.
    """
    trained = trainer.train(seed=seed, recipe=recipe, resume=resume, keep=keep, report=report)
    on_train = trainer.evaluate(dataset.training.train)
    on_validation = trainer.evaluate(dataset.training.validation)
    on_test = trainer.evaluate(dataset.test.open())
    metrics: dict[str, float | None] = {}
    for split, found in (("test", on_test), ("train", on_train), ("validation", on_validation)):
        metrics |= {f"{split}_{name}": value for name, value in {**found.metrics, "loss": found.loss}.items()}
    metrics["accuracy_gap"] = on_train.accuracy - on_test.accuracy
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
        value, problem = _measured(measure, model, seen_by_measures(dataset.training))
        if problem:  # what was trained is worth keeping without this number
            problems.append(problem)
        else:
            metrics[measure.name] = value
    return Measured(
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
        probabilities=on_test.outputs,
    )


def seen_by_measures(data: TrainingData) -> Any:
    """What a measure is given: the array of the validation examples, or, of an input with several, arrays by name."""
    inputs = data.validation.inputs
    return next(iter(inputs.values())) if len(inputs) == 1 else inputs


def run_try(
    *, variant: str, seed: int, recipe: Recipe, trainer: Trainer, validation: Split, report: Report | None
) -> Measured:
    """Train one try of a search, and look at the validation split only.

    Raises:
        TrainingFailedError: its loss stopped being a number.
    """
    trainer.train(seed=seed, recipe=recipe, report=report)
    metrics = {"validation_accuracy": trainer.evaluate(validation).accuracy}
    return Measured(result={"variant": variant, "seed": seed, "status": "finished", "error": "", "metrics": metrics})


def _measured(measure: Measure, model: Any, examples: Any) -> tuple[float, str]:
    """What a study's own function gives, and what is wrong with it, or ""."""
    try:
        value = float(measure.function(model, examples))
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

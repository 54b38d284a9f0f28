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
from fortydays.base.errors import FortydaysError, TrainingFailedError
from fortydays.data.arrays import Dataset, TrainingData
from fortydays.study.design import Measure, Study, seconds_metric, steps_metric
from fortydays.study.samples import packed
from fortydays.train.checkpoint import Checkpoint
from fortydays.train.evaluation import Evaluation
from fortydays.train.history import first_reaching
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Report, Trained, Trainer

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
        examples: how many each split of the dataset has at most, of a try; None for all.
        ground: SHA-256 of what else the numbers are a function of: code, packages, processor; "" where no state of
            this trial is ever kept.
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
    examples: int | None = None
    ground: str = ""

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
class TrialOutcome:
    """What came of a spec.

    Attributes:
        spec: what was asked for.
        result: the trial's entry in the evidence. Its status is "failed" where it did not come to its end.
        variables: the model's variables as kept; none for a try or a drill.
        probabilities: the answers on the test split, float32, shape (n, classes); n is 0 for a try or a drill.
        hint: what to do about a failure, or "".
        lost: whether it has failed because what trained it ended again and again: nothing is known of it.
        compile_seconds: of building and compiling; 0 where the spec before had that done.
    """

    spec: TrialSpec
    result: dict[str, Any]
    variables: Sequence[NDArray[Any]] = ()
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    hint: str = ""
    lost: bool = False
    compile_seconds: float = 0.0


def trial_result(spec: TrialSpec, **found: Any) -> dict[str, Any]:
    """A trial's entry in the evidence: the fields that are told, and the others as of a trial that gave nothing."""
    nothing = {
        "status": "finished",
        "error": "",
        "metrics": {},
        "train_seconds": 0.0,
        "epochs": 0,
        "best_epoch": 0,
        "resumed_from_epoch": 0,
        "weights_digest": "",
        "right": "",
        "dead_units": {},
        "history": {},
    }
    return {"variant": spec.variant, "seed": spec.seed, **nothing, **found}


def run_trial(
    spec: TrialSpec,
    *,
    study: Study,
    dataset: Dataset,
    trainer: Trainer,
    resume: Checkpoint | None = None,
    keep: Callable[[Checkpoint], None] | None = None,
    report: Report | None = None,
    count_dead: bool = True,
) -> TrialOutcome:
    """Train one trial and measure it. A try is measured on the validation split alone.

    Args:
        spec: what is asked for.
        study: that it is of.
        dataset: what the variant learns from.
        trainer: with the compiled program of the spec's recipe.
        resume: the state to go on from, or None.
        keep: given states, as :meth:`Trainer.train` says.
        report: told after each chunk of steps.
        count_dead: whether dead units are counted; of a try they never are.

    Raises:
        TrainingFailedError: its loss stopped being a number.
    """
    measures = [measure for measure in study.measures if spec.variant in measure.variants and not spec.validation_only]
    problems: list[str] = []
    measured: dict[str, float] = {}

    def take(at: str) -> None:
        """Call the study's own measures of a time. What was trained is worth keeping without one that fails."""
        due = [measure for measure in measures if measure.at == at]
        model = trainer.reader_model() if due else None
        for measure in due:
            value, problem = _measured(measure, model, dataset.training)
            if problem:
                problems.append(problem)
            else:
                measured[measure.name] = value

    if any(measure.at == "start" for measure in measures):
        trainer.reset(spec.seed)  # as training will begin
        take("start")
    trained = trainer.train(
        seed=spec.seed,
        recipe=spec.recipe,
        resume=resume,
        keep=keep,
        report=report,
        count_dead=count_dead and not spec.validation_only,
    )
    if spec.validation_only:
        accuracy = trainer.evaluate(dataset.training.validation).accuracy
        return TrialOutcome(spec=spec, result=trial_result(spec, metrics={"validation_accuracy": accuracy}))
    on_train = trainer.evaluate(dataset.training.train)
    on_validation = trainer.evaluate(dataset.training.validation)
    test = dataset.test.open()
    on_test = trainer.evaluate(test)
    metrics = _metrics(study, trained, on_train, on_validation, on_test)
    right = dataset.training.task.right(on_test.outputs, test.labels)
    take("end")
    # In the order of the study, whenever they were taken.
    metrics |= {measure.name: measured[measure.name] for measure in measures if measure.name in measured}
    result = trial_result(
        spec,
        error=" ".join(problems),
        metrics=metrics,
        train_seconds=trained.train_seconds,
        epochs=trained.epochs,
        best_epoch=trained.best_epoch,
        resumed_from_epoch=trained.resumed_from_epoch,
        weights_digest=digest_of_arrays(trained.variables),
        right="" if right is None else packed(right),
        dead_units=trained.dead_units,
        history=trained.history.as_columns(),
    )
    return TrialOutcome(spec=spec, result=result, variables=trained.variables, probabilities=on_test.outputs)


def _metrics(
    study: Study, trained: Trained, on_train: Evaluation, on_validation: Evaluation, on_test: Evaluation
) -> dict[str, float | None]:
    """The numbers of a trained trial, but for the study's own measures. Raises TrainingFailedError."""
    metrics: dict[str, float | None] = {}
    for split, found in (("test", on_test), ("train", on_train), ("validation", on_validation)):
        metrics |= {f"{split}_{name}": value for name, value in {**found.metrics, "loss": found.loss}.items()}
    metrics["accuracy_gap"] = on_train.accuracy - on_test.accuracy
    history = trained.history.as_columns()
    for target in study.targets:
        for metric, against in ((steps_metric(target), "step"), (seconds_metric(target), "seconds")):
            metrics[metric] = first_reaching(target, history, against=against)
            metrics[f"{metric}_limit"] = float(history[against][-1])
    for name, number in metrics.items():
        if number is not None and not np.isfinite(number):
            raise TrainingFailedError(
                f"The {name.replace('_', ' ')} is {number} after training.",
                hint="Try a lower learning rate: --set learning_rate=...",
            )
    return metrics


def _measured(measure: Measure, model: Any, data: TrainingData) -> tuple[float, str]:
    """What a study's own function gives, and what is wrong with it, or ""."""
    try:
        value = float(measure.of(model, data))
    except FortydaysError as error:
        return np.nan, f"The measure {measure.name!r} failed: {error.message}"
    except Exception as error:
        return np.nan, f"The measure {measure.name!r} failed: {type(error).__name__}: {error}."
    return value, "" if np.isfinite(value) else f"The measure {measure.name!r} gave {value}."


def digest_of_arrays(arrays: Sequence[NDArray[Any]]) -> str:
    """SHA-256 of some arrays' types, shapes and bytes, in order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

"""The head that becomes the model: the best trial's, with the temperature and the threshold of its confidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.arrays import load_arrays
from fortydays.base.errors import FortydaysError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import Reading
from fortydays.inputs.input import Arrays, Input, count_of, rows_of
from fortydays.registry.calibration import (
    Threshold,
    as_logits,
    helpful_temperature,
    softmax,
    threshold_at,
    unknown_threshold,
)
from fortydays.registry.contents import Confidence
from fortydays.study import evidence as documents
from fortydays.study.features import Prepared, prepare
from fortydays.study.runs import RunFolder

if TYPE_CHECKING:
    import keras

    from fortydays.study.design import Variant

_TOGETHER = 1_000


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibratedHead:
    """The trained head of a run's best trial by validation, calibrated on the validation split.

    Attributes:
        study: the file of the study that trained it.
        features: what it learned from, and the network that made it.
        model: its own layers, with the trial's weights.
        temperature: that its logits are divided by; 1 where none is known to help.
        unknown: below which confidence an answer is "unknown", with the rate of false alarms on the test split; None
            where the validation split is too small to tell.
        logits: for the test split, before the temperature, but for a constant of each image; float32, shape
            (n, classes).
    """

    study: Path
    run: RunFolder
    evidence: Mapping[str, Any]
    trial: Mapping[str, Any]
    features: Prepared
    model: "keras.Model"
    temperature: float
    unknown: Threshold | None
    logits: NDArray[np.float32]

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """What it answers for the test split: float32, shape (n, classes)."""
        return softmax(self.logits, temperature=self.temperature)

    def accuracies(self) -> list[float]:
        """Shares of right answers on the test split of all finished trials of its variant, one for each seed."""
        alike = (each for each in self.evidence["trials"] if each["variant"] == self.trial["variant"])
        return [each["metrics"]["test_accuracy"] for each in alike if each["status"] == "finished"]

    def confidence(self) -> Confidence | None:
        """How far the model's probabilities are to be believed, or None where that is not known."""
        if self.unknown is None:
            return None
        return Confidence(
            temperature=self.temperature,
            unknown_below=self.unknown.below,
            false_alarms=self.unknown.false_alarms,
            images=self.unknown.images,
        )


def trained_model(run: RunFolder, variant: "Variant", seed: int) -> "keras.Model":
    """The model of a finished trial, as Keras's own layers. Raises StorageError."""
    from fortydays.train.framework import build_model, set_variables

    model = build_model(variant.model, seed=seed, precision="float32")
    set_variables(model, load_arrays(run.trial_of(variant.name, seed).weights))
    return model


def logits_of(model: "keras.Model", takes: Input, inputs: Arrays) -> NDArray[np.float32]:
    """The logarithms, float32, shape (n, classes), of the answers of a model that ends in a softmax.

    They are logits, but for a constant of each example.

    Args:
        model: the head.
        takes: what it is given.
        inputs: the arrays of some examples.
    """
    from keras import ops

    parts = (slice(start, start + _TOGETHER) for start in range(0, count_of(inputs), _TOGETHER))
    answers = [ops.convert_to_numpy(model(takes.in_numpy(rows_of(inputs, part)), training=False)) for part in parts]
    return as_logits(np.concatenate(answers))


def calibrated_head(
    study: Path, run: RunFolder, evidence: Mapping[str, Any], settings: Settings, progress: Progress
) -> CalibratedHead:
    """The head of the best trial of a study's run.

    Raises:
        FortydaysError: no trial was trained to its end.
        StorageError: the files of the run cannot be read.
    """
    from fortydays.days.loading import find_study, load_study

    trial = documents.best_trial(evidence["trials"])
    if trial is None:
        raise FortydaysError(
            "No trial was trained to its end, so there is no model.", hint=f"See what failed: forty show {study}"
        )
    loaded = load_study(find_study(str(study)), threads=settings.threads).study
    variant = next(each for each in loaded.variants if each.name == trial["variant"])
    assert loaded.dataset is not None  # it has a variant
    recipe = evidence["details"][trial["variant"]]["recipe"]
    dataset = library.load(loaded.dataset, settings).read_as(Reading.of(recipe))
    heads = prepare(
        dataset, variant.model, features=variant.features, examples=None, settings=settings, progress=progress
    )
    model = trained_model(run, variant, trial["seed"])
    validation = heads.dataset.training.validation
    logits = logits_of(model, heads.dataset.training.input, validation.inputs)
    cooled = helpful_temperature(logits, np.asarray(validation.labels).astype(np.intp))
    below = unknown_threshold(softmax(logits, temperature=cooled))
    (answers,) = load_arrays(run.trial_of(trial["variant"], trial["seed"]).predictions)
    of_test = as_logits(answers)
    # Chosen on the photographs to validate on; how often it is a false alarm, those of the test say.
    unknown = None if below is None else threshold_at(softmax(of_test, temperature=cooled), below=below)
    return CalibratedHead(
        study=study,
        run=run,
        evidence=evidence,
        trial=trial,
        features=heads,
        model=model,
        temperature=cooled,
        unknown=unknown,
        logits=of_test,
    )

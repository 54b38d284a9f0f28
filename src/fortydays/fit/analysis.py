"""What features tell about photographs or texts, whatever made them: likely label errors, and the learning curve."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.progress import Progress
from fortydays.data.own.splitting import SPLITS
from fortydays.fit import findings as found_out
from fortydays.fit.label_errors import find_label_errors
from fortydays.fit.learning_curve import LearningCurve, measure_learning_curve
from fortydays.fit.material import Material
from fortydays.fit.softmax_regression import DENSE, Heads
from fortydays.study.features import Prepared


def places_of(material: Material) -> NDArray[np.int64]:
    """Which of the kept examples are in the splits, split by split: those to train on, to validate, to test."""
    return np.concatenate([material.kept.of(split) for split in SPLITS])


def dense_features(prepared: Prepared) -> NDArray[np.float32]:
    """The features that a network made, in the order of :func:`places_of`: float32, shape (n, channels)."""
    training = prepared.dataset.training
    # The test split was opened when the trials had ended; a wrong label in it is worth knowing, too.
    parts = (training.train, training.validation, prepared.dataset.test.open())
    return np.concatenate([np.asarray(split.array).reshape(len(split), -1) for split in parts])


def errors_and_curve(
    material: Material, features: Any, *, by: Heads = DENSE, progress: Progress
) -> tuple[tuple[found_out.LabelError, ...], LearningCurve]:
    """Likely label errors in all splits, and the accuracy on the validation split against the number of examples.

    Args:
        material: what was learned from.
        features: in the order of :func:`places_of`: float32, shape (n, channels), or a sparse matrix of that shape.
        by: how heads are trained on such features.
        progress: told of the work.
    """
    kept, near, places = material.kept, material.inspection.near, places_of(material)
    labels = kept.labels[places]
    group_of = {path: number for number, group in enumerate(near) for path in group}
    groups = [group_of.get(kept.paths[place], len(near) + number) for number, place in enumerate(places)]
    suspects = find_label_errors(features, labels, classes=len(kept.classes), groups=groups, by=by, progress=progress)
    train, validated = len(kept.of("train")), len(kept.of("validation"))
    curve = measure_learning_curve(
        features[:train],
        labels[:train],
        features[train : train + validated],
        labels[train : train + validated],
        classes=len(kept.classes),
        noun=material.NOUN,
        by=by,
        progress=progress,
    )
    return found_out.named_label_errors(suspects, kept, places), curve

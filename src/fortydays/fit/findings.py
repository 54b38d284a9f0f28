"""All that is found out about a classifier of a reader's own photographs, as values that can be written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.values import fields_as_json
from fortydays.data.own.dataset import OwnPhotographs
from fortydays.data.own.splitting import SPLITS
from fortydays.fit.balance import Balance
from fortydays.fit.label_errors import Suspect
from fortydays.fit.learning_curve import LearningCurve
from fortydays.registry.calibration import Calibration, Threshold
from fortydays.registry.gates import share_interval
from fortydays.study.statistics import interval

SCHEMA_VERSION = 1
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class BackboneFacts:
    """The pretrained network whose features were learned from.

    Attributes:
        title: its name in text.
        side: pixels of the images it was shown, upwards and sideways.
        weights_sha256: of the file its weights came from.
        source: where they were published.
        licence: under which.
    """

    title: str
    side: int
    weights_sha256: str
    source: str
    licence: str


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The trial that was best on the validation split.

    Attributes:
        variant: its name.
        seed: of the trial.
        description: of the variant, in a phrase.
    """

    variant: str
    seed: int
    description: str


@dataclass(frozen=True, kw_only=True)
class HeldOutResult:
    """What the chosen trial does on the test split, and what others like it do.

    Attributes:
        images: how many.
        accuracy: share of right answers of the chosen trial.
        low: lower end of the 95% interval of that share over photographs (Wilson, 1927).
        high: upper end.
        seeds: trials of the variant.
        mean: their mean accuracy.
        mean_low: lower end of its 95% interval over seeds (Student, 1908); None for one seed.
        mean_high: upper end.
        largest_share: share of the photographs that the largest class has: what always naming it would get.
    """

    images: int
    accuracy: float
    low: float
    high: float
    seeds: int
    mean: float
    mean_low: float | None
    mean_high: float | None
    largest_share: float


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """What is found about one class.

    Attributes:
        name: of the class.
        train: photographs in the train split.
        validation: likewise.
        test: likewise.
        precision: share of the answers with this class that are right, on the test split; None where it was no answer.
        recall: share of its test photographs that are answered with it; None where it has none.
    """

    name: str
    train: int
    validation: int
    test: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a test photograph is answered with.

    Attributes:
        file: its path.
        label: the name of its class.
        answer: the name of the class it was answered with.
        probability: of the answer.
        row: where its pixels are in the collection.
    """

    file: str
    label: str
    answer: str
    probability: float
    row: int


@dataclass(frozen=True, kw_only=True)
class LabelError:
    """A photograph whose label is probably wrong.

    Attributes:
        file: its path.
        split: "train", "validation" or "test".
        label: the name of its class.
        suggested: the name of the class that it looks like.
        score: from -1, the most suspect, to 0.
        row: where its pixels are in the collection.
    """

    file: str
    split: str
    label: str
    suggested: str
    score: float
    row: int


@dataclass(frozen=True, kw_only=True)
class Attention(Answer):
    """An answer, and where the classifier looks for it.

    Attributes:
        heat: the map, from 0 to 1, row by row; from :func:`fortydays.fit.attention.class_activation`.
    """

    heat: tuple[tuple[float, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON values; the map to three decimals."""
        return {**fields_as_json(self), "heat": [[round(value, 3) for value in row] for row in self.heat]}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that the page about a classifier shows.

    Attributes:
        name: what the photographs are called.
        place: the folder or table that they came from.
        created: when, as :func:`fortydays.base.clock.timestamp` writes it.
        model: the registered version, such as "flowers@3", or "".
        alias: the alias that was moved to it, or "".
        backbone: whose features were learned from.
        inspection: what was found in the photographs: :meth:`fortydays.data.own.inspection.Inspection.as_dict`.
        classes: names of the labels, in their order.
        chosen: the trial that was best on the validation split.
        test: what it does on the test split.
        calibration: what the temperature does; None where none was looked for.
        unknown: from which confidence on an answer is one; None where none was looked for.
        confusion: on the test split: how many photographs of the class of the row are answered with the class of the
            column.
        per_class: a result for each class, in the order of the labels.
        mistakes: on the test split, the most confident first.
        label_errors: in all splits, the most suspect first.
        attention: where it looks in some photographs.
        learning_curve: whether more photographs would help; None where it was not asked.
        balance: how uneven the classes are.
        gates: what the gates said, each as :meth:`fortydays.registry.gates.GateResult.as_dict`.
        seconds: how long each stage took, in their order.
    """

    name: str
    place: str
    created: str
    model: str
    alias: str
    backbone: BackboneFacts
    inspection: Mapping[str, Any]
    classes: tuple[str, ...]
    chosen: Chosen
    test: HeldOutResult
    calibration: Calibration | None
    unknown: Threshold | None
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassResult, ...]
    mistakes: tuple[Answer, ...]
    label_errors: tuple[LabelError, ...]
    attention: tuple[Attention, ...]
    learning_curve: LearningCurve | None
    balance: Balance
    gates: tuple[Mapping[str, Any], ...]
    seconds: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"schema_version": SCHEMA_VERSION, **fields_as_json(self)}


def confusion_matrix(
    labels: NDArray[np.intp], answers: NDArray[np.intp], *, classes: int
) -> tuple[tuple[int, ...], ...]:
    """How often each class (the rows) is answered with each class (the columns).

    Args:
        labels: shape (n,).
        answers: shape (n,).
        classes: how many there are.
    """
    found = np.zeros((classes, classes), np.intp)
    np.add.at(found, (labels, answers), 1)
    return tuple(tuple(row) for row in found.tolist())


def held_out_result(
    labels: NDArray[np.intp], answers: NDArray[np.intp], *, accuracies: Sequence[float], classes: int
) -> HeldOutResult:
    """What the chosen trial does on the test split.

    Args:
        labels: shape (n,); at least one.
        answers: of the chosen trial, shape (n,).
        accuracies: of every trial of the variant, one for each seed.
        classes: how many there are.
    """
    right, images = int((labels == answers).sum()), len(labels)
    low, high = share_interval(right, images, confidence=CONFIDENCE)
    over_seeds = interval(accuracies, confidence=CONFIDENCE)
    return HeldOutResult(
        images=images,
        accuracy=right / images,
        low=max(0.0, low),
        high=min(1.0, high),
        seeds=over_seeds.n,
        mean=over_seeds.mean,
        mean_low=over_seeds.low,
        mean_high=over_seeds.high,
        largest_share=float(np.bincount(labels, minlength=classes).max() / images),
    )


def class_results(
    classes: Sequence[str], counts: Mapping[str, Mapping[str, int]], confusion: Sequence[Sequence[int]]
) -> tuple[ClassResult, ...]:
    """A result for each class.

    Args:
        classes: names of the labels, in their order.
        counts: photographs of each class by split: :meth:`fortydays.data.own.inspection.Inspection.counts`.
        confusion: on the test split, from :func:`confusion_matrix`.
    """
    table = np.asarray(confusion, np.intp).reshape(len(classes), len(classes))
    answered, labelled, right = table.sum(axis=0), table.sum(axis=1), np.diag(table)
    return tuple(
        ClassResult(
            name=name,
            train=counts[name]["train"],
            validation=counts[name]["validation"],
            test=counts[name]["test"],
            precision=float(right[label] / answered[label]) if answered[label] else None,
            recall=float(right[label] / labelled[label]) if labelled[label] else None,
        )
        for label, name in enumerate(classes)
    )


def answers_on_test(photographs: OwnPhotographs, probabilities: NDArray[np.float32]) -> tuple[Answer, ...]:
    """What each test photograph is answered with, in the order of the split.

    Args:
        photographs: the splits.
        probabilities: float32, shape (n, classes), of the test split.
    """
    return tuple(
        Answer(
            file=photographs.paths[place],
            label=photographs.classes[photographs.labels[place]],
            answer=photographs.classes[each.argmax()],
            probability=float(each.max()),
            row=int(photographs.rows[place]),
        )
        for place, each in zip(photographs.of("test"), probabilities, strict=True)
    )


def confident_mistakes(answers: Sequence[Answer], *, most: int = 24) -> tuple[Answer, ...]:
    """The wrong answers, the most confident first, and at most so many."""
    wrong = [each for each in answers if each.answer != each.label]
    return tuple(sorted(wrong, key=lambda each: -each.probability)[:most])


def named_label_errors(
    suspects: Sequence[Suspect],
    photographs: OwnPhotographs,
    places: Sequence[int] | NDArray[np.int64],
    *,
    most: int = 200,
) -> tuple[LabelError, ...]:
    """The suspects of confident learning with what they are called, the most suspect first.

    Args:
        suspects: from :func:`fortydays.fit.label_errors.find_label_errors`.
        photographs: their names and splits.
        places: the position in ``photographs`` of each one that was judged, in the order of its features.
        most: how many at most.
    """
    return tuple(
        LabelError(
            file=photographs.paths[places[each.index]],
            split=SPLITS[photographs.splits[places[each.index]]],
            label=photographs.classes[each.given],
            suggested=photographs.classes[each.suggested],
            score=each.score,
            row=int(photographs.rows[places[each.index]]),
        )
        for each in suspects[:most]
    )

"""All that is found out about a classifier of a reader's own photographs, as values that can be written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import StorageError
from fortydays.base.values import fields_as_json
from fortydays.data import weights as published
from fortydays.data.own.dataset import OwnExamples
from fortydays.data.own.splitting import SPLITS
from fortydays.fit.balance import Balance
from fortydays.fit.label_errors import Suspect
from fortydays.fit.learning_curve import LearningCurve
from fortydays.registry.calibration import Calibration, Threshold
from fortydays.registry.gates import share_interval
from fortydays.study.statistics import interval

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class BackboneFacts:
    """The pretrained network whose features were learned from, and where its weights were published.

    ``side`` is the height and the width, in pixels, of the images that it was shown; 0 of texts, of which it was given
    ``length`` pieces of words.
    """

    title: str
    side: int
    weights_sha256: str
    source: str
    licence: str
    length: int = 0


def backbone_facts(
    obtained: published.Obtained, *, title: str, name: str, side: int = 0, length: int = 0
) -> BackboneFacts:
    """What is told of a pretrained network with weights that are there, by their name and the network's title."""
    return BackboneFacts(
        title=title,
        side=side,
        weights_sha256=obtained.sha256,
        # without a path of this machine
        source="the mirror folder" if obtained.source.startswith("mirror folder") else obtained.source,
        licence=published.WEIGHTS[name].licence,
        length=length,
    )


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The trial that was best on the validation split."""

    variant: str
    seed: int
    description: str


@dataclass(frozen=True, kw_only=True)
class HeldOutResult:
    """What the chosen trial does on the test split, and what the trials of its variant do over all seeds.

    Attributes:
        accuracy: share of right answers of the chosen trial, with its 95% interval over photographs (Wilson, 1927).
        mean: of the accuracies of all seeds, with its 95% interval over seeds (Student, 1908), which one seed has not.
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
    """One class: its photographs in each split, and the results on the test split.

    ``precision`` is None where no photograph was answered with it, ``recall`` where it has no photograph.
    """

    name: str
    train: int
    validation: int
    test: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a test photograph, or text, is answered with.

    Attributes:
        file: what it is called.
        row: where its pixels are in the collection, or its text begins.
        text: the beginning of a text; "" of a photograph.
        because: the n-grams of a text that speak most for the answer, and against it, with by how much each does.
    """

    file: str
    label: str
    answer: str
    probability: float
    row: int
    text: str = ""
    because: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class LabelError:
    """A photograph or text whose label is probably wrong. ``score`` is from -1, the most suspect, to 0.

    ``text`` is the beginning of a text; "" of a photograph.
    """

    file: str
    split: str
    label: str
    suggested: str
    score: float
    row: int
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Attention(Answer):
    """An answer, and where the classifier looks for it: a map from 0 to 1, row by row."""

    heat: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ClassWords:
    """The n-grams that speak most for a class in the texts that were learned from, with how much on average."""

    name: str
    words: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that the page about a classifier shows.

    Attributes:
        noun: what one of those that were learned from is called.
        backbone: None where no pretrained network was used.
        words: what speaks for each class; empty where that is not known.
        place: the folder or table that the photographs or texts came from.
        created: when, as :func:`fortydays.base.clock.timestamp` writes it.
        model: the registered version, such as "flowers@3", or "".
        alias: the alias that was moved to it, or "".
        inspection: what was found in the photographs: :meth:`fortydays.data.own.inspection.Inspection.as_dict`.
        calibration: what the temperature does; None where none was looked for.
        unknown: from which confidence on an answer is one; None where none was looked for.
        confusion: on the test split: how many photographs of the class of the row are answered with the class of the
            column.
        mistakes: on the test split, the most confident first.
        label_errors: in all splits, the most suspect first.
        gates: what the gates said, each as the fields of :class:`fortydays.registry.gates.GateResult`.
        seconds: how long each stage took, in their order.
    """

    schema_version: Literal[1] = 1
    noun: str = "photograph"
    name: str
    place: str
    created: str
    model: str
    alias: str
    backbone: BackboneFacts | None
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
    words: tuple[ClassWords, ...] = ()
    learning_curve: LearningCurve | None
    balance: Balance
    gates: tuple[Mapping[str, Any], ...]
    seconds: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return fields_as_json(self)


def findings_from(document: object) -> Findings:
    """What :meth:`Findings.as_dict` wrote down. Raises StorageError where it did not."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Findings).validate_python(document)
    except ValidationError as error:
        raise StorageError(
            "What was found out earlier cannot be read.", hint="Learn anew with: forty fit FOLDER --fresh"
        ) from error


def confusion_matrix(
    labels: NDArray[np.intp], answers: NDArray[np.intp], *, classes: int
) -> tuple[tuple[int, ...], ...]:
    """How often each class (the rows) is answered with each class (the columns); both of shape (n,)."""
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
    """A result for each class, from its photographs in each split and the confusion matrix of the test split."""
    table = np.asarray(confusion, np.intp).reshape(len(classes), len(classes))
    answered, labelled, right = table.sum(axis=0), table.sum(axis=1), np.diag(table)
    return tuple(
        ClassResult(
            name=name,
            **counts[name],
            precision=float(right[label] / answered[label]) if answered[label] else None,
            recall=float(right[label] / labelled[label]) if labelled[label] else None,
        )
        for label, name in enumerate(classes)
    )


def answers_on_test(photographs: OwnExamples, probabilities: NDArray[np.float32]) -> tuple[Answer, ...]:
    """What each test photograph is answered with, from probabilities in the order of the split, shape (n, classes)."""
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
    suspects: Sequence[Suspect], photographs: OwnExamples, places: NDArray[np.int64], *, most: int = 200
) -> tuple[LabelError, ...]:
    """The suspects of confident learning with what they are called, the most suspect first.

    ``places`` has the position in ``photographs`` of each one that was judged, in the order of its features.
    """
    return tuple(
        LabelError(
            file=photographs.paths[place],
            split=SPLITS[photographs.splits[place]],
            label=photographs.classes[each.label],
            suggested=photographs.classes[each.suggested],
            score=each.score,
            row=int(photographs.rows[place]),
        )
        for each in suspects[:most]
        for place in [places[each.index]]
    )

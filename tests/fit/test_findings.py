"""What is written down of a classifier: counted by hand from a handful of answers."""

from collections.abc import Sequence

import numpy as np
import pytest

from fortydays.base.values import fields_as_json
from fortydays.data.own.dataset import OwnExamples
from fortydays.data.own.splitting import SPLITS
from fortydays.fit.findings import (
    Answer,
    answers_on_test,
    class_results,
    confident_mistakes,
    confusion_matrix,
    held_out_result,
    named_label_errors,
)
from fortydays.fit.label_errors import Suspect

LABELS, ANSWERS = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0])
COUNTS = {
    "cat": {"train": 8, "validation": 1, "test": 3},
    "dog": {"train": 5, "validation": 1, "test": 2},
    "emu": {"train": 1, "validation": 1, "test": 0},
}


def test_the_confusion_matrix_has_labels_as_rows_and_answers_as_columns() -> None:
    assert confusion_matrix(LABELS, ANSWERS, classes=3) == ((2, 1, 0), (1, 1, 0), (0, 0, 0))


def test_each_class_has_its_counts_its_precision_and_its_recall() -> None:
    cat, dog, emu = class_results(tuple(COUNTS), COUNTS, confusion_matrix(LABELS, ANSWERS, classes=3))

    assert (cat.name, cat.train, cat.validation, cat.test) == ("cat", 8, 1, 3)
    assert (cat.precision, cat.recall) == pytest.approx((2 / 3, 2 / 3))
    assert (dog.precision, dog.recall) == (0.5, 0.5)
    assert (emu.precision, emu.recall) == (None, None)


def test_the_test_split_is_reported_with_an_interval_over_photographs_and_one_over_seeds() -> None:
    found = held_out_result(LABELS, ANSWERS, accuracies=(0.6, 0.8, 0.7), classes=2)

    assert (found.images, found.accuracy, found.largest_share) == (5, 0.6, 0.6)
    # Wilson's interval for 3 of 5, and Student's for three values with a standard deviation of 0.1.
    assert (found.low, found.high) == pytest.approx((0.231, 0.882), abs=1e-3)
    assert (found.seeds, found.mean) == (3, pytest.approx(0.7))
    assert (found.mean_low, found.mean_high) == pytest.approx((0.7 - 0.2484, 0.7 + 0.2484), abs=1e-4)


def test_one_seed_has_no_interval_over_seeds() -> None:
    found = held_out_result(LABELS, LABELS, accuracies=(1.0,), classes=2)

    assert (found.mean_low, found.mean_high, found.high) == (None, None, 1.0)


def photographs(splits: Sequence[str]) -> OwnExamples:
    """As many cats and dogs as there are splits; a cat is first, then they alternate."""
    count = len(splits)
    return OwnExamples(
        collection="pets",
        digest="ab" * 32,
        side=8,
        classes=("cat", "dog"),
        paths=tuple("abcdef"[:count]),
        contents=tuple("123456"[:count]),
        labels=np.arange(count) % 2,
        splits=np.array([SPLITS.index(each) for each in splits]),
        rows=np.arange(count)[::-1] + 10,
    )


def test_answers_are_those_of_the_test_photographs() -> None:
    probabilities = np.array([[0.75, 0.25], [1.0, 0.0]], np.float32)

    found = answers_on_test(photographs(["test", "train", "validation", "test"]), probabilities)

    assert found == (
        Answer(file="a", label="cat", answer="cat", probability=0.75, row=13),
        Answer(file="d", label="dog", answer="cat", probability=1.0, row=10),
    )


def test_mistakes_come_with_the_most_confident_first_and_no_more_than_asked_for() -> None:
    answers = [
        Answer(file=file, label="cat", answer=answer, probability=probability, row=0)
        for file, answer, probability in (
            ("a", "cat", 0.9), ("b", "dog", 0.6), ("c", "dog", 0.8), ("d", "dog", 0.6), ("e", "emu", 0.4),
        )
    ]  # fmt: skip

    assert [each.file for each in confident_mistakes(answers)] == ["c", "b", "d", "e"]
    assert [each.file for each in confident_mistakes(answers, most=1)] == ["c"]


def test_suspects_get_the_names_of_their_files_splits_and_classes() -> None:
    suspect = Suspect(index=1, label=0, suggested=1, score=-0.7)
    pets = photographs(["validation", "train", "test"])

    (found,) = named_label_errors((suspect,), pets, np.array([1, 2]))

    assert fields_as_json(found) == {
        "file": "c", "split": "test", "label": "cat", "suggested": "dog", "score": -0.7, "row": 10,
        "text": "",
    }  # fmt: skip
    assert named_label_errors((suspect, suspect), pets, np.array([1, 2]), most=1) == (found,)

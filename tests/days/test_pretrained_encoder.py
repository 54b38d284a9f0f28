"""Day 22: n-grams and encoders learn from the same reviews, and what the encoder does not read is counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.base.settings import read_settings
from fortydays.data.arrays import Dataset, Reading, SealedSplit, Split, TrainingData
from fortydays.inputs.tokens import Tokens
from fortydays.lessons.day22_bert import study as day
from fortydays.study.bench import Bench
from fortydays.study.features import with_few
from fortydays.tasks.classification import Classification


def reviews(count: int) -> Split:
    """Each review has one word, another one for each."""
    tokens = np.arange(2, 2 + count, dtype=np.int32)[:, None]
    return Split(inputs={"tokens": tokens}, labels=(np.arange(count) % 2).astype(np.uint8))


@pytest.fixture
def dataset() -> Dataset:
    words = Tokens(length=1, vocabulary=tuple(f"word{i}" for i in range(40)))
    task = Classification(classes=2)
    return Dataset(
        name="reviews",
        digest="ab" * 32,
        split_version=1,
        classes=("negative", "positive"),
        training=TrainingData(input=words, task=task, train=reviews(30), validation=reviews(6)),
        test=SealedSplit(lambda: reviews(8)),
    )


@pytest.mark.parametrize("labels", [4, day.EVERY])
def test_ngrams_learn_from_the_reviews_that_a_variant_with_the_same_seed_is_given(
    labels: int, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def train(training: Any, validation: Any) -> None:
        given.update(train=training, validation=validation)

    monkeypatch.setattr(day, "train_word_pairs", train)
    monkeypatch.setattr(
        day, "measured", lambda _, splits: {name: float(len(labels)) for name, (_, labels) in splits.items()}
    )
    bench = Bench(
        seed=3, settings=read_settings({"FORTYDAYS_HOME": str(tmp_path)}), say=lambda _: None, dataset=dataset
    )

    found = day.count_pairs(labels, reading=Reading(), array="tokens")(bench)

    expected = with_few(dataset, None if labels == day.EVERY else labels // 2, seed=3).training.train
    assert given["train"][0].tolist() == expected.array.tolist()
    assert given["train"][1].tolist() == expected.labels.tolist()
    assert found == {"train": float(len(expected)), "validation": 6.0, "test": 8.0}


def test_a_review_fits_where_a_place_is_left() -> None:
    tokens = np.array([[2, 5, 3, 0], [2, 5, 6, 3], [2, 3, 0, 0], [2, 5, 6, 3]], np.int32)
    texts = Split(inputs={"tokens": tokens}, labels=np.zeros(4, np.uint8))

    assert [day.share_that_fits(texts, length) for length in (3, 4)] == [0.25, 0.5]


def test_a_name_tells_how_many_labels_there_are() -> None:
    named = {variant.name: variant.examples for variant in day.study.variants}
    assert (named["frozen 300"], named["frozen"], named["last layers 1000"]) == (150, None, 500)

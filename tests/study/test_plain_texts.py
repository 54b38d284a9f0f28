"""The plain baseline on a bench: from all or from few training texts, of words or of pairs."""

from pathlib import Path

import numpy as np

from fortydays.base.settings import read_settings
from fortydays.data.arrays import Dataset, Reading, SealedSplit, Split, TrainingData
from fortydays.inputs.tokens import TOKENS, Tokens
from fortydays.study.bench import Bench
from fortydays.study.plain_texts import learned_plainly
from fortydays.tasks.classification import Classification

NOT, GOOD, BAD = 2, 3, 4
TEXTS = np.array([[0, GOOD], [0, GOOD], [0, BAD], [0, BAD], [NOT, BAD], [NOT, GOOD]], np.int32)
LABELS = np.array([1, 1, 0, 0, 1, 0], np.uint8)


def bench(tmp_path: Path, *, copies: int = 20) -> Bench:
    split = Split(inputs={TOKENS: np.tile(TEXTS, (copies, 1))}, labels=np.tile(LABELS, copies))
    input = Tokens(length=2, vocabulary=("not", "good", "bad"))

    def read(reading: Reading) -> Dataset:
        assert reading.length == 2_500  # whole texts, whatever networks see
        training = TrainingData(input=input, task=Classification(classes=2), train=split, validation=split)
        test = SealedSplit(lambda: split)
        return Dataset(
            name="t", digest="", split_version=1, classes=("bad", "good"), training=training, test=test, texts=read
        )

    settings = read_settings({"FORTYDAYS_HOME": str(tmp_path)})
    return Bench(seed=3, settings=settings, say=lambda _: None, dataset=read(Reading(length=2_500)))


def test_pairs_tell_apart_what_words_cannot(tmp_path: Path) -> None:
    assert set(learned_plainly(bench(tmp_path)).accuracies().values()) == {1.0}
    words = learned_plainly(bench(tmp_path), pairs=False)
    assert set(words.accuracies()) == {"test_accuracy", "train_accuracy", "validation_accuracy"}
    assert set(words.accuracies().values()) == {4 / 6}  # no sum of words turns around at "not"
    assert words.model.known.tolist() == [NOT, GOOD, BAD]


def test_few_texts_are_drawn_by_the_seed(tmp_path: Path) -> None:
    found = learned_plainly(bench(tmp_path), examples=2)
    labels = found.dataset.training.train.labels
    assert labels.tolist().count(0) == labels.tolist().count(1) == 2

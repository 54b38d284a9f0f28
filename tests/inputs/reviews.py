"""A made-up dataset of texts, and a study of it whose models read tokens: an LSTM with a mask, and attention.

A text is good or bad by the one word in it that says so. Other processes import this file, and as a script it runs the
study until it is killed.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings, read_settings
from fortydays.data import catalog
from fortydays.data.arrays import Split
from fortydays.data.layouts import RawFile, digest_of
from fortydays.data.places import Installed
from fortydays.data.spec import DatasetSpec, loose
from fortydays.data.splits import SplitSizes, split_indices
from fortydays.inputs.tokens import MASK, TOKENS, Tokens
from fortydays.study.claims import Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.plan import Request, StudySource
from fortydays.study.runner import run_study
from fortydays.train.recipe import Recipe

FOLDER = "FOLDER_OF_REVIEWS"
"""The environment variable that says where the dataset's file is."""

CLASSES = ("bad", "good")
GOOD, BAD = ("fine", "great", "lovely"), ("awful", "boring", "poor")
OTHERS = ("a", "and", "film", "it", "of", "plot", "the", "was", "with")
TEXT = Tokens(length=8, vocabulary=(*GOOD, *BAD, *OTHERS), truncation="end", masked=True)
SIZES = SplitSizes(train=320, validation=80, test=80)
RECIPE = Recipe(epochs=8, batch_size=16, learning_rate=0.02)


def texts() -> tuple[list[str], list[int]]:
    """The texts and their labels, always the same ones."""
    random = np.random.default_rng(0)
    found, labels = [], []
    for number in range(SIZES.total):
        label = number % 2
        words = random.choice(OTHERS, random.integers(2, 9)).tolist()
        words.insert(int(random.integers(len(words))), str(random.choice((BAD, GOOD)[label])))
        found.append(" ".join(words[:8] if words.index(_verdict(words)) < 8 else [_verdict(words), *words[:7]]))
        labels.append(label)
    return found, labels


def _verdict(words: list[str]) -> str:
    return next(word for word in words if word in (*GOOD, *BAD))


def examples() -> Split:
    found, labels = texts()
    encoded = [TEXT.encode(text) for text in found]
    inputs = {name: np.stack([each[name] for each in encoded]) for name in (TOKENS, MASK)}
    return Split(inputs=inputs, labels=np.array(labels, np.uint8))


def spec(folder: Path) -> DatasetSpec:
    """The dataset as one that a folder of this machine holds; its file is written there."""
    whole = examples()
    (folder / "reviews.txt").write_text("\n".join(texts()[0]))

    def place(_content: bytes, into: Split) -> None:
        for name, array in whole.inputs.items():
            into.inputs[name][:] = array
        into.labels[:] = whole.labels

    def part(rows: Any) -> str:
        inputs = {name: array[rows] for name, array in whole.inputs.items()}
        return digest_of(Split(inputs=inputs, labels=whole.labels[rows]))

    digest = digest_of(whole)
    split = split_indices(whole.labels, digest=digest, split_version=1, sizes=SIZES, official_test=0)
    layout = (RawFile(name="reviews.txt", max_bytes=100_000, place=place),)
    return DatasetSpec(
        name="reviews",
        title="Reviews",
        version=1,
        digest=digest,
        training_digest=part(np.concatenate([split.train, split.validation])),
        test_digest=part(split.test),
        classes=CLASSES,
        input=TEXT,
        official_test=0,
        sizes=SIZES,
        split_version=1,
        licence="none",
        citation="nobody",
        download_bytes=0,
        sources=(loose(layout, installed=(Installed(title="a folder", folder=lambda: folder),)),),
    )


def datasets_with_it(folder: Path) -> Mapping[str, DatasetSpec]:
    """The catalog's datasets and this one."""
    return MappingProxyType({**catalog.DATASETS, "reviews": spec(folder)})


def recurrent() -> Any:
    from keras import Input, Model, layers

    tokens, mask = Input((TEXT.length,), dtype="int32", name=TOKENS), Input((TEXT.length,), dtype="bool", name=MASK)
    x = layers.Embedding(TEXT.size, 8)(tokens)
    x = layers.LSTM(8, unroll=True)(x, mask=mask)  # unrolled, its ONNX graph has no loop
    return Model({TOKENS: tokens, MASK: mask}, layers.Dense(len(CLASSES), activation="softmax")(x))


def attentive() -> Any:
    from keras import Input, Model, layers

    tokens, mask = Input((TEXT.length,), dtype="int32", name=TOKENS), Input((TEXT.length,), dtype="bool", name=MASK)
    x = layers.Embedding(TEXT.size, 8)(tokens)
    seen = layers.Reshape((1, TEXT.length))(mask)
    x = layers.MultiHeadAttention(2, 4)(x, x, attention_mask=seen)
    x = layers.GlobalAveragePooling1D()(x, mask=mask)
    return Model({TOKENS: tokens, MASK: mask}, layers.Dense(len(CLASSES), activation="softmax")(x))


study = Study(
    title="Reviews",
    dataset="reviews",
    variants=(
        Variant(name="lstm", model=recurrent, recipe=RECIPE),
        Variant(name="attention", model=attentive, recipe=RECIPE),
    ),
    claims=(
        Threshold(sentence="The LSTM learns", variant="lstm", metric="test_accuracy", at_least=0.9),
        Threshold(sentence="Attention learns", variant="attention", metric="test_accuracy", at_least=0.9),
    ),
    seeds=(0, 1),
)


def source() -> StudySource:
    return StudySource(day=None, name="reviews", path=Path(__file__), study=study)


def run(settings: Settings) -> Any:
    return run_study(source(), Request(), settings, progress=SILENT)


if FOLDER in os.environ:  # of a process that a test has started, such as that of an export
    catalog.DATASETS = datasets_with_it(Path(os.environ[FOLDER]))

if __name__ == "__main__":
    home = Path(sys.argv[1])
    run(read_settings({"FORTYDAYS_HOME": str(home), "FORTYDAYS_THREADS": "1"}))

"""Features of texts: what is asked for, what is refused, and that they are computed from the pieces of the texts."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_study import settings as settings_in

sys.path.insert(0, str(Path(__file__).parents[1]))
from fortydays.base.errors import UsageError
from fortydays.data.arrays import Dataset, SealedSplit, Split, TrainingData
from fortydays.inputs.images import Images
from fortydays.inputs.input import Input, check_arrays
from fortydays.inputs.tokens import Tokens
from fortydays.inputs.wordpieces import Wordpieces
from fortydays.study import frozen as networks
from fortydays.study.features import Features, TextFeatures, features_from, prepare, some_of_each_class
from fortydays.tasks.classification import Classification
from made_up_encoder import network_in, vectors_of, vocabulary_of

FEATURES = TextFeatures(backbone="minilm", length=6)
VOCABULARY = vocabulary_of(("good", "bad", "film"))
TEXTS = ("good film", "bad film", "good", "bad", "film good", "film bad")


def of_texts(takes: Input, inputs: dict[str, Any]) -> Dataset:
    count = len(next(iter(inputs.values())))
    split = Split(inputs=inputs, labels=(np.arange(count) % 2).astype(np.uint8))
    return Dataset(
        name="reviews",
        digest="ab" * 32,
        split_version=1,
        classes=("good", "bad"),
        training=TrainingData(input=takes, task=Classification(classes=2), train=split, validation=split),
        test=SealedSplit(lambda: split),
    )


def builder() -> Any:
    raise AssertionError("nothing is built to prepare what is learned from")


def test_features_of_texts_are_one_vector_and_are_written_down_and_read() -> None:
    assert FEATURES.shape == (384,)
    assert FEATURES.title == "MiniLM"
    assert FEATURES.as_dict() == {"backbone": "minilm", "length": 6, "pretrained": True}
    random = TextFeatures(backbone="minilm", length=6, pretrained=False, seed=3)
    of_images = Features(backbone="mobilenetv2-0.35", side=32, before_last_block=True)
    tuned = TextFeatures(backbone="minilm", length=6, last_layers=2)
    assert tuned.as_dict() == {"backbone": "minilm", "length": 6, "pretrained": True, "last_layers": 2}
    for each in (FEATURES, random, of_images, tuned):
        assert features_from(each.as_dict()) == each


@pytest.mark.parametrize("length", [2, 513, 6.0, "6", None])
def test_a_length_that_no_encoder_takes_is_refused(length: Any) -> None:
    with pytest.raises(UsageError) as refused:
        TextFeatures(backbone="minilm", length=length)
    assert refused.value.message == (
        f"Features are of texts of {length!r} pieces of words; expected a whole number from 3 to 512."
    )


@pytest.mark.parametrize(("last", "shape"), [(0, (384,)), (2, (6, 384)), (6, (6,))])
def test_layers_that_are_trained_further_are_given_what_the_others_make(last: int, shape: tuple[int, ...]) -> None:
    found = TextFeatures(backbone="minilm", length=6, last_layers=last)

    assert (found.shape, found.trained_further, found.computed) == (shape, last > 0, last < 6)


@pytest.mark.parametrize("last", [-1, 7, 1.0, "2"])
def test_more_layers_than_an_encoder_has_are_refused(last: Any) -> None:
    with pytest.raises(UsageError) as refused:
        TextFeatures(backbone="minilm", length=6, last_layers=last)
    assert refused.value.message == (
        f"{last!r} of the last layers are to be trained further; expected a whole number from 0 to 6."
    )


def test_features_of_an_unknown_encoder_are_refused() -> None:
    with pytest.raises(UsageError, match=r"There is no encoder 'mobilenetv2-1.0'"):
        TextFeatures(backbone="mobilenetv2-1.0", length=6)


def test_features_are_those_of_the_pieces_of_each_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = vectors_of(VOCABULARY, {"good": 1.0, "bad": -1.0})
    monkeypatch.setattr(networks, "frozen_network", network_in(tmp_path / "tiny", vectors))
    takes = Wordpieces(length=6, vocabulary=VOCABULARY)
    tokens = np.stack([takes.encode(text)["tokens"] for text in TEXTS])

    prepared = prepare(
        of_texts(takes, {"tokens": tokens}), builder, features=FEATURES, examples=None,
        settings=settings_in(tmp_path / "home"),
    )  # fmt: skip

    sums = vectors[tokens].sum(axis=1)
    expected = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    training = prepared.dataset.training
    for split in (training.train, training.validation, prepared.dataset.test.open()):
        assert np.asarray(split.array) == pytest.approx(expected, abs=1e-6)
    assert training.input.arrays[0].shape == (384,)


class OfPieces:
    """A network whose features of a piece are its number, in all of its 384 places."""

    title = "MiniLM"
    kept_as = "pieces"

    def __init__(self, features: TextFeatures) -> None:
        self.features, self.shape, self.computed = features, features.shape, list[int]()

    def session(self, *, threads: int) -> Any:
        def compute(tokens: NDArray[np.int32]) -> NDArray[np.float32]:
            self.computed.append(len(tokens))
            return np.repeat(tokens[:, :, None], 384, axis=2).astype(np.float32)

        return compute


def test_large_features_are_computed_of_the_drawn_texts_alone_and_kept_in_half_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = TextFeatures(backbone="minilm", length=6, last_layers=2)
    network = OfPieces(features)
    monkeypatch.setattr(networks, "frozen_network", lambda *_: network)
    takes = Wordpieces(length=6, vocabulary=VOCABULARY)
    tokens = np.stack([takes.encode(text)["tokens"] for text in TEXTS])
    dataset, drawn = of_texts(takes, {"tokens": tokens}), some_of_each_class(np.arange(6) % 2, 1, seed=5)

    prepared = prepare(
        dataset, builder, features=features, examples=1, seed=5, settings=settings_in(tmp_path / "home")
    )

    train = prepared.dataset.training.train
    assert network.computed == [2, 6]  # of the two drawn ones, and of all that validate
    assert (train.array.dtype, train.array.shape) == (np.float16, (2, 6, 384))
    assert train.array[:, :, 0].tolist() == tokens[drawn].tolist()
    assert train.labels.tolist() == (drawn % 2).tolist()
    shown = prepared.dataset.training.input.in_numpy(train.inputs)
    assert (shown.dtype, shown.shape) == (np.float32, (2, 6, 384))
    check_arrays(train.inputs, prepared.dataset.training.input.arrays)


def test_where_all_layers_are_trained_further_the_pieces_are_learned_from_and_the_model_begins_pretrained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = TextFeatures(backbone="minilm", length=6, last_layers=6)
    monkeypatch.setattr(networks, "frozen_network", None)  # nothing is computed
    monkeypatch.setattr(networks, "pretrained_model", lambda *_: "MiniLM with its weights")
    filled = list[Any]()
    monkeypatch.setattr(TextFeatures, "fill", lambda _, model, pretrained: filled.append((model, pretrained)))
    takes = Wordpieces(length=6, vocabulary=VOCABULARY)
    tokens = np.stack([takes.encode(text)["tokens"] for text in TEXTS])

    prepared = prepare(
        of_texts(takes, {"tokens": tokens}), lambda: "a model",  # type: ignore[arg-type,return-value]
        features=features, examples=2, settings=settings_in(tmp_path / "home"),
    )  # fmt: skip

    assert prepared.frozen is None
    assert prepared.dataset.training.train.array.tolist() == tokens[:4].tolist()
    assert prepared.builder() == "a model"  # type: ignore[comparison-overlap]
    assert filled == [("a model", "MiniLM with its weights")]


@pytest.mark.parametrize(
    ("takes", "said", "hint"),
    [
        (
            Tokens(length=6, vocabulary=("good",)),
            "Features are made of pieces of words, but the examples of 'reviews' are tokens.",
            'Set units="wordpieces" in the recipe',
        ),
        (
            Wordpieces(length=8, vocabulary=VOCABULARY),
            "Features are of texts of 6 pieces, but those of 'reviews' have 8.",
            "Set length=8.",
        ),
        (
            Images(shape=(4, 4, 3)),
            "Features are made of pieces of words, but the examples of 'reviews' are images.",
            "",
        ),
    ],
)
def test_examples_that_are_no_such_texts_are_refused(takes: Input, said: str, hint: str, tmp_path: Path) -> None:
    dataset = of_texts(takes, dict(takes.blank(4)))
    with pytest.raises(UsageError) as refused:
        prepare(dataset, builder, features=FEATURES, examples=None, settings=settings_in(tmp_path))
    assert refused.value.message == said
    assert hint in refused.value.hint


def test_features_of_images_are_made_of_no_texts(tmp_path: Path) -> None:
    takes = Wordpieces(length=6, vocabulary=VOCABULARY)
    of_images = Features(backbone="mobilenetv2-0.35", side=32)
    with pytest.raises(
        UsageError, match=r"Features are made of images, but the examples of 'reviews' are wordpieces."
    ):
        prepare(
            of_texts(takes, dict(takes.blank(4))), builder, features=of_images, examples=None,
            settings=settings_in(tmp_path),
        )  # fmt: skip

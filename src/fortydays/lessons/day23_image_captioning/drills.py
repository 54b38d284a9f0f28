"""What day 23 compares: ways to write captions without a person, and people; and what each is measured by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.data.captions import EACH
from fortydays.lessons.day23_image_captioning.decoder import Decoder, Vocabulary, build, in_words, train
from fortydays.lessons.day23_image_captioning.export import by_onnx, export
from fortydays.lessons.day23_image_captioning.writing import beam, by_keras, greedy
from fortydays.study.bench import Bench
from fortydays.study.features import Features
from fortydays.study.frozen import Frozen
from fortydays.study.pictures import png
from fortydays.tasks.captions import Judged, Rarity, cider, judge_rounds
from fortydays.tasks.metric import Metric

FEATURES = Features(backbone="mobilenetv2-1.0", side=224)
NEIGHBORS = 10
"""Training photographs whose captions the consensus is of."""

CANDIDATES = 50
"""Training captions that may become the one sentence for all photographs."""

CIDER = Metric(name="cider", title="CIDEr", better="higher")
BLEU = Metric(name="bleu_4", title="BLEU-4", better="higher")
BLEU_LOW = Metric(name="bleu_4_low", title="BLEU-4, lower end over images")
BLEU_HIGH = Metric(name="bleu_4_high", title="BLEU-4, upper end over images")
DIFFERENT = Metric(name="different_share", title="different captions", unit="share")
COPIED = Metric(name="copied_share", title="captions that are training captions", unit="share")
SCORES = (CIDER, BLEU, BLEU_LOW, BLEU_HIGH, DIFFERENT, COPIED)
SAME = Metric(name="same_in_onnx_share", title="the same caption by ONNX Runtime", unit="share", better="higher")

SHOWN = 9
"""Photographs of the page of captions."""

_COLORS = 64

Found = Mapping[str, float | NDArray[Any]]
Captions = Sequence[Sequence[str]]
"""A caption for each photograph, as its words."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Photographs:
    """A split: features, float32 (n, features), and for each photograph its captions as words."""

    features: NDArray[np.float32]
    captions: list[list[list[str]]]

    @property
    def every_caption(self) -> list[list[str]]:
        """The captions of all photographs, one after the other."""
        return [words for of_one in self.captions for words in of_one]


def split_of(bench: Bench, name: str) -> tuple[Photographs, Frozen]:
    """One of the splits "train", "validation" and "test", and the network that makes its features."""
    dataset, frozen = bench.learned_from(FEATURES)
    assert dataset.captions is not None  # the study's dataset has them
    split = {"train": lambda: dataset.training.train, "validation": lambda: dataset.training.validation}.get(
        name, dataset.test.open
    )()
    features = np.asarray(split.array, np.float32).reshape(len(split), -1)
    return Photographs(features=features, captions=in_words(dataset.captions(name))), frozen


def scores_of(judged: Judged, written: Captions, training: Photographs) -> Found:
    """The metrics of some captions, by name."""
    low, high = judged.bleu_interval(np.random.default_rng(0))  # the same draws for all, whatever the seed
    known = {tuple(words) for words in training.every_caption}
    return {
        CIDER.name: judged.cider,
        BLEU.name: judged.bleu,
        BLEU_LOW.name: low,
        BLEU_HIGH.name: high,
        DIFFERENT.name: len({tuple(words) for words in written}) / len(written),
        COPIED.name: float(np.mean([tuple(words) in known for words in written])),
    }


def _judged(written: Captions, training: Photographs, test: Photographs) -> Found:
    return scores_of(judge_rounds([written] * EACH, test.captions), written, training)


# ------------------------------------------------------------------------------------------------------- baselines


def constant(bench: Bench) -> Found:
    """Say of every photograph one training caption: the one with the highest CIDEr on the validation photographs.

    It is chosen among those that are most like the captions of these photographs.
    """
    training, validation, test = (split_of(bench, name)[0] for name in ("train", "validation", "test"))
    every = training.every_caption
    alike = Rarity(training.captions).cosines(every, validation.every_caption).mean(axis=1)
    likely = [every[place] for place in np.argsort(-alike, kind="stable")[:CANDIDATES]]
    rarity = Rarity(validation.captions)
    references = [(rarity.weigh(words), len(words)) for words in validation.every_caption]

    def gained(words: Sequence[str]) -> float:
        ours = rarity.weigh(words)
        return float(np.mean([cider(ours, theirs, apart=abs(len(words) - count)) for theirs, count in references]))

    return _judged([max(likely, key=gained)] * len(test.captions), training, test)


def neighbors(bench: Bench) -> Found:
    """Say of a photograph what is most usual among the captions of the most similar training photographs."""
    training, test = (split_of(bench, name)[0] for name in ("train", "test"))
    return _judged(consensus(training, test.features), training, test)


def consensus(training: Photographs, features: NDArray[np.float32], *, among: int = NEIGHBORS) -> Captions:
    """For each photograph, of the captions of its nearest training photographs the one most like all of them.

    Near is what has a large cosine of features (Devlin et al., 2015).
    """
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (features, training.features))
    rarity, written = Rarity(training.captions), []
    for row in one @ other.T:
        nearest = np.argsort(-row, kind="stable")[:among]
        captions = [words for place in nearest for words in training.captions[place]]
        written.append(captions[int(rarity.cosines(captions, captions).sum(axis=1).argmax())])
    return written


def human(bench: Bench) -> Found:
    """Judge each of the five captions of a photograph by the four others."""
    training, test = (split_of(bench, name)[0] for name in ("train", "test"))
    rounds = [[of_one[k] for of_one in test.captions] for k in range(EACH)]
    found = scores_of(judge_rounds(rounds, test.captions), [w for each in rounds for w in each], training)
    return dict(found)


# -------------------------------------------------------------------------------------------------------- the LSTM


def trained(bench: Bench, *, blind: bool = False) -> tuple[Decoder, Vocabulary]:
    """A decoder trained with the seed of the bench; ``blind`` gives it zeros in the place of all features."""
    import keras

    from fortydays.train.framework import load_keras

    load_keras(threads=bench.settings.threads)
    keras.utils.set_random_seed(bench.seed)
    training, validation = (split_of(bench, name)[0] for name in ("train", "validation"))
    vocabulary = Vocabulary.of(training.every_caption)

    def pairs(of: Photographs) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        features = np.repeat(of.features, EACH, axis=0)
        return features * np.float32(not blind), vocabulary.tokens(of.every_caption)

    decoder = build(features=training.features.shape[1], tokens=vocabulary.size)
    bench.say("training the decoder")
    train(decoder, train=pairs(training), validation=pairs(validation), random=bench.random)
    return decoder, vocabulary


def write_greedily(bench: Bench) -> Found:
    """Train, write the most probable word at each step, and do it again from pixels to words on ONNX Runtime."""
    decoder, vocabulary = trained(bench)
    training, (test, encoder) = split_of(bench, "train")[0], split_of(bench, "test")
    tokens = greedy(*by_keras(decoder), test.features)
    found = _judged([vocabulary.caption(each) for each in tokens], training, test)
    bench.say("exporting the decoder")
    folder = files.make_folder(bench.settings.workspace / "exported")
    export(decoder, folder)
    assert bench.dataset is not None  # the study has one
    pixels = bench.dataset.test.open().array
    features = encoder.session(threads=bench.settings.threads)(pixels).reshape(len(pixels), -1)
    again = greedy(*by_onnx(folder, threads=bench.settings.threads), features)
    return {**found, SAME.name: float(np.mean([one == other for one, other in zip(tokens, again, strict=True)]))}


def write_blindly(bench: Bench) -> Found:
    """Train without photographs, and write the most probable word at each step."""
    decoder, vocabulary = trained(bench, blind=True)
    training, test = (split_of(bench, name)[0] for name in ("train", "test"))
    tokens = greedy(*by_keras(decoder), test.features * np.float32(0))
    return _judged([vocabulary.caption(each) for each in tokens], training, test)


def write_by_beam(bench: Bench) -> Found:
    """Train, and search for the most probable caption."""
    decoder, vocabulary = trained(bench)
    training, test = (split_of(bench, name)[0] for name in ("train", "test"))
    tokens = beam(*by_keras(decoder), test.features)
    return _judged([vocabulary.caption(each) for each in tokens], training, test)


def page_of_captions(bench: Bench) -> dict[str, Any]:
    """Test photographs at equal steps from the best caption to the worst, with what was written and a person wrote."""
    decoder, vocabulary = trained(bench)
    test, _ = split_of(bench, "test")
    written = [vocabulary.caption(each) for each in greedy(*by_keras(decoder), test.features)]
    scores = judge_rounds([written] * EACH, test.captions).cider
    assert bench.dataset is not None  # the study has one
    assert bench.dataset.captions is not None
    pixels, said = bench.dataset.test.open().array, bench.dataset.captions("test")
    order = np.argsort(-scores, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int)]
    return {
        "kind": "pictures",
        "title": "Test photographs, from the best caption to the worst",
        "caption": f"{len(chosen)} of {len(order)} test photographs, at equal steps from the highest CIDEr to the "
        "lowest. Under each: what the LSTM wrote, its CIDEr, and what one of five people wrote. Photographs: Flickr8k "
        "(Hodosh et al., 2013).",
        "columns": 3,
        "pictures": [
            {
                "png": png(pixels[place], colors=_COLORS),
                "label": f"{' '.join(written[place])} · CIDEr {scores[place]:.2f} · a person: {said[place][0]}",
                "index": int(place),
            }
            for place in chosen
        ],
    }

r"""Captions: sentences about an image, judged by how much they share with what people wrote about it.

A sentence is a list of words. An n-gram is a run of n of them, with n from 1 to 4.

*BLEU-4* (Papineni et al., 2002, "BLEU: a method for automatic evaluation of machine translation"). For each n, ``p_n``
is the share of the n-grams of all candidates that a reference of their image has, too. An n-gram counts at most as
often as the one reference that has it most often. With ``c`` words in all candidates and ``r`` in the references whose
lengths are closest to theirs (of two, the shorter one),

    BLEU-4 = min(1, exp(1 - r / c)) * (p_1 p_2 p_3 p_4) ** (1 / 4)

It is a number of a whole collection, so it is no mean over images. It is 0 where no candidate has a 4-gram in common
with a reference; nothing is smoothed.

*CIDEr-D* (Vedantam, Zitnick and Parikh, 2015, "CIDEr: consensus-based image description evaluation"), which most
papers call CIDEr. ``g_n(s)`` has, for each n-gram of a sentence, how often it occurs there times
``log(N / max(1, d))``: ``d`` of the ``N`` images of a corpus have it in some reference. So what is said of every image
counts nothing. With a candidate ``c`` and a reference ``r`` whose numbers of words differ by ``l``,

    CIDEr-D = mean over n and r of  10 exp(-l ** 2 / 72) * min(g_n(c), g_n(r)) . g_n(r) / (|g_n(c)| |g_n(r)|)

Words are compared as they are, without stemming. Its mean over the images is the number of a collection. A caption of
a person against those of others is far below 10.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

N = 4
"""Words of the longest n-grams."""

SPREAD = 6.0
"""How many words apart the lengths of two sentences make their CIDEr-D fall to exp(-1/2)."""

Words = Sequence[str]
Gram = tuple[str, ...]


def grams_of(words: Words, n: int) -> Counter[Gram]:
    """How often each run of n words occurs."""
    return Counter(zip(*(words[start:] for start in range(n)), strict=False))


# ------------------------------------------------------------------------------------------------------------- BLEU


def bleu_counts(candidate: Words, references: Sequence[Words]) -> NDArray[np.int64]:
    """What BLEU adds up over the images of a collection.

    Args:
        candidate: at least one word, or none.
        references: at least one.

    Returns:
        int64, shape (2 * N + 2,): for each n, how many n-grams are found in a reference; for each n, how many there
        are; the words of the candidate; those of the reference whose length is closest.
    """
    found, of = [], []
    for n in range(1, N + 1):
        grams = grams_of(candidate, n)
        most: Counter[Gram] = Counter()
        for reference in references:
            most |= grams_of(reference, n)
        found.append((grams & most).total())
        of.append(grams.total())
    closest = min((len(reference) for reference in references), key=lambda words: (abs(words - len(candidate)), words))
    return np.array([*found, *of, len(candidate), closest], np.int64)


def bleu_of(counts: NDArray[Any]) -> NDArray[np.float64]:
    """BLEU-4 of collections, from what :func:`bleu_counts` gives, added up over the images of each.

    Args:
        counts: shape (..., 2 * N + 2).

    Returns:
        float64, shape (...), from 0 to 1.
    """
    counts = np.asarray(counts, np.float64)
    found, of, words, closest = counts[..., :N], counts[..., N : 2 * N], counts[..., -2], counts[..., -1]
    some = np.asarray((found > 0).all(axis=-1))
    shares = np.where(some[..., np.newaxis], found, 1.0) / np.maximum(of, 1.0)
    brevity = np.minimum(1.0, np.exp(1.0 - closest / np.maximum(words, 1.0)))
    return np.where(some, brevity * np.exp(np.log(shares).mean(axis=-1)), 0.0)


# ------------------------------------------------------------------------------------------------------------ CIDEr

Vector = tuple[Mapping[Gram, float], ...]
"""Of a sentence, for each n, the weight of each n-gram."""


class Rarity:
    """How rare n-grams are in the captions of a corpus, and sentences weighted by that.

    Args:
        corpus: for each image, its captions.
    """

    def __init__(self, corpus: Sequence[Sequence[Words]]) -> None:
        self._images = len(corpus)
        self._with: Counter[Gram] = Counter()
        for captions in corpus:
            self._with.update({gram for words in captions for n in range(1, N + 1) for gram in grams_of(words, n)})

    def weigh(self, words: Words) -> Vector:
        """A sentence as the weights of its n-grams."""
        return tuple(
            {gram: count * math.log(self._images / max(1, self._with[gram])) for gram, count in grams.items()}
            for grams in (grams_of(words, n) for n in range(1, N + 1))
        )

    def cosines(self, sentences: Sequence[Words], others: Sequence[Words]) -> NDArray[np.float64]:
        """How alike sentences are: the mean over n of the cosines of their weights, without regard to lengths.

        That is CIDEr as first defined, over 10.

        Returns:
            float64, shape (sentences, others), from 0 to 1.
        """
        from scipy.sparse import csr_matrix

        place_of: dict[Gram, int] = {}

        def rows_of(some: Sequence[Words]) -> tuple[list[float], list[int], list[int]]:
            values, places, ends = [], [], [0]
            for words in some:
                for weights in self.weigh(words):
                    # Each n has a quarter of a row, of length one half, so that two rows give the mean over n.
                    length = math.sqrt(N) * _length(weights)
                    for gram, weight in weights.items():
                        values.append(weight / length if length else 0.0)
                        places.append(place_of.setdefault(gram, len(place_of)))
                ends.append(len(values))
            return values, places, ends

        one, other = rows_of(sentences), rows_of(others)
        shapes = [(len(some), max(1, len(place_of))) for some in (sentences, others)]
        first, second = (csr_matrix(rows, shape=shape) for rows, shape in zip((one, other), shapes, strict=True))
        return np.asarray((first @ second.T).todense(), np.float64)


def cider(candidate: Vector, reference: Vector, *, apart: int) -> float:
    """CIDEr-D of one candidate against one reference, whose numbers of words are so far ``apart``."""
    found = 0.0
    for ours, theirs in zip(candidate, reference, strict=True):
        lengths = _length(ours) * _length(theirs)
        if lengths:
            found += sum(min(w, theirs[gram]) * theirs[gram] for gram, w in ours.items() if gram in theirs) / lengths
    return 10.0 * found / N * math.exp(-(apart**2) / (2 * SPREAD**2))


def _length(weights: Mapping[Gram, float]) -> float:
    return math.sqrt(sum(weight * weight for weight in weights.values()))


# --------------------------------------------------------------------------------------------- both, for a collection


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """How good the captions of a collection are.

    Attributes:
        cider: CIDEr-D of each image, float64, shape (images,).
        counts: of BLEU, int64, shape (rounds, images, 2 * N + 2): what the images of each round add up.
    """

    cider: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def bleu(self) -> float:
        """BLEU-4, in the mean over the rounds."""
        return float(bleu_of(self.counts.sum(axis=1)).mean())

    def bleu_interval(self, random: np.random.Generator, *, draws: int = 1_000) -> tuple[float, float]:
        """The middle 95% of BLEU-4 of collections whose images are drawn from these anew (Efron, 1979)."""
        images = self.counts.shape[1]
        times = random.multinomial(images, np.full(images, 1 / images), draws)
        low, high = np.quantile(bleu_of(times @ self.counts).mean(axis=0), (0.025, 0.975))
        return float(low), float(high)


def judge_rounds(rounds: Sequence[Sequence[Words]], references: Sequence[Sequence[Words]]) -> Judged:
    """Judge the captions of some images, in as many rounds as an image has references.

    In round k, the caption of an image is judged against all of its references but the k-th. So the k-th reference can
    itself be judged like any other caption, and all are judged against as many references.

    Args:
        rounds: for each round, a caption for each image. Whatever writes the same caption in each round repeats it.
        references: for each image, its captions by people, as many as there are rounds, at least 2.

    Raises:
        ValueError: the numbers of rounds, images and references do not fit.
    """
    if len(rounds) < 2 or any(len(each) != len(references) for each in rounds):
        raise ValueError(f"there are {len(rounds)} rounds, of which each needs {len(references)} captions")
    if any(len(each) != len(rounds) for each in references):
        raise ValueError(f"each image needs {len(rounds)} references, one for each round")
    rarity = Rarity(references)
    counts = np.zeros((len(rounds), len(references), 2 * N + 2), np.int64)
    found = np.zeros((len(rounds), len(references)))
    for image, of_image in enumerate(references):
        vectors = [rarity.weigh(words) for words in of_image]
        for left_out, captions in enumerate(rounds):
            caption, others = captions[image], [k for k in range(len(rounds)) if k != left_out]
            vector = rarity.weigh(caption)
            found[left_out, image] = np.mean(
                [cider(vector, vectors[k], apart=abs(len(caption) - len(of_image[k]))) for k in others]
            )
            counts[left_out, image] = bleu_counts(caption, [of_image[k] for k in others])
    return Judged(cider=found.mean(axis=0), counts=counts)

"""Texts that are almost the same: a review that was sent twice with a word changed, a notice with another date.

Two texts are near duplicates where most runs of three words that one has are in the other, too. They are found by
MinHash (Broder, 1997) in bands, and then compared; time and memory grow with the number of words, not of pairs.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SHARED = 0.7
"""Share of their different runs of words that near duplicates have in common."""

RUN = 3
"""Words of a run."""

_BANDS, _IN_BAND = 10, 2
_NEIGHBOURS = 3
_MOST_PAIRS = 1_000_000
_AT_ONCE = 2**21
_ODD = np.uint64(0x9E3779B97F4A7C15)


def near_duplicates(texts: Iterable[Sequence[str]]) -> NDArray[np.int64]:
    """Pairs that join near duplicates.

    Of many texts that are alike, each is compared with the next ones of its like, by way of which all are joined.

    Args:
        texts: the words of each, one at least.

    Returns:
        int64, shape (pairs, 2): positions, the smaller one first; sorted, each pair once.
    """
    runs = _runs_of(texts)
    bands, count = _bands_of(runs), len(runs)
    candidates = np.zeros(0, np.int64)  # each the smaller position times the number of texts, and the larger one
    for band in range(_BANDS):
        order = np.argsort(bands[:, band], kind="stable")
        ordered = bands[order, band]
        for step in range(1, _NEIGHBOURS + 1):
            same = np.flatnonzero(ordered[step:] == ordered[:-step])[: max(0, _MOST_PAIRS - len(candidates))]
            one, other = order[same], order[same + step]
            candidates = np.union1d(candidates, np.minimum(one, other) * count + np.maximum(one, other))
    pairs = np.stack([candidates // max(1, count), candidates % max(1, count)], axis=1)
    return pairs[_are_near(runs, pairs)]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Runs:
    """The different numbers of the runs of some texts, one text behind the other, each text's ascending.

    Those of text i are ``numbers[edges[i] : edges[i + 1]]``, uint64; edges are int64 of shape (texts + 1,).
    """

    numbers: NDArray[np.uint64]
    edges: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def sizes(self) -> NDArray[np.int64]:
        return np.diff(self.edges)

    def of(self, texts: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The numbers of some texts, one behind the other, and which of these texts each is of."""
        sizes = self.sizes[texts]
        which = np.repeat(np.arange(len(texts)), sizes)
        within = np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.numbers[self.edges[texts][which] + within], which


def _are_near(runs: _Runs, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs share enough, bool of shape (pairs,): many are compared together."""
    sizes = runs.sizes[pairs]
    near: NDArray[np.bool_] = sizes.min(axis=1, initial=np.iinfo(np.int64).max) >= LEAST_SHARED * sizes.max(
        axis=1, initial=0
    )
    possible = np.flatnonzero(near)
    for some in _portions(sizes[possible].sum(axis=1)):
        which = possible[some]
        (first, of_first), (second, of_second) = (runs.of(pairs[which, side]) for side in (0, 1))
        numbers, of_pair = np.concatenate([first, second]), np.concatenate([of_first, of_second])
        order = np.lexsort((numbers, of_pair))
        numbers, of_pair = numbers[order], of_pair[order]
        # A text has each number once, so what stands there twice is in both.
        twice = (numbers[1:] == numbers[:-1]) & (of_pair[1:] == of_pair[:-1])
        shared = np.bincount(of_pair[1:][twice], minlength=len(which))
        near[which] = shared >= LEAST_SHARED * (sizes[which].sum(axis=1) - shared)
    return near


def _portions(sizes: NDArray[np.int64]) -> Iterator[slice]:
    """Slices of things of some sizes, each of about so much as is worked on at once, and of one thing at least."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _AT_ONCE, side="right")))
        yield slice(start, stop)
        start = stop


def _runs_of(texts: Iterable[Sequence[str]]) -> _Runs:
    """The runs of each text; of a shorter one, that of all its words."""
    numbers: dict[str, int] = {}
    words, lengths = array("q"), array("q")
    parts: list[NDArray[np.uint64]] = []
    sizes: list[NDArray[np.int64]] = []

    def work_off() -> None:
        found, of_each = _different_runs(np.array(words, np.uint64), np.array(lengths, np.int64))
        parts.append(found)
        sizes.append(of_each)
        del words[:], lengths[:]

    for text in texts:
        words.extend([numbers.setdefault(word, len(numbers)) for word in text])
        lengths.append(len(text))
        if len(words) >= _AT_ONCE:
            work_off()
    work_off()
    return _Runs(numbers=np.concatenate(parts), edges=np.concatenate([[0], np.cumsum(np.concatenate(sizes))]))


def _different_runs(
    words: NDArray[np.uint64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The different runs of texts whose words stand one text behind the other, and how many each text has."""
    counts = np.minimum(RUN, lengths)  # words of a run
    many = lengths - counts + 1
    text = np.repeat(np.arange(len(lengths)), many)
    within = np.arange(len(text)) - np.repeat(np.cumsum(many) - many, many)
    first = (np.cumsum(lengths) - lengths)[text] + within
    runs = counts[text].astype(np.uint64)
    for step in range(RUN):
        has = np.flatnonzero(step < counts[text])
        runs[has] = _mixed(runs[has] * _ODD + words[first[has] + step])
    order = np.lexsort((runs, text))
    runs, text = runs[order], text[order]
    new = np.ones(len(runs), np.bool_)
    new[1:] = (runs[1:] != runs[:-1]) | (text[1:] != text[:-1])
    return runs[new], np.bincount(text[new], minlength=len(lengths))


def _bands_of(runs: _Runs) -> NDArray[np.uint64]:
    """uint64, shape (n, bands): equal numbers where the least hashes of a band are equal."""
    bands = np.empty((len(runs), _BANDS), np.uint64)
    keys = _mixed(np.arange(1, _BANDS * _IN_BAND + 1, dtype=np.uint64) * _ODD)
    for some in _portions(runs.sizes):
        edges = runs.edges[some.start : some.stop + 1]
        joined, starts = runs.numbers[edges[0] : edges[-1]], edges[:-1] - edges[0]
        for band in range(_BANDS):
            first, second = (
                np.minimum.reduceat(_mixed(joined ^ key), starts)
                for key in keys[band * _IN_BAND : (band + 1) * _IN_BAND]
            )
            bands[some, band] = _mixed(first * _ODD + second)
    return bands


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers that look like chance, each always the same of the same one (the end of splitmix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))

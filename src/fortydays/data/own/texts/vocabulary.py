"""What a network takes of a reader's texts: the n-grams that the training texts have, and how much each counts.

Nothing here sees a text to validate or to test on. The same texts always give the same vocabulary. N-grams are counted
as numbers, which takes a fifth of the time that texts as keys would take: those of words as numbers made of those of
their words, those of characters as hashes of 63 bits, of which two that are equal do not occur.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fortydays.base.progress import SILENT, Progress
from fortydays.inputs.ngrams import (
    CHARACTERS,
    FIRST,
    LONGEST_RUN,
    MOST_LENGTH,
    MOST_NGRAMS,
    SHORTEST_RUN,
    WORDS,
    Ngrams,
    plain_text,
    words_of,
)

LONGEST = 2
"""Words of an n-gram."""

_MOST_COUNTED = 20_000_000
"""N-grams that are counted at once: beyond that, those that were seen once are forgotten."""

_AT_ONCE = 4_000_000
"""N-grams of texts that are sorted together."""

_MOST_NUMBERS = 2**27
"""Numbers of all training texts together: of very many texts, fewer n-grams of each are taken."""

_LONGEST_USUAL = 512
"""N-grams of a text: of those that have more, the ones that weigh most are enough."""

_SHARE_WHOLE = 0.99
"""Of the training texts, which are taken whole."""

_MANY = 200
"""From so many training texts on, an n-gram must be in two of them."""

_LEAST_WEIGHT = 1e-3
_DIGITS = 4
_SECOND = 2**32
_SPACE = np.uint64(ord(" "))
_FACTOR, _MIXER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


class Counted(ABC):
    """Texts whose n-grams can be counted.

    Attributes:
        units: what the n-grams are made of.
        longest: of them.
    """

    units: str
    longest: int

    @abstractmethod
    def __len__(self) -> int:
        """How many texts there are."""

    @abstractmethod
    def keys(self, place: int) -> NDArray[np.int64]:
        """The different n-grams of a text: int64, ascending."""

    @abstractmethod
    def most_frequent(
        self, keys: NDArray[np.int64], counts: NDArray[np.int64], which: NDArray[np.int64]
    ) -> list[tuple[int, str, int]]:
        """The n-grams that most texts have, at most :data:`MOST_NGRAMS` of them, sorted.

        Args:
            keys: of n-grams.
            counts: how many texts have each.
            which: places of texts in which all of them occur.

        Returns:
            Of each the number of texts, negative, the n-gram and its key.
        """


class Numbered(Counted):
    """Texts as numbers of words: a word has the same number in all of them.

    Args:
        texts: each with a word at least.
        progress: told of the texts.
    """

    units, longest = WORDS, LONGEST

    def __init__(self, texts: Sequence[str], progress: Progress = SILENT) -> None:
        numbers: dict[str, int] = {}
        self._texts: list[NDArray[np.int32]] = []
        task = "Counting words"
        progress.start(task, total=float(len(texts)), unit="texts")
        for done, text in enumerate(texts, start=1):
            found = [numbers.setdefault(word, len(numbers)) for word in words_of(text)]
            self._texts.append(np.array(found, np.int32))
            if done % 1_000 == 0:
                progress.advance(task, done=float(done))
        progress.finish(task)
        self._words = list(numbers)

    def __len__(self) -> int:
        return len(self._texts)

    def keys(self, place: int) -> NDArray[np.int64]:
        """That of a word is its number; see :meth:`named`."""
        words = self._texts[place].astype(np.int64)
        return np.unique(np.concatenate([words, (words[:-1] + 1) * _SECOND + words[1:]]))

    def named(self, key: int) -> str:
        """The n-gram of a key."""
        first, second = divmod(key, _SECOND)
        return f"{self._words[first - 1]} {self._words[second]}" if first else self._words[second]

    def most_frequent(
        self,
        keys: NDArray[np.int64],
        counts: NDArray[np.int64],
        which: NDArray[np.int64],  # noqa: ARG002 - the words are known
    ) -> list[tuple[int, str, int]]:
        """Of n-grams that equally many texts have, the first ones by their letters."""
        some = keys.tolist()
        return sorted(zip((-counts).tolist(), map(self.named, some), some, strict=True))[:MOST_NGRAMS]


class Runs(Counted):
    """Texts as runs of characters inside words, as :func:`fortydays.inputs.ngrams.runs_of` finds them.

    Args:
        texts: any.
    """

    units, longest = CHARACTERS, LONGEST_RUN

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    def keys(self, place: int) -> NDArray[np.int64]:
        """Hashes of the runs."""
        return np.unique(np.concatenate([keys for _, keys, _ in _runs_in(self._marked(place))]))

    def most_frequent(
        self, keys: NDArray[np.int64], counts: NDArray[np.int64], which: NDArray[np.int64]
    ) -> list[tuple[int, str, int]]:
        """Of runs that equally many texts have, those with the smaller hashes."""
        order = np.lexsort((keys, -counts))[:MOST_NGRAMS]
        times = dict(zip(keys[order].tolist(), counts[order].tolist(), strict=True))
        unnamed, found = np.sort(keys[order]), list[tuple[int, str, int]]()
        for place in which.tolist():
            if not len(unnamed):
                break
            marked, here = self._marked(place), dict[int, str]()
            for count, of_text, starts in _runs_in(marked):
                at = np.minimum(np.searchsorted(unnamed, of_text), len(unnamed) - 1)
                new = unnamed[at] == of_text
                places = starts[new].tolist()
                here.update(
                    (key, marked[start : start + count])
                    for key, start in zip(of_text[new].tolist(), places, strict=True)
                )
            found += [(-times[key], run, key) for key, run in here.items()]
            unnamed = np.setdiff1d(unnamed, np.array(list(here), np.int64), assume_unique=True)
        return sorted(found)

    def _marked(self, place: int) -> str:
        """The different words of a text with a space between them, and around all."""
        return f" {' '.join(dict.fromkeys(plain_text(self._texts[place]).split()))} "


def _runs_in(marked: str) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Of each number of characters the hashes of the runs, and where they begin; none has a space inside."""
    signs = np.frombuffer(marked.encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    space = signs == _SPACE
    hashes, inside = signs.copy(), np.zeros(len(signs), np.bool_)
    for count in range(2, LONGEST_RUN + 1):
        if len(signs) < count:
            return
        hashes = hashes[: len(signs) - count + 1] * _FACTOR + signs[count - 1 :]
        inside = inside[: len(hashes)]
        if count > SHORTEST_RUN:
            inside = inside | space[count - 2 : count - 2 + len(hashes)]
        starts = np.flatnonzero(~inside)
        mixed = (hashes[starts] + np.uint64(count)) * _MIXER
        mixed ^= mixed >> np.uint64(32)
        mixed *= _FACTOR
        yield count, (mixed >> np.uint64(1)).astype(np.int64), starts


def usual_runs(texts: Sequence[str]) -> tuple[int, int]:
    """How many different runs of characters the middle one of some texts has, and for how many there would be room."""
    counted = Runs(texts)
    sizes = np.array([len(counted.keys(place)) for place in range(len(texts))])
    return int(np.median(sizes)), _length(sizes)


class Lookup:
    """From the keys of texts to the numbers that the n-grams of a vocabulary have.

    Args:
        keys: of the n-grams, in the order of the vocabulary.
    """

    def __init__(self, keys: NDArray[np.int64]) -> None:
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def numbers(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """The numbers of those that the vocabulary has; int32."""
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.asarray(self._order[places[self._keys[places] == keys]] + FIRST, np.int32)


def learn_vocabulary(
    texts: Counted, which: NDArray[np.int64], labels: NDArray[np.int64], *, classes: int
) -> tuple[Ngrams, Lookup]:
    """The vocabulary of some training texts, and the way from any of the texts to its numbers.

    Of two classes, an n-gram weighs as much as it speaks for one of them: the absolute logarithm of the ratio of its
    shares in both, counted from 1 (Wang and Manning, 2012). Of more classes, it weighs the more the fewer texts have
    it: the logarithm of the inverse share, and 1 (Sparck Jones, 1972).

    Args:
        texts: all texts.
        which: places of the training texts among them.
        labels: of the training texts, shape (n,).
        classes: how many there are.
    """
    keys, counts = _counted(texts, which)
    often = counts >= (2 if len(which) >= _MANY and counts.max() > 1 else 1)
    named = texts.most_frequent(keys[often], counts[often], which)
    lookup = Lookup(np.array([key for _, _, key in named], np.int64))
    found, sizes = np.zeros((classes, len(named)), np.int64), []
    for place, label in zip(which.tolist(), labels.tolist(), strict=True):
        numbers = lookup.numbers(texts.keys(place))
        found[label, numbers - FIRST] += 1
        sizes.append(len(numbers))
    takes = Ngrams(
        length=_length(np.array(sizes)),
        longest=texts.longest,
        units=texts.units,
        vocabulary=tuple(name for _, name, _ in named),
        weights=tuple(float(f"{weight:.{_DIGITS}g}") for weight in _weights(found, len(which))),
    )
    return takes, lookup


def _counted(texts: Counted, which: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The keys of some texts, ascending, and how many texts have each."""
    keys, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    waiting: list[NDArray[np.int64]] = []
    size = 0
    for place in which.tolist():
        waiting.append(texts.keys(place))
        size += len(waiting[-1])
        if size >= _AT_ONCE:
            keys, counts = _joined(keys, counts, waiting)
            waiting, size = [], 0
    return _joined(keys, counts, waiting)


def _joined(
    keys: NDArray[np.int64], counts: NDArray[np.int64], more: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    new, times = np.unique(np.concatenate([*more, np.zeros(0, np.int64)]), return_counts=True)
    both, places = np.unique(np.concatenate([keys, new]), return_inverse=True)
    total = np.bincount(places, np.concatenate([counts, times]), minlength=len(both)).astype(np.int64)
    if len(both) > _MOST_COUNTED:
        both, total = both[total > 1], total[total > 1]
    return both, total


def _length(sizes: NDArray[np.int64]) -> int:
    """For how many n-grams there is room in a text, with the one that all texts have; a multiple of 8."""
    whole = int(np.quantile(sizes, _SHARE_WHOLE, method="higher")) + 1
    room = max(16, _MOST_NUMBERS // (2 * len(sizes)))
    return min(MOST_LENGTH, _LONGEST_USUAL, room // 8 * 8, -(-whole // 8) * 8)


def _weights(found: NDArray[np.int64], texts: int) -> NDArray[np.float64]:
    """From how many texts of each class have an n-gram, shape (classes, n-grams), to its weight."""
    if len(found) == 2:
        smoothed = 1.0 + found
        logs = np.log(smoothed / smoothed.sum(axis=1, keepdims=True))
        return np.asarray(np.maximum(np.abs(logs[0] - logs[1]), _LEAST_WEIGHT), np.float64)
    return np.asarray(np.log((1 + texts) / (1 + found.sum(axis=0))) + 1, np.float64)

"""Texts as the n-grams that occur in them: numbers of a vocabulary, each with how much it counts.

They are of words, or of characters. A linear model on these is a strong way to tell texts apart (Wang and Manning,
2012, "Baselines and Bigrams"). The order of the words is lost but for neighbours, and a text of usual length is
answered in about a millisecond. Runs of characters inside words say more of short texts, of words that are spelled in
many ways, and of scripts without spaces.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.base.text import printable
from fortydays.inputs.encoded_text import NONE_KNOWN, OpenedText, checked, encoded_each, text_in, texts_of_json
from fortydays.inputs.input import Arrays, ArraySpec, Bounds, Disturbance, Input

NGRAMS, VALUES = "ngrams", "values"
"""The arrays of a text: which n-grams of the vocabulary it has, and how much each of them counts."""

PADDING, ANY_TEXT, FIRST = 0, 1, 2
"""The numbers before the vocabulary's own: what fills up a text, and what every text has: its weights are a bias."""

MOST_LENGTH = 4_096
MOST_NGRAMS = 200_000
LONGEST_NGRAM = 3
"""Words of an n-gram at most."""

WORDS, CHARACTERS = "words", "characters"
UNITS = (WORDS, CHARACTERS)
"""What n-grams are made of."""

SHORTEST_RUN, LONGEST_RUN = 2, 5
"""Characters of an n-gram of these. The space on either side of a word counts as one."""

SCALE = 8.0
"""The root of the sum of the squares of the values of a text, besides the one of :data:`ANY_TEXT`, which is 1."""

_LONGEST_WORD = 40
_LEFT_OUT_OF = 20
"""Of so many n-grams of a text one is left out where that is to mean nothing."""
# A tag of HTML or XML, such as <br />: what is between words, and none itself.
_TAG = re.compile(r"</?[a-z][^<>]{0,200}>")
# Marks that belong to the letter before them, of the scripts that have no letters of their own for these.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u0900-\u0903\u093a-\u093c\u093e-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc"
    "\u09be-\u09cd\u0a01-\u0a03\u0a3c-\u0a4d\u0a81-\u0a83\u0abc\u0abe-\u0acd\u0b01-\u0b03\u0b3c\u0b3e-\u0b4d\u0b82"
    "\u0bbe-\u0bcd\u0c00-\u0c04\u0c3e-\u0c4d\u0c81-\u0c83\u0cbc\u0cbe-\u0ccd\u0d00-\u0d03\u0d3e-\u0d4d\u0e31"
    "\u0e34-\u0e3a\u0e47-\u0e4e"
)
# Scripts that put no space between words: each sign is one, and pairs of them are the words of two signs.
_ALONE = "\u0e01-\u0e5b\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(
    rf"[{_ALONE}][{_MARKS}]*"
    rf"|(?:(?![{_ALONE}])[^\W_][{_MARKS}]*)+(?:'(?:(?![{_ALONE}])[^\W_][{_MARKS}]*)+)*"
    r"|[!?]|[\u2600-\u27bf\U0001f1e6-\U0001faff]"
)
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*|[!?]")


def plain_text(text: str) -> str:
    """A text in lower case, with straight apostrophes and without tags of HTML."""
    plain = text.lower().replace("\u2019", "'")
    return _TAG.sub(" ", plain) if "<" in plain else plain


def words_of(text: str) -> list[str]:
    """The words of a text in lower case: letters and digits with apostrophes inside; also ``!``, ``?`` and emoji.

    Tags of HTML are no words. Of scripts without spaces between words (Chinese, Japanese, Thai), each sign is a word.
    Of a word of more than 40 letters the first 40 are taken.
    """
    plain = plain_text(text)
    # The short pattern finds the same in ASCII, five times as fast.
    found = (_ASCII_WORD if plain.isascii() else _WORD).findall(plain)
    return [word[:_LONGEST_WORD] for word in found]


def has_word(text: str) -> bool:
    """Whether a text has a word at all, found without reading on."""
    return _WORD.search(text[:1_000].replace("<", " ").lower()) is not None or bool(words_of(text))


def ngrams_of(text: str, longest: int) -> dict[str, None]:
    """The different n-grams of a text, in the order in which they first occur by their number of words.

    Args:
        text: any.
        longest: words of an n-gram at most, from 1.
    """
    words = words_of(text)
    found = dict.fromkeys(words)
    for count in range(2, longest + 1):
        found.update(dict.fromkeys(map(" ".join, zip(*(words[start:] for start in range(count)), strict=False))))
    return found


def runs_of(text: str) -> Iterator[str]:
    """The runs of 2 to 5 characters in what stands between spaces, in lower case; some may come several times.

    Signs such as ``:-)`` are characters, too. A space on either side is a character of its word: " good " begins with
    " g". It is never inside a run. So a run says whether it begins or ends its word.
    """
    for word in dict.fromkeys(plain_text(text).split()):
        marked = f" {word} "
        for count in range(SHORTEST_RUN, LONGEST_RUN + 1):
            for start in range(len(marked) - count + 1):
                yield marked[start : start + count]


@dataclass(frozen=True, kw_only=True)
class Ngrams(Input):
    """Texts as the different n-grams that occur in them.

    Attributes:
        length: n-grams of every text: of one with more, those that weigh most count; less are filled up.
        longest: words, or characters, of an n-gram at most.
        vocabulary: the n-grams that have a number of their own, their words with a space between them.
        weights: how much each counts, positive, in the order of the vocabulary.
        units: what n-grams are made of: one of :data:`UNITS`.
    """

    KIND: ClassVar[str] = "ngrams"
    NOUN: ClassVar[str] = "text"
    MEDIA_TYPES: ClassVar[tuple[str, ...]] = ("text/plain",)
    SUFFIXES: ClassVar[tuple[str, ...]] = (".txt",)
    JSON_FIELD: ClassVar[str] = "texts"
    TEXT_TENSOR: ClassVar[str] = "text"

    length: int
    longest: int
    vocabulary: tuple[str, ...]
    weights: tuple[float, ...]
    units: str = WORDS

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """int32 numbers of n-grams, and float32: how much each counts."""
        return (
            ArraySpec(name=NGRAMS, dtype="int32", shape=(self.length,)),
            ArraySpec(name=VALUES, dtype="float32", shape=(self.length,)),
        )

    @property
    def size(self) -> int:
        """How many numbers of n-grams there are: one more than the highest."""
        return FIRST + len(self.vocabulary)

    @property
    def title(self) -> str:
        """Such as "a text, of which it knows 20,000 words and pairs of words"."""
        kind = _KINDS_OF_NGRAMS[self.longest] if self.units == WORDS else "runs of characters"
        return f"a text, of which it knows {len(self.vocabulary):,} {kind}"

    @property
    def note(self) -> str:
        """How the arrays are made."""
        return (
            "The arrays are the number of each n-gram of the text in the vocabulary, and its weight, as "
            "preprocessing.json of the bundle has them; it is simpler to send the text."
        )

    def as_dict(self) -> dict[str, Any]:
        """All attributes."""
        return {
            "kind": self.KIND,
            "length": self.length,
            "longest": self.longest,
            "units": self.units,
            "vocabulary": list(self.vocabulary),
            "weights": list(self.weights),
        }

    def summary(self) -> dict[str, Any]:
        """Length, and how many n-grams are known."""
        return {
            "kind": self.KIND,
            "units": self.units,
            "ngrams": len(self.vocabulary),
            "longest": self.longest,
            "most": self.length,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Ngrams":
        """What :meth:`as_dict` wrote. Raises ValueError where it did not."""
        length, longest = document.get("length"), document.get("longest")
        vocabulary, weights = document.get("vocabulary"), document.get("weights")
        if type(length) is not int or not 1 <= length <= MOST_LENGTH:
            raise ValueError(f"the length of the texts is no whole number from 1 to {MOST_LENGTH:,}")
        units = document.get("units", WORDS)  # of older bundles
        if units not in UNITS:
            raise ValueError(f"what its n-grams are made of is none of {', '.join(UNITS)}")
        least, most = (1, LONGEST_NGRAM) if units == WORDS else (SHORTEST_RUN, LONGEST_RUN)
        if type(longest) is not int or not least <= longest <= most:
            raise ValueError(f"the longest n-gram has no number of {units} from {least} to {most}")
        if not isinstance(vocabulary, list) or len(vocabulary) > MOST_NGRAMS:
            raise ValueError(f"there is no vocabulary of at most {MOST_NGRAMS:,} n-grams")
        most = (_LONGEST_WORD + 1) * longest if units == WORDS else longest
        if not all(isinstance(ngram, str) and 0 < len(ngram) <= most for ngram in vocabulary):
            raise ValueError(f"an n-gram of the vocabulary is no text of 1 to {most} characters")
        if not isinstance(weights, list) or len(weights) != len(vocabulary):
            raise ValueError("there is not one weight for each n-gram of the vocabulary")
        # Comparisons with a NaN are false.
        if not all(type(each) in (int, float) and 0 < each < 1e6 for each in weights):
            raise ValueError("a weight of an n-gram is no number between 0 and 1,000,000")
        return cls(
            length=length,
            longest=longest,
            vocabulary=tuple(vocabulary),
            weights=tuple(map(float, weights)),
            units=units,
        )

    def encode(self, text: str) -> Arrays:
        """The arrays of one text, without a first axis."""
        known = self._numbers
        if self.units == CHARACTERS:
            return self.arrays_of(np.array(sorted({known[run] for run in runs_of(text) if run in known}), np.int32))
        return self.arrays_of(np.array([known[e] for e in ngrams_of(text, self.longest) if e in known], np.int32))

    def arrays_of(self, found: NDArray[np.int32]) -> Arrays:
        """The arrays of a text that has some n-grams, without a first axis.

        The values of the n-grams have the length :data:`SCALE`. Of too many n-grams, those that weigh most count.

        Args:
            found: the different numbers of its n-grams, shape (n,).
        """
        if len(found) >= self.length:
            # Of equal weights those with smaller numbers, which are the more frequent ones.
            order = np.lexsort((found, -self._weights[found - FIRST]))
            found = found[order[: self.length - 1]]
        found = np.sort(found)
        numbers, values = np.full(self.length, PADDING, np.int32), np.zeros(self.length, np.float32)
        numbers[0], values[0] = ANY_TEXT, 1
        if len(found):
            weights = self._weights[found - FIRST]
            numbers[1 : len(found) + 1] = found
            values[1 : len(found) + 1] = weights * np.float32(
                SCALE / np.sqrt(np.square(weights).sum(dtype=np.float64))
            )
        return {NGRAMS: numbers, VALUES: values}

    def open(self, content: bytes, bounds: Bounds) -> OpenedText:
        """Read a text in UTF-8, or as tables of texts are read."""
        text, note = text_in(content)
        return OpenedText(text=checked(text, bounds, has_word=has_word), input=self, note=note)

    def from_json(self, values: object, bounds: Bounds) -> Arrays:
        """A text, or a list of texts."""
        encoded = encoded_each(
            texts_of_json(values), lambda text: self.known(checked(text, bounds, has_word=has_word))
        )
        return {name: np.stack([each[name] for each in encoded]) for name in (NGRAMS, VALUES)}

    def known(self, text: str) -> Arrays:
        """The arrays of a text that is asked about. Raises UnreadableContentError where it has no known n-gram."""
        found = self.encode(text)
        # What would be answered follows from the bias alone, and says nothing about the text.
        if not (found[NGRAMS] >= FIRST).any():
            raise UnreadableContentError(Problem.DAMAGED, NONE_KNOWN)
        return found

    def check(self, arrays: Arrays) -> None:
        """Refuse numbers too that no n-gram has, and values that are not finite."""
        super().check(arrays)
        numbers = arrays[NGRAMS]
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < self.size:
            raise ValueError(f"{NGRAMS} has numbers that no n-gram has; expected 0 to {self.size - 1:,}")
        if not np.isfinite(arrays[VALUES]).all():
            raise ValueError(f"{VALUES} has some that are not finite")

    def blank(self, count: int) -> Arrays:
        """Texts of which nothing is known."""
        found = super().blank(count)
        found[NGRAMS][:, 0], found[VALUES][:, 0] = ANY_TEXT, 1
        return found

    @property
    def disturbances(self) -> tuple[Disturbance, ...]:
        """A few n-grams less, of those that say least."""
        change = f"one n-gram in {_LEFT_OUT_OF}, of the least telling, is left out"
        return (Disturbance(change=change, ways=_with_a_few_less),)

    def as_file(self, arrays: Arrays) -> tuple[bytes, str]:
        """The n-grams that the network sees."""
        return self.words(arrays).encode(), "text/plain"

    def words(self, arrays: Arrays) -> str:
        """The single words, or the runs, that the network sees, those that weigh most first."""
        order = np.argsort(-arrays[VALUES], kind="stable")
        numbers = [int(arrays[NGRAMS][place]) for place in order]
        known = [self.vocabulary[number - FIRST] for number in numbers if number >= FIRST]
        if self.units == CHARACTERS:
            return " ".join(map(shown_run, known))
        return " ".join(printable(ngram) for ngram in known if " " not in ngram)

    def ngram_of(self, number: int) -> str:
        """The n-gram of a number, for people."""
        ngram = self.vocabulary[number - FIRST]
        return printable(ngram) if self.units == WORDS else shown_run(ngram)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {ngram: number for number, ngram in enumerate(self.vocabulary, FIRST)}

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        return np.array(self.weights, np.float32)


def shown_run(run: str) -> str:
    """A run of characters for people, such as "_goo" of one that begins a word."""
    return printable(run.replace(" ", "_"))


_KINDS_OF_NGRAMS = {1: "words", 2: "words and pairs of words", 3: "words, pairs and triples of words"}


def _with_a_few_less(arrays: Arrays) -> Iterator[Arrays]:
    """Of each text the n-grams that weigh least are left out, a twentieth of all and one at least."""
    numbers, values = arrays[NGRAMS].copy(), arrays[VALUES].copy()
    known = numbers >= FIRST
    order = np.argsort(np.where(known, values, np.inf), axis=1, kind="stable")
    count = -(-known.sum(axis=1) // _LEFT_OUT_OF)
    rows, ranks = np.nonzero(np.arange(numbers.shape[1])[None] < count[:, None])
    numbers[rows, order[rows, ranks]], values[rows, order[rows, ranks]] = PADDING, 0
    yield {NGRAMS: numbers, VALUES: values}

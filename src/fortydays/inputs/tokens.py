"""Texts as tokens: numbers of words, filled up to one length before their first word."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.inputs.encoded_text import NONE_KNOWN, OpenedText, checked, encoded_each, text_in, texts_of_json
from fortydays.inputs.input import Arrays, ArraySpec, Bounds, Disturbance, Input

TOKENS, MASK = "tokens", "mask"
PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2
"""The tokens before the vocabulary's own: what fills up a text, and any word that the vocabulary does not have."""

LONGEST = 4_096
"""Tokens of a text."""

MOST_WORDS = 2**16 - FIRST_WORD
"""Words of a vocabulary, so that tokens fit into 16 bits."""

TRUNCATIONS = ("start", "end")
"""Where a text that is too long loses its words: the first ones or the last ones."""

_LONGEST_WORD = 100
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_LINE_BREAK = re.compile(r"<br ?/?>")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case: letters and digits, with apostrophes inside, straight or curly.

    A line break in HTML is no word.
    """
    return _WORD.findall(_LINE_BREAK.sub(" ", text.lower().replace("\u2019", "'")))


@dataclass(frozen=True, kw_only=True)
class Tokens(Input):
    """Texts that are split into words, each a number of a vocabulary.

    Shorter texts are filled up with zeros before their first word. So a recurrent network ends at the last word, and
    needs no mask: with one, its ONNX graph has a loop that takes 30 times as long.

    Attributes:
        length: tokens of every text.
        vocabulary: the words that have a number of their own, the most frequent first.
        truncation: where longer texts lose words: one of :data:`TRUNCATIONS`.
        masked: whether a network is also given which tokens are words, as an array of its own.
    """

    KIND: ClassVar[str] = "tokens"
    NOUN: ClassVar[str] = "text"
    MEDIA_TYPES: ClassVar[tuple[str, ...]] = ("text/plain",)
    SUFFIXES: ClassVar[tuple[str, ...]] = (".txt",)
    JSON_FIELD: ClassVar[str] = "texts"

    length: int
    vocabulary: tuple[str, ...]
    truncation: str = "start"
    masked: bool = False

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """int32 tokens, and where ``masked``, bool: whether each is of a word."""
        tokens = ArraySpec(name=TOKENS, dtype="int32", shape=(self.length,))
        return (tokens, ArraySpec(name=MASK, dtype="bool", shape=(self.length,))) if self.masked else (tokens,)

    @property
    def size(self) -> int:
        """How many tokens there are: one more than the highest."""
        return FIRST_WORD + len(self.vocabulary)

    @property
    def title(self) -> str:
        """Such as "a text of up to 200 words"."""
        return f"a text of up to {self.length} words"

    def as_dict(self) -> dict[str, Any]:
        """All attributes."""
        return {
            "kind": self.KIND,
            "length": self.length,
            "vocabulary": list(self.vocabulary),
            "truncation": self.truncation,
            "masked": self.masked,
        }

    def summary(self) -> dict[str, Any]:
        """Length, how many words are known, and where longer texts are cut."""
        words = len(self.vocabulary)
        return {"kind": self.KIND, "length": self.length, "words": words, "truncation": self.truncation}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Tokens":
        """What :meth:`as_dict` wrote. Raises ValueError where it did not."""
        length, vocabulary = document.get("length"), document.get("vocabulary")
        if type(length) is not int or not 1 <= length <= LONGEST:
            raise ValueError(f"the length of the texts is no whole number from 1 to {LONGEST:,}")
        if not isinstance(vocabulary, list) or len(vocabulary) > MOST_WORDS:
            raise ValueError(f"there is no vocabulary of at most {MOST_WORDS:,} words")
        if not all(isinstance(word, str) and 0 < len(word) <= _LONGEST_WORD for word in vocabulary):
            raise ValueError(f"a word of the vocabulary is no text of 1 to {_LONGEST_WORD} characters")
        truncation, masked = document.get("truncation"), document.get("masked")
        if truncation not in TRUNCATIONS or not isinstance(masked, bool):
            raise ValueError("it does not say where texts are cut, or whether there is a mask")
        return cls(length=length, vocabulary=tuple(vocabulary), truncation=truncation, masked=masked)

    def encode(self, text: str) -> Arrays:
        """The arrays of one text, without a first axis."""
        known = np.array([self._numbers.get(word, UNKNOWN) for word in words_of(text)], np.int32)
        return {name: array[0] for name, array in self.filled(known, np.array([0, len(known)])).items()}

    def filled(self, tokens: NDArray[Any], offsets: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The arrays of texts whose tokens lie one after the other.

        Args:
            tokens: of all texts, shape (tokens,); one above the vocabulary becomes that of an unknown word.
            offsets: shape (n + 1,): text i has the tokens from ``offsets[i]`` to before ``offsets[i + 1]``.
        """
        kept = np.minimum(np.diff(offsets), self.length)
        first = offsets[:-1] if self.truncation == "end" else offsets[1:] - kept
        column = np.arange(self.length) - (self.length - kept[:, None])  # negative before the first word
        mask = column >= 0
        found = np.full(mask.shape, PADDING, np.int32)
        found[mask] = tokens[(first[:, None] + column)[mask]]
        found[found >= self.size] = UNKNOWN
        return {TOKENS: found, MASK: mask} if self.masked else {TOKENS: found}

    def open(self, content: bytes, bounds: Bounds) -> OpenedText:
        """Read a text in UTF-8, or as tables of texts are read."""
        text, note = text_in(content)
        return OpenedText(text=checked(text, bounds, has_word=words_of), input=self, note=note)

    def from_json(self, values: object, bounds: Bounds) -> Arrays:
        """A text, or a list of texts."""
        encoded = encoded_each(
            texts_of_json(values), lambda text: self.known(checked(text, bounds, has_word=words_of))
        )
        return {spec.name: np.stack([each[spec.name] for each in encoded]) for spec in self.arrays}

    def known(self, text: str) -> Arrays:
        """The arrays of a text that is asked about. Raises UnreadableContentError where none of its words is known."""
        found = self.encode(text)
        if not (found[TOKENS] >= FIRST_WORD).any():
            raise UnreadableContentError(Problem.DAMAGED, NONE_KNOWN)
        return found

    def check(self, arrays: Arrays) -> None:
        """Refuse tokens too that the vocabulary does not have."""
        super().check(arrays)
        tokens = arrays[TOKENS]
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.size:
            raise ValueError(f"{TOKENS} has numbers that are no tokens; expected 0 to {self.size - 1:,}")

    def blank(self, count: int) -> Arrays:
        """Texts of one unknown word; over a text without any, a mean is no number."""
        return self.filled(np.full(count, UNKNOWN, np.int32), np.arange(count + 1))

    @property
    def disturbances(self) -> tuple[Disturbance, ...]:
        """One more word, of which the network knows nothing."""
        return (Disturbance(change="an unknown word is added", ways=_with_an_unknown_word),)

    def as_file(self, arrays: Arrays) -> tuple[bytes, str]:
        """The words that the network sees."""
        return self.words(arrays).encode(), "text/plain"

    def words(self, arrays: Arrays) -> str:
        """The words that the network sees; a question mark stands for one that it does not know."""
        known = arrays[TOKENS][arrays[TOKENS] != PADDING].tolist()
        return " ".join(self.vocabulary[n - FIRST_WORD] if n >= FIRST_WORD else "?" for n in known)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.vocabulary, FIRST_WORD)}


def _with_an_unknown_word(arrays: Arrays) -> Iterator[Arrays]:
    """Before the first word, or in its place where the text is full."""
    tokens = arrays[TOKENS].copy()
    first = np.maximum((tokens != PADDING).argmax(axis=1) - 1, 0)
    tokens[np.arange(len(tokens)), first] = UNKNOWN
    yield {TOKENS: tokens, **({MASK: tokens != PADDING} if MASK in arrays else {})}

"""Texts as tokens: numbers of words, filled up to one length, and a mask that tells which of them are words."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.inputs.input import Arrays, ArraySpec, Bounds, Disturbance, Input

TOKENS, MASK = "tokens", "mask"
PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2
"""The tokens before the vocabulary's own: what fills up a text, and any word that the vocabulary does not have."""

LONGEST = 4_096
"""Tokens of a text."""

MOST_WORDS = 100_000
_LONGEST_WORD = 100
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case: letters and digits, with apostrophes inside."""
    return _WORD.findall(text.lower())


@dataclass(frozen=True, kw_only=True)
class Tokens(Input):
    """Texts that are split into words, each a number of a vocabulary.

    Attributes:
        length: tokens of every text: longer ones are cut off, shorter ones filled up behind their last word.
        vocabulary: the words that have a number of their own, the most frequent first.
    """

    KIND: ClassVar[str] = "tokens"
    NOUN: ClassVar[str] = "text"
    MEDIA_TYPES: ClassVar[tuple[str, ...]] = ("text/plain",)
    SUFFIXES: ClassVar[tuple[str, ...]] = (".txt",)
    JSON_FIELD: ClassVar[str] = "texts"

    length: int
    vocabulary: tuple[str, ...]

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """int32 tokens, and bool: whether each is of a word."""
        return (
            ArraySpec(name=TOKENS, dtype="int32", shape=(self.length,)),
            ArraySpec(name=MASK, dtype="bool", shape=(self.length,)),
        )

    @property
    def size(self) -> int:
        """How many tokens there are: one more than the highest."""
        return FIRST_WORD + len(self.vocabulary)

    @property
    def title(self) -> str:
        """Such as "a text of up to 200 words"."""
        return f"a text of up to {self.length} words"

    def as_dict(self) -> dict[str, Any]:
        """Length and vocabulary."""
        return {"kind": self.KIND, "length": self.length, "vocabulary": list(self.vocabulary)}

    def summary(self) -> dict[str, Any]:
        """Length, and how many words are known."""
        return {"kind": self.KIND, "length": self.length, "words": len(self.vocabulary)}

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
        return cls(length=length, vocabulary=tuple(vocabulary))

    def encode(self, text: str) -> Arrays:
        """The arrays of one text, without a first axis."""
        known = [self._numbers.get(word, UNKNOWN) for word in words_of(text)[: self.length]]
        tokens = np.full(self.length, PADDING, np.int32)
        tokens[: len(known)] = known
        return {TOKENS: tokens, MASK: np.arange(self.length) < len(known)}

    def open(self, content: bytes, bounds: Bounds) -> "OpenedText":
        """Read a text in UTF-8."""
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UnreadableContentError(
                Problem.DAMAGED, f"The text is no UTF-8: byte {error.start:,} is none of it."
            ) from None
        return OpenedText(text=_checked(text, bounds), input=self)

    def from_json(self, values: object, bounds: Bounds) -> Arrays:
        """A text, or a list of texts."""
        texts = [values] if isinstance(values, str) else values
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise UnreadableContentError(Problem.DAMAGED, "The texts are no text and no list of texts.")
        encoded = [self.encode(_checked(text, bounds)) for text in texts]
        return {name: np.stack([each[name] for each in encoded]) for name in (TOKENS, MASK)}

    def check(self, arrays: Arrays) -> None:
        """Refuse tokens too that the vocabulary does not have."""
        super().check(arrays)
        tokens = arrays[TOKENS]
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.size:
            raise ValueError(f"{TOKENS} has numbers that are no tokens; expected 0 to {self.size - 1:,}")

    def blank(self, count: int) -> Arrays:
        """Texts of one unknown word; over a text without any, a mean is no number."""
        found = super().blank(count)
        found[TOKENS][:, 0], found[MASK][:, 0] = UNKNOWN, True
        return found

    @property
    def disturbances(self) -> tuple[Disturbance, ...]:
        """One more word, of which the network knows nothing."""
        return (Disturbance(change="an unknown word is added", ways=_with_an_unknown_word),)

    def as_file(self, arrays: Arrays) -> tuple[bytes, str]:
        """The words that the network sees."""
        return self.words(arrays).encode(), "text/plain"

    def words(self, arrays: Arrays) -> str:
        """The words that the network sees; a question mark stands for one that it does not know."""
        known = arrays[TOKENS][arrays[MASK]].tolist()
        return " ".join(self.vocabulary[n - FIRST_WORD] if n >= FIRST_WORD else "?" for n in known)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.vocabulary, FIRST_WORD)}


@dataclass(frozen=True, kw_only=True)
class OpenedText:
    """A text that was read.

    Attributes:
        text: it.
        input: what the network takes.
    """

    text: str
    input: Tokens

    @property
    def weight(self) -> int:
        """Its characters."""
        return len(self.text)

    def arrays(self) -> Arrays:
        """Tokens and mask."""
        return self.input.encode(self.text)


def _checked(text: str, bounds: Bounds) -> str:
    if len(text) > bounds.characters:
        raise UnreadableContentError(
            Problem.TOO_LARGE, f"The text has {len(text):,} characters; expected at most {bounds.characters:,}."
        )
    if not words_of(text):
        raise UnreadableContentError(Problem.DAMAGED, "The text has no word.")
    return text


def _with_an_unknown_word(arrays: Arrays) -> Iterator[Arrays]:
    """Behind the last word, or in its place where the text is full."""
    tokens, mask = arrays[TOKENS].copy(), arrays[MASK].copy()
    rows, last = np.arange(len(tokens)), np.minimum(mask.sum(axis=1), tokens.shape[1] - 1)
    tokens[rows, last], mask[rows, last] = UNKNOWN, True
    yield {TOKENS: tokens, MASK: mask}

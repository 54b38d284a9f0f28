"""Texts as pieces of words, as BERT and the networks that are like it read them (Devlin et al., 2019).

A word that the vocabulary does not have is cut into the longest pieces that it has. So few words are unknown, and a
text is the same numbers here as it was when the network learned.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.base.text import printable
from fortydays.inputs.encoded_text import NONE_KNOWN, OpenedText, checked, encoded_each, text_in, texts_of_json
from fortydays.inputs.input import Arrays, ArraySpec, Bounds, Disturbance, Input
from fortydays.inputs.ngrams import has_word

WORDPIECES = "wordpieces"
"""What texts are made of here, in the words of a recipe's ``units``."""

PIECES = "tokens"
"""The array of a text: the numbers of its pieces in the vocabulary."""

PADDING = 0
"""The number of what fills up a text: that of the first piece of the vocabulary."""

FILLED, UNKNOWN, BEGIN, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
"""Pieces that no text has: what fills it up, a word that cannot be cut into pieces, its beginning and its end."""

INSIDE = "##"
"""What a piece begins with that continues a word."""

FEWEST, LONGEST = 3, 512
"""Pieces of a text, with those for its beginning and its end."""

MOST_PIECES = 2**17
"""Pieces of a vocabulary."""

_LONGEST_PIECE = 100
_LONGEST_WORD = 100
_READ = 200
"""Characters of a text that are looked at, for each piece that it may have: a text of any length takes a moment."""

_ASCII_WORD = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
_SPACES = "\t\n\r"
_ASCII_CONTROLS = {code: None for code in (*range(32), 127) if chr(code) not in _SPACES}
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
"""Code points of Chinese characters: each is a word."""


class _Clean(dict[int, str | None]):
    """What becomes of each character first: controls go, spaces become one kind, Chinese characters stand alone."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kind = unicodedata.category(character)
        if character in _SPACES:
            found: str | None = " "
        elif code in (0, 0xFFFD) or kind in ("Cc", "Cf", "Co", "Cs"):
            found = None
        elif character.isspace():
            found = " "
        elif any(first <= code <= last for first, last in _IDEOGRAPHS):
            found = f" {character} "
        else:
            found = character
        self[code] = found
        return found


class _Apart(dict[int, str | None]):
    """What becomes of each character of decomposed text: accents go, signs of punctuation stand alone."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kind = unicodedata.category(character)
        found: str | None = character
        if kind == "Mn":
            found = None
        elif kind.startswith("P") or (code < 128 and not character.isalnum() and not character.isspace()):
            found = f" {character} "
        self[code] = found
        return found


# At most as many entries as there are code points.
_CLEAN, _APART = _Clean(), _Apart()


def words_of(text: str) -> list[str]:
    """The words and the punctuation marks of a text, in lower case and without accents, as BERT takes them apart."""
    if text.isascii():  # which finds the same, five times as fast
        return _ASCII_WORD.findall(text.translate(_ASCII_CONTROLS).lower())
    plain = unicodedata.normalize("NFD", text.translate(_CLEAN))
    # A capital sigma at the end of a word has a small letter of its own in Python, and none there.
    return plain.translate(_APART).replace("\u03a3", "\u03c3").lower().split()


@dataclass(frozen=True, kw_only=True)
class Wordpieces(Input):
    """Texts that are cut into pieces of words, each a number of a vocabulary.

    A text is [CLS], its pieces, [SEP], and zeros behind that. Of a longer text the first pieces are taken. Names of
    special pieces that are written in a text are text.

    Attributes:
        length: pieces of every text, with those for its beginning and its end.
        vocabulary: the pieces by their numbers; the first one is [PAD].
    """

    KIND: ClassVar[str] = "wordpieces"
    NOUN: ClassVar[str] = "text"
    MEDIA_TYPES: ClassVar[tuple[str, ...]] = ("text/plain",)
    SUFFIXES: ClassVar[tuple[str, ...]] = (".txt",)
    JSON_FIELD: ClassVar[str] = "texts"
    TEXT_TENSOR: ClassVar[str] = "text"
    units: ClassVar[str] = WORDPIECES

    length: int
    vocabulary: tuple[str, ...]

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """int32 numbers of pieces."""
        return (ArraySpec(name=PIECES, dtype="int32", shape=(self.length,)),)

    @property
    def size(self) -> int:
        """How many pieces there are: one more than the highest number."""
        return len(self.vocabulary)

    @property
    def title(self) -> str:
        """Such as "a text, of which it reads the first 128 pieces of words"."""
        return f"a text, of which it reads the first {self.length} pieces of words"

    @property
    def note(self) -> str:
        """How the arrays are made."""
        return (
            "The array is the number of each piece of the text in the vocabulary, as preprocessing.json of the bundle "
            "has it, between [CLS] and [SEP], with zeros behind; it is simpler to send the text."
        )

    def as_dict(self) -> dict[str, Any]:
        """All attributes."""
        return {"kind": self.KIND, "length": self.length, "vocabulary": list(self.vocabulary)}

    def summary(self) -> dict[str, Any]:
        """Length, and how many pieces are known."""
        return {"kind": self.KIND, "length": self.length, "pieces": len(self.vocabulary)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Wordpieces":
        """What :meth:`as_dict` wrote. Raises ValueError where it did not."""
        length, vocabulary = document.get("length"), document.get("vocabulary")
        if type(length) is not int or not FEWEST <= length <= LONGEST:
            raise ValueError(f"the length of the texts is no whole number from {FEWEST} to {LONGEST}")
        if not isinstance(vocabulary, list):
            raise ValueError("there is no vocabulary of pieces of words")
        return cls(length=length, vocabulary=checked_vocabulary(vocabulary))

    def words_of_pieces(self, tokens: NDArray[np.int32]) -> list[tuple[str, list[int]]]:
        """The words of a text with the places of their pieces; without its beginning, its end and what fills it up.

        Args:
            tokens: of one text, shape (length,).
        """
        found: list[tuple[str, list[int]]] = []
        special = (PADDING, self._numbers[BEGIN], self._numbers[END])
        for place, number in enumerate(tokens.tolist()):
            if number in special:
                continue
            piece = "?" if number == self._numbers[UNKNOWN] else self.vocabulary[number]
            if piece.startswith(INSIDE) and len(piece) > len(INSIDE) and found:
                word, places = found[-1]
                found[-1] = (word + piece[len(INSIDE) :], [*places, place])
            else:
                found.append((piece, [place]))
        return [(printable(word), places) for word, places in found]

    def pieces_of(self, text: str) -> list[int]:
        """The numbers of the pieces of a text, without those of its beginning and its end: at most length - 2."""
        found: list[int] = []
        for word in words_of(text[: _READ * self.length]):
            if len(found) >= self.length - 2:
                break
            known = self._numbers.get(word)
            if known is None:
                found += self._cut(word)
            else:
                found.append(known)
        return found[: self.length - 2]

    def _cut(self, word: str) -> list[int]:
        """The pieces of a word, each the longest that is there; the unknown one where some part of it is in none."""
        unknown = [self._numbers[UNKNOWN]]
        if len(word) > _LONGEST_WORD:
            return unknown
        found: list[int] = []
        start = 0
        while start < len(word):
            begin = INSIDE if start else ""
            for stop in range(len(word), start, -1):
                number = self._numbers.get(begin + word[start:stop])
                if number is not None:
                    found.append(number)
                    start = stop
                    break
            else:
                return unknown
        return found

    def filled(self, pieces: NDArray[np.uint16], offsets: NDArray[np.int64]) -> NDArray[np.int32]:
        """The array of texts whose pieces are known already.

        Args:
            pieces: uint16, shape (pieces,): those of all texts, one text after the other, without their beginnings and
                ends.
            offsets: int64, shape (n + 1,): where each text begins, and where the last one ends.

        Returns:
            int32, shape (n, length): as :meth:`encode` makes it of each text.
        """
        counts = np.minimum(np.diff(offsets), self.length - 2)
        column = np.arange(self.length - 2)
        rows, columns = np.nonzero(column < counts[:, None])
        tokens = np.full((len(counts), self.length), PADDING, np.int32)
        tokens[:, 0] = self._numbers[BEGIN]
        tokens[rows, 1 + columns] = np.asarray(pieces)[np.asarray(offsets)[rows] + columns]
        tokens[np.arange(len(counts)), 1 + counts] = self._numbers[END]
        return tokens

    def encode(self, text: str) -> Arrays:
        """The array of one text, without a first axis."""
        numbers = [self._numbers[BEGIN], *self.pieces_of(text), self._numbers[END]]
        tokens = np.full(self.length, PADDING, np.int32)
        tokens[: len(numbers)] = numbers
        return {PIECES: tokens}

    def open(self, content: bytes, bounds: Bounds) -> OpenedText:
        """Read a text in UTF-8, or as tables of texts are read."""
        text, note = text_in(content)
        return OpenedText(text=checked(text, bounds, has_word=has_word), input=self, note=note)

    def from_json(self, values: object, bounds: Bounds) -> Arrays:
        """A text, or a list of texts."""
        encoded = encoded_each(
            texts_of_json(values), lambda text: self.known(checked(text, bounds, has_word=has_word))
        )
        return {PIECES: np.stack([each[PIECES] for each in encoded])}

    def known(self, text: str) -> Arrays:
        """The array of a text that is asked about. Raises UnreadableContentError where no piece of it is known."""
        found = self.encode(text)
        nothing = (PADDING, *(self._numbers[name] for name in (UNKNOWN, BEGIN, END)))
        if np.isin(found[PIECES], nothing).all():
            raise UnreadableContentError(Problem.DAMAGED, NONE_KNOWN)
        return found

    def check(self, arrays: Arrays) -> None:
        """Refuse numbers too that no piece has."""
        super().check(arrays)
        tokens = arrays[PIECES]
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.size:
            raise ValueError(f"{PIECES} has numbers that no piece of a word has; expected 0 to {self.size - 1:,}")

    def blank(self, count: int) -> Arrays:
        """Texts of one unknown word."""
        found = super().blank(count)
        found[PIECES][:, :FEWEST] = [self._numbers[name] for name in (BEGIN, UNKNOWN, END)]
        return found

    @property
    def disturbances(self) -> tuple[Disturbance, ...]:
        """A full stop more at the end."""
        return (Disturbance(change="a full stop is added at the end", ways=self._with_a_full_stop),)

    def _with_a_full_stop(self, arrays: Arrays) -> Iterator[Arrays]:
        """Behind the last piece, or in its place where the text is full."""
        tokens = arrays[PIECES].copy()
        rows = np.arange(len(tokens))
        last = np.minimum((tokens != PADDING).sum(axis=1), self.length - 1)
        tokens[rows, last - 1] = self._numbers.get(".", self._numbers[UNKNOWN])
        tokens[rows, last] = self._numbers[END]
        yield {PIECES: tokens}

    def as_file(self, arrays: Arrays) -> tuple[bytes, str]:
        """The words that the network sees."""
        return self.words(arrays).encode(), "text/plain"

    def words(self, arrays: Arrays) -> str:
        """The words that the network sees; a question mark stands for one that it does not know."""
        return " ".join(word for word, _ in self.words_of_pieces(arrays[PIECES]))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {piece: number for number, piece in enumerate(self.vocabulary)}


def checked_vocabulary(pieces: Sequence[object]) -> tuple[str, ...]:
    """A vocabulary from anywhere. Raises ValueError, which says what is wrong with it."""
    if len(pieces) > MOST_PIECES:
        raise ValueError(f"the vocabulary has {len(pieces):,} pieces; expected at most {MOST_PIECES:,}")
    found = tuple(piece for piece in pieces if isinstance(piece, str) and 0 < len(piece) <= _LONGEST_PIECE)
    if len(found) != len(pieces):
        raise ValueError(f"a piece of the vocabulary is no text of 1 to {_LONGEST_PIECE} characters")
    if len(set(found)) != len(found):
        raise ValueError("the vocabulary has a piece twice")
    if found[:1] != (FILLED,) or not {UNKNOWN, BEGIN, END} <= set(found):
        raise ValueError(f"the vocabulary does not begin with {FILLED}, or has no {UNKNOWN}, {BEGIN} and {END}")
    return found


def read_vocabulary(content: bytes) -> tuple[str, ...]:
    """The pieces in a file ``vocab.txt``, one in each line, in UTF-8. Raises ValueError where it is none."""
    return checked_vocabulary(content.decode("utf-8").removesuffix("\n").split("\n"))

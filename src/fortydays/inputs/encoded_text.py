"""The text in the bytes of a file or a request that a model of texts is asked about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fortydays.base.encodings import decoded, kind_of_binary
from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.inputs.input import Arrays, Bounds

NONE_KNOWN = "The model knows none of the words of this text, so there is no answer."


def text_in(content: bytes) -> tuple[str, str]:
    """The text, and a sentence about its encoding, or "" for UTF-8.

    Raises:
        UnreadableContentError: it is not a text.
    """
    if kind := kind_of_binary(content):
        raise UnreadableContentError(
            Problem.UNKNOWN, f"It is {kind}; expected a text, such as a file that ends with .txt."
        )
    return decoded(content)


def encoded_each(texts: Sequence[str], encode: Callable[[str], Arrays]) -> list[Arrays]:
    """The arrays of each of some texts. Raises UnreadableContentError, which says of several which one it is."""
    found = []
    for number, text in enumerate(texts, start=1):
        try:
            found.append(encode(text))
        except UnreadableContentError as error:
            which = f"Text {number:,} of {len(texts):,}: " if len(texts) > 1 else ""
            raise UnreadableContentError(error.problem, f"{which}{error.message}") from None
    return found


def texts_of_json(values: object) -> list[str]:
    """A text, or a list of texts, as a list. Raises UnreadableContentError where it is neither."""
    texts = [values] if isinstance(values, str) else values
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise UnreadableContentError(Problem.DAMAGED, "The texts are no text and no list of texts.")
    return texts


def checked(text: str, bounds: Bounds, *, has_word: Callable[[str], object]) -> str:
    """The text. Raises UnreadableContentError where it is too long, or has no word."""
    if len(text) > bounds.characters:
        raise UnreadableContentError(
            Problem.TOO_LARGE, f"The text has {len(text):,} characters; expected at most {bounds.characters:,}."
        )
    if not has_word(text):
        raise UnreadableContentError(Problem.DAMAGED, "The text has no word.")
    return text


class TextInput(Protocol):
    """An input that is made of texts."""

    def known(self, text: str) -> Arrays:
        """The arrays of a text. Raises UnreadableContentError where none of its words is known."""


@dataclass(frozen=True, kw_only=True)
class OpenedText:
    """A text that was read, the input that makes arrays of it, and what is to be said of its encoding, or ""."""

    text: str
    input: TextInput
    note: str = ""

    @property
    def weight(self) -> int:
        """Its characters."""
        return len(self.text)

    def arrays(self) -> Arrays:
        """The arrays of this one text. Raises UnreadableContentError where none of its words is known."""
        return self.input.known(self.text)

"""What a dataset is to the rest of the program: labelled examples in three splits.

The engine is given :class:`TrainingData`, which has no way to the test examples. Those are behind
:class:`SealedSplit`, which the study opens for each trial after its training, and for the day's pictures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError
from fortydays.inputs.input import Arrays, Input
from fortydays.inputs.ngrams import WORDS, Ngrams
from fortydays.inputs.tokens import Tokens
from fortydays.inputs.wordpieces import WORDPIECES, Wordpieces
from fortydays.tasks.classification import Classification


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Labelled examples.

    Attributes:
        inputs: the arrays of the dataset's :class:`~fortydays.inputs.input.Input`, each of shape (n, ...).
        labels: uint8, shape (n,), the index of each example's class.
        about: what else is known of each example, by name, such as the stars of a review: whole numbers, shape (n,).
            No network is given it.
    """

    inputs: Arrays
    labels: NDArray[np.uint8]
    about: Arrays = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.labels.shape[0])

    @property
    def array(self) -> NDArray[Any]:
        """The only array, of an input that has one: images or numbers. Raises ValueError where there are more."""
        (array,) = self.inputs.values()
        return array

    def rows(self, which: Any) -> "Split":
        """The examples of a slice as a part of the same memory map, or those at an array of places, in memory."""
        inputs = {name: array[which] for name, array in self.inputs.items()}
        about = {name: np.asarray(array)[which] for name, array in self.about.items()}
        return Split(inputs=inputs, labels=np.asarray(self.labels)[which], about=about)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """All that training and model choice may see: gradients are of ``train``, decisions of ``validation``."""

    input: Input
    task: Classification
    train: Split
    validation: Split


class SealedSplit:
    """Examples that are read only when :meth:`open` is called."""

    def __init__(self, read: Callable[[], Split]) -> None:
        self._read = read

    def open(self) -> Split:
        """Read the examples. A study does this for a trial when its training is over."""
        return self._read()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How texts are read: what a recipe says of it.

    Attributes:
        vocabulary: words that have a token of their own; None for all that the dataset has.
        length: tokens of a text; None for the dataset's.
        truncation: where longer texts lose words: one of :data:`~fortydays.inputs.tokens.TRUNCATIONS`.
        units: of a reader's own texts, what n-grams are made of: one of :data:`~fortydays.inputs.ngrams.UNITS`; or, of
            public texts, too, "wordpieces" for the pieces of words that an encoder takes.
    """

    vocabulary: int | None = None
    length: int | None = None
    truncation: str = "start"
    units: str = WORDS

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> "Reading":
        """What a recipe, as JSON values, says of it."""
        return cls(**{field.name: recipe[field.name] for field in fields(cls) if field.name in recipe})


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A named, versioned, digest-checked collection of labelled examples.

    Attributes:
        digest: SHA-256 of the decoded arrays, in hexadecimal; the same from every source.
        split_version: number of the rule that made the splits.
        classes: the classes' names; position is label.
        texts: of a dataset of texts: makes it anew, read in another way; else None.
        wording: from places in the validation split to what is written there, of texts that are kept; else None.
        captions: of photographs with captions: from the name of a split, "train", "validation" or "test", to the
            captions of each of its photographs; those of the test split are read when they are asked for. Else None.
    """

    name: str
    digest: str
    split_version: int
    classes: tuple[str, ...]
    training: TrainingData
    test: SealedSplit
    texts: "Callable[[Reading], Dataset] | None" = None
    wording: Callable[[Sequence[int]], list[str]] | None = None
    captions: Callable[[str], tuple[tuple[str, ...], ...]] | None = None

    def read_as(self, reading: Reading) -> "Dataset":
        """The dataset with its texts read in some way. Of other examples, there is one way only.

        Raises:
            UsageError: the examples are no texts, or the dataset has fewer words.
        """
        takes = self.training.input
        if (
            self.texts is not None
            and isinstance(takes, Ngrams | Wordpieces)
            and reading == Reading(units=reading.units)
        ):
            return self if takes.units == reading.units else self.texts(reading)
        if self.texts is not None and isinstance(takes, Tokens) and reading.units == WORDPIECES:
            if reading != Reading(units=WORDPIECES, length=reading.length):
                raise UsageError(
                    "The recipe says which words are read, but the texts are read as pieces of words.",
                    hint="Leave vocabulary and truncation unset: an encoder knows its pieces, and takes the first.",
                )
            return self.texts(reading)
        if self.texts is None or not isinstance(takes, Tokens) or reading.units != WORDS:
            if reading != Reading():
                raise UsageError(
                    f"The recipe says how texts are read, but the examples of {self.name!r} are {takes.KIND}.",
                    hint="Leave vocabulary, length, truncation and units unset.",
                )
            return self
        words = len(takes.vocabulary)
        if reading.vocabulary is not None and reading.vocabulary > words:
            raise UsageError(
                f"The recipe's vocabulary has {reading.vocabulary:,} words, but {self.name!r} knows {words:,}.",
                hint=f"Set vocabulary to at most {words}.",
            )
        return self.texts(reading)

"""What a network of texts does in parts of the texts, and with sentences made for the purpose.

Parts are texts of so many stars, or of such lengths. Made-up sentences test a behaviour: those of a pair differ in one
thing whose effect is known (Ribeiro et al., 2020, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList").
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError, unknown_name
from fortydays.data.arrays import Split, TrainingData
from fortydays.inputs.input import Input
from fortydays.inputs.tokens import TOKENS, Tokens
from fortydays.study.attended import in_batches
from fortydays.study.design import Measure

if TYPE_CHECKING:
    import keras

Answering = Callable[[NDArray[np.int32]], NDArray[Any]]
"""From tokens, int32, shape (n, length), to the log-odds or another score of the second class, shape (n,): above 0
where the answer is the second class."""

# ------------------------------------------------------------------------------------------------- parts of the texts


@dataclass(frozen=True, kw_only=True)
class Part:
    """Texts of which some number lies in a range.

    Attributes:
        name: of the metric of its accuracy, such as "stars_1_accuracy".
        about: which number: a name in :attr:`fortydays.data.arrays.Split.about`, such as "stars".
        least: the smallest number that belongs to it.
        most: the largest one.
    """

    name: str
    about: str
    least: int
    most: int

    def share_right(self, right: NDArray[np.bool_], split: Split) -> float:
        """The share of right answers among the texts of this part; 0 where there is none.

        Args:
            right: bool, shape (n,): which texts of the split were answered rightly.
            split: the texts.

        Raises:
            UsageError: nothing of that name is known about the texts.
        """
        if self.about not in split.about:
            raise unknown_name("number", self.about, split.about, of="these examples")
        number = np.asarray(split.about[self.about])
        chosen = (number >= self.least) & (number <= self.most)
        return float(right[chosen].mean()) if chosen.any() else 0.0


@dataclass(frozen=True, kw_only=True)
class Difference:
    """By how much answers are right more often in some parts than in others: the mean of each, without weights.

    Attributes:
        name: of the metric, such as "sure_over_mild_share".
        more: the parts that are set against
        less: the others.
    """

    name: str
    more: tuple[Part, ...]
    less: tuple[Part, ...]

    def share_right(self, right: NDArray[np.bool_], split: Split) -> float:
        """The difference of the shares; as :meth:`Part.share_right` otherwise."""
        more, less = (np.mean([part.share_right(right, split) for part in parts]) for parts in (self.more, self.less))
        return float(more - less)


def accuracies_of(answering: Answering, split: Split, parts: Sequence[Part | Difference]) -> dict[str, float]:
    """The accuracy in each part of a split, and each difference, by their names."""
    right = (answering(np.asarray(split.array)) > 0) == (np.asarray(split.labels) == 1)
    return {part.name: part.share_right(right, split) for part in parts}


def part_measures(parts: Sequence[Part | Difference], *, variants: tuple[str, ...]) -> tuple[Measure, ...]:
    """A measure for each part and each difference: of a network, on the validation texts."""
    answered = _Answered()

    def of(part: Part | Difference) -> Measure:
        def measure(model: "keras.Model", data: TrainingData) -> float:
            right = answered.of(model, data).argmax(axis=1) == np.asarray(data.validation.labels)
            return part.share_right(right, data.validation)

        return Measure(name=part.name, variants=variants, function=measure, data=True)

    return tuple(map(of, parts))


class _Answered:
    """The answers of the model that was asked last to the validation texts: measures come model by model."""

    def __init__(self) -> None:
        self._asked: tuple[weakref.ref[Any], weakref.ref[Any]] | None = None
        self._answers: NDArray[np.float32] = np.zeros((0, 0), np.float32)

    def of(self, model: "keras.Model", data: TrainingData) -> NDArray[np.float32]:
        if self._asked is None or self._asked[0]() is not model or self._asked[1]() is not data:
            self._answers = in_batches(model, np.asarray(data.validation.array))
            self._asked = (weakref.ref(model), weakref.ref(data))
        return self._answers


# --------------------------------------------------------------------------------------------------- made-up sentences

PLAIN, NOT_GOOD, NOT_BAD, MOVED = "plain_share", "not_good_share", "not_bad_share", "moved_share"
NEGATION = (PLAIN, NOT_GOOD, NOT_BAD, MOVED)
"""The metrics of :func:`negation_of`."""


@dataclass(frozen=True, kw_only=True)
class Negation:
    """Sentences with an adjective, each also with "not" before it.

    Attributes:
        frames: sentences with ``{}`` for the adjective.
        good: adjectives that speak for the second class.
        bad: adjectives that speak for the first class.
    """

    frames: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]

    def __post_init__(self) -> None:
        if not (self.frames and self.good and self.bad):
            raise UsageError("A test of negation needs frames, good and bad adjectives; one of these is empty.")
        for frame in self.frames:
            if frame.count("{}") != 1:
                raise UsageError(
                    f"The frame {frame!r} has {frame.count('{}')} places for an adjective; expected one {{}}."
                )

    def pairs(self, adjectives: Sequence[str]) -> tuple[list[str], list[str]]:
        """The sentences with each adjective, and those with "not" before it, in the same order."""
        plain = [frame.format(word) for word in adjectives for frame in self.frames]
        negated = [frame.format(f"not {word}") for word in adjectives for frame in self.frames]
        return plain, negated


def negation_of(answering: Answering, input: Input, asked: Negation) -> dict[str, float]:
    """What becomes of an answer when "not" stands before the adjective that it rests on.

    Returns:
        By name: ``plain_share``, the share of right answers to sentences without "not"; ``not_good_share`` and
        ``not_bad_share``, that of sentences with "not" before a good and before a bad adjective, which are taken to
        be of the other class; and ``moved_share``, the share of pairs in which "not" moves the score towards it.

    Raises:
        UsageError: the input is no text in tokens.
    """
    if not isinstance(input, Tokens):
        raise UsageError(f"Sentences can be made up for texts in tokens, but the examples are {input.KIND}.")
    scores = [
        np.asarray(answering(np.stack([input.encode(text)[TOKENS] for text in texts])), np.float64)
        for adjectives in (asked.good, asked.bad)
        for texts in asked.pairs(adjectives)
    ]
    good, not_good, bad, not_bad = scores
    return {
        PLAIN: float(np.mean(np.concatenate([good > 0, bad <= 0]))),
        NOT_GOOD: float(np.mean(not_good <= 0)),
        NOT_BAD: float(np.mean(not_bad > 0)),
        MOVED: float(np.mean(np.concatenate([not_good < good, not_bad > bad]))),
    }


def negation_measures(asked: Negation, *, variants: tuple[str, ...]) -> tuple[Measure, ...]:
    """The measures of :func:`negation_of` of some networks."""

    def of(name: str) -> Measure:
        def measure(model: "keras.Model", data: TrainingData) -> float:
            return negation_of(score_of(model), data.input, asked)[name]

        return Measure(name=name, variants=variants, function=measure, data=True)

    return tuple(map(of, NEGATION))


def score_of(model: "keras.Model") -> Answering:
    """The score of a network of two classes: the probability of the second one, less that of the first."""

    def answering(tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        found = in_batches(model, tokens)
        difference: NDArray[np.float32] = found[:, 1] - found[:, 0]
        return difference

    return answering


def named_parts(about: str, ranges: Mapping[str, tuple[int, int]]) -> tuple[Part, ...]:
    """Parts by a number that is known about texts: for each name, the smallest and the largest number."""
    return tuple(
        Part(name=f"{about}_{name}_accuracy", about=about, least=least, most=most)
        for name, (least, most) in ranges.items()
    )

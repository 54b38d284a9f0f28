"""Day 23: captions written word by word, greedily or by beam search, whoever makes the steps."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fortydays.lessons.day23_image_captioning.decoder import END, LONGEST, PADDING, START, UNKNOWN

if TYPE_CHECKING:
    from fortydays.lessons.day23_image_captioning.decoder import Decoder

State = tuple[NDArray[np.float32], ...]
"""Arrays whose rows belong to captions."""

Begin = Callable[[NDArray[np.float32]], State]
"""From features, float32 (n, features), to the first state."""

Step = Callable[[NDArray[np.int32], State], tuple[NDArray[np.float32], State]]
"""From a token of each caption, int32 (n,), and the state to the probabilities, (n, tokens), and the next state."""

BEAM = 3
"""Captions that a beam search keeps."""


def by_keras(decoder: "Decoder") -> tuple[Begin, Step]:
    """What begins and what makes a step, by Keras."""

    def begin(features: NDArray[np.float32]) -> State:
        return tuple(np.asarray(each) for each in decoder.begin.predict_on_batch(features))

    def step(tokens: NDArray[np.int32], state: State) -> tuple[NDArray[np.float32], State]:
        probabilities, *after = decoder.step.predict_on_batch([tokens, *state])
        return np.asarray(probabilities), tuple(np.asarray(each) for each in after)

    return begin, step


def _logs(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logarithms; of what is never written, minus infinity."""
    found = np.log(np.maximum(probabilities.astype(np.float64), 1e-12))
    found[:, [PADDING, UNKNOWN, START]] = -np.inf
    return found


def greedy(begin: Begin, step: Step, features: NDArray[np.float32], *, longest: int = LONGEST) -> list[list[int]]:
    """For each photograph, the tokens of a caption: the most probable one at each step, up to END."""
    state, tokens = begin(features), np.full(len(features), START, np.int32)
    written: list[list[int]] = [[] for _ in features]
    for _ in range(longest):
        probabilities, state = step(tokens, state)
        tokens = _logs(probabilities).argmax(axis=1).astype(np.int32)
        for caption, token in zip(written, tokens.tolist(), strict=True):
            if END not in caption:
                caption.append(token)
        if all(END in caption for caption in written):
            break
    return written


def beam(
    begin: Begin, step: Step, features: NDArray[np.float32], *, width: int = BEAM, longest: int = LONGEST
) -> list[list[int]]:
    """For each photograph, the tokens of the caption with the best score that a beam search finds.

    The score is the mean logarithm of the probabilities, END included. With the sum, short captions would win. At each
    step, the ``width`` best captions so far stay, of each photograph for itself. Those with END are put aside.
    The search ends when one of these is at least as good as all that go on.

    Args:
        begin: makes the first state.
        step: makes a step.
        features: float32, shape (n, features).
        width: captions that are kept of each photograph, from 1.
        longest: words of a caption.
    """
    return [_searched(begin(features[place : place + 1]), step, width, longest) for place in range(len(features))]


def _searched(state: State, step: Step, width: int, longest: int) -> list[int]:
    going: list[tuple[float, list[int]]] = [(0.0, [])]
    ended: list[tuple[float, list[int]]] = []
    for _ in range(longest):
        last = np.array([caption[-1] if caption else START for _, caption in going], np.int32)
        probabilities, state = step(last, state)
        totals = np.array([total for total, _ in going])[:, np.newaxis] + _logs(probabilities)
        chosen = np.argsort(-totals, axis=None, kind="stable")[:width]
        rows, tokens = np.unravel_index(chosen, totals.shape)
        grown = [
            (float(totals[row, token]), [*going[row][1], int(token)], int(row))
            for row, token in zip(rows.tolist(), tokens.tolist(), strict=True)
        ]
        ended += [(total, caption) for total, caption, _ in grown if caption[-1] == END]
        left = [each for each in grown if each[1][-1] != END]
        going = [(total, caption) for total, caption, _ in left]
        if not going or (ended and max(map(_mean, ended)) >= max(map(_mean, going))):
            break
        state = tuple(each[[row for _, _, row in left]] for each in state)
    return max(ended or going, key=_mean)[1]


def _mean(caption: tuple[float, list[int]]) -> float:
    """The mean logarithm of the probabilities of a caption."""
    total, tokens = caption
    return total / len(tokens)

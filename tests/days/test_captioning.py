"""Day 23: how captions are written, by hand-made steps and by the untrained decoder; and the rivals that copy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.lessons.day23_image_captioning.decoder import (
    END,
    FIRST_WORD,
    LONGEST,
    PADDING,
    START,
    UNKNOWN,
    WIDTH,
    Vocabulary,
    build,
)
from fortydays.lessons.day23_image_captioning.drills import Photographs, consensus
from fortydays.lessons.day23_image_captioning.writing import State, beam, by_keras, greedy

A, B, C = FIRST_WORD, FIRST_WORD + 1, FIRST_WORD + 2


def steps(behind: Mapping[tuple[int, ...], Mapping[int, float]]) -> Any:
    """What begins and what makes a step, from the probabilities of the token behind each beginning of a caption.

    The state is the caption so far, so that a state that gets to the wrong caption is noticed.
    """

    def begin(features: np.ndarray) -> State:
        return (np.zeros((len(features), LONGEST + 2), np.float32),)

    def step(tokens: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        (said,) = state
        probabilities, after = np.zeros((len(tokens), C + 1), np.float32), said.copy()
        for row, token in enumerate(tokens.tolist()):
            place = int((said[row] > 0).sum())
            after[row, place] = token
            for following, probability in behind.get(
                tuple(int(t) for t in after[row, 1 : place + 1]), {END: 1.0}
            ).items():
                probabilities[row, following] = probability
        return probabilities, (after,)

    return begin, step


# "a" looks best at once, but the best sentence begins with "b": 0.4 x 0.9 x 0.9 against 0.6 x 0.4 x 0.5.
MISLEADING = {
    (): {A: 0.6, B: 0.4},
    (A,): {B: 0.3, C: 0.4, END: 0.3},
    (A, B): {END: 0.5, A: 0.5},
    (A, C): {END: 0.5, A: 0.4},
    (B,): {C: 0.9, END: 0.1},
    (B, C): {END: 0.9, A: 0.1},
    (A, C, A): {END: 1.0},
    (A, B, A): {END: 1.0},
    (B, C, A): {END: 1.0},
}
ONE = np.zeros((1, 3), np.float32)


def test_greedy_writing_takes_the_best_word_each_time_and_beam_search_the_best_caption() -> None:
    assert greedy(*steps(MISLEADING), ONE) == [[A, C, END]]
    assert beam(*steps(MISLEADING), ONE, width=1) == [[A, C, END]]
    assert beam(*steps(MISLEADING), ONE, width=2) == [[B, C, END]]


def count_down(tokens: np.ndarray, state: State) -> tuple[np.ndarray, State]:
    """A step of captions that have so many words as their first feature says."""
    (left,) = state
    probabilities = np.zeros((len(tokens), C + 1), np.float32)
    probabilities[:, A], probabilities[:, END] = left[:, 0] > 0, left[:, 0] <= 0
    return probabilities, (left - 1,)


def test_captions_of_several_photographs_do_not_mix_and_end_each_for_itself() -> None:
    words = np.array([[1], [3], [0]], np.float32)
    expected = [[A, END], [A, A, A, END], [END]]
    assert greedy(lambda features: (features,), count_down, words) == expected
    assert beam(lambda features: (features,), count_down, words) == expected


def test_what_is_no_word_is_never_written_and_a_caption_that_does_not_end_is_cut_off() -> None:
    unknown = steps({(): {UNKNOWN: 0.5, PADDING: 0.3, START: 0.1, A: 0.1}, (A,): {UNKNOWN: 0.9, END: 0.1}})
    assert greedy(*unknown, ONE) == beam(*unknown, ONE, width=1) == [[A, END]]
    endless = steps({(A,) * count: {A: 1.0} for count in range(9)})
    assert greedy(*endless, ONE, longest=4) == [[A] * 4]
    assert beam(*endless, ONE, longest=4, width=1) == [[A] * 4]


def test_words_get_tokens_by_how_often_they_occur() -> None:
    vocabulary = Vocabulary.of([["a", "dog"], ["a", "cat", "dog"], ["a"]])
    assert vocabulary.words == ("a", "dog")  # "cat" is there once
    tokens = vocabulary.tokens([["dog", "cat"], ["a"] * 30])
    assert tokens.shape == (2, LONGEST + 2)
    assert tokens[0, :5].tolist() == [START, FIRST_WORD + 1, UNKNOWN, END, PADDING]
    assert tokens[1].tolist() == [START, *[FIRST_WORD] * LONGEST, END]
    assert vocabulary.caption([FIRST_WORD + 1, FIRST_WORD, END, FIRST_WORD]) == ["dog", "a"]
    assert vocabulary.caption([FIRST_WORD]) == ["a"]


def test_the_consensus_is_the_most_usual_caption_of_the_nearest_photographs() -> None:
    dogs, cars = [["a", "dog"], ["a", "dog"], ["two", "men"]], [["a", "red", "car"], ["the", "red", "car"]]
    training = Photographs(features=np.array([[1, 0], [0.9, 0.1], [0, 1]], np.float32), captions=[dogs, dogs, cars])
    test = np.array([[5, 0.1], [0, 2]], np.float32)  # near is what has a large cosine, however long it is
    assert consensus(training, test, among=2)[0] == ["a", "dog"]
    assert consensus(training, test, among=1)[1] in cars


def decoder_of(keras: Any) -> Any:
    keras.utils.set_random_seed(3)
    found = build(features=6, tokens=12)
    # Large weights, so that an untrained network is sure of something and different captions come out.
    found.whole.set_weights([4 * each if each.ndim == 2 else each for each in found.whole.get_weights()])
    return found


FEATURES = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)


def test_step_by_step_the_decoder_gives_what_it_gives_in_training(keras: Any) -> None:
    decoder = decoder_of(keras)
    tokens = np.array([[START, A, B, C]] * len(FEATURES), np.int32)
    at_once = np.asarray(decoder.whole.predict_on_batch([FEATURES, tokens]))
    begin, step = by_keras(decoder)
    state = begin(FEATURES)
    assert [each.shape for each in state] == [(5, WIDTH)] * 2
    for place in range(tokens.shape[1]):
        probabilities, state = step(tokens[:, place], state)
        assert probabilities == pytest.approx(at_once[:, place], abs=1e-5)


def test_the_exported_graphs_write_the_captions_that_keras_writes(keras: Any, tmp_path: Path) -> None:
    from fortydays.base.arrays import save_arrays
    from fortydays.lessons.day23_image_captioning.export import _work, by_onnx

    decoder = decoder_of(keras)
    save_arrays(tmp_path / "weights", decoder.whole.get_weights())
    _work({"features": 6, "tokens": 12, "folder": str(tmp_path)})  # in this process: another one takes seconds
    ours, theirs = by_keras(decoder), by_onnx(tmp_path)
    captions = greedy(*ours, FEATURES)
    assert greedy(*theirs, FEATURES) == captions
    assert beam(*theirs, FEATURES) == beam(*ours, FEATURES)
    assert len({tuple(each) for each in captions}) > 1


@pytest.mark.slow
def test_a_few_steps_of_training_lower_the_loss_and_the_best_epoch_is_kept(keras: Any) -> None:
    from fortydays.lessons.day23_image_captioning.decoder import loss_of, train

    keras.utils.set_random_seed(0)
    vocabulary = Vocabulary.of([["a", "dog", "runs"]] * 2)
    decoder = build(features=6, tokens=vocabulary.size)
    pairs = (np.repeat(FEATURES, 13, axis=0), vocabulary.tokens([["a", "dog", "runs"]] * 65))
    before = loss_of(decoder, *pairs)
    history = train(decoder, train=pairs, validation=pairs, random=np.random.default_rng(0), epochs=3)
    assert len(history) == 3
    best = min(loss for _, loss in history)
    assert loss_of(decoder, *pairs) == pytest.approx(best)
    assert best < before

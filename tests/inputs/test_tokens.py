"""Texts as tokens, and numbers: what a network is given of them, and what is refused."""

import dataclasses

import numpy as np
import pytest

from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.inputs.input import Bounds
from fortydays.inputs.kinds import read_input
from fortydays.inputs.numbers import Numbers
from fortydays.inputs.tokens import Tokens, words_of

TEXT = Tokens(length=4, vocabulary=("good", "film", "don't"), masked=True)


def tokens(text: str) -> tuple[list[int], list[bool]]:
    found = TEXT.prepare(text.encode(), Bounds())
    return found["tokens"].tolist(), found["mask"].tolist()


def test_words_get_their_numbers_unknown_ones_a_one_and_what_fills_up_a_zero() -> None:
    assert tokens("A GOOD film!") == ([0, 1, 2, 3], [False, True, True, True])
    assert tokens("don't") == ([0, 0, 0, 4], [False, False, False, True])


def test_a_curly_apostrophe_is_one_and_a_line_break_in_html_is_no_word() -> None:
    assert words_of("Don\u2019t.<br /><br>Good<BR/>film") == ["don't", "good", "film"]


def test_a_longer_text_loses_its_first_words_or_its_last_ones() -> None:
    assert tokens("film film good good good film") == ([2, 2, 2, 3], [True] * 4)
    end = dataclasses.replace(TEXT, truncation="end", masked=False)
    (array,) = end.encode("film film good good good film").values()
    assert array.tolist() == [3, 3, 2, 2]


def test_texts_that_lie_one_after_the_other_are_filled_up_and_words_above_the_vocabulary_are_unknown() -> None:
    found = TEXT.filled(np.array([2, 3, 9, 4, 3, 2, 2, 1], np.uint16), np.array([0, 3, 3, 8]))
    assert found["tokens"].tolist() == [[0, 2, 3, 1], [0, 0, 0, 0], [3, 2, 2, 1]]
    assert found["tokens"].dtype == np.int32


def test_the_words_that_the_network_sees_can_be_read_again() -> None:
    assert TEXT.words(TEXT.encode("a good film")) == "? good film"


@pytest.mark.parametrize(
    ("content", "problem", "said"),
    [
        (b"GIF89a", Problem.UNKNOWN, "It is a GIF picture; expected a text, such as a file that ends with .txt."),
        (b" ... ", Problem.DAMAGED, "The text has no word."),
        (b"good " * 3, Problem.TOO_LARGE, "The text has 15 characters; expected at most 10."),
    ],
)
def test_what_is_no_text_is_refused(content: bytes, problem: Problem, said: str) -> None:
    with pytest.raises(UnreadableContentError) as raised:
        TEXT.open(content, Bounds(characters=10))
    assert (raised.value.problem, raised.value.message) == (problem, said)


def test_a_text_of_which_no_word_is_known_gets_no_answer() -> None:
    with pytest.raises(UnreadableContentError, match=r"^The model knows none of the words of this text"):
        TEXT.prepare(b"zxqv qqq", Bounds())
    with pytest.raises(UnreadableContentError, match=r"^Text 1 of 2: The model knows none"):
        TEXT.from_json(["zxqv qqq", "good"], Bounds())


def test_an_unknown_word_is_added_before_the_first_one_or_in_its_place() -> None:
    both = TEXT.from_json(["good", "good film good film"], Bounds())
    (disturbance,) = TEXT.disturbances
    (changed,) = disturbance.ways(both)
    assert changed["tokens"].tolist() == [[0, 0, 1, 2], [1, 3, 2, 3]]
    assert changed["mask"].sum(axis=1).tolist() == [2, 4]
    assert both["tokens"].tolist() == [[0, 0, 0, 2], [2, 3, 2, 3]]


def test_a_blank_text_has_a_word_so_that_a_mean_over_its_words_is_a_number() -> None:
    assert TEXT.blank(2)["mask"].sum(axis=1).tolist() == [1, 1]


@pytest.mark.parametrize("takes", [TEXT, Numbers(shape=(2, 3)), Numbers(shape=(2,), dtype="float16")])
def test_an_input_that_is_written_down_is_read_again(takes: Tokens | Numbers) -> None:
    assert read_input(takes.as_dict()) == takes


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"kind": "sounds"}, "its kind is none of images, ngrams, numbers, tokens"),
        (
            {"kind": "tokens", "length": 0, "vocabulary": []},
            "the length of the texts is no whole number from 1 to 4,096",
        ),
        ({"kind": "tokens", "length": 4, "vocabulary": ["x" * 101]}, "is no text of 1 to 100 characters"),
        ({"kind": "tokens", "length": 4, "vocabulary": [], "masked": False}, "does not say where texts are cut"),
        ({"kind": "numbers", "shape": [0]}, "the shape of the numbers is not said"),
        ({"kind": "numbers", "shape": [2], "dtype": "float64"}, "type of the numbers is none of float32, float16"),
    ],
)
def test_a_document_that_describes_no_input_is_refused(document: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_input(document)


def test_numbers_that_are_kept_in_half_the_memory_are_shown_to_a_network_as_float32() -> None:
    kept = Numbers(shape=(2,), dtype="float16")
    shown = kept.in_numpy({"numbers": np.array([[0.5, 2.0]], np.float16)})
    assert (shown.dtype, shown.tolist()) == (np.float32, [[0.5, 2.0]])


def test_rows_of_numbers_are_taken_one_or_several_and_nothing_else() -> None:
    row = Numbers(shape=(2,))
    assert row.from_json([1, 2.5], Bounds())["numbers"].tolist() == [[1, 2.5]]
    several = row.from_json([[1, 2], [3, 4]], Bounds())["numbers"]
    assert (several.dtype, several.shape) == (np.float32, (2, 2))
    for wrong in ([1], ["1", "2"], [True, False], {}, [], [[1, 2], []], [[1], [2, 3, 4]]):
        with pytest.raises(UnreadableContentError, match="The numbers are others than this model takes"):
            row.from_json(wrong, Bounds())

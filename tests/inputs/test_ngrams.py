"""Texts as n-grams: which words there are, what a network is given of them, and what is refused."""

from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.inputs.input import Bounds
from fortydays.inputs.kinds import read_input
from fortydays.inputs.ngrams import SCALE, Ngrams, has_word, ngrams_of, runs_of, words_of

TEXT = Ngrams(length=5, longest=2, vocabulary=("film", "good", "good film", "bad"), weights=(1.0, 3.0, 4.0, 2.0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A GOOD film, isn't it?", ["a", "good", "film", "isn't", "it", "?"]),
        ("isn\u2019t", ["isn't"]),
        ("one<br />two</p>three", ["one", "two", "three"]),
        ("I <3 you", ["i", "3", "you"]),
        ("snake_case 4k", ["snake", "case", "4k"]),
        ("caf\u00e9 \u0438 \u043c\u0438\u0440", ["caf\u00e9", "\u0438", "\u043c\u0438\u0440"]),
        ("\u5f88\u597d\u770b", ["\u5f88", "\u597d", "\u770b"]),
        ("\u0647\u064e\u0630\u0627", ["\u0647\u064e\u0630\u0627"]),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", ["\u0939\u093f\u0928\u094d\u0926\u0940"]),
        ("fine \U0001f600\U0001f600", ["fine", "\U0001f600", "\U0001f600"]),
        ("x" * 100, ["x" * 40]),
        (" ... ", []),
    ],
)  # fmt: skip
def test_words_are_told_apart_in_many_scripts(text: str, words: list[str]) -> None:
    assert words_of(text) == words
    assert has_word(text) == bool(words)
    # What is found in plain letters does not depend on others that stand beside them.
    assert words_of(f"{text} \u00e9") == [*words, "\u00e9"]


def test_ngrams_are_different_words_and_pairs_of_neighbours() -> None:
    assert list(ngrams_of("good good film", 2)) == ["good", "film", "good good", "good film"]
    assert list(ngrams_of("good", 2)) == ["good"]


def test_runs_of_characters_stay_inside_their_words_and_say_where_these_begin_and_end() -> None:
    assert list(runs_of("A ab")) == [" a", "a ", " a ", " a", "ab", "b ", " ab", "ab ", " ab "]
    assert set(runs_of("<br />\u597d:)")) == {" \u597d", "\u597d:", ":)", ") ", " \u597d:", "\u597d:)", ":) ",
                                              " \u597d:)", "\u597d:) ", " \u597d:) "}  # fmt: skip
    assert max(map(len, runs_of("incomprehensible"))) == 5
    assert list(runs_of(" \n ")) == []


def test_a_text_can_be_taken_as_runs_of_characters() -> None:
    takes = Ngrams(
        length=4, longest=5, vocabulary=(" goo", "ood", "bad "), weights=(3.0, 4.0, 1.0), units="characters"
    )
    found = takes.encode("Goodness!")
    assert found["ngrams"].tolist() == [1, 2, 3, 0]
    assert found["values"].tolist() == pytest.approx([1, SCALE * 0.6, SCALE * 0.8, 0])
    assert takes.encode("badly")["ngrams"].tolist() == [1, 0, 0, 0]
    assert takes.words(found) == "ood _goo"
    assert takes.title == "a text, of which it knows 3 runs of characters"
    assert read_input(takes.as_dict()) == takes
    before = {name: value for name, value in TEXT.as_dict().items() if name != "units"}
    assert read_input(before) == TEXT  # of bundles that were made when there were words only
    for change, said in (
        ({"units": "letters"}, "what its n-grams are made of is none of words, characters"),
        ({"longest": 6}, "the longest n-gram has no number of characters from 2 to 5"),
        ({"vocabulary": ["longer", "ab", "cd"]}, "is no text of 1 to 5 characters"),
    ):
        with pytest.raises(ValueError, match=said):
            read_input({**takes.as_dict(), **change})


def arrays(text: str) -> tuple[list[int], list[float]]:
    found = TEXT.prepare(text.encode(), Bounds())
    return found["ngrams"].tolist(), found["values"].tolist()


def test_every_text_has_its_bias_and_values_of_one_length() -> None:
    numbers, values = arrays("bad film")
    assert numbers == [1, 2, 5, 0, 0]
    assert values == pytest.approx([1, SCALE / 5**0.5, SCALE * 2 / 5**0.5, 0, 0])


def test_a_text_of_which_nothing_is_known_gets_no_answer() -> None:
    # To learn and to measure it is a text as others are: it has the bias alone.
    assert TEXT.encode("unheard of")["ngrams"].tolist() == [1, 0, 0, 0, 0]
    for ask in (
        lambda: TEXT.prepare(b"unheard of", Bounds()),
        lambda: TEXT.open(b"unheard of", Bounds()).arrays(),
        lambda: TEXT.from_json("unheard of", Bounds()),
    ):
        with pytest.raises(UnreadableContentError, match=r"^The model knows none of the words of this text, so"):
            ask()
    with pytest.raises(UnreadableContentError, match=r"^Text 2 of 3: The model knows none of the words"):
        TEXT.from_json(["good", "unheard of", "bad"], Bounds())


def test_a_text_that_is_not_utf8_is_read_as_tables_are_and_that_is_said() -> None:
    opened = TEXT.open("Un caf\u00e9, good".encode("cp1252"), Bounds())
    assert opened.text == "Un caf\u00e9, good"
    assert opened.note.startswith("It is read as cp1252, the encoding of Windows in western Europe: it is not UTF-8.")
    opened = TEXT.open("good".encode("utf-16"), Bounds())
    assert (opened.text, opened.note) == ("good", "It is read as UTF-16.")
    assert TEXT.open(b"\xef\xbb\xbfgood", Bounds()).note == ""
    assert TEXT.blank(2)["ngrams"].tolist() == [[1, 0, 0, 0, 0]] * 2


def test_of_too_many_ngrams_those_that_weigh_most_count() -> None:
    short = Ngrams(length=3, longest=2, vocabulary=TEXT.vocabulary, weights=TEXT.weights)
    assert short.encode("good film bad")["ngrams"].tolist() == [1, 3, 4]


@pytest.mark.parametrize(
    ("content", "problem", "said"),
    [
        (b"\x89PNG\r\n\x1a\n", Problem.UNKNOWN,
         "It is a PNG picture; expected a text, such as a file that ends with .txt."),
        (bytes(range(32)) * 9, Problem.UNKNOWN,
         "It is binary data; expected a text, such as a file that ends with .txt."),
        (b" ... ", Problem.DAMAGED, "The text has no word."),
        (b"good " * 3, Problem.TOO_LARGE, "The text has 15 characters; expected at most 10."),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused(content: bytes, problem: Problem, said: str) -> None:
    with pytest.raises(UnreadableContentError) as raised:
        TEXT.open(content, Bounds(characters=10))
    assert (raised.value.problem, raised.value.message) == (problem, said)


@pytest.mark.parametrize("values", [3, [], ["good", 1], {"a": 1}, None])
def test_json_of_another_type_is_refused(values: object) -> None:
    with pytest.raises(UnreadableContentError, match="no text and no list of texts"):
        TEXT.from_json(values, Bounds())


def test_json_may_have_one_text_or_several() -> None:
    assert TEXT.from_json("good", Bounds())["ngrams"].shape == (1, 5)
    assert TEXT.from_json(["good", "bad film"], Bounds())["ngrams"].tolist() == [[1, 3, 0, 0, 0], [1, 2, 5, 0, 0]]


def test_numbers_that_no_ngram_has_are_refused() -> None:
    both = TEXT.from_json(["good"], Bounds())
    with pytest.raises(ValueError, match="expected 0 to 5"):
        TEXT.check({**both, "ngrams": both["ngrams"] + 6})
    with pytest.raises(ValueError, match="not finite"):
        TEXT.check({**both, "values": np.full((1, 5), np.inf, np.float32)})


def test_the_least_telling_ngram_is_left_out_where_that_is_to_mean_nothing() -> None:
    encoded = [TEXT.encode(text) for text in ("good film", "unheard of")]
    both = {name: np.stack([each[name] for each in encoded]) for name in encoded[0]}
    (disturbance,) = TEXT.disturbances
    (changed,) = disturbance.ways(both)
    assert changed["ngrams"].tolist() == [[1, 0, 3, 4, 0], [1, 0, 0, 0, 0]]
    assert changed["values"][0, 1] == 0
    assert both["ngrams"][0].tolist() == [1, 2, 3, 4, 0]


def test_it_can_be_written_down_and_read() -> None:
    assert read_input(TEXT.as_dict()) == TEXT
    assert TEXT.title == "a text, of which it knows 4 words and pairs of words"
    assert TEXT.words(TEXT.encode("a good film")) == "good film"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"length": 0}, "the length of the texts is no whole number from 1 to 4,096"),
        ({"longest": 9}, "the longest n-gram has no number of words from 1 to 3"),
        ({"vocabulary": [""]}, "an n-gram of the vocabulary is no text of 1 to 82 characters"),
        ({"weights": [1.0]}, "there is not one weight for each n-gram of the vocabulary"),
        ({"weights": [1.0, float("nan"), 1.0, 1.0]}, "a weight of an n-gram is no number between 0 and 1,000,000"),
    ],
)
def test_a_document_that_describes_none_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_input({**TEXT.as_dict(), **change})

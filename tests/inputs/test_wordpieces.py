"""Texts as pieces of words: cut as BERT cuts them, filled up behind, and what is refused."""

import numpy as np
import pytest

from fortydays.base.errors import Problem, UnreadableContentError
from fortydays.inputs.input import Bounds
from fortydays.inputs.kinds import read_input
from fortydays.inputs.wordpieces import Wordpieces, read_vocabulary, words_of

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "film", "un", "##believ", "##able", "##ab", "don", "'", "t", ".")
UNKNOWN, BEGIN, END = 1, 2, 3
TEXT = Wordpieces(length=8, vocabulary=PIECES)


def tokens(text: str) -> list[int]:
    (found,) = TEXT.encode(text).values()
    assert found.dtype == np.int32
    numbers: list[int] = found.tolist()
    return numbers


def test_a_text_begins_and_ends_and_is_filled_up_behind() -> None:
    assert tokens("A GOOD film.") == [BEGIN, UNKNOWN, 4, 5, 13, END, 0, 0]
    assert tokens("Don't") == [BEGIN, 10, 11, 12, END, 0, 0, 0]
    assert tokens("") == [BEGIN, END, 0, 0, 0, 0, 0, 0]


def test_a_word_is_cut_into_the_longest_pieces_or_is_unknown_as_a_whole() -> None:
    assert tokens("unbelievable") == [BEGIN, 6, 7, 8, END, 0, 0, 0]
    assert tokens("unbelievab") == [BEGIN, 6, 7, 9, END, 0, 0, 0]
    assert tokens("unbelieving") == [BEGIN, UNKNOWN, END, 0, 0, 0, 0, 0]
    assert tokens("un" * 51) == [BEGIN, UNKNOWN, END, 0, 0, 0, 0, 0]


def test_a_longer_text_loses_its_last_pieces_and_keeps_its_end() -> None:
    assert tokens("good film good film good film good film") == [BEGIN, 4, 5, 4, 5, 4, 5, END]
    assert tokens("good good good good unbelievable") == [BEGIN, 4, 4, 4, 4, 6, 7, END]


def test_texts_whose_pieces_are_known_are_filled_up_as_they_are_encoded() -> None:
    texts = ["good film", "", "good film good film good film good film"]
    pieces = [np.array(Wordpieces(length=512, vocabulary=PIECES).pieces_of(text), np.uint16) for text in texts]
    offsets = np.cumsum([0, *map(len, pieces)])

    found = TEXT.filled(np.concatenate(pieces), offsets)

    assert found.dtype == np.int32
    assert found.tolist() == [TEXT.encode(text)["tokens"].tolist() for text in texts]


def test_a_text_of_any_length_takes_a_moment() -> None:
    spaces = " " * 1_000
    assert tokens(f"good{spaces}film{spaces}good") == [BEGIN, 4, 5, END, 0, 0, 0, 0]


def test_names_of_special_pieces_in_a_text_are_text() -> None:
    assert tokens("[SEP]") == [BEGIN, UNKNOWN, UNKNOWN, UNKNOWN, END, 0, 0, 0]


# What the library `tokenizers`, 0.23.3, makes of these with BERT's uncased rules.
WORDS = {
    "Don't": ["don", "'", "t"],
    "don\u2019t \u2014 stop\u2026": ["don", "\u2019", "t", "\u2014", "stop", "\u2026"],
    "caf\u00e9 CAF\u00c9 na\u00efve e\u0301te\u0301": ["cafe", "cafe", "naive", "ete"],
    "\u0130stanbul stra\u00dfe": ["istanbul", "stra\u00dfe"],
    "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3": ["\u03c3\u03b9\u03c3\u03c5\u03c6\u03bf\u03c3"],
    "\u65e5\u672c\u306e text": ["\u65e5", "\u672c", "\u306e", "text"],
    "\ud55c\uad6d": ["\u1112\u1161\u11ab\u1100\u116e\u11a8"],
    "\u0645\u0631 \u05e9\u05dc\u05d5\u05dd": ["\u0645\u0631", "\u05e9\u05dc\u05d5\u05dd"],
    "\U0001f600 smile \U0001f600\U0001f600": ["\U0001f600", "smile", "\U0001f600\U0001f600"],
    "a\x00b\x01c a\u200bb a\u00adb \ufffdbad\ufeff": ["abc", "ab", "ab", "bad"],
    "\u2028line\u2029sep\x85nel": ["line", "sepnel"],
    "\u2260 \u2264 \u20ac5.00 $3^2 a_b": ["=", "\u2264", "\u20ac5", ".", "00", "$", "3", "^", "2", "a", "_", "b"],
    "user@x.y/z?q=1": ["user", "@", "x", ".", "y", "/", "z", "?", "q", "=", "1"],
    "\u037e;\u1fef": [";", ";", "`"],
    "\ufb01ne \uff11\uff21 \u01c4 \u1e9e": ["\ufb01ne", "\uff11\uff41", "\u01c6", "\u00df"],
    "<br />good": ["<", "br", "/", ">", "good"],
    "tab\tline\nend\r": ["tab", "line", "end"],
    " \t\n": [],
}  # fmt: skip


@pytest.mark.parametrize("text", WORDS, ids=ascii)
def test_words_are_taken_apart_as_bert_does(text: str) -> None:
    assert words_of(text) == WORDS[text]
    # Of text in ASCII and of other text the same comes out.
    assert words_of(f"{text} \u00e9") == [*WORDS[text], "e"]


def test_the_words_that_the_network_sees_can_be_read_again_with_their_places() -> None:
    arrays = TEXT.encode("A unbelievable film")
    assert TEXT.words(arrays) == "? unbelievable film"
    assert TEXT.words_of_pieces(arrays["tokens"]) == [("?", [1]), ("unbelievable", [2, 3, 4]), ("film", [5])]


def test_a_full_stop_more_means_nothing() -> None:
    (disturbance,) = TEXT.disturbances
    assert disturbance.change == "a full stop is added at the end"
    arrays = {"tokens": np.array([tokens("good film"), tokens("good film good film good film")])}
    (changed,) = disturbance.ways(arrays)
    assert changed["tokens"].tolist() == [[BEGIN, 4, 5, 13, END, 0, 0, 0], [BEGIN, 4, 5, 4, 5, 4, 13, END]]


def test_a_blank_text_has_one_unknown_word() -> None:
    assert TEXT.blank(2)["tokens"].tolist() == 2 * [[BEGIN, UNKNOWN, END, 0, 0, 0, 0, 0]]


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


def test_a_text_without_a_known_piece_has_no_answer_and_several_say_which_one() -> None:
    with pytest.raises(UnreadableContentError) as raised:
        TEXT.from_json(["good", "zzz"], Bounds())
    assert raised.value.message == (
        "Text 2 of 2: The model knows none of the words of this text, so there is no answer."
    )
    for none in (3, [], [3], {}):
        with pytest.raises(UnreadableContentError, match="no text and no list of texts"):
            TEXT.from_json(none, Bounds())
    assert TEXT.from_json("good", Bounds())["tokens"].shape == (1, 8)
    assert TEXT.open(b"good", Bounds()).arrays()["tokens"].tolist() == tokens("good")


def test_numbers_that_no_piece_has_are_refused() -> None:
    TEXT.check({"tokens": np.array([tokens("good")], np.int32)})
    for wrong in (-1, len(PIECES)):
        with pytest.raises(ValueError, match="expected 0 to 13"):
            TEXT.check({"tokens": np.full((1, 8), wrong, np.int32)})


def test_what_is_written_down_is_read_again() -> None:
    assert read_input(TEXT.as_dict()) == TEXT
    assert TEXT.summary() == {"kind": "wordpieces", "length": 8, "pieces": 14}
    assert TEXT.title == "a text, of which it reads the first 8 pieces of words"
    assert TEXT.of_texts


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"length": 2}, "whole number from 3 to 512"),
        ({"length": 513}, "whole number from 3 to 512"),
        ({"length": True}, "whole number from 3 to 512"),
        ({"vocabulary": None}, "no vocabulary"),
        ({"vocabulary": [*PIECES, ""]}, "no text of 1 to 100 characters"),
        ({"vocabulary": [*PIECES, 3]}, "no text of 1 to 100 characters"),
        ({"vocabulary": [*PIECES, "good"]}, "a piece twice"),
        ({"vocabulary": ["film", *(each for each in PIECES if each != "film")]}, r"does not begin with \[PAD\]"),
        ({"vocabulary": ["[PAD]", "[UNK]", "[CLS]"]}, r"has no \[UNK\], \[CLS\] and \[SEP\]"),
        ({"vocabulary": list(map(str, range(2**17 + 1)))}, "131,073 pieces; expected at most 131,072"),
    ],
)
def test_what_describes_no_texts_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_input({**TEXT.as_dict(), **changes})


def test_a_file_of_pieces_is_read_line_by_line() -> None:
    assert read_vocabulary("\n".join(PIECES).encode()) == PIECES
    assert read_vocabulary("\n".join([*PIECES, "\u2028", ""]).encode()) == (*PIECES, "\u2028")
    with pytest.raises(ValueError, match="codec can't decode"):
        read_vocabulary(b"[PAD]\n\xff")

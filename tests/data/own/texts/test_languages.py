"""Which languages a reader's texts are in, and what is said of them."""

import pytest

from fortydays.data.own.texts.languages import (
    NAMES,
    UNTOLD,
    counted_languages,
    in_a_line,
    languages_of,
    notes_on,
)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The food was great, but the waiter was slow and rude.", "English"),
        ("Das Essen war sehr gut, aber die Bedienung leider nicht.", "German"),
        ("Le repas était très bon, mais le service trop lent.", "French"),
        ("La comida estaba muy buena, pero el servicio era lento.", "Spanish"),
        ("Еда была вкусная, но обслуживание очень медленное.", "Russian"),
        ("料理はとてもおいしかったですが、サービスは遅かったです。", "Japanese"),
        ("האוכל היה טעים מאוד אבל השירות היה איטי", "Hebrew"),
        ("THE FOOD WAS GREAT, BUT THE WAITER WAS SLOW AND RUDE.", "English"),
        ("<p class='intro'>Das Essen war sehr gut,<br />aber die Bedienung leider nicht.</p>", "German"),
        ("ok", UNTOLD),
        ("12345 !!!", UNTOLD),
        ("", UNTOLD),
    ],
)
def test_the_language_of_a_sentence_is_told_and_that_of_a_word_or_a_number_is_not(text: str, language: str) -> None:
    assert languages_of([text]) == [language]


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    english, german = "This is quite a long sentence in English. " * 30, "Und das hier ist nun Deutsch. " * 3_000
    assert languages_of([english + german]) == ["English"]


def test_every_language_that_the_library_knows_has_a_name() -> None:
    from fortydays.data.own.texts import languages

    assert set(languages._identifier().nb_classes) - {"zxx"} == set(NAMES)  # "zxx" says: no language


def test_languages_of_hardly_a_text_count_as_not_told() -> None:
    told = counted_languages(["German"] * 40 + ["English"] * 959 + ["Walloon"] + [UNTOLD] * 10)
    assert list(told.items()) == [("English", 959), ("German", 40), (UNTOLD, 11)]
    assert in_a_line(told) == "English 96%, German 4%; 11 of 1,010 texts do not tell"
    assert in_a_line({"English": 3}) == "English 100%"
    assert in_a_line({UNTOLD: 3}) == "The language cannot be told of any of 3 texts"
    assert in_a_line({}) == ""


def test_a_second_language_is_worth_a_note_where_it_has_a_twentieth_of_the_texts() -> None:
    labels = ["good", "bad"] * 50
    assert notes_on(["English"] * 96 + ["German"] * 4, labels) == []
    assert notes_on(["English"] * 95 + ["German"] * 5, labels) == [
        "The texts are in several languages: English, German. What is learned from texts of one says little about "
        "texts of another, so each needs enough texts of every class."
    ]


def test_a_language_that_gives_the_label_away_is_named() -> None:
    languages = ["English"] * 19 + ["German"] + ["German"] * 19 + ["English"]
    _, first, second = notes_on(languages, ["good"] * 20 + ["bad"] * 20)
    assert first == (
        "95% of the texts of 'bad' are in German, and 5% of the others. The model will tell languages apart, and not "
        "what the classes mean."
    )
    assert second.startswith("95% of the texts of 'good' are in English, and 5% of the others.")
    # With a third class in German, it no longer gives 'bad' away; English still gives 'good' away.
    _, only = notes_on(languages + ["German"] * 20, ["good"] * 20 + ["bad"] * 20 + ["so so"] * 20)
    assert "of 'good' are in English" in only
    # Of nine texts nothing is said.
    assert len(notes_on(["English"] * 9 + ["German"] * 9, ["good"] * 9 + ["bad"] * 9)) == 1

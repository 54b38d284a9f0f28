"""The page "Guess before it opens" in a real browser: the verdict after the guess, the score, and what is kept."""

from typing import Any

import pytest

from fortydays.site.finished import FinishedDay
from fortydays.site.play.words import WORDS
from fortydays.study.judgement import Judgement, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ANSWERS = [Verdict.SUPPORTED, Verdict.UNDECIDED, Verdict.REFUTED]
"""In the order of the buttons."""


@pytest.fixture
def page(opened: Any) -> Any:
    return opened("play/guess.html")


def said(claim: Judgement) -> str:
    return f"{WORDS['demonstration' if claim.demonstration else 'claim'][claim.verdict][0]} {claim.word}"


def test_the_verdict_is_shown_after_the_guess_and_the_keyboard_is_enough(page: Any, days: list[FinishedDay]) -> None:
    first, second = [claim for day in days for claim in day.results.claims][:2]
    assert page.text_content("#guessed") == first.claim
    assert page.is_hidden("#opened")
    assert page.text_content("#scored") == "No guess yet."
    page.locator("#answers button").first.focus()
    page.keyboard.press(str(ANSWERS.index(first.verdict) + 1))
    assert f"You were right: {said(first)}" in page.text_content("#outcome")
    assert page.is_visible("#figure svg")
    assert page.evaluate("document.activeElement.id") == "next"
    page.keyboard.press("Enter")
    assert page.text_content("#guessed") == second.claim
    wrong = next(verdict for verdict in reversed(ANSWERS) if verdict is not second.verdict)
    for _ in range(ANSWERS.index(wrong)):
        page.keyboard.press("Tab")  # from the first answer to the next
    page.keyboard.press("Space")
    assert said(second) in page.text_content("#outcome")
    assert "1 of 2 right." in page.text_content("#scored")
    much, little = wrong is Verdict.SUPPORTED, second.verdict is Verdict.SUPPORTED
    told = f"You believed {'1 claim' if much else 'none'} too much and {'1' if little else 'none'} too little."
    assert told in page.text_content("#scored")
    page.locator("#next").focus()
    page.keyboard.press("1")  # a guess is not taken back
    assert "1 of 2 right." in page.text_content("#scored")


def test_a_key_guesses_only_where_an_answer_has_the_focus(page: Any) -> None:
    for place in ("body", "#which", "#over", ".menu a"):
        page.evaluate("(place) => document.querySelector(place).focus()", place)
        page.keyboard.press("2")
    assert page.text_content("#scored") == "No guess yet."
    page.locator("#answers button").nth(2).focus()
    page.keyboard.press("2")
    assert page.text_content("#so-far").startswith("1 of ")


def test_who_believes_all_believes_the_refuted_and_undecided_ones_too_much(page: Any, days: list[FinishedDay]) -> None:
    claims = [claim for day in days for claim in day.results.claims]
    page.locator("#answers button").first.focus()
    for _ in claims:
        page.keyboard.press("1")
        page.keyboard.press("Enter")
    right = sum(claim.verdict is Verdict.SUPPORTED for claim in claims)
    told = page.text_content("#scored")
    assert f"{right} of {len(claims)} right. Whoever believes every claim has {right}." in told
    assert f"You believed {len(claims) - right} claims too much and none too little." in told
    cells = [row.split("\t") for row in page.locator("#by-kind tbody tr").all_inner_texts()]
    assert sum(int(row[1]) for row in cells) == len(claims)
    assert sum(int(row[3]) for row in cells) == len(claims) - right


def test_guesses_are_kept_in_the_browser_until_one_starts_over(page: Any) -> None:
    claim = page.text_content("#guessed")
    page.locator("#answers button").nth(2).click()
    page.reload()
    assert page.text_content("#guessed") != claim
    assert page.text_content("#so-far").startswith("1 of ")
    page.click("#over")
    assert page.text_content("#guessed") == claim
    page.reload()
    assert page.text_content("#so-far").startswith("0 of ")


def test_what_was_kept_by_others_does_no_harm(page: Any) -> None:
    page.evaluate("""() => localStorage.setItem("fortydays guesses", '{"1-00000000": "perhaps", "x": "refuted"}')""")
    page.reload()
    assert page.text_content("#scored") == "No guess yet."
    page.evaluate("""() => localStorage.setItem("fortydays guesses", "[1]")""")
    page.reload()
    page.locator("#answers button").nth(2).click()
    assert page.text_content("#so-far").startswith("1 of ")


def test_one_day_can_be_asked_alone(page: Any, opened: Any, days: list[FinishedDay]) -> None:
    page.select_option("#which", "4")
    assert page.text_content("#day").startswith("Day 4.")
    day = next(day for day in days if day.day.number == 4)
    assert page.text_content("#so-far") == f"0 of {len(day.results.claims)} guessed"
    assert opened("play/guess.html#day-4").text_content("#guessed") == day.results.claims[0].claim

"""What a reader has passed: on the pages that are served, and never on those that are written."""

from collections.abc import Mapping

import pytest
from made_up_days import finished

from fortydays.base.errors import StorageError
from fortydays.exercises.progress import Progress
from fortydays.site.pages import make_site
from fortydays.site.solved import filler, mark, without_marks

KEPT = Progress(
    exercises={"1.1": {"tries": 2, "passed": "2026-11-29T00:00:00Z"}, "1.2": {"tries": 1}, "4.1": {"hints": 1}}
)


@pytest.fixture(scope="module")
def served() -> Mapping[str, bytes]:
    return make_site([finished(1), finished(4)], [], marked=True)


def filled(page: str | bytes, kept: Progress = KEPT) -> str:
    return filler(lambda: kept)(page.encode() if isinstance(page, str) else page).decode()


def test_a_site_that_is_written_says_nothing_of_anybody() -> None:
    site = make_site([finished(1), finished(4)], [])
    assert [path for path, page in site.items() if b"<!--solved" in page or b"You have" in page] == []
    assert b"solved 0" not in b"".join(site.values())


def test_without_marks_both_are_the_same(served: Mapping[str, bytes]) -> None:
    site = make_site([finished(1), finished(4)], [])
    assert {path: without_marks(page) for path, page in served.items()} == site


def test_a_day_says_how_many_have_passed_and_which(served: Mapping[str, bytes]) -> None:
    page = filled(served["days/01-first-network.html"])
    assert '<p class="solved" role="note">You have passed 1 of 5 exercises.</p>' in page
    assert '1. A dense layer<span class="solved passed">✓ passed</span></summary>' in page
    assert '2. Softmax<span class="solved tried">tried</span></summary>' in page
    assert page.count('<span class="solved') == 2
    assert "You have passed 0 of 5 exercises." in filled(served["days/04-regularization.html"])


def test_the_first_page_has_every_day_that_was_begun_and_says_where_to_go_on(served: Mapping[str, bytes]) -> None:
    page = filled(served["index.html"])
    assert page.count('<span class="solved">') == 1
    assert '<span class="solved">1 of 5 solved</span>' in page
    assert "You have passed 1 of " in page
    assert "Go on with day 1, First neural network: <code>forty exercise 1</code>" in page


def test_who_has_begun_nothing_is_shown_no_tile(served: Mapping[str, bytes]) -> None:
    page = filled(served["index.html"], Progress())
    assert "You have passed 0 of " in page
    assert '<span class="solved">' not in page


def test_it_is_read_anew_for_every_page() -> None:
    kept = Progress()
    fill = filler(lambda: kept)
    assert fill(mark("exercise", 1, 2).encode()) == b""
    kept.exercises["1.2"] = {"tries": 1}
    assert fill(mark("exercise", 1, 2).encode()) == b'<span class="solved tried">tried</span>'


def test_what_cannot_be_read_is_left_out() -> None:
    def broken() -> Progress:
        raise StorageError("The disk is gone.")

    assert filler(broken)(f"a{mark('all')}b".encode()) == b"ab"


def test_an_exercise_that_is_none_any_more_is_left_out() -> None:
    assert filled(mark("exercise", 1, 99)) == ""
    assert filled(mark("day", 40)) == ""

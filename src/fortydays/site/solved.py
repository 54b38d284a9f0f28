"""What a reader has passed, on the pages that are served on the reader's own machine.

Pages are made with marks where this is to be said. A server fills them in each time that a page is asked for. Pages
that are written to the disk have none.
"""

import re
from collections.abc import Callable

from fortydays.base.errors import FortydaysError
from fortydays.days.journey import JOURNEY
from fortydays.exercises.finding import days_with_exercises, exercises_of
from fortydays.exercises.progress import Progress

_MARK = re.compile(rb"<!--solved ([a-z]+) (\d+) (\d+)-->")


def mark(what: str, day: int = 0, number: int = 0) -> str:
    """A place on a page that a server fills in.

    Args:
        what: "all" (a sentence on all days), "day" (on one day), "tile" (a few words on one day), or "exercise".
        day: which one.
        number: of the exercise.
    """
    return f"<!--solved {what} {day} {number}-->"


def without_marks(page: bytes) -> bytes:
    """A page that says nothing of anybody."""
    return _MARK.sub(b"", page)


def filler(read: Callable[[], Progress]) -> Callable[[bytes], bytes]:
    """What fills in a page.

    Args:
        read: gives what the reader has passed so far. Where it cannot, the page says nothing of it.
    """

    def fill(page: bytes) -> bytes:
        if not _MARK.search(page):
            return page
        try:
            kept = read()
        except FortydaysError:
            return without_marks(page)
        return _MARK.sub(lambda found: _said(kept, found[1].decode(), int(found[2]), int(found[3])).encode(), page)

    return fill


def _said(kept: Progress, what: str, day: int, number: int) -> str:
    places = [place for each in days_with_exercises() for place in exercises_of(each)]
    if what != "all":
        places = [place for place in places if place.day == day]
    passed, tried = sum(map(kept.passed, places)), sum(kept.tries(place) > 0 for place in places)
    if what == "exercise":
        place = next((place for place in places if place.number == number), None)
        if place is None or not kept.tries(place):
            return ""
        words = ("passed", "✓ passed") if kept.passed(place) else ("tried", "tried")
        return f'<span class="solved {words[0]}">{words[1]}</span>'
    if what == "tile":
        return f'<span class="solved">{passed} of {len(places)} solved</span>' if tried else ""
    if not places:
        return ""
    said = f"You have passed {passed} of {len(places)} exercises"
    if what == "day":
        return f'<p class="solved" role="note">{said}.</p>'
    following = next((place.day for place in places if not kept.passed(place)), None)
    if following is None:
        return f'<p class="solved" role="note">{said}: all of them.</p>'
    go_on = f"Go on with day {following}, {JOURNEY[following - 1].title}: <code>forty exercise {following}</code>"
    return f'<p class="solved" role="note">{said}. {go_on}</p>'

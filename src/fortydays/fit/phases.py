"""The phases of a fit: which there are, what is kept already, and how long each took the last time."""

from collections.abc import Mapping

from fortydays.base import clock
from fortydays.base.progress import Progress

LEARNING, MISTAKES = "learning", "looking for mistakes"
PHASES = ("looking", LEARNING, "calibrating", "registering", "gates", MISTAKES)


class Phases:
    """Tells the phases at the start, and after each one how long it took. What is left is told where it is known."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self.progress = progress
        self._measured: Mapping[str, float] = {}
        self._kept: tuple[str, ...] = ()
        self._began = clock.seconds()

    def plan(self, *, measured: Mapping[str, float], kept: tuple[str, ...]) -> None:
        """Say which phases there are.

        Args:
            measured: seconds of the phases when such photographs were last fitted on this machine; empty if never.
            kept: phases whose results are there already.
        """
        self._measured, self._kept = measured, kept
        told = []
        for phase in PHASES:
            last = f" (last time {_in_words(measured[phase])})" if phase in measured else ""
            told.append(phase + (" (done)" if phase in self.seconds else " (kept)" if phase in kept else last))
        self.progress.say(f"{len(told)} phases: {', '.join(told)}.{self._left()}")

    def done(self, phase: str) -> None:
        """A phase has ended."""
        now = clock.seconds()
        took, self._began = now - self._began, now
        self.seconds[phase] = took
        number = PHASES.index(phase) + 1
        if number > 1:  # before the plan is known there is nothing to say of the rest
            self.progress.say(f"Phase {number} of {len(PHASES)}, {phase}: {_in_words(took)}.{self._left()}")

    def _left(self) -> str:
        rest = [phase for phase in PHASES if phase not in self.seconds and phase not in self._kept]
        if not rest:
            return " That was the last one."
        if not self._measured.keys() >= set(rest):
            return ""
        return f" The rest took {_in_words(sum(self._measured[phase] for phase in rest))} the last time."


def _in_words(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 100 else f"{seconds / 60:,.0f} min"

"""The phases of a fit: which there are, what is kept already, how long the rest will take."""

from collections.abc import Mapping
from types import MappingProxyType

from fortydays.base import clock
from fortydays.base.progress import Progress

LEARNING, MISTAKES = "learning", "looking for mistakes"

# Seconds on two cores, but for learning, which depends on the backbone.
_USUAL: Mapping[str, float] = MappingProxyType(
    {"looking": 5.0, LEARNING: 30.0, "calibrating": 5.0, "registering": 25.0, "gates": 15.0, MISTAKES: 20.0}
)


class Phases:
    """Tells the phases at the start, and after each one how much is left. Times how long each takes."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self.progress = progress
        self._expected = dict(_USUAL)
        self._kept: set[str] = set()
        self._began = clock.seconds()

    def plan(self, *, computing: float, before: Mapping[str, float], kept: tuple[str, ...]) -> None:
        """Say which phases there are.

        Args:
            computing: seconds that the backbone will need for all photographs.
            before: seconds of the phases when these photographs were last fitted; empty if they never were.
            kept: phases whose results are there already.
        """
        self._expected[LEARNING] += computing
        self._expected |= {phase: float(took) for phase, took in before.items() if phase in _USUAL}
        self._kept = set(kept)
        told = []
        for phase in _USUAL:
            about = f"about {_in_words(self._expected[phase])}"
            told.append(f"{phase} ({'done' if phase in self.seconds else 'kept' if phase in self._kept else about})")
        self.progress.say(f"{len(told)} phases: {', '.join(told)}. {self._left()}")

    def done(self, phase: str) -> None:
        """A phase has ended."""
        now = clock.seconds()
        took = now - self._began
        self.seconds[phase] = self.seconds.get(phase, 0.0) + took
        self._began = now
        number = list(_USUAL).index(phase) + 1
        if number > 1:  # before the plan is known there is nothing to say of the rest
            self.progress.say(f"Phase {number} of {len(_USUAL)}, {phase}: {_in_words(took)}. {self._left()}")

    def _left(self) -> str:
        rest = sum(s for phase, s in self._expected.items() if phase not in self.seconds and phase not in self._kept)
        return f"About {_in_words(rest)} left in all." if rest else "That was the last one."


def _in_words(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 100 else f"{seconds / 60:,.0f} min"

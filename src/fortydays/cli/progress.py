"""How long work looks on the reader's screen: bars with the time left on a terminal, plain lines elsewhere."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fortydays.base import clock
from fortydays.base.progress import Progress, amount
from fortydays.cli import streams
from fortydays.cli.stopping import stopping_in_time

if TYPE_CHECKING:
    import rich.console
    import rich.progress

_SECONDS_BETWEEN_LINES = 10.0
_SHARE_BETWEEN_LINES = 0.1
_SECONDS_AT_LEAST = 1.0  # even where tenths pass faster
_MOST_SHOWN = 9
"""Tasks that are shown at once: a study and eight of its trials. Of the others it is told how many there are."""


@contextlib.contextmanager
def working(last_words: str) -> Iterator[Progress]:
    """Show progress on standard error while the block runs, and let a signal to stop end it soon with these words."""
    with console_progress(streams.console(stderr=True)) as progress, stopping_in_time(lambda: last_words):
        yield progress


@contextlib.contextmanager
def console_progress(console: "rich.console.Console", *, bars: bool = True) -> Iterator[Progress]:
    """Show progress on a console while the block runs.

    On a terminal each running task has a bar, in the order of their starts, so that a study's bar stands above its
    trial's. A bar goes when its task ends; a note of the end stays as a line. Elsewhere (a file, the log of a build)
    a task gets a line when ten seconds have passed or a tenth of it is done, and one at its end. Of more than eight
    tasks beside the first, the others wait for one of these to end, and the first says how many they are.

    Args:
        console: where to write; results go to standard output, so this is one on standard error.
        bars: False gives lines on a terminal too.
    """
    if not bars or not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(console)
        return
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Bars(*columns, console=console, transient=True, refresh_per_second=4) as shown:
        yield _Bars(shown)


class _Bars(Progress):
    def __init__(self, bars: "rich.progress.Progress") -> None:
        self._bars = bars
        self._tasks: dict[str, tuple[rich.progress.TaskID, float | None, str]] = {}

    def start(self, task: str, *, total: float | None, unit: str) -> None:
        self._remove(task)
        visible = len(self._tasks) < _MOST_SHOWN
        row = self._bars.add_task(task, total=total, visible=visible, amount="", note="")
        self._tasks[task] = row, total, unit

    def advance(self, task: str, *, done: float, note: str = "") -> None:
        row, total, unit = self._tasks[task]
        if task == next(iter(self._tasks)):
            note = note or _more(len(self._tasks))
        self._bars.update(row, completed=done, amount=amount(done, total, unit), note=note)

    def finish(self, task: str, *, note: str = "") -> None:
        self._remove(task)
        if note:
            self.say(f"{task}: {note}")

    def say(self, message: str, *, style: str = "") -> None:
        self._bars.console.print(message, style=style, markup=False, highlight=False, soft_wrap=True)

    def warn(self, message: str) -> None:
        self.say(f"Warning: {message}", style="yellow")

    def _remove(self, task: str) -> None:
        if task in self._tasks:
            self._bars.remove_task(self._tasks.pop(task)[0])
            for row, _, _ in list(self._tasks.values())[:_MOST_SHOWN]:
                self._bars.update(row, visible=True)


def _more(running: int) -> str:
    """How many tasks run that are not shown, or ""."""
    return f"and {running - _MOST_SHOWN} more at work" if running > _MOST_SHOWN else ""


@dataclass(kw_only=True)
class _Line:
    """What was last said of a task."""

    total: float | None
    unit: str
    moment: float
    done: float = 0.0


class _Lines(Progress):
    def __init__(self, console: "rich.console.Console") -> None:
        self._console = console
        self._tasks: dict[str, _Line] = {}

    def start(self, task: str, *, total: float | None, unit: str) -> None:
        self._tasks[task] = _Line(total=total, unit=unit, moment=clock.seconds())

    def advance(self, task: str, *, done: float, note: str = "") -> None:
        line, now = self._tasks[task], clock.seconds()
        place = list(self._tasks).index(task)
        if place >= _MOST_SHOWN:
            return
        note = note or (_more(len(self._tasks)) if place == 0 else "")
        passed = now - line.moment
        is_tenth = line.total is not None and done - line.done >= _SHARE_BETWEEN_LINES * line.total
        if passed >= _SECONDS_BETWEEN_LINES or (is_tenth and passed >= _SECONDS_AT_LEAST):
            line.moment, line.done = now, done
            self.say(f"{task}: {amount(done, line.total, line.unit)}{f', {note}' if note else ''}")

    def finish(self, task: str, *, note: str = "") -> None:
        self._tasks.pop(task, None)
        self.say(f"{task}: {note or 'done'}")

    def say(self, message: str) -> None:
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    def warn(self, message: str) -> None:
        self.say(f"Warning: {message}")


def plain_lines() -> Progress:
    """What is told as lines on standard error, without bars."""
    return _Lines(streams.console(stderr=True))

"""How long work tells what it is doing, without knowing who listens.

The rooms call :class:`Progress`; the command line gives one that draws bars or prints lines, tests give one that
records, and everyone else gets :data:`SILENT`.
"""


class Progress:
    """Listener of long work, who does nothing with it. Calls arrive in order, from one thread."""

    def start(self, task: str, *, total: float | None, unit: str) -> None:
        """A named task begins; ``total`` is its size in ``unit`` ("bytes", "steps"), or None if unknown."""

    def advance(self, task: str, *, done: float, note: str = "") -> None:
        """A task has come to ``done`` of its total; ``note`` is a short state to show beside it."""

    def finish(self, task: str, *, note: str = "") -> None:
        """A task has ended."""

    def say(self, message: str) -> None:
        """A line for the reader, such as which source is tried next."""

    def warn(self, message: str) -> None:
        """A line the reader should not miss."""


SILENT = Progress()


def amount(done: float, total: float | None, unit: str) -> str:
    """How far a task has come, in words: "12.0 of 170.1 MB", "120 of 500 steps", "14 seconds"."""
    factor, digits, unit = (1e6, 1, "MB") if unit == "bytes" else (1.0, 0, unit)
    of = "" if total is None else f" of {total / factor:,.{digits}f}"
    return f"{done / factor:,.{digits}f}{of} {unit}"

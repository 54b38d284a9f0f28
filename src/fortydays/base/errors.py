"""The errors a user can meet, and the exit codes they lead to.

Every message says what happened (with the value), what was expected, and what to do next. An exception that is
not a :class:`FortydaysError` is a defect of the program, never the user's mistake.
"""

import difflib
from collections.abc import Iterable
from enum import Enum, IntEnum
from typing import Any

from fortydays.base.text import shown


class ExitCode(IntEnum):
    """What a command tells the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_MET = 3  # a claim or a gate was checked and does not hold
    INTERRUPTED = 130


class FortydaysError(Exception):
    """Something the program could not do.

    Args:
        message: what happened and what was expected.
        hint: what to do next; shown on a line of its own.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(filter(None, (self.message, self.hint)))

    def __reduce__(self) -> tuple[Any, ...]:
        # An error of another process is raised here, too, whatever else its kind wants to be made with.
        return type(self).__new__, (type(self), self.message), self.__dict__


class UsageError(FortydaysError):
    """The command, an option or a field was used wrongly."""

    exit_code = ExitCode.USAGE


class UnknownNameError(UsageError):
    """There is nothing of a name that was given. Its hint says what there is."""

    def __init__(self, message: str, *, name: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name


class DataError(FortydaysError):
    """A dataset could not be had, or is not what it should be."""


class StorageError(FortydaysError):
    """A file could not be read or written: full disk, no permission, damaged content."""


class StoppedError(FortydaysError):
    """The reader stopped the work; what is done is kept."""

    exit_code = ExitCode.INTERRUPTED


class StudyChangedError(FortydaysError):
    """An interrupted run cannot continue, because what it would train has changed since."""


class TrainingFailedError(FortydaysError):
    """A trial could not be trained to its end (for instance, its loss stopped being a number)."""


class TrackingError(FortydaysError):
    """The experiment tracker could not be reached or used."""


_MOST_SAID = 1_000


def in_words(error: Exception) -> str:
    """What an error says, for a sentence of another: of one of ours the message, without what to do next.

    Of another one at most the first 1,000 characters: a library's may print whole arrays.
    """
    if isinstance(error, FortydaysError):
        return error.message
    said = str(error)
    return f"{type(error).__name__}: {said[:_MOST_SAID]}{' ...' if len(said) > _MOST_SAID else ''}"


def unknown_name(
    kind: str, name: str, known: Iterable[str], *, of: str = "", about: str = "", hint: str = ""
) -> UsageError:
    """The error for a name that does not exist: suggests near misses and lists what exists.

    Args:
        kind: what the name was meant to be ("day", "recipe field", ...).
        name: what was given.
        known: what exists, in the order to list it.
        of: what would have it, such as "the optimizer 'adam'".
        about: what uses the name, such as "the claim 'It learns'".
        hint: what to say instead of listing what exists, where that is too much for one line.
    """
    names, asked = list(known), str(name)  # which may come from a reader's own Python
    near = difflib.get_close_matches(asked[:100].lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    suggestion = ""
    if near:
        match = next(n for n in names if n.lower() == near[0])
        suggestion = f" Did you mean {match!r}?"
    where = f"{f' of {of}' if of else ''}{f', which {about} names' if about else ''}"
    return UnknownNameError(
        f"There is no {kind} {shown(asked)}{where}.{suggestion}",
        name=asked,
        hint=hint or (f"Known: {', '.join(names)}." if names else f"No {kind} exists yet."),
    )


class Problem(Enum):
    """What is wrong with content that cannot be read."""

    UNKNOWN = "it is of another kind than is read here"
    TOO_LARGE = "it is too large"
    DAMAGED = "it is damaged"


class UnreadableContentError(FortydaysError):
    """Content of a file or a request that gives no arrays for a network.

    Args:
        problem: what is wrong.
        message: the same in words, with what was found and what was expected.
    """

    def __init__(self, problem: Problem, message: str) -> None:
        super().__init__(message)
        self.problem = problem

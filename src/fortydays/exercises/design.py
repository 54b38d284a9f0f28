"""What an exercise is made of: a text, hints, tasks, and the mistakes that one makes in them."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fortydays.base.errors import UsageError

if TYPE_CHECKING:  # they load the parts of a study, which most exercises do without
    from fortydays.exercises.studies import Demand
    from fortydays.study.design import Study

SIZES = (1, 1, 2, 2, 3, 3, 4, 5, 6, 8)
"""The sizes of the cases that a task is judged on, small ones first."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A function that is wrong in a typical way.

    Attributes:
        says: what is wrong, told to the reader whose function returns the same.
        function: takes what the reference takes. It returns what the reference returns, or one output alone.
        output: the name of that output; "" where the function returns all of them.
    """

    says: str
    function: Callable[..., Any]
    output: str = ""


def wrong(says: str, function: Callable[..., Any], output: str = "") -> Mistake:
    """A mistake in one line."""
    return Mistake(says=says, function=function, output=output)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A function to write.

    Attributes:
        reference: a right one. A reader begins with its signature and docstring; its source is the solution.
            It uses NumPy and the references of earlier tasks of its exercise, and nothing else.
        cases: makes the arguments of one call of a size from 1 to 8. Numbers with few digits are easy to read.
        outputs: the names of what it returns.
        mistakes: those that one makes. Each differs from the reference on some case, and two are never the same.
        reveals: whether the right answer may be shown beside a wrong one.
        flawed: what the reader begins with, to find what is wrong in it, or None for an empty function. It takes what
            the reference takes, and has no docstring.
        demands: of a task that asks for a study, what that has to be, the most important first; none of a function.
            The reference takes nothing then and returns a study of drills, and mistakes are such functions, too.
    """

    reference: Callable[..., Any]
    cases: Callable[[np.random.Generator, int], tuple[Any, ...]]
    outputs: tuple[str, ...] = ("the result",)
    mistakes: tuple[Mistake, ...] = ()
    reveals: bool = True
    flawed: Callable[..., Any] | None = None
    demands: "tuple[Demand, ...]" = ()

    def __post_init__(self) -> None:
        for mistake in self.mistakes:
            if mistake.output and mistake.output not in self.outputs:
                raise UsageError(
                    f"A mistake of {self.name} is about {mistake.output!r}, which is none of its outputs.",
                    hint=f"Its outputs: {', '.join(self.outputs)}.",
                )

    @property
    def name(self) -> str:
        """What the function is called."""
        return self.reference.__name__

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of what it takes."""
        return tuple(inspect.signature(self.reference).parameters)


def number(reference: Callable[[], float], mistakes: Mapping[float, str]) -> Task:
    """A task that asks for one number, which the judge never shows.

    Args:
        reference: returns the number; its docstring asks for it.
        mistakes: what is wrong, by the wrong number that it leads to.
    """

    def wrong(value: float) -> Callable[[], float]:
        return lambda: value

    return Task(
        reference=reference,
        cases=lambda _rng, _size: (),
        outputs=("the number",),
        mistakes=tuple(Mistake(says=says, function=wrong(value)) for value, says in mistakes.items()),
        reveals=False,
    )


def study(
    reference: "Callable[[], Study]",
    *,
    begun: "Callable[[], Study]",
    demands: "tuple[Demand, ...]",
    mistakes: tuple[Mistake, ...],
) -> Task:
    """A task that asks for a study of drills whose first claim is supported.

    Args:
        reference: returns a right one; its docstring asks for it.
        begun: returns what the reader begins with.
        demands: what the study has to be.
        mistakes: functions that return a study that is wrong. One that breaks a demand says what the demand says. Of
            the others, the numbers are held against the reader's.
    """
    return Task(
        reference=reference,
        cases=lambda _rng, _size: (),
        outputs=("the study",),
        mistakes=mistakes,
        flawed=begun,
        demands=demands,
    )


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise of a day; the reader writes its tasks into one file.

    Attributes:
        title: a few words; the file's name comes from them.
        text: what is asked, and the formulas.
        tasks: the functions to write, in order.
        hints: told one at a time, from a nudge to nearly the answer.
        afterwards: what is worth knowing once it is done.
        imports: the lines of code that the file begins with.
    """

    title: str
    text: str
    tasks: tuple[Task, ...]
    hints: tuple[str, ...]
    afterwards: str
    imports: str = "import numpy as np"

    @property
    def slug(self) -> str:
        """The title as a part of a file's name."""
        return re.sub(r"[^a-z0-9]+", "_", self.title.lower()).strip("_")


def grid(rng: np.random.Generator, *shape: int, low: float = -3, high: float = 3) -> np.ndarray:
    """Random numbers with one digit behind the point, which are easy to read and to type."""
    return np.round(rng.uniform(low, high, shape), 1)

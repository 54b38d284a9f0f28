"""Judges a reader's file: what each of its functions returned, beside what is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base.text import counted
from fortydays.exercises.design import SIZES, Exercise, Task
from fortydays.exercises.diagnosis import all_close, close, column, explain, form_of, outputs_of
from fortydays.exercises.running import LIMITS, Called, Cases, JudgeError, Limits, Problem, run
from fortydays.exercises.slips import slip_in

_MOST_LINES = 12


class State(Enum):
    """What a task is judged to be."""

    PASSED = "passed"
    WRONG = "wrong"
    UNWRITTEN = "not written"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is told of one task.

    Attributes:
        name: the function's.
        says: what is wrong, or what was right; one sentence or more.
        shown: the smallest input that shows it, with what was returned; "" where nothing can be shown.
    """

    name: str
    state: State
    says: str
    shown: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is told of one file.

    Attributes:
        findings: one for each task.
        printed: the beginning of what the file printed.
    """

    findings: tuple[Finding, ...]
    printed: str = ""

    @property
    def state(self) -> State:
        """Passed where all tasks are, not written where no task is begun, else wrong."""
        states = {finding.state for finding in self.findings}
        return states.pop() if len(states) == 1 else State.WRONG


def make_cases(task: Task, seed: int) -> Cases:
    """The cases of a task from a seed, the smallest ones first."""
    rng = np.random.default_rng(seed)
    sizes = SIZES if task.arguments else SIZES[:1]
    return [task.cases(rng, size) for size in sizes]


def judge(path: Path, exercise: Exercise, *, seed: int, limits: Limits = LIMITS) -> Verdict:
    """Run a reader's file apart, and say of each task what is wrong with it.

    Args:
        path: the file.
        exercise: whose tasks it is to solve.
        seed: decides the inputs.
        limits: what the file may take.

    Raises:
        UsageError: the file cannot be read.
        JudgeError: the judge failed.
    """
    cases = [make_cases(task, seed) for task in exercise.tasks]
    called, printed = run(path, exercise.tasks, cases, limits=limits)
    try:
        findings = tuple(map(assess, exercise.tasks, cases, called))
    except Exception as error:
        raise JudgeError(
            f"The judge failed at {path}: {type(error).__name__}: {error}.",
            hint="That is its own mistake and says nothing about the file.",
        ) from error
    return Verdict(findings=findings, printed=printed)


def assess(task: Task, cases: Cases, called: Called) -> Finding:
    """What is to be said of what a function returned."""
    if called.missing:
        says = f"The file has no function {task.name}. It keeps its name."
        if task.demands:
            says = f"The file sets no `study`. It ends with the line `study = {task.name}()`."
        return Finding(name=task.name, state=State.WRONG, says=says)
    if called.problem is not None:
        return _of_problem(task, cases, called)
    if task.demands:
        return _of_study(task, called)
    form = form_of(task, called.answers)
    if form:
        return Finding(name=task.name, state=State.WRONG, says=form)
    given = [answer.outputs for answer in called.answers]
    right = outputs_of(task.reference, cases, len(task.outputs))
    count = len(task.outputs)
    if all(all_close(column(given, k), column(right, k)) for k in range(count)):
        changed = next((answer.changed for answer in called.answers if answer.changed), ())
        if changed:
            names = ", ".join(f"`{name}`" for name in changed)
            says = f"Its answers are right, but it changes its input {names}. Whoever calls it has other numbers then."
            return Finding(name=task.name, state=State.WRONG, says=says)
        tried = f"right for {counted(len(cases), 'input')}" if task.arguments else "right"
        return Finding(name=task.name, state=State.PASSED, says=tried)
    told = explain(task, cases, given, right)
    says = " ".join(
        f"{', '.join(f'`{n}`' for n in names)}: {says}" if names and count > 1 else says for says, names in told
    )
    k = next(k for k in range(count) if not all_close(column(given, k), column(right, k)))
    return Finding(name=task.name, state=State.WRONG, says=says, shown=_shown(task, cases, given, right, k))


def _of_study(task: Task, called: Called) -> Finding:
    from fortydays.exercises.studies import passed, read_carried, what_is_wrong

    try:
        carried = read_carried(called.study or {})
    except ValueError as error:
        return Finding(name=task.name, state=State.WRONG, says=f"What it measured cannot be read ({error}).")
    says = what_is_wrong(task, carried)
    shown = "\n".join(
        _line(name, np.array([metrics[metric] for metrics in carried.numbers[name]]))
        for name, (metric, *_) in ((name, [m.name for m in found]) for name, found in carried.metrics.items())
    )
    if says:
        return Finding(name=task.name, state=State.WRONG, says=says, shown=shown)
    return Finding(name=task.name, state=State.PASSED, says=passed(carried))


def _of_problem(task: Task, cases: Cases, called: Called) -> Finding:
    problem = called.problem
    assert problem is not None
    if problem.kind == "NotImplementedError":
        return Finding(name=task.name, state=State.UNWRITTEN, says="not written yet")
    shown = ""
    if len(called.answers) < len(cases) and task.arguments and problem.line:
        shown = _inputs(task, cases[len(called.answers)]) if called.answers or problem.shapes else ""
    return Finding(name=task.name, state=State.WRONG, says=_told(task, problem), shown=shown)


def _told(task: Task, problem: Problem) -> str:
    """A problem with the reader's own line, and the shapes that met there."""
    text = problem.text.rstrip()
    text = text if text.endswith((".", "!", "?")) else f"{text}."
    if problem.kind == "TypeError" and not problem.line:
        text += f" It is called as {task.name}({', '.join(task.arguments)})."
    if problem.line:
        text = f"Line {problem.line}{f', `{problem.code}`' if problem.code else ''}: {text}"
    slip = slip_in(problem)
    if slip:
        text += f" {slip}"
    if problem.shapes and problem.kind in ("ValueError", "IndexError", "TypeError"):
        shapes = ", ".join(f"`{name}` {shape}" for name, shape in problem.shapes.items())
        text += f" The shapes there: {shapes}."
    return text


def _shown(task: Task, cases: Cases, given: list[Any], right: list[Any], k: int) -> str:
    """The smallest input for which an output is wrong, with that output."""
    failing = [c for c in range(len(cases)) if not close(given[c][k], right[c][k])]
    smallest = min(failing, key=lambda c: sum(np.size(each) for each in cases[c]))
    lines = [_inputs(task, cases[smallest])] if task.arguments and task.reveals else []
    lines.append(_line("yours", given[smallest][k]))
    if task.reveals:
        lines.append(_line("expected", right[smallest][k]))
    return "\n".join(lines)


def _inputs(task: Task, case: Sequence[Any]) -> str:
    return "\n".join(_line(name, value) for name, value in zip(task.arguments, case, strict=True))


def _line(name: str, value: Any) -> str:
    """A value as a reader sees it, with as many digits as tell something."""
    if isinstance(value, np.ndarray):
        with np.printoptions(precision=5, suppress=True, threshold=60, linewidth=90, floatmode="maxprec"):
            text = str(value if value.ndim or value.dtype.kind != "f" else np.atleast_1d(value))
            text = text if value.ndim else text.strip("[]")
            text = text if value.size else f"an empty array of shape {value.shape}"
    else:
        text = repr(value)
    head = f"{name:<9}= "
    lines = text.split("\n")[:_MOST_LINES]
    return head + f"\n{' ' * len(head)}".join(lines)

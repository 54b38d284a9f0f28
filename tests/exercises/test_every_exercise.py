"""One loop over all tasks of all days: solutions pass, and every mistake is told by its own sentence."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from fortydays.days.journey import JOURNEY, is_ready
from fortydays.exercises import child
from fortydays.exercises.design import Mistake, Task
from fortydays.exercises.diagnosis import all_close, column, explain, outputs_of
from fortydays.exercises.finding import Place, days_with_exercises, exercises_of
from fortydays.exercises.judge import State, assess, make_cases
from fortydays.exercises.running import Answer, Called
from fortydays.exercises.starter import solution, starter
from fortydays.exercises.studies import carried_out

PLACES = [place for day in days_with_exercises(drafts=True) for place in exercises_of(day)]
TASKS = [(place, task) for place in PLACES for task in place.exercise.tasks]


def seeds_of(task: Task) -> tuple[int, ...]:
    """What decides the inputs; a study has none."""
    return (0,) if task.demands else (0, 1)


every_exercise = pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p.day}.{p.number}")
every_task = pytest.mark.parametrize(("place", "task"), TASKS, ids=[f"{p.day}.{p.number} {t.name}" for p, t in TASKS])


def called(function: Any, task: Task, seed: int) -> Called:
    """What the judge would read of a function, without a process."""
    if task.demands:
        return Called(study=json.loads(json.dumps(carried_out(function()))))
    cases = make_cases(task, seed)
    with np.errstate(all="ignore"):
        records, arrays = child.call(function, cases, task.arguments, several=len(task.outputs) > 1, path="")
    assert not [each for each in records if "problem" in each], records
    answers = tuple(
        Answer(
            outputs=tuple(arrays[f"{c}.{k}"] for k in range(len(each["kinds"]))),
            kinds=tuple(each["kinds"]),
            changed=tuple(each["changed"]),
        )
        for c, each in enumerate(records)
    )
    return Called(answers=answers)


def functions_of(text: str) -> dict[str, Any]:
    module: dict[str, Any] = {"__name__": "exercise"}
    exec(compile(text, "exercise.py", "exec"), module)
    return module


def wholly(mistake: Mistake, task: Task) -> Any:
    """A function that makes a mistake in one output, and is right in the others."""
    if not mistake.output or len(task.outputs) == 1:
        return mistake.function

    def function(*arguments: Any) -> tuple[Any, ...]:
        outputs = list(task.reference(*(np.copy(a) if isinstance(a, np.ndarray) else a for a in arguments)))
        outputs[task.outputs.index(mistake.output)] = mistake.function(*arguments)
        return tuple(outputs)

    return function


@every_exercise
def test_its_solution_passes(place: Place) -> None:
    module = functions_of(solution(place))
    for task in place.exercise.tasks:
        for seed in seeds_of(task):
            finding = assess(task, make_cases(task, seed), called(module[task.name], task, seed))
            assert finding.state is State.PASSED, finding


@every_task
def test_every_mistake_is_told_by_its_own_sentence(place: Place, task: Task) -> None:
    for seed in seeds_of(task):
        cases = make_cases(task, seed)
        for mistake in task.mistakes:
            finding = assess(task, cases, called(wholly(mistake, task), task, seed))
            assert (finding.state, finding.says.count(mistake.says)) == (State.WRONG, 1), (mistake.says, finding.says)
            others = [m.says for m in task.mistakes if m.says != mistake.says and m.says in finding.says]
            assert not others, (mistake.says, finding.says)


@every_task
def test_every_demand_on_a_study_is_told_by_some_mistake(place: Place, task: Task) -> None:
    assert {demand.says for demand in task.demands} <= {mistake.says for mistake in task.mistakes}


@every_task
def test_its_answers_are_finite_and_not_taken_from_its_input(place: Place, task: Task) -> None:
    if task.demands:  # the numbers of a study are checked where it is carried out
        return
    for seed in seeds_of(task):
        cases = make_cases(task, seed)
        right = outputs_of(task.reference, cases, len(task.outputs))
        for output in (each for some in right for each in some):
            assert output.dtype.kind in "U" or np.isfinite(output.astype(float)).all()
        if task.arguments:  # so that no constant passes
            assert any(
                not all_close(column(right, k), [column(right, k)[0]] * len(cases)) for k in range(len(right[0]))
            )


@every_task
def test_its_cases_are_small_and_travel(place: Place, task: Task) -> None:
    for case in make_cases(task, 0):
        assert len(case) == len(task.arguments)
        assert sum(np.size(each) for each in case) <= 600
        for each in case:
            assert isinstance(each, (np.ndarray, int, float, str))
            assert not isinstance(each, np.ndarray) or each.dtype.kind in "biuf"


@every_exercise
def test_its_file_to_begin_with_has_the_same_names_and_nothing_written(place: Place) -> None:
    begun, solved = functions_of(starter(place)), functions_of(solution(place))
    assert [n for n in begun if n != "__builtins__"] == [n for n in solved if n != "__builtins__"]
    for task in place.exercise.tasks:
        assert begun[task.name].__doc__ == task.reference.__doc__
        if task.flawed is not None:
            for seed in seeds_of(task):
                finding = assess(task, make_cases(task, seed), called(begun[task.name], task, seed))
                assert finding.state is State.WRONG
                assert finding.says in {mistake.says for mistake in task.mistakes}
            continue
        with pytest.raises(NotImplementedError, match="to be written"):
            begun[task.name](*task.arguments)


@every_exercise
def test_its_words_are_there_and_fit_a_line(place: Place) -> None:
    exercise = place.exercise
    assert 1 <= len(exercise.hints) <= 4
    assert exercise.afterwards.strip()
    for line in solution(place).split("\n"):
        assert len(line) <= 119, line
    for says in [*exercise.hints, *(m.says for t in exercise.tasks for m in t.mistakes)]:
        assert re.search(r"[.?]$", says), says


def test_no_two_tasks_have_one_name() -> None:
    names = [task.name for _, task in TASKS]
    assert len(set(names)) == len(names)


def without_enough(ready: Iterable[int], days: Iterable[int]) -> dict[int, int]:
    """The ready days, and those that have exercises, that have not four to six; how many, by day."""
    counts = Counter(days)
    return {day: counts[day] for day in {*ready, *counts} if not 4 <= counts[day] <= 6}


def test_every_day_that_is_ready_has_four_to_six_exercises() -> None:
    ready = [day.number for day in JOURNEY if is_ready(day)]
    assert ready
    assert without_enough(ready, [place.day for place in PLACES]) == {}


def test_a_ready_day_with_no_exercise_or_with_too_few_or_too_many_would_be_noticed() -> None:
    assert without_enough([1, 2, 3, 4], [1] * 4 + [2] * 3 + [3] * 7 + [5]) == {2: 3, 3: 7, 4: 0, 5: 1}


def test_it_would_notice_a_mistake_that_is_none() -> None:
    _, task = TASKS[0]
    cases = make_cases(task, 0)
    right = outputs_of(task.reference, cases, 1)
    assert explain(task, cases, [tuple(-each for each in some) for some in right], right) == [
        ("Its sign is wrong.", task.outputs)
    ]

"""The file that a reader begins with, and the solution: both are made from the references."""

import ast
import inspect
import textwrap

from fortydays.exercises.design import Task
from fortydays.exercises.finding import Place


def starter(place: Place) -> str:
    """The text of the file to begin with."""
    return _file(place, [_unwritten(task) for task in place.exercise.tasks])


def solution(place: Place) -> str:
    """The same file with everything written."""
    return _file(place, [_source(task) for task in place.exercise.tasks])


def _file(place: Place, functions: list[str]) -> str:
    paragraphs = [place.exercise.text.strip("\n"), f"Check it: forty check {place.day} {place.number}"]
    head = f'"""Day {place.day}, exercise {place.number}: {place.exercise.title}.'
    studies = [f"study = {task.name}()" for task in place.exercise.tasks if task.demands]
    text = "\n\n".join([head, *paragraphs]) + '\n"""\n\n' + place.exercise.imports.strip()
    return "\n\n\n".join([text, *functions, *studies]) + "\n"


def _source(task: Task) -> str:
    return textwrap.dedent(inspect.getsource(task.reference)).strip()


def _unwritten(task: Task) -> str:
    source = _source(task)
    begun = source.split("\n")[: _first_statement(source).end_lineno]  # to the end of the docstring
    if task.flawed is None:
        return "\n".join([*begun, '    raise NotImplementedError("to be written")'])
    flawed = textwrap.dedent(inspect.getsource(task.flawed)).strip()
    return "\n".join([*begun, "", *flawed.split("\n")[_first_statement(flawed).lineno - 1 :]])


def _first_statement(source: str) -> ast.stmt:
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    return function.body[0]

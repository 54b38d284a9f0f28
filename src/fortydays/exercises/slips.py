"""What is meant, where a line that everybody writes once ends in words of NumPy that do not say it."""

import re

from fortydays.exercises.running import Problem

_REDUCTION = re.compile(r"\b(?:np|numpy)\.a?(max|min)\(")
_BUILT_IN = re.compile(r"(?<![\w.])(max|min)\(")


def slip_in(problem: Problem) -> str:
    """A hint at the slip behind a problem, found from its line and its kind; "" where none is known."""
    reduction = _REDUCTION.search(problem.code)
    if reduction and problem.kind in ("TypeError", "AxisError"):
        name = reduction[1]
        return (
            f"np.{name}imum(a, b) compares two arrays number by number. np.{name}(a, axis) takes one array, and its "
            "second argument is an axis."
        )
    if problem.kind != "ValueError" or "truth value of an array" not in problem.text:
        return ""
    built_in = _BUILT_IN.search(problem.code)
    if built_in:
        return f"{built_in[1]} compares single numbers. np.{built_in[1]}imum(a, b) compares arrays number by number."
    return (
        "`if`, `and`, `or` and `not` decide once, for the whole array. np.where(condition, a, b) decides for each "
        "number."
    )

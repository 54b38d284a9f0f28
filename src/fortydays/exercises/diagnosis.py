"""What is wrong with a function, found from the numbers that it returns.

A sentence is told only where it explains *every* output that the function gave, for all cases. The mistakes of the
exercise come first. Then come those that one makes everywhere: a sign, a factor, an axis, an order, a shape.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fortydays.exercises.design import Task
from fortydays.exercises.running import Answer, Cases

_RELATIVE, _OF_LARGEST, _ABSOLUTE = 1e-5, 1e-6, 1e-9
_NEARLY = 0.01

Outputs = list[tuple[np.ndarray, ...]]
"""The outputs for all cases."""

Column = Sequence[np.ndarray]
"""One output for all cases."""


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two outputs are the same up to rounding, also where one of them was computed in single precision."""
    if one.shape != other.shape or (one.dtype.kind in "U") != (other.dtype.kind in "U"):
        return False
    if one.dtype.kind == "U":
        return bool((one == other).all())
    one, other = one.astype(float), other.astype(float)
    finite = np.isfinite(other)
    if not np.array_equal(np.isfinite(one), finite) or not np.array_equal(
        one[~finite], other[~finite], equal_nan=True
    ):
        return False
    one, other = one[finite], other[finite]
    largest = np.abs(other).max(initial=0)
    return bool((np.abs(one - other) <= _RELATIVE * np.abs(other) + _OF_LARGEST * largest + _ABSOLUTE).all())


def all_close(ones: Column, others: Column) -> bool:
    """The same of an output for all cases."""
    return all(close(one, other) for one, other in zip(ones, others, strict=True))


def outputs_of(function: Callable[..., Any], cases: Cases, count: int) -> Outputs:
    """What a function of ours returns for all cases, each time for arguments of its own."""
    found: Outputs = []
    with np.errstate(all="ignore"):
        for case in cases:
            result = function(*(each.copy() if isinstance(each, np.ndarray) else each for each in case))
            parts = result if count > 1 else (result,)
            if len(parts) != count:
                raise ValueError(f"{function.__name__} returns {len(parts)} outputs instead of {count}")
            found.append(tuple(np.asarray(part) for part in parts))
    return found


def column(outputs: Outputs, number: int) -> list[np.ndarray]:
    """One output of all cases."""
    return [each[number] for each in outputs]


def form_of(task: Task, answers: Sequence[Answer]) -> str:
    """What is wrong with the form of what a function returns; "" where it returns as many arrays as it should."""
    expected = len(task.outputs)
    for answer in answers:
        if expected > 1 and len(answer.outputs) != expected:
            names = ", ".join(task.outputs)
            if answer.kinds == ("NoneType",):
                return f"It returns None; expected {expected} outputs: {names}. Is there a `return`?"
            return f"It returns {_things(answer)}; expected {expected} outputs: {names}."
        if expected == 1 and len(answer.outputs) > 1:
            return f"It returns {_things(answer)}; expected {task.outputs[0]} alone."
        for name, kind in zip(task.outputs, answer.kinds, strict=True):
            if kind == "NoneType":
                return "It returns None. Is there a `return`?" if expected == 1 else f"`{name}` is None."
            if kind:
                what = "What it returns" if expected == 1 else f"`{name}`"
                return f"{what} is of the kind {kind}; expected an array of numbers, and not a huge one."
    return ""


def _things(answer: Answer) -> str:
    return "one output" if len(answer.outputs) == 1 else f"{len(answer.outputs)} outputs"


def explain(task: Task, cases: Cases, given: Outputs, right: Outputs) -> list[tuple[str, tuple[str, ...]]]:
    """What is wrong with outputs of the right number, of which some are not right.

    Returns:
        Sentences, each with the names of the outputs that it is about; none where it is about all of them.
    """
    wrong = [k for k in range(len(task.outputs)) if not all_close(column(given, k), column(right, k))]
    order = _order(task, given, right)
    if order:
        return [(order, ())]
    found: dict[str, list[str]] = {}
    for k in wrong:
        says = _mistake(task, cases, column(given, k), column(right, k), k)
        if not says and not task.reveals:  # whatever is told of a number tells the number
            says = "That is not it."
        says = says or _where_finite(task, cases, given, right, k)
        says = says or next(_general(task, cases, column(given, k), column(right, k), k))
        found.setdefault(says, []).append(task.outputs[k])
    return [(says, tuple(names)) for says, names in found.items()]


_WHY_NOT_FINITE = "Look for a division by zero, the logarithm of zero, or the exponential of a large number."
_NOT_FINITE = f"It is not finite (inf or nan) for some inputs. {_WHY_NOT_FINITE}"
_NOT_FINITE_EITHER = f"For some inputs, what it returns is not finite (inf or nan). {_WHY_NOT_FINITE}"
"""The same after a sentence that is about something else."""


def _where_finite(task: Task, cases: Cases, given: Outputs, right: Outputs, k: int) -> str:
    """What is wrong with an output for the cases for which it is finite; "" where that is not all that is wrong."""
    kept = [c for c in range(len(cases)) if _is_finite(given[c][k], right[c][k])]
    some, good = [given[c][k] for c in kept], [right[c][k] for c in kept]
    if not kept or len(kept) == len(cases) or all_close(some, good):
        return ""
    fewer = [cases[c] for c in kept]
    return f"{_mistake(task, fewer, some, good, k) or next(_general(task, fewer, some, good, k))} {_NOT_FINITE_EITHER}"


def _is_finite(given: np.ndarray, right: np.ndarray) -> bool:
    """Whether an output is finite; one of another form than is expected counts as that."""
    if given.shape != right.shape or "U" in (given.dtype.kind, right.dtype.kind):
        return True
    return bool(np.isfinite(given.astype(float))[np.isfinite(right.astype(float))].all())


def _order(task: Task, given: Outputs, right: Outputs) -> str:
    """Whether the outputs are right but in another order."""
    count = len(task.outputs)
    places = [
        next((k for k in range(count) if all_close(column(given, g), column(right, k))), None) for g in range(count)
    ]
    if sorted(p for p in places if p is not None) != list(range(count)):
        return ""
    return f"The outputs are right, but in another order. Return them as {', '.join(task.outputs)}."


def _mistake(task: Task, cases: Cases, given: Column, right: Column, k: int) -> str:
    """The exercise's own mistake that gives the same everywhere, and is none that gives what is right."""
    for mistake in task.mistakes:
        if mistake.output not in ("", task.outputs[k]):
            continue
        count = 1 if mistake.output else len(task.outputs)
        theirs = column(outputs_of(mistake.function, cases, count), 0 if mistake.output else k)
        if all_close(given, theirs) and not all_close(theirs, right):
            return mistake.says
    return ""


def _general(task: Task, cases: Cases, given: Column, right: Column, k: int) -> Iterator[str]:
    """Mistakes that one makes everywhere, the most telling first; the last one always holds."""
    kinds = {(g.dtype.kind == "U", r.dtype.kind == "U") for g, r in zip(given, right, strict=True)}
    if kinds != {(False, False)}:
        if any(wants for _, wants in kinds) and any(not is_text for is_text, _ in kinds):
            yield "It is no text where one is expected."
        if any(not wants for _, wants in kinds):
            yield "It is a text where a number is expected."
        yield _share(given, right)
        return
    if all_close([g.T for g in given], right):
        yield "It is transposed: rows and columns are exchanged."
    yield from _along_other_axis(task, cases, given, k)
    if any(g.shape != r.shape for g, r in zip(given, right, strict=True)):
        yield from _shapes(given, right)
    if not all(map(_is_finite, given, right)):
        yield _NOT_FINITE
    yield from _factors(task, cases, given, right)
    for a, name in enumerate(task.arguments):
        if all(isinstance(case[a], np.ndarray) for case in cases) and all_close(given, [case[a] for case in cases]):
            yield f"It is `{name}`, unchanged."
    if all((g == 0).all() for g in given):
        yield "It is zero for every input."
    with np.errstate(all="ignore"):
        furthest = max(
            float((np.abs(g - r) / (np.abs(r) + 1e-3 * np.abs(r).max(initial=0))).max(initial=0))
            for g, r in zip(given, right, strict=True)
        )
    if furthest < _NEARLY:
        yield (
            f"It is nearly right: off by at most {furthest:.1g} of the value. Look for a small constant, a rounding, "
            "or a number of low precision."
        )
    yield _share(given, right)


def _share(given: Column, right: Column) -> str:
    count = sum(close(g, r) for g, r in zip(given, right, strict=True))
    return f"It is right for {count} of {len(given)} inputs." if count else "It is not right for any input."


def _shapes(given: Column, right: Column) -> Iterator[str]:
    """The numbers may be right in another shape, or of one dimension too many or too few."""
    if all(g.size == r.size for g, r in zip(given, right, strict=True)) and all_close(
        [g.ravel() for g in given], [r.ravel() for r in right]
    ):
        g, r = next((g, r) for g, r in zip(given, right, strict=True) if g.shape != r.shape)
        yield f"Its numbers are right, but its shape is {g.shape} where {r.shape} is expected."
    ways: tuple[tuple[str, Callable[..., np.ndarray]], ...] = (("sum", np.sum), ("mean", np.mean))
    with np.errstate(all="ignore"):
        for verb, way in ways:
            for axis in range(max(g.ndim for g in given)):
                if all(g.ndim > axis for g in given) and all_close([way(g, axis=axis) for g in given], right):
                    yield f"It is not yet reduced: take the {verb} over axis {axis} of what you return."
            for axis in range(max(r.ndim for r in right)):
                if all(r.ndim > axis for r in right) and all_close(given, [way(r, axis=axis) for r in right]):
                    yield f"It is the {verb} over axis {axis} of what is expected: do not reduce that axis."
    g, r = next((g, r) for g, r in zip(given, right, strict=True) if g.shape != r.shape)
    yield f"Its shape is {g.shape} where {r.shape} is expected."


def _factors(task: Task, cases: Cases, given: Column, right: Column) -> Iterator[str]:
    """A factor that is the same for all cases, or is the length of an argument's axis; or a constant that is added."""
    ratios = [_ratio(g, r) for g, r in zip(given, right, strict=True)]
    if any(ratio is None for ratio in ratios):
        differences = [g.astype(float) - r for g, r in zip(given, right, strict=True)]
        first = differences[0].ravel()[:1]
        if first.size and all_close(differences, [np.broadcast_to(first[0], d.shape) for d in differences]):
            yield f"It is too {'large' if first[0] > 0 else 'small'} by {abs(first[0]):.4g} everywhere."
        return
    factors = np.array([ratio for ratio in ratios if ratio is not None and not np.isnan(ratio)])
    if not factors.size:
        return
    if np.allclose(factors, factors[0], rtol=1e-4):
        told = {
            -1.0: "Its sign is wrong.",
            2.0: "It is twice what it should be.",
            0.5: "It is half of what it should be.",
        }
        yield next(
            (says for factor, says in told.items() if np.isclose(factors[0], factor, rtol=1e-4)),
            f"It is {factors[0]:.4g} times what it should be.",
        )
    for a, name in enumerate(task.arguments):
        arrays = [case[a] for case in cases]
        if not all(isinstance(each, np.ndarray) for each in arrays):
            continue
        for axis in range(min(each.ndim for each in arrays)):
            lengths = [np.nan if ratio is None or np.isnan(ratio) else float(each.shape[axis])
                       for ratio, each in zip(ratios, arrays, strict=True)]  # fmt: skip
            lengths = [length for length in lengths if not np.isnan(length)]
            what = f"the length of axis {axis} of `{name}`{', the number of examples' if axis == 0 else ''}"
            if np.allclose(factors, lengths, rtol=1e-4):
                yield f"It is too large by a factor: {what}. Divide by it."
            if np.allclose(factors * lengths, 1, rtol=1e-4):
                yield f"It is too small by a factor: {what}. Do not divide by it."


def _ratio(given: np.ndarray, right: np.ndarray) -> float | None:
    """The one factor between two arrays; nan where both are zero, None where there is no such factor."""
    g, r = given.astype(float).ravel(), right.astype(float).ravel()
    at = np.argmax(np.abs(r)) if r.size else 0
    if not r.size or r[at] == 0:
        return float("nan") if not g.any() else None
    ratio = float(g[at] / r[at])
    return ratio if close(g, ratio * r) and ratio != 0 else None


def _along_other_axis(task: Task, cases: Cases, given: Column, k: int) -> Iterator[str]:
    """Whether the reference gives the same for a transposed argument: the function then works along the other axis."""
    for a, name in enumerate(task.arguments):
        if not all(isinstance(case[a], np.ndarray) and case[a].ndim == 2 for case in cases):
            continue
        turned = [(*case[:a], case[a].T, *case[a + 1 :]) for case in cases]
        try:
            theirs = column(outputs_of(task.reference, turned, len(task.outputs)), k)
        except (ValueError, IndexError):  # the shapes do not fit
            continue
        if all_close(given, theirs) or all_close(given, [each.T for each in theirs]):
            yield f"It works along the other axis of `{name}`. Look at every `axis=`."

"""Whether the fields of a value that a study is made of have the kinds of values that they are to have."""

import dataclasses
import math
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union, get_args, get_origin

from fortydays.base.errors import UsageError
from fortydays.base.text import shown

_WORDS = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "True or False"}


class FieldError(UsageError):
    """The field ``field`` of the dataclass ``owner`` has a value of the wrong kind."""

    def __init__(self, message: str, *, field: str, owner: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field, self.owner = field, owner


def check_fields(value: Any) -> None:
    """Compare each field of a dataclass's value with its annotation, and the values in it with theirs.

    Where a tuple is expected, any sequence will do. An annotation in quotes stands for a function.

    Raises:
        FieldError: a field has a value of another kind.
    """
    owner = type(value).__name__
    for field in dataclasses.fields(value):
        found = getattr(value, field.name)
        if not _fits(found, field.type):
            is_tuple = get_origin(field.type) is tuple
            inner = get_args(field.type)[0] if is_tuple else None
            said, expected, hint = f"is {_short(found)}", _in_words(field.type), ""
            if is_tuple and _is_sequence(found):
                wrong = next(each for each in found if not _fits(each, inner))
                said, expected = f"holds {_short(wrong)}", f"that each value is {_in_words(inner)}"
            elif is_tuple and _fits(found, inner):
                hint = f"A tuple of one value has a comma: {field.name}=({_short(found, as_code=True)},)"
            message = f"The field {field.name!r} of {owner} {said}; expected {expected}."
            raise FieldError(message, field=field.name, owner=owner, hint=hint)
        for part in found if _is_sequence(found) else (found,):
            if dataclasses.is_dataclass(part) and not isinstance(part, type):
                check_fields(part)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _fits(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if isinstance(kind, str) or get_origin(kind) is Callable:
        return callable(value)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        return _is_sequence(value) and all(_fits(each, inner[0]) for each in value)
    if kind in (int, float):
        numbers = (int,) if kind is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, origin or kind)


def _in_words(kind: Any) -> str:
    if kind is types.NoneType:
        return "None"
    if isinstance(kind, str) or get_origin(kind) is Callable:
        return "a function"
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        *others, last = dict.fromkeys(map(_in_words, inner))
        return f"{', '.join(others)} or {last}"
    if origin is tuple:
        return "a tuple" if inner[0] is Any else f"a tuple of values, each {_in_words(inner[0])}"
    if origin is Mapping:
        return "a dict"
    name = getattr(kind, "__name__", str(kind))
    return _WORDS.get(kind, f"{'an' if name[0] in 'AEIOU' else 'a'} {name}")


def _short(value: Any, *, as_code: bool = False) -> str:
    """A value as a message quotes it: its Python text if that is short, else its kind."""
    if not dataclasses.is_dataclass(value) and len(repr(value)) <= 40:
        return shown(repr(value))[1:-1]
    name = type(value).__name__
    return f"{name}(...)" if as_code else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"

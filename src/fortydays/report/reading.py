"""JSON values as typed ones: of a dataclass, of its fields, of theirs, with a limit to each.

The annotations say what is expected. What does not fit is refused by the name of its place.
"""

import dataclasses
import enum
import functools
import math
import types
import typing
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from fortydays.base.errors import StorageError
from fortydays.study.vocabulary import Says

MOST_ENTRIES = 1_000
"""The longest list or object, unless the annotation says otherwise."""

MOST_TEXT = 2_000


def read(kind: Any, value: object, where: str, *, most: int = MOST_ENTRIES) -> Any:
    """A JSON value as one of a type. Fields that a dataclass does not have are left out.

    Args:
        kind: text, a number, a truth value, an enumeration or some literals; a dataclass, a tuple or a mapping of
            such; one of several. Of what :class:`fortydays.study.vocabulary.Says` tells, the smallest number and the
            most entries are kept to.
        value: what was found.
        where: its place, for messages.
        most: entries of a list or an object.

    Raises:
        StorageError: something is missing, of another type, not finite or too long.
    """
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        said = {name: each for says in arguments[1:] if isinstance(says, Says) for name, each in says.keywords.items()}
        most = said.get("maxItems", said.get("maxProperties", said.get("maxLength", MOST_ENTRIES)))
        if "maxLength" in said and isinstance(value, str) and len(value) <= most:
            return clean(value)
        result = read(arguments[0], value, where, most=most)
        if "minimum" in said and result < said["minimum"]:
            number = "a whole number" if isinstance(result, int) else "a number"
            raise damaged(where, f"is {result}", f"{number} from {said['minimum']} on")
        return result
    if origin in (typing.Union, types.UnionType):
        if value is None and types.NoneType in arguments:
            return None
        if all(map(dataclasses.is_dataclass, arguments)):
            return read(_of_kind(arguments, value, where), value, where)
        told = Mapping if isinstance(value, Mapping) else type(value)
        fitting = (each for each in arguments if (typing.get_origin(each) or each) is told)
        return read(next(fitting, arguments[0]), value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise damaged(where, f"is {quoted(value)}", " or ".join(map(repr, arguments)))
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise damaged(where, f"is {quoted(value)}", "a list")
        if len(value) > most:
            raise damaged(where, f"has {len(value)} entries", f"at most {most}")
        return tuple(read(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is Mapping:
        found = mapping(value, where, most=most)
        items = {clean(str(k)): read(arguments[1], v, f"{where}[{quoted(k)}]") for k, v in found.items()}
        return MappingProxyType(items)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, where)
    if origin is None and issubclass(kind, enum.Enum):
        if value not in list(kind):
            raise damaged(where, f"is {quoted(value)}", f"one of {', '.join(map(str, kind))}")
        return kind(value)
    return _scalar(kind, value, where)


def mapping(value: object, where: str, *, most: int = MOST_ENTRIES) -> Mapping[str, Any]:
    """An object of JSON, its values not yet looked at."""
    if not isinstance(value, Mapping):
        raise damaged(where, f"is {quoted(value)}", "an object")
    if len(value) > most:
        raise damaged(where, f"has {len(value)} entries", f"at most {most}")
    return value


def clean(text: str) -> str:
    """Text without the characters that move a cursor, color a terminal or turn the direction of writing."""
    return "".join(" " if c in "\n\t\r" else "\ufffd" if unicodedata.category(c) in _STEERING else c for c in text)


# Control characters (with the escape that starts terminal commands), direction marks, lone surrogates, line breaks.
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def damaged(where: str, found: str, expected: str) -> StorageError:
    """The error for a place in a document."""
    return StorageError(
        f"The evidence is damaged: {clean(where)} {found}; expected {expected}.",
        hint="Get the file again, or make it anew with `forty run`.",
    )


def _of_kind(classes: tuple[Any, ...], value: object, where: str) -> Any:
    """The class whose field ``kind`` has the value that an object's has; without kinds, whose fields are there."""
    found = mapping(value, where)
    if not hasattr(classes[0], "kind"):
        return next((each for each in classes if _required(each) <= found.keys()), classes[0])
    kind = found.get("kind")
    known = {each.kind: each for each in classes}
    if not isinstance(kind, str) or kind not in known:
        raise damaged(f"{where}.kind", f"is {quoted(kind)}", f"one of {', '.join(known)}")
    return known[kind]


def _required(kind: Any) -> set[str]:
    fields = dataclasses.fields(kind)
    return {each.name for each in fields if each.default is each.default_factory}  # both missing: it has no default


def _dataclass(kind: Any, value: object, where: str) -> Any:
    found, hints, required = mapping(value, where), _hints(kind), _required(kind)
    values = {
        field.name: read(hints[field.name], found.get(field.name), f"{where}.{field.name}".removeprefix("."))
        for field in dataclasses.fields(kind)
        if field.name in found or field.name in required
    }
    try:
        return kind(**values)
    except ValueError as error:
        found_, _, expected = str(error).partition("; expected ")
        raise damaged(where, found_, expected) from None


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _scalar(kind: type, value: Any, where: str) -> Any:
    fits = isinstance(value, int | float if kind is float else kind) and isinstance(value, bool) == (kind is bool)
    if not fits or (kind is int and abs(value) > 2**63):
        raise damaged(where, f"is {quoted(value)}", _WORDS[kind])
    if kind is str and len(value) > MOST_TEXT:
        raise damaged(where, f"has {len(value)} characters", f"at most {MOST_TEXT}")
    # 1e100 is far beyond any metric, and far below where sums and squares would overflow.
    if kind is float and (abs(value) > 1e100 or not math.isfinite(value)):
        raise damaged(where, f"is {quoted(value)}", "a finite number")
    return clean(value) if kind is str else kind(value)


_WORDS: dict[type, str] = {str: "text", int: "a whole number", bool: "true or false", float: "a number"}


def quoted(value: object) -> str:
    """A value as a message shows it."""
    text = clean(repr(value)[:200])
    return text if len(text) <= 60 else text[:57] + "..."

"""Findings as they were written down, as values again."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from fortydays.base.errors import StorageError
from fortydays.fit.findings import SCHEMA_VERSION, Findings

_OTHER_NAMES = {"before": "error_before", "after": "error_after"}


def findings_from(document: Mapping[str, Any]) -> Findings:
    """What :meth:`~fortydays.fit.findings.Findings.as_dict` wrote down.

    Raises:
        StorageError: the document is of another version of this program, or damaged.
    """
    try:
        if document["schema_version"] != SCHEMA_VERSION:
            raise ValueError("another version")
        return typing.cast(Findings, _value(Findings, document))
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            "What was found out earlier cannot be read.", hint="Learn anew with: forty fit FOLDER --fresh"
        ) from error


def _value(kind: Any, found: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if found is None:
            return None
        (kind,) = [each for each in typing.get_args(kind) if each is not type(None)]
        return _value(kind, found)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        given = {}
        for field in dataclasses.fields(kind):
            name = field.name if field.name in found else _OTHER_NAMES.get(field.name, field.name)
            given[field.name] = _value(hints[field.name], found[name])
        assert isinstance(kind, type)
        return kind(**given)
    if origin is tuple:
        inner = typing.get_args(kind)[0]
        return tuple(_value(inner, each) for each in found)
    return found

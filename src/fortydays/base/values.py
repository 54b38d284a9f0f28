"""Values as JSON: what a dataclass holds, by the names of its fields."""

import dataclasses
from collections.abc import Mapping
from typing import Any


def fields_as_json(value: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON values.

    A dataclass in a field becomes what its ``as_dict`` gives, where it has one, and else its own fields.
    """
    return {field.name: _as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _as_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return value.as_dict() if hasattr(value, "as_dict") else fields_as_json(value)
    if isinstance(value, Mapping):
        return {name: _as_json(each) for name, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, tuple | list) else value

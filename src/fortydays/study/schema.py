"""The JSON Schema of evidence, generated from the classes of :mod:`fortydays.study.document`.

``python -m fortydays.study.schema`` writes it into the file that is published.
"""

import dataclasses
import enum
import functools
import inspect
import json
import re
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any

from fortydays.base import files
from fortydays.study.document import Evidence
from fortydays.study.evidence import SCHEMA_FILE, SCHEMA_VERSION
from fortydays.study.vocabulary import Says

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}
_WIDTH = 120


def schema_text() -> str:
    """The schema as the published file has it."""
    definitions: dict[str, Any] = {}
    reference = _described(Evidence, definitions)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:fortydays:evidence:{SCHEMA_VERSION}",
        **reference,
        "$defs": dict(sorted(definitions.items())),
    }
    return _laid_out(document, "") + "\n"


def _laid_out(value: Any, indent: str) -> str:
    """JSON text in which what fits on a line stands on one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= _WIDTH or not isinstance(value, dict):
        return line
    inner = indent + "  "
    entries = [f"{inner}{json.dumps(name)}: {_laid_out(each, inner)}" for name, each in value.items()]
    return "{\n" + ",\n".join(entries) + f"\n{indent}}}"


def _described(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """A type in the words of JSON Schema. Each dataclass becomes one of the definitions, and is referred to."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    describe = functools.partial(_described, definitions=definitions)
    if kind is Any:
        return {}
    if kind in _TYPES:
        return {"type": _TYPES[kind]}
    if origin is Annotated:
        read, *more = arguments
        stated = next((each for each in more if isinstance(each, type)), read)
        said = [each.keywords for each in more if isinstance(each, Says)]
        return functools.reduce(lambda one, two: {**one, **two}, said, describe(stated))
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        parts = [describe(each) for each in arguments]
        if all(part.keys() == {"type"} for part in parts):
            return {"type": [part["type"] for part in parts]}
        return {"anyOf": parts}
    if origin is tuple:
        return {"type": "array", "items": describe(arguments[0])}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": describe(arguments[1])}
    if issubclass(kind, enum.Enum):
        return {"enum": [str(each) for each in kind]}
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = _object(kind, describe)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _object(kind: type, describe: Any) -> dict[str, Any]:
    fields, hints = dataclasses.fields(kind), typing.get_type_hints(kind, include_extras=True)
    docs = [inspect.cleandoc(each.__doc__ or "") for each in kind.__mro__[:-1]]
    told = dict(pair for doc in reversed(docs) for pair in _attributes(doc))
    return {
        "description": _plain(docs[0].partition("\n\n")[0]),
        "type": "object",
        "additionalProperties": False,
        "required": [each.name for each in fields if each.default is each.default_factory],  # both are missing
        "properties": {
            each.name: describe(hints[each.name]) | ({"description": told[each.name]} if each.name in told else {})
            for each in fields
        },
    }


def _attributes(doc: str) -> list[tuple[str, str]]:
    """The names and the words that stand under "Attributes:" in a docstring."""
    section = re.search(r"^Attributes:\n((?:    .*\n?)+)", doc, re.MULTILINE)
    found = re.findall(r"^    (\w+): (.*(?:\n     .*)*)", section[1] if section else "", re.MULTILINE)
    return [(name, _plain(words)) for name, words in found]


def _plain(words: str) -> str:
    """A docstring's words on one line, without its marks."""
    plain = re.sub(r":\w+:`~?([^`]*)`|``", lambda found: found[1] or "", " ".join(words.split()))
    return plain[:1].upper() + plain[1:]


if __name__ == "__main__":
    files.write_text(SCHEMA_FILE, schema_text())

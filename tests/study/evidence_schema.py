"""The JSON Schema of evidence, generated from the classes of :mod:`fortydays.study.document` and their docstrings.

``python tests/study/evidence_schema.py`` writes it into the file that is published.
"""

import dataclasses
import enum
import functools
import inspect
import json
import operator
import re
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any

from fortydays.base import files
from fortydays.study.document import Evidence
from fortydays.study.evidence import SCHEMA_FILE, SCHEMA_VERSION
from fortydays.train.recipe import Recipe

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}
_WIDTH = 120

# Rules that hold between fields, or that a type alone does not say.
ONE_SEED_HAS_NO_SPREAD = {
    "properties": {"n": {"minimum": 1}, "std": {"minimum": 0}},
    "if": {"properties": {"n": {"const": 1}}},
    "then": {"properties": {end: {"type": "null"} for end in ("std", "low", "high")}},
    "else": {"properties": {end: {"type": "number"} for end in ("std", "low", "high")}},
}
ALL_COLUMNS_OR_NONE = {
    "if": {"minProperties": 1},
    "then": {
        "required": [
            *("step", "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"),
            *("learning_rate", "seconds"),
        ]
    },
    "propertyNames": {"pattern": "^(step|epoch|(train|validation)_(loss|accuracy)|learning_rate|seconds)$"},
    "patternProperties": {
        "_accuracy$": {"items": {"minimum": 0, "maximum": 1}},
        "^(step|epoch)$": {"items": {"type": "integer", "minimum": 0}},
    },
}
METRICS = {
    "patternProperties": {
        "^(test|train|validation)_accuracy$": {"type": "number", "minimum": 0, "maximum": 1},
        "^((test|train|validation)_loss|accuracy_gap)$": {"type": "number"},
    }
}
FINISHED_OR_FAILED = {
    "if": {"properties": {"status": {"const": "finished"}}},
    "then": {
        "if": {"properties": {"weights_digest": {"const": ""}}},
        "then": {
            "description": "Of a drill.",
            "properties": {
                "epochs": {"const": 0},
                "history": {"maxProperties": 0},
                "metrics": {"minProperties": 1},
            },
        },
        "else": {
            "properties": {
                "history": {"minProperties": 1},
                "epochs": {"minimum": 1},
                "best_epoch": {"minimum": 1},
                "metrics": {
                    "required": [
                        *("test_accuracy", "test_loss", "train_accuracy", "train_loss"),
                        *("validation_accuracy", "validation_loss", "accuracy_gap"),
                    ]
                },
            }
        },
    },
    "else": {
        "properties": {
            "error": {"minLength": 1},
            "metrics": {"maxProperties": 0},
            "weights_digest": {"const": ""},
            "history": {"maxProperties": 0},
        }
    },
}
AGAIN_OR_COMPARED = {
    "if": {"required": ["against"]},
    "then": {
        "required": ["machine", "packages"],
        "properties": {"checked": {"items": {"required": ["epochs", "precision"]}}},
    },
    "else": {
        "properties": {
            **dict.fromkeys(("examples", "machine", "packages"), False),
            "checked": {"items": {"properties": {"epochs": False, "precision": False}}},
        }
    },
}
JUDGED = {
    "required": ["unit", "seeds_needed", "note"],
    "properties": {
        "claim": {"minLength": 1},
        "n": {"minimum": 0},
        "unit": {"enum": ["share", "steps", "seconds", "ratio", ""]},
        "seeds_needed": {"minimum": 2},
    },
}
# The fields that recipes had from the first version on. A later field that is missing has its default.
FIRST_FIELDS = {
    "required": [
        *("epochs", "batch_size", "optimizer", "learning_rate", "optimizer_options", "schedule", "warmup"),
        *("weight_decay", "loss", "label_smoothing", "patience", "monitor", "evaluate_every", "precision"),
    ],
    "properties": {
        "epochs": {"minimum": 1},
        "batch_size": {"minimum": 1},
        "learning_rate": {"exclusiveMinimum": 0},
    },
}
PNG = {
    "type": "string",
    "contentEncoding": "base64",
    "contentMediaType": "image/png",
    "pattern": "^iVBORw0KGgo[A-Za-z0-9+/]*={0,2}$",
}

DECLARED = {
    "required": ["name", "title", "unit", "better", "exact"],
    "properties": {
        "name": {"minLength": 1},
        "unit": {"enum": ["share", "steps", "seconds", "ratio", ""]},
        "better": {"enum": ["higher", "lower", ""]},
    },
}

RULES = {
    ("Code", "renewed", "items"): AGAIN_OR_COMPARED,
    ("Detail", "recipe"): {"$ref": "#/$defs/Recipe", **FIRST_FIELDS},
    ("DrillDetail", "metrics", "items"): DECLARED,
    ("Evidence", "claims", "items"): JUDGED,
    ("Evidence", "trials", "items"): FINISHED_OR_FAILED,
    ("Evidence", "variants", "additionalProperties", "additionalProperties"): ONE_SEED_HAS_NO_SPREAD,
    ("Picture", "png"): PNG,
    ("Trial", "history"): ALL_COLUMNS_OR_NONE,
    ("Trial", "metrics"): METRICS,
    ("Try", "validation_accuracy"): ONE_SEED_HAS_NO_SPREAD,
}
"""By definition, field and place in it: a rule that is added to what the types say."""


def schema_text() -> str:
    """The schema as the published file has it."""
    definitions: dict[str, Any] = {}
    reference = _described(Evidence, definitions)
    _described(Recipe, definitions)
    for (name, field, *inside), rule in RULES.items():
        properties = definitions[name]["properties"]
        told = properties[field].pop("description", None)
        place = functools.reduce(operator.getitem, inside, properties[field])
        if "$ref" in rule:
            place.clear()
        place.update(rule)
        if told:
            properties[field]["description"] = told
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
        return describe(read) | {name: each for says in more for name, each in says.keywords.items()}
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

"""The kinds of values in an evidence document, and the rules that hold between its fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fortydays.study.statistics import Interval

MOST_VARIANTS = 200
MOST_TRIALS = 20_000

Setting = str | int | float | bool | None
"""What a recipe field can hold."""


@dataclass(frozen=True, eq=False)
class Says:
    """What ``Annotated`` says of a value, in the keywords of JSON Schema. Equal by identity, so that it has a hash."""

    keywords: Mapping[str, Any]


# Rules that hold between fields, or that a type alone does not say.
_UNIQUE = Says({"minItems": 1, "maxItems": MOST_TRIALS, "uniqueItems": True})
_ONE_SEED_HAS_NO_SPREAD = Says(
    {
        "properties": {"n": {"minimum": 1}, "std": {"minimum": 0}},
        "if": {"properties": {"n": {"const": 1}}},
        "then": {"properties": {end: {"type": "null"} for end in ("std", "low", "high")}},
        "else": {"properties": {end: {"type": "number"} for end in ("std", "low", "high")}},
    }
)
ALL_COLUMNS_OR_NONE = Says(
    {
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
)
METRICS = Says(
    {
        "patternProperties": {
            "^(test|train|validation)_accuracy$": {"type": "number", "minimum": 0, "maximum": 1},
            "^((test|train|validation)_loss|accuracy_gap)$": {"type": "number"},
        }
    }
)
FINISHED_OR_FAILED = Says(
    {
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
)
AGAIN_OR_COMPARED = Says(
    {
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
)
JUDGED = Says(
    {
        "required": ["unit", "seeds_needed", "note"],
        "properties": {
            "claim": {"minLength": 1},
            "n": {"minimum": 0},
            "unit": {"enum": ["share", "steps", "seconds", "ratio", ""]},
            "seeds_needed": {"minimum": 2},
        },
    }
)
# The fields that recipes had from the first version on. A later field that is missing has its default.
FIRST_FIELDS = Says(
    {
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
)
PNG = Says(
    {
        "type": "string",
        "contentEncoding": "base64",
        "contentMediaType": "image/png",
        "pattern": "^iVBORw0KGgo[A-Za-z0-9+/]*={0,2}$",
    }
)

DECLARED = Says(
    {
        "required": ["name", "title", "unit", "better", "exact"],
        "properties": {
            "name": {"minLength": 1},
            "unit": {"enum": ["share", "steps", "seconds", "ratio", ""]},
            "better": {"enum": ["higher", "lower", ""]},
        },
    }
)

Digest = Annotated[str, Says({"pattern": "^[0-9a-f]{64}$"})]
Commit = Annotated[str, Says({"pattern": "^[0-9a-f]{40,64}$"})]
Name = Annotated[str, Says({"minLength": 1})]
Natural = Annotated[int, Says({"minimum": 0})]
Count = Annotated[int, Says({"minimum": 1})]
Seconds = Annotated[float, Says({"minimum": 0})]
Points = Annotated[tuple[float, ...], Says({"maxItems": 100_000})]
Seeds = Annotated[tuple[Natural, ...], _UNIQUE]
Mean = Annotated[Interval, _ONE_SEED_HAS_NO_SPREAD]
Versions = Mapping[str, str]
Backend = Literal["tensorflow", "jax"]
Precision = Literal["float32", "bfloat16"]
Labels = Annotated[tuple[str, ...], Says({"maxItems": 100})]

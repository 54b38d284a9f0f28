"""The shapes of the service's answers, for its OpenAPI document. The routes write JSON themselves, which is faster."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from fortydays.inputs.input import DATATYPES, Input


class ErrorText(BaseModel):
    """What was wrong."""

    message: str
    request_id: str


class Refusal(BaseModel):
    """The body of an answer that is none."""

    error: ErrorText


class ProtocolRefusal(BaseModel):
    """The same, as the inference protocol has it."""

    error: str


def refusals(texts: Mapping[int, str], model: type[BaseModel] = Refusal) -> dict[int | str, dict[str, Any]]:
    """How a route refuses: by status, what it means."""
    return {status: {"model": model, "description": text} for status, text in texts.items()}


class Class(BaseModel):
    """One class and its probability."""

    name: str = Field(alias="class")
    index: int
    probability: float


class Prediction(BaseModel):
    """The most probable classes of one example, the best first."""

    top: list[Class]
    unknown: bool | None = Field(
        default=None,
        description="Whether the example looks unlike what the model has learned. "
        "Left away where the model's threshold was not measured.",
    )


class Predictions(BaseModel):
    """The answer to a request."""

    model: str
    version: int
    request_id: str
    milliseconds: float
    predictions: list[Prediction]


class Confidence(BaseModel):
    """How far a model's probabilities are to be believed."""

    temperature: float = Field(description="That the logits are divided by.")
    unknown_below: float = Field(description="Answers whose highest probability is below this are marked as unknown.")
    false_alarms: float = Field(description="The share of the images below that was so marked, and wrongly.")
    images: int = Field(description="Validation images of known classes on which that was measured.")


class LearnedFrom(BaseModel):
    """What a model has learned from."""

    dataset: str
    images: int


class Model(BaseModel):
    """What is served."""

    model: str
    version: int
    digest: str
    classes: list[str]
    input: dict[str, Any] = Field(
        description="What it takes: its kind and size, and the media types of files it reads."
    )
    confidence: Confidence | None
    learned_from: LearnedFrom | None = Field(description="Null where its lineage does not say it.")
    samples: list[str] = Field(description="The class of each example under `/model/samples/`, counted from 0.")
    shadow: str | None


class Live(BaseModel):
    """Whether it lives."""

    live: bool


class Ready(BaseModel):
    """Whether it takes requests."""

    ready: bool


class ModelReady(Ready):
    """Whether a model takes requests."""

    name: str


class Served(BaseModel):
    """What a role has now."""

    model: str
    changed: bool


class Reloaded(BaseModel):
    """What is served after a reload."""

    main: Served
    shadow: Served | None = None
    workers: int


class ServerMetadata(BaseModel):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """An input or an output."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class OutputTensor(TensorMetadata):
    """Numbers."""

    data: list[float] | None = None


class Inferred(BaseModel):
    """The answer of the inference protocol."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


_FILE = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "type": "object",
    "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
}


def file_body(takes: Input) -> dict[str, Any]:
    """The body of a request with one file of what a model takes."""
    return {"required": True, "content": dict.fromkeys(takes.MEDIA_TYPES, _FILE)}


def predict_body(takes: Input) -> dict[str, Any]:
    """The body of a request with one or several examples of what a model takes."""
    field = {"items": {}, "type": "array", "description": f"One example, {takes.title}, or several."}
    spelled_out = {"type": "object", "required": [takes.JSON_FIELD], "properties": {takes.JSON_FIELD: field}}
    content = {"application/json": {"schema": spelled_out}}
    if takes.MEDIA_TYPES:
        content |= {**file_body(takes)["content"], "multipart/form-data": {"schema": _FORM}}
    return {"required": True, "content": content}


SAMPLE_PARAMETER: dict[str, Any] = {
    "name": "number",
    "in": "path",
    "required": True,
    "description": "Which one, counted from 0.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 9999},
}
TOP_PARAMETER: dict[str, Any] = {
    "name": "top",
    "in": "query",
    "description": "How many classes to name.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 5},
}
INFER_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["inputs"],
                "properties": {
                    "id": {"type": "string", "maxLength": 256},
                    "inputs": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["name", "datatype", "shape", "data"],
                            "properties": {
                                "name": {"type": "string"},
                                "datatype": {"enum": list(DATATYPES.values())},
                                "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                                "data": {"type": "array", "items": {}},
                            },
                        },
                    },
                },
            }
        }
    },
}

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
    encoding: str | None = Field(
        default=None,
        description="Of a text that came as bytes, in which encoding they were read: UTF-8, UTF-16, or cp1252, where "
        "a line is not UTF-8. If letters of your texts are lost, send UTF-8.",
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
    samples_are_texts: bool = Field(
        description="Whether the samples are texts as people wrote them, and not the words that the model sees of one."
    )
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


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", **({"required": required} if required else {}), "properties": properties}


def _array(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def _body(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """A request's body, by its media types."""
    return {"required": True, "content": {kind: {"schema": schema} for kind, schema in schemas.items()}}


_FILE = {"type": "string", "format": "binary"}


def file_body(takes: Input) -> dict[str, Any]:
    """The body of a request with one file of what a model takes."""
    return _body(dict.fromkeys(takes.MEDIA_TYPES, _FILE))


def predict_body(takes: Input) -> dict[str, Any]:
    """The body of a request with one or several examples of what a model takes."""
    examples = _array({}, description=f"One example, {takes.title}, or several.")
    kinds = {"application/json": _object([takes.JSON_FIELD], **{takes.JSON_FIELD: examples})}
    if takes.MEDIA_TYPES:
        kinds |= dict.fromkeys(takes.MEDIA_TYPES, _FILE) | {"multipart/form-data": _object([], file=_array(_FILE))}
    return _body(kinds)


def _parameter(name: str, place: str, description: str, **schema: Any) -> dict[str, Any]:
    """A whole number in an address."""
    described = {"name": name, "in": place, "description": description, "schema": {"type": "integer", **schema}}
    return {**described, "required": place == "path"}


SAMPLE_PARAMETER = _parameter("number", "path", "Which one, counted from 0.", minimum=0, maximum=9999)
TOP_PARAMETER = _parameter("top", "query", "How many classes to name.", minimum=1, maximum=1000, default=5)
_TENSOR = _object(
    ["name", "datatype", "shape", "data"],
    name={"type": "string"},
    datatype={"enum": list(DATATYPES.values())},
    shape=_array({"type": "integer", "minimum": 1}),
    data=_array({}),
)
_REQUEST = _object(["inputs"], id={"type": "string", "maxLength": 256}, inputs=_array(_TENSOR, minItems=1))
INFER_BODY = _body({"application/json": _REQUEST})

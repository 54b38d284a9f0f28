"""Asking the models in the service's own words: files, forms, JSON."""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.responses import Response

from fortydays.base import clock
from fortydays.base.encodings import encoding_of
from fortydays.base.errors import UnreadableContentError
from fortydays.base.text import shown
from fortydays.inputs.input import Arrays, Input
from fortydays.serve import documents as shapes
from fortydays.serve.answers import prediction
from fortydays.serve.errors import RequestError, refused
from fortydays.serve.exchange import Exchange, aside, json_answer
from fortydays.serve.form import read_files
from fortydays.serve.protocol import parse_json
from fortydays.serve.service import Answer, Service

_TOP = 5
_BYTES_TYPES = ("", "application/octet-stream", "binary/octet-stream")
_REFUSALS = shapes.refusals(
    {
        400: "No file, or no JSON",
        408: "The body came too slowly",
        413: "Too large",
        415: "Of a type that is not read",
        422: "Damaged, or other arrays than the model takes",
    }
)


def add_predict(app: FastAPI, service: Service) -> None:
    """Add the routes that ask the first model, and the second one."""
    takes, top = service.main.bundle.input, [shapes.TOP_PARAMETER]

    @app.post(
        "/predict",
        tags=["predict"],
        response_model=shapes.Predictions,
        responses=_REFUSALS,
        openapi_extra={"requestBody": shapes.predict_body(takes), "parameters": top},
    )
    async def predict(request: Exchange) -> Response:
        """The most probable classes of one example, or of several."""
        count = _top(request)
        answer, contents = await _answer(request, service)
        return _predictions(request, answer, count, contents)

    @app.post(
        "/compare",
        tags=["predict"],
        response_model=shapes.Predictions,
        responses={**_REFUSALS, **shapes.refusals({404: "There is no second model"})},
        openapi_extra={"requestBody": shapes.file_body(takes), "parameters": top},
    )
    async def compare(request: Exchange) -> Response:
        """What the second model, the one in the shadow, says of one file."""
        count = _top(request)
        content = await request.body()
        return _predictions(request, await service.compare(content), count, [content])


def _predictions(request: Exchange, answer: Answer, count: int, contents: Sequence[bytes]) -> Response:
    """The answers to some examples; of texts that came as bytes, with the encoding in which these were read."""
    bundle = answer.model.bundle
    of_texts = bundle.input.of_texts and contents
    read_as = [{"encoding": encoding_of(each)} for each in contents] if of_texts else [{}] * len(answer.probabilities)
    return json_answer(
        {
            "model": bundle.name,
            "version": bundle.version,
            "request_id": request.id,
            "milliseconds": round(1000 * (clock.seconds() - request.arrived), 3),
            "predictions": [
                {**prediction(bundle, row, count), **said}
                for row, said in zip(answer.probabilities, read_as, strict=True)
            ],
        }
    )


def _top(request: Exchange) -> int:
    if not request.scope["query_string"]:
        return _TOP
    text = request.query_params.get("top")
    if text is None:
        return _TOP
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= 1000):
        raise RequestError(422, "top is no whole number from 1 to 1000.")
    return int(text)


async def _answer(request: Exchange, service: Service) -> tuple[Answer, Sequence[bytes]]:
    """Read a body by its type, and ask the first model. Also the files that were sent, if it were files."""
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    takes = service.main.bundle.input
    if kind == "application/json":
        content = await request.body()
        if len(content) > service.limits.json_body:
            raise RequestError(413, f"The JSON is too large; expected at most {service.limits.json_body:,} bytes.")
        model = service.main
        inputs = await aside(content, lambda: _spelled_out(content, service, model.bundle.input))
        return await service.answer_arrays(model, inputs, request), ()
    if kind == "multipart/form-data":
        files = await read_files(content_type, request.stream(), most=service.limits.images)
        names = [
            f"{takes.NOUN.capitalize()} {i} of {len(files)}, {shown(name)}"
            for i, (name, _) in enumerate(files, start=1)
        ]
        for name, (_, content) in zip(names, files, strict=True):
            if not content:
                raise RequestError(400, f"{name}: The file is empty; expected one {takes.NOUN} file.")
        contents = [content for _, content in files]
        return await service.answer_files(contents, request, names=names), contents
    # What a file is, its bytes say: programs have many names for a JPEG, and some send none.
    if kind in _BYTES_TYPES or kind.partition("/")[0] in {known.partition("/")[0] for known in takes.MEDIA_TYPES}:
        content = await request.body()
        if not content:
            raise RequestError(400, f"The body is empty; expected one {takes.NOUN} file.")
        return await service.answer_files([content], request), [content]
    raise _of_unknown_type(content_type, kind, takes.MEDIA_TYPES)


def _of_unknown_type(content_type: str, kind: str, types: tuple[str, ...]) -> RequestError:
    how = known = ""
    if types:
        known = f"{', '.join((*types, 'application/octet-stream'))} for a file, multipart/form-data for several, or "
    if types and kind == "application/x-www-form-urlencoded":  # which curl says unasked
        how = f" With curl: --data-binary @FILE -H 'Content-Type: {types[0]}'"
    return RequestError(
        415, f"The body's type is not known: {shown(content_type)}; expected {known}application/json.{how}"
    )


def _spelled_out(content: bytes, service: Service, takes: Input) -> Arrays:
    """The examples in a JSON request."""
    document = parse_json(content)
    if takes.JSON_FIELD not in document:
        raise RequestError(422, f'The JSON has no "{takes.JSON_FIELD}"; expected {{"{takes.JSON_FIELD}": [...]}}.')
    values, most = document[takes.JSON_FIELD], service.limits.waiting
    if isinstance(values, list) and len(values) > most and isinstance(values[0], str):  # before any is read
        raise RequestError(413, f"{len(values):,} examples in one request; expected 1 to {most}.")
    try:
        inputs = takes.from_json(values, service.limits.content)
        takes.check(inputs)
    except UnreadableContentError as error:
        raise refused(error) from None
    except ValueError as error:
        raise RequestError(422, f"This model takes {takes.title}; {error}.") from None
    return inputs

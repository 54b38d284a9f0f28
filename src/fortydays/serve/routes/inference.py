"""The Open Inference Protocol, version 2."""

from enum import Enum
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from fortydays import __version__
from fortydays.serve import documents as shapes
from fortydays.serve.errors import RequestError
from fortydays.serve.exchange import Exchange, aside, json_answer
from fortydays.serve.protocol import JSON_LENGTH, InferRequest, read_infer_request, write_infer_answer
from fortydays.serve.routes.operation import readiness
from fortydays.serve.routes.table import Endpoint
from fortydays.serve.served import ServedModel
from fortydays.serve.service import Service

_TAGS: list[str | Enum] = ["Open Inference Protocol v2"]
_REFUSALS = shapes.refusals(
    {400: "A wrong request", 404: "Another model", 413: "Too large", 503: "Busy"}, shapes.ProtocolRefusal
)


def add_inference(app: FastAPI, service: Service) -> None:
    """Add the protocol's routes."""

    @app.get("/v2", tags=_TAGS, response_model=shapes.ServerMetadata)
    async def server(_request: Exchange) -> Response:
        """What this server is."""
        return json_answer({"name": "fortydays", "version": __version__, "extensions": ["binary_tensor_data"]})

    @app.get("/v2/health/live", tags=_TAGS, response_model=shapes.Live)
    async def live(_request: Exchange) -> Response:
        """Whether the server runs."""
        return json_answer({"live": True})

    @app.get("/v2/health/ready", tags=_TAGS, response_model=shapes.Ready)
    async def ready(_request: Exchange) -> Response:
        """Whether it takes requests."""
        return readiness(service)

    _add_model(app, service)


def _add_model(app: FastAPI, service: Service) -> None:
    """Add the routes of the one model, with its version in the path and without."""

    def add(method: str, ending: str, answer: Endpoint, gives: Any, **more: Any) -> None:
        for path in ("/v2/models/{name}/versions/{version}", "/v2/models/{name}"):
            app.add_api_route(
                path + ending, answer, methods=[method], tags=_TAGS, response_model=gives, responses=_REFUSALS, **more
            )

    async def metadata(request: Exchange) -> Response:
        """What the model takes and gives."""
        bundle = _model(request, service).bundle
        found = bundle.model.signature.as_dict()
        texts = bundle.input.TEXT_TENSOR
        return json_answer(
            {
                "name": bundle.name,
                "versions": [str(bundle.version)],
                "platform": "onnx_onnxv1",
                "inputs": [{"name": texts, "datatype": "BYTES", "shape": [-1]}] if texts else found["inputs"],
                "outputs": found["outputs"],
            }
        )

    async def model_ready(request: Exchange) -> Response:
        """Whether the model takes requests."""
        return readiness(service, name=_model(request, service).bundle.name)

    async def infer(request: Exchange) -> Response:
        """The probabilities of all classes, for any number of examples."""
        _model(request, service)
        length, content = request.headers.get(JSON_LENGTH), await request.body()
        model = _model(request, service)  # by now it may be another
        json = content if length is None else b""
        limits = service.limits

        def read() -> InferRequest:
            takes = model.bundle.input
            return read_infer_request(content, length, takes, most_json=limits.json_body, bounds=limits.content)

        asked = await aside(json, read)
        answer = await service.answer_arrays(model, asked.inputs, request)
        bundle = answer.model.bundle
        body, headers = write_infer_answer(asked, answer.probabilities, name=bundle.name, version=bundle.version)
        return Response(body, headers=headers)

    add("GET", "", metadata, shapes.ModelMetadata)
    add("GET", "/ready", model_ready, shapes.ModelReady)
    add("POST", "/infer", infer, shapes.Inferred, openapi_extra={"requestBody": shapes.INFER_BODY})


def _model(request: Exchange, service: Service) -> ServedModel:
    """The model that answers, if it is the one that the path names."""
    model, name, version = service.main, request.path_params["name"], request.path_params.get("version")
    if name != model.bundle.name or version not in (None, "", str(model.bundle.version)):
        raise RequestError(404, f"Another model or version is served: {model.reference}.")
    return model

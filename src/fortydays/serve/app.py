"""The routes of the service."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from fortydays import __version__
from fortydays.base import clock
from fortydays.base.errors import FortydaysError, UnreadableContentError
from fortydays.base.text import printable, shown
from fortydays.serve import documents as shapes
from fortydays.serve.answers import label, prediction
from fortydays.serve.connections import UNDER_WAY
from fortydays.serve.errors import RequestError, refused
from fortydays.serve.form import read_files
from fortydays.serve.guard import (
    ARRIVED,
    COOKIE,
    REQUEST,
    Access,
    App,
    Guard,
    Receive,
    Scope,
    Send,
    cookie_value,
    error_document,
)
from fortydays.serve.metrics import CONTENT_TYPE
from fortydays.serve.protocol import JSON_LENGTH, parse_json, read_infer_request, write_infer_answer
from fortydays.serve.service import Answer, Service
from fortydays.serve.static import Files

if TYPE_CHECKING:
    from fortydays.inputs.input import Arrays, Input
    from fortydays.serve.served import ServedModel

Reload = Callable[[], Awaitable[dict[str, Any]]]

PAGE = Path(__file__).parent / "page"
TOP = 5
_LONG_JSON = 100_000
_BYTES_TYPES = ("", "application/octet-stream", "binary/octet-stream")
_NOT_THERE = "There is no such page."
_NO_STORE = {"cache-control": "no-store"}
_DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": shapes.Refusal, "description": text}
    for status, text in (
        (400, "No file, or no JSON"), (408, "The body came too slowly"), (413, "Too large"),
        (415, "Of a type that is not read"), (422, "Damaged, or other arrays than the model takes"),
    )
}  # fmt: skip


class _Direct(APIRoute):
    """A route whose function gets the request and gives the response, and is described like any other.

    FastAPI would look for what else it could be given, on every request.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function itself."""
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint
        if inspect.signature(endpoint).parameters:
            return endpoint

        async def called(_request: Request) -> Response:
            return await endpoint()

        return called


def _directly(app: FastAPI) -> App:
    """The application with a short way to its routes, past the layers that FastAPI has around each.

    What leads to no route, or takes another method, is left to FastAPI, and refusals to the guard.
    """
    routes = [
        (route.path_regex, route.methods or set(), route.get_route_handler())
        for route in app.routes
        if isinstance(route, _Direct)
    ]

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for path, methods, answer in routes:
                found = path.match(scope["path"])
                if found and scope["method"] in methods:
                    scope["path_params"] = found.groupdict()
                    response = await answer(Request(scope, receive))
                    await response(scope, receive, send)
                    return
        await app(scope, receive, send)

    return called


def create_app(
    service: Service,
    *,
    access: Access,
    reload: Reload,
    started: Callable[[], Awaitable[None]] | None = None,
    stopped: Callable[[], Awaitable[None]] | None = None,
    root_path: str = "",
) -> Guard:
    """The application of one worker, for an ASGI server.

    Args:
        service: what answers.
        access: who may ask.
        reload: called to replace the models by what their aliases name now; gives what is served.
        started: called when the server starts.
        stopped: called after it answered its last request.
        root_path: what a proxy has put before every path: "" or "/prefix".
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if started is not None:
            await started()
        yield
        await service.close()
        if stopped is not None:
            await stopped()

    takes = service.main.bundle.input
    app = FastAPI(
        title="fortydays service",
        version=__version__,
        description=f"Answers {takes.NOUN}s with the probabilities of their classes.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,  # to an address that is another one behind a proxy
        servers=[{"url": root_path}] if root_path else None,
        responses={
            status: {"model": shapes.Refusal, "description": text}
            for status, text in (
                (401, "No valid token"), (403, "A page of another site asks"), (421, "Another host is named"),
                (503, "Busy; come again"),
            )
        },
    )  # fmt: skip
    app.router.route_class = _Direct
    app.add_exception_handler(HTTPException, _not_there)
    _add_predict(app, service)  # first, as routes are tried in their order
    _add_protocol(app, service)
    _add_pages(app, service)
    _add_health(app, service)

    @app.post(
        "/admin/reload",
        tags=["administration"],
        response_model=shapes.Reloaded,
        responses={409: {"model": shapes.Refusal, "description": "Nothing was replaced"}},
        openapi_extra={"security": [{"token": []}]},
    )
    async def reload_models() -> Response:
        """Serve what the aliases name now. Ends when the new version answers; where it cannot, the old one stays."""
        try:
            return _json(await reload())
        except RequestError:
            raise
        except FortydaysError as error:
            raise RequestError(409, f"Nothing was replaced: {error.message}") from error

    @app.post("/session", include_in_schema=False)
    async def begin_session() -> Response:
        """Let the browser that knows the token follow links, which carry none."""
        answer = Response(status_code=204, headers=_NO_STORE)
        if access.token:
            path = root_path or "/"
            answer.set_cookie(COOKIE, cookie_value(access.token), path=path, httponly=True, samesite="strict")
        return answer

    _name_the_token(app)
    known = {getattr(route, "path", "") for route in app.routes}
    model_routes = sorted((path for path in known if "{name}" in path), key=len, reverse=True)

    def route_of(path: str) -> str:
        if path in known:
            return path
        if path.startswith("/v2/models/"):
            parts = path.split("/")
            for route in model_routes:
                pattern = route.split("/")
                if len(pattern) == len(parts) and all(
                    a == b or a[:1] == "{" for a, b in zip(pattern, parts, strict=True)
                ):
                    return route
        return "/page" if path.startswith("/page/") else "other"

    return Guard(
        _directly(app),
        access=access,
        limits=service.limits,
        metrics=service.metrics,
        route_of=route_of,
        closing=lambda: not service.ready,
        root_path=root_path,
    )


def _add_pages(app: FastAPI, service: Service) -> None:
    files = Files({"": PAGE, "docs/": Path(str(package_files("fastapi_offline"))) / "static"})

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        found = files.answer("index.html", request)
        assert found is not None
        return found

    @app.get("/page/{name:path}", include_in_schema=False)
    async def page_file(request: Request) -> Response:
        found = files.answer(request.path_params["name"], request)
        if found is None:
            raise RequestError(404, _NOT_THERE)
        return found

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        html = get_swagger_ui_html(
            openapi_url="openapi.json",  # relative to this page, as all here: a proxy may have put something before it
            title="fortydays service",
            swagger_js_url="page/docs/swagger-ui-bundle.js",
            swagger_css_url="page/docs/swagger-ui.css",
            swagger_favicon_url="page/icon.svg",
        )
        html.headers["content-security-policy"] = _DOCS_POLICY
        return html

    @app.get("/model", tags=["model"], response_model=shapes.Model)
    async def model() -> Response:
        """Which models are loaded, and what the first one takes."""
        found = service.main
        shadow = service.shadow
        return _json(
            {
                "model": found.bundle.name,
                "version": found.bundle.version,
                "digest": found.bundle.manifest.digest,
                "classes": [label(found.bundle, i) for i in range(len(found.bundle.classes))],
                "input": {**found.bundle.input.summary(), "accepts": list(found.bundle.input.MEDIA_TYPES)},
                "confidence": found.bundle.confidence.as_dict() if found.bundle.confidence else None,
                "learned_from": _learned_from(found.bundle.lineage),
                "samples": [label(found.bundle, place) for place, *_ in found.samples],
                "shadow": shadow.reference if shadow else None,
            }
        )

    @app.get(
        "/model/samples/{number}",
        tags=["model"],
        response_class=Response,
        responses={200: {"content": {"*/*": {}}}, 404: {"model": shapes.Refusal, "description": "It has none"}},
        openapi_extra={"parameters": [shapes.SAMPLE_PARAMETER]},
    )
    async def sample(request: Request) -> Response:
        """An example of a class, which the model has not learned from; `samples` of `/model` names the classes."""
        number, samples = request.path_params["number"], service.main.samples
        if not (number.isascii() and number.isdecimal() and len(number) <= 4 and int(number) < len(samples)):
            raise RequestError(404, f"There is no such sample; there are {len(samples)}, counted from 0.")
        _, content, media_type = samples[int(number)]
        return Response(content, media_type=media_type, headers=_NO_STORE)

    @app.get("/model/card", tags=["model"], response_class=Response, responses={200: {"content": {"text/html": {}}}})
    async def card() -> Response:
        """The model card, as a page."""
        return Response(service.main.card, media_type="text/html", headers=_NO_STORE)

    @app.get(
        "/model/picture",
        tags=["model"],
        response_class=Response,
        responses={200: {"content": {"image/png": {}}}, 404: {"model": shapes.Refusal, "description": "It has none"}},
    )
    async def picture() -> Response:
        """The card's picture."""
        if not service.main.bundle.picture:
            raise RequestError(404, "This model's card has no picture.")
        return Response(service.main.bundle.picture, media_type="image/png", headers=_NO_STORE)


def _learned_from(lineage: Mapping[str, Any]) -> dict[str, Any] | None:
    """Name and size of what a model has learned, where its lineage tells both."""
    dataset = lineage.get("dataset")
    name, images = (dataset.get("name"), dataset.get("train")) if isinstance(dataset, dict) else (None, None)
    if not isinstance(name, str) or type(images) is not int:
        return None
    # Of a reader's own photographs, "own:flowers@1f3a...", the name alone says something.
    return {"dataset": printable(name.removeprefix("own:").partition("@")[0][:80]), "images": images}


def _add_predict(app: FastAPI, service: Service) -> None:
    takes, top = service.main.bundle.input, [shapes.TOP_PARAMETER]

    @app.post(
        "/predict",
        tags=["predict"],
        response_model=shapes.Predictions,
        responses=_REFUSALS,
        openapi_extra={"requestBody": shapes.predict_body(takes), "parameters": top},
    )  # fmt: skip
    async def predict(request: Request) -> Response:
        """The most probable classes of one example, or of several."""
        count = _top(request.query_params.get("top"))
        answer = await _answer(request, service)
        model = answer.model
        return _json(
            {
                "model": model.bundle.name,
                "version": model.bundle.version,
                "request_id": request.scope[REQUEST],
                "milliseconds": round(1000 * (clock.seconds() - request.scope[ARRIVED]), 3),
                "predictions": [prediction(model.bundle, row, count) for row in answer.probabilities],
            }
        )

    @app.post(
        "/compare",
        tags=["predict"],
        response_model=shapes.Predictions,
        responses={**_REFUSALS, 404: {"model": shapes.Refusal, "description": "There is no second model"}},
        openapi_extra={
            "requestBody": shapes.file_body(service.main.bundle.input),
            "parameters": [shapes.TOP_PARAMETER],
        },
    )
    async def compare(request: Request) -> Response:
        """What the second model, the one in the shadow, says of one file."""
        count = _top(request.query_params.get("top"))
        answer = await service.compare(await request.body(), arrived=request.scope[ARRIVED])
        bundle = answer.model.bundle
        return _json(
            {
                "model": bundle.name,
                "version": bundle.version,
                "request_id": request.scope[REQUEST],
                "milliseconds": round(1000 * answer.seconds, 3),
                "predictions": [prediction(bundle, row, count) for row in answer.probabilities],
            }
        )


async def _answer(request: Request, service: Service) -> Answer:
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    told, takes = _told(request), service.main.bundle.input
    if kind == "application/json":
        content = await _json_body(request, service)
        model = service.main
        inputs = await _aside(content, lambda: _spelled_out(content, service, model.bundle.input))
        return await service.answer_arrays(model, inputs, **told)
    if kind == "multipart/form-data":
        files = await _uploads(request, service)
        names = [
            f"{takes.NOUN.capitalize()} {i} of {len(files)}, {shown(name)}"
            for i, (name, _) in enumerate(files, start=1)
        ]
        for name, (_, content) in zip(names, files, strict=True):
            if not content:
                raise RequestError(400, f"{name}: The file is empty; expected one {takes.NOUN} file.")
        return await service.answer_files([content for _, content in files], names=names, **told)
    # What a file is, its bytes say: programs have many names for a JPEG, and some send none.
    if kind in _BYTES_TYPES or kind.partition("/")[0] in {known.partition("/")[0] for known in takes.MEDIA_TYPES}:
        content = await request.body()
        if not content:
            raise RequestError(400, f"The body is empty; expected one {takes.NOUN} file.")
        return await service.answer_files([content], **told)
    how, types = "", takes.MEDIA_TYPES
    if kind == "application/x-www-form-urlencoded" and types:  # which curl says unasked
        how = f" With curl: --data-binary @FILE -H 'Content-Type: {types[0]}'"
    known = (
        f"{', '.join((*types, 'application/octet-stream'))} for a file, multipart/form-data for several, or "
        * bool(types)
    )
    raise RequestError(415, f"The body's type is not known: {shown(given)}; expected {known}application/json.{how}")


def _spelled_out(content: bytes, service: Service, takes: "Input") -> "Arrays":
    """The examples in a JSON request."""
    document = parse_json(content)
    if takes.JSON_FIELD not in document:
        raise RequestError(422, f'The JSON has no "{takes.JSON_FIELD}"; expected {{"{takes.JSON_FIELD}": [...]}}.')
    try:
        return takes.from_json(document[takes.JSON_FIELD], service.bounds)
    except UnreadableContentError as error:
        raise refused(error) from None


_Result = TypeVar("_Result")


async def _aside(content: bytes, read: Callable[[], _Result]) -> _Result:
    """Read a body; a long one in another thread, so that the others' requests go on meanwhile."""
    return read() if len(content) <= _LONG_JSON else await asyncio.to_thread(read)


def _told(request: Request) -> dict[str, Any]:
    """What the service is told of a request."""
    scope = request.scope
    under_way = scope.get(UNDER_WAY)
    return {
        "request": scope[REQUEST],
        "arrived": scope[ARRIVED],
        "alone": lambda: under_way is not None and len(under_way) == 1,
    }


async def _json_body(request: Request, service: Service) -> bytes:
    content = await request.body()
    if len(content) > service.limits.json_body:
        raise RequestError(413, f"The JSON is too large; expected at most {service.limits.json_body:,} bytes.")
    return content


async def _uploads(request: Request, service: Service) -> list[tuple[str, bytes]]:
    """Name and content of each file of a form."""
    return await read_files(request.headers["content-type"], request.stream(), most=service.limits.images)


def _add_protocol(app: FastAPI, service: Service) -> None:
    tags: list[str | Enum] = ["Open Inference Protocol v2"]

    def checked(request: Request) -> "ServedModel":
        model, name, version = service.main, request.path_params["name"], request.path_params.get("version")
        if name != model.bundle.name or version not in (None, "", str(model.bundle.version)):
            raise RequestError(404, f"Another model or version is served: {model.reference}.")
        return model

    @app.get("/v2", tags=tags, response_model=shapes.ServerMetadata)
    async def server() -> Response:
        """What this server is."""
        return _json({"name": "fortydays", "version": __version__, "extensions": ["binary_tensor_data"]})

    @app.get("/v2/health/live", tags=tags, response_model=shapes.Live)
    async def live() -> Response:
        """Whether the server runs."""
        return _json({"live": True})

    @app.get("/v2/health/ready", tags=tags, response_model=shapes.Ready)
    async def ready() -> Response:
        """Whether it takes requests."""
        return _json({"ready": service.ready}, status=200 if service.ready else 503)

    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": shapes.ProtocolRefusal, "description": text}
        for status, text in ((400, "A wrong request"), (404, "Another model"), (413, "Too large"), (503, "Busy"))
    }

    @app.get("/v2/models/{name}", tags=tags, response_model=shapes.ModelMetadata, responses=refusals)
    @app.get(
        "/v2/models/{name}/versions/{version}", tags=tags, response_model=shapes.ModelMetadata, responses=refusals
    )
    async def metadata(request: Request) -> Response:
        """What the model takes and gives."""
        bundle = checked(request).bundle
        found = bundle.model.signature.as_dict()
        return _json(
            {
                "name": bundle.name,
                "versions": [str(bundle.version)],
                "platform": "onnx_onnxv1",
                "inputs": found["inputs"],
                "outputs": found["outputs"],
            }
        )

    @app.get("/v2/models/{name}/ready", tags=tags, response_model=shapes.ModelReady, responses=refusals)
    @app.get(
        "/v2/models/{name}/versions/{version}/ready", tags=tags, response_model=shapes.ModelReady, responses=refusals
    )
    async def model_ready(request: Request) -> Response:
        """Whether the model takes requests."""
        return _json(
            {"name": checked(request).bundle.name, "ready": service.ready}, status=200 if service.ready else 503
        )

    extra = {"requestBody": shapes.INFER_BODY}

    @app.post(
        "/v2/models/{name}/infer", tags=tags, response_model=shapes.Inferred, responses=refusals, openapi_extra=extra
    )
    @app.post(
        "/v2/models/{name}/versions/{version}/infer",
        tags=tags,
        response_model=shapes.Inferred,
        responses=refusals,
        openapi_extra=extra,
    )
    async def infer(request: Request) -> Response:
        """The probabilities of all classes, for any number of examples."""
        checked(request)
        length, content = request.headers.get(JSON_LENGTH), await request.body()
        model = checked(request)  # by now it may be another
        json = content if length is None else b""
        asked = await _aside(
            json,
            lambda: read_infer_request(content, length, model.bundle.input, most_json=service.limits.json_body),
        )
        answer = await service.answer_arrays(model, asked.inputs, **_told(request))
        bundle = answer.model.bundle
        body, headers = write_infer_answer(asked, answer.probabilities, name=bundle.name, version=bundle.version)
        return Response(body, headers=headers)


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", tags=["health"], response_model=shapes.Live)
    async def healthz() -> Response:
        """Whether the process lives."""
        return _json({"live": True})

    @app.get("/readyz", tags=["health"], response_model=shapes.Ready)
    async def readyz() -> Response:
        """Whether requests should be sent here."""
        return _json({"ready": service.ready}, status=200 if service.ready else 503)

    @app.get("/metrics", tags=["health"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """For Prometheus."""
        service.metrics.waiting.set(service.main.batcher.waiting)
        return Response(service.metrics.text(), headers={"content-type": CONTENT_TYPE})


def _name_the_token(app: FastAPI) -> None:
    make = app.openapi

    def described() -> dict[str, Any]:
        document = make()
        document.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        return document

    app.openapi = described  # type: ignore[method-assign]


def _top(text: str | None) -> int:
    if text is None:
        return TOP
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= 1000):
        raise RequestError(422, "top is no whole number from 1 to 1000.")
    return int(text)


def _json(document: object, *, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, _NO_STORE, "application/json")


async def _not_there(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = {404: _NOT_THERE, 405: "This page does not take that method."}
    message = what.get(error.status_code, "The request was refused.")
    headers = dict(error.headers or {})
    if "GET" in headers.get("Allow", "").split(", "):
        headers["Allow"] = ", ".join(sorted({*headers["Allow"].split(", "), "HEAD"}))
    return Response(
        orjson.dumps(error_document(message, request.scope)), error.status_code, headers, "application/json"
    )

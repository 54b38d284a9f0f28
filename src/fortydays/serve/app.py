"""The application of one worker: its routes behind the guard."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from fortydays import __version__
from fortydays.serve import documents as shapes
from fortydays.serve.guard import Access, Guard, error_document
from fortydays.serve.routes.direct import Direct, directly
from fortydays.serve.routes.inference import add_inference
from fortydays.serve.routes.operation import Reload, add_operation
from fortydays.serve.routes.pages import NOT_THERE, add_model, add_pages
from fortydays.serve.routes.predict import add_predict
from fortydays.serve.service import Service

_REFUSALS = shapes.refusals(
    {401: "No valid token", 403: "A page of another site asks", 421: "Another host is named", 503: "Busy; come again"}
)


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

    app = _Described(
        title="fortydays service",
        version=__version__,
        description=f"Answers {service.main.bundle.input.NOUN}s with the probabilities of their classes.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,  # to an address that is another one behind a proxy
        servers=[{"url": root_path}] if root_path else None,
        responses=_REFUSALS,
    )
    app.router.route_class = Direct
    app.add_exception_handler(HTTPException, _not_there)
    add_predict(app, service)  # first, as routes are tried in their order
    add_inference(app, service)
    add_pages(app, access, root_path=root_path)
    add_model(app, service)
    add_operation(app, service, reload)
    return Guard(
        directly(app),
        access=access,
        limits=service.limits,
        metrics=service.metrics,
        route_of=_routes_by_path(app),
        closing=lambda: not service.ready,
        root_path=root_path,
    )


class _Described(FastAPI):
    """An application whose description names the token."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        return document


def _routes_by_path(app: FastAPI) -> Callable[[str], str]:
    """From a path to the name that metrics have for it."""
    routes = [
        (each.path_regex, each.path.removesuffix("/{name:path}")) for each in app.routes if isinstance(each, Route)
    ]

    def route_of(path: str) -> str:
        return next((name for pattern, name in routes if pattern.match(path)), "other")

    return route_of


async def _not_there(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = {404: NOT_THERE, 405: "This page does not take that method."}
    message = what.get(error.status_code, "The request was refused.")
    headers = dict(error.headers or {})
    if "GET" in headers.get("Allow", "").split(", "):
        headers["Allow"] = ", ".join(sorted({*headers["Allow"].split(", "), "HEAD"}))
    return Response(
        orjson.dumps(error_document(message, request.scope)), error.status_code, headers, "application/json"
    )

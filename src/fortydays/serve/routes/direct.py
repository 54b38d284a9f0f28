"""What all routes share: the short way to them, answers in JSON, and what the service is told of a request."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from fortydays.serve.connections import UNDER_WAY
from fortydays.serve.guard import ARRIVED, REQUEST, App, Receive, Scope, Send
from fortydays.serve.service import Service

NO_STORE = {"cache-control": "no-store"}
_LONG_BODY = 100_000

_Result = TypeVar("_Result")


class Direct(APIRoute):
    """A route whose function gets the request and gives the response, and is described like any other.

    FastAPI would look for what else it could be given, on every request.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function itself."""
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


def directly(app: FastAPI) -> App:
    """The application with a short way to its routes, past the layers that FastAPI has around each.

    What leads to no route, or takes another method, is left to FastAPI, and refusals to the guard.
    """
    routes = [
        (route.path_regex, route.methods or set(), route.get_route_handler())
        for route in app.routes
        if isinstance(route, Direct)
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


def json_answer(document: object, *, status: int = 200) -> Response:
    """An answer that nobody keeps."""
    return Response(orjson.dumps(document), status, NO_STORE, "application/json")


def told(request: Request) -> dict[str, Any]:
    """What the service is told of a request."""
    scope = request.scope
    under_way = scope.get(UNDER_WAY)
    return {
        "request": scope[REQUEST],
        "arrived": scope[ARRIVED],
        "alone": lambda: under_way is not None and len(under_way) == 1,
    }


def readiness(service: Service, **more: str) -> Response:
    """Whether the service takes requests, in the body and in the status."""
    return json_answer({**more, "ready": service.ready}, status=200 if service.ready else 503)


async def aside(content: bytes, read: Callable[[], _Result]) -> _Result:
    """Read a body; a long one in another thread, so that the others' requests go on meanwhile."""
    return read() if len(content) <= _LONG_BODY else await asyncio.to_thread(read)

"""One request as the routes get it, and the way back to whoever asks. What every answer carries is added here."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from fortydays.base import clock
from fortydays.serve.connections import UNDER_WAY
from fortydays.serve.errors import RequestError, busy
from fortydays.serve.limits import Limits

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NO_STORE = {"cache-control": "no-store"}

_LONG_BODY = 100_000
_Result = TypeVar("_Result")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_POLICY = (
    b"content-security-policy",
    b"default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
)


class Bodies:
    """The bodies of all requests that are in memory: the bounds, and how many bytes are held."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0


class Exchange(Request):
    """One request and its answer.

    Attributes:
        fields: the headers by their names in lower case.
        arrived: when it did, by :func:`fortydays.base.clock.seconds`.
        id: the one that the client gave, or a new one.
        status: of the answer.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, bodies: Bodies) -> None:
        super().__init__(scope, receive, send)
        self.fields: dict[bytes, bytes] = dict(scope["headers"])
        self.arrived = clock.seconds()
        own = self.fields.get(b"x-request-id", b"")
        self.id = own.decode() if _REQUEST_ID.fullmatch(own) else os.urandom(8).hex()
        self.status = 500
        self._bodies = bodies
        self._held = 0

    @property
    def path(self) -> str:
        """Of the address, without what a proxy has put before it."""
        path: str = self.scope["path"]
        return path

    @property
    def is_alone(self) -> bool:
        """Whether no other request is under way."""
        return len(self.scope.get(UNDER_WAY, ())) == 1

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The parts of the body, as they come.

        Raises:
            RequestError: the body comes too slowly, is too large, or there is no room for it now.
            ClientDisconnect: nobody is there any more.
        """
        more = True
        while more:
            part, more = await self._part()
            yield part

    async def body(self) -> bytes:
        """The whole body. Raises as :meth:`stream`."""
        return b"".join([part async for part in self.stream()])

    async def _part(self) -> tuple[bytes, bool]:
        """The next part of the body, and whether there is more."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part, more, limits = message["body"], message["more_body"], self._bodies.limits
        if more and clock.seconds() > self.arrived + limits.body_deadline:
            raise RequestError(408, "The request's body did not arrive in time.")
        self._held += len(part)
        self._bodies.held += len(part)
        if self._held > limits.body:
            raise too_large(limits)
        if self._bodies.held > limits.bodies:
            raise busy("The service holds as many requests as it can.")
        return part, more

    async def answer(self, response: Response, *, closes: bool) -> None:
        """Send an answer with its whole body; ``closes`` tells the client to look for another service."""
        self.status = response.status_code
        headers = [*response.raw_headers, (b"x-request-id", self.id.encode()), *_HEADERS]
        if all(name != _POLICY[0] for name, _ in response.raw_headers):
            headers.append(_POLICY)
        if closes:
            headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": self.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": response.body})

    def end(self) -> None:
        """Its body is in memory no more."""
        self._bodies.held -= self._held


def json_answer(document: object, *, status: int = 200) -> Response:
    """An answer that nobody keeps."""
    return Response(orjson.dumps(document), status, NO_STORE, "application/json")


async def aside(content: bytes, read: Callable[[], _Result]) -> _Result:
    """Read a body; a long one in another thread, so that the others' requests go on meanwhile."""
    return read() if len(content) <= _LONG_BODY else await asyncio.to_thread(read)


def too_large(limits: Limits) -> RequestError:
    """The error for a body of too many bytes."""
    return RequestError(413, f"The request's body is too large; expected at most {limits.body:,} bytes.")


def refusal(error: RequestError, exchange: Exchange) -> Response:
    """The answer that tells what was wrong, in the form that the protocol has for it."""
    document: Any = {"error": {"message": error.message, "request_id": exchange.id}}
    if exchange.path.startswith("/v2"):  # the inference protocol wants the text alone
        document = {"error": error.message}
    answer = json_answer(document, status=error.status)
    answer.headers.update(error.headers)
    # Who was to be told whether to send a body, and is not, may send it or not: what comes next has no meaning.
    if error.closes or b"expect" in exchange.fields:
        answer.headers["connection"] = "close"
    return answer

"""What every request passes first: who may ask, from where, how much and how long; and what every answer carries.

A web page of somebody else, open in the same browser, can reach a service on this machine. Two headers that such a
page cannot forge keep it out: Host (against names that are made to point here) and Origin (against what is sent from
there).
"""

import hmac
import ipaddress
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect

from fortydays.base import clock
from fortydays.base.errors import FortydaysError
from fortydays.serve.connections import SURPLUS
from fortydays.serve.errors import RequestError, busy
from fortydays.serve.limits import Limits
from fortydays.serve.metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ARRIVED, REQUEST = "fortydays.arrived", "fortydays.request"
"""Where a request's scope has its time of arrival and its id."""

OPEN = ("/", "/healthz", "/readyz")
"""Paths that need no token: the page asks for it, and probes have none."""
_OPEN_BELOW = ("/page/",)
_HEALTH = ("/healthz", "/readyz")
COOKIE = "fortydays"
"""The name of the cookie with which the page's links are followed; good for reading, nothing else."""
ADMIN = "/admin/"

_CLIENT_LEFT = 499
"""What metrics count a request under whose client went away; the number that nginx made usual."""

_LOG = logging.getLogger(__name__)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253}))(?::([0-9]{1,5}))?")
_USUAL_PORTS = {"http": 80, "https": 443}
_ONCE = {
    *(b"host", b"authorization", b"content-length", b"content-type", b"content-encoding", b"origin"),
    *(b"transfer-encoding", b"x-request-id", b"inference-header-content-length"),
}
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may ask.

    Attributes:
        hosts: names under which the service is called, besides those of this machine's loopback.
        token: that requests must carry, or "" where the service is for this machine alone.
        admin_token: that requests to administrate must carry.
    """

    hosts: Collection[str] = ()
    token: str = ""
    admin_token: str = ""


class Guard:
    """The outermost part of the application.

    Args:
        app: what answers.
        access: who may ask.
        limits: of bodies and time.
        metrics: told of every request.
        route_of: from a path to the name that metrics have for it; a few, so that nobody can make new ones.
        closing: whether the service is about to end, so that clients are to look for another.
        root_path: what a proxy has put before every path; it is taken away where the proxy has not done so.

    Attributes:
        limits: the same.
        closing: the same.
        buffered: bytes of all bodies that are in memory.
    """

    def __init__(
        self,
        app: App,
        *,
        access: Access,
        limits: Limits,
        metrics: Metrics,
        route_of: Callable[[str], str],
        closing: Callable[[], bool],
        root_path: str = "",
    ) -> None:
        self.limits = limits
        self._app = app
        self._hosts = {*_LOOPBACK_NAMES, *(host.lower() for host in access.hosts)}
        self._access = access
        self._root_path = root_path
        self._metrics = metrics
        self._route_of = route_of
        self.closing = closing
        self.buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        # What the page refers to is relative to its address, which has to end in a slash.
        without_slash = scope["path"] == self._root_path != ""
        scope = self._simplified(scope)
        headers = dict(scope["headers"])
        exchange = _Exchange(self, scope, headers, receive, send)
        try:
            self._check(scope, headers)
            if without_slash and scope["method"] == "GET":
                await self._add_slash(scope, exchange.answer)
            else:
                await self._app(scope, exchange.take, exchange.answer)
        except FortydaysError as error:
            await refuse(error, scope, exchange.answer)
        except ClientDisconnect:
            exchange.status = _CLIENT_LEFT  # nobody is there to be answered
        except Exception:
            _LOG.exception("Request %s failed: a defect of the service", scope[REQUEST])
            if not exchange.began:
                await refuse(RequestError(500, "The service failed."), scope, exchange.answer)
            elif not exchange.ended:
                raise  # the server cuts the answer off, so that it is not taken for a whole one
        finally:
            self.buffered -= exchange.held
            route = self._route_of(scope["path"])
            self._metrics.requests.labels(route, str(exchange.status)).inc()
            self._metrics.seconds.labels(route).observe(clock.seconds() - scope[ARRIVED])

    def _simplified(self, scope: Scope) -> Scope:
        """A request as the application gets it: without the proxy's part of the path, and GET for HEAD.

        HEAD is answered like GET; the server leaves the body away.
        """
        path = scope["path"]
        if self._root_path and f"{path}/".startswith(f"{self._root_path}/"):
            scope = {**scope, "path": path[len(self._root_path) :] or "/"}
        return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope

    async def _add_slash(self, scope: Scope, send: Send) -> None:
        """Send a browser to the service's page."""
        query = b"?" + scope["query_string"] if scope.get("query_string") else b""
        headers = [(b"location", f"{self._root_path}/".encode() + query), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 308, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _check(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        path = scope["path"]
        if SURPLUS in scope and path not in _HEALTH:
            raise busy("Too many connections are open, from your address or in all.", closes=True)
        if len(headers) < len(scope["headers"]):
            names = [name for name, _ in scope["headers"]]
            for name in _ONCE & headers.keys():
                if names.count(name) > 1:
                    raise RequestError(400, f"The request has the header {name.decode()} more than once.")
        host = headers.get(b"host", b"").decode("latin-1")
        admin = path.startswith(ADMIN)
        token = self._access.admin_token if admin else self._access.token
        sent = headers.get(b"authorization", b"")
        scheme, _, secret = sent.partition(b" ")
        authorized = (
            bool(token) and scheme.lower() == b"bearer" and hmac.compare_digest(secret.strip(b" "), token.encode())
        )
        # Who knows the token is no page that another name was made to point here for.
        if not authorized and path not in _HEALTH and not self._is_ours(host):
            raise RequestError(421, "The request names another host than this service is called by.")
        reads = scope["method"] == "GET"
        origin = headers.get(b"origin")
        if origin is not None and not reads:
            scheme_of_page, _, sender = origin.decode("latin-1").partition("://")
            usual = _USUAL_PORTS.get(scheme_of_page)
            if usual is None or _place(sender, usual) != _place(host, usual):
                raise RequestError(403, "The request comes from a page of another site.")
        open_to_all = not admin and (not token or path in OPEN or path.startswith(_OPEN_BELOW))
        if not authorized and not open_to_all and not (reads and not admin and self._has_cookie(headers)):
            raise RequestError(401, "The request has no valid token; send the header 'Authorization: Bearer TOKEN'.")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self.limits.body:
            raise _too_large(self.limits)
        if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            raise RequestError(415, "The body is compressed; send it as it is.")

    def _has_cookie(self, headers: dict[bytes, bytes]) -> bool:
        """Whether a browser that once knew the token asks, by a link, which carries no token."""
        expected = f"{COOKIE}={cookie_value(self._access.token)}".encode()
        pairs = headers.get(b"cookie", b"").split(b";")
        return any(hmac.compare_digest(pair.strip(), expected) for pair in pairs)

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        return bool(found) and (found[1] or found[2]).lower() in self._hosts  # type: ignore[index]


class _Exchange:
    """One request and its answer: the body as it is taken, the answer as it is sent.

    Attributes:
        status: of the answer.
        held: bytes of the body that are in memory.
        began: whether the answer's head was sent.
        ended: whether all of the answer was sent.
    """

    def __init__(self, guard: Guard, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        self.status, self.held, self.began, self.ended = 500, 0, False, False
        self._guard, self._receive, self._send = guard, receive, send
        self._arrived = scope[ARRIVED] = clock.seconds()
        given = headers.get(b"x-request-id", b"")
        self._request = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()
        scope[REQUEST] = self._request.decode()

    async def take(self) -> Message:
        """The next part of the request's body.

        Raises:
            RequestError: the body comes too slowly, is too large, or there is no room for it now.
        """
        message = await self._receive()  # the connection ends the wait when the time is over
        limits = self._guard.limits
        if message.get("more_body") and clock.seconds() > self._arrived + limits.body_deadline:
            raise RequestError(408, "The request's body did not arrive in time.")
        size = len(message.get("body", b""))
        self.held += size
        self._guard.buffered += size
        if self.held > limits.body:
            raise _too_large(limits)
        if self._guard.buffered > limits.bodies:
            raise busy("The service holds as many requests as it can.")
        return message

    async def answer(self, message: Message) -> None:
        """Send a part of the answer; its head gets what every answer carries."""
        if message["type"] == "http.response.start":
            self.began, self.status = True, message["status"]
            told = [*message.get("headers", ()), (b"x-request-id", self._request)]
            names = {name for name, _ in told}
            told += [header for header in _HEADERS if header[0] not in names]
            if self._guard.closing():
                told.append((b"connection", b"close"))
            message["headers"] = told
        elif message["type"] == "http.response.body":
            self.ended = not message.get("more_body")
        await self._send(message)


def _too_large(limits: Limits) -> RequestError:
    return RequestError(413, f"The request's body is too large; expected at most {limits.body:,} bytes.")


async def refuse(error: FortydaysError, scope: Scope, send: Send) -> None:
    """Tell a client what was wrong, in the form its protocol has for it."""
    status, retry = 500, 0
    message = "The service failed."
    if isinstance(error, RequestError):
        status, retry, message = error.status, error.retry_after, error.message
    content = orjson.dumps(error_document(message, scope))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if retry:
        headers.append((b"retry-after", str(retry).encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    # Who was to be told whether to send a body, and is not, may send it or not: what comes next has no meaning.
    if isinstance(error, RequestError) and (error.closes or b"expect" in dict(scope["headers"])):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _place(host: str, usual: int) -> tuple[str, int] | None:
    """Name and port of a Host header, where ``usual`` is the port that need not be said."""
    found = _HOST.fullmatch(host)
    return ((found[1] or found[2]).lower(), int(found[3] or usual)) if found else None


def cookie_value(token: str) -> str:
    """What the page's cookie holds: it shows that its owner knew the token, and does not give it away."""
    return hmac.new(token.encode(), b"the page of fortydays", "sha256").hexdigest()


def error_document(message: str, scope: Scope) -> dict[str, Any]:
    """The body of a refusal; the inference protocol wants the text alone."""
    if scope["path"].startswith("/v2"):
        return {"error": message}
    return {"error": {"message": message, "request_id": scope.get(REQUEST, "")}}


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

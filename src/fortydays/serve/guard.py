"""What every request passes first: who may ask, from where, how much and how long.

A web page of somebody else, open in the same browser, can reach a service on this machine. Two headers that such a
page cannot forge keep it out: Host (against names that are made to point here) and Origin (against what is sent from
there).
"""

import hmac
import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from fortydays.base import clock
from fortydays.serve.connections import SURPLUS
from fortydays.serve.errors import RequestError, busy
from fortydays.serve.exchange import Bodies, Exchange, Receive, Scope, Send, refusal, too_large
from fortydays.serve.limits import Limits
from fortydays.serve.metrics import Metrics
from fortydays.serve.routes.table import Table

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
_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253}))(?::([0-9]{1,5}))?")
_USUAL_PORTS = {"http": 80, "https": 443}
_ONCE = {
    *(b"host", b"authorization", b"content-length", b"content-type", b"content-encoding", b"origin"),
    *(b"transfer-encoding", b"x-request-id", b"inference-header-content-length"),
}
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


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
    """The application as an ASGI server calls it: checks each request, then has its route answer it.

    What is no request, such as that the server starts, is passed on to ``lifespan``. Where the service is
    ``closing``, clients are told to look for another. ``root_path`` is what a proxy has put before every path; it is
    taken away where the proxy has not done so.
    """

    def __init__(
        self,
        table: Table,
        lifespan: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        access: Access,
        limits: Limits,
        metrics: Metrics,
        closing: Callable[[], bool],
        root_path: str = "",
    ) -> None:
        self.limits = limits
        self._table = table
        self._lifespan = lifespan
        self._hosts = {*_LOOPBACK_NAMES, *(host.lower() for host in access.hosts)}
        self._access = access
        self._root_path = root_path
        self._metrics = metrics
        self._closing = closing
        self._bodies = Bodies(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self._lifespan(scope, receive, send)
        else:
            # What the page refers to is relative to its address, which has to end in a slash.
            lacks_slash = scope["path"] == self._root_path != ""
            await self._exchanged(Exchange(self._simplified(scope), receive, send, self._bodies), lacks_slash)

    async def _exchanged(self, exchange: Exchange, lacks_slash: bool) -> None:
        route, exchange.scope["path_params"] = self._table.find(exchange.path)
        try:
            try:
                self._check(exchange)
                if lacks_slash and exchange.method == "GET":
                    answer = self._to_slash(exchange)
                else:
                    answer = await route.endpoint(exchange.method)(exchange)
            except RequestError as error:
                answer = refusal(error, exchange)
            except ClientDisconnect:
                exchange.status = _CLIENT_LEFT  # nobody is there to be answered
                return
            except Exception:
                _LOG.exception("Request %s failed: a defect of the service", exchange.id)
                answer = refusal(RequestError(500, "The service failed."), exchange)
            await exchange.answer(answer, closes=self._closing())
        finally:
            exchange.end()
            self._metrics.requests(route.name, str(exchange.status)).inc()
            self._metrics.seconds(route.name).observe(clock.seconds() - exchange.arrived)

    def _simplified(self, scope: Scope) -> Scope:
        """A request as the routes get it: without the proxy's part of the path, and GET for HEAD.

        HEAD is answered like GET; the server leaves the body away.
        """
        path = scope["path"]
        if self._root_path and f"{path}/".startswith(f"{self._root_path}/"):
            scope = {**scope, "path": path[len(self._root_path) :] or "/"}
        return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope

    def _to_slash(self, exchange: Exchange) -> Response:
        """Send a browser to the service's page."""
        query = exchange.scope["query_string"].decode("latin-1")
        return Response(status_code=308, headers={"location": f"{self._root_path}/{'?' if query else ''}{query}"})

    def _check(self, exchange: Exchange) -> None:
        path, headers, scope = exchange.path, exchange.fields, exchange.scope
        if SURPLUS in scope and path not in _HEALTH:
            raise busy("Too many connections are open, from your address or in all.", closes=True)
        if len(headers) < len(scope["headers"]):
            names = [name for name, _ in scope["headers"]]
            for name in _ONCE & headers.keys():
                if names.count(name) > 1:
                    raise RequestError(400, f"The request has the header {name.decode()} more than once.")
        if b"host" not in headers and scope["http_version"] == "1.1":  # RFC 9112, section 3.2
            raise RequestError(400, "The request has no header Host, which HTTP/1.1 requires.")
        host = headers.get(b"host", b"").decode("latin-1")
        admin = path.startswith(ADMIN)
        token = self._access.admin_token if admin else self._access.token
        scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
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
            raise RequestError(
                401,
                "The request has no valid token; send the header 'Authorization: Bearer TOKEN'.",
                headers={"www-authenticate": "Bearer"},
            )
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self.limits.body:
            raise too_large(self.limits)
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


def _place(host: str, usual: int) -> tuple[str, int] | None:
    """Name and port of a Host header, where ``usual`` is the port that need not be said."""
    found = _HOST.fullmatch(host)
    return ((found[1] or found[2]).lower(), int(found[3] or usual)) if found else None


def cookie_value(token: str) -> str:
    """What the page's cookie holds: it shows that its owner knew the token, and does not give it away."""
    return hmac.new(token.encode(), b"the page of fortydays", "sha256").hexdigest()


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

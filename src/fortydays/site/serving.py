"""A server of the site for this machine alone: it gives files that are in memory, and nothing else."""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import unquote, urlsplit

from fortydays.base.errors import UsageError

HOST = "127.0.0.1"
MOST_AT_ONCE = 32
"""Connections that are answered at the same time; further ones wait."""

_SECONDS = 10
_BY_NAME = {
    "png": "image/png",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
}


class SiteServer(ThreadingMixIn, HTTPServer):
    """Answers each connection in a thread, so many at once."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, site: Mapping[str, bytes], port: int, fill: Callable[[bytes], bytes]) -> None:
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__((HOST, port), partial(_Answers, site, fill))

    @property
    def address(self) -> str:
        """Where the site is."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Wait for a free place, then answer in a thread."""
        self._free.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that has gone is no error."""


def server_of(site: Mapping[str, bytes], port: int, fill: Callable[[bytes], bytes] = bytes) -> SiteServer:
    """A server that listens already; ``serve_forever`` answers.

    Args:
        site: content by address.
        port: or 0 for a free one.
        fill: makes what is sent of a page, each time that it is asked for.

    Raises:
        UsageError: the port cannot be had.
    """
    try:
        return SiteServer(site, port, fill)
    except OSError as error:
        raise UsageError(
            f"Port {port} of {HOST} cannot be had: {error.strerror or error}.", hint="Choose another: --port 0"
        ) from error


class _Answers(BaseHTTPRequestHandler):
    timeout = _SECONDS
    server_version, sys_version = "fortydays", ""

    def __init__(self, site: Mapping[str, bytes], fill: Callable[[bytes], bytes], *arguments: Any) -> None:
        self._site, self._fill = site, fill
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0]
        # Another name for this machine is one that a page from elsewhere has chosen.
        if host not in (HOST, "localhost"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        path = unquote(urlsplit(self.path).path).removeprefix("/")
        content = self._site.get(path or "index.html")
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        kind = path.rpartition(".")[2] if path else "html"
        if kind == "html":
            content = self._fill(content)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _BY_NAME.get(kind, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing: the terminal is the reader's."""

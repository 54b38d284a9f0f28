"""Connections of which nobody hears anything are ended, as are those whose request begins without end.

The server times out connections only after their first answer, and takes any number of headers. The application never
hears of a request before its headers are complete.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

UNDER_WAY = "fortydays.under_way"
"""Where a request's scope has the set of all requests that are under way now, itself included."""
_SECONDS_FOR_HEAD = 20.0
_LARGEST_HEAD = 65_536


class Connection(HttpToolsProtocol):
    """The server's own, with a limit to the time and the length of a request's head."""

    _timer: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: Any) -> None:
        """A client came: its first request has to begin, and its head to end, within the time."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """A client left."""
        self._stop()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._wait()

    def on_url(self, url: bytes) -> None:
        """A part of a request's address came."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._stop()
        self.scope[UNDER_WAY] = self.tasks  # type: ignore[literal-required]
        super().on_headers_complete()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > _LARGEST_HEAD:
            raise ValueError("the head is too long")  # the parser stops, and the server answers 400 and closes

    def _wait(self) -> None:
        self._head = 0
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SECONDS_FOR_HEAD, self._too_slow)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()

"""What one connection may cost: time, bytes, and a place among all others.

The server below, uvicorn on httptools, has no deadline for a request or for an answer that nobody reads, takes any
number of headers and connections, loses the body of a request that asks for another protocol, and closes so early that
a refused client may never read why. All of that is mended here. The application hears of a request when its head is
whole.
"""

import contextlib
import fcntl
import re
import resource
import socket
import struct
import termios
from asyncio import TimerHandle
from collections import Counter
from typing import Any, cast
from weakref import WeakKeyDictionary

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fortydays.serve.limits import Limits

UNDER_WAY = "fortydays.under_way"
"""Where a request's scope has the set of all requests that are under way now, itself included."""
SURPLUS = "fortydays.surplus"
"""In the scope of a request whose connection is one too many."""
_LARGEST_HEAD = 65_536
_SECONDS_BETWEEN_LOOKS = 0.25
_SECONDS_OF_SILENCE = 2.0
"""How long a refused client that still has to send may send nothing."""
_MANY, _SECONDS_AMONG_MANY = 100, 15.0
"""From how many connections on an idle one is kept for a shorter time, and for how long."""
_SEND_BUFFER = 131_072
_TOGETHER = 16_384
_MOST_CONNECTIONS, _OPEN_FILES = 2_000, 4_096

_ABSOLUTE_FORM = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
"""The start of a request's address that names the host too."""

_QUIET, _HEAD, _BODY, _WHOLE = range(4)
"""What a connection waits for: a request, the rest of its head, the rest of its body, its answer."""


class Connection(HttpToolsProtocol):
    """The server's own, with bounds. They come from the attribute ``limits`` of the application."""

    wire: "_Wire"

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits: Limits = getattr(config.app, "limits", Limits())
        self.phase = _HEAD
        self.since = self._heard = self.loop.time()
        if server_state not in _CROWDS:
            _CROWDS[server_state] = _Crowd()
        self._crowd = _CROWDS[server_state]
        self._surplus = False
        self._head = self._framing = self._refused = 0
        self._goal, self._goal_since = 0, 0.0

    def connection_made(self, transport: Any) -> None:
        """A client came: its first request has to begin, and its head to end, within the time."""
        self.wire = _Wire(transport, self)
        super().connection_made(self.wire)  # type: ignore[arg-type]
        self._surplus = self._crowd.is_surplus(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """A client left."""
        self._crowd.left(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came. A request to speak another protocol is read like any other: its body is a body."""
        self._unset_keepalive_if_required()
        self._heard = self.loop.time()
        if self.wire.lingering:
            self._throw_away(len(data))
            return
        self._framing += len(data)
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as told:
                if self.parser.get_method() == b"CONNECT":
                    self.send_400_response("This is no proxy.")
                    return
                data = self._head_without_upgrade() + data[told.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                continue
            except httptools.HttpParserError:
                self.send_400_response("The request is not valid HTTP/1.1, or its head is too long.")
                return
            break
        if self._framing > _LARGEST_HEAD and self.phase == _BODY:
            self.send_400_response("There is too much between the parts of the body.")

    def _head_without_upgrade(self) -> bytes:
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request; nothing that follows on the connection is read as one."""
        self._enter(_HEAD)
        super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head = self._framing = 0
        self._enter(_HEAD)

    def on_url(self, url: bytes) -> None:
        """A part of a request's address came."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came, or a trailer, which nobody reads: it would be one of the headers that were checked before."""
        self._count(len(name) + len(value))
        if self.phase == _HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self.parser.should_upgrade():
            return
        self._enter(_BODY)
        whole = _ABSOLUTE_FORM.match(self.url)
        if whole:  # Its host stands in place of the header's: RFC 9112, section 3.2.2.
            self.headers[:] = [(name, whole[1] if name == b"host" else value) for name, value in self.headers]
        self._refused = 0
        self.scope[UNDER_WAY] = self.tasks  # type: ignore[literal-required]
        if self._surplus:
            self.scope[SURPLUS] = True  # type: ignore[literal-required]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body came."""
        self._framing -= 2 * len(body)  # as many bytes as the body has may stand between its parts, and some more
        if self.cycle.response_complete:
            self._throw_away(len(body))
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self.parser.should_upgrade():
            return
        self._enter(_QUIET if self.cycle.response_complete else _WHOLE)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is written."""
        self.wire.flush()
        self._enter(_QUIET if self.phase == _WHOLE else self.phase)
        super().on_response_complete()

    def is_sending(self) -> bool:
        """Whether the client has not sent the whole of a request."""
        return self.phase in (_HEAD, _BODY)

    def look(self, now: float) -> None:
        """End the connection if it is over time."""
        if self._is_unread(now):
            self.wire.reset()
        elif self._is_late(now):
            self.wire.abort()

    def _is_late(self, now: float) -> bool:
        waited, limits = now - self.since, self.limits
        refused = self.phase == _BODY and self.cycle.response_complete
        if self.wire.lingering or refused:
            return waited > limits.linger or now - self._heard > _SECONDS_OF_SILENCE
        if self.phase == _BODY and waited > limits.body_deadline:
            self.cycle.message_event.set()  # the guard waits for more of the body, and looks at its clock
        if self.phase == _HEAD:
            return waited > limits.head_deadline
        crowded = len(self.connections) > _MANY
        return self.phase == _QUIET and waited > min(limits.idle, _SECONDS_AMONG_MANY if crowded else limits.idle)

    def _is_unread(self, now: float) -> bool:
        """Whether the client has not taken in time what was written when it was last looked at."""
        left = self.wire.left()
        if not left or self.wire.written - left >= self._goal:
            self._goal, self._goal_since = self.wire.written, now
        return bool(left) and now - self._goal_since > self.limits.write_deadline

    def linger(self) -> None:
        """Begin to throw away what the client still sends."""
        self.since = self._heard = self.loop.time()

    def _throw_away(self, size: int) -> None:
        self._refused += size
        if self._refused > self.limits.refused:
            self.wire.abort()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > _LARGEST_HEAD:
            raise ValueError("the head is too long")  # the parser stops, and the server answers 400 and closes

    def _enter(self, phase: int) -> None:
        self.phase, self.since = phase, self.loop.time()


class _Wire:
    """A transport that closes without the loss of the last answer, and knows what the client has not taken."""

    def __init__(self, transport: Any, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection
        self._taken = 0
        self._held = b""
        self._socket = transport.get_extra_info("socket")
        self.written = 0
        self.lingering = False
        self.abort = transport.abort
        with contextlib.suppress(OSError, AttributeError):  # or the system keeps megabytes for each who does not read
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self.lingering or bool(self._transport.is_closing())

    def write(self, data: bytes) -> None:
        """Write; the head of an answer waits for a short body, so that both are one packet."""
        cycle = self._connection.cycle
        is_part = cycle is not None and cycle.response_started and not cycle.response_complete
        if is_part and len(data) < _TOGETHER:
            self._held += data
            return
        self.flush()
        self._write(data)  # a long body is not copied: it is in memory once, for all who ask for it

    def flush(self) -> None:
        self._write(self._held)
        self._held = b""

    def _write(self, data: bytes) -> None:
        if data and not self.is_closing():
            self.written += len(data)
            self._transport.write(data)

    def close(self) -> None:
        """Close; where the client still sends, when it has stopped: the system would throw the answer away before."""
        self.flush()
        if self.is_closing() or not self._connection.is_sending() or not self.written:
            self._transport.close()
            return
        self.lingering = True
        self._connection.linger()
        self._transport.write_eof()
        self._transport.resume_reading()

    def reset(self) -> None:
        """End it, and have the system forget what it holds for the client."""
        with contextlib.suppress(OSError, AttributeError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def left(self) -> int:
        """Bytes that were written and have not arrived."""
        if self._taken == self.written:
            return 0
        left = self._transport.get_write_buffer_size()
        with contextlib.suppress(OSError, ValueError):  # not every system tells
            left += struct.unpack("i", fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        self._taken = self.written - left
        return int(left)


class _Crowd:
    """All connections of one server."""

    def __init__(self) -> None:
        self._connections: set[Any] = set()
        self._of: Counter[str] = Counter()
        self._most = most_connections()
        self._timer: TimerHandle | None = None

    def is_surplus(self, new: Connection) -> bool:
        """Count a connection, and tell whether it is more than may be: it may ask how the service is, nothing else."""
        self._connections = cast("set[Any]", new.connections)
        address = new.client[0] if new.client else ""
        self._of[address] += 1
        if len(self._connections) > self._most:
            # The one that has waited longest makes room; who waits for an answer stays.
            waiting = [each for each in self._connections if each is not new and each.phase != _WHOLE]
            min(waiting, key=lambda each: each.since, default=new).wire.reset()
        if self._timer is None:
            self._timer = new.loop.call_later(_SECONDS_BETWEEN_LOOKS, self._look, new.loop)
        return len(self._connections) > new.limits.connections or self._of[address] > new.limits.connections_of_one

    def left(self, gone: Connection) -> None:
        """Count a connection no more."""
        address = gone.client[0] if gone.client else ""
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]

    def _look(self, loop: Any) -> None:
        self._timer = None
        now = loop.time()
        for each in list(self._connections):
            each.look(now)
        if self._connections:
            self._timer = loop.call_later(_SECONDS_BETWEEN_LOOKS, self._look, loop)


_CROWDS: "WeakKeyDictionary[Any, _Crowd]" = WeakKeyDictionary()
"""By the state of the server."""


def most_connections() -> int:
    """How many connections fit; where the system allows more open files than it gives at first, they are taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _OPEN_FILES:
        wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(16, min(_MOST_CONNECTIONS, soft - 128))

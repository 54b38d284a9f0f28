"""A loopback HTTP server that misbehaves on demand, and a listener that remembers."""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FaultyServer:
    """Serves ``content`` by file name. Each request to a name in ``faults`` takes the next fault from its list."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}
        self.requests: list[tuple[str, str]] = []  # file name, Range header
        self.halves_sent = threading.Event()
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):
                    server.answer(self)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/"

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name, wanted = handler.path[1:], handler.headers.get("Range", "")
        self.requests.append((name, wanted))
        queue = self.faults.get(name, [])
        fault = queue.pop(0) if queue else ""
        content, tag = self.content.get(name, b""), '"v1"'
        if fault == "changed":
            content, tag = content[::-1], '"v2"'
        if fault == "503" or name not in self.content:
            handler.send_error(503 if fault == "503" else 404)
            return
        first = 0
        told = re.fullmatch(r"bytes=(\d+)-", wanted)
        # A range without a condition is served from whatever the file is by now (RFC 9110, section 14.2).
        if told and fault != "ignore range" and handler.headers.get("If-Range", tag) == tag:
            first = int(told[1])
        length = len(content) - first
        handler.send_response(206 if first else 200)
        handler.send_header("ETag", tag)
        if first:
            shift = 1 if fault == "wrong range" else 0
            handler.send_header("Content-Range", f"bytes {first + shift}-{len(content) - 1}/{len(content)}")
        if fault == "encoded":
            handler.send_header("Content-Encoding", "gzip")
        if fault == "too short":
            length //= 2
        if fault == "claims much":
            length = 10**12
        if fault != "endless":
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        if fault in ("truncate", "stall"):
            handler.wfile.write(content[first : (first + len(content)) // 2])
            handler.wfile.flush()
            self.halves_sent.set()
            if fault == "stall":
                self.closing.wait(30)
        elif fault == "endless":
            while not self.closing.is_set():
                handler.wfile.write(b"0" * 65536)
        else:
            handler.wfile.write(content[first : first + length])


class Listener:
    """A Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.running: set[str] = set()
        self.done: dict[str, float] = {}

    def start(self, task: str, *, total: float | None, unit: str) -> None:
        self.running.add(task)

    def advance(self, task: str, *, done: float, note: str = "") -> None:
        assert task in self.running
        self.done[task] = done

    def finish(self, task: str, *, note: str = "") -> None:
        self.running.remove(task)

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.warned.append(message)

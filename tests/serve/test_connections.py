"""What comes over a connection, byte by byte: one request is never two, and nobody is waited for without end."""

import contextlib
import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from made_up_bundles import Running, bundle, served

from fortydays.serve.guard import Access
from fortydays.serve.limits import Limits

SECRET = "0123456789abcdef"
BODY = b'{"pixels": [[255,0,0,0,0,0,0,0]' + b",[0,0,0,0,0,0,0,0]" * 7 + b"]}"
SECOND = b"GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "one"
    bundle(path)
    return path


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    with served(folder) as found:
        yield found


def connected(running: Running) -> socket.socket:
    host, port = running.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def head(path: str, *headers: str, method: str = "POST", body: bytes | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    lines += [f"Content-Length: {len(body)}"] if body is not None else []
    return "\r\n".join([*lines, "", ""]).encode()


def told(running: Running, *parts: bytes, rest: bytes = SECOND, last: int = 404) -> list[int]:
    """The statuses of all answers to what is sent in several packets, and to a GET that follows."""
    with connected(running) as connection:
        for part in (*parts, rest):
            with contextlib.suppress(ConnectionError):
                connection.sendall(part)
            time.sleep(0.05)
        connection.settimeout(2)
        seen = b""
        with contextlib.suppress(OSError):
            while b"HTTP/1.1 %d" % last not in seen:
                content = connection.recv(100_000)
                if not content:
                    break
                seen += content
    return [int(each[:3]) for each in seen.split(b"HTTP/1.1 ")[1:]]


UPGRADE = {
    "h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "websocket": ("Connection: keep-alive, upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"),
    "unknown": ("connection: UPGRADE", "upgrade: TLS/1.0, anything"),
}


@pytest.mark.parametrize("kind", UPGRADE)
def test_who_would_rather_speak_another_protocol_is_answered_in_this_one(running: Running, kind: str) -> None:
    asked = head("/predict", *UPGRADE[kind], body=BODY)
    assert told(running, asked + BODY) == [200, 404]  # in one packet
    assert told(running, asked, BODY) == [200, 404]  # in two
    assert told(running, asked[:-9], asked[-9:] + BODY[:9], BODY[9:]) == [200, 404]
    # With a body in chunks, without one, and one after the other.
    chunked = head("/predict", *UPGRADE[kind], "Transfer-Encoding: chunked")
    parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:10], BODY[10:])] + [b"0\r\n\r\n"]
    assert told(running, chunked + b"".join(parts)) == [200, 404]
    assert told(running, chunked, *parts) == [200, 404]
    get = head("/healthz", *UPGRADE[kind], method="GET")
    assert told(running, get) == [200, 404]
    assert told(running, get + asked + BODY + get) == [200, 200, 200, 404]


def test_a_body_is_never_read_as_a_request(running: Running) -> None:
    for headers in UPGRADE.values():
        for together in (True, False):
            asked = head("/predict", *headers, body=SECOND)
            parts = [asked + SECOND] if together else [asked, SECOND]
            probe = head("/healthz", method="GET")
            assert told(running, *parts, rest=probe, last=200) == [400, 200]  # no JSON; and no 404 between them


def test_hundreds_of_upgrades_in_one_packet_are_requests_like_others(running: Running) -> None:
    asked = head("/healthz", "Connection: upgrade", "Upgrade: x", method="GET")
    assert told(running, asked * 300) == [200] * 300 + [404]


@pytest.mark.slow
def test_java_s_own_client_is_answered(running: Running, tmp_path: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("no java here")
    (tmp_path / "Ask.java").write_text(
        """
        import java.net.URI; import java.net.http.*;
        public class Ask { public static void main(String[] given) throws Exception {
          for (int turn = 0; turn < 2; turn++) {
            var request = HttpRequest.newBuilder(URI.create(given[0])).header("Content-Type", "application/json")
              .POST(HttpRequest.BodyPublishers.ofString(given[1])).build();
            System.out.println(
              HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
          } } }
        """
    )
    asked = ["java", str(tmp_path / "Ask.java"), f"{running.address}/predict", BODY.decode()]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=100, check=True)
    assert answer.stdout.split() == ["200", "200"]


@pytest.mark.parametrize(
    "asked",
    [
        head("/predict", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        head("/predict", "Content-Length: 5", "Content-Length: 6") + b"{}    ",
        head("/predict", "Content-Length: 5", "Content-Length: 5") + b"{}   ",
        head("/predict", "Content-Length: 2, 2") + b"{}",
        head("/predict", "Content-Length: +2") + b"{}",
        head("/predict", "Content-Length: -2") + b"{}",
        head("/predict", "Content-Length: 99999999999999999999999") + b"{}",
        head("/predict", "Content-Length : 2") + b"{}",
        head("/predict", "Transfer-Encoding: xchunked") + b"0\r\n\r\n",
        head("/predict", "Transfer-Encoding: chunked, identity") + b"0\r\n\r\n",
        head("/predict", "X: a", " Content-Length: 2") + b"{}",
        head("/predict", "Content-Length: 2").replace(b"\r\n", b"\n") + b"{}",
        head("/predict", "Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n",
        head("/predict", "Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        head("/predict", "Transfer-Encoding: chunked") + b"2\r\n{}garbage\r\n0\r\n\r\n",
        b"CONNECT example.com:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_two_readers_could_take_for_different_requests_is_none(running: Running, asked: bytes) -> None:
    assert told(running, asked) == [400]


@pytest.mark.parametrize("twice", ["Host", "Authorization", "Content-Type", "Origin", "X-Request-ID"])
def test_a_header_that_there_is_once_is_refused_twice(running: Running, twice: str) -> None:
    given = f"{twice}: localhost"
    with connected(running) as connection:
        asked = head("/predict", *([given] if twice in ("Host", "Content-Type") else [given, given]), body=BODY)
        connection.sendall(asked + BODY)
        answer = connection.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 400")
    assert f"has the header {twice.lower()} more than once".encode() in answer


def answered(running: Running, asked: bytes) -> bytes:
    with connected(running) as connection:
        connection.sendall(asked)
        return connection.recv(10_000)


@pytest.mark.parametrize("path", ["/healthz", "/model"])
def test_http_1_1_without_the_header_host_is_refused_and_probes_of_http_1_0_are_not(
    running: Running, path: str
) -> None:
    answer = answered(running, f"GET {path} HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"The request has no header Host, which HTTP/1.1 requires." in answer
    assert answered(running, f"GET http://localhost{path} HTTP/1.1\r\n\r\n".encode()).startswith(b"HTTP/1.1 400")
    asked = f"GET {path} HTTP/1.0\r\n\r\n".encode()
    assert answered(running, asked).startswith(b"HTTP/1.1 200" if path == "/healthz" else b"HTTP/1.1 421")


@pytest.mark.parametrize(
    ("address", "host", "status"),
    [
        ("http://evil.example/model", "localhost", 421),
        ("http://evil.example:80/model?x=http://localhost", "localhost", 421),
        ("HTTP://localhost@evil.example/model", "localhost", 421),
        ("http://localhost:1/model", "evil.example", 200),
        ("/model?x=http://evil.example/", "localhost", 200),
    ],
)
def test_the_host_in_a_request_s_address_counts_in_place_of_the_header(
    running: Running, address: str, host: str, status: int
) -> None:
    for more in ("", "Connection: upgrade\r\nUpgrade: x\r\n"):
        asked = f"GET {address} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()
        assert answered(running, asked).startswith(f"HTTP/1.1 {status}".encode())


def test_a_page_whose_origin_is_only_the_header_s_host_is_of_another_site(running: Running) -> None:
    asked = head("http://127.0.0.1/predict", "Origin: http://localhost", body=BODY) + BODY
    assert b"another site" in answered(running, asked)
    asked = head("http://127.0.0.1/predict", "Origin: http://127.0.0.1", body=BODY) + BODY
    assert answered(running, asked).startswith(b"HTTP/1.1 200")


def test_what_stands_between_the_parts_of_a_body_is_bounded_and_not_read(running: Running) -> None:
    chunked = head("/predict", "Transfer-Encoding: chunked")
    content = b"%x\r\n%b\r\n" % (len(BODY), BODY)
    assert told(running, chunked + b"%x;a=%b" % (len(BODY), b"b" * 100) + b"\r\n" + BODY + b"\r\n0\r\n\r\n")[0] == 200
    assert told(running, chunked + content + b"0\r\nContent-Type: text/plain\r\nX: y\r\n\r\n") == [200, 404]
    for endless in (
        b"%x;" % len(BODY) + b"a" * 500_000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",  # an extension
        content + b"0\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",  # trailers
        content + b"1\r\n \r\n" * 100_000 + b"0\r\n\r\n",  # a body in pieces of one byte
    ):
        assert told(running, chunked + endless)[0] == 400


def refused(asked: bytes, size: int, running: Running) -> tuple[bytes, bool]:
    """The answer to an upload of some bytes that is sent to its end before anything is read, and whether it was."""
    with connected(running) as connection:
        connection.sendall(asked)
        whole = True
        try:
            for _ in range(size // 100_000):
                connection.sendall(bytes(100_000))
        except ConnectionError:
            whole = False
        answer = b""
        with contextlib.suppress(ConnectionError):
            while not answer.endswith(b"}}"):
                content = connection.recv(10_000)
                if not content:
                    break
                answer += content
    return answer, whole


@pytest.mark.parametrize("closing", ["Connection: close", "Connection: keep-alive"])
@pytest.mark.parametrize(
    ("path", "extra", "status"),
    [
        ("/predict", "X: y", 401),
        ("/predict", f"Authorization: Bearer {SECRET}", 413),
        ("/predict", f"Authorization: Bearer {SECRET}\r\nContent-Encoding: gzip", 415),
        ("/predict", f"Authorization: Bearer {SECRET}\r\nOrigin: http://evil.example", 403),
        ("/nothing", f"Authorization: Bearer {SECRET}", 404),
    ],
)
def test_who_is_refused_while_sending_comes_to_read_why(
    folder: Path, closing: str, path: str, extra: str, status: int
) -> None:
    body = 9_000_000 if status == 413 else 100_000_000
    with served(folder, access=Access(token=SECRET, admin_token=SECRET), limits=Limits(body=body)) as running:
        size = 20_000_000
        answer, whole = refused(head(path, extra, closing, f"Content-Length: {size}"), size, running)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b'"message":' in answer
    assert whole


def test_a_refused_client_may_not_send_for_ever(folder: Path) -> None:
    limits = Limits(refused=1_000_000, linger=20)
    with served(folder, access=Access(token=SECRET, admin_token=SECRET), limits=limits) as running:
        for closing in ("Connection: close", "Connection: keep-alive"):
            _, whole = refused(head("/predict", closing, "Content-Length: 900000000"), 60_000_000, running)
            assert not whole
    with served(folder, access=Access(token=SECRET, admin_token=SECRET), limits=Limits(linger=0.3)) as running:
        for closing in ("Connection: close", "Connection: keep-alive"):
            with connected(running) as connection:
                connection.sendall(head("/predict", closing, "Content-Length: 900000000"))
                assert ends(connection)


def test_who_asks_whether_to_send_is_told_at_once_and_the_connection_ends(folder: Path) -> None:
    with served(folder, access=Access(token=SECRET, admin_token=SECRET)) as running:
        with connected(running) as connection:
            connection.sendall(head("/predict", "Expect: 100-continue", body=BODY))
            answer = connection.recv(10_000)
            assert answer.startswith(b"HTTP/1.1 401")
            assert b"connection: close" in answer
            assert ends(connection)
        with connected(running) as connection:
            connection.sendall(head("/predict", "Expect: 100-continue", f"Authorization: Bearer {SECRET}", body=BODY))
            assert connection.recv(10_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(BODY)
            assert connection.recv(10_000).startswith(b"HTTP/1.1 200")


def ends(connection: socket.socket) -> bool:
    """Whether the service ends a connection, within its time-out; what it says before is read."""
    try:
        while connection.recv(100_000):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def slow_readers(address: str, count: int) -> list[socket.socket]:
    """Connections that asked for the largest file and do not read it."""
    host, port = address.removeprefix("http://").split(":")
    found = []
    for _ in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect((host, int(port)))
        connection.sendall(head("/page/docs/swagger-ui-bundle.js", method="GET"))
        found.append(connection)
    return found


def test_who_does_not_read_is_not_waited_for(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with served(folder, limits=Limits(write_deadline=0.5)) as running:
        connections = slow_readers(running.address, 20)
        assert requests.get(f"{running.address}/readyz", timeout=1).status_code == 200
        time.sleep(2)
        for connection in connections:
            with pytest.raises(ConnectionError):  # it was cut off, not ended
                while connection.recv(1_000_000):
                    pass
            connection.close()
        whole = requests.get(f"{running.address}/page/docs/swagger-ui-bundle.js", timeout=10)
        assert len(whole.content) == int(whole.headers["content-length"]) > 1_000_000
    assert caplog.text == ""


def test_more_connections_than_may_be_are_told_so_and_probes_are_answered(folder: Path) -> None:
    for limits in (Limits(connections=3), Limits(connections_of_one=3)):
        with served(folder, limits=limits) as running, contextlib.ExitStack() as stack:
            kept = []
            for _ in range(3):
                connection = stack.enter_context(contextlib.closing(http.client.HTTPConnection(running.address[7:])))
                connection.request("GET", "/model")
                assert connection.getresponse().read().startswith(b"{")
                kept.append(connection)
            more = requests.get(f"{running.address}/model", timeout=10)
            assert (more.status_code, more.headers["retry-after"], more.headers["connection"]) == (503, "1", "close")
            assert "Too many connections are open" in more.json()["error"]["message"]
            for path in ("/healthz", "/readyz"):
                assert requests.get(running.address + path, timeout=10).status_code == 200
            kept[0].request("GET", "/model")
            assert kept[0].getresponse().read().startswith(b"{")
            kept[0].close()
            end = time.monotonic() + 10
            while requests.get(f"{running.address}/model", timeout=10).status_code != 200:
                assert time.monotonic() < end
                time.sleep(0.02)


def test_where_no_more_connection_fits_the_one_that_waits_longest_makes_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fortydays.serve.connections.most_connections", lambda: 5)
    with served(folder) as running:
        idle = [connected(running) for _ in range(5)]
        time.sleep(0.2)
        with connected(running) as busy:
            busy.sendall(head("/predict", body=BODY))
            assert requests.get(f"{running.address}/readyz", timeout=5).status_code == 200
            busy.sendall(BODY)
            assert busy.recv(10_000).startswith(b"HTTP/1.1 200")
        assert ends(idle[0])
        for connection in idle:
            connection.close()


def test_an_idle_connection_is_kept_and_not_for_ever(folder: Path) -> None:
    with served(folder, limits=Limits(idle=0.6)) as running, connected(running) as connection:
        for _ in range(3):
            connection.sendall(head("/healthz", method="GET"))
            assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
            time.sleep(0.2)
        began = time.monotonic()
        while time.monotonic() - began < 10:  # empty lines are no request
            try:
                connection.sendall(b"\r\n")
                connection.settimeout(0.1)
                if not connection.recv(100):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() - began < 9


def test_who_leaves_at_whatever_moment_is_no_defect(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n' + bytes(3000) + b"\r\n--b--\r\n"
    whole = [
        head("/predict", body=BODY) + BODY,
        head("/predict", "Expect: 100-continue", body=BODY) + BODY,
        head("/predict", "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
        head("/predict", body=form).replace(b"application/json", b"multipart/form-data; boundary=b") + form,
        head("/page/docs/swagger-ui-bundle.js", method="GET") * 3,
        head("/v2/models/digits/infer", body=BODY) + BODY,
        head("/nothing", "Connection: close", body=BODY) + BODY,
        head("/openapi.json", method="GET") + head("/metrics", method="GET"),
    ]
    with served(folder) as running:
        for asked in whole:
            for length in range(1, len(asked) + 1, max(1, len(asked) // 25)):
                for wait in (0, 0.002):
                    connection = connected(running)
                    connection.sendall(asked[:length])
                    time.sleep(wait)
                    if length % 2:  # with a reset, not an end
                        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    connection.close()
        assert requests.get(f"{running.address}/healthz", timeout=10).status_code == 200
        text = requests.get(f"{running.address}/metrics", timeout=10).text
    assert caplog.text == ""
    assert 'status="500"' not in text


def test_head_is_answered_like_get_without_the_body(running: Running) -> None:
    paths = [path for path, item in requests.get(f"{running.address}/openapi.json", timeout=10).json()["paths"].items()
             if "get" in item]  # fmt: skip
    for path in ["/", "/docs", "/page/page.js", "/page/docs/swagger-ui.css", "/openapi.json", "/nothing", *paths]:
        url = running.address + path.replace("{name}", "digits").replace("{version}", "1")
        get, only_head = requests.get(url, timeout=10), requests.head(url, timeout=10)
        assert only_head.status_code == get.status_code
        assert only_head.content == b""
        vary = {"x-request-id", "date"} | ({"content-length"} if path in ("/metrics", "/nothing") else set())
        assert {name: value for name, value in only_head.headers.items() if name.lower() not in vary} == {
            name: value for name, value in get.headers.items() if name.lower() not in vary
        }
    assert told(running, head("/", method="HEAD")) == [200, 404]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("HEAD", "/predict", "POST"), ("OPTIONS", "/predict", "POST"), ("OPTIONS", "/healthz", "GET, HEAD"),
        ("DELETE", "/page/page.js", "GET, HEAD"), ("POST", "/", "GET, HEAD"), ("TRACE", "/metrics", "GET, HEAD"),
        ("PUT", "/openapi.json", "GET, HEAD"),
    ],
)  # fmt: skip
def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(
    running: Running, method: str, path: str, allow: str
) -> None:
    answer = requests.request(method, running.address + path, timeout=10)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


def test_a_file_of_the_page_is_sent_once_as_long_as_it_is_the_same(running: Running) -> None:
    for path in ("/", "/page/page.js", "/page/icon.svg", "/page/docs/swagger-ui-bundle.js"):
        first = requests.get(running.address + path, timeout=10)
        assert first.headers["cache-control"] == "no-cache"
        tag = first.headers["etag"]
        for has in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = requests.get(running.address + path, headers={"If-None-Match": has}, timeout=10)
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        other = requests.get(running.address + path, headers={"If-None-Match": '"other"'}, timeout=10)
        assert other.content == first.content


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("example.com:443", "https://example.com", 200),
        ("example.com", "https://example.com:443", 200),
        ("Example.com:80", "http://example.com", 200),
        ("example.com:8443", "https://example.com:8443", 200),
        ("[::1]:443", "https://[::1]", 200),
        ("example.com:443", "http://example.com", 403),
        ("example.com", "https://example.com:8443", 403),
        ("example.com:8443", "https://example.com", 403),
        ("example.com", "https://example.com.evil.example", 403),
        ("example.com", "https://evil@example.com", 403),
        ("example.com", "file://example.com", 403),
        ("example.com", "null", 403),
        ("example.com", "", 403),
    ],
)
def test_a_port_that_need_not_be_said_makes_no_other_site(folder: Path, host: str, origin: str, status: int) -> None:
    with served(folder, access=Access(hosts=["example.com"], token=SECRET, admin_token=SECRET)) as running:
        headers = {"Host": host, "Origin": origin, "Authorization": f"bearer {SECRET}"}
        headers["Content-Type"] = "application/json"
        assert (
            requests.post(f"{running.address}/predict", data=BODY, headers=headers, timeout=10).status_code == status
        )

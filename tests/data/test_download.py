import contextlib
import errno
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3
from faulty_server import FaultyServer, Listener
from tiny_dataset import IMPATIENT

from fortydays.base import files
from fortydays.base.errors import StorageError
from fortydays.data import download as module
from fortydays.data.download import Limits, SourceFailedError

CONTENT = bytes(range(251)) * 1000

Download = Callable[..., None]


@pytest.fixture
def download(server: FaultyServer, listener: Listener, tmp_path: Path) -> Download:
    def run(*, max_bytes: int = 2 * len(CONTENT), limits: Limits = IMPATIENT) -> None:
        try:
            module.download(
                f"{server.address}file",
                tmp_path / "file",
                max_bytes=max_bytes,
                limits=limits,
                progress=listener,
            )
        finally:
            assert listener.running == set()

    server.content["file"] = CONTENT
    return run


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_good_server_is_asked_once(
    download: Download, server: FaultyServer, listener: Listener, tmp_path: Path
) -> None:
    download()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert names_in(tmp_path) == ["file"]
    assert server.requests == [("file", "")]
    assert listener.done == {"file": len(CONTENT)}


def test_a_finished_download_is_not_repeated(download: Download, server: FaultyServer) -> None:
    download()
    download()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("truncate", r"file: the (server sent|connection broke off after) [0-9,]+ .*; try 2 of 3\."),
        ("stall", r"file: no byte came for 0\.4 s after [0-9,]+ bytes; try 2 of 3\."),
    ],
)
def test_a_broken_download_is_continued_where_it_stopped(
    download: Download, server: FaultyServer, listener: Listener, tmp_path: Path, fault: str, said: str
) -> None:
    server.faults["file"] = [fault]
    download()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert names_in(tmp_path) == ["file"]
    first, second = (wanted for _, wanted in server.requests)
    assert first == ""
    start = int(second.removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= len(CONTENT) // 2
    assert len(listener.said) == 1
    assert re.fullmatch(said, listener.said[0])


def test_bytes_are_counted_also_where_the_http_library_does_not(
    download: Download, server: FaultyServer, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = urllib3.HTTPResponse.__init__

    def as_before_version_2(self: Any, *args: Any, **more: Any) -> None:
        original(self, *args, **{**more, "enforce_content_length": False})

    monkeypatch.setattr(urllib3.HTTPResponse, "__init__", as_before_version_2)
    server.faults["file"] = ["truncate"]
    download()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert listener.said == ["file: the server sent 125,500 of 251,000 bytes; try 2 of 3."]


@pytest.mark.parametrize("second", ["ignore range", "changed", "wrong range"])
def test_a_server_that_does_not_continue_leads_to_a_new_start(
    download: Download, server: FaultyServer, tmp_path: Path, second: str
) -> None:
    server.faults["file"] = ["truncate", second]
    download()
    expected = CONTENT[::-1] if second == "changed" else CONTENT
    assert (tmp_path / "file").read_bytes() == expected
    assert names_in(tmp_path) == ["file"]


def test_the_last_try_ends_with_the_reason(download: Download, server: FaultyServer, tmp_path: Path) -> None:
    server.faults["file"] = ["503", "503", "503"]
    with pytest.raises(
        SourceFailedError, match=r"/file: the server answered 503 Service Unavailable; gave up after 3 tries"
    ):
        download()
    assert len(server.requests) == 3
    assert not (tmp_path / "file").exists()


def test_what_was_received_is_kept_for_the_next_call(download: Download, server: FaultyServer, tmp_path: Path) -> None:
    server.faults["file"] = ["truncate"]
    with pytest.raises(SourceFailedError, match="gave up after 1 tries"):
        download(limits=Limits(tries=1))
    download()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.requests[1][1].startswith("bytes=")


@pytest.mark.parametrize("note", ["no json", "[]", '{"address": "elsewhere", "validator": "x", "total": 9}', "{}"])
def test_a_left_over_part_of_something_else_is_not_continued(
    download: Download, server: FaultyServer, tmp_path: Path, note: str
) -> None:
    files.part_of(tmp_path / "file").write_bytes(b"12345")
    (tmp_path / ".file.part.json").write_text(note)
    download()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.requests == [("file", "")]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("claims much", r"offers 1,000,000,000,000 bytes, expected at most 502,000"),
        ("endless", r"sends more than 502,000 bytes"),
        ("encoded", r"the server encoded the file, which was not asked for"),
    ],
)
def test_a_server_that_sends_something_else_is_refused_at_once(
    download: Download, server: FaultyServer, tmp_path: Path, fault: str, message: str
) -> None:
    server.faults["file"] = [fault]
    with pytest.raises(SourceFailedError, match=message):
        download()
    assert len(server.requests) == 1
    assert not (tmp_path / "file").exists()


def test_a_missing_file_is_not_asked_for_again(download: Download, server: FaultyServer) -> None:
    server.content.clear()
    with pytest.raises(SourceFailedError, match="/file: the server answered 404 Not Found"):
        download()
    assert len(server.requests) == 1


def test_a_download_ends_when_its_time_is_over(download: Download, server: FaultyServer) -> None:
    server.faults["file"] = ["endless"]
    with pytest.raises(SourceFailedError, match=r"not finished within 0.1 s"):
        download(max_bytes=10**9, limits=Limits(whole_seconds=0.1))


def test_a_closed_port_is_reported_without_more_tries(listener: Listener, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
        with pytest.raises(SourceFailedError, match=r"^cannot be reached: Connection refused$"):
            module.download(
                address,
                tmp_path / "file",
                max_bytes=1,
                limits=IMPATIENT,
                progress=listener,
            )
    assert listener.said == []


def test_a_name_look_up_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch, download: Download, server: FaultyServer
) -> None:
    released = threading.Event()

    def hang(*_: object, **__: object) -> None:
        released.wait(30)
        raise OSError("released")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(SourceFailedError, match=r"cannot be reached: no answer within 0.05 s"):
        download(limits=Limits(connect_seconds=0.05))
    released.set()
    assert server.requests == []


def test_a_missing_proxy_is_named(monkeypatch: pytest.MonkeyPatch, download: Download) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused.getsockname()[1]}")
        monkeypatch.delenv("http_proxy", raising=False)
        with pytest.raises(SourceFailedError, match=r"the proxy 127.0.0.1 cannot be reached: Connection refused"):
            download()


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("127.0.0.1:{port}", r"^the proxy 127.0.0.1 cannot be reached: Connection refused$"),
        ("http://anna:secret@127.0.0.1:{port}", r"^the proxy 127.0.0.1 cannot be reached: Connection refused$"),
        ("http://127.0.0.1:many", r"^the proxy's address cannot be used; expected http://HOST:PORT$"),
        ("http://anna:se/cret@127.0.0.1", r"^the proxy's address cannot be used; expected http://HOST:PORT$"),
        ("http://[half", r"^the proxy's address cannot be used; expected http://HOST:PORT$"),
    ],
)
def test_a_proxy_may_be_written_without_its_scheme_and_a_wrong_one_is_told(
    monkeypatch: pytest.MonkeyPatch, download: Download, proxy: str, said: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("HTTP_PROXY", proxy.format(port=unused.getsockname()[1]))
        monkeypatch.delenv("http_proxy", raising=False)
        with pytest.raises(SourceFailedError, match=said):
            download()


@pytest.mark.parametrize("holes", [1, 5])
def test_addresses_that_swallow_everything_leave_the_next_one_its_time(
    monkeypatch: pytest.MonkeyPatch, download: Download, server: FaultyServer, tmp_path: Path, holes: int
) -> None:
    right = socket.getaddrinfo
    with contextlib.ExitStack() as stack:
        black_hole = stack.enter_context(socket.socket())
        black_hole.bind(("127.0.0.1", 0))
        black_hole.listen(0)
        for _ in range(4):  # fills the queue, so that what comes after is not answered at all
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(black_hole.getsockname())

        def with_holes(*arguments: Any, **options: Any) -> list[Any]:
            found = right(*arguments, **options)
            return [(*found[0][:4], black_hole.getsockname())] * holes + found

        monkeypatch.setattr(socket, "getaddrinfo", with_holes)
        download(limits=Limits(connect_seconds=0.3, stall_seconds=5.0))
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_slow_address_has_the_whole_time(
    monkeypatch: pytest.MonkeyPatch, download: Download, tmp_path: Path
) -> None:
    right = socket.socket.connect

    def slow(self: socket.socket, address: Any) -> None:
        """Take four seconds to connect, without waiting for them."""
        patience = self.gettimeout()
        if patience is not None and patience < 4:
            raise TimeoutError("timed out")
        right(self, address)

    monkeypatch.setattr(socket.socket, "connect", slow)
    download(limits=Limits(connect_seconds=5.0, stall_seconds=5.0))
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_full_disk_is_the_disks_fault_and_keeps_what_was_written(
    monkeypatch: pytest.MonkeyPatch, download: Download, server: FaultyServer, tmp_path: Path
) -> None:
    right = files.complete_part

    def full(path: Path) -> None:
        with files.storage_errors("write", path):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "complete_part", full)
    with pytest.raises(StorageError, match=r"Could not write .*file: No space left on device") as caught:
        download()
    assert "Free some space and run the command again" in caught.value.hint
    assert not (tmp_path / "file").exists()
    monkeypatch.setattr(files, "complete_part", right)
    download()
    assert (tmp_path / "file").read_bytes() == CONTENT

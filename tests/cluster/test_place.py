"""What --on names, and what is refused before anything is started."""

import importlib.util
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from fortydays.base import settings as base_settings
from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.settings import Settings, read_cluster_token
from fortydays.cluster import connection, reach
from fortydays.cluster import place as places
from fortydays.cluster.connection import check_place
from fortydays.cluster.place import Place, check_room, parse_place, require_ray


def with_threads(threads: int) -> Settings:
    return Settings(
        workspace=Path("home"), datasets=Path("home"), mirror=None, offline=True, threads=threads, tracking_uri=""
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("local:2", Place(workers=2)),
        ("192.0.2.7:6379", Place(address="192.0.2.7:6379")),
        ("ray://head.example:10001", Place(address="head.example:10001", client=True)),
        ("ray://[2001:db8::7]:10001", Place(address="[2001:db8::7]:10001", client=True)),
    ],
)
def test_a_place_is_read_and_written_as_it_was_typed(text: str, place: Place) -> None:
    assert parse_place(text) == place
    assert str(place) == text


@pytest.mark.parametrize(
    "text", ["", "local", "there", "head.example", "head.example:", "head:0", "head:70000", "http://head:1", "a b:1"]
)
def test_what_names_no_place_is_refused_with_the_forms_that_there_are(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_place(text)
    assert repr(text) in raised.value.message
    assert "local:N" in raised.value.message


@pytest.mark.parametrize("text", ["local:", "local:0", "local:65", "local:two", "local:-1", "local:99999999999"])
def test_so_many_workers_there_cannot_be(text: str) -> None:
    with pytest.raises(UsageError, match="workers on this machine, from 1 to 64") as raised:
        parse_place(text)
    assert raised.value.hint == "For example: --on local:2"


def test_each_thread_of_each_worker_has_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "available_cores", lambda: 4)
    check_room(Place(workers=4), with_threads(1))
    check_room(Place(workers=2), with_threads(2))
    with pytest.raises(UsageError) as raised:
        check_room(Place(workers=3), with_threads(2))
    assert raised.value.message == "local:3 is 3 workers with 2 threads each, but this machine has 4 cores."
    assert raised.value.hint.startswith("Take --on local:2, or fewer threads: FORTYDAYS_THREADS=1.")


def test_without_ray_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else found(name))
    with pytest.raises(FortydaysError) as raised:
        require_ray()
    assert raised.value.message == "--on needs Ray, which is not installed."
    assert raised.value.hint == "Install it: make setup-ray"


@pytest.fixture
def with_ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where Ray is installed, with an empty home."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "ray" else found(name))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.usefixtures("with_ray")
def test_a_cluster_is_not_used_without_a_token() -> None:
    with pytest.raises(UsageError) as raised:
        check_place(Place(address="192.0.2.7:6379"), with_threads(1))
    assert raised.value.message == "There is no token for the cluster 192.0.2.7:6379. Without one, none is used."
    assert "RAY_AUTH_TOKEN" in raised.value.hint


def test_the_token_is_looked_for_where_ray_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_cluster_token({}) == ""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("usual\n")
    (tmp_path / "named").write_text("named\n")
    path = {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "named")}
    assert read_cluster_token({}) == "usual"
    assert read_cluster_token(path) == "named"
    assert read_cluster_token({**path, "RAY_AUTH_TOKEN": "given"}) == "given"


def test_a_file_that_holds_no_token_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    for name, wrong in (("empty", "it is empty"), ("missing", "it is not a file that can be read")):
        with pytest.raises(UsageError) as raised:
            read_cluster_token({"RAY_AUTH_TOKEN_PATH": str(tmp_path / name)})
        assert raised.value.message == f"RAY_AUTH_TOKEN_PATH names {tmp_path / name}, but {wrong}."
    assert base_settings.read_settings({"FORTYDAYS_HOME": str(tmp_path)}).service_token == ""


# ------------------------------------------------------------------------------------------------------- a head node

GCS = "/ray.rpc.NodeInfoGcsService/CheckAlive"
CLIENT = "/ray.rpc.RayletDriver/ClusterInfo"


@pytest.fixture
def head() -> Any:
    """Starts what answers as the head node of a cluster does: the question it knows, and the token it takes, or ""."""
    from concurrent import futures

    import grpc

    servers = []

    def start(method: str, token: str) -> str:
        def answer(_request: bytes, context: Any) -> bytes:
            start.told += [value for name, value in context.invocation_metadata() if name == "authorization"]
            if token and ("authorization", f"Bearer {token}") not in context.invocation_metadata():
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")
            return b""

        class Answers(grpc.GenericRpcHandler):
            def service(self, details: Any) -> Any:
                return grpc.unary_unary_rpc_method_handler(answer) if details.method == method else None

        server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Answers()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    start.told = []  # the tokens that it was told
    yield start
    for server in servers:
        server.stop(None)


def asked(address: str, *, client: bool = False) -> str:
    return check_place(Place(address=address, client=client), with_threads(1))


@pytest.mark.usefixtures("with_ray")
@pytest.mark.parametrize(("method", "client"), [(GCS, False), (CLIENT, True)], ids=["node", "client"])
class TestACluster:
    @pytest.fixture(autouse=True)
    def _token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAY_AUTH_TOKEN", "ours")

    def test_that_takes_our_token_is_used(self, head: Any, method: str, client: bool) -> None:
        assert asked(head(method, "ours"), client=client) == "ours"
        assert head.told == ["Bearer ours"]

    def test_that_takes_another_token_is_said_with_the_word_token(self, head: Any, method: str, client: bool) -> None:
        address = head(method, "theirs")
        with pytest.raises(UsageError) as raised:
            asked(address, client=client)
        name = f"ray://{address}" if client else address
        assert raised.value.message == f"The cluster {name} does not take the token that is set here."

    def test_that_takes_everyone_is_not_used(self, head: Any, method: str, client: bool) -> None:
        address = head(method, "")
        with pytest.raises(UsageError, match="asks for no token: whoever reaches it can run programs on it"):
            asked(address, client=client)
        assert head.told == []  # our token is nothing for a stranger

    def test_at_another_port_is_said(self, head: Any, method: str, client: bool) -> None:
        address = head(CLIENT if method == GCS else GCS, "ours")
        with pytest.raises(UsageError, match="is another port of the cluster"):
            asked(address, client=client)

    def test_at_whose_port_nothing_listens_is_said_before_it_is_asked(
        self, method: str, client: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def ask(*_: object) -> str:
            raise AssertionError(f"{method} was asked")

        monkeypatch.setattr(reach, "_asked", ask)
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(FortydaysError) as raised:
                asked(f"{host}:9", client=client)
            name = f"{'ray://' if client else ''}{host}:9"
            assert raised.value.message == f"No cluster answers at {name}: nothing listens at that port."
            assert ("10001" if client else "6379") in raised.value.hint

    def test_that_listens_and_does_not_answer_is_said(
        self, method: str, client: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reach, "SECONDS", 0.5)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            with pytest.raises(FortydaysError, match=rf"^No cluster answers at (ray://)?127\.0\.0\.1:{port}\."):
                asked(f"127.0.0.1:{port}", client=client)


@pytest.mark.parametrize(
    "name", ["a folder for temporary files whose name is long, longer than a socket may have", "a b"]
)
def test_the_folder_of_a_cluster_is_short_and_plain(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tempfile.mkdtemp(prefix=name, dir="/tmp")
    monkeypatch.setattr(tempfile, "tempdir", usual)
    found = connection.cluster_folder()
    try:
        session = "/session_2026-11-30_06-11-52_952941_4194304/sockets/plasma_store"
        assert len(str(found)) + len(session) <= 103
        assert shlex.quote(str(found)) == str(found)
        assert found.stat().st_mode & 0o077 == 0
    finally:
        shutil.rmtree(found)
        shutil.rmtree(usual)


def test_a_python_below_a_path_with_a_space_is_started_through_a_plain_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/python")
    assert connection.python_for_ray(tmp_path) == "/opt/python"
    venv, folder = tmp_path / "forty days" / ".venv", tmp_path / "cluster"
    for path in (venv / "bin", folder):
        path.mkdir(parents=True)
    (venv / "bin" / "python").write_text("this one")
    monkeypatch.setattr(sys, "executable", str(venv / "bin" / "python"))
    monkeypatch.setattr(sys, "prefix", str(venv))
    found = connection.python_for_ray(folder)
    assert found == str(folder / "python" / "bin" / "python")
    assert Path(found).read_text() == "this one"


@pytest.mark.parametrize(
    ("program", "seconds", "said", "hint"),
    [
        ("import time; time.sleep(60)", 1, "Ray has not started on this machine in 1 seconds.", "the processors busy"),
        (
            "raise SystemExit",
            60,
            "Ray has ended while it started on this machine: No space left",
            "Is there memory for it",
        ),
    ],
    ids=["slow", "ended"],
)
def test_a_ray_that_does_not_start_is_told_with_what_may_be_the_cause(
    program: str, seconds: float, said: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_SECONDS_TO_START", seconds)
    (tmp_path / "start.log").write_text("first\nNo space left\n")
    with subprocess.Popen([sys.executable, "-c", program]) as host:
        with pytest.raises(FortydaysError) as raised:
            connection._address(host, tmp_path)
        host.kill()
    assert raised.value.message == said
    assert hint in raised.value.hint

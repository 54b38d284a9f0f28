"""``forty serve`` and ``forty reload`` as a reader calls them: in processes of their own."""

import contextlib
import json
import multiprocessing.resource_tracker
import multiprocessing.spawn
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from made_up_bundles import bundle

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.base.process import identity
from fortydays.base.settings import read_settings
from fortydays.cli.main import execute
from fortydays.serve.server import access_for, address_of, bound, running
from fortydays.serve.source import shadow_of, source_of

PIXELS = {"pixels": [[255] + [0] * 7] + [[0] * 8] * 7}


class Process:
    """A service in a process of its own."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self._environment = {
            **os.environ, "FORTYDAYS_HOME": str(home), "FORTYDAYS_OFFLINE": "1", "NO_COLOR": "1", **environment,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fortydays", "serve", *arguments, "--port", "0"],
            env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.address = next((word.rstrip(".") for word in self.line.split() if word.startswith("http")), "")
        end = time.monotonic() + 60
        while self.address and time.monotonic() < end:
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                if requests.get(f"{self.address}/readyz", timeout=10).status_code == 200:
                    break
            time.sleep(0.05)

    def best(self) -> tuple[int, str]:
        document = requests.post(f"{self.address}/predict", json=PIXELS, timeout=20).json()
        return document["version"], document["predictions"][0]["top"][0]["class"]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fortydays", *arguments],
            env=self._environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, told = self.process.communicate(timeout=60)
        return self.process.returncode, told

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def service(home: Path, *arguments: str, **environment: str) -> Iterator[Process]:
    made = Process(home, *arguments, **environment)
    try:
        yield made
    finally:
        made.kill()


def swapped(place: Path, new: Path) -> None:
    """What a new version of the bundle in a folder is, for a service that looks there again."""
    place.rename(place.with_name(f"old-{time.monotonic_ns()}"))
    new.rename(place)


def test_a_bundle_is_served_told_to_reload_and_ended(tmp_path: Path) -> None:
    bundle(tmp_path / "now")
    bundle(tmp_path / "next", version=2, favourite=7)
    with service(tmp_path / "home", str(tmp_path / "now")) as found:
        assert found.line == f"digits@1 answers at {found.address}. Ctrl-C ends it.\n"
        assert found.best() == (1, "3")

        told = found.command("reload")
        assert (told.returncode, told.stdout) == (0, f"{found.address}: digits@1 still answers\n")
        swapped(tmp_path / "now", tmp_path / "next")
        told = found.command("reload", "--json")
        (document,) = json.loads(told.stdout)["services"]
        assert document["main"] == {"model": "digits@2", "changed": True}
        assert found.best() == (2, "7")

        (tmp_path / "now" / "labels.json").write_text("{}")
        told = found.command("reload")
        assert told.returncode == 1
        assert "Nothing was replaced: the bundle is damaged: labels.json has 2 bytes" in told.stdout
        assert "1 of 1 services did not reload" in told.stderr
        assert found.best() == (2, "7")

        state = tmp_path / "home" / "serve" / "running"
        assert [path.stat().st_mode & 0o077 for path in state.iterdir()] == [0]
        assert found.end() == (143, "Stopped.\n")
        assert not list(state.iterdir())


def test_ctrl_c_ends_it_with_the_usual_code(tmp_path: Path) -> None:
    bundle(tmp_path / "now")
    with service(tmp_path / "home", str(tmp_path / "now")) as found:
        assert found.end(signal.SIGINT) == (130, "Stopped.\n")


def test_no_training_framework_and_no_tracker_is_loaded(tmp_path: Path) -> None:
    bundle(tmp_path / "now")
    code = (
        "import sys, functools\n"
        "from pathlib import Path\n"
        "from fortydays.serve import server\n"
        "from fortydays.serve.source import source_of\n"
        "import fortydays.cli.main\n"
        "launch = server.Launch(sources={'main': source_of(sys.argv[1])}, state=Path(sys.argv[2]),"
        " access=server.access_for('127.0.0.1', token='', hosts=()))\n"
        "server.write_current(launch.state, {'main': Path(sys.argv[1])}, generation=1)\n"
        "server.worker(launch)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & set("
        "'dvc jax keras matplotlib mlflow pi_heif scipy sklearn tensorflow torch huggingface_hub'.split())))\n"
    )
    (tmp_path / "state").mkdir()
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "now"), str(tmp_path / "state")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert told.stdout == "[]\n"


def test_workers_share_an_address_reload_together_and_add_up_their_metrics(tmp_path: Path) -> None:
    bundle(tmp_path / "now")
    bundle(tmp_path / "next", version=2, favourite=7)
    with service(tmp_path / "home", str(tmp_path / "now"), "--workers", "2") as found:
        for _ in range(20):
            assert found.best() == (1, "3")
        swapped(tmp_path / "now", tmp_path / "next")
        told = found.command("reload", "--json")
        (document,) = json.loads(told.stdout)["services"]
        assert (document["main"]["model"], document["workers"]) == ("digits@2", 2)
        for _ in range(20):
            assert found.best() == (2, "7")
        text = requests.get(f"{found.address}/metrics", timeout=10).text
        assert 'fortydays_requests_total{route="/predict",status="200"} 40.0' in text
        models = [line for line in text.splitlines() if line.startswith("fortydays_model_info{")]
        assert {(line.partition('version="')[2][0], line[-3:]) for line in models} == {("1", "0.0"), ("2", "1.0")}
        code, told_at_last = found.end()
        assert (code in (0, 143), told_at_last) == (True, "Stopped.\n")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Runs a command that ends by itself, in this process: from its words to its exit code and what it says."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    yield lambda *words: (execute([*words]), capsys.readouterr().err)
    signal.signal(signal.SIGTERM, before)


def test_a_bundle_with_a_changed_byte_is_refused_at_the_start(tmp_path: Path, run: Any) -> None:
    bundle(tmp_path / "now")
    path = tmp_path / "now" / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    code, told = run("serve", str(tmp_path / "now"), "--port", "0")

    assert code == 1
    assert "is damaged: the content of model.onnx has changed" in told
    assert "Traceback" not in told


def test_a_port_in_use_is_told_with_the_way_out(tmp_path: Path, run: Any) -> None:
    bundle(tmp_path / "now")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, told = run("serve", str(tmp_path / "now"), "--port", str(port))
    assert code == 2
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use." in told
    assert "--port 0" in told


def test_other_machines_are_let_in_with_a_token_only(tmp_path: Path, run: Any) -> None:
    bundle(tmp_path / "now")
    code, told = run("serve", str(tmp_path / "now"), "--host", "0.0.0.0", "--port", "0")
    assert code == 2
    assert "Other machines can reach 0.0.0.0, and there is no token." in told
    assert "FORTYDAYS_TOKEN" in told


def test_reload_without_a_service_says_so(run: Any) -> None:
    assert run("reload", "mnist") == (
        1, "Error: No service of mnist runs in this workspace.\nStart one with: forty serve NAME\n"
    )  # fmt: skip


@pytest.mark.parametrize("token", ["short", "x" * 15, "with a space in the middle", "é" * 20, "tab\t" * 6])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="expected at least 16 letters, digits and signs"):
        access_for("127.0.0.1", token=token, hosts=())


def test_the_token_comes_from_the_environment() -> None:
    assert read_settings({"FORTYDAYS_TOKEN": "x" * 16}).service_token == "x" * 16
    assert read_settings({}).service_token == ""
    assert access_for("0.0.0.0", token="x" * 16, hosts=("a.example",)).hosts == ("a.example",)
    assert access_for("127.0.0.1", token="", hosts=()).admin_token


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "127.0.0.1.example.org", "", "10.0.0.1"]
)
def test_every_address_but_loopback_needs_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="there is no token"):
        access_for(host, token="", hosts=())


def test_an_address_is_written_as_a_browser_takes_it() -> None:
    with bound("127.0.0.1", 0) as listening:
        assert address_of(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"
    if socket.has_ipv6:
        with contextlib.suppress(UsageError), bound("::1", 0) as listening:
            assert address_of(listening) == f"http://[::1]:{listening.getsockname()[1]}"
    with pytest.raises(UsageError, match=r"cannot listen on 192.0.2.1"):
        bound("192.0.2.1", 0)


def test_what_to_serve_is_a_folder_or_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist/manifest.json").write_text("{}")
    assert source_of("mnist").folder == tmp_path / "mnist"
    (tmp_path / "flowers").mkdir()  # photographs, from which a model of that name has learned
    assert source_of("flowers").model == "flowers@champion"
    assert source_of("./flowers").folder == tmp_path / "flowers"
    assert source_of("digits").model == "digits@champion"
    assert source_of("digits@3").model == "digits@3"
    assert shadow_of(source_of("digits@3"), "challenger").model == "digits@challenger"
    assert shadow_of(source_of("digits"), str(tmp_path / "mnist")).folder == tmp_path / "mnist"
    with pytest.raises(UsageError, match=r"There is no folder './none'"):
        source_of("./none")
    with pytest.raises(UsageError, match=r"is an alias, and .* is a folder"):
        shadow_of(source_of("mnist"), "challenger")
    for hostile in ("../x", "/etc/passwd", "A", "a" * 10_000, "a\x00b", "a@b", ""):
        with pytest.raises(UsageError):
            source_of(hostile)


def test_what_a_killed_service_left_behind_goes(tmp_path: Path) -> None:
    parent = tmp_path / "home" / "serve" / "running"
    files.write_json(parent / "1-8000" / "service.json", {"process": {**identity(), "started": "before"}})
    bundle(tmp_path / "now")
    with service(tmp_path / "home", str(tmp_path / "now")) as found:
        assert not (parent / "1-8000").exists()
        assert [each.address for each in running(parent)] == [found.address]
    assert list(parent.iterdir())
    assert running(parent) == []
    assert not list(parent.iterdir())


def test_a_damaged_state_of_another_service_is_passed_over(tmp_path: Path) -> None:
    for name, content in (("a", "{"), ("b", "{}"), ("c", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "service.json").write_text(content)
    found: list[Any] = running(tmp_path)
    assert found == []


def test_workers_that_cannot_start_are_not_started_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fortydays.base.errors import FortydaysError
    from fortydays.serve import server

    bundle(tmp_path / "now")
    launch = server.Launch(
        sources={"main": source_of(str(tmp_path / "now"))},
        state=tmp_path / "state",
        access=access_for("127.0.0.1", token="", hosts=()),
        workers=2,
    )
    # A worker is a program that ends at once; whatever else starts processes here has started before.
    multiprocessing.resource_tracker.ensure_running()
    monkeypatch.setattr(multiprocessing.spawn, "_python_exe", os.fsencode(str(shutil.which("false"))))
    monkeypatch.setattr(server, "_SECONDS_BETWEEN_STARTS", 0.05)
    with pytest.raises(FortydaysError, match=r"The workers end as soon as they start: 5 times in a row\."):
        server.serve(launch, bound("127.0.0.1", 0), ready=lambda _names: None)
    assert not (tmp_path / "state").exists()

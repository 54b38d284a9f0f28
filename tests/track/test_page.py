"""MLflow's page as this program starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from made_up_runs import finished_run, with_uri

from fortydays.base.errors import UsageError
from fortydays.base.settings import Settings
from fortydays.track.mirror import mirror
from fortydays.track.page import serve_page, server_command
from fortydays.track.store import Store


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


def test_the_server_listens_here_alone_with_its_guard_on() -> None:
    command = server_command(5000, Path("/workspace/mlartifacts"))
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "5000"
    assert "--no-serve-artifacts" in command
    assert command[command.index("--allowed-hosts") + 1] == "127.0.0.1:5000,localhost:5000"
    assert not [word for word in command if re.search("security|gunicorn|waitress|cors", word)]


def test_a_port_in_use_is_told_with_another_to_try(settings: Settings, taken: int) -> None:
    with pytest.raises(UsageError, match=f"The port {taken} cannot be used: Address already in use") as caught:
        serve_page(settings, port=taken, ready=lambda _: None)
    assert caught.value.hint == f"Name another one: forty ui --port {taken + 1}"


def test_a_tracking_server_has_its_own_page(settings: Settings) -> None:
    with pytest.raises(UsageError, match="server http://tracking:5000, which has its own page") as caught:
        serve_page(with_uri(settings, "http://me:hunter2@tracking:5000"), port=5000, ready=lambda _: None)
    assert "Open http://tracking:5000" in caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_page_answers_and_leaves_nothing_behind(settings: Settings, store: Store, number: signal.Signals) -> None:
    mirror(finished_run(settings), store)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "fortydays", "ui", "--port", str(port), "--no-open"]
    environment = {
        **os.environ,
        "FORTYDAYS_HOME": str(settings.workspace),
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",  # not even if someone asks for it
        "MLFLOW_HOST": "0.0.0.0",
        "NO_PROXY": "127.0.0.1",
    }
    page = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert page.stdout is not None
        assert page.stdout.readline() == f"The runs are shown at http://127.0.0.1:{port}. Ctrl-C ends it.\n"
        address = f"http://127.0.0.1:{port}"
        children = psutil.Process(page.pid).children(recursive=True)
        assert children
        listening = {c.laddr for child in children for c in child.net_connections() if c.status == "LISTEN"}
        assert listening == {("127.0.0.1", port)}
        search = requests.post(f"{address}/api/2.0/mlflow/experiments/search", json={"max_results": 10}, timeout=30)
        names = [experiment["name"] for experiment in search.json()["experiments"]]
        assert "fortydays/day02-activations" in names
        for host in ("evil.example", "10.evil.example", f"evil.example:{port}"):  # DNS rebinding
            assert requests.get(address, headers={"Host": host}, timeout=30).status_code == 403, host
        assert requests.get(f"http://localhost:{port}", timeout=30).status_code == 200
        other_page = {"Origin": "http://evil.example"}
        forged = requests.post(
            f"{address}/api/2.0/mlflow/experiments/create", json={"name": "x"}, headers=other_page, timeout=30
        )
        assert forged.status_code == 403
    finally:
        page.send_signal(number)
        said = page.communicate(timeout=60)[1]
    assert "Traceback" not in said
    deadline = time.monotonic() + 10
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < deadline, f"still there: {children}"
        time.sleep(0.05)
    assert not list(settings.workspace.glob(".*.part"))

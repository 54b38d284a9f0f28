"""MLflow's page as this program starts it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
from tracked_runs import finished_run, made_up_settings, with_uri

import real_browser
from fortydays.base.errors import UsageError
from fortydays.base.settings import Settings
from fortydays.track import page as module
from fortydays.track.page import serve_page
from fortydays.track.store import Store, destination, open_store
from fortydays.track.sync import sync


@dataclass(frozen=True, kw_only=True)
class Page:
    process: subprocess.Popen[str]
    port: int
    said: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_port_in_use_is_told_with_another_to_try(settings: Settings, taken: int) -> None:
    with pytest.raises(UsageError, match=f"The port {taken} cannot be used: Address already in use") as caught:
        serve_page(settings, port=taken, ready=lambda _: None, note=lambda _: None)
    assert caught.value.hint == f"Name another one: forty ui --port {taken + 1}"


def test_a_tracking_server_has_its_own_page(settings: Settings) -> None:
    with pytest.raises(UsageError, match="server http://tracking:5000, which has its own page") as caught:
        serve_page(
            with_uri(settings, "http://me:hunter2@tracking:5000"), port=5000, ready=lambda _: None, note=lambda _: None
        )
    assert "Open http://tracking:5000" in caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_a_damaged_store_is_named_before_the_page_shows_a_new_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.workspace / "mlflow.db").write_bytes(b"this is no database")
    said: list[str] = []

    def not_started(*_: object) -> None:
        raise InterruptedError

    monkeypatch.setattr(module, "application", not_started)
    with pytest.raises(InterruptedError):
        serve_page(settings, port=free_port(), ready=said.append, note=said.append)
    (line,) = said
    assert line.startswith(f"The tracking store {settings.workspace / 'mlflow.db'} was damaged (")
    assert "Send them again with: forty sync" in line


@pytest.fixture
def page(settings: Settings) -> Iterator[Page]:
    port = free_port()
    environment = {
        **os.environ,
        "FORTYDAYS_HOME": str(settings.workspace),
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",  # not even if someone asks for it
        "MLFLOW_HOST": "0.0.0.0",
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "fortydays", "ui", "--port", str(port), "--no-open"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        yield Page(process=process, port=port, said=said)
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.slow
def test_the_page_answers_this_machine_alone(settings: Settings, store: Store, page: Page) -> None:
    sync(finished_run(settings), store)
    assert page.said == f"The runs are shown at {page.address}\n"
    telemetry = requests.get(f"{page.address}/ajax-api/3.0/mlflow/ui-telemetry", timeout=30).json()
    assert telemetry["disable_ui_telemetry"] is True
    assert psutil.Process(page.process.pid).children(recursive=True) == []
    listening = {c.laddr for c in psutil.Process(page.process.pid).net_connections() if c.status == "LISTEN"}
    assert listening == {("127.0.0.1", page.port)}
    search = requests.post(f"{page.address}/api/2.0/mlflow/experiments/search", json={"max_results": 9}, timeout=30)
    assert "fortydays/day02-activations" in [experiment["name"] for experiment in search.json()["experiments"]]
    for host in ("evil.example", "10.evil.example", f"evil.example:{page.port}"):  # DNS rebinding
        assert requests.get(page.address, headers={"Host": host}, timeout=30).status_code == 403, host
    assert requests.get(f"http://localhost:{page.port}", timeout=30).status_code == 200
    forged = requests.post(
        f"{page.address}/api/2.0/mlflow/experiments/create",
        json={"name": "x"},
        headers={"Origin": "http://evil.example"},
        timeout=30,
    )
    assert forged.status_code == 403


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_page_ends_in_time_and_leaves_nothing_behind(
    settings: Settings, page: Page, number: signal.Signals
) -> None:
    before = set(settings.workspace.parent.rglob("*"))
    with requests.get(page.address, timeout=30, stream=True):  # a browser that stays
        page.process.send_signal(number)
        assert page.process.wait(60) == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert page.process.stderr is not None
    assert "Traceback" not in page.process.stderr.read()
    assert set(settings.workspace.parent.rglob("*")) == before


@pytest.mark.slow
def test_the_first_visit_shows_the_runs_and_no_assistant(page: Page) -> None:
    with real_browser.started() as browser:
        shown = browser.new_page()
        shown.goto(page.address)
        shown.get_by_text("Compare", exact=True).wait_for(timeout=60_000)
        assert shown.url == f"{page.address}/#/experiments?workflowType=machine_learning"
        shown.wait_for_timeout(1_000)  # the assistant would slide in
        assert shown.get_by_text("Set up MLflow Assistant").count() == 0
        assert shown.evaluate("localStorage.getItem('mlflow.assistant.panelOpen_v1')") is None


@pytest.mark.slow
def test_a_run_can_be_sent_to_a_server_and_its_files_seen_there(
    tmp_path: Path, page: Page, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    uri = f"http://reader:hunter2@127.0.0.1:{page.port}"
    elsewhere = made_up_settings(tmp_path / "elsewhere", tracking_uri=uri)
    run = finished_run(elsewhere)
    server = open_store(destination(elsewhere))
    sent = sync(run, server)
    assert (sent.outcome, sent.trials) == ("sent", 4)
    assert sync(run, server).outcome == "already there"
    experiment = server.client.get_run(sent.parent).info.experiment_id
    children = server.client.search_runs([experiment], "tags.`fortydays.trial` LIKE 'relu%'")
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {sent.parent}
    for path in ("evidence.json", "model/model.keras"):
        where = {"path": path, "run_uuid": sent.parent}
        assert requests.get(f"{page.address}/get-artifact", params=where, timeout=30).status_code == 200, path
    assert capfd.readouterr() == ("", "")
    assert "hunter2" not in run.tracking.read_text("utf-8")

"""The tracker's own page: MLflow's server, on this machine and for this machine only."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import TrackingError, UsageError
from fortydays.base.process import guarded
from fortydays.base.settings import Settings
from fortydays.track.store import destination, prepare, scrubbed

HOST = "127.0.0.1"
"""The only address that the page listens on."""

RUNS = "/#/experiments?workflowType=machine_learning"
"""Where the page shows the runs. Its root shows an assistant, prompts, and a note on telemetry, which is off here."""

_SECONDS_TO_START = 120.0
_SECONDS_TO_STOP = 10.0
# Switches of MLflow that would open the page to other machines or pages, or let it run jobs.
_NOT_PASSED_ON = ("MLFLOW_SERVER_", "MLFLOW_GUNICORN_OPTS", "MLFLOW_UVICORN_OPTS", "MLFLOW_HOST", "MLFLOW_APP_NAME")


def server_command(port: int, artifacts: Path) -> list[str]:
    """The command line of MLflow's server. The store is named by the environment, as its address may hold a password.

    Args:
        port: where it listens.
        artifacts: the folder of pictures and models.
    """
    options = ["--host", HOST, "--port", str(port), "--workers", "1"]
    # MLflow's own list has "10.*" in it, for private networks, and so lets in a page that calls itself 10.example.com.
    options += ["--allowed-hosts", f"{HOST}:{port},localhost:{port}"]
    # The page reads artifacts of this machine by their path, so nothing needs to be uploaded through it.
    options += ["--no-serve-artifacts", "--default-artifact-root", artifacts.as_uri()]
    return [sys.executable, "-P", "-m", "mlflow", "server", *options]


def serve_page(settings: Settings, *, port: int, ready: Callable[[str], None], note: Callable[[str], None]) -> None:
    """Show the tracker's page until Ctrl-C (or what the caller turns into a ``KeyboardInterrupt``) ends the block.

    No process is left behind, however it ends.

    Args:
        settings: whose tracking store to show.
        port: where to listen on the loopback address, 1024 to 65535.
        ready: called with the address of the runs as soon as the page answers.
        note: called with what the reader should know besides, such as that a damaged store was set aside.

    Raises:
        KeyboardInterrupt: always, unless one of the following comes first.
        UsageError: the port is taken, or the settings name a server, which has a page of its own.
        TrackingError: the page did not start, or ended by itself.
        StorageError: the workspace cannot be written.
    """
    where = destination(settings)
    if where.is_server:
        raise UsageError(
            f"Runs are tracked by the server {where.shown}, which has its own page.",
            hint=f"Open {where.shown} in a browser, or unset MLFLOW_TRACKING_URI to see the workspace's store.",
        )
    _refuse_taken_port(port)
    for line in prepare(where, waiting=note):
        note(line)
    address = f"http://{HOST}:{port}"
    with (
        files.temporary_folder(settings.workspace, "page") as scratch,
        _ended_by_hangup(),
        _running(server_command(port, where.artifacts), where.uri, scratch) as server,
    ):
        if not _answers(server, port):
            raise TrackingError("The tracker's page did not start.", hint=scrubbed(_last_lines(scratch), where.uri))
        ready(address + RUNS)
        status = server.wait()
        raise TrackingError(
            f"The tracker's page ended by itself with status {status}.",
            hint=scrubbed(_last_lines(scratch), where.uri),
        )


def _refuse_taken_port(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"The port {port} cannot be used: {error.strerror or error}.",
                hint=f"Name another one: forty ui --port {port + 1 if port < 65535 else 5001}",
            ) from None


@contextlib.contextmanager
def _ended_by_hangup() -> Iterator[None]:
    """Make the end of the terminal end the block as Ctrl-C does; the server, in its own session, would stay."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGHUP, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextlib.contextmanager
def _running(command: list[str], uri: str, scratch: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = guarded(command)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_PASSED_ON)}
    environment |= {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    environment.pop("MLFLOW_TRACKING_URI", None)
    with (scratch / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=scratch,  # MLflow makes folders where it stands
            start_new_session=True,  # a group of its own, to be ended as one
        )
    try:
        yield server
    finally:
        _end_group(server)


def _end_group(server: subprocess.Popen[bytes]) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C would leave processes behind
    try:
        # The group is asked also when its leader is gone: workers can outlive it.
        for number, seconds in ((signal.SIGTERM, _SECONDS_TO_STOP), (signal.SIGKILL, 1.0)):
            deadline = time.monotonic() + seconds
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(server.pid, number)
                while time.monotonic() < deadline:
                    server.poll()  # a child that is not asked for stays in the group when it is dead
                    os.killpg(server.pid, 0)
                    time.sleep(0.05)
                continue
            return
    finally:
        server.poll()
        signal.signal(signal.SIGINT, before)


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    import requests

    deadline = time.monotonic() + _SECONDS_TO_START
    with requests.Session() as session:
        session.trust_env = False  # no proxy between this machine and itself
        while server.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                if session.get(f"http://{HOST}:{port}/health", timeout=2).ok:
                    return True
            time.sleep(0.2)
    return False


def _last_lines(scratch: Path) -> str:
    text = (scratch / "server.log").read_text("utf-8", errors="replace")
    return "It said: " + " ".join(text.split("\n")[-6:])[-400:] if text.strip() else ""

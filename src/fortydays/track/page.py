"""The tracker's own page: MLflow's server, on this machine and for this machine only."""

import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fortydays.base.errors import UsageError
from fortydays.base.settings import Settings
from fortydays.track.store import Destination, destination, open_store

HOST = "127.0.0.1"
"""The only address that the page listens on."""

_SECONDS_TO_STOP = 3
# Switches of MLflow that would open the page to other machines or pages, or let it run jobs.
_NOT_TAKEN_OVER = ("MLFLOW_SERVER_", "_MLFLOW_SERVER_")

# MLflow shows an assistant on the first visit, and at its root a banner and prompts. A browser that has these marks is
# not on its first visit.
_FIRST = """<script>
try { localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true"); } catch (refused) {}
if (!location.hash || location.hash === "#/") location.hash = "#/experiments?workflowType=machine_learning";
</script>"""


def serve_page(settings: Settings, *, port: int, ready: Callable[[str], None], note: Callable[[str], None]) -> None:
    """Show the tracker's page until Ctrl-C, or a request to terminate, ends this process.

    MLflow is told by variables of the environment what to show, so a process serves one page. ``ready`` is told the
    page's address as soon as it answers, and ``note`` what the reader should know besides.

    Raises:
        KeyboardInterrupt: Ctrl-C has ended it.
        UsageError: the port is taken, or the settings name a server, which has a page of its own.
        TrackingError: the store cannot be opened.
        StorageError: the workspace cannot be written.
    """
    where = destination(settings)
    if where.is_server:
        raise UsageError(
            f"Runs are tracked by the server {where.shown}, which has its own page.",
            hint=f"Open {where.shown} in a browser, or unset MLFLOW_TRACKING_URI to see the workspace's store.",
        )
    with _bound(port) as listener:
        for line in open_store(where, waiting=note).notes:
            note(line)
        import uvicorn

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                if self.started:
                    ready(f"http://{HOST}:{port}")

        Server(
            uvicorn.Config(
                application(where, port),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=_SECONDS_TO_STOP,
            )
        ).run([listener])


def application(where: Destination, port: int) -> Any:
    """MLflow's server as an ASGI application, which answers requests to this machine's loopback address alone."""
    for name in [name for name in os.environ if name.startswith(_NOT_TAKEN_OVER)]:
        del os.environ[name]
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ |= {
        # MLflow's own list has "10.*" in it, for private networks, and so lets in a page that calls itself
        # 10.example.com.
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"{HOST}:{port},localhost:{port}",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # What the command `mlflow server` tells its workers. The page reads artifacts of this machine by their path,
        # so nothing needs to be uploaded through it.
        "_MLFLOW_SERVER_FILE_STORE": where.uri,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": where.artifacts.as_uri(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about MLflow's own code
        import mlflow.server
        from mlflow.server.fastapi_app import app
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    index = Path(mlflow.server.__file__).parent / mlflow.server.REL_STATIC_DIR / "index.html"
    page = index.read_text("utf-8").replace("<head>", f"<head>{_FIRST}", 1)
    app.router.routes.insert(0, Route("/", lambda _: HTMLResponse(page, headers={"Cache-Control": "no-cache"})))
    return app


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"The port {port} cannot be used: {error.strerror or error}.",
            hint=f"Name another one: forty ui --port {port + 1 if port < 65535 else 5001}",
        ) from None
    return listener

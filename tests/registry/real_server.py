"""A real MLflow server on a real PostgreSQL, in a folder of its own, on loopback."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import requests


def programs() -> Path | None:
    """Where PostgreSQL's server is, or None. Debian keeps it out of the path."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    found = shutil.which("postgres")
    if versions or not found:
        return versions[-1].parent if versions else None
    return Path(found).resolve().parent


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Postgres:
    """A database server of the test's own. It refuses to run as root, so then it runs as its own user."""

    def __init__(self, folder: Path) -> None:
        found = programs()
        assert found is not None
        self.bin, self.folder, self.port = found, folder, free_port()
        folder.mkdir(mode=0o700)
        self._user: dict[str, int] = {}
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            self._user = {"user": account.pw_uid, "group": account.pw_gid}
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        self._call("initdb", "-D", data, "-U", "reader", "--auth=trust", "--no-sync", "-E", "UTF8", "--no-locale")
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", data, "-p", str(self.port), "-h", "127.0.0.1", "-k", "",
             "-c", "fsync=off"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd=folder, **self._user,
        )  # fmt: skip
        self._wait()
        self._call("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "reader", "mlflow")

    @property
    def uri(self) -> str:
        return f"postgresql+psycopg://reader@127.0.0.1:{self.port}/mlflow"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def _wait(self) -> None:
        for _ in range(600):
            ready = subprocess.run(
                [self.bin / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)], capture_output=True, check=False
            )
            if ready.returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL does not come up")

    def _call(self, program: str, *arguments: object) -> None:
        command: Sequence[str] = [str(self.bin / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, **self._user)
        assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A database server, in a folder that its user can reach where root runs the tests; pytest's folders are not."""
    with tempfile.TemporaryDirectory(prefix="fortydays-", dir="/tmp" if os.getuid() == 0 else None) as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder) / "server")
        try:
            yield server
        finally:
            server.stop()


class MlflowServer:
    """An MLflow server that keeps everything in a database and hands artifacts through."""

    def __init__(self, folder: Path, backend: str) -> None:
        self.folder, self.backend, self.port = folder, backend, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", self.backend,
             "--artifacts-destination", str(self.folder / "artifacts"), "--serve-artifacts",
             "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"],
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        )  # fmt: skip
        log.close()
        for _ in range(1200):
            try:
                if requests.get(f"{self.uri}/health", timeout=1).ok:
                    return
            except requests.RequestException:
                pass
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            time.sleep(0.1)
        raise AssertionError("the MLflow server does not come up")

    def kill(self) -> None:
        """End it, and the processes it has started, without a chance to tidy up."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

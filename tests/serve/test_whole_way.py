"""From a study to a service and back to the version before, by commands: in a workspace, and on a team's server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import made_up_bundles  # noqa: F401 - puts the registry's helpers on the path
import pytest
import real_server
import requests
from test_serve_command import Process, service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STUDY = str(Path(__file__).parents[1] / "registry" / "registered_study.py")


@pytest.fixture(params=["a workspace", "a server with PostgreSQL"])
def tracker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """MLFLOW_TRACKING_URI, or nothing."""
    if request.param == "a workspace":
        yield ""
        return
    if real_server.programs() is None:
        pytest.fail("The tests of the stack need PostgreSQL: apt install postgresql")
    with real_server.postgres() as postgres:
        (tmp_path / "mlflow").mkdir()
        server = real_server.MlflowServer(tmp_path / "mlflow", postgres.uri)
        try:
            yield server.uri
        finally:
            server.kill()


def version(found: Process) -> int:
    pixels = {"pixels": [[0] * 8] * 8}
    answer = requests.post(f"{found.address}/predict", json=pixels, timeout=20)
    return int(answer.json()["version"])


def test_a_study_is_run_promoted_served_and_taken_back_without_a_restart(tracker: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {"MLFLOW_TRACKING_URI": tracker, "FORTYDAYS_THREADS": "1"}
    environment = {name: value for name, value in environment.items() if value}

    def forty(*arguments: str, expected: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "fortydays", *arguments],
            env={**os.environ, "FORTYDAYS_HOME": str(home), "FORTYDAYS_OFFLINE": "1", **environment},
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == expected, done.stderr[-2000:] + done.stdout[-2000:]
        return done.stdout

    forty("run", STUDY, "--no-track")
    forty("register", STUDY, "--variant", "convolution")
    forty("register", STUDY, "--variant", "linear model")
    gates = forty("promote", "digits@1", "--to", "champion", expected=3)
    assert "claims" in gates
    assert "digits@1 is not promoted" in gates
    forty("promote", "digits@1", "--to", "champion", "--force", "--reason", "a first one is needed")
    forty("promote", "digits@2", "--to", "challenger", "--force", "--reason", "to be compared")

    with service(home, "digits", "--shadow", "challenger", **environment) as found:
        assert found.line.startswith("digits@1, digits@2 answers at ")
        process = found.process.pid
        assert version(found) == 1
        assert requests.get(f"{found.address}/model", timeout=20).json()["shadow"] == "digits@2"

        forty("promote", "digits@2", "--to", "champion", "--force", "--reason", "a drill")
        assert version(found) == 1  # nobody told it yet
        (told,) = json.loads(forty("reload", "digits", "--json"))["services"]
        assert told["main"] == {"model": "digits@2", "changed": True}
        assert version(found) == 2

        forty("rollback", "digits")
        forty("reload")
        assert version(found) == 1
        assert (found.process.poll(), found.process.pid) == (None, process)
        assert found.end() == (143, "Stopped.\n")

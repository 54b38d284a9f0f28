"""From a study to a service and back to the version before, by commands: in a workspace, and on a team's server."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_up_bundles  # noqa: F401 - puts the registry's helpers on the path
import pytest
import real_server
import requests
from test_serve_command import Process, service

from fortydays.cli.main import execute

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


@pytest.fixture(scope="module")
def ran(keras: Any, empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a run of the study, to be copied."""
    home = tmp_path_factory.mktemp("ran")
    shutil.copy(empty_store, home / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORTYDAYS_HOME", str(home))
        patch.setenv("FORTYDAYS_THREADS", "1")
        assert execute(["run", STUDY, "--no-track"]) == 0
    return home


def version(found: Process) -> int:
    pixels = {"pixels": [[0] * 8] * 8}
    answer = requests.post(f"{found.address}/predict", json=pixels, timeout=20)
    return int(answer.json()["version"])


def test_a_study_is_run_promoted_served_taken_back_without_a_restart_and_reproduced(
    ran: Path, tracker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = shutil.copytree(ran, tmp_path / "home")
    environment = {"MLFLOW_TRACKING_URI": tracker, "FORTYDAYS_THREADS": "1"}
    environment = {name: value for name, value in environment.items() if value}
    for name, value in {**environment, "FORTYDAYS_HOME": str(home), "FORTYDAYS_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, value)

    def do(*arguments: str, expected: int = 0) -> str:
        capsys.readouterr()
        code = execute([*arguments])
        told = capsys.readouterr()
        assert code == expected, told.err[-2000:] + told.out[-2000:]
        return told.out

    told = do("register", STUDY, "--variant", "convolution", "--name", "numbers")
    assert told.startswith("numbers@1: convolution, seed ")
    assert told.endswith("Next: forty promote numbers@1 --to champion\n")
    document = json.loads(do("register", STUDY, "--variant", "linear model", "--name", "numbers", "--json"))
    assert (document["version"]["name"], document["version"]["version"]) == ("numbers", 2)
    assert document["evaluation"]["onnx"]["difference"] < 1e-4
    assert not list((home / "registry").glob(".*.part"))
    gates = do("promote", "numbers@1", "--to", "champion", expected=3)
    assert "claims" in gates
    assert "numbers@1 is not promoted" in gates
    do("promote", "numbers@1", "--to", "champion", "--force", "--reason", "a first one is needed")
    do("promote", "numbers@2", "--to", "challenger", "--force", "--reason", "to be compared")

    with service(home, "numbers", "--shadow", "challenger", **environment) as found:
        assert found.line.startswith("numbers@1, numbers@2 answers at ")
        process = found.process.pid
        assert version(found) == 1
        assert requests.get(f"{found.address}/model", timeout=20).json()["shadow"] == "numbers@2"

        do("promote", "numbers@2", "--to", "champion", "--force", "--reason", "a drill")
        assert version(found) == 1  # nobody told it yet
        (answer,) = json.loads(do("reload", "numbers", "--json"))["services"]
        assert answer["main"] == {"model": "numbers@2", "changed": True}
        assert version(found) == 2

        do("rollback", "numbers")
        do("reload")
        assert version(found) == 1
        assert (found.process.poll(), found.process.pid) == (None, process)
        assert found.end() == (143, "Stopped.\n")

    assert do("reproduce", "numbers") == "numbers@1 is reproduced: the weights are the same, bit for bit.\n"
    tree = do("lineage", "numbers@1")
    assert "(one of your own), variant convolution, seed" in tree
    assert f"file {STUDY}" in "".join(line.strip("│├─ ") for line in tree.splitlines())
    assert all(len(line) <= 80 for line in tree.splitlines())

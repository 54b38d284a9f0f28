"""The registry on a real MLflow server with a real PostgreSQL, as a team has it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_up_versions
import numpy as np
import pytest
import real_server
from numpy.typing import NDArray

from fortydays.base.errors import TrackingError
from fortydays.base.settings import Settings
from fortydays.registry import registry as module
from fortydays.registry.registry import NotWholeError, Registry, Version
from fortydays.track.store import destination, open_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(real_server.programs() is None, reason="PostgreSQL's server is not installed here"),
]


@pytest.fixture(scope="module")
def postgres() -> Iterator[real_server.Postgres]:
    with real_server.postgres() as server:
        yield server


@pytest.fixture(scope="module")
def server(postgres: real_server.Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = real_server.MlflowServer(tmp_path_factory.mktemp("mlflow"), postgres.uri)
    yield running
    running.kill()


@pytest.fixture
def settings(server: real_server.MlflowServer, datasets: Path, tmp_path: Path) -> Settings:
    return made_up_versions.settings(tmp_path / "home", datasets=datasets, tracking_uri=server.uri)


@pytest.fixture
def registry(settings: Settings) -> Registry:
    return Registry(open_store(destination(settings)))


def added(registry: Registry, name: str, folder: Path, data: Any, weights: NDArray[np.float32]) -> Version:
    manifest = made_up_versions.version_folder(folder, data, weights)
    return registry.add(name, folder, manifest, facts={"variant": "linear"})


def test_of_two_processes_that_promote_at_once_one_is_told(
    registry: Registry, settings: Settings, data: Any, weights: NDArray[np.float32], tmp_path: Path
) -> None:
    for number in (1, 2):
        added(registry, "race", tmp_path / f"version-{number}", data, weights)
    program = (
        "import sys\n"
        "from fortydays.base.settings import read_settings\n"
        "from fortydays.base.progress import SILENT\n"
        "from fortydays.registry.registry import Registry\n"
        "from fortydays.registry.gates import Limits\n"
        "from fortydays.registry.lock import BusyError\n"
        "from fortydays.registry.names import parse_reference\n"
        "from fortydays.registry.promotion import promote\n"
        "from fortydays.track.store import destination, open_store\n"
        "settings = read_settings()\n"
        "registry = Registry(open_store(destination(settings)))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "limits = Limits(same_answers=0.0, calibration_error=1.0, class_spread=1.0)\n"
        "try:\n"
        "    promote(parse_reference(sys.argv[1]), 'champion', registry, settings, progress=SILENT, limits=limits)\n"
        "    print('moved')\n"
        "except BusyError as error:\n"
        "    print('told:', error.message)\n"
    )
    environment = {
        "PATH": "/usr/bin:/bin",
        "FORTYDAYS_HOME": str(settings.workspace),
        "FORTYDAYS_DATASETS": str(settings.datasets),
        "FORTYDAYS_THREADS": "1",
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, f"race@{number}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )
        for number in (1, 2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = sorted(process.communicate(timeout=120)[0] for process in processes)

    assert said[0] == "moved\n"
    assert said[1].startswith("told: 'race' is being changed by another process: promoting race@")
    assert len(registry.moves("race")) == 1


def test_files_altered_on_the_server_are_never_given_out(
    registry: Registry, server: real_server.MlflowServer, data: Any, weights: NDArray[np.float32], tmp_path: Path
) -> None:
    version = added(registry, "altered", tmp_path / "version", data, weights)
    (stored,) = (p for p in (server.folder / "artifacts").rglob("model.onnx") if version.run_id in str(p))
    content = bytearray(stored.read_bytes())
    content[50] ^= 4
    stored.write_bytes(content)
    with pytest.raises(NotWholeError, match=r"the content of model\.onnx has changed"):
        registry.fetch(version, tmp_path / "one")
    stored.unlink()
    with pytest.raises(NotWholeError, match="The files of altered@1 are not those that were registered"):
        registry.fetch(version, tmp_path / "two")


@pytest.mark.parametrize("dies_in", ["artifacts_at", "create_model_version"])
def test_a_server_that_dies_while_registering_leaves_no_version(
    dies_in: str,
    registry: Registry,
    server: real_server.MlflowServer,
    data: Any,
    weights: NDArray[np.float32],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    name = dies_in.replace("_", "-")
    owner = module if dies_in == "artifacts_at" else registry._client
    real = getattr(owner, dies_in)

    def die(*arguments: Any, **named: Any) -> Any:
        server.kill()
        return real(*arguments, **named)

    monkeypatch.setattr(owner, dies_in, die)
    with pytest.raises(TrackingError, match="cannot be reached"):
        added(registry, name, tmp_path / "one", data, weights)
    monkeypatch.setattr(owner, dies_in, real)
    server.start()

    assert name not in registry.names() or registry.versions(name) == []
    made = added(registry, name, tmp_path / "two", data, weights)
    assert made.version == 1
    registry.fetch(made, tmp_path / "fetched")

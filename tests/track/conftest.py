"""A workspace with a tracking store in it, made once and copied, because MLflow takes seconds to make one."""

import shutil
from pathlib import Path

import pytest
from tracked_runs import made_up_settings

from fortydays.base.settings import Settings
from fortydays.track.store import Store, destination, open_store, prepare


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # MLflow asks its database in a way that SQLAlchemy 2.1 calls deprecated, also when a test asks through it.
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = made_up_settings(tmp_path_factory.mktemp("template"))
    prepare(destination(settings))
    return settings.workspace / "mlflow.db"


@pytest.fixture
def settings(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    workspace = tmp_path / "work space"
    workspace.mkdir()
    shutil.copy(empty_store, workspace / "mlflow.db")
    return made_up_settings(workspace)


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(destination(settings))

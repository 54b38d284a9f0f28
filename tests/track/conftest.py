"""A workspace with a tracking store in it."""

import shutil
from pathlib import Path

import pytest
from tracked_runs import made_up_settings

from fortydays.base.settings import Settings
from fortydays.track import store as module
from fortydays.track.store import Store, destination, open_store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # MLflow asks its database in a way that SQLAlchemy 2.1 calls deprecated, also when a test asks through it.
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"))


@pytest.fixture(autouse=True)
def made_by_copying(empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new store is a copy of the empty one: MLflow takes seconds to make the tables."""
    monkeypatch.setattr(module, "_make", lambda _, database: shutil.copy(empty_store, database))


@pytest.fixture
def settings(tmp_path: Path, empty_store: Path) -> Settings:
    workspace = tmp_path / "work space"
    workspace.mkdir()
    shutil.copy(empty_store, workspace / "mlflow.db")
    return made_up_settings(workspace)


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(destination(settings))

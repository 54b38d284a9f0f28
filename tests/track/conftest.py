"""A workspace with a tracking store in it."""

import contextlib
import shutil
import sqlite3
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


@pytest.fixture(scope="module")
def opened_once(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Store, Path]:
    """A workspace, its store, and a copy of the store with nothing in it: opening one takes MLflow a second."""
    workspace = tmp_path_factory.mktemp("shared") / "work space"
    workspace.mkdir()
    shutil.copy(empty_store, workspace / "mlflow.db")
    settings = made_up_settings(workspace)
    store = open_store(destination(settings))
    empty = workspace.with_name("empty.db")
    shutil.copy(workspace / "mlflow.db", empty)
    return settings, store, empty


@pytest.fixture
def emptied(opened_once: tuple[Settings, Store, Path]) -> tuple[Settings, Store]:
    """The same workspace for every test of a file, with nothing in it and in its store."""
    settings, store, empty = opened_once
    for folder in (settings.runs, settings.workspace / "mlartifacts"):
        shutil.rmtree(folder, ignore_errors=True)
    with (
        contextlib.closing(sqlite3.connect(empty)) as source,
        contextlib.closing(sqlite3.connect(settings.workspace / "mlflow.db")) as target,
    ):
        source.backup(target)
    return settings, store


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

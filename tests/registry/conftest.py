"""A registry in a workspace of the test's own, and versions of made-up models to put into it."""

import shutil
from pathlib import Path
from typing import Any

import made_up_versions
import numpy as np
import pytest
from made_up_versions import AddVersion
from numpy.typing import NDArray

from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset
from fortydays.registry.registry import Registry, Version
from fortydays.track.store import destination, open_store


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("datasets")


@pytest.fixture(scope="session")
def data(datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return made_up_versions.digits(made_up_versions.settings(tmp_path_factory.mktemp("none"), datasets=datasets))


@pytest.fixture(scope="session")
def weights(data: Dataset) -> NDArray[np.float32]:
    return made_up_versions.fitted(data)


@pytest.fixture
def settings(tmp_path: Path, datasets: Path, empty_store: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    return made_up_versions.settings(home, datasets=datasets)


@pytest.fixture
def registry(settings: Settings) -> Registry:
    return Registry(open_store(destination(settings)))


@pytest.fixture
def add_version(registry: Registry, data: Dataset, weights: NDArray[np.float32], tmp_path: Path) -> AddVersion:
    """Adds a version of a made-up model; arguments as of ``version_folder``."""
    count = 0

    def add(name: str = "digits", *, of: NDArray[np.float32] = weights, **changes: Any) -> Version:
        nonlocal count
        count += 1
        folder = tmp_path / f"version-{count}"
        manifest = made_up_versions.version_folder(folder, data, of, **changes)
        return registry.add(name, folder, manifest, facts={"variant": "linear", "validation_accuracy": "0.9"})

    return add

"""A registry in a workspace of the test's own, and versions of made-up models to put into it."""

from pathlib import Path
from typing import Any

import made_up_versions
import numpy as np
import pytest
from made_up_versions import AddVersion
from numpy.typing import NDArray

from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset
from fortydays.registry.catalog import Catalog, Version
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


@pytest.fixture(scope="session")
def empty_workspace(datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose store has been made, which takes seconds."""
    home = tmp_path_factory.mktemp("workspace")
    open_store(destination(made_up_versions.settings(home, datasets=datasets)))
    return home


@pytest.fixture
def settings(tmp_path: Path, datasets: Path, empty_workspace: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    (home / "mlflow.db").write_bytes((empty_workspace / "mlflow.db").read_bytes())
    return made_up_versions.settings(home, datasets=datasets)


@pytest.fixture
def catalog(settings: Settings) -> Catalog:
    return Catalog(open_store(destination(settings)))


@pytest.fixture
def add_version(catalog: Catalog, data: Dataset, weights: NDArray[np.float32], tmp_path: Path) -> AddVersion:
    """Adds a version of a made-up model; arguments as of ``version_folder``."""
    count = 0

    def add(name: str = "digits", *, of: NDArray[np.float32] = weights, **changes: Any) -> Version:
        nonlocal count
        count += 1
        folder = tmp_path / f"version-{count}"
        manifest = made_up_versions.version_folder(folder, data, of, **changes)
        return catalog.add(name, folder, manifest, facts={"variant": "linear", "validation_accuracy": "0.9"})

    return add

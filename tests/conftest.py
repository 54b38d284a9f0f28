"""What all rooms share: an environment that does not depend on the reader's, and what takes seconds to make."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import stated_environment
from fortydays.base.settings import read_settings

# A busy machine fails no test, and the same examples are tried everywhere.
hypothesis.settings.register_profile("stated", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("stated")

_home = pytest.StashKey[Path | None]()
_unpinned = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", help="the backend that Keras computes on: tensorflow (unless said) or jax")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_home] = stated_environment.enter()
    if config.getoption("--backend"):
        os.environ["KERAS_BACKEND"] = config.getoption("--backend")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--backend``, leave out the tests that load no Keras: they show the same on every backend."""
    if config.getoption("--backend"):
        alike = [item for item in items if "keras" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=alike)
        items[:] = [item for item in items if "keras" in getattr(item, "fixturenames", ())]


def pytest_unconfigure(config: pytest.Config) -> None:
    home = config.stash.get(_home, None)
    if home is not None:
        stated_environment.leave(home)


@pytest.fixture(scope="session")
def keras() -> Any:
    from fortydays.train.framework import load_keras

    return load_keras(threads=1)


@pytest.fixture(autouse=True)
def keras_is_pinned(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that computes without the fixture ``keras``: later ones of this process could pin no threads."""
    yield
    eager, stash = sys.modules.get("tensorflow.python.eager.context"), request.config.stash
    if eager is None or not eager.context()._initialized or _unpinned in stash:
        return
    if not sys.modules["tensorflow"].config.threading.get_intra_op_parallelism_threads():
        stash[_unpinned] = True
        pytest.fail("This test computes with TensorFlow on all cores; expected one thread. Let it take `keras`.")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracking store of MLflow with nothing in it: to be copied to ``mlflow.db`` in a workspace."""
    from fortydays.track.store import destination, prepare

    home = tmp_path_factory.mktemp("store")
    prepare(destination(read_settings({"FORTYDAYS_HOME": str(home)})))
    return home / "mlflow.db"

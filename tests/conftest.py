"""What all rooms share: an environment that does not depend on the reader's, and Keras, loaded once for a process."""

import os
from pathlib import Path
from typing import Any

import pytest

import stated_environment

_home = pytest.StashKey[Path | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", help="the backend that Keras computes on: tensorflow (unless said) or jax")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_home] = stated_environment.enter()
    if config.getoption("--backend"):
        os.environ["KERAS_BACKEND"] = config.getoption("--backend")


def pytest_unconfigure(config: pytest.Config) -> None:
    home = config.stash.get(_home, None)
    if home is not None:
        stated_environment.leave(home)


@pytest.fixture(scope="session")
def keras() -> Any:
    from fortydays.train.framework import load_keras

    return load_keras(threads=1)

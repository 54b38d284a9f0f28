"""What all rooms share: Keras, loaded once for a process and computing on one thread."""

from typing import Any

import pytest


@pytest.fixture(scope="session")
def keras() -> Any:
    from fortydays.train.framework import load_keras

    return load_keras(threads=1)

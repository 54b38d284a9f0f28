"""What all rooms share: Keras, loaded once for a process and computing on one thread."""

import signal
from typing import Any

import pytest


def pytest_configure() -> None:
    """Let tests be stopped by Ctrl-C, and stop what they start by it.

    A shell that starts them in the background has them, and all they start, ignore the signal.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def keras() -> Any:
    from fortydays.train.framework import load_keras

    return load_keras(threads=1)

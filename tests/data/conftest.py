"""What the tests of this room share: a server that misbehaves, and a listener that remembers."""

from collections.abc import Iterator

import pytest
from faulty_server import FaultyServer, Listener


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    faulty = FaultyServer()
    yield faulty
    faulty.close()


@pytest.fixture
def listener() -> Listener:
    return Listener()

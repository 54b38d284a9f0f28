"""What the tests of this room share: a server that misbehaves, a listener that remembers, and a folder of data."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_server import FaultyServer, Listener
from own_folder import FLOWERS, fill, settings_of

from fortydays.base.settings import Settings


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    faulty = FaultyServer()
    yield faulty
    faulty.close()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A workspace for versions of one's own data; DVC's settings on this machine are not looked at."""
    for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.delenv("DVC_SITE_CACHE_DIR", raising=False)
    return settings_of(tmp_path / "home")


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    return fill(tmp_path / "flowers", FLOWERS)

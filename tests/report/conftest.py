"""Drawing leaves nothing in the reader's workspace or home."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def matplotlib_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        yield

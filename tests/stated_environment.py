"""The environment that every test and all that it starts gets, whoever runs the tests, and wherever."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

# What the tools need to be found and to reach a package registry. Whatever else a reader has set is left out: the
# program, MLflow, DVC, Keras, git, rich and Python itself read far more variables than a list could name.
_KEPT = (
    "PATH", "LD_LIBRARY_PATH", "DYLD_*", "TMPDIR", "USER", "LOGNAME", "PYTEST_*", "COV_*", "COVERAGE_*",
    "PIP_*", "UV_*", "NPM_CONFIG_*", "*_PROXY", "*CERT*", "*_CA_BUNDLE",
)  # fmt: skip

STATED = {
    "COLUMNS": "80",
    "LINES": "24",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TERM": "xterm-256color",
    "TZ": "UTC",
    "GIT_CONFIG_NOSYSTEM": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # some tests import ONNX Runtime by themselves
}


def stated(environment: Mapping[str, str], *, home: Path, readers_home: Path) -> dict[str, str]:
    """What is kept of an environment, and what is the same everywhere.

    Args:
        environment: the reader's variables.
        home: an empty folder that takes the place of the reader's home.
        readers_home: how the package clients reach a registry, and what they have fetched already, is found there.
    """
    kept = {name: value for name, value in environment.items() if any(fnmatchcase(name.upper(), k) for k in _KEPT)}
    direct = [kept.pop(name) for name in ("NO_PROXY", "no_proxy") if name in kept]
    clients = {
        "PIP_CONFIG_FILE": readers_home / ".config" / "pip" / "pip.conf",
        "PIP_CACHE_DIR": readers_home / ".cache" / "pip",
        "NPM_CONFIG_USERCONFIG": readers_home / ".npmrc",
    }
    found = {name: str(path) for name, path in clients.items() if name not in kept and path.exists()}
    # Tests of the real datasets may take them from the reader's mirror, under a name that the program does not read.
    mirror = environment.get("FORTYDAYS_MIRROR") or environment.get("TESTS_MIRROR")
    return {
        **kept,
        **found,
        **STATED,
        **({"TESTS_MIRROR": mirror} if mirror else {}),
        "NO_PROXY": ",".join(dict.fromkeys([*direct, "127.0.0.1", "localhost"])),
        "HOME": str(home),
        # The list of fonts takes seconds to make.
        "MPLCONFIGDIR": str(home / "matplotlib"),
    }


def enter() -> Path | None:
    """Put this process into the stated environment.

    Returns:
        The home that was made for it; None in a worker of pytest-xdist, which has the one of its controller.
    """
    # A shell that starts the tests in the background, or nohup, has them and all they start ignore these signals.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.umask(0o022)
    # Without these files, every process that a test starts compiles the program anew.
    sys.dont_write_bytecode = False
    if "PYTEST_XDIST_WORKER" in os.environ:
        return None
    home = Path(tempfile.mkdtemp(prefix="fortydays-tests-"))
    wanted = stated(os.environ, home=home, readers_home=Path("~").expanduser())
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
    time.tzset()
    return home


def leave(home: Path) -> None:
    """Remove the home that was made."""
    shutil.rmtree(home, ignore_errors=True)

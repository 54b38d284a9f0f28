"""DVC in the workspace: with settings of its own, without a word on the screen, loaded only where it is used."""

import contextlib
import importlib.util
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base import files
from fortydays.base.errors import DataError, UsageError
from fortydays.base.text import printable, without_credentials

if TYPE_CHECKING:
    from dvc.repo import Repo

REMOTE = "fortydays"
"""What DVC calls the remote of a push or a pull."""

_LOGGERS = ("dvc", "dvc_data", "dvc_objects")
_FAILURES = "dvc_data.hashfile.transfer"
_CONNECT_SECONDS = 10
# The same for whoever uses the command `dvc` in the folder.
_CONFIG = """\
[core]
    no_scm = true
    analytics = false
    check_update = false
[cache]
    type = "reflink,copy"
"""


@contextlib.contextmanager
def opened_repository(place: Path, *, remote: str = "") -> "Iterator[Repo]":
    """DVC's view of a folder; the folder is made where it is missing, and DVC is silent while the block runs.

    Args:
        place: the folder.
        remote: a folder or address to send to or fetch from, or "".

    Raises:
        UsageError: DVC does not know such a remote.
        DataError: DVC is not installed, or its settings on this machine cannot be used.
        StorageError: the folder cannot be written.
    """
    require_dvc()
    own = place / ".dvc"
    # DVC would make the last of these for everyone to write in.
    files.make_private_folder(place)
    files.make_folder(own / "site" / "repo")
    if not files.exists(own / "config"):
        files.write_text(own / "config", _CONFIG)
    config = {
        "core": {
            "no_scm": True,
            "autostage": False,
            "analytics": False,
            "check_update": False,
            # Else in a folder of the whole machine, which other users could write to.
            "site_cache_dir": str(own / "site"),
        },
        "cache": {"type": "reflink,copy", "dir": str(own / "cache")},
    }
    if remote:
        patience = {"connect_timeout": _CONNECT_SECONDS} if remote.startswith(("http://", "https://")) else {}
        config["remote"] = {REMOTE: {"url": remote, **patience}}
    with silent():
        repo = _repository(place, config)
        try:
            yield repo
        finally:
            repo.close()


def require_dvc() -> None:
    """Make sure that DVC is installed, without loading it.

    Raises:
        DataError: it is not; the hint is the one command that installs it.
    """
    if importlib.util.find_spec("dvc") is None:
        in_checkout = (Path(__file__).parents[3] / "locks" / "data.txt").is_file()
        command = "make setup-data" if in_checkout else "pip install 'fortydays[data]'"
        raise DataError("Versions of your own data need DVC, which is not installed.", hint=f"Install it: {command}")


_SILENCE = threading.Lock()
_HELD: list[logging.Handler] = []
_BEFORE: dict[logging.Logger, tuple[int, bool]] = {}


@contextlib.contextmanager
def silent() -> Iterator[list[BaseException]]:
    """Keep DVC's messages and progress bars off the screen while the block runs.

    Yields:
        A list that gathers what made single files fail to travel: DVC only logs that.
    """
    failures: list[BaseException] = []
    gathering, told = _Gathering(failures), logging.getLogger(_FAILURES)
    with _SILENCE:
        if not _HELD:  # the first of several threads at once
            loggers = [logging.getLogger(name) for name in (*_LOGGERS, _FAILURES)]
            _BEFORE.update({logger: (logger.level, logger.propagate) for logger in loggers})
            for logger in loggers:
                logger.setLevel(logging.CRITICAL)  # above "error", which is also what switches the bars off
            told.setLevel(logging.ERROR)
            told.propagate = False
        _HELD.append(gathering)
        told.addHandler(gathering)
    try:
        yield failures
    finally:
        with _SILENCE:
            told.removeHandler(gathering)
            _HELD.remove(gathering)
            if not _HELD:  # and the last
                for logger, (level, propagate) in _BEFORE.items():
                    logger.setLevel(level)
                    logger.propagate = propagate
                _BEFORE.clear()


class _Gathering(logging.Handler):
    """Keeps the exceptions that were logged."""

    def __init__(self, failures: list[BaseException]) -> None:
        super().__init__(logging.ERROR)
        self._failures = failures

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self._failures.append(record.exc_info[1])


def _repository(place: Path, config: dict[str, Any]) -> "Repo":
    # A user without an entry in the machine's list, as containers have, has no name; DVC asks for one.
    if not any(os.environ.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME")):
        os.environ["LOGNAME"] = str(os.getuid())
    streams = sys.stdout, sys.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
    # Importing DVC puts streams of its own, which colour what is written, in the places of these.
    sys.stdout, sys.stderr = streams
    try:
        with files.storage_errors("use", place):
            repo = Repo(str(place), config=config)
    except DvcException as error:
        if "Unsupported URL type" in str(error):
            address = printable(without_credentials(str(config["remote"][REMOTE]["url"])))
            raise UsageError(
                f"{address[:100]} is no remote that DVC knows.",
                hint="Expected a folder, or an address such as s3://bucket/folder, ssh://host/folder, https://host/folder.",
            ) from error
        raise DataError(
            f"DVC cannot be used in {place}: {first_line(error)}.", hint="See DVC's settings: dvc config --list"
        ) from error
    return repo


def first_line(error: BaseException) -> str:
    """What an exception of a library says, in one line that can be shown, without users and passwords."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(without_credentials(lines[0]) if lines else type(error).__name__)[:300].rstrip(".")

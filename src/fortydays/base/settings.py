"""What the environment decides. Read once, at the command's entry, and passed on as a value."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from fortydays.base.errors import UsageError

_LONGEST_TOKEN = 4096


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where a reader's state lives and how the program may use the machine.

    Attributes:
        workspace: the folder that holds a reader's state (``FORTYDAYS_HOME``).
        datasets: the folder of cached datasets (``FORTYDAYS_DATASETS``; inside the workspace unless set).
        mirror: a folder to look in before the network (``FORTYDAYS_MIRROR``), or None.
        offline: never use the network or a package client (``FORTYDAYS_OFFLINE=1``).
        threads: how many threads a trial computes with (``FORTYDAYS_THREADS``). Part of a trial's identity,
            because another number of threads adds in another order and so gives other bits.
        tracking_uri: an MLflow server (``MLFLOW_TRACKING_URI``), or "" for the store in the workspace.
        service_token: that requests to a service must carry (``FORTYDAYS_TOKEN``, or the content of the file that
            ``FORTYDAYS_TOKEN_FILE`` names), or "".
    """

    workspace: Path
    datasets: Path
    mirror: Path | None
    offline: bool
    threads: int
    tracking_uri: str
    service_token: str = ""

    @property
    def runs(self) -> Path:
        """The folder with one folder for each run of a study."""
        return self.workspace / "runs"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; nothing is created on disk.

    Raises:
        UsageError: a variable has a value that cannot be used.
    """
    env = os.environ if environment is None else environment
    home = env.get("FORTYDAYS_HOME", "")
    workspace = Path(home).expanduser() if home else platformdirs.user_data_path("fortydays", appauthor=False)
    workspace = workspace.absolute()
    datasets = Path(env["FORTYDAYS_DATASETS"]).expanduser().absolute() if env.get("FORTYDAYS_DATASETS") else None
    mirror = Path(env["FORTYDAYS_MIRROR"]).expanduser().absolute() if env.get("FORTYDAYS_MIRROR") else None
    return Settings(
        workspace=workspace,
        datasets=datasets or workspace / "datasets",
        mirror=mirror,
        offline=env.get("FORTYDAYS_OFFLINE", "") not in ("", "0"),
        threads=_threads(env.get("FORTYDAYS_THREADS", "")),
        tracking_uri=env.get("MLFLOW_TRACKING_URI", ""),
        service_token=_token(env),
    )


def available_cores() -> int:
    """How many cores this process may use (its affinity where the system knows one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _token(env: Mapping[str, str]) -> str:
    name = env.get("FORTYDAYS_TOKEN_FILE", "")
    if not name:
        return env.get("FORTYDAYS_TOKEN", "")
    if env.get("FORTYDAYS_TOKEN"):
        raise UsageError(
            "FORTYDAYS_TOKEN and FORTYDAYS_TOKEN_FILE are both set; expected one.", hint="Unset one of them."
        )
    path = Path(name).expanduser()
    try:
        content = None
        if path.is_file():  # opening a pipe would wait
            with path.open("rb") as file:
                content = file.read(_LONGEST_TOKEN + 1)
    except OSError:
        content = None
    if content is None:
        wrong = "it is not a file that can be read"
    elif len(content) > _LONGEST_TOKEN:
        wrong = f"it has more than {_LONGEST_TOKEN:,} bytes"
    elif not content.strip():
        wrong = "it is empty"
    else:
        try:
            return content.decode("ascii").strip()
        except UnicodeDecodeError:
            wrong = "it is not ASCII text"
    raise UsageError(
        f"FORTYDAYS_TOKEN_FILE names {path}, but {wrong}.",
        hint="Write the token, at least 16 characters, into that file, or unset the variable.",
    )


def _threads(value: str) -> int:
    if not value:
        return available_cores()
    if not value.isdecimal() or not 1 <= int(value) <= 1024:
        raise UsageError(
            f"FORTYDAYS_THREADS is {value!r}; expected a whole number from 1 to 1024.",
            hint="Unset it to use every core this process may use.",
        )
    return int(value)

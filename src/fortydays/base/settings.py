"""What the environment decides. Read once, at the command's entry, and passed on as a value."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from fortydays.base.errors import UsageError


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
        service_token: that requests to a service must carry (``FORTYDAYS_TOKEN``), or "".
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
        service_token=env.get("FORTYDAYS_TOKEN", ""),
    )


def available_cores() -> int:
    """How many cores this process may use (its affinity where the system knows one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads(value: str) -> int:
    if not value:
        return available_cores()
    if not value.isdecimal() or not 1 <= int(value) <= 1024:
        raise UsageError(
            f"FORTYDAYS_THREADS is {value!r}; expected a whole number from 1 to 1024.",
            hint="Unset it to use every core this process may use.",
        )
    return int(value)

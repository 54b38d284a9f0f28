"""What the environment decides. Read once, at the command's entry, and passed on as a value."""

import os
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from fortydays.base.errors import StorageError, UsageError
from fortydays.base.text import printable, shown

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
        own: a folder that has data of a reader's own in the place of the workspace, as a copy that another machine has
            sent; else None.
    """

    workspace: Path
    datasets: Path
    mirror: Path | None
    offline: bool
    threads: int
    tracking_uri: str
    service_token: str = ""
    own: Path | None = None

    @property
    def runs(self) -> Path:
        """The folder with one folder for each run of a study."""
        return self.workspace / "runs"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; nothing is created on disk.

    Raises:
        UsageError: a variable has a value that cannot be used.
        StorageError: a file stands where a folder is to be.
    """
    env = os.environ if environment is None else environment
    workspace = _folder("FORTYDAYS_HOME", env) or _usual_workspace()
    datasets, mirror = _folder("FORTYDAYS_DATASETS", env), _folder("FORTYDAYS_MIRROR", env)
    return Settings(
        workspace=workspace,
        datasets=datasets or workspace / "datasets",
        mirror=mirror,
        offline=env.get("FORTYDAYS_OFFLINE", "") not in ("", "0"),
        threads=_threads(env.get("FORTYDAYS_THREADS", "")),
        tracking_uri=env.get("MLFLOW_TRACKING_URI", ""),
        service_token=_token(env),
    )


def read_cluster_token(environment: Mapping[str, str] | None = None) -> str:
    """The token of a Ray cluster where Ray itself looks for it, or "".

    That is ``RAY_AUTH_TOKEN``, else the file that ``RAY_AUTH_TOKEN_PATH`` names, else ``~/.ray/auth_token``.

    Raises:
        UsageError: the file that the variable names cannot be read, or holds no token.
    """
    env = os.environ if environment is None else environment
    if token := env.get("RAY_AUTH_TOKEN", ""):
        return token
    if name := env.get("RAY_AUTH_TOKEN_PATH", ""):
        return _token_in("RAY_AUTH_TOKEN_PATH", _expanded("RAY_AUTH_TOKEN_PATH", name))
    try:
        usual = Path("~/.ray/auth_token").expanduser()
    except RuntimeError:  # there is no home
        return ""
    return _token_in("RAY_AUTH_TOKEN_PATH", usual) if usual.is_file() else ""


def keep_matplotlib_in_workspace() -> None:
    """To be called before matplotlib is imported: its settings and font cache go into the workspace, not the home."""
    if "MPLCONFIGDIR" not in os.environ:
        os.environ["MPLCONFIGDIR"] = str(read_settings().workspace / "cache" / "matplotlib")


def keep_onnx_runtime_silent() -> None:
    """To be called before ONNX Runtime is imported, also by another package: it sends nothing about the reader.

    From 1.32 on, it otherwise leaves a device id in the home and reports to its makers what it runs. Who wants that
    sets ``ORT_DISABLE_TELEMETRY`` to 0.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


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
    return _token_in("FORTYDAYS_TOKEN_FILE", _expanded("FORTYDAYS_TOKEN_FILE", name))


def _token_in(variable: str, path: Path) -> str:
    """The token in the file that a variable names. Raises UsageError."""
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
        f"{variable} names {path}, but {wrong}.",
        hint="Write the token, at least 16 characters, into that file, or unset the variable.",
    )


def _folder(variable: str, env: Mapping[str, str]) -> Path | None:
    """The folder that a variable names, absolute; None where the variable is not set or empty."""
    value = env.get(variable, "")
    if not value:
        return None
    folder = _expanded(variable, value)
    if _is_file(folder):
        raise StorageError(
            f"{variable} is '{printable(value)}'; expected a folder, and a file stands there or on the way to it.",
            hint="Name a folder. If there is none yet, it is made.",
        )
    return folder


def _expanded(variable: str, value: str) -> Path:
    """The absolute path that a variable names."""
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise UsageError(
            f"{variable} is {shown(value)}, with a line break or another control character in it.",
            hint="Set it to a path.",
        )
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError:
        raise UsageError(
            f"{variable} is {shown(value)}, but the home folder of {value.partition('/')[0]} is not known here.",
            hint="Set it to a path that begins with a slash.",
        ) from None


def _usual_workspace() -> Path:
    folder = platformdirs.user_data_path("fortydays", appauthor=False)
    if not folder.is_absolute():  # HOME is not set, and the system knows no home of this user
        raise UsageError(
            "There is no home folder for the workspace: HOME is not set.",
            hint="Set FORTYDAYS_HOME to the path of a folder.",
        )
    if _is_file(folder):
        raise StorageError(
            f"The workspace {folder} is a file; expected a folder.",
            hint="Move the file away, or set FORTYDAYS_HOME to the path of a folder.",
        )
    return folder


def _is_file(path: Path) -> bool:
    """Whether something that is no folder is where a folder is to be; False where the system does not let one look."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except NotADirectoryError:  # a part of the path is a file
        return True
    except OSError:
        return False


def _threads(value: str) -> int:
    if not value:
        return available_cores()
    if not value.isdecimal() or not 1 <= int(value) <= 1024:
        raise UsageError(
            f"FORTYDAYS_THREADS is {shown(value)}; expected a whole number from 1 to 1024.",
            hint="Unset it to use every core this process may use.",
        )
    return int(value)

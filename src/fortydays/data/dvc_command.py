"""The command ``dvc`` in a folder: silent, bounded in time, ending with this process, its errors turned into ours."""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import DataError, UsageError
from fortydays.base.process import guarded
from fortydays.base.settings import Settings
from fortydays.base.text import printable, shown, without_credentials

REMOTE = "fortydays"
"""What DVC calls the remote of a push or a pull while it lasts."""

_SECONDS = 600.0
_SLOWEST = 50_000.0
"""Bytes a second below which a command that moves content is given up."""

_LARGEST_COMPLAINT = 100_000
_LONGEST_ADDRESS = 4_096
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+")
_PACKAGE = re.compile(r"requires '(dvc-[a-z0-9-]+)' to be installed")
# The same for whoever uses the command `dvc` in the folder.
_CONFIG = """\
[core]
    no_scm = true
    analytics = false
    check_update = false
[cache]
    type = "hardlink,copy"
"""


def require_dvc() -> None:
    """Make sure that DVC is installed, without loading it.

    Raises:
        DataError: it is not; the hint is the one command that installs it.
    """
    if importlib.util.find_spec("dvc") is None:
        in_checkout = (Path(__file__).parents[3] / "locks" / "data.txt").is_file()
        command = "make setup-data" if in_checkout else "pip install 'fortydays[data]'"
        raise DataError("Versions of your own data need DVC, which is not installed.", hint=f"Install it: {command}")


def make_repository(root: Path) -> None:
    """Make a folder a repository of DVC without git, where it is none yet. Raises StorageError."""
    config = files.make_private_folder(root) / ".dvc" / "config"
    if not files.exists(config):
        files.write_text(config, _CONFIG)


def dvc(root: Path, *arguments: str, content: int = 0, folder: Path | None = None) -> None:
    """Run a command of DVC.

    Args:
        root: the repository's folder.
        arguments: of the command ``dvc``.
        content: bytes that the command may have to move, which give it more time.
        folder: where it runs; ``root`` if left out.

    Raises:
        DataError: DVC is not installed, was not done in time, or failed; the message has its first complaint.
    """
    require_dvc()
    run_python(root, "-m", "dvc", *arguments, content=content, folder=folder)


def run_python(root: Path, *arguments: str, content: int = 0, folder: Path | None = None) -> None:
    """Run a Python program that works on a repository of DVC; as :func:`dvc`."""
    seconds = _SECONDS + content / _SLOWEST
    environment = {
        "LOGNAME": str(os.getuid()),  # DVC asks for a name, and in a container a user may have none
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        # Otherwise it is a folder of the whole machine, which other users could write to.
        "DVC_SITE_CACHE_DIR": str(root / ".dvc" / "site"),
    }
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            guarded([sys.executable, "-P", *arguments]),
            cwd=folder or root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=complaints,
            stderr=complaints,
            start_new_session=True,  # so that its children are killed with it
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise DataError(
                f"DVC was not done within {seconds:,.0f} s.",
                hint="Run the command again: it goes on where it stopped.",
            ) from None
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            complaints.seek(0)
            raise _failure(complaints.read(_LARGEST_COMPLAINT).decode("utf-8", "replace"))


def _failure(complaints: str) -> DataError:
    """What DVC says of its failure, in one line that can be shown, without users and passwords."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")] or lines[-1:]
    said = printable(without_credentials(errors[0] if errors else "it ended without a word"))[:300].rstrip(".")
    package = _PACKAGE.search(said)
    hint = (
        f"Install it: pip install {package[1]}" if package else "Run the command again: it does what is still to do."
    )
    return DataError(f"DVC failed: {said}.", hint=hint)


@contextlib.contextmanager
def remote_of(root: Path, text: str, settings: Settings, *, make: bool) -> Iterator[str]:
    """Let DVC know a remote as :data:`REMOTE` while the block runs.

    Args:
        root: the repository's folder.
        text: a folder, or an address that DVC knows.
        settings: whether the network may be used.
        make: whether a folder that is not there is made. Only its last part is: a disk that is not mounted is missed.

    Yields:
        What to call the remote in messages; users and passwords are left out.

    Raises:
        UsageError: it is neither a folder nor an address that DVC knows, or lies in the repository.
        DataError: there is no such folder, or it is an address and the network is not to be used.
        StorageError: the folder cannot be made.
    """
    name = printable(without_credentials(text))[:200]
    if not text.strip() or len(text) > _LONGEST_ADDRESS or not text.isprintable():
        raise UsageError(f"{shown(name)} is no remote; expected a folder, or an address such as s3://bucket/folder.")
    if not _ADDRESS.fullmatch(text):
        text = str(_folder(Path(text).expanduser().absolute(), root, make=make))
    elif settings.offline:
        raise DataError(
            f"{name} was not tried, because FORTYDAYS_OFFLINE is set.",
            hint="Unset FORTYDAYS_OFFLINE, or name a folder.",
        )
    try:
        dvc(root, "remote", "add", "--local", "--force", REMOTE, text)
    except DataError as error:
        if "Unsupported URL type" not in error.message:
            raise
        raise UsageError(
            f"{name} is no remote that DVC knows.",
            hint="Expected a folder, or an address such as s3://bucket/folder, ssh://host/folder, https://host/folder.",
        ) from error
    try:
        yield name
    finally:
        if without_credentials(text) != text:  # no password stays written down
            dvc(root, "remote", "remove", "--local", REMOTE)


def _folder(folder: Path, root: Path, *, make: bool) -> Path:
    shown_as = printable(str(folder))
    if root.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UsageError(f"{shown_as} lies in the workspace's own folder of data, {root}; expected another one.")
    if not files.is_folder(folder):
        if files.exists(folder):
            raise DataError(f"The remote {shown_as} is a file; expected a folder.")
        if not make or not files.is_folder(folder.parent):
            missing = printable(str(folder.parent if make else folder))
            raise DataError(
                f"The remote {shown_as} cannot be reached: there is no folder {missing}.",
                hint="Is its disk mounted?" if make else "Nothing was ever pushed there, or its disk is not mounted.",
            )
        with files.storage_errors("create", folder):
            folder.mkdir()
    return folder

"""The command ``dvc`` in a folder: silent, bounded in time, its errors turned into ours."""

import contextlib
import importlib.util
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import DataError, UsageError
from fortydays.base.settings import Settings
from fortydays.base.text import printable, shown, without_credentials
from fortydays.data import dvc_runner
from fortydays.data.dvc_runner import REMOTE
from fortydays.data.programs import run_program

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
    config = files.make_folder(root) / ".dvc" / "config"
    if not files.exists(config):
        files.write_text(config, _CONFIG)


def dvc(root: Path, *commands: Sequence[str], content: int = 0, folder: Path | None = None) -> None:
    """Run commands of DVC in a repository, one after another, in a process of their own.

    They are those of the command ``dvc``, and those of :mod:`~fortydays.data.dvc_runner`. They run in ``folder``, or
    in the repository's own folder. The bytes of content that they may have to move give them more time.

    Raises:
        DataError: they were not done in time, or one failed; the message has its first complaint.
    """
    environment = {
        "LOGNAME": str(os.getuid()),  # DVC asks for a name, and in a container a user may have none
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        # Otherwise it is a folder of the whole machine, which other users could write to.
        "DVC_SITE_CACHE_DIR": str(root / ".dvc" / "site"),
    }
    seconds = _SECONDS + content / _SLOWEST
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said:
        asked.write(json.dumps(commands).encode())  # they can be longer than a command line may be
        asked.seek(0)
        try:
            status = run_program(
                [sys.executable, "-P", dvc_runner.__file__],
                folder=folder or root,
                seconds=seconds,
                input=asked,
                output=said,
                errors=said,
                environment=environment,
            )
        except TimeoutError:
            raise DataError(
                f"DVC was not done within {seconds:,.0f} s.",
                hint="Run the command again: it goes on where it stopped.",
            ) from None
        if status:
            said.seek(0)
            raise _failure(said.read(_LARGEST_COMPLAINT).decode("utf-8", "replace"))


def _failure(complaints: str) -> DataError:
    """What DVC says of its failure, in one line that can be shown, without users and passwords."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")] or lines[-1:]
    said = printable(without_credentials(errors[0] if errors else "it ended without a word"))[:300].rstrip(".")
    package = _PACKAGE.search(said)
    again = "Run the command again: it does what is still to do."
    return DataError(f"DVC failed: {said}.", hint=f"Install it: pip install {package[1]}" if package else again)


@contextlib.contextmanager
def remote_of(root: Path, text: str, settings: Settings, *, make: bool) -> Iterator[tuple[str, list[str]]]:
    """The remote of a push or a pull. When the block is done, DVC has no password of it any more.

    With ``make``, a folder that is not there is made. Only its last part is: so a disk that is not mounted is missed.

    Yields:
        What to call the remote in messages, without users and passwords; and the command by which DVC knows it as
        :data:`~fortydays.data.dvc_runner.REMOTE`.

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

    def forget() -> None:
        if without_credentials(text) != text:  # no password stays written down
            dvc(root, ["remote", "remove", "--local", REMOTE])

    try:
        yield name, ["remote", "add", "--local", "--force", REMOTE, text]
    except BaseException as error:
        with contextlib.suppress(DataError):  # where DVC did not take the remote, it has none to remove
            forget()
        if not isinstance(error, DataError) or "Unsupported URL type" not in error.message:
            raise
        raise UsageError(
            f"{name} is no remote that DVC knows.",
            hint="Expected a folder, or an address such as s3://bucket/folder, ssh://host/folder, https://host/folder.",
        ) from error
    forget()


def _folder(folder: Path, root: Path, *, make: bool) -> Path:
    shown_as = printable(str(folder))
    if folder.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{shown_as} lies in the workspace's own folder of data, {root}; expected another one.")
    if make and files.is_folder(folder.parent) and not files.exists(folder):
        with files.storage_errors("create", folder):
            folder.mkdir()
    if not files.is_folder(folder):
        raise DataError(
            f"The remote {shown_as} cannot be reached: it is no folder.",
            hint="Is its disk mounted?" if make else "Nothing was ever pushed there, or its disk is not mounted.",
        )
    return folder

"""``forty doctor``: what is installed, what is fast on this machine, and what stands in the way.

Looks only: nothing is created, changed or trained, and no heavy library is imported. The one thing that leaves the
machine is a question to the tracking server, if one is set.
"""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

import fortydays
from fortydays.base import files
from fortydays.base.errors import ExitCode, FortydaysError, StorageError, TrackingError
from fortydays.base.machine import Machine, describe_machine
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import size_in_words
from fortydays.cli import streams

State = Literal["ok", "note", "problem"]

SUPPORTED_PYTHON = ((3, 11), (3, 13))
"""The oldest and the newest Python that the locks are made for."""

LEAST_FREE_BYTES = 2 * 10**9
"""Room for the datasets of all days that have one, and for the runs of a few studies."""

SERVER_SECONDS = 2.0
"""How long a tracking server may take to answer before it counts as not reachable."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing the doctor looked at.

    Attributes:
        name: what was looked at.
        state: "ok", "note" (works, but one should know) or "problem" (something will fail).
        found: what is there.
        advice: what to do about it, or "".
    """

    name: str
    state: State
    found: str
    advice: str = ""


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """Tell what is installed, what is fast here, and what is wrong. Exit code 1 if something will fail."""
    checks = examine()
    failed = any(check.state == "problem" for check in checks)
    if as_json:
        document = {
            "schema_version": 1,
            "healthy": not failed,
            "machine": dataclasses.asdict(describe_machine()),
            "checks": [dataclasses.asdict(check) for check in checks],
        }
        typer.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        _print_table(checks)
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def examine(environment: Mapping[str, str] | None = None) -> list[Check]:
    """All checks, in the order to show them.

    Args:
        environment: the variables to read the settings from; those of this process unless given.
    """
    import platform
    import sqlite3

    checks = [check_python(platform.python_version()), *check_packages(installed_version)]
    try:
        settings = read_settings(environment)
    except FortydaysError as error:
        settings = None
        checks.append(Check(name="Settings", state="problem", found=error.message, advice=error.hint))
    checks += check_machine(describe_machine(), threads=settings.threads if settings else None)
    checks.append(check_gpu(has_nvidia_driver()))
    checks.append(check_sqlite(sqlite3.sqlite_version_info))
    if settings is not None:
        checks += check_places(settings)
        checks.append(check_npm(shutil.which("npm"), offline=settings.offline))
        checks.append(check_tracking(settings))
    return checks


def check_python(version: str) -> Check:
    """Whether the Python of this ``version`` ("3.12.1") is one that the locks are made for."""
    major, minor = (int(part) for part in version.split(".")[:2])
    oldest, newest = SUPPORTED_PYTHON
    if oldest <= (major, minor) <= newest:
        return Check(name="Python", state="ok", found=version)
    return Check(
        name="Python",
        state="problem",
        found=f"{version}, not one of 3.{oldest[1]} to 3.{newest[1]}",
        advice="Install a supported one and run: make clean setup PYTHON=python3.12",
    )


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution, read from its metadata, or None if it is not installed."""
    import importlib.metadata

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_packages(version_of: Callable[[str], str | None]) -> list[Check]:
    """One check for this package and for each library whose version changes what a study computes or keeps.

    Args:
        version_of: gives the version of an installed distribution, or None.
    """
    checks = [Check(name="fortydays", state="ok", found=fortydays.__version__)]
    for name, distributions in (
        ("Keras", ("keras",)),
        ("TensorFlow", ("tensorflow-cpu", "tensorflow")),
        ("MLflow", ("mlflow",)),
        ("NumPy", ("numpy",)),
    ):
        versions = {distribution: version_of(distribution) for distribution in distributions}
        found = [
            version if distribution == name.lower() else f"{version} ({distribution})"
            for distribution, version in versions.items()
            if version
        ]
        if found:
            checks.append(Check(name=name, state="ok", found=", ".join(found)))
        else:
            checks.append(
                Check(
                    name=name,
                    state="problem",
                    found="not installed",
                    advice="Run `make setup`, or install fortydays with pip again.",
                )
            )
    return checks


def check_machine(machine: Machine, *, threads: int | None) -> list[Check]:
    """What the processor is, and whether bfloat16 saves time on it.

    Args:
        machine: the facts.
        threads: how many threads a trial computes with, or None if the settings could not be read.
    """
    cores = f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
    used = "" if threads is None else f", {threads} thread{'' if threads == 1 else 's'} a trial"
    checks = [
        Check(
            name="Processor", state="ok", found=f"{machine.cpu_model or 'unknown'}, {cores}{used} ({machine.system})"
        )
    ]
    if threads is not None and threads > machine.cores:
        checks.append(
            Check(
                name="Threads",
                state="note",
                found=f"{threads} threads on {cores}",
                advice="Unset FORTYDAYS_THREADS, unless another machine's results are to be repeated bit by bit.",
            )
        )
    flags = ", ".join(machine.flags) or "none known"
    if machine.bfloat16_is_fast:
        checks.append(Check(name="Fast instructions", state="ok", found=f"{flags}: bfloat16 is fast here"))
    else:
        checks.append(
            Check(
                name="Fast instructions",
                state="note",
                found=f"{flags}: bfloat16 is not fast here",
                advice="Studies in bfloat16 run, but take longer than the minutes in their notes.",
            )
        )
    return checks


def has_nvidia_driver() -> bool:
    """Whether an NVIDIA driver is on this machine, without starting it."""
    return shutil.which("nvidia-smi") is not None or os.access("/proc/driver/nvidia", os.F_OK)


def check_gpu(present: bool) -> Check:
    """Whether a GPU lies idle."""
    if present:
        return Check(
            name="GPU",
            state="note",
            found="an NVIDIA driver is here; the locked TensorFlow computes on the processor",
            advice="Nothing to do: every day is made to run without a GPU.",
        )
    return Check(name="GPU", state="ok", found="none, and none is needed")


def check_sqlite(version: tuple[int, ...]) -> Check:
    """Whether the SQLite that Python was built with can keep a write-ahead log safely."""
    from fortydays.base.database import SAFE_WRITE_AHEAD

    shown = ".".join(str(part) for part in version)
    if version >= SAFE_WRITE_AHEAD:
        return Check(name="SQLite", state="ok", found=shown)
    return Check(
        name="SQLite",
        state="note",
        found=f"{shown}: its write-ahead log can damage a store, so it is not used",
        advice="Nothing to do: the tracking store keeps a rollback journal, which is safe.",
    )


def check_places(settings: Settings) -> list[Check]:
    """The folders of a reader's state: workspace, free space, cached datasets, mirror."""
    checks = [_check_workspace(settings.workspace), _check_free_space(settings.workspace)]
    looks: dict[str, Callable[[], Check]] = {
        "Datasets": lambda: _check_datasets(settings),
        "Mirror": lambda: _check_mirror(settings.mirror),
    }
    for name, look in looks.items():
        try:
            checks.append(look())
        except StorageError as error:
            way_out = f"Change the permissions, or point FORTYDAYS_{name.upper()} to another folder."
            checks.append(Check(name=name, state="problem", found=error.message, advice=way_out))
    return checks


def check_npm(path: str | None, *, offline: bool) -> Check:
    """Whether npm, one of the ways to datasets, can be used.

    Args:
        path: where npm is, or None.
        offline: whether the settings forbid its use.
    """
    if offline:
        return Check(name="npm", state="ok", found="not used: FORTYDAYS_OFFLINE is set")
    if path:
        return Check(name="npm", state="ok", found=path)
    return Check(
        name="npm",
        state="note",
        found="not found: datasets come from their public addresses alone",
        advice="If a download fails, install Node.js with npm and run the command again.",
    )


def check_tracking(settings: Settings, *, seconds: float = SERVER_SECONDS) -> Check:
    """Where experiments are tracked, whether the program can use it, and whether a server there answers.

    Args:
        settings: with the value of ``MLFLOW_TRACKING_URI``. User, password and options in it are not shown.
        seconds: how long the server may take.
    """
    from fortydays.track.store import destination

    try:
        where = destination(settings)
    except TrackingError as error:
        return Check(name="Tracking", state="problem", found=error.message, advice=error.hint)
    if where.is_own:
        return Check(name="Tracking", state="ok", found="the store in the workspace")
    if not where.is_server:
        return Check(name="Tracking", state="ok", found=where.shown)
    reason = _why_not_reachable(where.uri, seconds)
    if not reason:
        return Check(name="Tracking", state="ok", found=f"{where.shown} answers")
    return Check(
        name="Tracking",
        state="problem",
        found=f"{where.shown} does not answer: {reason}",
        advice="Start the MLflow server, correct MLFLOW_TRACKING_URI, or unset it to use the store in the workspace.",
    )


def _why_not_reachable(uri: str, seconds: float) -> str:
    import requests

    try:
        # The body is never read: only whether the server calls itself healthy matters.
        with requests.get(uri.rstrip("/") + "/health", timeout=seconds, stream=True, allow_redirects=False) as answer:
            return "" if answer.ok else f"its answer is {answer.status_code}, where 200 was expected"
    except requests.Timeout:
        return f"nothing came within {seconds:g} s"
    except requests.ConnectionError:
        return "no connection"
    except requests.RequestException as error:
        return f"the address cannot be used ({type(error).__name__})"


def _check_workspace(workspace: Path) -> Check:
    existing = _nearest_existing(workspace)
    try:
        is_folder = files.is_folder(existing)
    except StorageError as error:
        return Check(name="Workspace", state="problem", found=error.message, advice=error.hint)
    if not is_folder:
        return Check(
            name="Workspace",
            state="problem",
            found=f"{workspace} cannot be made: {existing} is a file",
            advice="Point FORTYDAYS_HOME to a folder.",
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        return Check(
            name="Workspace",
            state="problem",
            found=f"{workspace} cannot be written",
            advice=f"Change the permissions of {existing}, or point FORTYDAYS_HOME to a folder of your own.",
        )
    return Check(
        name="Workspace", state="ok", found=str(workspace) + ("" if existing == workspace else " (not made yet)")
    )


def _check_free_space(workspace: Path) -> Check:
    try:
        free = shutil.disk_usage(_nearest_existing(workspace)).free
    except OSError as error:
        return Check(name="Free space", state="note", found=f"not known: {error.strerror or error}")
    shown = size_in_words(free)
    if free >= LEAST_FREE_BYTES:
        return Check(name="Free space", state="ok", found=shown)
    return Check(
        name="Free space",
        state="problem",
        found=f"{shown}, less than {size_in_words(LEAST_FREE_BYTES)}",
        advice="Free some space, or point FORTYDAYS_HOME to a larger disk.",
    )


def _check_datasets(settings: Settings) -> Check:
    from fortydays.data import catalog, store

    cached = [name for name in catalog.DATASETS if store.cached(name, settings)]
    if cached:
        return Check(name="Datasets", state="ok", found=f"{', '.join(cached)} in {settings.datasets}")
    if settings.offline:
        return Check(
            name="Datasets",
            state="note",
            found=f"none in {settings.datasets}, and FORTYDAYS_OFFLINE is set",
            advice="Unset FORTYDAYS_OFFLINE for the first run of a day, or set FORTYDAYS_MIRROR.",
        )
    return Check(name="Datasets", state="ok", found="none yet; each is fetched when a day first needs it")


def _check_mirror(mirror: Path | None) -> Check:
    if mirror is None:
        return Check(name="Mirror", state="ok", found="none set")
    if files.is_folder(mirror):
        return Check(name="Mirror", state="ok", found=str(mirror))
    return Check(
        name="Mirror",
        state="problem",
        found=f"FORTYDAYS_MIRROR names {mirror}, which is not a folder",
        advice="Correct FORTYDAYS_MIRROR or unset it.",
    )


def _nearest_existing(path: Path) -> Path:
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), Path(path.anchor))


def _print_table(checks: Sequence[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    styles: dict[State, str] = {"ok": "green", "note": "yellow", "problem": "bold red"}
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        # Text, not markup: a path may hold square brackets.
        found = Text(check.found)
        if check.advice:
            found.append(f"\n{check.advice}", style="dim")
        table.add_row(Text(check.state, style=styles[check.state]), check.name, found)
    console = streams.console()
    console.print(table)
    problems = sum(check.state == "problem" for check in checks)
    console.print()
    if problems:
        console.print(f"{problems} {'problem' if problems == 1 else 'problems'} to solve.", highlight=False)
    else:
        console.print("Nothing stands in the way.")

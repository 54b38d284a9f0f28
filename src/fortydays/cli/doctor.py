"""``forty doctor``: what is installed, what is fast on this machine, and what stands in the way.

Looks only: nothing is created, changed or trained, and no heavy library is imported. The one thing that leaves the
machine is a question to the tracking server, if one is set.
"""

import dataclasses
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

import fortydays
from fortydays.base import files
from fortydays.base.errors import ExitCode, FortydaysError, StorageError, TrackingError
from fortydays.base.machine import Machine, describe_machine
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import counted, size_in_words
from fortydays.cli import streams
from fortydays.cli.streams import AsJson

SUPPORTED_PYTHON = ((3, 11), (3, 13))
"""The oldest and the newest Python that the locks are made for."""

LEAST_FREE_BYTES = 2 * 10**9
"""Room for the datasets of all days that have one, and for the runs of a few studies."""

SERVER_SECONDS = 2.0
"""How long a tracking server may take to answer before it counts as not reachable."""

_LIBRARIES = {
    "Keras": ("keras",), "TensorFlow": ("tensorflow-cpu", "tensorflow"), "MLflow": ("mlflow",), "NumPy": ("numpy",),
}  # fmt: skip
_STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}


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
    state: Literal["ok", "note", "problem"]
    found: str
    advice: str = ""


def _ok(name: str, found: str) -> Check:
    return Check(name=name, state="ok", found=found)


def _note(name: str, found: str, advice: str = "") -> Check:
    return Check(name=name, state="note", found=found, advice=advice)


def _problem(name: str, found: str, advice: str) -> Check:
    return Check(name=name, state="problem", found=found, advice=advice)


def doctor(*, as_json: AsJson = False) -> None:
    """Tell what is installed, what is fast here, and what is wrong. Exit code 1 if something will fail."""
    checks = examine()
    problems = sum(check.state == "problem" for check in checks)
    if as_json:
        document = {"healthy": not problems, "machine": dataclasses.asdict(describe_machine())}
        streams.print_json(document | {"checks": [dataclasses.asdict(check) for check in checks]})
    else:
        _print_table(checks)
        typer.echo(f"\n{counted(problems, 'problem')} to solve." if problems else "\nNothing stands in the way.")
    if problems:
        raise typer.Exit(ExitCode.FAILED)


def _print_table(checks: list[Check]) -> None:
    from rich.table import Column
    from rich.text import Text

    from fortydays.report.tables import Table

    table = Table(Column(no_wrap=True), Column(no_wrap=True), Column(overflow="fold"), show_header=False)
    for check in checks:
        found = Text(check.found).append(f"\n{check.advice}" if check.advice else "", style="dim")
        table.add_row(Text(check.state, style=_STYLES[check.state]), check.name, found)
    streams.console().print(table)


def examine() -> list[Check]:
    """All checks, in the order to show them."""
    import platform
    import sqlite3

    checks = [check_python(platform.python_version()), *check_packages(installed_version)]
    try:
        settings = read_settings()
    except FortydaysError as error:
        settings = None
        checks.append(_problem("Settings", error.message, error.hint))
    checks += check_machine(describe_machine(), threads=settings.threads if settings else None)
    checks += [check_gpu(has_nvidia_driver()), check_sqlite(sqlite3.sqlite_version_info)]
    if settings is not None:
        checks += check_places(settings)
        checks += [check_npm(shutil.which("npm"), offline=settings.offline), check_tracking(settings)]
    return checks


# ------------------------------------------------------------------------------------------------ programs and machine


def check_python(version: str) -> Check:
    """Whether the Python of this ``version`` ("3.12.1") is one that the locks are made for."""
    major, minor = (int(part) for part in version.split(".")[:2])
    oldest, newest = SUPPORTED_PYTHON
    if oldest <= (major, minor) <= newest:
        return _ok("Python", version)
    return _problem(
        "Python",
        f"{version}, not one of 3.{oldest[1]} to 3.{newest[1]}",
        "Install a supported one and run: make clean setup PYTHON=python3.12",
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

    ``version_of`` gives the version of an installed distribution, or None.
    """
    checks = [_ok("fortydays", fortydays.__version__)]
    for name, distributions in _LIBRARIES.items():
        versions = {each: version for each in distributions if (version := version_of(each))}
        if versions:
            said = (v if each == name.lower() else f"{v} ({each})" for each, v in versions.items())
            checks.append(_ok(name, ", ".join(said)))
        else:
            advice = "Run `make setup`, or install fortydays with pip again."
            checks.append(_problem(name, "not installed", advice))
    return checks


def check_machine(machine: Machine, *, threads: int | None) -> list[Check]:
    """What the processor is, and whether bfloat16 saves time on it.

    A trial computes with so many threads; None if the settings could not be read.
    """
    cores = counted(machine.cores, "core")
    used = "" if threads is None else f", {counted(threads, 'thread')} a trial"
    checks = [_ok("Processor", f"{machine.cpu_model or 'unknown'}, {cores}{used} ({machine.system})")]
    if threads is not None and threads > machine.cores:
        advice = "Unset FORTYDAYS_THREADS, unless another machine's results are to be repeated bit by bit."
        checks.append(_note("Threads", f"{threads} threads on {cores}", advice))
    flags = ", ".join(machine.flags) or "none known"
    if machine.bfloat16_is_fast:
        return [*checks, _ok("Fast instructions", f"{flags}: bfloat16 is fast here")]
    advice = "Studies in bfloat16 run, but take longer than the minutes in their notes."
    return [*checks, _note("Fast instructions", f"{flags}: bfloat16 is not fast here", advice)]


def has_nvidia_driver() -> bool:
    """Whether an NVIDIA driver is on this machine, without starting it."""
    return shutil.which("nvidia-smi") is not None or os.access("/proc/driver/nvidia", os.F_OK)


def check_gpu(present: bool) -> Check:
    """Whether a GPU lies idle."""
    if not present:
        return _ok("GPU", "none, and none is needed")
    found = "an NVIDIA driver is here; the locked TensorFlow computes on the processor"
    return _note("GPU", found, "Nothing to do: every day is made to run without a GPU.")


def check_sqlite(version: tuple[int, ...]) -> Check:
    """Whether the SQLite that Python was built with can keep a write-ahead log safely."""
    from fortydays.base.database import SAFE_WRITE_AHEAD

    shown = ".".join(map(str, version))
    if version >= SAFE_WRITE_AHEAD:
        return _ok("SQLite", shown)
    advice = "Nothing to do: the tracking store keeps a rollback journal, which is safe."
    return _note("SQLite", f"{shown}: its write-ahead log can damage a store, so it is not used", advice)


# -------------------------------------------------------------------------------------------------------------- places


def check_places(settings: Settings) -> list[Check]:
    """The folders of a reader's state: workspace, free space, cached datasets, mirror."""
    checks = [_check_workspace(settings.workspace), _check_free_space(settings.workspace)]
    for name, check in (("Datasets", _check_datasets), ("Mirror", _check_mirror)):
        try:
            checks.append(check(settings))
        except StorageError as error:
            way_out = f"Change the permissions, or point FORTYDAYS_{name.upper()} to another folder."
            checks.append(_problem(name, error.message, way_out))
    return checks


def _check_workspace(workspace: Path) -> Check:
    existing = _nearest_existing(workspace)
    try:
        is_folder = files.is_folder(existing)
    except StorageError as error:
        return _problem("Workspace", error.message, error.hint)
    if not is_folder:
        found = f"{workspace} cannot be made: {existing} is a file"
        return _problem("Workspace", found, "Point FORTYDAYS_HOME to a folder.")
    if not os.access(existing, os.W_OK | os.X_OK):
        advice = f"Change the permissions of {existing}, or point FORTYDAYS_HOME to a folder of your own."
        return _problem("Workspace", f"{workspace} cannot be written", advice)
    return _ok("Workspace", f"{workspace}{'' if existing == workspace else ' (not made yet)'}")


def _check_free_space(workspace: Path) -> Check:
    try:
        free = shutil.disk_usage(_nearest_existing(workspace)).free
    except OSError as error:
        return _note("Free space", f"not known: {error.strerror or error}")
    if free >= LEAST_FREE_BYTES:
        return _ok("Free space", size_in_words(free))
    found = f"{size_in_words(free)}, less than {size_in_words(LEAST_FREE_BYTES)}"
    return _problem("Free space", found, "Free some space, or point FORTYDAYS_HOME to a larger disk.")


def _nearest_existing(path: Path) -> Path:
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), Path(path.anchor))


def _check_datasets(settings: Settings) -> Check:
    from fortydays.data import catalog, store

    cached = [name for name, spec in catalog.DATASETS.items() if store.cached(spec, settings)]
    if cached:
        return _ok("Datasets", f"{', '.join(cached)} in {settings.datasets}")
    if settings.offline:
        advice = "Unset FORTYDAYS_OFFLINE for the first run of a day, or set FORTYDAYS_MIRROR."
        return _note("Datasets", f"none in {settings.datasets}, and FORTYDAYS_OFFLINE is set", advice)
    return _ok("Datasets", "none yet; each is fetched when a day first needs it")


def _check_mirror(settings: Settings) -> Check:
    mirror = settings.mirror
    if mirror is None or files.is_folder(mirror):
        return _ok("Mirror", str(mirror or "none set"))
    found = f"FORTYDAYS_MIRROR names {mirror}, which is not a folder"
    return _problem("Mirror", found, "Correct FORTYDAYS_MIRROR or unset it.")


def check_npm(path: str | None, *, offline: bool) -> Check:
    """Whether npm, one of the ways to datasets, is there to be used, and may be."""
    if offline or path:
        return _ok("npm", "not used: FORTYDAYS_OFFLINE is set" if offline else str(path))
    advice = "If a download fails, install Node.js with npm and run the command again."
    return _note("npm", "not found: datasets come from their public addresses alone", advice)


def check_tracking(settings: Settings, *, seconds: float = SERVER_SECONDS) -> Check:
    """Where experiments are tracked, whether the program can use it, and whether a server there answers in time.

    User, password and options in its address are not shown.
    """
    from fortydays.track.store import destination

    try:
        where = destination(settings)
    except TrackingError as error:
        return _problem("Tracking", error.message, error.hint)
    if not where.is_server:
        return _ok("Tracking", "the store in the workspace" if where.is_own else where.shown)
    reason = _why_not_reachable(where.uri, seconds)
    if not reason:
        return _ok("Tracking", f"{where.shown} answers")
    advice = "Start the MLflow server, correct MLFLOW_TRACKING_URI, or unset it to use the store in the workspace."
    return _problem("Tracking", f"{where.shown} does not answer: {reason}", advice)


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

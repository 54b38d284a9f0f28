"""Bundles that were had from the registry and are kept, so that the next question is answered without asking it again.

The registry is MLflow's, which takes seconds to load. What it said is kept together with the state of the file that
it said it from: while nobody has written to that file, it would say the same. Where anything was written since, be it
only a run's next number, and where the registry is not a file of this workspace, it is asked again.
"""

import asyncio
from pathlib import Path
from typing import Any

from fortydays import __version__
from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.registry.contents import Bundle, open_bundle
from fortydays.registry.package import DamagedPackageError
from fortydays.serve.source import Source, fetch, forget

_ANSWERS = "told.json"  # which does not begin as a digest could
_SCHEMA = 1
_MOST_KEPT = 10
_SECONDS_FOR_LOCK = 330.0  # somewhat longer than the registry is waited for
_HEADER = 100
"""Bytes of an SQLite file, a counter among them that each transaction raises."""


def opened(source: Source, settings: Settings, *, threads: int, progress: Progress = SILENT) -> Bundle:
    """The bundle that a source names now, opened: a folder where it is, or a model of the registry from the kept ones.

    Raises:
        FortydaysError: there is none, it is no whole bundle, or the registry cannot be asked.
        StorageError: the workspace cannot be written.
    """
    if source.folder is not None:
        return open_bundle(source.folder, threads=threads)
    kept = files.make_folder(settings.workspace / "bundles")
    database = None if settings.tracking_uri else settings.workspace / "mlflow.db"
    try:
        # Until it is opened, nobody removes it; and of several that start together, one asks.
        with files.locked(kept / ".lock", timeout=_SECONDS_FOR_LOCK):
            return _opened(source, kept, database, threads=threads, progress=progress)
    except TimeoutError:
        raise FortydaysError(
            f"Another process has been getting a bundle for {_SECONDS_FOR_LOCK:g} s.",
            hint="End that process and run the command again.",
        ) from None


def folder_of(source: Source, bundle: Bundle, settings: Settings) -> Path:
    """The folder of a bundle that :func:`opened` has opened. Until it is read, another process may remove it."""
    return source.folder or settings.workspace / "bundles" / bundle.manifest.digest


def _opened(source: Source, kept: Path, database: Path | None, *, threads: int, progress: Progress) -> Bundle:
    state = _state(database)  # before the registry is asked: what is written meanwhile makes the answer an old one
    answers = _answers(kept, state)
    folder = kept / answers.get(source.model, "none")
    try:
        if source.model in answers:
            return open_bundle(folder, threads=threads)
    except (DamagedPackageError, StorageError):
        files.remove(folder)
    progress.say(f"Asking the registry for {source.model}")
    folder = asyncio.run(fetch(source, kept))
    bundle = open_bundle(folder, threads=threads)
    answers.pop(source.model, None)
    newest = dict([*answers.items(), (source.model, folder.name)][-_MOST_KEPT:])
    files.write_json(kept / _ANSWERS, {"schema_version": _SCHEMA, "state": state, "answers": newest})
    files.remove_leftovers(kept)
    forget(kept, except_for={kept / digest for digest in newest.values()})
    return bundle


def _answers(kept: Path, state: Any) -> dict[str, str]:
    """The digests of the bundles by reference, as the registry told them in the same state."""
    if state is None or not files.is_file(kept / _ANSWERS):
        return {}
    try:
        document = files.read_json(kept / _ANSWERS)
    except StorageError:  # it is made anew
        return {}
    answers = document.get("answers")
    if document.get("schema_version") != _SCHEMA or document.get("state") != state or not isinstance(answers, dict):
        return {}
    return {name: digest for name, digest in answers.items() if isinstance(digest, str) and digest.isalnum()}


def _state(database: Path | None) -> list[Any] | None:
    """What is another one after anything was written to an SQLite file; None where it cannot be told."""
    if database is None:
        return None
    with files.storage_errors("read", database):
        try:
            for journal in ("-journal", "-wal"):  # in which what was written may stand, too
                path = database.with_name(database.name + journal)
                if path.exists() and path.stat().st_size:
                    return None
            status = database.stat()
            with database.open("rb") as file:
                header = file.read(_HEADER)
        except FileNotFoundError:
            return None
    return [__version__, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, header.hex()]

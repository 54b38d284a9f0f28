"""Where runs are tracked: an MLflow server, or a store inside the workspace.

Owns the store's first use, its damage, and every word that MLflow and the databases below it would otherwise say to
the reader. An address may hold a password: nothing here shows one.
"""

import contextlib
import gc
import importlib
import logging
import os
import re
import sqlite3
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from fortydays.base import database as database_rules
from fortydays.base import files
from fortydays.base.errors import FortydaysError, TrackingError
from fortydays.base.privacy import private_umask
from fortydays.base.settings import Settings

SYNC_COMMAND = "forty sync"
"""What a reader calls to send again what is missing in the tracker."""

SQLITE_WITH_SAFE_LOG = database_rules.SAFE_WRITE_AHEAD
"""From this version on, SQLite's write-ahead log cannot damage a store (the WAL-reset fault is repaired in it)."""

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    # Else the end of each run prints its address, with the password that may be in it.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_ENVIRONMENT_UNLESS_SET = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
_SECONDS_FOR_LOCK = 120.0
_SQLITE_HEADER = b"SQLite format 3\0"
_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")


class UnreachableError(TrackingError):
    """No connection to the tracking server, or no answer in time: with other runs it would be the same."""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where runs are tracked.

    Attributes:
        uri: the address as MLflow takes it. It may hold a password, so it is never shown, logged or kept.
        shown: the same address without user, password and options.
        database: the file of an SQLite store, or None.
        is_own: whether it is the workspace's own store, which may be set aside when damaged.
        artifacts: the folder for pictures and models of a database's runs; a server keeps them itself.
    """

    uri: str = field(repr=False)
    shown: str
    database: Path | None
    is_own: bool
    artifacts: Path

    @property
    def is_server(self) -> bool:
        """Whether it is an MLflow server, rather than a database that is opened directly."""
        return self.uri.lower().startswith(("http://", "https://"))


@dataclass(frozen=True, kw_only=True)
class Store:
    """An opened destination.

    Attributes:
        destination: what was opened.
        client: an ``mlflow.tracking.MlflowClient``.
        notes: what the reader should know, such as that a damaged store was set aside.
    """

    destination: Destination
    client: Any
    notes: tuple[str, ...]


def destination(settings: Settings) -> Destination:
    """Where the settings say that runs are tracked; nothing is opened or created.

    Raises:
        TrackingError: the address is of a kind that cannot be used.
    """
    artifacts = settings.workspace / "mlartifacts"
    if not settings.tracking_uri:
        database = settings.workspace / "mlflow.db"
        if set("%?") & set(str(database)):
            raise TrackingError(
                f"The folder {settings.workspace} has a '%' or '?' in its name, so the tracking store in it cannot be "
                "opened.",
                hint="Point FORTYDAYS_HOME to a folder without them.",
            )
        uri = f"sqlite:///{database}"
        return Destination(uri=uri, shown=uri, database=database, is_own=True, artifacts=artifacts)
    uri = settings.tracking_uri
    shown = without_credentials(uri)
    if re.split(r"[:+]", uri.lower(), maxsplit=1)[0] not in _SCHEMES or (":" not in uri and uri != "databricks"):
        raise TrackingError(
            f"MLFLOW_TRACKING_URI is {shown!r}; expected an MLflow server (http://...) or a database (sqlite:///...).",
            hint="MLflow does not keep runs in plain folders any more. Unset it to use the store in the workspace.",
        )
    path = uri.partition("?")[0].removeprefix("sqlite:///") if uri.startswith("sqlite:///") else ""
    file = Path(unquote(path)).absolute() if path else None
    return Destination(uri=uri, shown=shown, database=file, is_own=False, artifacts=artifacts)


def without_credentials(uri: str) -> str:
    """An address without user name, password and options, to show or to keep."""
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme.lower() == "sqlite":
        return uri.partition("?")[0]
    at, options = rest.rfind("@"), re.search(r"[?#]", rest)
    if options and options.start() < at:
        return f"{scheme}://..."  # an '@' behind a '?': there is no telling where a password would end
    return f"{scheme}://{re.split(r'[?#]', rest[at + 1 :], maxsplit=1)[0].rstrip('/')}"


def scrubbed(text: str, uri: str) -> str:
    """A message of MLflow or of a library below it, in one printable line without the address's credentials."""
    is_file = uri.lower().startswith("sqlite:")
    authority = "" if is_file else uri.partition("://")[2].rpartition("@")[0]
    user, _, password = authority.partition(":")
    environment = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("PASSWORD", "TOKEN"))
    secrets = {uri: without_credentials(uri), f"{authority}@": "", f"{user}:{unquote(password)}": "..."}
    secrets |= {secret: "..." for secret in (password, unquote(password), *environment) if len(secret) > 2}
    if user and not password and len(user) > 2:
        secrets[user] = "..."  # a token in the place of the name
    for secret in sorted((s for s in secrets if s.strip("@:")), key=len, reverse=True):
        text = text.replace(secret, secrets[secret])
    text = re.sub(r"://[^\s/@]*@", "://", text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


_SEND_LATER = f"The run itself is not affected. Send it later with: {SYNC_COMMAND}"


@contextlib.contextmanager
def using_mlflow(where: Destination, *, hint: str = _SEND_LATER) -> Iterator[None]:
    """Turn what MLflow and the libraries below it raise inside the block into :class:`TrackingError`.

    Their warnings are about their own code, and nothing that a reader could do something about.

    Args:
        where: what is used.
        hint: what to do where it cannot be reached, or refuses.
    """
    import requests
    import sqlalchemy.exc

    quiet_mlflow()
    from mlflow.exceptions import MlflowException

    try:
        with warnings.catch_warnings(), private_umask():
            warnings.filterwarnings("ignore", module="mlflow|sqlalchemy|alembic")
            yield
    except FortydaysError:
        raise
    except (MlflowException, requests.RequestException, sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        raise _tracking_error(where, error, hint) from error


def quiet_mlflow() -> None:
    """Import MLflow without its telemetry, its log lines and the warnings of its own imports."""
    os.environ.update(_ENVIRONMENT)
    for name, value in _ENVIRONMENT_UNLESS_SET.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("mlflow.tracking")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Spares a fifth of the time: MLflow imports make very many objects that stay, looked through again and again."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def open_store(where: Destination, *, hint: str = _SEND_LATER, set_aside: bool = True) -> Store:
    """Make a destination ready and open it.

    Args:
        where: what to open.
        hint: what to do where it cannot be reached, or refuses.
        set_aside: whether the workspace's own store, where it is damaged, gives way to a new one.

    Raises:
        TrackingError: it cannot be reached, or refuses.
        StorageError: the workspace cannot be written.
    """
    notes = prepare(where, set_aside=set_aside)
    with _no_garbage_collection(), using_mlflow(where, hint=hint):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=where.uri)
        # A client is made without asking the server; ask, so that a wrong address shows here.
        client.search_experiments(max_results=1)
    return Store(destination=where, client=client, notes=tuple(notes))


def experiment_id(store: Store, name: str) -> str:
    """MLflow's id of an experiment, which is made where it is missing.

    Raises:
        TrackingError: it has been deleted there, or the store refuses.
    """
    from mlflow.exceptions import MlflowException

    client, where = store.client, store.destination
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        # A server knows where it keeps artifacts; with a database it is for us to say.
        is_database = not where.is_server and not where.uri.startswith("databricks")
        location = where.artifacts.joinpath(*name.split("/")).as_uri() if is_database else None
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException:  # another process may have made it just now
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"The experiment {name!r} has been deleted in {where.shown}, so no run can be added to it.",
            hint=f"Restore it: MLFLOW_TRACKING_URI={where.shown} mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}",
        )
    return str(experiment.experiment_id)


def prepare(where: Destination, *, set_aside: bool = True) -> list[str]:
    """Check an SQLite store and make it where it is missing; anything else is left as it is.

    A damaged store of the workspace is set aside. Several processes may do this at once: one of them makes the store.

    Returns:
        What the reader should know.

    Raises:
        TrackingError: the store is damaged and not the workspace's own, or is locked for too long.
        StorageError: the folder cannot be written.
    """
    database, notes = where.database, list[str]()
    if database is None:
        return notes
    try:
        with files.locked(database.with_name(f".{database.name}.lock"), timeout=_SECONDS_FOR_LOCK):
            if database.exists():
                damage = _damage(database)
                if damage and not where.is_own:
                    raise TrackingError(
                        f"The tracking store {database} is damaged: {damage}.",
                        hint="Move it away or point MLFLOW_TRACKING_URI to another one.",
                    )
                if damage and not set_aside:
                    raise TrackingError(
                        f"The tracking store {database}, which has the registered models, is damaged: {damage}.",
                        hint="Put a copy of yours in its place. Without one, move it away and register the models "
                        f"anew; the runs are whole and are sent again with: {SYNC_COMMAND}",
                    )
                if damage:
                    notes.append(_set_aside(database, damage))
            if not database.exists() or database.stat().st_size == 0:
                _make(where, database)
    except TimeoutError:
        raise TrackingError(
            f"The tracking store {database} has been locked by another process for {_SECONDS_FOR_LOCK:g} s.",
            hint="End that process and run the command again.",
        ) from None
    return notes


def _damage(database: Path) -> str:
    """What is wrong with an SQLite file, or ""; leaves it with a rollback journal where that is the safe one."""
    with files.storage_errors("read", database), database.open("rb") as file:
        header = file.read(len(_SQLITE_HEADER))
    if not header:
        return ""
    if header != _SQLITE_HEADER:
        return "it does not begin as an SQLite database does"
    # Opened to write, because a transaction that a killed process left half done is undone on opening.
    address = f"file:{quote(str(database))}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=20)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            database_rules.set_journal(connection)
    except sqlite3.OperationalError as error:  # locked, or the disk refuses: no sign of damage
        raise TrackingError(f"The tracking store {database} cannot be read: {error}.") from error
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else " ".join(found.split())


def _set_aside(database: Path, damage: str) -> str:
    # The journals first: one that is left behind would be played into the next database of this name.
    for suffix in ("-journal", "-wal", "-shm"):
        journal = database.with_name(database.name + suffix)
        if journal.exists():
            files.set_aside(journal)
    aside = files.set_aside(database)
    return (
        f"The tracking store {database} was damaged ({damage}). It is kept as {aside.name} and a new one was made; "
        f"the runs themselves are whole. Send them again with: {SYNC_COMMAND} "
        "Models that were registered in it have to be registered anew."
    )


def _make(where: Destination, database: Path) -> None:
    # Made under another name and renamed when it is complete: MLflow cannot continue a schema that was begun.
    draft = files.part_of(database)
    for leftover in (draft, draft.with_name(f"{draft.name}-journal"), database.with_name(f"{database.name}-journal")):
        files.remove(leftover)
    with using_mlflow(where):
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        store = SqlAlchemyStore(f"sqlite:///{draft}", where.artifacts.as_uri())
        store.engine.dispose()
    files.complete_part(database)


def _tracking_error(where: Destination, error: BaseException, hint: str) -> TrackingError:
    import requests

    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None and before not in chain:
        chain.append(before)
    if any(isinstance(e, requests.Timeout) for e in chain):
        seconds = os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]
        return UnreachableError(
            f"The tracking server {where.shown} cannot be reached: nothing came within {seconds} s.", hint=hint
        )
    if any(isinstance(e, requests.ConnectionError) for e in chain):
        return UnreachableError(f"The tracking server {where.shown} cannot be reached: no connection.", hint=hint)
    reason = scrubbed(str(error), where.uri)
    if "out-of-date database schema" in reason:
        return TrackingError(
            f"The tracking store {where.shown} was made by an older MLflow.",
            hint=f"Copy it, then bring it up to date with: mlflow db upgrade {where.shown}",
        )
    if len(reason) > 300:
        reason = f"{reason[:297]}..."
    kind = "server" if where.is_server else "store"
    return TrackingError(f"The tracking {kind} {where.shown} refused: {reason}", hint=hint)

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
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fortydays.base import files, process
from fortydays.base.errors import FortydaysError, StorageError, TrackingError
from fortydays.base.privacy import private_umask
from fortydays.base.settings import Settings
from fortydays.track import database as databases
from fortydays.track.database import ARTIFACTS, LOCATION

SYNC_COMMAND = "forty sync"
"""What a reader calls to send again what is missing in the tracker."""

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
_AT_ONCE = 1_000
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
        is_own: whether it is the workspace's own store: it moves with the workspace, and is set aside when damaged.
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
    """An opened destination: its ``mlflow.tracking.MlflowClient``, and notes for the reader."""

    destination: Destination
    client: Any
    notes: tuple[str, ...]


def destination(settings: Settings) -> Destination:
    """Where the settings say that runs are tracked; nothing is opened or created.

    Raises:
        TrackingError: the address is of a kind that cannot be used.
    """
    # By its real path, so that a workspace with two names, one of them a link, has one place for its files.
    artifacts = settings.workspace.resolve() / ARTIFACTS
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
    is_own = file == settings.workspace / "mlflow.db"
    return Destination(uri=uri, shown=shown, database=file, is_own=is_own, artifacts=artifacts)


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


SEND_LATER = f"The run itself is not affected. Send it later with: {SYNC_COMMAND}"
"""What to do where a run could not be sent."""


@contextlib.contextmanager
def using_mlflow(where: Destination, *, hint: str = SEND_LATER) -> Iterator[None]:
    """Turn what MLflow and the libraries below it raise inside the block into :class:`TrackingError`.

    Their warnings are about their own code, and nothing that a reader could do something about. ``hint`` says what to
    do where the destination cannot be reached, or refuses.
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


def say_nothing(_line: str) -> None:
    """For a caller who does not need to know for whom it waits."""


def open_store(
    where: Destination,
    *,
    hint: str = SEND_LATER,
    set_aside: bool = True,
    waiting: Callable[[str], None] = say_nothing,
) -> Store:
    """Make a destination ready, see :func:`prepare`, and open it.

    Raises:
        TrackingError: it cannot be reached, or refuses; ``hint`` says what to do.
        StorageError: the workspace cannot be written.
    """
    notes = prepare(where, set_aside=set_aside, waiting=waiting)
    with _no_garbage_collection(), using_mlflow(where, hint=hint):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=where.uri)
        # A client is made without asking the server; ask, so that a wrong address shows here.
        client.search_experiments(max_results=1)
    return Store(destination=where, client=client, notes=tuple(notes))


def located(where: Destination, uri: str) -> str:
    """Where the files are that a store says are at an address.

    The workspace's own store has absolute addresses in it. They are set right when it is opened at a new place; but
    a copy that cannot be written, or one that another machine sees under another path, may still name the old place.
    """
    found = LOCATION.fullmatch(uri) if where.is_own else None
    return f"{where.artifacts.as_uri()}/{found[2]}" if found else uri


def artifacts_at(store: Store, uri: str) -> Any:
    """MLflow's way (an ``ArtifactRepository``) to the files that a store says are at an address."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(located(store.destination, uri), tracking_uri=store.destination.uri)


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


def every(search: Callable[..., Any], *arguments: Any, **named: Any) -> list[Any]:
    """Everything that a search of MLflow's client finds, which answers with a page at a time."""
    found: list[Any] = []
    token = None
    while True:
        page = search(*arguments, max_results=_AT_ONCE, page_token=token, **named)
        found += page
        token = page.token
        if not token:
            return found


def refused_as(error: FortydaysError, code: str) -> bool:
    """Whether MLflow has refused something with one of its error codes, such as ``RESOURCE_DOES_NOT_EXIST``."""
    from mlflow.exceptions import MlflowException

    return isinstance(error.__cause__, MlflowException) and error.__cause__.error_code == code


def prepare(where: Destination, *, set_aside: bool = True, waiting: Callable[[str], None] = say_nothing) -> list[str]:
    """Check an SQLite store and make it where it is missing; anything else is left as it is.

    The workspace's own store is set aside where it is damaged, and set right where the workspace is not where it was.
    Several processes may do this at once. Each makes a missing store for itself, which takes seconds, and the first
    one's is taken; the lock is held for a moment only, and not at all where there is nothing to do.

    Args:
        where: the store.
        set_aside: whether the workspace's own store, where it is damaged, gives way to a new one.
        waiting: told for which other process this one has to wait.

    Returns:
        What the reader should know.

    Raises:
        TrackingError: the store is damaged and not to be set aside.
        StorageError: the folder cannot be written.
    """
    database, notes = where.database, list[str]()
    if database is None:
        return notes
    damage = databases.damage(database)
    if not damage and not databases.is_missing(database):
        if where.is_own and databases.former_places(database, where.artifacts):
            # Where nothing can be written, the files are found all the same: see located().
            with contextlib.suppress(StorageError), _locked(database, waiting):
                databases.set_right(database, where.artifacts)
        return notes
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
    with files.temporary_folder(database.parent, database.name) as folder:
        draft = folder / database.name
        _make(where, draft)
        with _locked(database, waiting):
            damage = databases.damage(database)  # another process may have been faster
            if damage:
                aside = databases.set_aside(database)
                notes.append(
                    f"The tracking store {database} was damaged ({damage}). It is kept as {aside.name} and a new one "
                    f"was made; the runs themselves are whole. Send them again with: {SYNC_COMMAND} "
                    "Models that were registered in it have to be registered anew."
                )
            if databases.is_missing(database):
                databases.put(draft, database)
    return notes


def _locked(database: Path, waiting: Callable[[str], None]) -> contextlib.AbstractContextManager[None]:
    def told(holder: str) -> None:
        waiting(f"Waiting for the tracking store, which another process has locked: {holder}.")

    return process.locked(database.with_name(f".{database.name}.lock"), waiting=told)


def _make(where: Destination, database: Path) -> None:
    with using_mlflow(where):
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        store = SqlAlchemyStore(f"sqlite:///{database}", where.artifacts.as_uri())
        store.engine.dispose()


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
